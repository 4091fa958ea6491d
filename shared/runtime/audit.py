"""The audit of a store: recompute every hash, follow every link, count every position. `ops/audit.py` calls it.

Reads as the role `auditor`, in one snapshot, row by row: it holds no list of events and asks for no key, so it works
for erased persons too. (What only a recomputation of a whole chain could hide is shown by the signed log, later.)
"""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Literal

import asyncpg

from shared.runtime.records import COLUMNS, GENESIS, Record, chained
from shared.runtime.rows import Connection

Kind = Literal[
    "content_changed",
    "link_broken",
    "event_missing",
    "event_repeated",
    "head_missing",
    "head_differs",
    "order_changed",
    "position_missing",
    "position_repeated",
    "position_without_event",
    "position_skipped",
]
_PAGE = 1000

_EVENTS = f"""
select {", ".join(f"e.{column}" for column in COLUMNS)},
    e.seq, l.position, g.seq is not null as in_gap, s.version as head_version, s.hash as head_hash
from events as e
left join log as l on l.seq = e.seq
left join gaps as g on g.seq = e.seq
left join streams as s on s.stream = e.stream
order by e.stream, e.version, e.seq
"""  # noqa: S608 - columns of ours
_HEADS_ALONE = """
select s.stream, s.version from streams as s
where not exists (select from events as e where e.stream = s.stream)
order by s.stream
"""
_SEEN_ALONE = "select seen from sequencer where seen > 0 and not exists (select from events where seq = seen)"
_LOG = """
select l.position, e.stream, e.version from log as l left join events as e on e.seq = l.seq
order by l.position
"""


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it was written. `stream` is empty where only a position is known."""

    kind: Kind
    service: str
    stream: str
    version: int | None
    sentence: str


@dataclass
class Audited:
    """What was looked at in one service; `waiting` of its events have no position yet, which is no finding."""

    service: str
    events: int = 0
    streams: int = 0
    positions: int = 0
    waiting: int = 0


async def stores_in(connection: Connection) -> list[str]:
    """The schemas of this database that hold an event store."""
    rows = await connection.fetch(
        "select n.nspname from pg_namespace as n join pg_class as c on c.relnamespace = n.oid "
        "where c.relkind = 'r' and c.relname in ('events', 'streams', 'log') "
        "group by n.nspname having count(*) = 3 order by n.nspname"
    )
    return [row["nspname"] for row in rows]


async def verify(connection: Connection, audited: Audited) -> AsyncIterator[Finding]:
    """Check the store of `audited.service` in one snapshot; counts what it looks at in `audited`."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute("select set_config('search_path', quote_ident($1), true)", audited.service)
        async for finding in _streams(connection, audited):
            yield finding
        async for row in connection.cursor(_HEADS_ALONE, prefetch=_PAGE):
            sentence = f"the head says version {row['version']}, but the stream has no event"
            yield Finding("event_missing", audited.service, row["stream"], row["version"], sentence)
        async for finding in _positions(connection, audited):
            yield finding


async def _streams(connection: Connection, audited: Audited) -> AsyncIterator[Finding]:
    # null if the sequencer's only row was removed: then every event without a position waits
    seen = await connection.fetchval("select seen from sequencer") or 0
    stream: _Stream | None = None
    async for row in connection.cursor(_EVENTS, prefetch=_PAGE):
        audited.events += 1
        audited.waiting += row["position"] is None
        if stream is None or row["stream"] != stream.name:
            if stream is not None:
                for finding in stream.end():
                    yield finding
            stream = _Stream(audited.service, row)
            audited.streams += 1
        for finding in stream.next(row, seen):
            yield finding
    if stream is not None:
        for finding in stream.end():
            yield finding


