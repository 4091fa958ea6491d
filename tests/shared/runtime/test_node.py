"""Whole nodes with their loops running: leader frozen, timers, one trace from one service to the other."""

import asyncio
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.database import as_role
from shared.runtime.ending import end
from shared.runtime.node import Node, open_pool
from shared.runtime.service import Service, Timer
from shared.runtime.timers import Timers
from shared.testing.stores import KEK, PASSWORD, LocalFeed, pool_of
from tests.shared.runtime.nodes import connected, echoed, running, say, until
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, NoteMobile

pytestmark = pytest.mark.servers


async def test_a_fact_reaches_the_follower_through_the_broker_in_the_same_trace(pair: tuple[Node, Node]) -> None:
    source, follower = pair
    trace = "0af7651916cd43dd8448eb211c80319c"
    await until(connected(follower))
    await say(source.service, "traced", f"00-{trace}-b7ad6b7169203331-01")
    await until(echoed(follower, "traced"))
    row = await follower.service.pool.fetchrow("select traceparent, causation from events where stream = 'echo-traced'")
    assert row is not None
    assert row["traceparent"].split("-")[1] == trace
    caused_by = await source.service.pool.fetchval("select event_id from events where stream = 'toy-traced'")
    assert row["causation"] == caused_by


async def test_two_replicas_of_both_services_share_the_work_and_do_it_once(
    pair: tuple[Node, Node], toy_database: str, amqp_url: str
) -> None:
    source, follower = pair
    async with pool_of(toy_database, "exemption") as pool, pool_of(toy_database, "identity") as own:
        twin = Node(FOLLOWER, pool, KEK, utc_now, amqp_url=amqp_url, feed=LocalFeed(source.service))
        second = Node(DEFINITION, own, KEK, utc_now, amqp_url=amqp_url)
        async with running(twin), running(second):
            await asyncio.gather(*(say((source, second)[n % 2].service, f"both-{n % 7}") for n in range(70)))

            async def all_echoed() -> bool:
                count = await pool.fetchval("select count(*) from events where stream like 'echo-both-%'")
                return bool(count == 70)

            await until(all_echoed)
            assert [source.service.sequencer.leading, second.service.sequencer.leading].count(True) == 1
    disordered = await follower.service.pool.fetchval(
        "select count(*) from events where stream like 'echo-both-%' and (body->>'attempts_left')::int <> version"
    )
    assert disordered == 0


async def test_a_connection_keeps_more_statements_prepared_than_a_service_has(toy_database: str) -> None:
    """A statement that had to give way to others is planned again each time it is needed."""
    async with pool_of(toy_database, "identity", size=1) as pool, pool.acquire() as connection:
        for number in range(200):
            await connection.fetchval(f"select $1::integer + {number}", 1)
        assert await connection.fetchval("select count(*) from pg_prepared_statements") >= 200


