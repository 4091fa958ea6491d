"""What a failing machine does to running nodes: brokers erased and killed, databases restarted, processes killed.

Whatever it was, both sides come back by themselves, nothing is lost and nothing is done twice.
"""

import asyncio
import os
import random
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import aio_pika
import asyncpg
import pytest

from ops.stack.infrastructure import Infrastructure
from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.bus import grave_name, queue_name
from shared.runtime.event_store import OUTAGE
from shared.runtime.node import Node
from shared.runtime.replay import compare
from shared.runtime.service import Service
from tests.shared.runtime.nodes import connected, echoed, published, running_pair, say, until
from tests.shared.runtime.toy import Note, NoteMobile

pytestmark = pytest.mark.servers


async def consumers_of(amqp_url: str, queue: str) -> int:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        try:
            return (await channel.declare_queue(queue, passive=True)).declaration_result.consumer_count or 0
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return 0


def is_taken_from(amqp_url: str, queue: str) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return await consumers_of(amqp_url, queue) > 0

    return so


async def assert_flows_through_the_broker(pair: tuple[Node, Node], thing: str) -> None:
    source, follower = pair
    await until(published(source), 30)
    assert follower.consumer is not None
    await say(source.service, thing)
    await until(echoed(follower, thing))
    await until(published(source))
    assert (await source.health())["publisher"] == "flows"
    assert (await source.health())["ready"] is (await follower.health())["ready"] is True


async def assert_equals_a_rebuild(service: Service) -> None:
    """Read models, claims and timers beside what the events make of them from nothing; there are some of each."""
    person = f"person-{uuid4()}"
    await service.keyring.create(person)
    asked = Meta(command_id=uuid4(), actor="tester", at=utc_now())
    await service.handle(NoteMobile(thing=person, person=person, mobile=f"139{uuid4().int % 10**8:08d}"), asked)
    async with service.reading() as connection:
        comparison = await compare(connection, service.definition, service.keyring)
    rows = {table.name: table.live for table in comparison.tables}
    assert rows.keys() == {"toys", "claims", "timers"}
    assert min(rows.values()) > 0
    assert comparison.differing == 0, comparison.tables


async def test_a_vhost_that_was_erased_and_made_again_is_filled_again_by_both_sides(
    pair: tuple[Node, Node], infra: Infrastructure, amqp_url: str
) -> None:
    source, follower = pair
    await until(connected(follower))
    await say(source.service, "before-erasure")
    await until(echoed(follower, "before-erasure"))
    await asyncio.to_thread(infra.new_vhost, urlsplit(amqp_url).path.removeprefix("/"))
    await say(source.service, "while-erased")
    await until(is_taken_from(amqp_url, queue_name("exemption", 0)))
    await until(connected(follower))
    await assert_flows_through_the_broker(pair, "after-erasure")
    await until(echoed(follower, "while-erased"))
    await assert_equals_a_rebuild(source.service)


@pytest.mark.parametrize("named", [queue_name, grave_name], ids=["the queue", "its dead-letter queue"])
async def test_a_queue_that_was_deleted_is_made_again(
    pair: tuple[Node, Node], amqp_url: str, named: Callable[[str, int], str]
) -> None:
    queue = named("exemption", 0)
    source, follower = pair
    await until(connected(follower))
    await say(source.service, f"before-deletion-{queue}")
    await until(echoed(follower, f"before-deletion-{queue}"))
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue)
    await say(source.service, f"while-deleted-{queue}")
    await until(is_taken_from(amqp_url, queue))
    await until(is_taken_from(amqp_url, queue_name("exemption", 0)))
    await assert_flows_through_the_broker(pair, f"after-deletion-{queue}")
    await until(echoed(follower, f"while-deleted-{queue}"))


