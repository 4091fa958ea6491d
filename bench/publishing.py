"""Publishing with confirms to a quorum queue: bare aio-pika with 100 in flight, and the publisher of the bus."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID, uuid4

import aio_pika

from bench import material
from bench.rounds import BARE, OURS, Case, Hold, Measure, Reading, driven
from bench.workplace import SOURCE, Workplace
from shared.runtime.bus import Publisher
from shared.runtime.feed import Envelope

IN_FLIGHT = 100
_QUEUE = "bench.publish"


async def _bare(workplace: Workplace) -> Reading:
    body = os.urandom(material.EVENT_BYTES)
    async with workplace.broker() as url, await aio_pika.connect(url) as connection:
        channel = await connection.channel(publisher_confirms=True)
        await channel.declare_queue(_QUEUE, durable=True, arguments={"x-queue-type": "quorum"})

        def one() -> Awaitable[object]:
            message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
            return channel.default_exchange.publish(message, routing_key=_QUEUE)

        async def step() -> None:
            await asyncio.gather(*(one() for _ in range(IN_FLIGHT)))

        return await driven(workplace.seconds, [step], IN_FLIGHT)


async def _ours(workplace: Workplace) -> Reading:
    """Whole envelopes through the topic exchange to the follower's queue, returned if nobody took them."""
    batch = [envelope(number) for number in range(IN_FLIGHT)]
    async with workplace.broker() as url:
        publisher = Publisher(url, SOURCE)
        try:
            return await driven(workplace.seconds, [lambda: publisher.publish(batch)], IN_FLIGHT)
        finally:
            await publisher.close()


def envelope(number: int) -> Envelope:
    return Envelope(
        source=SOURCE,
        position=number,
        stream=f"upload-{uuid4()}",
        version=1,
        type=type(material.event()).name,
        event_id=uuid4(),
        command_id=uuid4(),
        case_id=str(UUID(int=number)),
        actor="bench",
        correlation=uuid4(),
        recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
        body=material.text(number),
    )


@asynccontextmanager
async def _cases(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    """Each on an empty broker, so that neither finds a longer queue than the other."""
    yield {BARE: lambda: _bare(workplace), OURS: lambda: _ours(workplace)}


MEASURES = (Measure("publish with confirms to a quorum queue", "messages/s", (Hold(BARE, 0.8),), _cases),)
