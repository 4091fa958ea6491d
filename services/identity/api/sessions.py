"""Signing in and out, tokens for persons and services, and the keys to verify them with.

A wrong password is counted before it is tried: by the number typed, by the account and by the address. A number
without an account is treated alike in answer, time and count. The count by typed number says "locked" (it locks
whether there is an account or not); an account that is locked through another of its numbers says "wrong", so that two
numbers cannot be found to belong together.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from services.identity import attempts as rows
from services.identity import views
from services.identity.api.parts import (
    AddressDep,
    Body,
    NowDep,
    Parts,
    PartsDep,
    Secret,
    Typed,
    account_of,
    staff_of,
    today,
    what_was_done,
)
from services.identity.attempts import Attempts
from services.identity.domain import account, rules, staff
from services.identity.domain.commands import EndSession, LockAccount, SignIn
from services.identity.domain.counting import Allowed
from services.identity.tokens import Bearer
from services.identity.verification_views import find_bound
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta, Receipt, command_id
from shared.runtime.access import AnonymousMeta, ServiceDep
from shared.runtime.service import Service

router = APIRouter(tags=["sessions"])


class CandidateSignIn(Body):
    """`login` is the ID number, the admission ticket number or the mobile."""

    login: Typed
    password: Secret


class StaffSignIn(Body):
    login: Typed
    password: Secret
    one_time_code: Typed


class RefreshToken(Body):
    refresh_token: Secret


class TokensGiven(BaseModel):
    access_token: str
    refresh_token: str
    token_type: str = "Bearer"  # noqa: S105 - its name, RFC 6750
    expires_in: int
    person: str
    kind: str


class ServiceSecret(Body):
    service: Typed
    secret: Secret
    audience: Typed


class ServiceTokenGiven(BaseModel):
    access_token: str
    token_type: str = "Bearer"  # noqa: S105 - its name, RFC 6750
    expires_in: int


@router.post("/v1/sessions", status_code=201)
async def sign_in(
    body: CandidateSignIn, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta, address: AddressDep
) -> TokensGiven:
    """A candidate signs in with any of three numbers in one field."""
    named = rules.login_name(body.login, today(meta.at)) or ("nothing", body.login.strip())
    attempt = await _begun(service, parts, named, address, meta)
    state = await account_of(service, attempt.person) if attempt.person else None
    known = state.password_hash if isinstance(state, account.Registered) else None
    return await _signed_in(service, parts, attempt, known, body.password, "", body, meta)


@router.post("/v1/sessions/staff", status_code=201)
async def sign_in_staff(
    body: StaffSignIn, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta, address: AddressDep
) -> TokensGiven:
    """Staff sign in with password and one-time code; each code is good for one use."""
    named = (views.STAFF_LOGIN, body.login.strip().lower())
    attempt = await _begun(service, parts, named, address, meta)
    state = await staff_of(service, attempt.person) if attempt.person else None
    known = state.password_hash if isinstance(state, staff.Working) else None
    code = body.one_time_code.replace(" ", "")
    return await _signed_in(service, parts, attempt, known, body.password, code, body, meta)


@dataclass(frozen=True)
class _Attempt:
    """One counted try: who it would be, and whether the account's count lets it through."""

    person: str | None
    name: str
    subject: str  # the account, or the typed number if there is none: counted alike
    address: str
    account: Allowed | None


async def _begun(service: Service, parts: Parts, named: tuple[str, str], address: str, meta: Meta) -> _Attempt:
    limits, attempts = parts.scheme.limits, Attempts(service)
    kind, value = named
    name = f"{kind}:{value}"
    await attempts.spend_or_refuse("login_address", address, limits.login_per_address, meta.at)
    await attempts.spend_or_refuse("login_name", name, limits.login_per_name, meta.at, "identity.login_locked")
    async with service.reading() as connection:
        person = await views.find_named(connection, kind, service.keyring.hashed(kind, value))
    subject = person or name
    verdict = await attempts.spend("login_account", subject, limits.login_per_account, meta.at)
    return _Attempt(person, name, subject, address, verdict if isinstance(verdict, Allowed) else None)