async def test_with_rabbitmq_killed_the_system_goes_on_by_the_feed_and_returns_to_the_broker(
    pair: tuple[Node, Node], infra: Infrastructure, amqp_url: str
) -> None:
    source, follower = pair
    await until(connected(follower))
    for number in range(30):
        await say(source.service, f"killed-{number % 3}")
    await asyncio.to_thread(infra.rabbitmq.kill)
    await say(source.service, "while-killed")
    await until(echoed(follower, "while-killed"))
    assert (await follower.health())["broker"] == "down"
    assert (await follower.health())["ready"] is True
    await asyncio.to_thread(infra.rabbitmq.start)
    await until(is_taken_from(amqp_url, queue_name("exemption", 0)), 60)
    await assert_flows_through_the_broker(pair, "after-kill")
    for number in range(3):
        await until(echoed(follower, f"killed-{number}", 10))


async def test_a_database_that_restarts_is_used_again_by_every_loop(
    pair: tuple[Node, Node], infra: Infrastructure
) -> None:
    source, follower = pair
    await until(connected(follower))
    for number in range(30):
        await say(source.service, f"restarted-{number % 3}")
    await asyncio.to_thread(infra.postgres.kill)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await say(source.service, "lost")
    await asyncio.to_thread(infra.postgres.start)
    for number in range(3):
        await until(echoed(follower, f"restarted-{number}", 10), 30)
    await assert_flows_through_the_broker(pair, "after-restart")
    await assert_equals_a_rebuild(source.service)


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit", "full_page_writes"])
async def test_what_these_tests_break_writes_to_the_disk_before_it_says_so(
    toy: Service, owner: asyncpg.Connection, setting: str
) -> None:
    """Asked of the server, as its owner and as a service: without it a restart would prove nothing."""
    assert await owner.fetchval(f"show {setting}") == "on"
    assert await toy.pool.fetchval(f"show {setting}") == "on"


async def test_a_database_that_restarts_under_load_loses_nothing_that_was_acknowledged_and_does_nothing_twice(
    pair: tuple[Node, Node], infra: Infrastructure
) -> None:
    source, follower = pair
    _ = infra.postgres  # somebody else's is not ours to stop
    cut, acknowledged, enough = 0, 0, False

    async def write(writer: int) -> None:
        """Asks again under the same id until it is answered."""
        nonlocal cut, acknowledged
        while not enough:
            asked = Meta(command_id=uuid4(), actor="tester", at=utc_now())
            while True:
                try:
                    await source.service.handle(Note(thing=f"load-{writer}"), asked)
                except OUTAGE:
                    cut += 1
                    await asyncio.sleep(0.05)
                else:
                    acknowledged += 1
                    break

    async def forty_more() -> None:
        before = acknowledged

        async def so() -> bool:
            return acknowledged >= before + 40

        await until(so, 40)

    async with asyncio.timeout(100), asyncio.TaskGroup() as writers:
        for writer in range(8):
            writers.create_task(write(writer))
        for end_it in (infra.postgres.stop, infra.postgres.kill):
            await forty_more()
            await asyncio.to_thread(end_it)
            await asyncio.sleep(0.3)
            await asyncio.to_thread(infra.postgres.start)
        await forty_more()
        enough = True
    assert cut > 0
    written = "select count(*) from events where stream like 'toy-load-%'"
    assert await source.service.pool.fetchval(written) == acknowledged
    await until(lambda: _is(follower.service.pool, written.replace("toy", "echo"), acknowledged), 30)
    disordered = "stream like 'echo-load-%' and (body->>'attempts_left')::int <> version"
    assert await _is(follower.service.pool, f"select count(*) from events where {disordered}", 0)
    assert await _is(follower.service.pool, "select count(*) from parked", 0)


async def test_a_connection_cut_in_the_middle_of_an_append_is_told_as_an_outage_and_asking_again_is_harmless(
    toy: Service, owner: asyncpg.Connection
) -> None:
    cut = 0

    async def insist(writer: int, number: int) -> None:
        nonlocal cut
        asked = Meta(command_id=uuid4(), actor="tester", at=utc_now())
        while True:
            try:
                receipt = await toy.handle(Note(thing=f"cut-{(writer + number) % 4}", count=2), asked)
                assert await toy.handle(Note(thing=f"cut-{(writer + number) % 4}", count=2), asked) == receipt
            except OUTAGE:
                cut += 1
            else:
                return

    async def write(writer: int) -> None:
        for number in range(12):
            await insist(writer, number)

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        writing = [group.create_task(write(writer)) for writer in range(8)]
        while not all(task.done() for task in writing):
            await owner.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() "
                "and usename = 'identity' and state <> 'idle' order by random() limit 1"
            )
            await asyncio.sleep(0.05)
    assert cut > 0
    assert await owner.fetchval("select count(*) from events where stream like 'toy-cut-%'") == 8 * 12 * 2
    row = await owner.fetchrow("select sum(version) as heads from streams where stream like 'toy-cut-%'")
    assert row is not None
    assert row["heads"] == 8 * 12 * 2


