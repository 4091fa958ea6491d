"""What the routes of identity share: the service's own parts, where a request came from, codes that are sent."""

import hmac
import secrets
from dataclasses import dataclass
from datetime import date, datetime
from typing import Annotated, Any, Self, cast

from fastapi import Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from services.identity.attempts import use_captcha
from services.identity.domain import account, staff
from services.identity.domain.account import ACCOUNT
from services.identity.domain.scheme import IdentityScheme
from services.identity.domain.staff import STAFF
from services.identity.passwords import Passwords
from services.identity.settings import IdentitySettings
from services.identity.tokens import Tokens
from shared.events.identity import SmsCodeMistyped
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact, Meta, Receipt, command_id
from shared.kernel.time import SHANGHAI
from shared.runtime.service import Service


class Body(BaseModel):
    """A request's body: nothing more than what is described."""

    model_config = ConfigDict(extra="forbid", frozen=True)


Typed = Annotated[str, Field(max_length=200)]
"""Something short that a person typed; its parser says what it may be."""
Secret = Annotated[str, Field(max_length=1000, repr=False)]


class Done(BaseModel):
    """What a command did; asked again, it answers the same."""

    stream: str
    version: int
    events: tuple[str, ...]

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        return cls(stream=receipt.stream, version=receipt.version, events=receipt.events)


@dataclass(frozen=True)
class Parts:
    """What identity has besides the service itself; made in `main.py`."""

    scheme: IdentityScheme
    settings: IdentitySettings
    passwords: Passwords
    tokens: Tokens


async def _parts(request: Request) -> Parts:
    return cast(Parts, request.app.state.identity)


PartsDep = Annotated[Parts, Depends(_parts)]


async def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


AddressDep = Annotated[str, Depends(_address)]
"""The client's address; counted by keyed hash, written nowhere."""


async def _now(request: Request) -> datetime:
    return cast(datetime, request.app.state.clock())


NowDep = Annotated[datetime, Depends(_now)]
"""For what is no command: tokens and pictures."""


def today(at: datetime) -> date:
    return at.astimezone(SHANGHAI).date()


class CaptchaAnswer(Body):
    captcha: Typed
    answer: Typed


async def sms_may_be_sent(
    service: Service, scheme: IdentityScheme, body: CaptchaAnswer, mobile: str, address: str, meta: Meta
) -> None:
    """SD-11, SD-12: a picture read rightly, then the limits. A retry of the same command is not counted again."""
    if not body.answer.strip():
        raise Refused("identity.captcha_missing")
    limits = scheme.limits
    spending = (
        ("sms_cool_down", mobile, limits.sms_cool_down),
        ("sms_per_address", address, limits.sms_per_address),
        ("sms_per_mobile", mobile, limits.sms_per_mobile),
    )
    await use_captcha(service, body.captcha, body.answer, meta.command_id, meta.at, spending)


def typed_code(typed: str) -> str:
    """SD-12: an SMS code as typed, spaces taken off."""
    code = "".join(typed.split())
    if not code:
        raise Refused("identity.sms_code_missing")
    return code


def new_sms_code(scheme: IdentityScheme) -> str:
    digits = scheme.sms_code.digits
    return f"{secrets.randbelow(10**digits):0{digits}}"


def new_person(label: str, meta: Meta) -> str:
    """An id that a retry of the same command makes again; its key is created before the first event."""
    return str(command_id(label, str(meta.command_id)))


async def what_was_done(service: Service, receipt: Receipt) -> Fact[Any]:
    """The last event of a command, unsealed."""
    async with service.reading() as connection:
        (fact,) = await service.facts(connection, [(receipt.stream, receipt.version)])
    return fact


async def code_must_have_been_right(service: Service, receipt: Receipt) -> None:
    """A wrong code was recorded, not refused; here it becomes the answer."""
    if SmsCodeMistyped.name in receipt.events:
        fact = await what_was_done(service, receipt)
        raise Refused("identity.sms_code_wrong", attempts_left=fact.event.attempts_left)


async def account_of(service: Service, person: str) -> account.Account:
    async with service.reading() as connection:
        facts = await service.history(connection, f"account-{person}")
    return ACCOUNT.replay(fact.event for fact in facts)


async def staff_of(service: Service, person: str) -> staff.Staff:
    async with service.reading() as connection:
        facts = await service.history(connection, f"staff-{person}")
    return STAFF.replay(fact.event for fact in facts)


def same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
