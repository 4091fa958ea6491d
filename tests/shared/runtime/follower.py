"""A source and its follower without nodes: a test says when something is published, taken, or read from the feed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import asyncpg

from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.consumer import Consumer
from shared.runtime.feed import Envelope
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service
from shared.testing.stores import LocalFeed
from tests.shared.runtime.toy import Note


@dataclass
class Follower:
    source: Service
    sequencer: Sequencer
    service: Service
    consumer: Consumer
    feed: LocalFeed
    now: datetime = datetime(2030, 1, 1, tzinfo=UTC)

    async def say(self, thing: str, *texts: str) -> list[Envelope]:
        """Note `texts` about `thing` at the source, give them positions, and return what would be published."""
        head = await self.source.feed_head()
        for text in texts:
            await self.source.handle(
                Note(thing=thing, text=text), Meta(command_id=uuid4(), actor="tester", at=utc_now())
            )
        while await self.sequencer.give():
            pass
        return await self.source.feed(head, 100)

    async def echoed(self, thing: str) -> list[str]:
        async with self.service.reading() as connection:
            return [fact.event.purpose for fact in await self.service.history(connection, f"echo-{thing}")]

    async def parked(self, thing: str) -> asyncpg.Record | None:
        return await self.service.pool.fetchrow("select * from parked where stream = $1", f"toy-{thing}")
