"""A node: one replica of a service with everything that runs in the background. Called by `app.py` and by tests."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

import asyncpg
import structlog

from shared import events
from shared.kernel.time import Clock
from shared.runtime.bus import Subscriber
from shared.runtime.consumer import Consumer
from shared.runtime.ending import end
from shared.runtime.feed import Feed
from shared.runtime.parking import parked_in
from shared.runtime.service import Service, ServiceDefinition
from shared.runtime.shares import Shares
from shared.runtime.sweeper import Sweeper
from shared.runtime.timers import Timers

KEYS_SIZE = 4
"""Connections to the keyring. Never those of the store: whoever waits for a key holds one of them."""
STATEMENTS = 256
"""Kept prepared by each connection: more than a service has, with those that `late.py` puts together."""
WAIT_SECONDS = 5.0
"""For a connection to become free; whoever asked for it is refused then, or tries again."""

log = structlog.get_logger(__name__)


class _Pool(asyncpg.Pool):
    """Waits a bounded time for a connection, so that requests that are too many are refused and do not pile up."""

    def acquire(self, *, timeout: float | None = None) -> Any:
        # what is free is had at once, and a bound costs a task
        return super().acquire(timeout=timeout if self.get_idle_size() else timeout or WAIT_SECONDS)


@asynccontextmanager
async def open_pool(url: str, service: str, size: int = 16) -> AsyncIterator[asyncpg.Pool]:
    """Connections that look in the service's own schema first."""
    async with _Pool(
        url,
        min_size=1,
        max_size=size,
        max_queries=50_000,
        max_inactive_connection_lifetime=300.0,
        loop=None,
        connection_class=asyncpg.Connection,
        record_class=asyncpg.Record,
        command_timeout=60,
        statement_cache_size=STATEMENTS,
        reset=_nothing_to_reset,
        server_settings={"search_path": service, "application_name": f"zikao-{service}"},
    ) as pool:
        yield pool


async def _nothing_to_reset(connection: asyncpg.Connection) -> None:
    """Our statements change no session: locks and settings end with their transaction. That spares a round trip."""


class Node:
    """`amqp_url` None: this replica lives by the feed alone. `feed` None: it follows nobody."""

    def __init__(
        self,
        definition: ServiceDefinition,
        pool: asyncpg.Pool,
        kek: bytes,
        clock: Clock,
        *,
        amqp_url: str | None = None,
        feed: Feed | None = None,
        keys: asyncpg.Pool | None = None,
    ) -> None:
        self.service = Service(definition, pool, kek, clock, amqp_url, keys)
        self._spare = keys or pool
        self.consumer = Consumer(self.service, feed) if feed and definition.name in events.FOLLOWS else None
        self.shares = Shares(keys or pool)  # a busy store costs nobody its share
        self.subscriber = (
            Subscriber(amqp_url, definition.name, self.consumer.take, self.consumer.suspect, self.shares.other_than)
            if amqp_url and self.consumer
            else None
        )
        self.timers = Timers(self.service)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        self.service.sequencer.start()
        if self.service.definition.timers:
            self._watch("timers", self.timers.run())
        if self.service.definition.blobs_kept:
            self._watch("sweeper", Sweeper(self.service).run())
        if self.consumer:
            self._watch("feeds", self.consumer.run(lambda: self.subscriber is not None and self.subscriber.connected))
        if self.subscriber:
            self._watch("shares", self.shares.run())
            self._watch("subscriber", self.subscriber.run())

    def _watch(self, name: str, loop: Coroutine[Any, Any, None]) -> None:
        """A loop that ends is a bug: said at once in the log, and `/readyz` says no from then on."""

        async def watched() -> None:
            try:
                await loop
            except Exception:
                log.exception("node.loop_ended", loop=name)

        self._tasks.append(asyncio.create_task(watched(), name=name))

    async def stop(self) -> None:
        await end(self._tasks)
        if self.subscriber:
            await self.shares.give_back()
        await self.service.sequencer.stop()

    async def health(self) -> dict[str, Any]:
        """What `/readyz` answers, also while requests hold every connection of the store. Without the broker a node is
        slower, not unready: the feed goes on."""
        counted = await self._spare.fetchrow(
            """
            select
                (select coalesce(max(e.seq), 0) from events as e) - s.seen as unpositioned,
                (select coalesce(max(l.position), 0) from log as l) - s.published as unpublished,
                (select e.recorded_at from events as e where e.seq > s.seen order by e.seq limit 1)
                    as unpositioned_since,
                (select e.recorded_at from log as l join events as e using (seq) where l.position = s.published + 1)
                    as unpublished_since
            from sequencer as s
            """
        )
        assert counted is not None  # the table has one row, for ever
        failed = [task.get_name() for task in self._tasks if task.done()]
        behind = self.consumer.behind_since if self.consumer else {}
        followed = events.followers(self.service.name)
        return {
            "ready": not failed,
            "database": "up",
            "broker": "up" if self.subscriber is None or self.subscriber.connected else "down",
            "queues": sorted(self.shares.held),
            "sequencer": "leads" if self.service.sequencer.leading else "stands by",
            "publisher": self.service.sequencer.stopped_by or "flows",
            "lag": self.consumer.lag if self.consumer else {},
            "lag_seconds": {source: self._age(since) for source, since in behind.items()},
            "parked": await parked_in(self._spare, self.service.name, self.service.clock()),
            "unpositioned": counted["unpositioned"],
            "unpositioned_seconds": self._age(counted["unpositioned_since"]),
            "unpublished": counted["unpublished"] if followed else 0,
            "unpublished_seconds": self._age(counted["unpublished_since"]) if followed else 0.0,
            "failed": failed,
        }

    def _age(self, since: datetime | None) -> float:
        """In seconds; 0 where nothing waits."""
        return max(0.0, (self.service.clock() - since).total_seconds()) if since else 0.0
