"""Counting attempts: how one counter moves under one limit of the book. Pure; `attempts.py` keeps the counters."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.identity.domain.scheme import Limit


@dataclass(frozen=True)
class Counter:
    """`spent` of the period that ends at `ends`; `pauses` in a row so far; in a pause until `ends` if `full`."""

    spent: int
    pauses: int
    full: bool
    ends: datetime


@dataclass(frozen=True)
class Allowed:
    """One more was allowed; `last` says that the next will have to wait until `ends`."""

    last: bool
    ends: datetime


@dataclass(frozen=True)
class Wait:
    until: datetime


def spend(counter: Counter | None, limit: Limit, now: datetime) -> tuple[Counter, Allowed | Wait]:
    """Spend one. Counted before the attempt is tried, so a hundred at once are a hundred."""
    if counter is not None:  # a clock that was set back makes nobody wait longer than if they had begun now
        counter = replace(counter, ends=min(counter.ends, now + _longest(counter, limit)))
    if counter is not None and now < counter.ends:
        if counter.full:
            return counter, Wait(counter.ends)
        spent, pauses, ends = counter.spent + 1, counter.pauses, counter.ends
    else:
        forgotten = counter is None or now - counter.ends >= timedelta(seconds=limit.longest_seconds)
        spent = 1
        pauses = 0 if counter is None or forgotten else counter.pauses
        ends = now + timedelta(seconds=limit.per_seconds)
    if spent < limit.most:
        return Counter(spent, pauses, False, ends), Allowed(False, ends)
    until = ends if limit.pause_seconds is None else now + _pause(limit.pause_seconds, limit, pauses)
    return Counter(spent, pauses + 1, True, until), Allowed(True, until)


def refunded(counter: Counter) -> Counter:
    """Take one back, for an attempt that turned out right."""
    return Counter(max(counter.spent - 1, 0), max(counter.pauses - counter.full, 0), False, counter.ends)


def _longest(counter: Counter, limit: Limit) -> timedelta:
    """From its first attempt, or from where its pause began."""
    period = timedelta(seconds=limit.per_seconds)
    if limit.pause_seconds is None:
        return period
    return max(period, _pause(limit.pause_seconds, limit, counter.pauses - counter.full))


def _pause(seconds: int, limit: Limit, pauses: int) -> timedelta:
    grown = seconds * limit.growth ** min(pauses, 32)
    return timedelta(seconds=min(grown, max(limit.longest_seconds, seconds)))
