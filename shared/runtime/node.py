"""A node: one replica of a service with everything that runs in the background. Called by `app.py` and by tests."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
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

log = structlog.get_logger(__name__)


@asynccontextmanager
async def open_pool(url: str, service: str, size: int = 16) -> AsyncIterator[asyncpg.Pool]:
    """Connections that look in the service's own schema first."""
    async with asyncpg.create_pool(
        url,
        min_size=1,
        max_size=size,
        command_timeout=60,
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
        self.consumer = Consumer(self.service, feed) if feed and definition.name in events.FOLLOWS else None
        self.shares = Shares(pool)
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
        """What `/readyz` answers. Without the broker a node is slower, not unready: the feed goes on."""
        counted = await self.service.pool.fetchrow(
            """
            select
                (select coalesce(max(e.seq), 0) from events as e) - s.seen as unpositioned,
                (select coalesce(max(l.position), 0) from log as l) - s.published as unpublished
            from sequencer as s
            """
        )
        assert counted is not None  # the table has one row, for ever
        failed = [task.get_name() for task in self._tasks if task.done()]
        return {
            "ready": not failed,
            "database": "up",
            "broker": "up" if self.subscriber is None or self.subscriber.connected else "down",
            "queues": sorted(self.shares.held),
            "sequencer": "leads" if self.service.sequencer.leading else "stands by",
            "publisher": self.service.sequencer.stopped_by or "flows",
            "lag": self.consumer.lag if self.consumer else {},
            "lag_seconds": self._behind(),
            "parked": await parked_in(self.service.pool, self.service.name, self.service.clock()),
            "unpositioned": counted["unpositioned"],
            "unpublished": counted["unpublished"] if events.followers(self.service.name) else 0,
            "failed": failed,
        }

    def _behind(self) -> dict[str, float]:
        """How old the oldest event of each source is that waits for us."""
        now, since = self.service.clock(), self.consumer.behind_since if self.consumer else {}
        return {source: max(0.0, (now - at).total_seconds()) if at else 0.0 for source, at in since.items()}
