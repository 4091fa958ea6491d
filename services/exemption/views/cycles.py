"""批次: cycles with the dates of their windows, and a timer for the end of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any

import asyncpg

from shared.events.exemption import (
    CycleClosed,
    CycleOpened,
    CycleWindowEnded,
    DaysExcluded,
    ReopeningSettled,
    WindowExtended,
    WindowReopened,
    WindowSet,
    WindowSettled,
)
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx
from shared.schemes.procedure import Phase, Window

WINDOW_OVER = "window_over"
"""The timer of a window's end; its key is the purpose."""
WINDOW_ENDED = "window_ended"
"""The timer of what a window's end leads to: some applications lapse or expire with it."""
WINDOW_REOPENED = "window_reopened"
"""The timer of what follows from an extension after the end: they are as they were before."""


async def _opened(tx: Tx, fact: Fact[CycleOpened]) -> None:
    event = fact.event
    await tx.insert(
        "cycles",
        id=fact.subject,
        scheme=event.scheme,
        organisation=event.organisation,
        title=event.title,
        opened_at=fact.meta.at,
        version=fact.version,
    )


async def _window_set(tx: Tx, fact: Fact[WindowSet]) -> None:
    event = fact.event
    await tx.insert(
        "cycle_windows",
        cycle=fact.subject,
        purpose=event.purpose,
        from_day=event.from_day,
        to_day=event.to_day,
        hours=json.dumps([[start.isoformat(), end.isoformat()] for start, end in event.daily]),
        excluded=list(event.excluded),
        close_inclusive=event.close_inclusive,
        ended=False,
        version=fact.version,
    )
    await _set_timer(tx, fact, event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _extended(tx: Tx, fact: Fact[WindowExtended]) -> None:
    which = {"cycle": fact.subject, "purpose": fact.event.purpose}
    await tx.change("cycle_windows", which, to_day=fact.event.to_day, ended=False, version=fact.version)
    await tx.unschedule(WINDOW_ENDED, fact.stream, fact.event.purpose)
    await _set_timer(tx, fact, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _days_excluded(tx: Tx, fact: Fact[DaysExcluded]) -> None:
    which = {"cycle": fact.subject, "purpose": fact.event.purpose}
    (window,) = await tx.find("cycle_windows", **which)
    excluded = sorted({*window["excluded"], *fact.event.days})
    await tx.change("cycle_windows", which, excluded=excluded, version=fact.version)
    await _set_timer(tx, fact, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _ended(tx: Tx, fact: Fact[CycleWindowEnded]) -> None:
    await tx.unschedule(WINDOW_OVER, fact.stream, fact.event.purpose)
    which = {"cycle": fact.subject, "purpose": fact.event.purpose}
    await tx.change("cycle_windows", which, ended=True, version=fact.version)
    if fact.event.settles:
        await tx.schedule(WINDOW_ENDED, fact.stream, fact.event.ended_at, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _settled(tx: Tx, fact: Fact[WindowSettled]) -> None:
    await tx.unschedule(WINDOW_ENDED, fact.stream, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _reopened(tx: Tx, fact: Fact[WindowReopened]) -> None:
    await tx.schedule(WINDOW_REOPENED, fact.stream, fact.event.reopened_at, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _reopening_settled(tx: Tx, fact: Fact[ReopeningSettled]) -> None:
    """That one: where it was opened again meanwhile, its timer stays."""
    timer = {"kind": WINDOW_REOPENED, "stream": fact.stream, "key": fact.event.purpose}
    await tx.remove("timers", **timer, due_at=fact.event.reopened_at)
    await _follow(tx, fact.subject, fact.version)


async def _closed(tx: Tx, fact: Fact[CycleClosed]) -> None:
    """What ends with it says so by itself; a window that keeps its days keeps its timer."""
    await tx.change("cycles", {"id": fact.subject}, closed=True)
    await _follow(tx, fact.subject, fact.version)


async def _set_timer(tx: Tx, fact: Fact[WindowSet | DaysExcluded | WindowExtended], purpose: str) -> None:
    """To the instant from which on the window, as it now stands, never holds again."""
    (row,) = await tx.find("cycle_windows", cycle=fact.subject, purpose=purpose)
    over = _window(row).over_at()
    assert over is not None  # the decider refuses a window that never opens
    await tx.schedule(WINDOW_OVER, fact.stream, over, purpose)


async def _follow(tx: Tx, cycle: str, version: int) -> None:
    await tx.change("cycles", {"id": cycle}, version=version)


CYCLES = View(
    "cycles",
    ("cycles", "cycle_windows"),
    {
        CycleOpened: _opened,
        WindowSet: _window_set,
        DaysExcluded: _days_excluded,
        WindowExtended: _extended,
        CycleClosed: _closed,
        CycleWindowEnded: _ended,
        WindowSettled: _settled,
        WindowReopened: _reopened,
        ReopeningSettled: _reopening_settled,
    },
)


@dataclass(frozen=True)
class CycleRow:
    """A cycle with its windows."""

    id: str
    scheme: str
    organisation: str
    title: str
    closed: bool
    opened_at: datetime
    version: int
    windows: Mapping[str, Window]
    ended: frozenset[str]  # the windows whose end was recorded

    def phase(self, purpose: str, now: datetime) -> Phase:
        """As of the cycle itself, in the domain."""
        return "closed" if self.closed and purpose in self.ended else self.windows[purpose].phase(now)


async def find_cycles(connection: Connection, scheme: str | None = None, cycle: str | None = None) -> list[CycleRow]:
    """All cycles, of one scheme or by id, the newest first."""
    rows = await connection.fetch(
        "select id, scheme, organisation, title, closed, opened_at, version from cycles "
        "where ($1::text is null or scheme = $1) and ($2::text is null or id = $2) order by opened_at desc, id",
        scheme,
        cycle,
    )
    windows = await _windows_of(connection, [row["id"] for row in rows])
    return [_cycle(row, windows[row["id"]]) for row in rows]


def _cycle(row: asyncpg.Record, windows: Sequence[asyncpg.Record]) -> CycleRow:
    return CycleRow(
        **row,
        windows={window["purpose"]: _window(window) for window in windows},
        ended=frozenset(window["purpose"] for window in windows if window["ended"]),
    )


async def _windows_of(connection: Connection, cycles: Sequence[str]) -> Mapping[str, Sequence[asyncpg.Record]]:
    """Cycle -> the rows of its windows."""
    windows: dict[str, list[asyncpg.Record]] = {cycle: [] for cycle in cycles}
    for row in await connection.fetch(
        "select cycle, purpose, from_day, to_day, hours, excluded, close_inclusive, ended from cycle_windows "
        "where cycle = any($1::text[]) order by purpose",
        list(cycles),
    ):
        windows[row["cycle"]].append(row)
    return windows


def _window(row: Mapping[str, Any] | asyncpg.Record) -> Window:
    daily = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in json.loads(row["hours"]))
    return Window(row["from_day"], row["to_day"], daily, tuple(row["excluded"]), row["close_inclusive"])
