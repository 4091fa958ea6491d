"""The bare way of an event to an effect elsewhere: outbox, relay, quorum queue, inbox and effect.

With `Sizes(1, 1)` one row and one message at a time, as it is written first; with larger ones in batches. Used by
`effects.py`. The relay runs here, the consumer in a process of its own.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID, uuid4

import aio_pika
import asyncpg

from bench import bare
from bench.processes import Child, Ready, child

_QUEUE = "bench.pipeline"
_PREFETCH = 100


@dataclass(frozen=True)
class Sizes:
    relayed: int
    consumed: int


NAIVE = Sizes(1, 1)
BATCHED = Sizes(100, 50)


@dataclass(frozen=True)
class Addresses:
    postgres: str
    amqp: str


async def emptied(addresses: Addresses) -> None:
    connection = await asyncpg.connect(addresses.postgres)
    await connection.execute(bare.EMPTIED)
    await connection.close()
    async with await aio_pika.connect(addresses.amqp) as broker:
        channel = await broker.channel()
        await channel.queue_delete(_QUEUE, if_unused=False, if_empty=False)
        await channel.declare_queue(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


@asynccontextmanager
async def running(addresses: Addresses, sizes: Sizes) -> AsyncIterator[Child]:
    """Relay and consumer; `Child.end` gives the time of each effect's commit, by the event's id."""
    async with child(consume, addresses, sizes) as consumer:
        stop = asyncio.Event()
        task = asyncio.create_task(_relay(addresses, sizes.relayed, stop))
        try:
            yield consumer
        finally:
            stop.set()
            await task


async def produce(connection: asyncpg.Connection, data: str) -> tuple[str, float]:
    """One event and its message, and a word to the relay; its id and the time of the commit."""
    name = uuid4()
    async with connection.transaction():
        await connection.execute(bare.WITH_OUTBOX, name, data)
        await connection.execute("notify outbox")
    return str(name), time.time()


async def _relay(addresses: Addresses, size: int, stop: asyncio.Event) -> None:
    connection = await asyncpg.connect(addresses.postgres)
    wake = asyncio.Event()
    await connection.add_listener("outbox", lambda *_: wake.set())
    async with await aio_pika.connect(addresses.amqp) as broker:
        channel = await broker.channel(publisher_confirms=True)
        while not stop.is_set():
            wake.clear()
            rows = await connection.fetch(bare.UNSENT, size)
            if not rows:
                with suppress(TimeoutError):
                    await asyncio.wait_for(wake.wait(), 0.5)
                continue
            await asyncio.gather(*(channel.default_exchange.publish(_message(row), _QUEUE) for row in rows))
            await connection.execute(bare.SENT, [row["id"] for row in rows])
    await connection.close()


def _message(row: asyncpg.Record) -> aio_pika.Message:
    return aio_pika.Message(
        row["body"].encode(), delivery_mode=aio_pika.DeliveryMode.PERSISTENT, message_id=row["topic"]
    )


async def consume(
    ready: Ready, told_to_end: asyncio.Future[None], addresses: Addresses, sizes: Sizes
) -> dict[str, float]:
    connection = await asyncpg.connect(addresses.postgres)
    done: dict[str, float] = {}
    async with await aio_pika.connect(addresses.amqp) as broker:
        channel = await broker.channel()
        await channel.set_qos(prefetch_count=_PREFETCH)
        queue = await channel.get_queue(_QUEUE)
        arrived: asyncio.Queue[aio_pika.abc.AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(arrived.put)
        ready()
        while not told_to_end.done():
            try:
                batch = [await asyncio.wait_for(arrived.get(), 0.2)]
            except TimeoutError:
                continue
            while len(batch) < sizes.consumed and not arrived.empty():
                batch.append(arrived.get_nowait())
            await (_take_one(connection, batch[0]) if sizes.consumed == 1 else _take(connection, batch))
            now = time.time()
            done.update((str(message.message_id), now) for message in batch)
            await batch[-1].ack(multiple=sizes.consumed > 1)
    await connection.close()
    return done


async def _take_one(connection: asyncpg.Connection, message: aio_pika.abc.AbstractIncomingMessage) -> None:
    name, amount = UUID(message.message_id), _amount(message)
    async with connection.transaction():
        if await connection.fetchval(bare.TAKE_ONE, name):
            await connection.execute(bare.EFFECT_OF_ONE, name, amount)


async def _take(connection: asyncpg.Connection, batch: list[aio_pika.abc.AbstractIncomingMessage]) -> None:
    names = [UUID(message.message_id) for message in batch]
    await connection.execute(bare.TAKE_MANY, names, [_amount(message) for message in batch])


def _amount(message: aio_pika.abc.AbstractIncomingMessage) -> float:
    """Something read out of the body, so that it is decoded at all."""
    return float(json.loads(message.body)["results"][0]["measured"])
