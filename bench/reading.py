"""Reading: the whole log into a projection, and one case of 20 events into its state."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import msgspec

from bench import bare, material, peer
from bench.appending import append
from bench.rounds import BARE, OURS, PEER, Case, Hold, Measure, Reading
from bench.service import RECORDING, UPLOAD, Refusals
from bench.workplace import Store, Workplace
from shared.events.exemption import PhotographRefused
from shared.runtime import replay
from shared.runtime.event_store import Work
from shared.runtime.rows import Connection, SqlTx
from shared.runtime.service import Service

STREAM_EVENTS = 20
EVENTS_A_SECOND = 10_000
"""How many are replayed for each second that a case is to take: not more, since the slowest reads them all too."""
_LOADED = 1000
_WRITERS = 8
_DECODER = msgspec.json.Decoder(PhotographRefused)


def _streams(seconds: float) -> int:
    return max(50, round(EVENTS_A_SECOND * seconds) // STREAM_EVENTS)


async def _fill_bare(connection: asyncpg.Connection, streams: int) -> list[UUID]:
    names, rows = [uuid4() for _ in range(streams)], []
    for place, name in enumerate(names):
        for version in range(1, STREAM_EVENTS + 1):
            rows.append((name, version, bare.TYPE, material.text(place * STREAM_EVENTS + version)))
    await connection.copy_records_to_table("ev", records=rows, columns=["stream_id", "version", "type", "data"])
    await connection.execute("analyze ev")
    return names


async def _fill_ours(service: Service, streams: int) -> list[str]:
    """Through the store's own door: there is no other."""
    waiting = list(range(streams))
    names: list[str] = []

    async def write(connection: Connection) -> None:
        while waiting:
            place = waiting.pop() * STREAM_EVENTS
            events = [material.event(place + version) for version in range(STREAM_EVENTS)]
            names.append(await append(service, connection, events))

    async def writer() -> None:
        async with service.pool.acquire() as connection:
            await write(connection)

    await asyncio.gather(*(writer() for _ in range(_WRITERS)))
    return names


async def _analyzed(store: Store) -> None:
    async with store.owner() as owner:
        await owner.execute(f'analyze "{RECORDING.name}".events, "{RECORDING.name}".streams')


# --- replay


async def _fold_bare(connection: asyncpg.Connection, streams: int) -> Reading:
    """Pages by key, decoded, folded in memory, written at the end as one statement."""
    statement = await connection.prepare(bare.PAGE)
    folded: dict[UUID, list[int]] = {}
    count = position = 0
    began = time.perf_counter()
    while page := await statement.fetch(position, bare.PAGE_SIZE):
        for row in page:
            event = _DECODER.decode(row["data"])
            state = folded.setdefault(row["stream_id"], [0, 0])
            state[0] += 1
            state[1] += len(event.results)
        count += len(page)
        position = page[-1]["pos"]
    async with connection.transaction():
        await connection.execute("truncate proj")
        await connection.execute(
            "insert into proj select * from unnest($1::uuid[], $2::int[], $3::int[])",
            list(folded),
            [state[0] for state in folded.values()],
            [state[1] for state in folded.values()],
        )
    reading = Reading(count / (time.perf_counter() - began))
    _expect(await connection.fetchrow("select count(*), sum(n), sum(units) from proj"), streams)
    return reading


async def _rebuild_ours(service: Service, streams: int) -> Reading:
    """As `./zikao replay rebuild` does it: aside, by the projections as they are, then put in place."""
    async with service.pool.acquire() as connection:
        began = time.perf_counter()
        await replay.replace(connection, RECORDING, service.keyring)
        reading = Reading(streams * STREAM_EVENTS / (time.perf_counter() - began))
        found = await connection.fetchrow("select count(*), sum(refused), sum(rules) from bench_photographs")
        _expect(found, streams)
    return reading


def _expect(found: asyncpg.Record | None, streams: int) -> None:
    """A rebuild that lost something is not fast but wrong."""
    events = streams * STREAM_EVENTS
    wanted = (streams, events, events * len(material.event().results))
    if found is None or tuple(found) != wanted:
        raise AssertionError(f"replayed to {found}, expected {wanted}")


@asynccontextmanager
async def _replaying(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    streams = _streams(workplace.seconds)
    async with (
        workplace.bare() as url,
        workplace.store() as store,
        store.service(RECORDING) as service,
        peer.opened(workplace) as library,
    ):
        connection = await asyncpg.connect(url)
        try:
            await _fill_bare(connection, streams)
            await _fill_ours(service, streams)
            await _analyzed(store)
            found: dict[str, Case] = {
                BARE: lambda: _fold_bare(connection, streams),
                OURS: lambda: _rebuild_ours(service, streams),
            }
            if library is not None:
                await library.fill(max(50, streams // 4), STREAM_EVENTS)
                found[PEER] = library.reading_all
            yield found
        finally:
            await connection.close()


# --- load


async def _load_bare(connection: asyncpg.Connection, names: list[UUID]) -> Reading:
    statement = await connection.prepare(bare.STREAM)
    began = time.perf_counter()
    for name in names:
        for row in await statement.fetch(name):
            _DECODER.decode(row["data"])
    return Reading(len(names) * STREAM_EVENTS / (time.perf_counter() - began))


async def _load_ours(service: Service, names: list[str]) -> Reading:
    """To the state that a command is decided on."""
    meta, whole = material.meta(), Refusals(STREAM_EVENTS, STREAM_EVENTS * len(material.event().results))
    async with service.pool.acquire() as connection:
        tx = SqlTx(connection, service.keyring)
        began = time.perf_counter()
        for name in names:
            work = Work(tx, service.name, service.keyring, service.projector, meta, b"", None)
            state, _ = await work.load(UPLOAD, name)
            assert state == whole
        return Reading(len(names) * STREAM_EVENTS / (time.perf_counter() - began))


@asynccontextmanager
async def _loading(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    streams = _streams(workplace.seconds)
    async with (
        workplace.bare() as url,
        workplace.store() as store,
        store.service(RECORDING) as service,
        peer.opened(workplace) as library,
    ):
        connection = await asyncpg.connect(url)
        try:
            bare_names = (await _fill_bare(connection, streams))[:_LOADED]
            our_names = (await _fill_ours(service, streams))[:_LOADED]
            await _analyzed(store)
            found: dict[str, Case] = {
                BARE: lambda: _load_bare(connection, bare_names),
                OURS: lambda: _load_ours(service, our_names),
            }
            if library is not None:
                ids = (await library.fill(max(50, streams // 4), STREAM_EVENTS))[:_LOADED]
                found[PEER] = lambda: library.loading(ids, STREAM_EVENTS)
            yield found
        finally:
            await connection.close()


MEASURES = (
    Measure("replay into a projection", "events/s", (Hold(BARE, 0.6), Hold(PEER, 3)), _replaying),
    Measure("load one case of 20 events", "events/s", (Hold(PEER, 5),), _loading),
)
