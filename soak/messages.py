"""What may happen to messages on their way: twice, out of order, lost, junk, unknown, unroutable, delivered too often.

`faults.py` calls these; each opens the broker as a stranger with rights would, and does its harm.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from random import Random
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage

from shared import events
from shared.kernel.time import utc_now
from shared.runtime.bus import EXCHANGE, QUEUES, message_of, queue_name
from shared.runtime.feed import SLOTS, Envelope

_LOOKS = 30
"""How often, ten times a second, a queue is looked at until it is empty: its follower may not be away for ever."""


@asynccontextmanager
async def _channel(amqp_url: str) -> AsyncIterator[AbstractChannel]:
    """Raises ChannelNotFoundEntity in the block when what is to be harmed is not there."""
    connection = await aio_pika.connect(amqp_url, timeout=30)
    try:
        yield await connection.channel()
    finally:
        await connection.close()


async def publish(amqp_url: str, envelopes: Sequence[Envelope]) -> None:
    """As the source's publisher does, in this order."""
    async with _channel(amqp_url) as channel:
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        for envelope in envelopes:
            await exchange.publish(message_of(envelope), envelope.routing_key)


async def junk(amqp_url: str, random: Random) -> None:
    """Bytes that are no text, a text that is no envelope, and a fact of a type and a stream that nobody knows."""
    source = random.choice(sorted({source for sources in events.FOLLOWS.values() for source in sources}))
    async with _channel(amqp_url) as channel:
        exchange = await channel.get_exchange(EXCHANGE, ensure=False)
        for body in (random.randbytes(40) + b"\xff", b'{"not": "ours"}'):
            await exchange.publish(aio_pika.Message(body), f"{source}.junk.{random.randrange(SLOTS)}")
    number = UUID(int=random.getrandbits(128), version=4)
    unheard = Envelope(
        source=source,
        position=0,
        stream=f"unheard-{number}",
        version=1,
        type=f"{source}.unheard_of.v1",
        event_id=number,
        command_id=number,
        actor="soak",
        recorded_at=utc_now(),
        body="{}",
    )
    await publish(amqp_url, [unheard])


async def purge(amqp_url: str, follower: str) -> int:
    """Lose what waits in the follower's queues; how many messages that was."""
    lost = 0
    async with _channel(amqp_url) as channel:
        for number in range(QUEUES):
            purged = await (await channel.get_queue(queue_name(follower, number), ensure=False)).purge()
            lost += purged.message_count or 0
    return lost


async def delete_queues(amqp_url: str, follower: str) -> None:
    """From now on its messages go nowhere, until somebody makes the queues again."""
    async with _channel(amqp_url) as channel:
        for number in range(QUEUES):
            await channel.queue_delete(queue_name(follower, number))


async def deliver_too_often(amqp_url: str, follower: str) -> None:
    """Take every waiting message and give it back unread until the broker calls it dead. Its follower must be away."""

    async def give_back(message: AbstractIncomingMessage) -> None:
        await message.nack(requeue=True)

    async with _channel(amqp_url) as channel:
        await channel.set_qos(prefetch_count=10)
        for number in range(QUEUES):
            queue = await channel.get_queue(queue_name(follower, number), ensure=False)
            tag = await queue.consume(give_back)
            for _ in range(_LOOKS):
                if not await _waiting(channel, follower, number):
                    break
                await asyncio.sleep(0.1)
            await queue.cancel(tag)


async def _waiting(channel: AbstractChannel, follower: str, number: int) -> bool:
    queue = await channel.declare_queue(queue_name(follower, number), passive=True)
    return bool(queue.declaration_result.message_count)
