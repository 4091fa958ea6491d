"""A batch: several commands in one transaction, whose reading and writing is done for all of them at once.

Run by the consumer for its reactions to many facts. Commands are carried out in their order, each on the state that
those before it left; only the way to the database is shared: one query reads the streams they will load, one statement
moves the inbox and appends what they recorded, and then the read models follow, if there is any of those events. All of
it happens or nothing.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager, nullcontext
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any, NoReturn, cast

import asyncpg
import msgspec

from shared.kernel.decider import Decider
from shared.kernel.messages import Command, Fact, Meta, Receipt, stream_name
from shared.runtime.event_store import Conflict, Loaded, Projector, Recorded, Work
from shared.runtime.points import reached
from shared.runtime.records import COLUMNS, GENESIS, Record, event_of
from shared.runtime.rows import Connection, SqlTx, Tx
from shared.runtime.service import Service

_LOAD_ALL = (
    "select stream, version, type, person, body, hash from events where stream = any($1) order by stream, version"
)
_MOVE = "select move_inbox($1, $2, $3, $4)"
_NOTHING_MOVED: tuple[Sequence[Any], ...] = ((),) * 4
_WRITE_ALL = f"{_MOVE}, append_all({', '.join(f'${n}' for n in range(5, 13 + len(COLUMNS)))})"
"""The inbox first, as where one event alone is handled."""
_columns = attrgetter(*COLUMNS)

AnyDecider = Decider[Any, Any, Any, Any]


class Batch:
    """`foresee` the commands; in its `transaction` `carry_out` each in its order, and `finish`.

    `moves` is what `move_inbox` is told. `direct`: each command is written at once, since a handler speaks to the
    database itself. Where that was not foreseen, `carry_out` raises `Direct` before anything is written.
    """

    def __init__(
        self,
        service: Service,
        connection: Connection,
        moves: tuple[Sequence[Any], ...] = _NOTHING_MOVED,
        *,
        direct: bool = False,
    ) -> None:
        self.loaded: dict[str, Loaded] = {}
        self.heads: dict[str, int] = {}
        """The streams that are written to, with the version at which the database has them."""
        self.commands: list[tuple[Any, ...]] = []
        self.records: list[Record] = []
        self.facts: list[Fact[Any]] = []
        self.noted = _Noted(self.facts)
        self.closed = SqlTx(cast(Connection, _NoConnection()), service.keyring)
        self._service = service
        self._connection = connection
        self._moves = moves
        self._direct = direct

    def at_once(self) -> "Batch":
        """The same, to be begun again with each command written at once."""
        return Batch(self._service, self._connection, self._moves, direct=True)

    async def foresee(self, asked: Iterable[tuple[Command, Meta]]) -> None:
        """Read what the commands will load: try each until it misses a stream, read all that were missed, and again.

        That may be less than all, since nothing is decided yet; `carry_out` reads the rest by itself.
        """
        waiting = list(asked)
        while waiting:
            missing: dict[str, AnyDecider] = {}
            waiting = [(command, meta) for command, meta in waiting if await self._misses(command, meta, missing)]
            await self.read(missing)

    async def _misses(self, command: Command, meta: Meta, missing: dict[str, AnyDecider]) -> bool:
        """Whether there may be more to read once `missing` is read."""
        try:
            await self._handler(command)(_Foresight(self, self._service, meta, missing), command)
        except _Unread:
            return True
        except Direct:
            self._direct = True
        except Exception:  # noqa: BLE001, S110 - the end of the foresight, or a refusal that `carry_out` meets again
            pass
        return False

    async def read(self, streams: Mapping[str, AnyDecider]) -> None:
        if not streams:
            return
        rows = await self._connection.fetch(_LOAD_ALL, list(streams))
        ciphers = await self._service.keyring.ciphers({row["person"] for row in rows if row["person"]})
        self.loaded |= {name: Loaded(decider.initial, 0, GENESIS) for name, decider in streams.items()}
        for stream, history in groupby(rows, key=itemgetter("stream")):
            past = list(history)
            state = streams[stream].replay(
                event_of(name, version, kind, person, body, ciphers) for name, version, kind, person, body, _ in past
            )
            self.loaded[stream] = Loaded(state, len(past), past[-1]["hash"])

    async def carry_out(self, command: Command, meta: Meta, digest: bytes) -> Receipt:
        """As `Service.carry_out`, but that nothing is written before `finish`."""
        if self._direct:  # somebody asks the read models, so they have to follow at once
            return await self._service.carry_out(self._connection, command, meta, digest)
        work = _Later(self, self._service, meta, digest)
        await self._handler(command)(work, command)
        if work.receipt is None:
            raise TypeError(f"the handler of {type(command).__name__} executed nothing")
        return work.receipt

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[None]:
        """Around all that is carried out, where that is written at once; elsewhere `finish` is all that writes."""
        async with self._atomic(self._direct):
            if self._direct and self._moves[0]:
                with _told_apart():
                    await self._connection.execute(_MOVE, *self._moves)
            yield

    def _atomic(self, needed: bool) -> AbstractAsyncContextManager[object]:
        return self._connection.transaction() if needed and not self._connection.is_in_transaction() else nullcontext()

    async def finish(self) -> None:
        """Move the inbox, append, and the read models after it: a single command takes its locks in the same order.

        Raises `Conflict` or `Recorded`, without saying by whose fault.
        """
        if self._direct:  # all of it is written
            reached("effects.before")
            return
        projector = self._service.projector
        shown = {event for view in projector.views for event in view.on}
        shows = any(type(fact.event) in shown for fact in self.facts)
        async with self._atomic(shows):
            if self.commands and not shows:
                reached("effects.before")
            if self.commands or self._moves[0]:
                await self._write()
            await projector.project(SqlTx(self._connection, self._service.keyring), self.facts)
            if shows:
                reached("effects.before")

    async def _write(self) -> None:
        heads = [(name, known, self.loaded[name].version, self.loaded[name].hash) for name, known in self.heads.items()]
        with _told_apart():
            await self._connection.execute(
                _WRITE_ALL,
                *self._moves,
                *_turned(self.commands, 4),
                *_turned(heads, 4),
                *_turned([_columns(record) for record in self.records], len(COLUMNS)),
            )

    def _handler(self, command: Command) -> Any:
        return self._service.definition.handlers[type(command)]


@contextmanager
def _told_apart() -> Iterator[None]:
    """What `move_inbox` and `append_all` refuse, in words of ours."""
    try:
        yield
    except asyncpg.PostgresError as error:
        if error.sqlstate == "ZK002":
            raise Recorded from error
        if error.sqlstate == "ZK003":
            raise Conflict from error
        raise


def _turned(rows: Sequence[tuple[Any, ...]], width: int) -> list[Sequence[Any]]:
    """Rows as columns."""
    return list(zip(*rows, strict=True)) if rows else [()] * width


class Direct(Exception):
    """A handler speaks to the database itself, where nothing stands yet of what the batch did so far."""


class _Unread(Exception):
    """A handler loads what is not read yet."""


class _Foreseen(Exception):
    """A handler has come to its first decision."""


class _NoConnection:
    def __getattr__(self, name: str) -> NoReturn:
        raise Direct(name)


class _Noted(Projector):
    """The read models wait for `Batch.finish`."""

    def __init__(self, facts: list[Fact[Any]]) -> None:
        super().__init__(())
        self._facts = facts

    async def project(self, _: Tx, facts: Iterable[Fact[Any]]) -> None:
        self._facts.extend(facts)


class _Later(Work):
    """A command whose writing waits for `Batch.finish`."""

    def __init__(self, batch: Batch, service: Service, meta: Meta, digest: bytes) -> None:
        super().__init__(batch.closed, service.name, service.keyring, batch.noted, meta, digest, None)
        self._batch = batch
        self._loaded = batch.loaded

    async def _load(self, decider: AnyDecider, stream: str) -> Loaded:
        if stream not in self._loaded:
            await self._batch.read({stream: decider})
        return self._loaded[stream]

    async def _append(self, stream: str, version: int, records: Sequence[Record], meta: Meta, receipt: Receipt) -> None:
        text = msgspec.json.encode(receipt).decode()
        self._batch.commands.append((meta.command_id, self._digest, text, meta.at))
        if records:
            self._batch.heads.setdefault(stream, version)
            self._batch.records.extend(records)


class _Foresight(_Later):
    """A command that is tried until it knows no further: it decides and records nothing."""

    def __init__(self, batch: Batch, service: Service, meta: Meta, missing: dict[str, AnyDecider]) -> None:
        super().__init__(batch, service, meta, b"")
        self._missing = missing

    async def _load(self, decider: AnyDecider, stream: str) -> Loaded:
        if stream not in self._loaded:
            self._missing[stream] = decider
            raise _Unread(stream)
        return self._loaded[stream]

    async def execute(self, decider: AnyDecider, subject: str, *_: Any, **__: Any) -> Receipt:
        if (stream := stream_name(decider.kind, subject)) not in self._loaded:
            self._missing[stream] = decider
        raise _Foreseen
