"""Replay on a real PostgreSQL: what the events say and what the read models say are compared row by row."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import replace as changed
from typing import Any, cast
from uuid import uuid4

import asyncpg
import pytest

from shared.events.identity import MobileReplaced
from shared.kernel.messages import Event, Fact, Meta
from shared.kernel.time import utc_now
from shared.runtime.database import with_database
from shared.runtime.event_store import View
from shared.runtime.keyring import Keyring
from shared.runtime.replay import Comparison, Stopped, Table, _pages, compare, replace
from shared.runtime.rows import Connection, Tx
from shared.runtime.service import Service
from shared.testing.stores import KEK, pool_of, prepared
from tests.conftest import Databases
from tests.shared.runtime.toy import DEFINITION, TABLE, Note, NoteMobile

pytestmark = pytest.mark.servers


def meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now())


@pytest.fixture(scope="module")
async def template(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity"])
        owner = await asyncpg.connect(url)
        await owner.execute(TABLE)
        await owner.close()
        yield url


@pytest.fixture
async def empty(template: str, databases: Databases) -> AsyncIterator[Service]:
    async with databases.fresh(template=template) as url, pool_of(url, "identity") as pool:
        yield Service(DEFINITION, pool, KEK, utc_now, None)


@pytest.fixture
async def toy(empty: Service) -> Service:
    """3 toys, 1 claim, 1 timer; some events have positions and some do not."""
    await empty.keyring.create("person-c")
    await empty.handle(Note(thing="a", count=2), meta())
    await empty.handle(Note(thing="b"), meta())
    await empty.sequencer.lead()
    await empty.sequencer.give()
    await empty.handle(Note(thing="a"), meta())
    await empty.handle(NoteMobile(thing="c", person="person-c", mobile="13900000001"), meta())
    return empty


async def compared(service: Service) -> Comparison:
    async with service.reading() as connection:
        return await compare(connection, service.definition, service.keyring)


def table_of(comparison: Comparison, name: str) -> Table:
    return next(table for table in comparison.tables if table.name == name)


async def test_an_honest_service_has_no_differences_over_a_known_number_of_rows(toy: Service) -> None:
    comparison = await compared(toy)
    assert comparison.differing == 0
    assert comparison.events == 5
    assert {table.name: (table.live, table.rebuilt) for table in comparison.tables} == {
        "toys": (3, 3),
        "claims": (1, 1),
        "timers": (1, 1),
    }
    assert comparison.rows == 5


async def test_where_nothing_was_recorded_nothing_was_compared_and_that_can_be_seen(empty: Service) -> None:
    assert (await compared(empty)).rows == 0


async def test_a_changed_row_is_shown_by_its_key_and_the_columns_that_differ(toy: Service) -> None:
    await toy.pool.execute("update toys set notes = 9 where thing = 'a'")
    toys = table_of(await compared(toy), "toys")
    assert toys.differing == 1
    (sample,) = toys.samples
    assert sample.key == {"thing": "a"}
    assert sample.columns == ("notes",)
    assert (sample.live, sample.rebuilt) == ({"thing": "a", "notes": 9}, {"thing": "a", "notes": 3})


async def test_a_row_that_is_missing_and_one_too_many_are_both_shown(toy: Service) -> None:
    await toy.pool.execute("update toys set thing = 'z' where thing = 'a'")
    toys = table_of(await compared(toy), "toys")
    assert (toys.live, toys.rebuilt, toys.differing) == (3, 3, 2)
    assert [(sample.key["thing"], sample.live is None, sample.rebuilt is None) for sample in toys.samples] == [
        ("a", True, False),
        ("z", False, True),
    ]


async def test_claims_and_timers_are_compared_too(toy: Service) -> None:
    await toy.pool.execute("delete from claims")
    await toy.pool.execute("update timers set due_at = due_at + interval '1 microsecond'")
    comparison = await compared(toy)
    assert (table_of(comparison, "claims").differing, table_of(comparison, "timers").differing) == (1, 1)


async def test_that_somebody_works_on_a_timer_is_no_difference(toy: Service) -> None:
    await toy.pool.execute("update timers set leased_until = now()")
    assert (await compared(toy)).differing == 0


async def test_comparing_changes_nothing_and_leaves_nothing_behind(toy: Service) -> None:
    await toy.pool.execute("update toys set notes = 9 where thing = 'a'")
    async with toy.reading() as connection:
        await compare(connection, toy.definition, toy.keyring)
        assert await connection.fetchval("select notes from toys where thing = 'a'") == 9
        assert await connection.fetchval("select count(*) from pg_class where relpersistence = 't'") == 0


async def test_a_connection_that_has_projected_before_still_builds_beside_the_live_tables(toy: Service) -> None:
    """Its prepared statements named the live tables when they were made."""
    async with toy.reading() as connection:
        async with connection.transaction():
            await toy.carry_out(connection, Note(thing="d"), meta(), b"digest")
        comparison = await compare(connection, toy.definition, toy.keyring)
        assert comparison.differing == 0
        assert table_of(comparison, "toys").rebuilt == 4
        async with connection.transaction():
            await toy.carry_out(connection, Note(thing="d"), meta(), b"digest")
        assert await connection.fetchval("select notes from toys where thing = 'd'") == 2


async def test_an_unknown_type_of_event_stops_the_replay_with_a_sentence(toy: Service) -> None:
    await toy.pool.execute(
        "insert into events "
        "(stream, version, type, event_id, command_id, actor, recorded_at, body, previous_hash, hash) "
        "select 'toy-x', 1, 'identity.unheard_of.v1', gen_random_uuid(), gen_random_uuid(), 'tester', now(), '{}', "
        "'', ''"
    )
    with pytest.raises(Stopped, match=r"Version 1 of toy-x is of the type identity\.unheard_of\.v1, which"):
        await compared(toy)


async def test_a_projection_that_asks_the_clock_is_caught(toy: Service) -> None:
    """Rows must be the same after a rebuild; here one is not."""

    async def at_any_time(tx: Tx, fact: Fact[Event]) -> None:
        await tx.schedule("remind", fact.stream, utc_now())

    wrong = changed(DEFINITION, views=(*DEFINITION.views, View("wrong", (), {MobileReplaced: at_any_time})))
    async with toy.reading() as connection:
        comparison = await compare(connection, wrong, toy.keyring)
    assert table_of(comparison, "timers").differing == 1


async def test_what_follows_from_events_can_be_put_back(toy: Service) -> None:
    await toy.pool.execute("update toys set thing = 'z' where thing = 'a'")
    await toy.pool.execute("delete from claims")
    async with toy.reading() as connection:
        assert await replace(connection, toy.definition, toy.keyring) == {"toys": 3, "claims": 1, "timers": 1}
    assert await toy.pool.fetchval("select notes from toys where thing = 'a'") == 3
    assert (await compared(toy)).differing == 0


async def test_rows_are_put_back_while_others_write_and_read_and_nothing_is_lost(toy: Service) -> None:
    seen: list[int] = []

    async def write(number: int) -> None:
        await toy.handle(Note(thing=f"w{number % 7}"), meta())
        seen.append(await toy.pool.fetchval("select count(*) from toys where thing in ('a', 'b', 'c')"))

    async def put_back(connection: Connection) -> None:
        await replace(connection, toy.definition, toy.keyring)

    async with toy.reading() as connection:
        await asyncio.gather(*(write(number) for number in range(40)), put_back(connection))
    assert set(seen) == {3}
    comparison = await compared(toy)
    assert (comparison.differing, comparison.events) == (0, 45)


async def test_an_append_waits_until_the_rows_are_put_back(toy: Service) -> None:
    async with toy.reading() as connection, connection.transaction(isolation="repeatable_read"):
        await replace(connection, toy.definition, toy.keyring)
        writing = asyncio.create_task(toy.handle(Note(thing="late"), meta()))
        done, _ = await asyncio.wait([writing], timeout=0.3)
        assert not done
    await writing
    assert (await compared(toy)).differing == 0


@pytest.mark.parametrize("rebuild", [compare, replace])
async def test_a_keyring_outage_stops_the_replay_replaces_nothing_and_is_no_erasure(
    toy: Service, template: str, rebuild: Callable[..., Awaitable[object]]
) -> None:
    here = await toy.pool.fetchval("select current_database()")
    owner = await asyncpg.connect(with_database(template, here))
    await toy.pool.execute("update toys set notes = 9 where thing = 'a'")
    await owner.execute("revoke execute on function keyring.read_keys from identity")
    async with toy.reading() as connection:
        with pytest.raises(Stopped, match="The keyring does not answer"):
            await rebuild(connection, toy.definition, Keyring(toy.pool, KEK))
        assert await connection.fetchval("select notes from toys where thing = 'a'") == 9
        assert await connection.fetchval("select count(*) from claims") == 1
        await owner.execute("grant execute on function keyring.read_keys to identity")
        comparison = await compare(connection, toy.definition, Keyring(toy.pool, KEK))
    assert (comparison.differing, table_of(comparison, "claims").rebuilt) == (1, 1)
    await owner.close()


class _Cut:
    """A connection whose first page comes, and whose second ends as a test says."""

    def __init__(self, second: Callable[[], Awaitable[None]]) -> None:
        self._pages = [_one_page(), second()]
        self.ended = asyncio.Event()

    async def fetch(self, *_: object) -> object:
        try:
            return await self._pages.pop(0)
        finally:
            if not self._pages:
                self.ended.set()


async def _one_page() -> list[dict[str, int]]:
    return [{"seq": 1}]


async def test_the_page_that_is_asked_for_ahead_is_given_up_with_the_rebuild() -> None:
    """Also when it is told to end once more meanwhile: the connection is free for the rollback."""
    cut = _Cut(asyncio.Event().wait)  # type: ignore[arg-type] # it never comes

    async def fold() -> None:
        async with aclosing(_pages(cast(Any, cut))) as pages:
            async for _ in pages:
                await asyncio.Event().wait()

    folding = asyncio.create_task(fold())
    await asyncio.sleep(0.05)
    for _ in range(2):
        folding.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(folding, 5)
    assert cut.ended.is_set()


async def test_what_became_of_a_page_that_nobody_wants_any_more_is_no_loose_end() -> None:
    async def away() -> None:
        raise ConnectionError

    said: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: said.append(context["message"]))
    async with aclosing(_pages(cast(Any, _Cut(away)))) as pages:
        await anext(pages)
        await asyncio.sleep(0.01)
    gc.collect()
    await asyncio.sleep(0)
    asyncio.get_running_loop().set_exception_handler(None)
    assert said == []
