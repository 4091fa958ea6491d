"""A service at work: its one write path, its reading side, and its background loops.

`ServiceDefinition` is what each `services/<name>/main.py` composes; `app.py` puts `Service` behind HTTP.
"""

import asyncio
import hmac
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar

import asyncpg
import msgspec
from fastapi import APIRouter

from shared import events
from shared.kernel.errors import Refusal, Refused
from shared.kernel.messages import Command, Event, Fact, Meta, Receipt
from shared.kernel.time import Clock
from shared.runtime import feed as log_feed
from shared.runtime.blobs import Blobs
from shared.runtime.bus import Publisher
from shared.runtime.event_store import (
    Conflict,
    Projector,
    Recorded,
    View,
    Work,
    decoded,
    receipt_of,
    records_of,
    told_apart,
)
from shared.runtime.keyring import Keyring
from shared.runtime.late import late
from shared.runtime.points import reached
from shared.runtime.records import SELECT, Record
from shared.runtime.rows import Connection, SqlTx
from shared.runtime.sequencer import Sequencer
from shared.runtime.settings import Settings
from shared.runtime.telemetry import Metrics

if TYPE_CHECKING:
    from shared.runtime.access import Caller
    from shared.runtime.peers import Peers

C = TypeVar("C", bound=Command)
Handler = Callable[[Work, Any], Awaitable[Receipt]]
_ATTEMPTS = 8

AGAIN = (
    Conflict,
    Recorded,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
    asyncpg.LockNotAvailableError,
)
"""What another transaction did to us: the whole command is tried again on the new state."""


@dataclass(frozen=True)
class Reaction:
    """Another service's fact -> own commands. `deployment`: history from before we followed is not acted on."""

    event: type[Event]
    react: Callable[[Fact[Any]], Sequence[Command]]
    since: Literal["beginning", "deployment"]


@dataclass(frozen=True)
class Timer:
    """Something due: leased while its handler runs, and kept until an event of its stream unschedules or moves it."""

    kind: str
    stream: str
    key: str
    due_at: datetime


class TimerHandler(Protocol):
    def __call__(self, service: "Service", timer: Timer) -> Awaitable[None]: ...


BlobsKept = Callable[[Connection, Sequence[str]], Awaitable[set[str]]]
"""Which of these blobs an event refers to; None in a definition: the service stores no blobs."""


@dataclass(frozen=True)
class ServiceDefinition:
    """Everything that makes a service this service."""

    name: str
    handlers: Mapping[type[Command], Handler]
    views: tuple[View, ...]
    router: APIRouter
    refusals: Mapping[str, Refusal]
    schema: Path
    reactions: tuple[Reaction, ...] = ()
    timers: Mapping[str, TimerHandler] = field(default_factory=dict)
    blobs_kept: BlobsKept | None = None