class _Stream:
    """Goes along one stream, event by event, and remembers only the last one."""

    def __init__(self, service: str, first: asyncpg.Record) -> None:
        self.name: str = first["stream"]
        self._service = service
        self._head = (first["head_version"], first["head_hash"])
        self._version = 0
        self._hash = GENESIS
        self._seq = 0
        self._position = 0
        self._without_position = 0

    def next(self, row: asyncpg.Record, seen: int) -> Iterator[Finding]:
        record = Record(*row[: len(COLUMNS)])
        yield from self._place_of(record, row["seq"])
        if not _hash_holds(record):
            yield self._finding("content_changed", record.version, f"{record.type} is not what its hash was made from")
        if record.version == self._version + 1 and record.previous_hash != self._hash:
            yield self._finding("link_broken", record.version, "its previous hash is not the hash of the event before")
        yield from self._position_of(row, seen)
        self._version, self._hash, self._seq = record.version, record.hash, row["seq"]

    def _place_of(self, record: Record, seq: int) -> Iterator[Finding]:
        if record.version == self._version:
            what = "the event has two positions" if seq == self._seq else "there are two events of this version"
            yield self._finding("event_repeated", record.version, what)
        elif record.version != self._version + 1:
            sentence = f"version {_span(self._version, record.version)} is missing before {record.version}"
            yield self._finding("event_missing", self._version + 1, sentence)
        if seq < self._seq:
            sentence = f"its sequence number {seq} is below that of the event before ({self._seq})"
            yield self._finding("order_changed", record.version, sentence)

    def _position_of(self, row: asyncpg.Record, seen: int) -> Iterator[Finding]:
        version, position = row["version"], row["position"]
        if position is None:
            self._without_position = version
            if row["seq"] <= seen and not row["in_gap"]:
                sentence = "it has no position, although the sequencer has been past it"
                yield self._finding("position_skipped", version, sentence)
            return
        if self._without_position:
            sentence = f"it has position {position}, but version {self._without_position} before it has none"
            yield self._finding("position_skipped", version, sentence)
        if position < self._position:
            sentence = f"its position {position} is below that of an event before it ({self._position})"
            yield self._finding("order_changed", version, sentence)
        self._position = position

    def end(self) -> Iterator[Finding]:
        version, head = self._head
        if version is None:
            yield self._finding("head_missing", self._version, "the stream has events, but no head")
        elif version > self._version:
            sentence = f"the head says version {version}, the last event has version {self._version}"
            yield self._finding("event_missing", self._version + 1, sentence)
        elif version < self._version:
            sentence = f"the head says version {version}, the last event has version {self._version}"
            yield self._finding("head_differs", self._version, sentence)
        elif head != self._hash:
            yield self._finding("head_differs", self._version, "the hash of the head is not that of the last event")

    def _finding(self, kind: Kind, version: int, sentence: str) -> Finding:
        return Finding(kind, self._service, self.name, version, sentence)


def _hash_holds(record: Record) -> bool:
    try:
        return chained(record) == record.hash
    except (OverflowError, TypeError, ValueError):  # a value that no event of ours can have, such as the time infinity
        return False


async def _positions(connection: Connection, audited: Audited) -> AsyncIterator[Finding]:
    """The log is 1, 2, 3..., each position has an event, and so has the number up to which positions were given."""
    last = 0
    async for row in connection.cursor(_LOG, prefetch=_PAGE):
        position, stream, version = row["position"], row["stream"], row["version"]
        audited.positions += 1
        if stream is None:
            sentence = f"position {position} has no event"
            yield Finding("position_without_event", audited.service, "", None, sentence)
        if position == last:
            yield Finding("position_repeated", audited.service, stream or "", version, f"position {position} is twice")
        elif position != last + 1:
            sentence = f"position {_span(last, position)} is missing before {position}"
            yield Finding("position_missing", audited.service, stream or "", version, sentence)
        last = position
    if (seen := await connection.fetchval(_SEEN_ALONE)) is not None:
        sentence = f"the sequencer has been at an event with the sequence number {seen}, which no event has"
        yield Finding("event_missing", audited.service, "", None, sentence)


def _span(before: int, after: int) -> str:
    """The numbers between two, in words."""
    return str(before + 1) if after == before + 2 else f"{before + 1} to {after - 1}"
