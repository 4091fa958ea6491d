"""Parked streams: other services' streams that wait, because one of their facts could not be handled.

`consumer.py` parks them, passes over what comes meanwhile, and lets them go once all of it is handled; `ops/parked.py`
asks for another try, or to go on without the fact. None of it is a read model: a rebuild leaves it alone.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from msgspec.structs import replace

from shared import events
from shared.kernel.decider import Decider
from shared.kernel.messages import Command, Receipt
from shared.kernel.parking import ResolveParked, Waiting
from shared.runtime.event_store import Work
from shared.runtime.feed import Envelope
from shared.runtime.rows import Connection

NOT_YET = (timedelta(seconds=1), timedelta(seconds=60))
"""First and longest pause before a reaction that was too early is tried again."""
EARLY = "not_yet"
POISON = "poison"
MISSING = "version_missing"
"""The source has a later version, but not this one: something was taken out of its store."""

_PARK = """
insert into parked as p
    (source, stream, version, latest, type, event_id, case_id, person, reason, detail, parked_at, retry_at)
values ($1, $2, $3, $3, $4, $5, $6, $7, $8, $9, $10, case when $11 then $10::timestamptz + $12::interval end)
on conflict (source, stream) do update set
    version = $3, latest = greatest(p.latest, $3), type = $4, event_id = $5, case_id = $6, person = $7,
    reason = $8, detail = $9,
    parked_at = case when p.version = $3 then p.parked_at else $10 end,
    attempts = case when p.version = $3 then p.attempts + 1 else 1 end,
    retry_at = case
        when $11 then $10 + least($13, $12 * case when p.version = $3 then power(2, least(p.attempts, 10)) else 1 end)
    end
"""


async def park(connection: Connection, envelope: Envelope, reason: str, detail: str, now: datetime) -> None:
    """Let the stream of `envelope` wait at it: tried again later if it is only `EARLY`, else until a person says so."""
    await connection.execute(
        _PARK,
        *(envelope.source, envelope.stream, envelope.version, events.current(envelope.type)),
        *(envelope.event_id, envelope.case_id, envelope.person, reason, detail),
        *(now, reason == EARLY, *NOT_YET),
    )


async def pass_over(connection: Connection, passed: Mapping[tuple[str, str], int]) -> None:
    """Remember the highest version of each parked (source, stream) that was left for later. Its inbox row is locked."""
    if passed:
        await connection.execute(
            "update parked as p set latest = k.version from unnest($1::text[], $2::text[], $3::int[]) "
            "as k (source, stream, version) where p.source = k.source and p.stream = k.stream and p.latest < k.version",
            [source for source, _ in passed],
            [stream for _, stream in passed],
            list(passed.values()),
        )


async def let_go(connection: Connection, source: str, stream: str) -> None:
    """End the wait of a stream that is handled, unless more of it was passed over after its source was last asked."""
    version = await connection.fetchval(
        "select version from inbox where source = $1 and stream = $2 for update", source, stream
    )
    await connection.execute(
        "delete from parked where source = $1 and stream = $2 and latest <= $3", source, stream, version
    )


async def try_again(connection: Connection, source: str, stream: str) -> bool:
    """Have the running consumer take the stream up at once, in order; whether it is parked.

    Due since it was parked: by the clock of the service, which may not be ours.
    """
    told = await connection.execute(
        "update parked set retry_at = parked_at where source = $1 and stream = $2", source, stream
    )
    return bool(told == "UPDATE 1")


async def parked_in(pool: asyncpg.Pool, service: str, now: datetime) -> dict[str, dict[str, dict[str, float]]]:
    """Of each followed source and each kind of wait: how many streams, and for how many seconds the first of them."""
    rows = await pool.fetch(
        "select source, case when retry_at is null then $1 else $2 end as kind, count(*) as streams, "
        "min(parked_at) as since from parked group by 1, 2",
        *(POISON, EARLY),
    )
    found: dict[str, dict[str, dict[str, float]]] = {
        source: {kind: {"streams": 0, "oldest_seconds": 0.0} for kind in (POISON, EARLY)}
        for source in events.FOLLOWS.get(service, ())
    }
    for row in rows:
        waits = max(0.0, (now - row["since"]).total_seconds())
        found[row["source"]][row["kind"]] = {"streams": row["streams"], "oldest_seconds": waits}
    return found


AnyDecider = Decider[ResolveParked, Any, Any, Waiting | None]


def resolving(decider: AnyDecider) -> Mapping[type[Command], Callable[[Work, Any], Awaitable[Receipt]]]:
    """The handler of `ResolveParked`, for the definition of a service that follows others."""

    async def resolve(work: Work, command: ResolveParked) -> Receipt:
        """Written down, and the inbox moved over this one fact, in one transaction. The stream stays marked as parked,
        and due, until the consumer has handled what was passed over meanwhile."""
        connection, key = await work.tx.open(), (command.source, command.stream)
        handled = await connection.fetchval(
            "select version from inbox where source = $1 and stream = $2 for update", *key
        )
        row = await connection.fetchrow(
            "select * from parked where source = $1 and stream = $2 and version > $3", *key, handled or 0
        )
        waiting, case, person = None, None, None
        if row is not None:
            waiting = Waiting(row["version"], row["type"], row["reason"], row["reason"] == EARLY, row["person"])
            case, person = row["case_id"], row["person"] if command.note is not None else None
            # of what the source has lost we know nothing: the row names the event after it
            work.meta = replace(work.meta, causation=None if row["reason"] == MISSING else row["event_id"])
        receipt = await work.execute(decider, "-".join(key), command, waiting, case=case, person=person)
        await connection.execute(
            "update inbox set version = $3 where source = $1 and stream = $2", *key, command.version
        )
        await try_again(connection, *key)
        return receipt

    return {ResolveParked: resolve}
