"""A follower that is slower than its source for minutes: as large as ever, and the alarm rings."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import aio_pika
import asyncpg
import psutil
import pytest

from shared.kernel.messages import Meta, Receipt
from shared.kernel.time import utc_now
from shared.runtime.bus import QUEUES, queue_name
from shared.runtime.event_store import Work
from shared.runtime.node import Node
from shared.runtime.telemetry import Metrics
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.ops.test_alarms import alarms
from tests.shared.runtime.nodes import connected, published, running, until
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, Echo, Note, echo

pytestmark = pytest.mark.servers

LARGE = 30_000
"""Letters of one fact."""
HELD_AT_MOST = 200
"""Messages: as many as two batches, over all queues."""


async def test_a_follower_slower_than_its_source_is_as_large_as_ever_and_its_lag_raises_the_alarm(
    toy_database: str, owner: asyncpg.Connection, amqp_url: str
) -> None:
    """Of a backlog it holds no more than it may: whatever waits beyond that waits at the broker."""
    await owner.execute("update sequencer set lease_until = '-infinity'")
    gate, said, late = asyncio.Event(), 0, timedelta()
    memory = psutil.Process().memory_info

    async def slowly(work: Work, command: Echo) -> Receipt:
        await gate.wait()
        return await echo(work, command)

    async def waiting() -> int:
        async with await aio_pika.connect(amqp_url) as connection:
            channel = await connection.channel()
            found = [await channel.declare_queue(queue_name("exemption", n), passive=True) for n in range(QUEUES)]
            return sum(queue.declaration_result.message_count or 0 for queue in found)

    slow = replace(FOLLOWER, handlers={**FOLLOWER.handlers, Echo: slowly})
    async with pool_of(toy_database, "identity") as pool, pool_of(toy_database, "exemption") as other:
        source = Node(DEFINITION, pool, KEK, utc_now, amqp_url=amqp_url)
        follower = Node(slow, other, KEK, lambda: utc_now() + late, amqp_url=amqp_url, feed=LocalFeed(source.service))

        async def say_much(events: int) -> None:
            nonlocal said
            for _ in range(events // 20):
                asked = Meta(command_id=uuid4(), actor="tester", at=utc_now())
                said += 20
                await source.service.handle(Note(thing=f"slow-{said}", text="x" * LARGE, count=20), asked)
            await until(published(source), 30)
            await asyncio.sleep(0.5)

        async def alarmed() -> bool:
            suspect()
            return "ZikaoLagsBehind" in alarms_of(await follower.health())

        async def is_level() -> bool:
            return bool((await follower.health())["lag"].get("identity") == 0)

        async def has_heard_all() -> bool:
            heard: int = await other.fetchval("select count(*) from events where stream like 'echo-slow-%'")
            return heard == said

        async def has_taken_some() -> bool:
            return await waiting() < said

        assert follower.consumer is not None
        suspect = follower.consumer.suspect

        async with running(source):
            await until(published(source), 30)
            async with running(follower):
                await until(connected(follower))
                await until(is_level)
                await say_much(300)
                await until(has_taken_some)
                assert 0 < said - await waiting() <= HELD_AT_MOST
                before = memory().rss
                await say_much(600)
                assert 0 < said - await waiting() <= HELD_AT_MOST
                assert memory().rss - before < 600 * LARGE / 2, "half of what came meanwhile"
                assert "ZikaoLagsBehind" not in alarms_of(await follower.health())
                late = timedelta(minutes=10)  # as if these had passed
                await until(alarmed)
                gate.set()
                await until(has_heard_all, 60)
                late = timedelta()
                suspect()
                await until(is_level)
                assert "ZikaoLagsBehind" not in alarms_of(await follower.health())


def alarms_of(health: Mapping[str, Any]) -> set[str]:
    """Which of the rules that are handed to Prometheus hold for what /metrics tells then."""
    metrics = Metrics()
    metrics.tell(health)
    found = set()
    for rule in alarms():
        name, _, least = rule["expr"].partition(" > ")
        told = metrics.registry.get_sample_value(name, {"source": "identity"})
        if told is not None and told > float(least):
            found.add(rule["alert"])
    return found
