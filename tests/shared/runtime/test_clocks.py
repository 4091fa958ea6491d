"""A clock that is stepped by an hour, forward or back: nothing lasts longer than it was meant to, and nothing is lost.

The clock of the tests' database cannot be moved; what such a step leaves behind can: leases that end in an hour.
Codes, limits, tokens and cool-downs are with their services and in `test_access.py`.
"""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from shared.kernel.messages import Meta
from shared.kernel.time import CLOCKS_APART, still_holds, utc_now
from shared.runtime.bus import ALL_QUEUES
from shared.runtime.consumer import Consumer
from shared.runtime.parking import NOT_YET
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service, Timer
from shared.runtime.shares import Shares
from shared.runtime.timers import LEASE, Timers
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, NoteMobile

HOUR = timedelta(hours=1)
EITHER_WAY = pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])


def test_what_seems_to_last_longer_than_it_was_given_for_holds_no_more() -> None:
    now, five = utc_now(), timedelta(minutes=5)
    assert still_holds(now + five, five, now)
    assert still_holds(now + five, five, now - CLOCKS_APART)
    assert not still_holds(now + five, five, now + five)
    assert not still_holds(now + five, five, now - HOUR)


@pytest.mark.servers
async def test_a_leader_that_died_before_the_clock_was_set_back_is_replaced_at_once(
    toy: Service, owner: asyncpg.Connection
) -> None:
    await owner.execute("update sequencer set leader = $1, lease_until = now() + interval '1 hour'", uuid4())
    heir = Sequencer(toy.pool, "identity", None)
    assert await heir.lead()
    assert not await Sequencer(toy.pool, "identity", None).lead()


@pytest.mark.servers
async def test_a_leader_goes_on_leading_over_a_step_of_the_clock(toy: Service, owner: asyncpg.Connection) -> None:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    leader = Sequencer(toy.pool, "identity", None)
    assert await leader.lead()
    for step in ("- interval '1 hour'", "+ interval '1 hour'"):
        await owner.execute(f"update sequencer set lease_until = lease_until {step}")
        assert await leader.lead()
        assert not await Sequencer(toy.pool, "identity", None).lead()


@pytest.mark.servers
async def test_a_replica_that_died_before_the_clock_was_set_back_leaves_its_queues_to_the_others(
    toy_database: str, owner: asyncpg.Connection
) -> None:
    async with pool_of(toy_database, "exemption") as pool:
        dead, alive = Shares(pool), Shares(pool)
        await dead.renew()
        await owner.execute("update exemption.replicas set lease_until = lease_until + interval '1 hour'")
        await alive.renew()
        assert alive.held == ALL_QUEUES
        await alive.give_back()


@pytest.mark.servers
@EITHER_WAY
async def test_a_timer_whose_replica_died_before_a_step_of_the_clock_is_not_kept_from_the_others(
    toy: Service, owner: asyncpg.Connection, step: timedelta
) -> None:
    stream = f"toy-leased-{step > timedelta(0)}"
    fired: list[str] = []

    async def remind(service: Service, timer: Timer) -> None:
        fired.append(timer.stream)
        await service.pool.execute("delete from timers where stream = $1", timer.stream)

    service = Service(replace(DEFINITION, timers={"hour": remind}), toy.pool, KEK, utc_now, None)
    await owner.execute(
        "insert into timers (kind, stream, due_at, leased_until) values ('hour', $1, now(), now() + $2::interval)",
        stream,
        LEASE - step,
    )
    await Timers(service).fire_due()
    assert fired == [stream]


@pytest.mark.servers
@EITHER_WAY
async def test_a_service_whose_clock_is_an_hour_off_the_databases_fires_each_timer_once(
    toy: Service, owner: asyncpg.Connection, step: timedelta
) -> None:
    """What is due goes by the service's clock alone, what is leased by the database's alone."""
    person = f"person-{step > timedelta(0)}"
    fired: list[str] = []

    async def remind(service: Service, timer: Timer) -> None:
        fired.append(timer.stream)
        await asyncio.sleep(0.05)
        await service.pool.execute("delete from timers where stream = $1", timer.stream)

    definition = replace(DEFINITION, timers={"remind": remind})
    services = [Service(definition, toy.pool, KEK, lambda: utc_now() + step, None) for _ in range(2)]
    await toy.keyring.create(person)
    mobile = f"1390000001{step > timedelta(0):d}"
    asked = Meta(command_id=uuid4(), actor="tester", at=services[0].clock())
    await services[0].handle(NoteMobile(thing=person, person=person, mobile=mobile), asked)
    await asyncio.gather(*(Timers(service).fire_due() for service in services))
    assert fired == [f"toy-{person}"]


@pytest.mark.servers
async def test_what_came_too_early_is_not_kept_for_an_hour_when_the_clock_is_set_back(
    toy: Service, toy_database: str
) -> None:
    now = utc_now()
    async with pool_of(toy_database, "exemption") as pool:
        consumer = Consumer(Service(FOLLOWER, pool, KEK, lambda: now, None), LocalFeed(toy))
        await pool.execute(
            "insert into parked (source, stream, version, latest, type, event_id, reason, detail, parked_at, retry_at) "
            "values ('identity', 'toy-never-said', 1, 1, 'x', $1, 'not_yet', '', $2, $3)",
            uuid4(),
            now + HOUR,
            now + HOUR + NOT_YET[0],
        )
        assert await consumer.retry_not_yet() == 1
