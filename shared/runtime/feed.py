"""The feed: a service's log, read in order of position. The truth behind the bus.

An `Envelope` is what travels, over HTTP and over RabbitMQ alike: as JSON.
"""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Protocol
from uuid import UUID

import asyncpg
import msgspec

from shared.runtime.records import SELECT, Record

SLOTS = 16
_HASHES = ("previous_hash", "hash")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """A positioned record of `source` on its way to a follower; `body` is the stored text byte for byte."""

    source: str
    position: int
    stream: str
    version: int
    type: str
    event_id: UUID
    command_id: UUID
    case_id: str | None = None
    person: str | None = None
    actor: str
    causation: UUID | None = None
    correlation: UUID | None = None
    traceparent: str | None = None
    recorded_at: datetime
    body: str

    @property
    def slot(self) -> int:
        """Versions of one stream share a slot, so they share a queue and keep their order."""
        return sha256(self.stream.encode()).digest()[0] % SLOTS

    @property
    def routing_key(self) -> str:
        event = self.type.removeprefix(f"{self.source}.").replace(".", "_")
        return f"{self.source}.{event}.{self.slot}"

    def record(self) -> Record:
        """Without the chain, which is the recorder's own business."""
        fields = {
            field: getattr(self, field) for field in self.__struct_fields__ if field not in ("source", "position")
        }
        return Record(**fields, previous_hash=b"", hash=b"")


class Feed(Protocol):
    """How a follower reads a source's log: over HTTP in production, in process in tests."""

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]: ...

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]: ...

    async def head(self, source: str) -> int: ...


_COLUMNS = ", ".join(f"e.{column}" for column in SELECT.split(", ") if column not in _HASHES)
_AFTER = (
    f"select l.position, {_COLUMNS} from log as l join events as e on e.seq = l.seq "  # noqa: S608 - columns of ours
    "where l.position > $1 order by l.position limit $2"
)
_GIVE = (
    f"select g.place as position, {_COLUMNS} from give_positions($1, $2) as g, lateral (select (g.event).*) as e "  # noqa: S608
    "order by g.place"
)
_OF_STREAM = (
    f"select l.position, {_COLUMNS} from events as e join log as l on e.seq = l.seq "  # noqa: S608
    "where e.stream = $1 and e.version > $2::bigint order by e.version limit $3"
)


def _envelope(source: str, row: asyncpg.Record) -> Envelope:
    return Envelope(source=source, **dict(row))


async def positioned(pool: asyncpg.Pool, source: str, position: int, most: int) -> list[Envelope]:
    return [_envelope(source, row) for row in await pool.fetch(_AFTER, position, most)]


async def give_positions(
    pool: asyncpg.Pool, source: str, epoch: int, most: int, *, returned: bool
) -> tuple[int, list[Envelope]]:
    """For the sequencer: how many got one and, if they are to be `returned`, which. ZK004: the epoch is over."""
    if not returned:
        return await pool.fetchval("select count(*) from give_positions($1, $2)", epoch, most), []
    envelopes = [_envelope(source, row) for row in await pool.fetch(_GIVE, epoch, most)]
    return len(envelopes), envelopes


async def of_stream(pool: asyncpg.Pool, source: str, stream: str, version: int, most: int) -> list[Envelope]:
    return [_envelope(source, row) for row in await pool.fetch(_OF_STREAM, stream, version, most)]


async def head(pool: asyncpg.Pool) -> int:
    """The highest position given so far, 0 for an empty log."""
    return int(await pool.fetchval("select coalesce(max(position), 0) from log"))
