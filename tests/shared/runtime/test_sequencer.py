"""Positions are dense, in order within a stream, and nothing is skipped or stalls, whatever transactions do."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import asyncpg
import pytest

from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.bus import Publisher, Subscriber
from shared.runtime.ending import end
from shared.runtime.feed import Envelope
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service
from tests.shared.runtime.nodes import until
from tests.shared.runtime.toy import Note

pytestmark = pytest.mark.servers


def meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now())


@pytest.fixture
async def sequencer(toy: Service, owner: asyncpg.Connection) -> Sequencer:
    """The leader of a moment, stepped by hand."""
    await owner.execute("update sequencer set lease_until = '-infinity'")
    leader = Sequencer(toy.pool, "identity", None)
    assert await leader.lead()
    while await leader.give():
        pass
    return leader


async def unpositioned(toy: Service) -> int:
    count: int = await toy.pool.fetchval("select count(*) from events left join log using (seq) where position is null")
    return count


async def assert_dense(toy: Service) -> None:
    row = await toy.pool.fetchrow("select count(*) as n, coalesce(max(position), 0) as top from log")
    assert row is not None
    assert row["n"] == row["top"]
    disordered = await toy.pool.fetchval(
        "select count(*) from (select version - lag(version) over (partition by stream order by position) as step "
        "from events join log using (seq)) as s where step <> 1"
    )
    assert disordered == 0


async def test_an_event_that_commits_late_gets_a_later_position_and_is_not_skipped(
    toy: Service, sequencer: Sequencer
) -> None:
    async with toy.pool.acquire() as slow:
        transaction = slow.transaction()
        await transaction.start()
        await toy.carry_out(slow, Note(thing="late"), meta(), b"")
        await toy.handle(Note(thing="early"), meta())
        assert await sequencer.give() == 1
        assert await sequencer.give() == 0
        await transaction.commit()
    assert await sequencer.give() == 1
    assert await unpositioned(toy) == 0
    await assert_dense(toy)


async def test_a_number_burned_by_a_rollback_is_given_up_and_leaves_no_hole(
    toy: Service, sequencer: Sequencer, owner: asyncpg.Connection
) -> None:
    async with toy.pool.acquire() as loser:
        transaction = loser.transaction()
        await transaction.start()
        await toy.carry_out(loser, Note(thing="burned"), meta(), b"")
        await toy.handle(Note(thing="kept"), meta())
        await sequencer.give()
        assert await owner.fetchval("select count(*) from gaps") == 1
        await transaction.rollback()
    for _ in range(3):
        await sequencer.give()
    assert await owner.fetchval("select count(*) from gaps") == 0
    await assert_dense(toy)


async def test_a_long_foreign_transaction_stalls_nothing_and_loses_nothing(
    toy: Service, sequencer: Sequencer, owner: asyncpg.Connection
) -> None:
    async with owner.transaction(), toy.pool.acquire() as loser:
        await owner.fetchval("select pg_current_xact_id()")
        transaction = loser.transaction()
        await transaction.start()
        await toy.carry_out(loser, Note(thing="gone"), meta(), b"")
        await toy.handle(Note(thing="seen"), meta())
        assert await sequencer.give() == 1
        await transaction.rollback()
        for number in range(5):
            await toy.handle(Note(thing=f"seen-{number}"), meta())
            assert await sequencer.give() == 1
        assert await toy.pool.fetchval("select count(*) from gaps") == 1
    for _ in range(3):
        await sequencer.give()
    assert await toy.pool.fetchval("select count(*) from gaps") == 0
    await assert_dense(toy)


async def test_writers_racing_with_the_sequencer_end_with_every_event_positioned_once(
    toy: Service, sequencer: Sequencer
) -> None:
    async def write(writer: int) -> None:
        for number in range(6):
            async with toy.pool.acquire() as connection:
                transaction = connection.transaction()
                await transaction.start()
                await toy.carry_out(connection, Note(thing=f"race-{writer}"), meta(), b"")
                await asyncio.sleep(0.001 * ((writer * 7 + number * 3) % 5))
                await (transaction.rollback() if (writer + number) % 5 == 0 else transaction.commit())

    writing = asyncio.gather(*(write(writer) for writer in range(24)))
    while not writing.done():
        await sequencer.give()
        await asyncio.sleep(0)
    await writing
    for _ in range(4):
        await sequencer.give()
    assert await unpositioned(toy) == 0
    assert await toy.pool.fetchval("select count(*) from gaps") == 0
    await assert_dense(toy)


async def test_a_leader_whose_lease_ran_out_can_do_no_harm_when_it_comes_back(
    toy: Service, sequencer: Sequencer, owner: asyncpg.Connection
) -> None:
    rival = Sequencer(toy.pool, "identity", None)
    assert not await rival.lead()
    await owner.execute("update sequencer set lease_until = clock_timestamp() - interval '1 second'")
    assert await rival.lead()
    await toy.handle(Note(thing="after"), meta())
    assert await sequencer.give() == 0
    assert not sequencer.leading
    assert await rival.give() == 1
    await assert_dense(toy)


async def test_a_leader_that_ends_gives_up_its_lease_and_one_that_leads_no_more_takes_nobodys(
    toy: Service, sequencer: Sequencer
) -> None:
    heir = Sequencer(toy.pool, "identity", None)
    assert not await heir.lead()
    await sequencer.stop()
    assert await heir.lead()
    await sequencer.stop()
    assert not await Sequencer(toy.pool, "identity", None).lead()


@pytest.mark.parametrize("ticks", range(3))
async def test_it_stops_at_once_although_it_was_just_woken(toy: Service, owner: asyncpg.Connection, ticks: int) -> None:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    sequencer = Sequencer(toy.pool, "identity", None)
    sequencer.start()
    await asyncio.sleep(0.3)  # by then it idles
    sequencer.wake()
    for _ in range(ticks):
        await asyncio.sleep(0)
    stopped, _ = await asyncio.wait([asyncio.create_task(sequencer.stop())], timeout=60)
    assert stopped


async def test_every_event_is_published_once_and_in_order_whoever_gave_its_position_and_however_many_come(
    toy: Service, sequencer: Sequencer, owner: asyncpg.Connection, amqp_url: str
) -> None:
    taken: list[Envelope] = []

    async def take(envelopes: Sequence[Envelope]) -> None:
        taken.extend(envelope for envelope in envelopes if envelope.stream.startswith("toy-published-"))

    async def all_of_it() -> bool:
        return len(taken) >= 1242

    await owner.execute("update sequencer set published = (select coalesce(max(position), 0) from log)")
    await toy.handle(Note(thing="published-1", count=40), meta())
    assert await sequencer.give() == 40
    await owner.execute("update sequencer set lease_until = '-infinity'")
    leader = Sequencer(toy.pool, "identity", Publisher(amqp_url, "identity"))
    subscriber = asyncio.create_task(Subscriber(amqp_url, "exemption", take, lambda: None).run())
    leader.start()
    try:
        for number, size in enumerate((1, 700, 500, 1)):
            await toy.handle(Note(thing=f"published-{number % 2}", count=size), meta())
            leader.wake()
            await asyncio.sleep(0.1 * number)
        await until(all_of_it)
    finally:
        await leader.stop()
        await end([subscriber])
    positions = [envelope.position for envelope in taken]
    assert sorted(positions) == list(range(min(positions), min(positions) + 1242))
    for stream in ("toy-published-0", "toy-published-1"):
        versions = [envelope.version for envelope in taken if envelope.stream == stream]
        assert versions == list(range(1, len(versions) + 1))


class _Slow(Publisher):
    """A publisher whose broker is as slow to confirm as the test wants it; what was confirmed, in order."""

    def __init__(self, amqp_url: str) -> None:
        super().__init__(amqp_url, "identity")
        self.confirmed: list[int] = []
        self.at_it = asyncio.Event()
        self.go_on = asyncio.Event()

    async def publish(self, batch: Sequence[Envelope]) -> int:
        self.at_it.set()
        await self.go_on.wait()
        number = await super().publish(batch)
        self.confirmed += [envelope.position for envelope in batch]
        return number


async def test_what_another_leader_gave_while_we_waited_for_the_broker_is_published_too(
    toy: Service, sequencer: Sequencer, owner: asyncpg.Connection, amqp_url: str
) -> None:
    async def unlead() -> None:
        await owner.execute("update sequencer set lease_until = '-infinity'")

    async def positioned() -> bool:
        return await unpositioned(toy) == 0

    async def leads() -> bool:
        return ours.leading

    async def rival_leads() -> bool:
        await unlead()
        return await sequencer.lead()

    await owner.execute("update sequencer set published = (select coalesce(max(position), 0) from log)")
    await unlead()
    slow = _Slow(amqp_url)
    ours = Sequencer(toy.pool, "identity", slow)
    ours.start()
    try:
        await until(leads)
        await asyncio.sleep(0.6)  # by then it knows that all is published
        await toy.handle(Note(thing="overlap-0"), meta())
        await slow.at_it.wait()
        await toy.handle(Note(thing="overlap-1"), meta())
        await until(positioned)
        await until(rival_leads)
        await toy.handle(Note(thing="overlap-2"), meta())
        assert await sequencer.give() == 1
        await sequencer.stop()
        await until(leads)
        await toy.handle(Note(thing="overlap-3"), meta())
        await until(positioned)
        last = await toy.feed_head()
        slow.go_on.set()
        await until(lambda: _reached(slow, last))
    finally:
        await ours.stop()
    assert slow.confirmed == list(range(last - len(slow.confirmed) + 1, last + 1))


async def _reached(slow: _Slow, position: int) -> bool:
    return position in slow.confirmed
