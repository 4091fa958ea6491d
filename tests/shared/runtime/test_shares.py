"""Replicas of a follower share its queues: evenly, all of them at any time, and in order while they change hands."""

import asyncio
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aio_pika
import asyncpg
import pytest

from shared.kernel.time import utc_now
from shared.runtime.bus import ALL_QUEUES, EXCHANGE, QUEUES, declare, queue_name
from shared.runtime.ending import end
from shared.runtime.feed import SLOTS
from shared.runtime.node import Node
from shared.runtime.shares import LEASE, Shares
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.shared.runtime.nodes import connected, echoed, published, running, say, until
from tests.shared.runtime.toy import DEFINITION, FOLLOWER

pytestmark = pytest.mark.servers

REPLICA = """
import asyncio, sys
from shared.kernel.time import utc_now
from shared.runtime.node import Node
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.shared.runtime.nodes import running
from tests.shared.runtime.toy import DEFINITION, FOLLOWER

async def main(database, amqp_url):
    async with pool_of(database, "identity") as pool, pool_of(database, "exemption") as other:
        feed = LocalFeed(Service(DEFINITION, pool, KEK, utc_now, None))
        node = Node(FOLLOWER, other, KEK, utc_now, amqp_url=amqp_url, feed=feed)
        async with running(node):
            while len(node.shares.held) < int(sys.argv[3]) or not node.subscriber.connected:
                await asyncio.sleep(0.05)
            print("shares the work", flush=True)
            await asyncio.Event().wait()

asyncio.run(main(*sys.argv[1:3]))
"""


