"""Many commands in one transaction end as each alone would, for two statements in all."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Meta, Receipt
from shared.kernel.time import utc_now
from shared.runtime.batch import Batch
from shared.runtime.event_store import Conflict, Recorded, Work, records_of
from shared.runtime.points import LISTENERS
from shared.runtime.records import GENESIS, chained
from shared.runtime.rows import Connection
from shared.runtime.service import Service
from tests.shared.runtime.follower import Follower
from tests.shared.runtime.toy import DEFINITION, TOY, Echo, Note, NoteMobile

pytestmark = pytest.mark.servers

PERSON = "5a1f0c3e-0000-4000-8000-00000000ba7c"


def meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now(), person=PERSON)


def asking(*commands: Command) -> list[tuple[Command, Meta]]:
    return [(command, meta()) for command in commands]


async def carried_out(service: Service, connection: Connection, asked: Sequence[tuple[Command, Meta]]) -> list[Receipt]:
    batch = Batch(service, connection)
    await batch.foresee(asked)
    receipts = [await batch.carry_out(command, meta, service.digest(command)) for command, meta in asked]
    await batch.finish()
    return receipts


async def written(connection: Connection) -> list[list[Any]]:
    """What the transaction has changed so far, but for the sequence numbers."""
    return [
        [tuple(row.values()) for row in await connection.fetch(query)]
        for query in (
            "select to_jsonb(t) - 'seq' from events as t where t.xmin = pg_current_xact_id()::xid order by t.seq",
            "select to_jsonb(t) from commands as t where t.xmin = pg_current_xact_id()::xid order by t.command_id",
            "select to_jsonb(t) from streams as t where t.xmin = pg_current_xact_id()::xid order by t.stream",
            "select to_jsonb(t) from toys as t order by t.thing",
            "select to_jsonb(t) from claims as t order by t.stream",
            "select to_jsonb(t) from timers as t order by t.stream",
        )
    ]


async def test_a_batch_writes_what_its_commands_write_one_after_the_other(toy: Service) -> None:
    await toy.keyring.create(PERSON)
    await toy.handle(Note(thing="old", text="there before"), meta())
    asked = asking(
        Note(thing="new", text="one", count=2),
        Note(thing="old", text="two"),
        NoteMobile(thing="new", person=PERSON, mobile="13900000000"),
        Note(thing="nothing", count=0),
        Note(thing="old", text="three", count=3),
    )
    async with toy.pool.acquire() as connection:
        alone = connection.transaction()
        await alone.start()
        receipts = [await toy.carry_out(connection, command, meta, toy.digest(command)) for command, meta in asked]
        expected = await written(connection)
        await alone.rollback()
        together = connection.transaction()
        await together.start()
        assert await carried_out(toy, connection, asked) == receipts
        found = await written(connection)
        await together.rollback()
    assert found == expected
    assert [len(rows) for rows in found[:3]] == [7, 5, 2]


async def test_a_stream_that_several_commands_write_to_stays_one_chain(toy: Service) -> None:
    async with toy.pool.acquire() as connection, connection.transaction():
        await carried_out(toy, connection, asking(*(Note(thing="chain", text=str(number)) for number in range(5))))
        records = await records_of(connection, "toy-chain")
        head = await connection.fetchrow("select version, hash from streams where stream = 'toy-chain'")
    assert [record.version for record in records] == [1, 2, 3, 4, 5]
    previous = GENESIS
    for record in records:
        assert record.previous_hash == previous
        assert record.hash == chained(record)
        previous = record.hash
    assert head is not None
    assert tuple(head) == (5, previous)


async def test_a_batch_of_any_size_reads_once_and_appends_once(toy: Service) -> None:
    async def statements(connection: Connection, size: int) -> list[str]:
        said: list[str] = []
        asked = asking(*(Note(thing=f"many-{size}-{number}", count=2) for number in range(size)))
        with connection.query_logger(lambda query: said.append(query.query)):
            await carried_out(toy, connection, asked)
        return [query for query in said if "toys" not in query]

    async with toy.pool.acquire() as connection, connection.transaction():
        await statements(connection, 2)  # the client learns the types of the arrays
        for size in (1, 40):
            read, append = await statements(connection, size)
            assert "from events" in read
            assert "append_all" in append


async def test_only_a_batch_that_read_models_follow_needs_a_transaction_around_it(
    toy: Service, follower: Follower
) -> None:
    async def said_of(service: Service, asked: Sequence[tuple[Command, Meta]]) -> list[str]:
        said: list[str] = []
        async with service.pool.acquire() as connection:
            batch = Batch(service, connection)
            await batch.foresee(asked)
            with connection.query_logger(lambda query: said.append(query.query)):
                async with batch.transaction():
                    for command, each in asked:
                        await batch.carry_out(command, each, b"")
                    await batch.finish()
        return said

    for turn in range(2):  # in the first the client learns the types of the arrays
        echoes = asking(*(Echo(thing=f"unseen-{turn}-{number}", version=1, text="said") for number in range(3)))
        unseen = await said_of(follower.service, echoes)
        shown = await said_of(toy, asking(Note(thing=f"seen-{turn}")))
    (written,) = unseen
    assert "append_all" in written
    assert [shown[0], shown[1], shown[-1]] == ["BEGIN;", written, "COMMIT;"]


async def test_a_stream_that_somebody_moved_after_it_was_read_undoes_the_whole_batch(toy: Service) -> None:
    asked = asking(Note(thing="still"), Note(thing="moved"))

    async def overtaken(connection: Connection) -> None:
        async with connection.transaction():
            batch = Batch(toy, connection)
            await batch.foresee(asked)
            await toy.handle(Note(thing="moved", text="by a rival"), meta())
            for command, each in asked:
                await batch.carry_out(command, each, b"")
            await batch.finish()

    async with toy.pool.acquire() as connection:
        with pytest.raises(Conflict):
            await overtaken(connection)
        assert await toy.history(connection, "toy-still") == []
        assert [fact.event.purpose for fact in await toy.history(connection, "toy-moved")] == ["by a rival"]
        known = "select count(*) from commands where command_id = $1"
        assert await connection.fetchval(known, asked[0][1].command_id) == 0


@pytest.mark.parametrize("count", [1, 0], ids=["an event", "no event"])
async def test_a_command_that_was_carried_out_before_undoes_the_whole_batch(toy: Service, count: int) -> None:
    before = (Note(thing=f"before-{count}", count=count), meta())
    await toy.handle(*before)
    fresh = asking(Note(thing=f"fresh-{count}"))
    async with toy.pool.acquire() as connection:
        with pytest.raises(Recorded):
            async with connection.transaction():
                await carried_out(toy, connection, [*fresh, before])
        assert await toy.history(connection, f"toy-fresh-{count}") == []
        assert len(await toy.history(connection, f"toy-before-{count}")) == count


async def test_a_command_is_decided_on_what_those_before_it_left(toy: Service) -> None:
    async with toy.pool.acquire() as connection:
        async with connection.transaction():
            await carried_out(toy, connection, asking(Note(thing="seen", at=0), Note(thing="seen", at=1)))
        with pytest.raises(Refused):
            async with connection.transaction():
                await carried_out(toy, connection, asking(Note(thing="seen", at=2), Note(thing="seen", at=2)))


async def test_batches_over_the_same_streams_in_any_order_never_wait_for_each_other_for_ever(toy: Service) -> None:
    things = [f"cross-{number}" for number in range(12)]

    async def insist(order: Sequence[str]) -> int:
        asked = asking(*(Note(thing=thing) for thing in order))
        lost = 0
        while True:
            try:
                async with toy.pool.acquire() as connection, connection.transaction():
                    await carried_out(toy, connection, asked)
                    return lost
            except Conflict:
                lost += 1

    lost = await asyncio.gather(*(insist(things[turn:] + things[:turn]) for turn in range(6)), insist(things[::-1]))
    assert sum(lost) > 0
    async with toy.reading() as connection:
        assert {len(await toy.history(connection, f"toy-{thing}")) for thing in things} == {7}


class CountNotes(Command):
    """Its handler asks the read model itself how many there are."""

    thing: str


async def count_notes(work: Work, command: CountNotes) -> Receipt:
    notes = await work.tx.connection.fetchval("select notes from toys where thing = $1", command.thing)
    return await work.execute(TOY, command.thing, Note(thing=command.thing, text=f"counted {notes}"), None)


async def test_a_handler_that_asks_the_read_models_finds_them_as_the_commands_before_it_left_them(toy: Service) -> None:
    definition = replace(DEFINITION, handlers={**DEFINITION.handlers, CountNotes: count_notes})
    service = Service(definition, toy.pool, bytes(32), utc_now, None)
    async with service.pool.acquire() as connection:
        async with connection.transaction():
            await carried_out(service, connection, asking(Note(thing="asked", count=3), CountNotes(thing="asked")))
        facts = await service.history(connection, "toy-asked")
    assert facts[-1].event.purpose == "counted 3"


async def test_a_batch_whose_handler_asks_the_database_moves_the_inbox_before_it_appends(
    toy: Service, follower: Follower
) -> None:
    """As one event alone does: two that take the same in another order wait for each other."""
    definition = replace(DEFINITION, handlers={**DEFINITION.handlers, CountNotes: count_notes})
    service = Service(definition, follower.service.pool, bytes(32), utc_now, None)
    asked = asking(CountNotes(thing="ordered"))
    said: list[str] = []
    async with toy.pool.acquire() as connection:
        batch = Batch(service, connection, (["exemption"], ["toy-ordered"], [0], [1]))
        await batch.foresee(asked)
        with connection.query_logger(lambda query: said.append(query.query)):
            async with batch.transaction():
                for command, each in asked:
                    await batch.carry_out(command, each, b"")
                await batch.finish()
        moved = "select version from inbox where stream = 'toy-ordered'"
        assert await connection.fetchval(moved) == 1
    (inbox,) = (number for number, query in enumerate(said) if "move_inbox" in query)
    (append,) = (number for number, query in enumerate(said) if "insert into events" in query)
    assert said[0] == "BEGIN;"
    assert inbox < append


class Crash(Exception):
    """At a named point."""


async def test_a_crash_at_its_named_point_leaves_nothing_of_a_batch_although_its_read_models_are_written(
    toy: Service,
) -> None:
    async def crashed_at_the_point(connection: Connection, asked: Sequence[tuple[Command, Meta]]) -> list[bool]:
        """Whether the transaction was open, each time the point was reached."""
        reached: list[bool] = []

        def crash(point: str) -> None:
            if point == "effects.before":
                reached.append(connection.is_in_transaction())
                raise Crash

        LISTENERS.append(crash)
        try:
            await carried_out(toy, connection, asked)
        except Crash:
            pass
        finally:
            LISTENERS.remove(crash)
        return reached

    said: list[str] = []
    async with toy.pool.acquire() as connection:
        with connection.query_logger(lambda query: said.append(query.query)):
            assert await crashed_at_the_point(connection, asking(Note(thing="dies"))) == [True]
        assert ["toys" in query for query in said if query.startswith("insert")] == [True]
        assert await connection.fetchval("select count(*) from toys where thing = 'dies'") == 0
        assert await toy.history(connection, "toy-dies") == []
        nothing_asked = await crashed_at_the_point(connection, [])
        nothing_shown = await crashed_at_the_point(connection, asking(Note(thing="dies", count=0)))
    assert (nothing_asked, nothing_shown) == ([], [False])


async def test_a_bug_in_a_handler_is_told_and_nothing_of_the_batch_stays(toy: Service) -> None:
    async def divide(work: Work, command: CountNotes) -> Receipt:
        await work.load(TOY, command.thing)
        raise ZeroDivisionError

    definition = replace(DEFINITION, handlers={**DEFINITION.handlers, CountNotes: divide})
    service = Service(definition, toy.pool, bytes(32), utc_now, None)
    async with service.pool.acquire() as connection:
        with pytest.raises(ZeroDivisionError):
            async with connection.transaction():
                await carried_out(service, connection, asking(Note(thing="bug"), CountNotes(thing="bug")))
        assert await service.history(connection, "toy-bug") == []