async def _signed_in(
    service: Service,
    parts: Parts,
    attempt: _Attempt,
    known: str | None,
    password: str,
    one_time_code: str,
    body: Body,
    meta: Meta,
) -> TokensGiven:
    right = await parts.passwords.is_right(known, rules.parse_password(password, parts.scheme.password))
    if not right or attempt.person is None or attempt.account is None:
        await _lock_if_last(service, parts, attempt, known, meta)
        raise Refused("identity.login_wrong")
    try:
        command = SignIn(person=attempt.person, one_time_code=one_time_code)
        receipt = await service.handle(command, meta, request=body)
    except Refused as refused:
        if refused.code == "identity.login_wrong":
            await _lock_if_last(service, parts, attempt, known, meta)
        raise
    attempts = Attempts(service)
    await attempts.clear("login_name", attempt.name)
    await attempts.clear("login_account", attempt.subject)
    await attempts.refund("login_address", attempt.address)
    session = (await what_was_done(service, receipt)).event
    token = await rows.first_refresh_token(service, session.session, session.expires_at)
    kind = "staff" if receipt.stream.startswith("staff-") else "candidate"
    who = rows.Refreshed(session.session, attempt.person, kind, token)
    return await _given(service, parts, who, meta.at)


async def _lock_if_last(service: Service, parts: Parts, attempt: _Attempt, known: str | None, meta: Meta) -> None:
    """The lock of an account that exists is a fact."""
    if attempt.person is None or known is None or attempt.account is None or not attempt.account.last:
        return
    failures = parts.scheme.limits.login_per_account.most
    command = LockAccount(person=attempt.person, until=attempt.account.ends, failures=failures)
    await service.handle(command, _following(meta, "lock", command.until.isoformat()))


async def _given(service: Service, parts: Parts, who: rows.Refreshed, at: datetime) -> TokensGiven:
    async with service.reading() as connection:
        roles = await views.find_roles(connection, who.person)
        bound = await find_bound(connection, who.person)
    seconds = parts.scheme.sessions.access_seconds
    access = parts.tokens.for_person(Bearer(who.person, who.kind, who.session, roles, bound), at, seconds)
    return TokensGiven(
        access_token=access, refresh_token=who.token, expires_in=seconds, person=who.person, kind=who.kind
    )


@router.post("/v1/sessions/refresh")
async def refresh(body: RefreshToken, service: ServiceDep, parts: PartsDep, meta: AnonymousMeta) -> TokensGiven:
    """New tokens, with the roles of now. A refresh token that comes twice was copied: its session ends."""
    match await rows.refresh(service, body.refresh_token, meta.at):
        case rows.Refreshed() as who:
            return await _given(service, parts, who, meta.at)
        case rows.Reused() as who:
            await _end(service, who, "refresh_token_reused", meta)
            raise Refused("identity.session_over")


@router.post("/v1/sessions/end", status_code=204)
async def sign_out(body: RefreshToken, service: ServiceDep, meta: AnonymousMeta) -> None:
    """退出登录. A session that is over already stays over."""
    who = await rows.session_of(service, body.refresh_token)
    if who is not None:
        await _end(service, who, "signed_out", meta)


async def _end(service: Service, who: rows.Session, reason: str, meta: Meta) -> Receipt:
    command = EndSession(person=who.person, session=who.session, reason=reason)
    return await service.handle(command, _following(meta, "end"))


def _following(meta: Meta, *what: str) -> Meta:
    """What we do because of a request is a command of its own."""
    return Meta(
        command_id=command_id(*what, str(meta.command_id)),
        actor="identity",
        at=meta.at,
        correlation=meta.correlation,
        traceparent=meta.traceparent,
    )


@router.post("/v1/tokens/service")
async def service_token(
    body: ServiceSecret, service: ServiceDep, parts: PartsDep, address: AddressDep, now: NowDep
) -> ServiceTokenGiven:
    """A service's token, good for one other service."""
    attempts = Attempts(service)
    # by name and address: one mistaken service must not lock out the others of its machine
    tried = f"{body.service}@{address}"
    await attempts.spend_or_refuse("service_secret", tried, parts.scheme.limits.secrets_per_address, now)
    seconds = parts.scheme.sessions.service_seconds
    token = parts.tokens.for_service(body.service, body.secret, body.audience, now, seconds)
    await attempts.clear("service_secret", tried)
    return ServiceTokenGiven(access_token=token, expires_in=seconds)


@router.get("/.well-known/jwks.json")
async def published_keys(parts: PartsDep) -> Mapping[str, Any]:
    """The public keys; services verify tokens with them by themselves."""
    return parts.tokens.published
