"""The personal centre: one's own data, password and mobile; and a forgotten password. Called by the portal.

What is forgotten is found again by a picture read, the code sent to the mobile, and the ID number together.
Whether the mobile has an account is not told, and takes no time to tell.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import assert_never

from fastapi import APIRouter
from pydantic import BaseModel

from services.identity import views
from services.identity.api.parts import (
    AddressDep,
    Body,
    CaptchaAnswer,
    Done,
    PartsDep,
    Secret,
    Typed,
    account_of,
    code_must_have_been_right,
    new_sms_code,
    sms_may_be_sent,
    staff_of,
    today,
    typed_code,
)
from services.identity.attempts import Attempts
from services.identity.domain import account, rules, staff
from services.identity.domain.commands import (
    AskMobileReplacement,
    ErasePerson,
    ReplaceMobile,
    ReplaceMobileInPerson,
    ReplacePassword,
    ResetPassword,
    SendResetCode,
)
from shared.events.identity import SmsCodeMistyped
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta
from shared.kernel.values import parse_id_number, parse_mobile, parse_text
from shared.runtime.access import AnonymousMeta, Caller, CandidateDep, CommandMeta, PersonDep, ServiceDep, StaffDep
from shared.runtime.problems import refuses
from shared.runtime.service import Service

router = APIRouter(prefix="/v1", tags=["account"])

_ASKED_SECONDS = 0.25


@asynccontextmanager
async def _untold_by_the_clock() -> AsyncIterator[None]:
    """What depends on whether a mobile has an account takes so long at least, whatever comes of it."""
    clock = asyncio.get_running_loop().time
    until = clock() + _ASKED_SECONDS
    try:
        yield
    finally:
        await asyncio.sleep(until - clock())


class CandidateShown(BaseModel):
    person: str
    kind: str = "candidate"
    name: str
    id_number: str
    ticket_number: str
    mobile: str


class StaffMemberShown(BaseModel):
    person: str
    kind: str = "staff"
    name: str
    login: str
    organisation: str
    roles: list[tuple[str, str]]


class AskReset(CaptchaAnswer):
    mobile: Typed


class Reset(Body):
    """`id_number`: the whole number, or its last six characters."""

    mobile: Typed
    code: Typed
    id_number: Typed
    password: Secret


class Replace(Body):
    current: Secret
    password: Secret


class AskMobile(CaptchaAnswer):
    mobile: Typed


class Code(Body):
    code: Typed


class Find(Body):
    id_number: Typed


class Found(BaseModel):
    person: str


class SeenInPerson(Body):
    """`evidence`: what was looked at, in the clerk's words."""

    mobile: Typed
    evidence: str


class Ground(Body):
    ground: Typed


@router.get("/me", openapi_extra=refuses("identity.no_account"))
async def me(service: ServiceDep, caller: PersonDep) -> CandidateShown | StaffMemberShown:
    """One's own data (个人中心), read from the events."""
    if caller.kind == "staff":
        working = await _working(service, caller)
        async with service.reading() as connection:
            roles = await views.find_roles(connection, caller.id)
        return StaffMemberShown(
            person=caller.id,
            name=working.name,
            login=working.login,
            organisation=working.organisation,
            roles=roles,
        )
    own = await _registered(service, caller.id)
    return CandidateShown(
        person=caller.id,
        name=own.name,
        id_number=own.id_number,
        ticket_number=own.ticket_number,
        mobile=own.mobile,
    )


async def _registered(service: Service, person: str) -> account.Registered:
    state = await account_of(service, person)
    if not isinstance(state, account.Registered):
        raise Refused("identity.no_account")
    return state


async def _working(service: Service, caller: Caller) -> staff.Working:
    state = await staff_of(service, caller.id)
    if not isinstance(state, staff.Working):
        raise Refused("identity.no_account")
    return state


# --- forgotten password


@router.post("/password-resets", status_code=202)
async def ask_reset(
    body: AskReset, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta, address: AddressDep
) -> None:
    """忘记密码: a code is sent if the mobile has an account; the answer is the same if not."""
    mobile = parse_mobile(body.mobile)
    await sms_may_be_sent(service, parts.scheme, body, mobile, address, meta)
    async with _untold_by_the_clock():
        person = await _person_with(service, "mobile", mobile)
        if person is not None:
            command = SendResetCode(person=person, code=new_sms_code(parts.scheme))
            await service.handle(command, meta, request=body)


async def _person_with(service: Service, kind: str, value: str) -> str | None:
    async with service.reading() as connection:
        return await views.find_named(connection, kind, service.keyring.hashed(kind, value))


