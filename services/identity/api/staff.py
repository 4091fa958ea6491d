"""Staff (工作人员) and their roles (角色): added by an administrator, activated by themselves. Called by the console.

Activation takes three steps: the code given once, a password with a second factor, and the first one-time code.
"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from services.identity import second_factor, views
from services.identity.api.parts import (
    AddressDep,
    Body,
    Done,
    Parts,
    PartsDep,
    Secret,
    Typed,
    new_person,
    same,
    staff_of,
    what_was_done,
)
from services.identity.attempts import Attempts
from services.identity.domain import rules, staff
from services.identity.domain.commands import (
    ActivateStaff,
    AddFirstAdministrator,
    AddStaff,
    ConfirmSecondFactor,
    GrantRole,
    RenewActivation,
    RevokeRole,
)
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta
from shared.kernel.values import parse_name
from shared.runtime.access import AnonymousMeta, CommandMeta, ServiceDep, StaffDep
from shared.runtime.service import Service

router = APIRouter(prefix="/v1", tags=["staff"])


class First(Body):
    secret: Secret
    login: Typed
    name: Typed


class Add(Body):
    login: Typed
    name: Typed
    organisation: Typed


class Invitation(BaseModel):
    """`activation_code` is shown this once; the administrator hands it to the person."""

    staff: str
    login: str
    activation_code: str


class Activate(Body):
    login: Typed
    activation_code: Typed
    password: Secret


class SecondFactor(BaseModel):
    """The secret of the authenticator, once as text and once as what an authenticator scans."""

    staff: str
    secret: str
    otpauth_uri: str


class Confirm(Body):
    login: Typed
    activation_code: Typed
    one_time_code: Typed


class Role(Body):
    role: Typed
    organisation: Typed


class StaffShown(BaseModel):
    staff: str
    name: str
    login: str
    state: str
    organisation: str
    roles: list[tuple[str, str]]


class StaffList(BaseModel):
    staff: list[StaffShown]
    next: str | None


@router.post("/first-administrator", status_code=201)
async def first_administrator(
    body: First, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta, address: AddressDep
) -> Invitation:
    """Once ever, by who holds the bootstrap secret; see `ops/first_admin.py`."""
    limit = parts.scheme.limits.secrets_per_address
    await Attempts(service).spend_or_refuse("bootstrap_secret", address, limit, meta.at)
    secret = parts.settings.bootstrap_secret
    if secret is None or not secret.get_secret_value() or not same(secret.get_secret_value(), body.secret):
        raise Refused("identity.bootstrap_refused")
    person = new_person("staff", meta)
    await service.keyring.create(person)
    command = AddFirstAdministrator(
        person=person, login=rules.parse_staff_login(body.login), name=parse_name(body.name)
    )
    await service.handle(command, meta, request=body)
    return _invitation(service, person, command.login, 1)


@router.post("/staff", status_code=201)
async def add(body: Add, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Invitation:
    """An administrator of the organisation, or of one above it, adds a person who works there."""
    person = new_person("staff", meta)
    command = AddStaff(
        person=person,
        login=rules.parse_staff_login(body.login),
        name=parse_name(body.name),
        organisation=body.organisation,
    )
    await service.keyring.create(person)
    await service.handle(command, meta, caller=caller)
    return _invitation(service, person, command.login, 1)


@router.post("/staff/{person}/activation", status_code=201)
async def renew(person: str, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Invitation:
    """A new code, for a lost one, a forgotten password or a lost authenticator: the account starts anew with it."""
    receipt = await service.handle(RenewActivation(person=person), meta, caller=caller)
    state = await staff_of(service, person)
    assert isinstance(state, staff.Person)
    return _invitation(service, person, state.login, (await what_was_done(service, receipt)).event.activation)


def _invitation(service: Service, person: str, login: str, activation: int) -> Invitation:
    code = second_factor.activation_code(service.keyring.hashed, person, activation)
    return Invitation(staff=person, login=login, activation_code=code)


@router.post("/staff/activations", status_code=201)
async def activate(body: Activate, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta) -> SecondFactor:
    """The person chooses a password and gets the secret for an authenticator."""
    person = await _invited(service, parts, body.login, meta)
    password = rules.parse_password(body.password, parts.scheme.password)
    rules.password_must_be_hard_to_guess(password, parts.scheme.password)
    command = ActivateStaff(
        person=person,
        activation_code=body.activation_code,
        password_hash=await parts.passwords.hashed(password),
        totp_secret=second_factor.new_secret(),
    )
    receipt = await service.handle(command, meta, request=body)
    secret = (await what_was_done(service, receipt)).event.totp_secret
    uri = second_factor.otpauth_uri(secret, body.login.strip().lower())
    return SecondFactor(staff=person, secret=secret, otpauth_uri=uri)


@router.post("/staff/activations/confirm", status_code=204)
async def confirm(body: Confirm, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta) -> None:
    """The first one-time code: the authenticator works, and so does the account."""
    command = ConfirmSecondFactor(
        person=await _invited(service, parts, body.login, meta),
        activation_code=body.activation_code,
        one_time_code=body.one_time_code.replace(" ", ""),
    )
    await service.handle(command, meta, request=body)


async def _invited(service: Service, parts: Parts, login: str, meta: Meta) -> str:
    """Whose activation this is about. A login that nobody has gets the answer of a wrong code, counted alike."""
    named = login.strip().lower()
    limit = parts.scheme.limits.activation_per_staff
    await Attempts(service).spend_or_refuse("activation", named, limit, meta.at)
    async with service.reading() as connection:
        person = await views.find_named(connection, views.STAFF_LOGIN, service.keyring.hashed(views.STAFF_LOGIN, named))
    if person is None:
        raise Refused("identity.activation_refused")
    return person


@router.post("/staff/{person}/roles", status_code=201)
async def grant(person: str, body: Role, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """授权 within one's own organisations, never to oneself."""
    command = GrantRole(person=person, role=body.role, organisation=body.organisation)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/staff/{person}/roles/revoke")
async def revoke(person: str, body: Role, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """撤权: tokens that carry the role end within five minutes."""
    command = RevokeRole(person=person, role=body.role, organisation=body.organisation)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get("/staff")
async def list_staff(
    service: ServiceDep,
    parts: PartsDep,
    caller: StaffDep,
    after: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> StaffList:
    """The staff of the organisations one administers, and of those below."""
    administered = [at for role, at in caller.roles if role == parts.scheme.administrator]
    if not administered:
        raise Refused("access.not_allowed")
    async with service.reading() as connection:
        reached = [*await views.find_below(connection, administered), *({rules.EVERYWHERE} & set(administered))]
        rows = await views.find_staff(connection, reached, after, limit)
    shown = []
    for row in rows:
        state = await staff_of(service, row.person)
        named = (state.name, state.login) if isinstance(state, staff.Person) else ("", "")
        shown.append(
            StaffShown(
                staff=row.person,
                name=named[0],
                login=named[1],
                state=row.state,
                organisation=row.organisation,
                roles=list(row.roles),
            )
        )
    return StaffList(staff=shown, next=rows[-1].person if len(rows) == limit else None)
