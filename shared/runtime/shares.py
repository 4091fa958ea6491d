"""Shares: which of the follower's queues this replica takes from. Run by `node.py`, obeyed by `bus.Subscriber`.

The replicas agree through their own database. Who is mistaken (frozen, cut off) costs time only: the broker gives a
queue to one consumer at a time, and the rows of the inbox keep each stream in order whoever handles it.
"""

import asyncio
from datetime import timedelta
from uuid import uuid4

import asyncpg
import structlog

from shared.runtime.bus import QUEUES
from shared.runtime.ending import raise_if_cancelled
from shared.runtime.event_store import OUTAGE

LEASE = timedelta(seconds=4)
_RENEW_SECONDS = 1.0

log = structlog.get_logger(__name__)


class Shares:
    """One a replica."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self._id = uuid4()
        self._changed = asyncio.Condition()
        self.held: frozenset[int] = frozenset()

    async def run(self) -> None:
        """Say every second that we live, and hear what is ours. Without the database we keep what we have."""
        while True:
            raise_if_cancelled()
            try:
                await self.renew()
            except (asyncpg.PostgresError, *OUTAGE) as error:
                log.warning("shares.outage", error=type(error).__name__)
            await asyncio.sleep(_RENEW_SECONDS)

    async def renew(self) -> None:
        held = frozenset(await self._pool.fetchval("select take_share($1, $2, $3)", self._id, QUEUES, LEASE))
        if held != self.held:
            log.info("shares.changed", held=sorted(held))
            async with self._changed:
                self.held = held
                self._changed.notify_all()

    async def other_than(self, known: frozenset[int]) -> frozenset[int]:
        """The queues that are ours, as soon as they are not `known`."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.held != known)
            return self.held

    async def give_back(self) -> None:
        """We end: the others need not wait for our lease."""
        try:
            await self._pool.execute("delete from replicas where replica = $1", self._id)
        except (asyncpg.PostgresError, *OUTAGE) as error:
            log.warning("shares.not_given_back", error=type(error).__name__)
