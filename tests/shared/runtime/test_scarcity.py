"""What runs out: room on the disk, connections, a follower's time. Refused in good order, and nothing is lost.

The folder of blobs is in `test_blobs.py` and `services/exemption/test_uploads.py`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

import asyncpg
import httpx
import pytest
import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from ops.stack.infrastructure import Infrastructure
from shared.kernel.messages import Receipt
from shared.kernel.time import utc_now
from shared.runtime.access import CommandMeta, ServiceCallerDep, ServiceDep
from shared.runtime.consumer import _PAGE
from shared.runtime.event_store import OUTAGE, Work
from shared.runtime.feed import Envelope
from shared.runtime.node import WAIT_SECONDS, Node
from shared.runtime.service import Service
from shared.runtime.telemetry import log_as_json
from shared.testing.services import Web
from shared.testing.services import running as running_web
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.full_disk import WAL_SEGMENT, postgres_files_at_most
from tests.shared.runtime.nodes import running, until
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, Echo, Note, early, echo
from tests.shared.runtime.web import Logged, logged

__all__ = ["logged"]
router = APIRouter(prefix="/v1")


class Body(BaseModel):
    thing: str
    count: int = 1


@router.post("/notes")
async def note(body: Body, service: ServiceDep, caller: ServiceCallerDep, meta: CommandMeta) -> int:
    return (await service.handle(Note(thing=body.thing, count=body.count), meta, caller=caller)).version


@pytest.fixture
async def web(toy_database: str, owner: asyncpg.Connection, tmp_path: Path) -> AsyncIterator[Web]:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    async with running_web(replace(DEFINITION, router=router), toy_database, tmp_path) as running_one:
        yield running_one


async def write(web: Web, thing: str, key: str | None = None, count: int = 1) -> httpx.Response:
    body = {"thing": thing, "count": count}
    return await web.client.post("/v1/notes", json=body, headers=web.as_service("exemption", key))


def refused(answer: httpx.Response) -> bool:
    """And if so, in good order."""
    if answer.status_code == 200:
        return False
    assert (answer.status_code, answer.json()["code"]) == (503, "service.unavailable")
    assert int(answer.headers["retry-after"]) > 0
    return True


# --- connections


@pytest.mark.servers
async def test_requests_beyond_the_connections_wait_a_while_and_are_refused_and_health_goes_on(
    web: Web, owner: asyncpg.Connection, logged: Logged
) -> None:
    crowd = [f"crowd-{number}" for number in range(40)]
    async with AsyncExitStack() as held:
        for _ in range(web.service.pool.get_max_size()):
            await held.enter_async_context(web.service.pool.acquire())
        began = time.monotonic()
        asking = [asyncio.create_task(write(web, thing, key=f"key-of-{thing}")) for thing in crowd]
        assert (await web.client.get("/readyz")).status_code == 200
        assert not any(task.done() for task in asking)
        assert all(refused(answer) for answer in await asyncio.gather(*asking))
        assert WAIT_SECONDS <= time.monotonic() - began < 4 * WAIT_SECONDS
        patient = asyncio.create_task(write(web, "patient"))
        await asyncio.sleep(0.1)
    assert (await patient).status_code == 200
    again = await asyncio.gather(*(write(web, thing, key=f"key-of-{thing}") for thing in crowd))
    assert [answer.json() for answer in again] == [1] * len(crowd)
    await until(lambda: _is(owner, "select count(*) from events left join log using (seq) where position is null", 0))


# --- room


@pytest.mark.parametrize("error", [asyncpg.DiskFullError, asyncpg.PostgresIOError, asyncpg.InternalServerError])
def test_whatever_postgresql_calls_a_file_that_cannot_grow_it_is_an_outage(error: type[Exception]) -> None:
    """ENOSPC, EIO, and all others, among them a full quota."""
    assert issubclass(error, OUTAGE)


async def fill(owner: asyncpg.Connection, schema: str) -> None:
    """Until the table that every command adds to cannot grow; then what is left in its pages."""
    for size, many in ((1900, 500), (30, 500), (1, 500), (1, 1)):
        with suppress(*OUTAGE):
            for _ in range(100):
                await owner.execute(
                    f"insert into {schema}.commands select gen_random_uuid(), '', to_json(repeat('x', $1)), now() "
                    "from generate_series(1, $2)",
                    size,
                    many,
                )
            pytest.fail("the disk is not full")


@pytest.mark.servers
async def test_with_the_disk_of_the_database_full_commands_are_refused_and_all_goes_on_when_there_is_room(
    web: Web, toy_database: str, owner: asyncpg.Connection, infra: Infrastructure, logged: Logged
) -> None:
    _ = infra.postgres  # somebody else's is not ours to fill
    backend = await owner.fetchval("select pg_backend_pid()")
    asked = [f"full-{number}" for number in range(40)]
    async with (
        pool_of(toy_database, "exemption") as pool,
        running(Node(FOLLOWER, pool, KEK, utc_now, feed=LocalFeed(web.service))) as follower,
    ):
        with postgres_files_at_most(WAL_SEGMENT + 4096, backend, infra.place):
            await fill(owner, "exemption")
            assert not any([refused(await write(web, f"stuck-{number}")) for number in range(40)])
            await until(lambda: _logged(logged, "consumer.outage"))
            await fill(owner, "identity")
            answers = [await write(web, thing, key=f"key-of-{thing}") for thing in asked]
            acknowledged = sum(not refused(answer) for answer in answers)
            assert acknowledged < len(asked)
            assert (await web.client.get("/readyz")).status_code == 200
            assert (await follower.health())["ready"]
            assert await _is(owner, "select count(*) from events where stream like 'toy-full-%'", acknowledged)
        again = [await write(web, thing, key=f"key-of-{thing}") for thing in asked]
        assert [answer.json() for answer in again] == [1] * len(asked)
        echoed = r"select count(*) from exemption.events where stream ~ '^echo-(full|stuck)-'"
        await until(lambda: _is(owner, echoed, 80), 30)
        assert await _is(owner, "select count(*) from exemption.parked", 0)
        assert (await follower.health())["ready"]


def test_a_log_that_cannot_be_written_stops_nobody(logged: Logged) -> None:
    full = Path("/dev/full").open("w")  # noqa: SIM115 - closing it fails too
    log_as_json("toy", stream=full)
    structlog.get_logger("scarcity").error("scarcity.said", exc_info=ValueError())
    with suppress(OSError):
        full.close()


# --- time


class Watched(LocalFeed):
    """Remembers how much was read at once."""

    def __init__(self, *services: Service) -> None:
        super().__init__(*services)
        self.pages: list[int] = []

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]:
        page = await super().after(source, position, most)
        self.pages.append(len(page))
        return page


@pytest.mark.servers
async def test_a_follower_slower_than_its_source_reads_a_page_at_a_time_and_its_lag_rises_and_falls(
    web: Web, toy_database: str, owner: asyncpg.Connection
) -> None:
    """And what waits for its time does not wait for the end of the backlog."""
    gate = asyncio.Event()

    async def slowly(work: Work, command: Echo) -> Receipt:
        await gate.wait()
        await asyncio.sleep(0.001)
        return await echo(work, command)

    slow = replace(FOLLOWER, handlers={**FOLLOWER.handlers, Echo: slowly})
    feed = Watched(web.service)
    lags: list[int] = []
    early.add("too-early")
    gate.set()
    async with (
        pool_of(toy_database, "exemption") as pool,
        running(Node(slow, pool, KEK, utc_now, feed=feed)) as follower,
    ):

        async def lag_is(least: int, most: int) -> bool:
            lags.append((await follower.health())["lag"].get("identity", -1))
            return least <= lags[-1] <= most

        assert (await write(web, "too-early")).status_code == 200
        await until(lambda: _is(owner, "select count(*) from exemption.parked where stream = 'toy-too-early'", 1))
        gate.clear()
        for number in range(12):
            assert (await write(web, f"backlog-{number}", count=100)).status_code == 200
        gate.set()
        await until(lambda: lag_is(_PAGE + 1, 1200))
        early.discard("too-early")
        await until(lambda: _is(owner, "select count(*) from exemption.events where stream = 'echo-too-early'", 1))
        assert not await lag_is(0, 0)
        await until(lambda: lag_is(0, 0), 60)
        assert await _is(owner, "select count(*) from exemption.events where stream like 'echo-backlog-%'", 1200)
    assert max(feed.pages) == _PAGE
    rising = lags.index(max(lags))
    assert sorted(lags[rising:], reverse=True) == lags[rising:]


async def _is(connection: asyncpg.Connection, query: str, number: int) -> bool:
    return bool(await connection.fetchval(query) == number)


async def _logged(logged: Logged, event: str) -> bool:
    return any(line["event"] == event for line in logged())