@router.post("/password-resets/complete", status_code=204)
async def reset(body: Reset, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta) -> None:
    """A new password; one answer whatever of the three was wrong. Ends every session and the lock."""
    mobile = parse_mobile(body.mobile)
    limit = parts.scheme.limits.reset_per_mobile
    await Attempts(service).spend_or_refuse("reset", mobile, limit, meta.at)
    password = rules.parse_password(body.password, parts.scheme.password)
    rules.password_must_be_hard_to_guess(password, parts.scheme.password)
    code, password_hash = typed_code(body.code), await parts.passwords.hashed(password)
    async with _untold_by_the_clock():
        await _reset(service, mobile, code, password, password_hash, body, meta)


async def _reset(
    service: Service, mobile: str, code: str, password: str, password_hash: str, body: Reset, meta: Meta
) -> None:
    person = await _person_with(service, "mobile", mobile)
    if person is None:
        raise Refused("identity.reset_refused")
    own = await _registered(service, person)
    command = ResetPassword(
        person=person,
        code=code,
        id_number=body.id_number.strip().upper(),
        password_hash=password_hash,
        password_is_personal=rules.is_personal(password, own.mobile, own.id_number),
    )
    receipt = await service.handle(command, meta, request=body)
    if SmsCodeMistyped.name in receipt.events:
        raise Refused("identity.reset_refused")
    await Attempts(service).clear("login_account", person)
    for kind, value in (("mobile", own.mobile), ("id_number", own.id_number), ("ticket_number", own.ticket_number)):
        await Attempts(service).clear("login_name", f"{kind}:{value}")


# --- changing what one signs in with


@router.post("/me/password", status_code=204)
async def replace_password(
    body: Replace, service: ServiceDep, parts: PartsDep, caller: PersonDep, meta: CommandMeta
) -> None:
    """修改密码. Ends every session, this one too: whoever knew the old password is out."""
    limit = parts.scheme.limits.login_per_account
    await Attempts(service).spend_or_refuse("present_password", caller.id, limit, meta.at)
    own = await (_working(service, caller) if caller.kind == "staff" else _registered(service, caller.id))
    password = rules.parse_password(body.password, parts.scheme.password)
    rules.password_must_be_hard_to_guess(password, parts.scheme.password)
    match own:
        case account.Registered():
            personal = rules.is_personal(password, own.mobile, own.id_number)
        case staff.Working():
            personal = own.login in password.lower()
        case _:
            assert_never(own)
    if personal:
        raise Refused("identity.password_is_personal")
    current = rules.parse_password(body.current, parts.scheme.password)
    if not await parts.passwords.is_right(own.password_hash, current):
        raise Refused("identity.password_wrong")
    command = ReplacePassword(person=caller.id, password_hash=await parts.passwords.hashed(password))
    await service.handle(command, meta, caller=caller, request=body)
    await Attempts(service).clear("present_password", caller.id)


@router.post("/me/mobile-codes", status_code=202)
async def ask_mobile(
    body: AskMobile,
    service: ServiceDep,
    parts: PartsDep,
    caller: CandidateDep,
    meta: CommandMeta,
    address: AddressDep,
) -> None:
    """更换手机号码: a code goes to the new number."""
    mobile = parse_mobile(body.mobile)
    await sms_may_be_sent(service, parts.scheme, body, mobile, address, meta)
    command = AskMobileReplacement(person=caller.id, mobile=mobile, code=new_sms_code(parts.scheme))
    await service.handle(command, meta, caller=caller, request=body)


@router.post("/me/mobile", status_code=204)
async def replace_mobile(body: Code, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> None:
    command = ReplaceMobile(person=caller.id, code=typed_code(body.code))
    receipt = await service.handle(command, meta, caller=caller)
    await code_must_have_been_right(service, receipt)


# --- by staff, about a person


@router.post("/people/find")
async def find_person(body: Find, service: ServiceDep, parts: PartsDep, caller: StaffDep, meta: CommandMeta) -> Found:
    """F-10: a clerk who has an ID card before them looks its holder up."""
    rules.clerk_must_be_allowed(caller.roles, parts.scheme)
    limit = parts.scheme.limits.lookups_per_clerk
    await Attempts(service).spend_or_refuse("lookup", caller.id, limit, meta.at)
    person = await _person_with(service, "id_number", parse_id_number(body.id_number, today(meta.at)))
    if person is None:
        raise Refused("identity.no_account")
    return Found(person=person)


@router.post("/people/{person}/mobile")
async def replace_mobile_in_person(
    person: str, body: SeenInPerson, service: ServiceDep, caller: StaffDep, meta: CommandMeta
) -> Done:
    """F-10: the old mobile is gone; the clerk has seen the person, and says on what evidence."""
    command = ReplaceMobileInPerson(
        person=person,
        mobile=parse_mobile(body.mobile),
        evidence=parse_text(body.evidence, "evidence", most=500, least=2),
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/people/{person}/erasure")
async def erase(person: str, body: Ground, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """注销: decided and written down now; a timer destroys the key within seconds, and says so."""
    return Done.of(await service.handle(ErasePerson(person=person, ground=body.ground), meta, caller=caller))