FROZEN = """
import asyncio, sys
import asyncpg
from shared.runtime.sequencer import Sequencer

async def main(url):
    async with asyncpg.create_pool(url, min_size=1, server_settings={"search_path": "identity"}) as pool:
        sequencer = Sequencer(pool, "identity", None)
        sequencer.start()
        while not sequencer.leading:
            await asyncio.sleep(0.01)
        print("leads", flush=True)
        while sequencer.leading:
            await asyncio.sleep(0.01)
        print("leads no more", flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_a_frozen_leader_is_replaced_within_seconds_and_thawed_does_no_harm(
    toy_database: str, owner: asyncpg.Connection
) -> None:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    url = as_role(toy_database, "identity", PASSWORD)
    frozen = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        FROZEN,
        url,
        stdout=subprocess.PIPE,
        cwd=Path.cwd(),
        env={**os.environ, "PYTHONPATH": "."},
    )
    assert frozen.stdout is not None
    try:
        assert (await frozen.stdout.readline()).strip() == b"leads"
        frozen.send_signal(signal.SIGSTOP)
        async with pool_of(toy_database, "identity") as pool, running(Node(DEFINITION, pool, KEK, utc_now)) as heir:
            await say(heir.service, "frozen")

            async def positioned() -> bool:
                left = await pool.fetchval(
                    "select count(*) from events left join log using (seq) where position is null"
                )
                return bool(left == 0)

            await until(positioned)
            epoch = heir.service.sequencer.epoch
            frozen.send_signal(signal.SIGCONT)
            assert (await asyncio.wait_for(frozen.stdout.readline(), 20)).strip() == b"leads no more"
            await say(heir.service, "thawed")
            await until(positioned)
            assert heir.service.sequencer.epoch == epoch
        row = await owner.fetchrow("select count(*), max(position) from log")
        assert row is not None
        assert row[0] == row[1]
    finally:
        frozen.kill()
        await frozen.wait()


async def test_a_timer_fires_once_when_it_is_due_and_survives_a_restart(toy: Service) -> None:
    fired: list[Timer] = []
    now = datetime(2030, 1, 1, tzinfo=UTC)

    async def remind(service: Service, timer: Timer) -> None:
        fired.append(timer)
        await service.pool.execute("delete from timers where stream = $1", timer.stream)

    definition = DEFINITION.__class__(**{**vars(DEFINITION), "timers": {"remind": remind}})
    await toy.pool.execute("insert into timers (kind, stream, due_at) values ('remind', 'toy-t', $1)", now)
    early = Node(definition, toy.pool, KEK, lambda: datetime(2029, 12, 31, tzinfo=UTC))
    assert await early.timers.fire_due() == 0
    first, second = (Node(definition, toy.pool, KEK, lambda: now) for _ in range(2))
    assert sum(await asyncio.gather(first.timers.fire_due(), second.timers.fire_due())) == 1
    assert [timer.stream for timer in fired] == ["toy-t"]
    assert await first.timers.fire_due() == 0


async def test_a_handler_that_outlasts_its_lease_is_ended_before_another_has_the_timer(toy: Service) -> None:
    at_once: list[int] = []
    running, ended = 0, asyncio.Event()

    async def hang(service: Service, timer: Timer) -> None:
        nonlocal running
        running += 1
        at_once.append(running)
        try:
            await asyncio.sleep(3600)
        finally:
            running -= 1
            if len(at_once) == 3:
                ended.set()

    definition = DEFINITION.__class__(**{**vars(DEFINITION), "timers": {"hang": hang}})
    await toy.pool.execute("insert into timers (kind, stream, due_at) values ('hang', 'toy-h', now())")
    service = Service(definition, toy.pool, KEK, utc_now, None)
    replicas = [asyncio.create_task(Timers(service, timedelta(seconds=0.3)).run()) for _ in range(2)]
    await asyncio.wait_for(ended.wait(), 20)
    await end(replicas)
    assert at_once[:3] == [1, 1, 1]


async def test_as_many_cold_key_caches_as_there_are_connections_stand_in_nobodys_way(toy_database: str) -> None:
    """Each command holds a connection of the store while it asks for a key; on the same pool they would all wait."""
    url = as_role(toy_database, "identity", PASSWORD)
    people = [f"cold-{number}" for number in range(12)]
    async with open_pool(url, "identity", 4) as pool, open_pool(url, "identity", 1) as keys:
        warm = Node(DEFINITION, pool, KEK, utc_now, keys=keys).service
        await asyncio.gather(*(warm.keyring.create(person) for person in people))
        cold = Node(DEFINITION, pool, KEK, utc_now, keys=keys)
        commands = [
            NoteMobile(thing=person, person=person, mobile=f"139{number:08}") for number, person in enumerate(people)
        ]
        asked = [Meta(command_id=uuid4(), actor="tester", at=utc_now()) for _ in people]
        async with asyncio.timeout(20):
            await asyncio.gather(*(cold.service.handle(*each) for each in zip(commands, asked, strict=True)))
            assert (await cold.health())["ready"]
