"""批次: cycles with the dates of their windows, and a timer for the end of each."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time

from shared.events.exemption import (
    CycleClosed,
    CycleOpened,
    CycleWindowEnded,
    DaysExcluded,
    WindowExtended,
    WindowSet,
)
from shared.kernel.messages import Fact
from shared.runtime.event_store import Connection, Tx, View
from shared.schemes.procedure import Window

WINDOW_OVER = "window_over"
"""The timer of a window's end; its key is the purpose."""


async def _opened(tx: Tx, fact: Fact[CycleOpened]) -> None:
    event = fact.event
    await tx.connection.execute(
        "insert into cycles (id, scheme, organisation, title, opened_at, version) values ($1, $2, $3, $4, $5, $6)",
        fact.subject,
        event.scheme,
        event.organisation,
        event.title,
        fact.meta.at,
        fact.version,
    )


async def _window_set(tx: Tx, fact: Fact[WindowSet]) -> None:
    event = fact.event
    await tx.connection.execute(
        "insert into cycle_windows (cycle, purpose, from_day, to_day, hours, excluded, close_inclusive, version) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)",
        fact.subject,
        event.purpose,
        event.from_day,
        event.to_day,
        json.dumps([[start.isoformat(), end.isoformat()] for start, end in event.daily]),
        list(event.excluded),
        event.close_inclusive,
        fact.version,
    )
    await _set_timer(tx, fact, event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _extended(tx: Tx, fact: Fact[WindowExtended]) -> None:
    await tx.connection.execute(
        "update cycle_windows set to_day = $3, version = $4 where cycle = $1 and purpose = $2 and version < $4",
        fact.subject,
        fact.event.purpose,
        fact.event.to_day,
        fact.version,
    )
    await _set_timer(tx, fact, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _days_excluded(tx: Tx, fact: Fact[DaysExcluded]) -> None:
    await tx.connection.execute(
        "update cycle_windows set version = $4, "
        "excluded = array(select distinct day from unnest(excluded || $3::date[]) as day order by day) "
        "where cycle = $1 and purpose = $2 and version < $4",
        fact.subject,
        fact.event.purpose,
        list(fact.event.days),
        fact.version,
    )
    await _set_timer(tx, fact, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _ended(tx: Tx, fact: Fact[CycleWindowEnded]) -> None:
    await tx.unschedule(WINDOW_OVER, fact.stream, fact.event.purpose)
    await _follow(tx, fact.subject, fact.version)


async def _closed(tx: Tx, fact: Fact[CycleClosed]) -> None:
    await tx.connection.execute("update cycles set closed = true where id = $1", fact.subject)
    for purpose in (await _windows_of(tx.connection, [fact.subject]))[fact.subject]:
        await tx.unschedule(WINDOW_OVER, fact.stream, purpose)
    await _follow(tx, fact.subject, fact.version)


async def _set_timer(tx: Tx, fact: Fact[WindowSet | DaysExcluded | WindowExtended], purpose: str) -> None:
    """To the instant from which on the window, as it now stands, never holds again."""
    windows = (await _windows_of(tx.connection, [fact.subject]))[fact.subject]
    over = windows[purpose].over_at()
    assert over is not None  # the decider refuses a window that never opens
    await tx.schedule(WINDOW_OVER, fact.stream, over, purpose)


async def _follow(tx: Tx, cycle: str, version: int) -> None:
    await tx.connection.execute("update cycles set version = $2 where id = $1 and version < $2", cycle, version)


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


async def find_cycles(connection: Connection, scheme: str | None = None, cycle: str | None = None) -> list[CycleRow]:
    """All cycles, of one scheme or by id, the newest first."""
    rows = await connection.fetch(
        "select id, scheme, organisation, title, closed, opened_at, version from cycles "
        "where ($1::text is null or scheme = $1) and ($2::text is null or id = $2) order by opened_at desc, id",
        scheme,
        cycle,
    )
    windows = await _windows_of(connection, [row["id"] for row in rows])
    return [CycleRow(**row, windows=windows[row["id"]]) for row in rows]


async def _windows_of(connection: Connection, cycles: Sequence[str]) -> Mapping[str, Mapping[str, Window]]:
    """Cycle -> purpose -> its window."""
    windows: dict[str, dict[str, Window]] = {cycle: {} for cycle in cycles}
    for row in await connection.fetch(
        "select cycle, purpose, from_day, to_day, hours, excluded, close_inclusive from cycle_windows "
        "where cycle = any($1::text[]) order by purpose",
        list(cycles),
    ):
        daily = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in json.loads(row["hours"]))
        windows[row["cycle"]][row["purpose"]] = Window(
            row["from_day"], row["to_day"], daily, tuple(row["excluded"]), row["close_inclusive"]
        )
    return windows
