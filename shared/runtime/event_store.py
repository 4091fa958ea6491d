"""The event store: load a stream, append to it, and the transaction in which both happen.

`Work` is what a handler gets; its `tx` is what projections use (`rows.py`). Law 3 of the house: one write path.
"""

import errno
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from uuid import uuid5

import asyncpg
import msgspec

from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Event, Fact, Meta, Receipt, stream_name
from shared.runtime.keyring import Keyring
from shared.runtime.records import GENESIS, SELECT, Record, event_of, fact_of, record_all
from shared.runtime.rows import BESIDE, Connection, SqlTx, Tx, Write

if TYPE_CHECKING:
    from shared.runtime.access import Caller

C = TypeVar("C", bound=Command)
S = TypeVar("S")
E = TypeVar("E", bound=Event)
X = TypeVar("X")

_COMMAND = "insert into commands values ($1, $2, $3, $4)"
_BEGIN = "insert into streams select $5, $6::integer + {count}, $7 from command"
_MOVE = "update streams set version = $6::integer + {count}, hash = $7 from command where stream = $5 and version = $6"
_ONE = "select $5, $6::integer + 1, $8, $9, $10::json, $11, $7, {shared} where {moved}"
_MANY = """
select $5, $6::integer + e.place::integer, e.type, e.event_id, e.body::json, e.previous, e.hash, {shared}
from unnest($8::text [], $9::uuid [], $10::text [], $11::bytea [], $18::bytea [])
    with ordinality as e (type, event_id, body, previous, hash, place)
where {moved} order by e.place
"""
_APPEND = """
with command as ({command} returning 1), head as ({head} returning true) {beside}
insert into events (
    stream, version, type, event_id, body, previous_hash, hash,
    command_id, recorded_at, case_id, person, actor, causation, correlation, traceparent
)
{events}
""".strip()
"""One append, one statement. Order matters: the command id first (its insert also gives the transaction its id), then
the compare-and-set, then the sequence numbers, so a loser burns none and no number is older than its owner."""


def _append_statement(begins: bool, one: bool) -> str:
    events = (_ONE if one else _MANY).format(
        shared="$1::uuid, $4::timestamptz, $12, $13, $14, $15::uuid, $16::uuid, $17",
        moved="coalesce((select * from head), refuse_move($5, $6))",
    )
    head = (_BEGIN if begins else _MOVE).format(count="1" if one else "cardinality($8::text [])")
    return _APPEND.format(command=_COMMAND, head=head, beside=BESIDE, events=events)


_APPENDS = {(begins, one): _append_statement(begins, one) for begins in (True, False) for one in (True, False)}
_STORE = ("commands", "streams", "events")
_LOAD = "select version, type, person, body, hash from events where stream = $1 order by version"
"""What a decision needs of the past. A case is loaded before each of its commands, so not a column more."""
_WHOLE = f"select {SELECT} from events where stream = $1 order by version"  # noqa: S608 - columns of ours


class Conflict(Exception):
    """Another transaction moved the stream first; the command is decided again on the new state."""


class Recorded(Exception):
    """This command id is in the store already."""


OUTAGE = (
    asyncpg.PostgresConnectionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.OperatorInterventionError,
    asyncpg.PostgresSystemError,
    asyncpg.InternalServerError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    TimeoutError,
)
"""The database is away, full or shutting down: the world's fault, tried again for ever by the background loops.
PostgreSQL calls it an internal error when a file cannot grow for a reason it has no code for, such as a full quota.
asyncpg is in an inner state that it did not expect when a connection breaks off between two statements."""

_DOUBTFUL = (OSError, asyncpg.InterfaceError)
_CERTAIN = (ConnectionError, TimeoutError, socket.gaierror)
_SCARCE = {
    *(errno.EHOSTUNREACH, errno.EHOSTDOWN, errno.ENETUNREACH, errno.ENETDOWN),
    *(errno.EMFILE, errno.ENFILE, errno.ENOSPC, errno.EDQUOT),
}
"""What the system says when there is no way to a server, or nothing left here to reach it with."""


def may_be_a_bug(error: BaseException) -> bool:
    """Whether, of `OUTAGE`, it is what a bug of ours raises as well: a file that is not there, a wrong argument of a
    query."""
    certain = isinstance(error, _CERTAIN) or (isinstance(error, OSError) and error.errno in _SCARCE)
    return isinstance(error, _DOUBTFUL) and not certain


Project = Callable[[Tx, Fact[Any]], Awaitable[None]]


@dataclass(frozen=True)
class View:
    """A read model: its tables, and how each event of this service changes them."""

    name: str
    tables: tuple[str, ...]
    on: Mapping[type[Event], Project]


KEPT_BY_THE_RUNTIME = ("claims", "timers")
"""Tables that projections fill through `Tx`; rebuilt and compared like read models."""


class Projector:
    """All read models of a service, by event type."""

    def __init__(self, views: Iterable[View]) -> None:
        self.views = tuple(views)
        self._by_type: dict[type[Event], list[Project]] = {}
        for view in self.views:
            for event, project in view.on.items():
                self._by_type.setdefault(event, []).append(project)

    @property
    def tables(self) -> tuple[str, ...]:
        return (*(table for view in self.views for table in view.tables), *KEPT_BY_THE_RUNTIME)

    async def project(self, tx: Tx, facts: Iterable[Fact[Any]]) -> None:
        for fact in facts:
            for project in self._by_type.get(type(fact.event), ()):
                await project(tx, fact)


@dataclass(frozen=True)
class Loaded:
    """A stream as it stands: its state, its version and the hash of its last event."""

    state: Any
    version: int
    hash: bytes


