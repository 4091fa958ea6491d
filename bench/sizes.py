"""How the work behaves as the past grows: the same at 10,000, 100,000 and 1,000,000 events, in alternating order.

What reads comes first, so that what writes makes no store bigger before it is read. Cases are as many at each size,
from all over its past, so that what the server and the keyring keep in memory is as much: the pages of those at work.
Beside the time each reading says what does not depend on the machine: how many pages of tables and indexes PostgreSQL
touched for one event (`pages`), how many rows it read by going through a whole table (`gone_through`), and how many
bytes of log it wrote (`log_bytes`).
"""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from operator import sub
from uuid import uuid4

import asyncpg
from msgspec import structs

from bench import material
from bench.appending import append
from bench.history import STREAM_EVENTS, Case, filled
from bench.rounds import Case as Tried
from bench.rounds import Hold, Measure, Reading, percentile
from bench.service import RECORDING, TELLING, UPLOAD
from bench.workplace import FOLLOWER, SOURCE, Store, Workplace
from shared.kernel.messages import stream_name
from shared.kernel.time import utc_now
from shared.runtime.database import AUDITOR
from shared.runtime.event_store import Work
from shared.runtime.node import Node, open_pool
from shared.runtime.rows import SqlTx
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service
from shared.runtime.trail import Deciders, rebuild_trail

SIZES = (10_000, 100_000, 1_000_000)
FLAT = 1.2
"""An event may cost so much more in the biggest store than in the smallest."""
PAGE = 500
_WARM_UP = 10
"""PostgreSQL makes a plan of its own for each of the first five calls of a statement, and then may keep one for all."""
_LEAST = 50
"""So many steps even where they take longer: what others read meanwhile (autovacuum) is counted among our pages."""
_WRITES = 300
"""At most so many writes in a turn, so that the smallest store stays the smallest."""
_GIVEN = 100
_CASES = min(SIZES) // STREAM_EVENTS
_DECIDERS: Deciders = {(SOURCE, UPLOAD.kind): UPLOAD, (FOLLOWER, TELLING.kind): TELLING}
_PAGES = """
select sum(heap_blks_hit + heap_blks_read + coalesce(idx_blks_hit + idx_blks_read, 0)
    + coalesce(toast_blks_hit + toast_blks_read, 0) + coalesce(tidx_blks_hit + tidx_blks_read, 0))::bigint
from pg_statio_user_tables
"""
_GONE_THROUGH = """
select sum(seq_tup_read)::bigint from pg_stat_user_tables
where relname in ('events', 'log', 'commands', 'streams', 'inbox', 'keys')
"""


@dataclass(frozen=True)
class Past:
    """A filled store and some of the cases in it."""

    store: Store
    cases: Sequence[Case]
    chance: random.Random

    def any_case(self) -> Case:
        return self.chance.choice(self.cases)

    async def looked_at(self, pool: asyncpg.Pool) -> tuple[int, int, int]:
        """How many pages were touched, rows gone through and bytes logged, by the connections of `pool` too."""
        async with AsyncExitStack() as stack:
            for connection in [await stack.enter_async_context(pool.acquire()) for _ in range(pool.get_size())]:
                await connection.execute("select pg_stat_force_next_flush()")
        async with self.store.owner() as owner:
            return (
                await owner.fetchval(_PAGES),
                await owner.fetchval(_GONE_THROUGH),
                await owner.fetchval("select (pg_current_wal_insert_lsn() - '0/0')::bigint"),
            )


@dataclass(frozen=True)
class Worker:
    """`step` does the work once and says for how many events; `first` comes before it and is not measured."""

    pool: asyncpg.Pool
    step: Callable[[], Awaitable[int]]
    first: Callable[[], Awaitable[None]] | None = None
    most: int | None = None


Hired = Callable[[Past], AbstractAsyncContextManager[Worker]]
Around = Callable[[Workplace], AbstractAsyncContextManager[object]]


