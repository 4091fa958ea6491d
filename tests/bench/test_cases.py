"""That both sides of a measure do the same work, and that what they count is true."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec
import pytest

from bench import appending, material
from bench.client import GROUP, NUMBER, Order, Outcome, sent
from bench.rounds import BARE, OURS, taken
from bench.service import RECORDING
from bench.workplace import Workplace
from shared.runtime.event_store import records_of
from shared.runtime.records import chained


def test_both_sides_write_a_text_of_the_same_size() -> None:
    for number in (0, 7, 12_345, 199_999):
        assert len(material.text(number).encode()) == material.EVENT_BYTES
        assert msgspec.json.decode(material.text(number), type=type(material.event())) == material.event(number)


@asynccontextmanager
async def answering(status: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A server that answers every request with `status`, in two pieces; its port, and what it was sent."""
    heard: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                heard.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 4\r\n")
                await writer.drain()
                await asyncio.sleep(0.005)
                writer.write(b"\r\nbody")
        except asyncio.IncompleteReadError:
            writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1") as server:
        yield server.sockets[0].getsockname()[1], heard


async def load(port: int) -> Outcome:
    request = b"POST /" + GROUP + b"/" + NUMBER + b" HTTP/1.1\r\nHost: bench\r\n\r\n"
    return await sent(Order(port, 0.2, (request, request), group=2, first=10))


async def test_the_load_client_numbers_its_requests_and_counts_the_answers() -> None:
    async with answering(b"201 Created") as (port, heard):
        outcome = await load(port)
    assert (outcome.sent, outcome.failed) == (len(heard), 0)
    paths = [request.split()[1] for request in heard]
    assert paths.count(b"/00000005/00000010") == paths.count(b"/00000005/00000011") == 2  # one of each connection
    assert b"/00000006/00000012" in paths
    assert outcome.p99_ms >= outcome.p50_ms >= 5


async def test_the_load_client_counts_a_refusal_as_a_failure_and_keeps_what_was_said() -> None:
    async with answering(b"409 Conflict") as (port, _):
        outcome = await load(port)
    assert outcome.sent == 0
    assert outcome.failed > 0
    assert outcome.said.startswith("HTTP/1.1 409")


@pytest.mark.servers
async def test_what_the_bench_appends_is_a_whole_record(workplace: Workplace) -> None:
    async with workplace.store() as store, store.service(RECORDING) as service, service.pool.acquire() as connection:
        upload = await appending.append(service, connection, [material.event(), material.event(8)])
        records = await records_of(connection, f"upload-{upload}")
        commands = await connection.fetchval("select count(*) from commands")
    assert [record.version for record in records] == [1, 2]
    assert [chained(record) for record in records] == [record.hash for record in records]
    assert commands == 1


@pytest.mark.servers
async def test_a_measure_runs_on_real_servers(workplace: Workplace) -> None:
    told = await taken(appending.MEASURES[0], workplace, 1)
    assert {BARE, OURS, appending.WHOLE} <= set(told.cases)
    assert all(line.reading.value > 0 for line in told.lines)