@asynccontextmanager
async def another_process(database: str, amqp_url: str, queues: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """A replica of the follower that has so many queues; killed at the end of the block."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", REPLICA, database, amqp_url, str(queues)),
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readuntil(b"shares the work\n"), 30)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def pool(toy_database: str, owner: asyncpg.Connection) -> AsyncIterator[asyncpg.Pool]:
    await owner.execute("delete from exemption.replicas")
    async with pool_of(toy_database, "exemption") as pool:
        yield pool


async def settle(replicas: Sequence[Shares]) -> None:
    """Two turns of each: what one gives up in the first, another takes in the second."""
    for _ in range(2):
        for replica in replicas:
            await replica.renew()


def assert_even(replicas: Sequence[Shares]) -> None:
    held = [replica.held for replica in replicas]
    assert Counter(queue for share in held for queue in share) == Counter(ALL_QUEUES)
    assert max(map(len, held)) - min(map(len, held)) <= 1


async def test_whoever_joins_or_ends_all_queues_are_shared_evenly(pool: asyncpg.Pool) -> None:
    replicas: list[Shares] = []
    for _ in range(QUEUES + 1):
        replicas.append(Shares(pool))
        await settle(replicas)
        assert_even(replicas)
    assert sorted(len(replica.held) for replica in replicas) == [0, *[1] * QUEUES]
    while len(replicas) > 1:
        await replicas.pop(0).give_back()
        await settle(replicas)
        assert_even(replicas)


async def test_a_newcomer_moves_no_more_queues_than_it_gets(pool: asyncpg.Pool) -> None:
    replicas = [Shares(pool), Shares(pool)]
    await settle(replicas)
    before = {queue: replica for replica in replicas for queue in replica.held}
    replicas.append(Shares(pool))
    await settle(replicas)
    after = {queue: replica for replica in replicas for queue in replica.held}
    assert [after[queue] for queue in ALL_QUEUES if after[queue] is not before[queue]] == replicas[2:]


async def test_replicas_that_say_so_all_at_once_end_up_with_even_shares(pool: asyncpg.Pool) -> None:
    dice = random.Random(20261123)
    replicas = [Shares(pool) for _ in range(3)]
    for _ in range(20):
        await asyncio.gather(*(replica.renew() for replica in dice.choices(replicas, k=8)))
    await settle(replicas)
    assert_even(replicas)


async def test_the_share_of_one_that_says_nothing_any_more_goes_to_the_others_when_its_lease_ends(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    silent, other = Shares(pool), Shares(pool)
    await settle([silent, other])
    await owner.execute(
        "update exemption.replicas set lease_until = clock_timestamp() + interval '300 ms' "
        "where since = (select min(since) from exemption.replicas)"
    )
    await other.renew()
    assert len(other.held) == QUEUES // 2
    await asyncio.sleep(0.4)
    await other.renew()
    assert other.held == ALL_QUEUES
    await settle([silent, other])  # it was only frozen
    assert_even([silent, other])


async def test_without_the_database_a_replica_keeps_its_share_and_goes_on_when_it_is_back(
    pool: asyncpg.Pool, owner: asyncpg.Connection
) -> None:
    shares, other = Shares(pool), Shares(pool)
    renewing = asyncio.create_task(shares.run())
    assert await shares.other_than(frozenset()) == ALL_QUEUES
    await owner.execute("alter table exemption.replicas rename to elsewhere")
    with pytest.raises(asyncpg.PostgresError):
        await other.renew()
    await other.give_back()  # nor does ending fail
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(shares.other_than(ALL_QUEUES), 1.5)
    await owner.execute("alter table exemption.elsewhere rename to replicas")
    await other.renew()
    assert len(await asyncio.wait_for(shares.other_than(ALL_QUEUES), 60)) == QUEUES // 2
    await end([renewing])


# --- the broker


async def test_with_another_number_of_queues_than_before_nothing_comes_twice(amqp_url: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await declare(channel, "notification")
        exchange = await channel.get_exchange(EXCHANGE)
        only = await channel.get_queue(queue_name("notification", 0))
        for slot in range(SLOTS):  # as if it were the only one
            await only.bind(exchange, routing_key=f"identity.*.{slot}")
        await declare(channel, "notification")
        for slot in range(SLOTS):
            await exchange.publish(aio_pika.Message(b""), f"identity.anything.{slot}", mandatory=True)
        queues = [await channel.get_queue(queue_name("notification", number)) for number in range(QUEUES)]
        assert [queue.declaration_result.message_count for queue in queues] == [SLOTS // QUEUES] * QUEUES


# --- whole nodes


@dataclass
class Bus:
    """A source and its follower, and the feed that may fall silent."""

    source: Node
    follower: Node
    feed: LocalFeed
    database: str
    amqp_url: str


@pytest.fixture
async def bus(toy_database: str, owner: asyncpg.Connection, amqp_url: str) -> AsyncIterator[Bus]:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    async with pool_of(toy_database, "identity") as pool, pool_of(toy_database, "exemption") as other:
        source = Node(DEFINITION, pool, KEK, utc_now, amqp_url=amqp_url)
        feed = LocalFeed(source.service)
        follower = Node(FOLLOWER, other, KEK, utc_now, amqp_url=amqp_url, feed=feed)
        async with running(source), running(follower):
            await until(connected(follower))
            await until(holds(follower, QUEUES))
            yield Bus(source, follower, feed, toy_database, amqp_url)


def holds(follower: Node, queues: int) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return len(follower.shares.held) == queues

    return so


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
async def test_seconds_after_a_replica_was_hit_the_broker_serves_the_others(bus: Bus, blow: signal.Signals) -> None:
    """By the broker alone: the feed does not answer meanwhile. One that thaws does no harm and gets its share again."""
    things = [f"{blow.name}-{number}" for number in range(16)]
    async with another_process(bus.database, bus.amqp_url, QUEUES // 2) as other:
        await until(holds(bus.follower, QUEUES // 2))
        bus.feed.silent.add("identity")
        other.send_signal(blow)
        for thing in things:
            await say(bus.source.service, thing)
        await until(holds(bus.follower, QUEUES), LEASE.total_seconds() + 10)
        for thing in things:
            await until(echoed(bus.follower, thing), 30)
        bus.feed.silent.clear()
        if blow is signal.SIGSTOP:
            other.send_signal(signal.SIGCONT)
            await until(holds(bus.follower, QUEUES // 2))
        for thing in things:
            await say(bus.source.service, thing)
        for thing in things:
            await until(echoed(bus.follower, thing, 2), 30)


async def test_each_stream_stays_in_order_while_its_queue_goes_from_one_replica_to_another(bus: Bus) -> None:
    written: Counter[str] = Counter()
    dice = random.Random(20261123)
    moved: set[frozenset[int]] = set()

    enough = asyncio.Event()

    async def write() -> None:
        while not enough.is_set():
            thing = f"moving-{dice.randrange(20)}"
            await say(bus.source.service, thing)
            written[thing] += 1
            moved.add(bus.follower.shares.held)

    async with pool_of(bus.database, "exemption") as pool:
        writing = asyncio.create_task(write())
        async with another_process(bus.database, bus.amqp_url, 1):
            twin = Node(FOLLOWER, pool, KEK, utc_now, amqp_url=bus.amqp_url, feed=bus.feed)
            async with running(twin):
                await until(holds(twin, 1))
                await until(connected(twin))
                await asyncio.sleep(1)
        await until(holds(bus.follower, QUEUES), LEASE.total_seconds() + 10)
        enough.set()
        await writing  # not cancelled, so that what is written is counted
        assert written.total() > 100
        assert ALL_QUEUES in moved
        assert len(moved) > 1
        await until(published(bus.source), 30)
        for thing, times in written.items():
            await until(echoed(bus.follower, thing, times), 40)
        disordered = await pool.fetchval(
            "select count(*) from events where stream like 'echo-moving-%' and (body->>'attempts_left')::int <> version"
        )
        assert disordered == 0