async def past_of(workplace: Workplace, events: int) -> Past:
    """Filled when it is first asked for; it stays for the other measures, until the servers go."""
    if events not in workplace.pasts:
        store = await workplace.lasting_store()
        cases = await filled(store, events)
        some = cases[:: max(1, len(cases) // _CASES)]
        workplace.pasts[events] = Past(store, some, random.Random(events))  # noqa: S311
    return workplace.pasts[events]


async def measured(worker: Worker, past: Past, seconds: float) -> Reading:
    for _ in range(_WARM_UP):
        if worker.first is not None:
            await worker.first()
        await worker.step()
    before = await past.looked_at(worker.pool)
    took: list[float] = []
    events = 0
    ends = time.perf_counter() + seconds
    most = worker.most or 1 << 30
    while len(took) < min(_LEAST, most) or (time.perf_counter() < ends and len(took) < most):
        if worker.first is not None:
            await worker.first()
        began = time.perf_counter()
        events += await worker.step()
        took.append(time.perf_counter() - began)
    pages, gone_through, logged = map(sub, await past.looked_at(worker.pool), before)
    told = {"p50_ms": 1e3 * percentile(took, 50), "p99_ms": 1e3 * percentile(took, 99)}
    told |= {"pages": pages / events, "gone_through": gone_through, "log_bytes": logged / events}
    return Reading(events / sum(took), told)


# --- what reads


@asynccontextmanager
async def loading(past: Past) -> AsyncIterator[Worker]:
    """To the state that a command is decided on."""
    async with past.store.service(RECORDING, 1) as service:
        meta = material.meta()

        async def load() -> int:
            async with service.pool.acquire() as connection:
                tx = SqlTx(connection, service.keyring)
                work = Work(tx, service.name, service.keyring, service.projector, meta, b"", None)
                _, version = await work.load(UPLOAD, past.any_case().upload)
                return version

        yield Worker(service.pool, load)


@asynccontextmanager
async def trailing(past: Past) -> AsyncIterator[Worker]:
    """What an auditor waits for, who sees nothing personal."""
    async with open_pool(past.store.url(AUDITOR), AUDITOR, 1) as pool:

        async def rebuild() -> int:
            async with pool.acquire() as connection:
                return len((await rebuild_trail(connection, past.any_case().id, _DECIDERS)).entries)

        yield Worker(pool, rebuild)


def feeding(share: float) -> Hired:
    """A page of the log after this share of it; the last page is what the publisher reads too."""

    @asynccontextmanager
    async def worker(past: Past) -> AsyncIterator[Worker]:
        async with past.store.service(RECORDING, 1) as service:
            pages = await service.feed_head() - PAGE

            async def read() -> int:
                return len(await service.feed(round(share * pages), PAGE))

            yield Worker(service.pool, read)

    return worker


@asynccontextmanager
async def filling_holes(past: Past) -> AsyncIterator[Worker]:
    """What a follower asks for when it missed something of a stream."""
    async with past.store.service(RECORDING, 1) as service:

        async def read() -> int:
            stream = stream_name(UPLOAD.kind, past.any_case().upload)
            return len(await service.feed_of(stream, STREAM_EVENTS // 2, PAGE))

        yield Worker(service.pool, read)


@asynccontextmanager
async def looking(past: Past) -> AsyncIterator[Worker]:
    """What a sequencer does for ever, and `/readyz` and `/metrics` whenever they are asked."""
    async with past.store.service(RECORDING, 1) as service:
        sequencer = Sequencer(service.pool, SOURCE, None)
        node = Node(RECORDING, service.pool, past.store.kek, utc_now)

        async def look() -> int:
            await sequencer._anything_new()
            await node.health()
            return 1

        yield Worker(service.pool, look)


# --- what writes


@asynccontextmanager
async def appending(past: Past) -> AsyncIterator[Worker]:
    """A new stream of one event, of a case and a person, so that every index gets an entry."""
    async with past.store.service(RECORDING, 1) as service:

        async def write() -> int:
            await _append(service, past, 1)
            return 1

        yield Worker(service.pool, write, most=_WRITES)


@asynccontextmanager
async def sequencing(past: Past) -> AsyncIterator[Worker]:
    """Positions for 100 events with holes between them, which are waited for and then given up."""
    async with past.store.service(RECORDING, 1) as service, past.store.owner() as owner:
        sequencer = Sequencer(service.pool, SOURCE, None)

        async def write() -> None:
            for _ in range(4):
                await _append(service, past, _GIVEN // 4)
                await owner.fetchval(f"select nextval('{SOURCE}.events_seq_seq')")
            await sequencer.lead()

        async def give() -> int:
            given = await sequencer.give()
            while await sequencer._anything_new():
                given += await sequencer.give()
            return given

        # all that other measures wrote
        await write()
        await give()
        yield Worker(service.pool, give, write, most=_WRITES // _GIVEN)


async def _append(service: Service, past: Past, events: int) -> None:
    case = past.any_case()
    meta = structs.replace(material.meta(), case=case.id, person=case.person, causation=uuid4())
    async with service.pool.acquire() as connection:
        await append(service, connection, [material.event()] * events, meta)


# --- side by side


@asynccontextmanager
async def _no_page_written_whole(workplace: Workplace) -> AsyncIterator[None]:
    """A checkpoint makes PostgreSQL write each page whole when it is next touched. A bigger store has more pages, so a
    few hundred appends after the checkpoint that ends the filling would tell of that and not of an append. The server
    is this run's own and goes with its data, also when the run is killed: nobody else meets the setting."""
    await workplace.run("alter system set full_page_writes = off")
    await workplace.run("select pg_reload_conf()")
    try:
        yield
    finally:
        await workplace.run("alter system reset full_page_writes")
        await workplace.run("select pg_reload_conf()")


def _by_size(hired: Hired, around: Around) -> Callable[[Workplace], AbstractAsyncContextManager[Mapping[str, Tried]]]:
    @asynccontextmanager
    async def cases(workplace: Workplace) -> AsyncIterator[Mapping[str, Tried]]:
        async with around(workplace), AsyncExitStack() as stack:
            found: dict[str, Tried] = {}
            for size in SIZES:
                past = await past_of(workplace, size)
                worker = await stack.enter_async_context(hired(past))
                found[f"{size:,}"] = partial(measured, worker, past, workplace.seconds)
            yield found

    return cases


def _measure(name: str, hired: Hired, around: Around = nullcontext) -> Measure:
    """Held is the median time of a step, which always is of as many events."""
    smallest, *bigger = (f"{size:,}" for size in SIZES)
    holds = (Hold(smallest, FLAT, at_most=True, figure="p50_ms", ours=size) for size in bigger)
    return Measure(f"sizes: {name}", "events/s", tuple(holds), _by_size(hired, around))


MEASURES = (
    _measure("load a case of 20 events", loading),
    _measure("trail of a case", trailing),
    _measure("feed, first page of 500", feeding(0.0)),
    _measure("feed, middle page of 500", feeding(0.5)),
    _measure("feed, last page of 500", feeding(1.0)),
    _measure("feed of one stream", filling_holes),
    _measure("anything new, and health", looking),
    _measure("append one", appending, _no_page_written_whole),
    _measure("give positions to 100", sequencing),
)
