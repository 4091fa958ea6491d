"""The consumer: other services' facts, each stream in order and each fact once, turned into commands of our own.

RabbitMQ brings envelopes quickly, the feed brings whatever it did not; both end in `take`, one transaction a batch.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import msgspec
import structlog
from opentelemetry.trace import SpanKind

from shared import events
from shared.kernel.errors import NotYet, Refused
from shared.kernel.messages import Command, Fact, Meta, Receipt, command_id
from shared.runtime.batch import Batch, Direct
from shared.runtime.ending import raise_if_cancelled
from shared.runtime.event_store import OUTAGE, Recorded, may_be_a_bug
from shared.runtime.feed import Envelope, Feed
from shared.runtime.inbox import Inbox, Key, Place, Settled
from shared.runtime.parking import EARLY, MISSING, NOT_YET, let_go, park, pass_over
from shared.runtime.points import reached
from shared.runtime.records import fact_of
from shared.runtime.rows import Connection
from shared.runtime.service import AGAIN, Reaction, Service
from shared.runtime.telemetry import current_traceparent, span_from

_PAGE = 500
_POLL_SECONDS = {True: 30.0, False: 1.0}
"""How often the feeds are read while messages flow, and while they do not."""

_RIVALS = 20
"""How often, in about a minute, one event gives way to others: no rival comes so often, a bug of ours does."""

_DOUBTS = 6
"""How often, in about two seconds, one event may fail as if something was away while the database answers."""

log = structlog.get_logger(__name__)

Asked = tuple[Envelope, Any, Meta]
"""A fact, a command that a reaction to it asks for, and under what it is carried out."""
CarryOut = Callable[[Command, Meta, bytes], Awaitable[Receipt]]


class Consumer:
    """One a replica. `feed` is how the sources' logs are read."""

    def __init__(self, service: Service, feed: Feed) -> None:
        self._service = service
        self._feed = feed
        self._sources = events.FOLLOWS.get(service.name, ())
        self._reactions: dict[str, list[Reaction]] = {}
        for reaction in service.definition.reactions:
            self._reactions.setdefault(reaction.event.name, []).append(reaction)
        self._of_interest = {_unversioned(name) for name in self._reactions}
        self._begun: set[str] = set()
        self._settled = {source: Settled() for source in self._sources}
        self._look = asyncio.Event()
        self.lag: dict[str, int] = {}
        self.behind_since: dict[str, datetime | None] = {}
        """When the oldest event was recorded that we had not handled when we last looked; None: we were level."""

    def suspect(self) -> None:
        """Something was lost or unreadable: read the feeds now."""
        self._look.set()

    async def begin(self, source: str) -> None:
        """Learn, once for ever, where the source stood when we first followed it. Needs its answer only that once."""
        if not await self._service.pool.fetchval("select exists (select from sources where source = $1)", source):
            await self._service.pool.execute(
                "insert into sources (source, deployed_at) values ($1, $2) on conflict do nothing",
                source,
                await self._feed.head(source),
            )
        self._begun.add(source)

    async def run(self, connected: Callable[[], bool]) -> None:
        """Follow the feeds: at the start, every 30 s (every second without the broker), and when something is
        suspected; and try the parked again. A source that does not answer keeps nobody from following the others, and
        neither does one that is faster than we are: each has a page at a time."""
        polled = dict.fromkeys(self._sources, -math.inf)
        while True:
            raise_if_cancelled()
            looking = self._look.is_set()
            self._look.clear()
            for source in self._sources:
                now = asyncio.get_running_loop().time()
                if looking or source not in self._begun or now >= polled[source] + _POLL_SECONDS[connected()]:
                    polled[source] = now
                    await self._outlast(self._look_at(source))
                if source in self._begun:
                    await self._outlast(self._move_position(source))
            await self._outlast(self.retry_not_yet())
            with suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._look.wait()

    async def _look_at(self, source: str) -> None:
        if source not in self._begun:
            await self.begin(source)
        if await self.catch_up(source, _PAGE) >= _PAGE:
            self.suspect()

    async def _outlast(self, step: Awaitable[object]) -> None:
        """A source or the database is away: said in the log, and tried again at the next turn."""
        try:
            await step
        except (Refused, asyncpg.PostgresError, *OUTAGE) as error:
            log.warning("consumer.outage", error=type(error).__name__)

    async def catch_up(self, source: str, enough: float = math.inf) -> int:
        """Handle what the source's log holds beyond our complete position; how many events were read, no less than
        `enough` if there are so many."""
        read = 0
        while read < enough:
            position = await self._move_position(source)
            self.lag[source] = max(0, await self._feed.head(source) - position)
            page = await self._feed.after(source, position, _PAGE)
            self.behind_since[source] = page[0].recorded_at if page else None
            if not page:
                return read
            await self._handle(page)
            self._settled[source].add(range(position + 1, page[-1].position + 1))
            read += len(page)
        return read

    async def _move_position(self, source: str) -> int:
        """Move the source's complete position over what was handled since without a hole; the new one."""
        position: int = await self._service.pool.fetchval("select position from sources where source = $1", source)
        reached = self._settled[source].joined_to(position)
        if reached > position:
            await self._service.pool.execute(
                "update sources set position = greatest(position, $2) where source = $1", source, reached
            )
        return reached

    async def take(self, envelopes: Sequence[Envelope]) -> None:
        """Handle what the bus brought. What cannot be handled now, since a hole's source or the database is away, is
        left to the feed: it is read on from our complete position, which nothing unhandled moves."""
        try:
            await self._handle(envelopes)
        except (Refused, asyncpg.PostgresError, *OUTAGE) as error:
            log.warning("consumer.left_to_the_feed", error=type(error).__name__)
            self.suspect()

    async def _handle(self, envelopes: Sequence[Envelope]) -> None:
        """Returns when all of it is committed: done, known already, parked, or its hole filled."""
        # until we know where a source stood at our deployment its messages are left to the feed
        followed = [envelope for envelope in envelopes if envelope.source in self._begun]
        for source, stream in await self._attempt(followed) if followed else ():
            await self._fill(source, stream)
        self._service.sequencer.wake()

    async def retry_not_yet(self) -> int:
        """Try the streams again whose reaction was too early, or that a person let go on; how many were due. A source
        that does not answer holds up its own alone."""
        tried = 0
        for source in self._sources:
            due = await self._service.pool.fetch(
                # one further off than any is set was set before the clock was set back
                "select stream from parked where source = $1 and (retry_at <= $2 or retry_at > $2::timestamptz + $3) "
                "order by retry_at limit 100",
                source,
                self._service.clock(),
                NOT_YET[1],
            )
            tried += len(due)
            await self._outlast(self._retry(source, [row["stream"] for row in due]))
        return tried

    async def _retry(self, source: str, streams: Iterable[str]) -> None:
        for stream in streams:
            await self._fill(source, stream, parked=True)

    async def _attempt(self, envelopes: Sequence[Envelope]) -> set[Key]:
        """All in one transaction; if that fails for anything but an outage, each alone. Returns the holes."""
        pause = 0.1
        while True:
            raise_if_cancelled()
            try:
                return await self._together(envelopes)
            except (Refused, NotYet, *AGAIN):
                return await self._one_by_one(envelopes)
            except OUTAGE as error:
                log.warning("consumer.outage", error=type(error).__name__)
                if await self._may_be_ours(error):
                    return await self._one_by_one(envelopes)
                await asyncio.sleep(pause)
                pause = min(pause * 2, 5.0)
            except Exception as error:  # noqa: BLE001 - one of them is poison: it is found and parked alone
                log.warning("consumer.batch_failed", error=type(error).__name__, size=len(envelopes))
                return await self._one_by_one(envelopes)

    async def _together(self, envelopes: Sequence[Envelope]) -> set[Key]:
        """Nothing is locked while it is decided what to do: the writing finds out if anything has changed."""
        async with self._service.pool.acquire() as connection:
            inbox = await Inbox.seen(connection, envelopes)
            ciphers = await self._ciphers(envelopes)
            waiting: list[Envelope] = []
            asked: list[Asked] = []
            for envelope in envelopes:
                if inbox.waits(envelope):
                    waiting.append(envelope)
                elif inbox.take(envelope) == "next":
                    asked += self._asked(inbox, envelope, ciphers)
            batch = Batch(self._service, connection, inbox.moves)
            await batch.foresee((command, meta) for _, command, meta in asked)
            try:
                await self._react_to_all(asked, batch)
            except Direct:
                await self._react_to_all(asked, batch.at_once())
        self._note(inbox)
        return inbox.holes | await self._one_by_one(waiting)

    async def _react_to_all(self, asked: Iterable[Asked], batch: Batch) -> None:
        async with batch.transaction():
            for each in asked:
                await self._react(batch.carry_out, *each)
            await batch.finish()

    async def _one_by_one(self, envelopes: Iterable[Envelope]) -> set[Key]:
        return {(envelope.source, envelope.stream) for envelope in envelopes if await self._alone(envelope) == "hole"}

    async def _fill(self, source: str, stream: str, *, parked: bool = False) -> None:
        """Read the stream's missing versions from its source and handle them, until one has to wait: also where the
        source itself has lost it, since what comes after it may need it.

        A parked stream stays so until all of it is handled: what comes meanwhile is passed over, and a crash half-way
        leaves the mark by which the rest is found again.
        """
        while True:
            handled = await self._service.pool.fetchval(
                "select version from inbox where source = $1 and stream = $2", source, stream
            )
            last = handled or 0
            page = await self._feed.of_stream(source, stream, last, _PAGE)
            for envelope in page:
                place = await self._alone(envelope, unpark=parked)
                if place == "hole":
                    detail = f"the source has no version {last + 1}, but {envelope.version}"
                    gone = msgspec.structs.replace(envelope, version=last + 1, type=f"{source}.{MISSING}")
                    await self._park(gone, MISSING, detail, latest=envelope.version)
                if place in ("hole", "parked"):
                    return
                last = envelope.version
            if not page:
                if parked:
                    async with self._service.pool.acquire() as connection, connection.transaction():
                        await let_go(connection, source, stream)
                return

    async def _alone(self, envelope: Envelope, *, unpark: bool = False) -> Place:
        """One event in its own transaction; what fails here parks its stream, and nothing else waits for it."""
        pause = 0.05
        rivals = doubts = 0
        while True:
            raise_if_cancelled()
            try:
                return await self._once(envelope, unpark=unpark)
            except NotYet as early:
                return await self._park(envelope, EARLY, str(early))
            except Exception as error:
                rivals += isinstance(error, AGAIN)
                doubts = doubts + 1 if await self._may_be_ours(error) else 0
                if isinstance(error, (*AGAIN, *OUTAGE)) and rivals < _RIVALS and doubts < _DOUBTS:
                    log.warning("consumer.again", error=type(error).__name__)
                    await asyncio.sleep(pause)
                    pause = min(pause * 2, 5.0)
                    continue
                log.exception("consumer.parked", source=envelope.source, stream=envelope.stream, type=envelope.type)
                return await self._park(envelope, type(error).__name__, _where(error))

    async def _may_be_ours(self, error: Exception) -> bool:
        """Whether what looks like an outage may be a bug of ours: it can be one, and the database answers."""
        if not may_be_a_bug(error):
            return False
        try:
            return bool(await self._service.pool.fetchval("select true"))
        except (asyncpg.PostgresError, *OUTAGE):
            return False

    async def _once(self, envelope: Envelope, *, unpark: bool) -> Place:
        async with self._service.pool.acquire() as connection, connection.transaction():
            inbox = await Inbox.open(connection, [envelope])
            place = inbox.take(envelope, unpark=unpark)
            asked = self._asked(inbox, envelope, await self._ciphers([envelope])) if place == "next" else []
            for _, command, meta in asked:
                try:
                    async with connection.transaction():
                        await self._react(partial(self._service.carry_out, connection), envelope, command, meta)
                except Refused as refused:
                    await self._refused(connection, envelope, refused)
                except Recorded:
                    log.warning("consumer.carried_out_before", stream=envelope.stream, version=envelope.version)
            await inbox.close()
            if asked:
                reached("effects.before")
        self._note(inbox)
        return place

    def _note(self, inbox: Inbox) -> None:
        """Its transaction is committed."""
        for source in self._sources:
            self._settled[source].add(position for of, position in inbox.settled if of == source)

    async def _ciphers(self, envelopes: Iterable[Envelope]) -> Any:
        """Of the persons in what somebody reacts to: nothing else is decoded, and a person erased holds up nothing."""
        return await self._service.keyring.ciphers(
            {e.person for e in envelopes if e.person and events.current(e.type) in self._reactions}
        )

    def _asked(self, inbox: Inbox, envelope: Envelope, ciphers: Any) -> list[Asked]:
        """The commands of all reactions to this fact; an event nobody reacts to is not even decoded.

        A later version of a fact we react to, from a source that runs newer code, waits until we run that code too.
        """
        name = events.current(envelope.type)
        if name not in events.EVENTS and _unversioned(name) in self._of_interest:
            raise NotYet(f"{name} is not known here")
        reactions = [
            reaction
            for reaction in self._reactions.get(name, ())
            if reaction.since == "beginning" or inbox.follows(envelope)
        ]
        if not reactions:
            return []
        fact: Fact[Any] = fact_of(envelope.source, envelope.record(), ciphers, envelope.position)
        commands = [command for reaction in reactions for command in reaction.react(fact)]
        return [(envelope, command, self._meta(envelope, number)) for number, command in enumerate(commands)]

    def _meta(self, envelope: Envelope, number: int) -> Meta:
        return Meta(
            command_id=command_id(self._service.name, str(envelope.event_id), str(number)),
            actor=self._service.name,
            at=self._service.clock(),
            case=envelope.case_id,
            person=envelope.person,
            causation=envelope.event_id,
            correlation=envelope.correlation,
        )

    async def _react(self, carry_out: CarryOut, envelope: Envelope, command: Any, meta: Meta) -> None:
        """Carry out one command of a reaction, in the trace that the fact was recorded in."""
        with span_from(envelope.traceparent, f"react {type(command).__name__}", kind=SpanKind.CONSUMER):
            meta = msgspec.structs.replace(meta, traceparent=current_traceparent())
            await carry_out(command, meta, self._service.digest(command))

    async def _refused(self, connection: Connection, envelope: Envelope, refused: Refused) -> None:
        """Our own rules said no to what the fact asked for: that is an outcome, kept with its code."""
        await connection.execute(
            "insert into reactions values ($1, $2, $3, $4, $5) on conflict do nothing",
            envelope.source,
            envelope.stream,
            envelope.version,
            refused.code,
            self._service.clock(),
        )

    async def _park(self, envelope: Envelope, reason: str, detail: str, latest: int = 0) -> Place:
        """Unless another replica has handled it since: what it failed at has passed."""
        async with self._service.pool.acquire() as connection, connection.transaction():
            inbox = await Inbox.open(connection, [envelope])
            place = inbox.take(envelope)
            if place != "duplicate":
                await park(connection, envelope, reason, detail, self._service.clock())
                await pass_over(connection, {(envelope.source, envelope.stream): latest})
                place = "parked"
        self._note(inbox)
        return place


def _unversioned(name: str) -> str:
    return name.rpartition(".v")[0]


def _where(error: BaseException) -> str:
    """Where a bug is, without what it was about: messages may hold what people typed."""
    frames = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        frames.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return " < ".join(reversed(frames[-4:]))
