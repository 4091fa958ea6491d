"""Registration in four steps (SD-09): 验证手机号码, 填写账号信息, 验证身份, 完成. Called by the portal for candidates.

Resumable with the registration's token. Nothing here tells whether a mobile or an ID number has an account before the
code proved that the mobile is the caller's. After the last step one signs in (SD-14): no token comes of registering.
"""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Header
from pydantic import BaseModel

from services.identity import views
from services.identity.api.parts import (
    AddressDep,
    Body,
    CaptchaAnswer,
    Done,
    NowDep,
    PartsDep,
    Secret,
    Typed,
    account_of,
    code_must_have_been_right,
    new_person,
    new_sms_code,
    same,
    sms_may_be_sent,
    today,
    typed_code,
)
from services.identity.api.verification import BooksDep, book_of, verification_of
from services.identity.attempts import Attempts, new_captcha
from services.identity.domain import account, rules
from services.identity.domain.commands import (
    ChoosePassword,
    ProveMobile,
    RegisterAccount,
    SendCodeAgain,
    StartRegistration,
)
from services.identity.domain.verification import Verified
from services.identity.tokens import REGISTRATION, Bearer
from shared.kernel.errors import Refused
from shared.kernel.values import masked_mobile, parse_id_number, parse_mobile, parse_name
from shared.runtime.access import AnonymousMeta, ServiceDep
from shared.runtime.problems import refuses
from shared.runtime.service import Service

router = APIRouter(prefix="/v1", tags=["registration"])

Step = Literal["mobile", "password", "identity", "verification", "done"]


class CaptchaShown(BaseModel):
    captcha: str
    picture: str
    expires_at: datetime


class RegistrationShown(BaseModel):
    registration: str
    step: Step
    mobile: str
    expires_at: datetime | None


class RegistrationBegun(RegistrationShown):
    token: str


class AccessGiven(BaseModel):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - its name, RFC 6750
    expires_in: int


class Begin(CaptchaAnswer):
    mobile: Typed


class Prove(Body):
    code: Typed


class Choose(Body):
    password: Secret


class Identify(Body):
    """With a `jurisdiction`, on one of its routes, to be verified at `organisation` (SX-E-41)."""

    name: Typed
    id_number: Typed
    ticket_number: Typed = ""
    jurisdiction: Typed = ""
    route: Typed = ""
    organisation: Typed = ""


@router.post("/captchas", status_code=201)
async def draw_captcha(service: ServiceDep, parts: PartsDep, address: AddressDep, now: NowDep) -> CaptchaShown:
    """A picture to read (SD-11); good for one answer."""
    await Attempts(service).spend_or_refuse("captcha", address, parts.scheme.limits.captcha_per_address, now)
    drawn = await new_captcha(service, parts.scheme.captcha, now)
    return CaptchaShown(captcha=drawn.id, picture=drawn.picture, expires_at=drawn.expires_at)


def _token(service: Service, registration: str) -> str:
    """Made from our own key: nothing to store, and a retried request is answered with the same one."""
    return service.keyring.hashed("registration_token", registration).hex()


async def _own(registration: str, service: ServiceDep, registration_token: Annotated[str, Header()] = "") -> str:
    """The registration of whoever holds its token."""
    if not same(_token(service, registration), registration_token):
        raise Refused("identity.no_registration")
    return registration


RegistrationDep = Annotated[str, Depends(_own)]


async def _shown(service: Service, registration: str) -> RegistrationShown:
    state = await account_of(service, registration)
    step: Step
    match state:
        case account.ProvingMobile():
            step = "mobile"
        case account.ChoosingPassword():
            step = "password"
        case account.GivingIdentity():
            step = "identity"
        case account.Registered():
            mobile, step = masked_mobile(state.mobile), "done"
            if not state.password_hash:
                verified = isinstance(await verification_of(service, registration), Verified)
                step = "password" if verified else "verification"
            return RegistrationShown(registration=registration, step=step, mobile=mobile, expires_at=None)
        case account.NotStarted() | account.Erased():
            raise Refused("identity.no_registration")
    return RegistrationShown(
        registration=registration, step=step, mobile=masked_mobile(state.mobile), expires_at=state.expires_at
    )


