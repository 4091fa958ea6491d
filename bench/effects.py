"""From an event to its effect in another service: how many a second when many wait, and how long one takes at 20/s.

Ours is two nodes: the source's sequencer and publisher here; subscriber, consumer, inbox, one executed command per
event and a sequencer of its own in the follower's process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from bench import bare, material, pipeline
from bench.appending import append
from bench.processes import Child, Ready, child
from bench.rounds import BARE, OURS, Case, Hold, Measure, Reading, percentile
from bench.service import RECORDING, TOLD
from bench.workplace import FOLLOWER, Store, StoredFeed, Workplace
from shared import events
from shared.kernel.time import utc_now
from shared.runtime import telemetry
from shared.runtime.bus import Subscriber
from shared.runtime.consumer import Consumer
from shared.runtime.feed import Envelope
from shared.runtime.node import Node, open_pool

NAIVE = "naive"
EVENTS_A_SECOND = 1000
RATE = 20
_PATIENCE = 120.0


# --- ours


async def follow(ready: Ready, told_to_end: asyncio.Future[None], store: Store, amqp_url: str) -> dict[str, float]:
    """The follower's process: a node as `node.py` makes it, but that the commit of each batch is noted."""
    done: dict[str, float] = {}
    telemetry.start(FOLLOWER)
    async with AsyncExitStack() as stack:
        service = await stack.enter_async_context(store.service(TOLD))
        pools = {
            source: await stack.enter_async_context(open_pool(store.url(source), source, 2))
            for source in events.FOLLOWS[FOLLOWER]
        }
        consumer = Consumer(service, StoredFeed(pools))

        async def take(envelopes: Sequence[Envelope]) -> None:
            await consumer.take(envelopes)
            now = time.time()
            done.update((envelope.stream, now) for envelope in envelopes)

        subscriber = Subscriber(amqp_url, FOLLOWER, take, consumer.suspect)
        service.sequencer.start()
        stack.push_async_callback(service.sequencer.stop)
        loops = [
            asyncio.create_task(consumer.run(lambda: subscriber.connected)),
            asyncio.create_task(subscriber.run()),
        ]
        while not (subscriber.connected and consumer.lag.keys() >= pools.keys()):  # noqa: ASYNC110 - they signal nothing
            await asyncio.sleep(0.02)
        ready()
        await told_to_end
        for loop in loops:
            loop.cancel()
        await asyncio.gather(*loops, return_exceptions=True)
    return done


@asynccontextmanager
async def _source(store: Store, amqp_url: str) -> AsyncIterator[Node]:
    async with open_pool(store.url(RECORDING.name), RECORDING.name) as pool:
        yield Node(RECORDING, pool, store.kek, utc_now, amqp_url=amqp_url)


async def _drain_ours(store: Store, amqp_url: str, count: int) -> Reading:
    async with _source(store, amqp_url) as node, store.owner() as owner:
        for _ in range(count):
            async with node.service.pool.acquire() as connection:
                await append(node.service, connection, [material.event()])
        mark = await owner.fetchval(f"select coalesce(max(seq), 0) from {FOLLOWER}.events")  # noqa: S608 - ours
        done = f"select count(*) from {FOLLOWER}.events where seq > {mark}"  # noqa: S608
        async with child(follow, store, amqp_url):
            began = time.perf_counter()
            await node.start()
            try:
                await _until(owner, done, count)
                return Reading(count / (time.perf_counter() - began))
            finally:
                await node.stop()


async def _latency_ours(store: Store, amqp_url: str, count: int) -> Reading:
    async with _source(store, amqp_url) as node, child(follow, store, amqp_url) as follower:
        await node.start()
        try:

            async def produce() -> tuple[str, float]:
                command = material.command()
                receipt = await node.service.handle(command, material.meta())
                return receipt.stream, time.time()

            return await _latency(produce, follower, count)
        finally:
            await node.stop()


# --- bare


async def _drain_bare(addresses: pipeline.Addresses, sizes: pipeline.Sizes, count: int) -> Reading:
    await pipeline.emptied(addresses)
    connection = await asyncpg.connect(addresses.postgres)
    try:
        await connection.execute(bare.FILL_OUTBOX, material.text(), count)
        async with pipeline.running(addresses, sizes):
            began = time.perf_counter()
            await _until(connection, "select count(*) from effect", count)
            return Reading(count / (time.perf_counter() - began))
    finally:
        await connection.close()


async def _latency_bare(addresses: pipeline.Addresses, sizes: pipeline.Sizes, count: int) -> Reading:
    await pipeline.emptied(addresses)
    connection, data = await asyncpg.connect(addresses.postgres), material.text()
    try:
        async with pipeline.running(addresses, sizes) as consumer:
            return await _latency(lambda: pipeline.produce(connection, data), consumer, count)
    finally:
        await connection.close()


# --- both


async def _until(connection: asyncpg.Connection, query: str, count: int) -> None:
    gives_up = time.monotonic() + _PATIENCE
    while (found := await connection.fetchval(query)) < count:
        if time.monotonic() > gives_up:
            raise TimeoutError(f"{found} of {count} effects after {_PATIENCE:.0f} s")
        await asyncio.sleep(0.02)
    if found != count:
        raise AssertionError(f"{found} effects of {count} events")


async def _latency(produce: Callable[[], Awaitable[tuple[str, float]]], consumer: Child, count: int) -> Reading:
    """From the commit of the event to the commit of its effect. The first one opens the connections and is not counted,
    and so are the few after it. None may be missing."""
    await produce()
    await asyncio.sleep(1.0)
    sent: dict[str, float] = {}
    for _ in range(count):
        name, at = await produce()
        sent[name] = at
        await asyncio.sleep(1 / RATE)
    await asyncio.sleep(0.5)
    done: dict[str, float] = await consumer.end()
    if missing := sent.keys() - done.keys():
        raise AssertionError(f"{len(missing)} of {count} events had no effect within half a second")
    took = [1e3 * (done[name] - at) for name, at in sent.items()][5:]
    return Reading(percentile(took, 50), {"p99_ms": percentile(took, 99), "effects": len(took)})


@asynccontextmanager
async def _draining(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    count = max(200, round(EVENTS_A_SECOND * workplace.seconds))
    async with workplace.bare() as url, workplace.store() as store, workplace.broker() as amqp_url:
        addresses = pipeline.Addresses(url, amqp_url)
        yield {
            BARE: lambda: _drain_bare(addresses, pipeline.BATCHED, count),
            OURS: lambda: _drain_ours(store, amqp_url, count),
            NAIVE: lambda: _drain_bare(addresses, pipeline.NAIVE, count),
        }


@asynccontextmanager
async def _one_by_one(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    count = max(25, round(4 * RATE * workplace.seconds))
    async with workplace.bare() as url, workplace.store() as store, workplace.broker() as amqp_url:
        addresses = pipeline.Addresses(url, amqp_url)
        yield {
            BARE: lambda: _latency_bare(addresses, pipeline.BATCHED, count),
            OURS: lambda: _latency_ours(store, amqp_url, count),
        }


MEASURES = (
    Measure("event to remote effect, drained", "effects/s", (Hold(BARE, 0.8), Hold(NAIVE, 5)), _draining),
    Measure(
        "event to remote effect, latency at 20/s",
        "ms",
        (Hold(BARE, 2, at_most=True), Hold(BARE, 3, at_most=True, figure="p99_ms")),
        _one_by_one,
    ),
)