class Service:
    """The part between the edges (HTTP, bus, timers) and the store. `app.equip` hands it the last three."""

    settings: Settings
    peers: "Peers"
    blobs: Blobs

    def __init__(
        self,
        definition: ServiceDefinition,
        pool: asyncpg.Pool,
        kek: bytes,
        clock: Clock,
        amqp_url: str | None,
        keys: asyncpg.Pool | None = None,
    ) -> None:
        """`keys` reaches the keyring: connections of its own, since keys are asked for while one of `pool` is held."""
        self.definition = definition
        self.name = definition.name
        self.pool = pool
        self.clock = clock
        self.metrics = Metrics()
        self.keyring = Keyring(keys or pool, kek)
        self._digest_key = self.keyring.hashed("request", "")
        self.projector = Projector(definition.views)
        publisher = Publisher(amqp_url, self.name) if amqp_url and events.followers(self.name) else None
        self.sequencer = Sequencer(pool, self.name, publisher)

    async def handle(
        self, command: Command, meta: Meta, *, caller: "Caller | None" = None, request: object | None = None
    ) -> Receipt:
        """Carry out one command once, whoever asks: API, reaction or timer.

        `request` is what the caller sent when the command holds more than that (a salted hash, a generated code):
        the same id with another request is refused with `request.key_reused`. Raises `Refused`.
        """
        digest = self.digest(command if request is None else request)
        kind = type(command).__name__
        try:
            with self.metrics.append_seconds.time():
                receipt = await self._handled(command, meta, digest, caller)
        except Refused as refused:
            self.metrics.commands.labels(type=kind, outcome=refused.code).inc()
            raise
        self.metrics.commands.labels(type=kind, outcome="done").inc()
        self.sequencer.wake()
        return receipt

    async def _handled(self, command: Command, meta: Meta, digest: bytes, caller: "Caller | None") -> Receipt:
        """Decided again when a rival was faster, since the state it was decided on is gone.

        Whether the command was carried out before is asked only when it fails: then its receipt is the answer,
        whatever the state would say to it now. The store refuses to record it twice anyway.
        """
        for attempt in range(1, _ATTEMPTS + 1):
            async with self.pool.acquire() as connection:
                try:
                    with told_apart():
                        async with late(connection, self.keyring) as tx:
                            receipt = await self._carried_out(tx, command, meta, digest, caller)
                    reached("commit.after")
                    return receipt
                except (Refused, *AGAIN) as failed:
                    if (earlier := await receipt_of(connection, meta.command_id, digest)) is not None:
                        return earlier
                    if isinstance(failed, Refused):
                        raise
            await asyncio.sleep(random.uniform(0, 0.01 * attempt))  # noqa: S311 - spreads rivals, hides nothing
        raise Refused("service.unavailable")

    async def carry_out(
        self, connection: Connection, command: Command, meta: Meta, digest: bytes, caller: "Caller | None" = None
    ) -> Receipt:
        """The command's handler in a transaction that is open already (the consumer's batch has one)."""
        return await self._carried_out(SqlTx(connection, self.keyring), command, meta, digest, caller)

    async def _carried_out(
        self, tx: SqlTx, command: Command, meta: Meta, digest: bytes, caller: "Caller | None"
    ) -> Receipt:
        work = Work(tx, self.name, self.keyring, self.projector, meta, digest, caller)
        await self.definition.handlers[type(command)](work, command)
        if work.receipt is None:
            raise TypeError(f"the handler of {type(command).__name__} executed nothing")
        return work.receipt

    def digest(self, request: object) -> bytes:
        """Keyed, so that what people typed cannot be guessed from it."""
        text = type(request).__name__.encode() + b"\x1f" + msgspec.json.encode(request, enc_hook=_encodable)
        return hmac.digest(self._digest_key, text, "sha256")

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self.pool.acquire() as connection:
            yield connection

    async def facts(self, connection: Connection, refs: Sequence[tuple[str, int]]) -> list[Fact[Any]]:
        """Decoded, unsealed events by (stream, version), in the order asked; a missing one is a fault."""
        rows = await connection.fetch(
            f"select {SELECT} from events as e join unnest($1::text[], $2::int[]) with ordinality as r (s, v, n) "  # noqa: S608
            "on e.stream = r.s and e.version = r.v order by r.n",
            [stream for stream, _ in refs],
            [version for _, version in refs],
        )
        if len(rows) != len(refs):
            raise LookupError(f"{len(refs) - len(rows)} of {len(refs)} events are missing")
        return await decoded(self.name, [Record(*row) for row in rows], self.keyring)

    async def history(self, connection: Connection, stream: str) -> list[Fact[Any]]:
        return await decoded(self.name, await records_of(connection, stream), self.keyring)

    async def feed(self, after: int, limit: int) -> list[log_feed.Envelope]:
        return await log_feed.positioned(self.pool, self.name, after, limit)

    async def feed_of(self, stream: str, after_version: int, limit: int) -> list[log_feed.Envelope]:
        return await log_feed.of_stream(self.pool, self.name, stream, after_version, limit)

    async def feed_head(self) -> int:
        return await log_feed.head(self.pool)


def _encodable(value: object) -> object:
    """pydantic models of the API edge."""
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")
