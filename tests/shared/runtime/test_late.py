"""A command goes to the database twice, to read and to write, and yet all of it happens or nothing."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kernel.errors import Refused
from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.event_store import Conflict, Recorded, Work, told_apart
from shared.runtime.keyring import Keyring
from shared.runtime.late import late
from shared.runtime.points import LISTENERS
from shared.runtime.rows import Connection, SqlTx, Tx
from shared.runtime.service import Service
from shared.testing.stores import KEK, pool_of
from tests.shared.runtime.toy import DEFINITION, TOY, Note, NoteMobile

pytestmark = pytest.mark.servers

PERSON = "5a1f0c3e-0000-4000-8000-0000000001a7"
TABLES = ("things", "others", "more")
COMMANDS = "select count(*) from commands where command_id = $1"
_WAITS_FOR_STREAMS = "select pid from pg_locks where not granted and relation = 'streams'::regclass"
_HELD = "select exists (select from pg_locks where granted and pid = $1 and relation = $2::text::regclass)"


def meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now())


@pytest.fixture
async def said(toy_database: str) -> AsyncIterator[tuple[Service, list[str]]]:
    """A service with one connection, and what goes over it."""
    heard: list[str] = []
    async with pool_of(toy_database, "identity", size=1) as pool, pool_of(toy_database, "identity") as keys:
        async with pool.acquire() as connection:
            connection.add_query_logger(lambda query: heard.append(query.query))
        service = Service(DEFINITION, pool, KEK, utc_now, None, keys)
        await service.handle(Note(thing="warm", count=3), meta())  # the client learns the types of the arrays
        heard.clear()
        yield service, heard


async def test_a_command_reads_and_then_writes_everything_in_one_statement(said: tuple[Service, list[str]]) -> None:
    service, heard = said
    for _ in ("a new stream", "one that goes on"):
        heard.clear()
        await service.handle(Note(thing="two"), meta())
        load, write = heard
        assert load.startswith("select")
        for table in ("commands", "streams", "events", "toys"):
            assert table in write


@pytest.mark.parametrize("before", [0, 2, 9], ids=["not planned yet", "planned each time", "with a plan for all"])
@pytest.mark.parametrize("begun", [False, True], ids=["a new stream", "one that goes on"])
async def test_a_command_locks_the_heads_before_any_read_model_as_a_rebuild_does(
    said: tuple[Service, list[str]], owner: asyncpg.Connection, begun: bool, before: int
) -> None:
    service, _ = said
    things = [f"locks-{begun}-{before}-{0 if begun else number}" for number in range(before + 1)]
    if begun:
        await service.handle(Note(thing=things[0], count=2), meta())
    for thing in things[:-1]:
        await service.handle(Note(thing=thing), meta())
    async with owner.transaction():
        await owner.execute("lock table streams in share row exclusive mode")
        writing = asyncio.create_task(service.handle(Note(thing=things[-1]), meta()))
        async with asyncio.timeout(20):
            while not (pid := await owner.fetchval(_WAITS_FOR_STREAMS)):  # noqa: ASYNC110 - it polls a database
                await asyncio.sleep(0.01)
        assert await owner.fetchval(_HELD, pid, "commands")
        assert not await owner.fetchval(_HELD, pid, "toys")
    await writing


async def test_two_writes_of_one_table_go_one_after_the_other_in_a_transaction(said: tuple[Service, list[str]]) -> None:
    service, heard = said
    await service.handle(Note(thing="twice", count=2), meta())
    assert [words.split()[0].strip(";") for words in heard] == ["select", "BEGIN", "with", "insert", "COMMIT"]
    assert await service.pool.fetchval("select notes from toys where thing = 'twice'") == 2


async def test_a_claim_is_made_after_the_append_and_in_its_transaction(said: tuple[Service, list[str]]) -> None:
    service, heard = said
    await service.keyring.create(PERSON)
    await service.handle(NoteMobile(thing="claims", person=PERSON, mobile="13900000171"), meta())
    began, append, claim, timer, done = heard[1:]
    assert began.startswith("BEGIN")
    assert "events" in append
    assert "claims" in claim
    assert "timers" in timer
    assert done.startswith("COMMIT")
    heard.clear()
    with pytest.raises(Refused, match=r"claim\.taken"):
        await service.handle(NoteMobile(thing="claims-too", person=PERSON, mobile="13900000171"), meta())
    assert "ROLLBACK;" in heard
    assert not await service.pool.fetchval("select exists (select from events where stream = 'toy-claims-too')")


async def test_a_crash_before_the_commit_leaves_nothing_and_one_after_it_everything(toy: Service) -> None:
    class Crash(Exception):
        pass

    @contextmanager
    def crashing(at: str) -> Any:
        def listen(point: str) -> None:
            if point == at:
                raise Crash

        LISTENERS.append(listen)
        yield
        LISTENERS.remove(listen)

    for number, command in enumerate((Note(thing="crash"), Note(thing="crash", count=2))):
        for at, kept in (("commit.before", 0), ("commit.after", 1)):
            asked = meta()
            with crashing(at), pytest.raises(Crash):
                await toy.handle(command, asked)
            assert await toy.pool.fetchval(COMMANDS, asked.command_id) == kept
        assert await toy.pool.fetchval("select notes from toys where thing = 'crash'") == (1, 3)[number]


@pytest.mark.parametrize("count", [1, 2], ids=["one event", "two"])
@pytest.mark.parametrize("begun", [False, True], ids=["a new stream", "one that goes on"])
async def test_who_comes_second_writes_neither_command_nor_rows_and_burns_no_number(
    toy: Service, count: int, begun: bool
) -> None:
    thing, asked = f"second-{count}-{begun}", meta()
    if begun:
        await toy.handle(Note(thing=thing), meta())

    async def overtaken(connection: Connection) -> None:
        with told_apart():
            async with late(connection, toy.keyring) as tx:
                await _execute(toy, tx, asked, Note(thing=thing, text="late", count=count))
                await toy.handle(Note(thing=thing, text="by a rival"), meta())

    async with toy.pool.acquire() as connection:
        with pytest.raises(Conflict):
            await overtaken(connection)
        assert await connection.fetchval(COMMANDS, asked.command_id) == 0
        assert await connection.fetchval("select notes from toys where thing = $1", thing) == begun + 1
        await toy.handle(Note(thing=thing), meta())
        numbers = "select max(seq) - min(seq) from events where stream = $1"
        assert await connection.fetchval(numbers, f"toy-{thing}") == begun + 1


async def test_an_id_that_is_recorded_already_is_told_from_a_stream_that_moved(toy: Service) -> None:
    asked = meta()
    await toy.handle(Note(thing="first"), asked)
    async with toy.pool.acquire() as connection:
        for command in (Note(thing="other"), Note(thing="other", count=0)):
            with pytest.raises(Recorded), told_apart():
                async with late(connection, toy.keyring) as tx:
                    await _execute(toy, tx, asked, command)
        assert await connection.fetchval("select count(*) from events where stream = 'toy-other'") == 0


async def test_who_opens_the_transaction_sees_what_was_written_and_nobody_else_does(toy: Service) -> None:
    counted = "select count(*) from events where stream = 'toy-open'"
    async with toy.pool.acquire() as connection, late(connection, toy.keyring) as tx:
        await _execute(toy, tx, meta(), Note(thing="open"))
        assert await (await tx.open()).fetchval(counted) == 1
        assert await toy.pool.fetchval(counted) == 0
        assert await tx.find("toys", thing="open") == [{"thing": "open", "notes": 1}]
    assert await toy.pool.fetchval(counted) == 1


async def test_an_exception_undoes_what_an_open_transaction_wrote(toy: Service) -> None:
    async def broken(connection: Connection) -> None:
        async with late(connection, toy.keyring) as tx:
            await _execute(toy, tx, meta(), Note(thing="broken"))
            await tx.open()
            raise ZeroDivisionError

    async with toy.pool.acquire() as connection:
        with pytest.raises(ZeroDivisionError):
            await broken(connection)
        assert await connection.fetchval("select count(*) from events where stream = 'toy-broken'") == 0


async def _execute(toy: Service, tx: SqlTx, asked: Meta, command: Note) -> None:
    work = Work(tx, toy.name, toy.keyring, toy.projector, asked, b"digest", None)
    await work.execute(TOY, command.thing, command, None)


# Whatever projections say, and in whatever order, comes to the same rows.


async def _insert(tx: Tx, table: str, thing: str, number: int) -> None:
    await tx.insert(table, owner=thing, count=number)


async def _put(tx: Tx, table: str, thing: str, number: int) -> None:
    await tx.put(table, ("id",), id=thing, owner=str(number), version=number)


async def _add(tx: Tx, table: str, thing: str, number: int) -> None:
    await tx.add(table, {"id": thing}, count=number)


async def _change(tx: Tx, table: str, thing: str, number: int) -> None:
    await tx.change(table, {"owner": None}, owner=thing, count=number)


async def _remove(tx: Tx, table: str, thing: str, number: int) -> None:
    await tx.remove(table, owner=str(number))


async def _find(tx: Tx, table: str, thing: str, number: int) -> None:
    for row in await tx.find(table, id=thing):
        await tx.add(table, {"id": "found"}, count=row["count"])


Step = Callable[[Tx, str, str, int], Awaitable[None]]
STEPS: tuple[Step, ...] = (_insert, _insert, _put, _add, _change, _remove, _find)
_SAID = st.lists(
    st.tuples(st.sampled_from(STEPS), st.sampled_from(TABLES), st.sampled_from("ab"), st.integers(1, 3)), max_size=24
)


@pytest.fixture
async def rows(toy_database: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(toy_database)
    for table in TABLES:
        await connection.execute(
            f"create temporary table {table} (id text unique, owner text, count integer not null default 0, "
            "version integer not null default 0)"
        )
    yield connection
    await connection.close()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_SAID)
async def test_what_waits_comes_to_the_same_rows_as_what_is_done_at_once(
    rows: asyncpg.Connection, steps: list[tuple[Step, str, str, int]]
) -> None:
    keyring = Keyring(None, KEK)  # type: ignore[arg-type] # nobody's key is asked for
    found = []
    for lately in (True, False):
        await rows.execute(f"truncate {', '.join(TABLES)}")
        if lately:
            async with late(rows, keyring) as tx:
                await _all(tx, steps)
        else:
            await _all(SqlTx(rows, keyring), steps)
        found.append([sorted(map(str, await rows.fetch(f"select * from {table}"))) for table in TABLES])
    assert found[0] == found[1]


async def _all(tx: SqlTx, steps: list[tuple[Step, str, str, int]]) -> None:
    for step, table, thing, number in steps:
        await step(tx, table, thing, number)
