"""The sequencer: gives committed events their dense positions and publishes them, one leader per service.

Every replica runs one; the lease row decides who leads, and the epoch makes a frozen leader harmless when it thaws.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import asyncpg
import structlog
from opentelemetry.trace import SpanKind

from shared.runtime.bus import Publisher, Unroutable
from shared.runtime.ending import end, raise_if_cancelled
from shared.runtime.event_store import OUTAGE
from shared.runtime.feed import Envelope, give_positions, positioned
from shared.runtime.telemetry import span_from

LEASE = timedelta(seconds=3)
_BATCH = 500
_IDLE = (0.005, 0.25)
"""Polling starts again at once after work and slows down while there is none; a commit here wakes it."""

_NO_BROKER = "broker"

log = structlog.get_logger(__name__)


class Sequencer:
    """`publisher` is None for a service that nobody follows: its log is read by the feed only."""

    def __init__(self, pool: asyncpg.Pool, source: str, publisher: Publisher | None) -> None:
        self._pool = pool
        self._source = source
        self._publisher = publisher
        self._id = uuid4()
        self._wake = asyncio.Event()
        self._handed = asyncio.Event()
        self._given: list[Envelope] = []
        """Positions were given to these, and they are not published unless from the log."""
        self._published = 0
        self._caught_up = False
        """Whether everything up to `_published` is, and everything after it will be in `_given`."""
        self._tasks: list[asyncio.Task[None]] = []
        self.epoch: int | None = None
        self.stopped_by: str | None = None

    @property
    def leading(self) -> bool:
        return self.epoch is not None

    def start(self) -> None:
        self._tasks = [asyncio.create_task(self._forever(self._sequence), name="sequencer")]
        if self._publisher is not None:
            self._tasks.append(asyncio.create_task(self._forever(self._publish), name="publisher"))

    async def stop(self) -> None:
        await end(self._tasks)
        if self._publisher is not None:
            await self._publisher.close()
        await self._give_back()

    async def _give_back(self) -> None:
        """We end: another need not wait for our lease."""
        try:
            await self._pool.execute(
                "update sequencer set lease_until = '-infinity' where leader = $1 and epoch = $2", self._id, self.epoch
            )
        except (asyncpg.PostgresError, *OUTAGE) as error:
            log.warning("sequencer.lease_not_given_back", error=type(error).__name__)

    def wake(self) -> None:
        self._wake.set()

    async def lead(self) -> bool:
        """Take or renew the lease."""
        self.epoch = await self._pool.fetchval("select take_lead($1, $2)", self._id, LEASE)
        return self.leading

    async def give(self) -> int:
        """Give positions to what is committed; 0 if there was nothing or we no longer lead."""
        if self.epoch is None:
            return 0
        # a publisher that is behind reads the log, and we need not keep what it has to publish
        handing = self._publisher is not None and len(self._given) < _BATCH
        try:
            count, given = await give_positions(self._pool, self._source, self.epoch, _BATCH, returned=handing)
        except asyncpg.PostgresError as error:
            if error.sqlstate != "ZK004":
                raise
            self.epoch = None
            return 0
        self._given += given
        self._caught_up &= handing
        self._handed.set()
        return count

    async def _forever(self, step: Callable[[], Awaitable[float]]) -> None:
        """Run `step` for ever; it says how long to wait. An outage is logged once a turn and tried again, and so is a
        bug: without this loop nothing of this service reaches anybody."""
        while True:
            raise_if_cancelled()
            try:
                pause = await step()
            except Exception as error:
                bug = None if isinstance(error, OUTAGE) else error
                log.warning("sequencer.failed", error=type(error).__name__, exc_info=bug)
                self.epoch = None
                pause = 0.5
            await asyncio.sleep(pause)

    async def _sequence(self) -> float:
        if not await self.lead():
            return LEASE.total_seconds() / 3
        pause, woken = _IDLE[0], False
        renew = asyncio.get_running_loop().time() + LEASE.total_seconds() / 3
        while self.leading and asyncio.get_running_loop().time() < renew:
            self._wake.clear()
            if (woken or await self._anything_new()) and await self.give():
                pause = _IDLE[0]
            woken = await _happened(self._wake, pause)
            if not woken:
                pause = min(pause * 2, _IDLE[1])
        return 0.0

    async def _anything_new(self) -> bool:
        """A read without a lock or a transaction id, so that idling costs nothing.

        The highest number, because asked whether a higher one exists PostgreSQL expects a third of all events to be
        higher, thus to meet one soon, and goes through the whole table.
        """
        found: bool = await self._pool.fetchval(
            "select exists (select from gaps) or "
            "(select coalesce(max(e.seq), 0) from events as e) > (select s.seen from sequencer as s)"
        )
        return found

    async def _publish(self) -> float:
        """Publish what has a position and is not published; the mark moves over the confirmed prefix only."""
        if not self.leading or self._publisher is None:
            self._caught_up = False
            return 0.1
        try:
            await self._publisher.open()  # before there is anything, so that the first fact need not wait for it
        except ConnectionError as error:
            return self._no_broker(error)
        self.stopped_by = None if self.stopped_by == _NO_BROKER else self.stopped_by
        batch = await self._unpublished()
        if not batch:
            return 0.0
        try:
            with span_from(None, "publish", links=[e.traceparent for e in batch], kind=SpanKind.PRODUCER):
                confirmed = await self._publisher.publish(batch)
            self.stopped_by = None
        except Unroutable as unroutable:
            self.stopped_by = f"unroutable: {unroutable}"
            log.error("publisher.unroutable", routing_key=str(unroutable))
            confirmed = unroutable.confirmed
        except ConnectionError as error:
            return self._no_broker(error)
        await self._mark(batch[:confirmed])
        self._caught_up &= confirmed == len(batch)
        return 0.0 if confirmed == len(batch) else 1.0

    def _no_broker(self, error: ConnectionError) -> float:
        self.stopped_by, self._caught_up = _NO_BROKER, False
        log.warning("publisher.no_broker", error=type(error).__name__)
        return 1.0

    async def _unpublished(self) -> Sequence[Envelope]:
        """What we gave positions to, as long as it joins what is published: then nothing has to be read again.
        Otherwise, and twice a second, what the log has."""
        if self._caught_up and not self._given:
            await _happened(self._handed, 0.5)
        self._handed.clear()
        given, self._given = [e for e in self._given if e.position > self._published], []
        # up to the last: while we waited for the broker another may have led and given positions in between
        if self._caught_up and given and given[-1].position == self._published + len(given):
            return given
        self._published = await self._pool.fetchval("select published from sequencer")
        batch = await positioned(self._pool, self._source, self._published, _BATCH)
        self._caught_up = len(batch) < _BATCH
        return batch

    async def _mark(self, confirmed: Sequence[Envelope]) -> None:
        if confirmed:
            await self._pool.execute(
                "update sequencer set published = greatest(published, $2) where epoch = $1",
                self.epoch,
                confirmed[-1].position,
            )
            self._published = confirmed[-1].position


async def _happened(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            return await event.wait()
    return False
