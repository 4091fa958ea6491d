"""批次: cycles with the dates of their windows."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time

from shared.events.exemption import CycleClosed, CycleOpened, WindowExtended, WindowSet
from shared.kernel.messages import Fact
from shared.runtime.event_store import Connection, Tx, View
from shared.schemes.procedure import Window


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
    await _follow(tx, fact.subject, fact.version)


async def _extended(tx: Tx, fact: Fact[WindowExtended]) -> None:
    await tx.connection.execute(
        "update cycle_windows set to_day = $3, version = $4 where cycle = $1 and purpose = $2 and version < $4",
        fact.subject,
        fact.event.purpose,
        fact.event.to_day,
        fact.version,
    )
    await _follow(tx, fact.subject, fact.version)


async def _closed(tx: Tx, fact: Fact[CycleClosed]) -> None:
    await tx.connection.execute("update cycles set closed = true where id = $1", fact.subject)
    await _follow(tx, fact.subject, fact.version)


async def _follow(tx: Tx, cycle: str, version: int) -> None:
    await tx.connection.execute("update cycles set version = $2 where id = $1 and version < $2", cycle, version)


CYCLES = View(
    "cycles",
    ("cycles", "cycle_windows"),
    {CycleOpened: _opened, WindowSet: _window_set, WindowExtended: _extended, CycleClosed: _closed},
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
    windows: dict[str, dict[str, Window]] = {row["id"]: {} for row in rows}
    for row in await connection.fetch(
        "select cycle, purpose, from_day, to_day, hours, excluded, close_inclusive from cycle_windows "
        "where cycle = any($1::text[]) order by purpose",
        list(windows),
    ):
        daily = tuple((time.fromisoformat(start), time.fromisoformat(end)) for start, end in json.loads(row["hours"]))
        windows[row["cycle"]][row["purpose"]] = Window(
            row["from_day"], row["to_day"], daily, tuple(row["excluded"]), row["close_inclusive"]
        )
    return [CycleRow(**row, windows=windows[row["id"]]) for row in rows]