@router.post("/registrations", status_code=201)
async def begin(
    body: Begin, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta, address: AddressDep
) -> RegistrationBegun:
    """Step 1: a mobile and the picture; a code is sent, whether the mobile has an account or not."""
    mobile = parse_mobile(body.mobile)
    await sms_may_be_sent(service, parts.scheme, body, mobile, address, meta)
    person = new_person("registration", meta)
    await service.keyring.create(person)
    command = StartRegistration(person=person, mobile=mobile, code=new_sms_code(parts.scheme))
    await service.handle(command, meta, request=body)
    shown = await _shown(service, person)
    return RegistrationBegun(**shown.model_dump(), token=_token(service, person))


@router.get("/registrations/{registration}", openapi_extra=refuses("identity.no_registration"))
async def show(registration: RegistrationDep, service: ServiceDep) -> RegistrationShown:
    """Where one left off."""
    return await _shown(service, registration)


@router.post("/registrations/{registration}/sms-codes")
async def send_again(
    registration: RegistrationDep,
    body: CaptchaAnswer,
    service: ServiceDep,
    parts: PartsDep,
    meta: AnonymousMeta,
    address: AddressDep,
) -> RegistrationShown:
    """Another code (SD-12), after the cool-down."""
    state = await account_of(service, registration)
    if not isinstance(state, account.ProvingMobile):
        raise Refused("identity.mobile_already_proved")
    await sms_may_be_sent(service, parts.scheme, body, state.mobile, address, meta)
    command = SendCodeAgain(person=registration, code=new_sms_code(parts.scheme))
    await service.handle(command, meta, request=body)
    return await _shown(service, registration)


@router.post("/registrations/{registration}/mobile")
async def prove_mobile(
    registration: RegistrationDep, body: Prove, service: ServiceDep, meta: AnonymousMeta
) -> RegistrationShown:
    """Step 1 done: from here on one may know whether the mobile has an account already."""
    receipt = await service.handle(ProveMobile(person=registration, code=typed_code(body.code)), meta)
    await code_must_have_been_right(service, receipt)
    state = await account_of(service, registration)
    if isinstance(state, account.ChoosingPassword | account.GivingIdentity):
        async with service.reading() as connection:
            digest = service.keyring.hashed("mobile", state.mobile)
            if await views.find_named(connection, "mobile", digest) is not None:
                raise Refused("identity.mobile_has_account")
    return await _shown(service, registration)


@router.post("/registrations/{registration}/password")
async def choose_password(
    registration: RegistrationDep, body: Choose, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta
) -> RegistrationShown:
    """Step 2; may be done again until the last step."""
    password = rules.parse_password(body.password, parts.scheme.password)
    rules.password_must_be_hard_to_guess(password, parts.scheme.password)
    own = await account_of(service, registration)
    if isinstance(own, account.Registered) and rules.is_personal(password, own.mobile, own.id_number):
        raise Refused("identity.password_is_personal")
    command = ChoosePassword(person=registration, password_hash=await parts.passwords.hashed(password))
    await service.handle(command, meta, request=body)
    return await _shown(service, registration)


@router.post("/registrations/{registration}/identity", status_code=201)
async def identify(
    registration: RegistrationDep,
    body: Identify,
    service: ServiceDep,
    parts: PartsDep,
    books: BooksDep,
    meta: AnonymousMeta,
) -> Done:
    """Step 3 and 4: who one is. Tries are limited, so that nobody asks through a list of ID numbers."""
    command = RegisterAccount(
        person=registration,
        name=parse_name(body.name),
        id_number=parse_id_number(body.id_number, today(meta.at)),
        ticket_number=rules.parse_ticket_number(body.ticket_number),
        book=book_of(body.jurisdiction, books) if body.jurisdiction else "",
        route=body.route,
        organisation=body.organisation,
    )
    state = await account_of(service, registration)
    asker = state.mobile if isinstance(state, account.GivingIdentity) else registration
    limit = parts.scheme.limits.identity_per_mobile
    await Attempts(service).spend_or_refuse("identity_per_mobile", asker, limit, meta.at)
    return Done.of(await service.handle(command, meta))


@router.post("/registrations/{registration}/access", status_code=201)
async def go_on(registration: RegistrationDep, service: ServiceDep, parts: PartsDep, now: NowDep) -> AccessGiven:
    """SX-E-42: where the password comes after verification, the registration's token opens that one door until then."""
    state = await account_of(service, registration)
    if not isinstance(state, account.Registered):
        raise Refused("identity.no_registration")
    if state.password_hash:
        raise Refused("identity.already_registered")
    seconds = parts.scheme.sessions.access_seconds
    bearer = Bearer(registration, "candidate", registration, (), bound=True, by=REGISTRATION)
    return AccessGiven(access_token=parts.tokens.for_person(bearer, now, seconds), expires_in=seconds)
