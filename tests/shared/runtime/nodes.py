"""A source and its follower as whole nodes, with the broker between them, for tests of what they do by themselves."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.node import Node
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, Note


async def until(true: Callable[[], Awaitable[bool]], seconds: float = 60) -> None:
    """Wait for something that happens in the background; the limit only ends a broken run."""
    async with asyncio.timeout(seconds):
        while not await true():  # noqa: ASYNC110 - it polls a database
            await asyncio.sleep(0.02)


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    await node.start()
    try:
        yield node
    finally:
        await node.stop()


@asynccontextmanager
async def running_pair(database: str, amqp_url: str) -> AsyncIterator[tuple[Node, Node]]:
    async with pool_of(database, "identity") as pool, pool_of(database, "exemption") as other:
        source = Node(DEFINITION, pool, KEK, utc_now, amqp_url=amqp_url)
        follower = Node(FOLLOWER, other, KEK, utc_now, amqp_url=amqp_url, feed=LocalFeed(source.service))
        async with running(source), running(follower):
            yield source, follower


async def say(service: Service, thing: str, traceparent: str | None = None) -> None:
    await service.handle(
        Note(thing=thing), Meta(command_id=uuid4(), actor="tester", at=utc_now(), traceparent=traceparent)
    )


def echoed(follower: Node, thing: str, times: int = 1) -> Callable[[], Awaitable[bool]]:
    async def found() -> bool:
        count = await follower.service.pool.fetchval("select count(*) from events where stream = $1", f"echo-{thing}")
        return bool(count == times)

    return found


def connected(follower: Node) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return follower.subscriber is not None and follower.subscriber.connected

    return so


def published(source: Node) -> Callable[[], Awaitable[bool]]:
    """Whether the broker has confirmed everything that has a position."""

    async def all_of_it() -> bool:
        row = await source.service.pool.fetchrow(
            "select published, (select coalesce(max(position), 0) from log) from sequencer"
        )
        return row is not None and bool(row[0] == row[1])

    return all_of_it