CRASHING = """
import asyncio, sys
from contextlib import AsyncExitStack
from shared.kernel.messages import Meta, command_id
from shared.kernel.time import utc_now
from shared.runtime.event_store import OUTAGE
from shared.runtime.node import Node
from shared.runtime.service import Service
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.shared.runtime.nodes import running
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, Note

async def write(service, number):
    while True:
        asked = Meta(command_id=command_id("crashing", str(number)), actor="tester", at=utc_now())
        await service.handle(Note(thing=f"crash-{number % 20}"), asked)
        number += 1
        print(number, flush=True)

async def main(role, database, amqp_url, number):
    async with pool_of(database, "identity") as pool, pool_of(database, "exemption") as other:
        if role == "source":
            node = Node(DEFINITION, pool, KEK, utc_now, amqp_url=amqp_url)
        else:
            feed = LocalFeed(Service(DEFINITION, pool, KEK, utc_now, None))
            node = Node(FOLLOWER, other, KEK, utc_now, amqp_url=amqp_url, feed=feed)
        async with running(node):
            print(number, flush=True)
            await (write(node.service, number) if role == "source" else asyncio.Event().wait())

asyncio.run(main(*sys.argv[1:4], int(sys.argv[4])))
"""


@asynccontextmanager
async def crashing(role: str, database: str, amqp_url: str, number: int) -> AsyncIterator[asyncio.StreamReader]:
    """A process of its own, killed at the end of the block; its lines are how many commands it has receipts for."""
    words = (sys.executable, "-c", CRASHING, role, database, amqp_url, str(number))
    process = await asyncio.create_subprocess_exec(
        *words, stdout=subprocess.PIPE, cwd=Path.cwd(), env={**os.environ, "PYTHONPATH": "."}
    )
    assert process.stdout is not None
    try:
        await asyncio.wait_for(process.stdout.readline(), 30)
        yield process.stdout
    finally:
        process.kill()
        await process.wait()


async def test_processes_killed_at_any_moment_lose_nothing_and_do_nothing_twice(
    toy_database: str, owner: asyncpg.Connection, amqp_url: str
) -> None:
    """Between append and publish, between taking and acknowledging: wherever the dice let them be."""
    dice = random.Random(20261123)
    done = 0
    for _ in range(2):
        async with (
            crashing("follower", toy_database, amqp_url, 0),
            crashing("source", toy_database, amqp_url, done) as receipts,
        ):
            for _ in range(dice.randint(30, 90)):
                done = int(await receipts.readline())
            await asyncio.sleep(dice.random() / 10)
    written = await owner.fetchval("select count(*) from events where stream like 'toy-crash-%'")
    assert done <= written
    await owner.execute("update sequencer set lease_until = '-infinity'")
    async with running_pair(toy_database, amqp_url) as (source, follower):
        await until(published(source), 30)
        heard = "select count(*) from events where stream like 'echo-crash-%'"
        await until(lambda: _is(follower.service.pool, heard, written), 40)
        disordered = "stream like 'echo-crash-%' and (body->>'attempts_left')::int <> version"
        assert await _is(follower.service.pool, f"select count(*) from events where {disordered}", 0)
        assert await _is(follower.service.pool, "select count(*) from parked", 0)
    row = await owner.fetchrow("select count(*), max(position), (select count(*) from events) from log")
    assert row is not None
    assert row[0] == row[1] == row[2]


async def _is(pool: asyncpg.Pool, query: str, number: int) -> bool:
    return bool(await pool.fetchval(query) == number)
