"""Time: always aware, stored in UTC, spoken in Asia/Shanghai."""

from datetime import UTC, datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

SHANGHAI = ZoneInfo("Asia/Shanghai")


class Clock(Protocol):
    """The only source of now; tests pass their own."""

    def __call__(self) -> datetime: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


CLOCKS_APART = timedelta(minutes=1)
"""How far the clocks of our machines may be apart."""


def still_holds(until: datetime, lasts: timedelta, now: datetime) -> bool:
    """Whether what was given for as long as `lasts` holds now. Whoever seems to have it for longer got it by a clock
    that has been set back since, and would keep it for as long as that clock was wrong."""
    return now < until <= now + lasts + CLOCKS_APART


def microseconds(at: datetime) -> int:
    """Whole microseconds since 1970 UTC, exact (no float in between)."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def spoken(at: datetime) -> str:
    """2026-03-01 09:00:00, as people in China read a time."""
    return at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