class Work:
    """One command being carried out: load, decide, append and project in one transaction."""

    def __init__(
        self,
        tx: SqlTx,
        source: str,
        keyring: Keyring,
        projector: Projector,
        meta: Meta,
        digest: bytes,
        caller: "Caller | None",
    ) -> None:
        self.tx = tx
        self.meta = meta
        self.caller = caller
        self.receipt: Receipt | None = None
        self._source = source
        self._keyring = keyring
        self._projector = projector
        self._digest = digest
        self._loaded: dict[str, Loaded] = {}
        self._executed = 0

    def new_id(self, label: str = "") -> str:
        """The same command always makes the same new thing, so a retried request makes it once."""
        return str(uuid5(self.meta.command_id, f"new/{label}"))

    async def must_not_be_erased(self, person: str) -> None:
        """Raises `Erased`: whoever waits for something to be learnt of an erased person would wait for ever."""
        await self._keyring.cipher(person)

    async def load(self, decider: Decider[C, S, E, X], subject: str) -> tuple[S, int]:
        """The state of a stream and its version; the initial state and 0 if there is none."""
        loaded = await self._load(decider, stream_name(decider.kind, subject))
        return loaded.state, loaded.version

    async def _load(self, decider: Decider[Any, Any, Any, Any], stream: str) -> Loaded:
        if stream not in self._loaded:
            rows = await self.tx.connection.fetch(_LOAD, stream)
            ciphers = await self._keyring.ciphers({person for _, _, person, _, _ in rows if person})
            # a list and no generator: to resume one costs as much as what `event_of` does besides decoding
            state = decider.replay(
                [event_of(stream, version, name, person, body, ciphers) for version, name, person, body, _ in rows]
            )
            self._loaded[stream] = Loaded(state, len(rows), rows[-1]["hash"] if rows else GENESIS)
        return self._loaded[stream]

    async def execute(
        self,
        decider: Decider[C, S, E, X],
        subject: str,
        command: C,
        context: X,
        *,
        case: str | None = None,
        person: str | None = None,
        expected: int | None = None,
    ) -> Receipt:
        """Decide and append. The first call of a handler is the command itself: its receipt is the caller's answer.

        Raises `Refused` (also `request.changed_meanwhile` when `expected` is not the stream's version).
        """
        stream = stream_name(decider.kind, subject)
        loaded = await self._load(decider, stream)
        if expected is not None and expected != loaded.version:
            raise Refused("request.changed_meanwhile", version=loaded.version)
        events = list(decider.decide(command, loaded.state, context))
        meta = msgspec.structs.replace(
            self.meta,
            command_id=uuid5(self.meta.command_id, str(self._executed)) if self._executed else self.meta.command_id,
            case=case,
            person=person,
        )
        receipt = Receipt(
            stream=stream, version=loaded.version + len(events), events=tuple(event.name for event in events)
        )
        self._executed += 1
        cipher = await self._keyring.cipher(person) if person else None
        records = record_all(events, stream, loaded.version, loaded.hash, meta, cipher)
        await self._append(stream, loaded.version, records, meta, receipt)
        state = loaded.state
        for event in events:
            state = decider.evolve(state, event)
        self._loaded[stream] = Loaded(state, receipt.version, records[-1].hash if records else loaded.hash)
        self.receipt = self.receipt or receipt
        await self._projector.project(
            self.tx,
            (
                Fact(source=self._source, stream=stream, version=r.version, event=e, id=r.event_id, meta=meta)
                for e, r in zip(events, records, strict=True)
            ),
        )
        return receipt

    async def _append(self, stream: str, version: int, records: Sequence[Record], meta: Meta, receipt: Receipt) -> None:
        command = (meta.command_id, self._digest, msgspec.json.encode(receipt).decode(), meta.at)
        if not records:
            await self.tx.write(Write(_COMMAND, command, ("commands",), adds=True))
            return
        own: tuple[Any, ...] = tuple(
            zip(*((r.type, r.event_id, r.body, r.previous_hash, r.hash) for r in records), strict=True)
        )
        if one := len(records) == 1:
            own = tuple(values[0] for values in own)
        shared = meta.case, meta.person, meta.actor, meta.causation, meta.correlation, meta.traceparent
        values = (*command, stream, version, records[-1].hash, *own[:4], *shared, *(() if one else own[4:]))
        with told_apart():
            await self.tx.write(Write(_APPENDS[version == 0, one], values, _STORE))


@contextmanager
def told_apart() -> Iterator[None]:
    """What the database says of an append, in words of ours."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        if error.table_name == "commands":
            raise Recorded from error
        if error.table_name in _STORE:
            raise Conflict from error
        raise
    except asyncpg.PostgresError as error:
        if error.sqlstate == "ZK003":
            raise Conflict from error
        raise


async def records_of(connection: Connection, stream: str) -> list[Record]:
    return [Record(*row) for row in await connection.fetch(_WHOLE, stream)]


async def decoded(source: str, records: Sequence[Record], keyring: Keyring) -> list[Fact[Any]]:
    """Decode and unseal; each person's key is asked for once."""
    ciphers = await keyring.ciphers({record.person for record in records if record.person})
    return [fact_of(source, record, ciphers) for record in records]


async def receipt_of(connection: Connection, command: Any, digest: bytes) -> Receipt | None:
    """The receipt of a command that is in the store; the same id with another content is refused."""
    row = await connection.fetchrow("select digest, receipt from commands where command_id = $1", command)
    if row is None:
        return None
    if row["digest"] != digest:
        raise Refused("request.key_reused")
    return msgspec.json.decode(row["receipt"], type=Receipt)
