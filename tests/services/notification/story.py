"""Pieces of a message's life, for tests. Person, number and case are made up."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notification.domain.message import Context
from services.notification.domain.scheme import PlatformNotification, Sending
from services.notification.domain.texts import Letter, written
from shared.events.notification import (
    AttemptFailed,
    MessageAccepted,
    MessageEvent,
    MessageRequested,
    OutcomeInDoubt,
    SendingAttempted,
)
from shared.schemes.catalog import Catalog

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PERSON = "person-synthetic-1"
CASE = "case-1"
MOBILE = "13900000001"
CATALOG = Catalog.load()
PLATFORM = CATALOG.get("platform").part("notification", PlatformNotification)
POLICY: Sending = PLATFORM.sending
MESSAGE_ID = "0b3c"
LETTER: Letter = written("identity.code_to_register", "platform", PLATFORM, POLICY, {"code": "123456"})


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def context(seconds: float = 0, **known: Any) -> Context:
    return replace(
        Context(now=at(seconds), message=MESSAGE_ID, policy=POLICY, person=PERSON, case=CASE, mobile=MOBILE), **known
    )


def requested(*, channels: tuple[str, ...] = ("sms", "inbox"), expires_after: float | None = None) -> MessageRequested:
    return MessageRequested(
        person=PERSON,
        case=CASE,
        moment="exemption.returned",
        scheme="swust/1x@1",
        channels=channels,
        title="申请被驳回",
        inbox_text="请修改",
        facts={"code": "123456"},
        mobile=MOBILE,
        templates=LETTER.templates if "sms" in channels else (),
        due_at=NOON,
        expires_at=None if expires_after is None else at(expires_after),
    )


def attempted(number: int = 1, provider: str = "aliyun", seconds: float = 0) -> SendingAttempted:
    ask_at = at(seconds) + POLICY.call_timeout + POLICY.doubt_wait(0)
    return SendingAttempted(
        attempt=number, provider=provider, out_id=f"{MESSAGE_ID}.{number}", tried_at=at(seconds), ask_at=ask_at
    )


def accepted(number: int = 1, provider: str = "aliyun", seconds: float = 1) -> MessageAccepted:
    return MessageAccepted(
        attempt=number,
        provider=provider,
        provider_id="biz-1",
        took_ms=120,
        ask_at=at(seconds) + POLICY.receipt_wait(0),
    )


def failed(number: int, provider: str, next_try: float, code: str = "isv.OUT_OF_SERVICE") -> AttemptFailed:
    return AttemptFailed(attempt=number, provider=provider, code=code, took_ms=50, next_try_at=at(next_try))


def in_doubt(asked: int = 0, absent: int = 0, reason: str = "timeout", seconds: float = 8) -> OutcomeInDoubt:
    return OutcomeInDoubt(
        attempt=1,
        provider="aliyun",
        reason=reason,
        asked=asked,
        absent=absent,
        ask_at=at(seconds) + POLICY.doubt_wait(asked),
    )


def tried_and_failed(times: int) -> list[MessageEvent]:
    """`times` failed attempts, the providers in turn, and then it waits until `at(1000 * times)`."""
    events: list[MessageEvent] = [requested()]
    for number in range(1, times + 1):
        provider = ("aliyun", "tencent")[(number - 1) % 2]
        events += [attempted(number, provider, 1000 * (number - 1)), failed(number, provider, 1000 * number)]
    return events
