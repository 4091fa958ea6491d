"""Between services messages go through RabbitMQ, and what goes wrong there ends no delivery."""

import asyncio
from collections.abc import Sequence

import aio_pika
import pytest
from aio_pika.abc import AbstractIncomingMessage

from shared.runtime.bus import (
    DELIVERY_LIMIT,
    QUEUES,
    Publisher,
    Subscriber,
    Unroutable,
    declare,
    grave_name,
    queue_name,
)
from shared.runtime.ending import end
from shared.runtime.feed import Envelope
from tests.shared.runtime.follower import Follower
from tests.shared.runtime.nodes import until

pytestmark = pytest.mark.servers


async def test_messages_travel_through_rabbitmq_with_the_stored_text_byte_for_byte(
    follower: Follower, amqp_url: str
) -> None:
    envelopes = await follower.say("l", "𠮷", "two")
    taken: list[Envelope] = []
    done = asyncio.Event()

    async def take(batch: Sequence[Envelope]) -> None:
        taken.extend(batch)
        if len(taken) == len(envelopes):
            done.set()

    publisher = Publisher(amqp_url, "identity")
    assert await publisher.publish(envelopes) == 2
    subscriber = asyncio.create_task(Subscriber(amqp_url, "exemption", take, lambda: None).run())
    await asyncio.wait_for(done.wait(), 20)
    await end([subscriber])
    await publisher.close()
    assert taken == envelopes


async def test_a_message_no_queue_takes_stops_publishing_at_that_place(follower: Follower, amqp_url: str) -> None:
    envelopes = await follower.say("m", "one", "two")
    publisher = Publisher(amqp_url, "identity")
    await publisher.publish(envelopes[:1])
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for name in ("exemption", "notification"):
            await channel.queue_delete(queue_name(name, envelopes[0].slot % QUEUES))
    with pytest.raises(Unroutable) as stopped:
        await publisher.publish(envelopes)
    assert stopped.value.confirmed == 0
    await publisher.close()


async def test_a_message_that_is_no_envelope_is_passed_over_and_the_feed_is_suspected(
    follower: Follower, amqp_url: str
) -> None:
    suspected = asyncio.Event()

    async def take(batch: Sequence[Envelope]) -> None:
        pass

    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await declare(channel, "exemption")
        await channel.default_exchange.publish(aio_pika.Message(b"\xff junk"), routing_key=queue_name("exemption", 2))
        subscriber = asyncio.create_task(Subscriber(amqp_url, "exemption", take, suspected.set).run())
        await asyncio.wait_for(suspected.wait(), 20)
        await end([subscriber])


async def test_a_healthy_message_that_died_with_crashes_of_ours_is_handled_alone(
    follower: Follower, amqp_url: str
) -> None:
    """Taken and never acknowledged as often as the broker allows; the feed is not asked."""
    publisher = Publisher(amqp_url, "identity")
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await declare(channel, "exemption")
        envelopes = await follower.say("dead", "healthy")
        number = envelopes[0].slot % QUEUES
        alive, grave = [await channel.get_queue(named("exemption", number)) for named in (queue_name, grave_name)]
        await alive.purge()
        await publisher.publish(envelopes)
        follower.feed.read = 0
        for _ in range(DELIVERY_LIMIT + 1):
            crashing = await connection.channel()
            taken: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await (await crashing.get_queue(queue_name("exemption", number))).consume(taken.put)
            await asyncio.wait_for(taken.get(), 60)
            await crashing.close()

        async def dead() -> bool:
            return (await grave.declare()).message_count == 1

        await until(dead)
    await publisher.close()
    subscriber = asyncio.create_task(
        Subscriber(amqp_url, "exemption", follower.consumer.take, follower.consumer.suspect).run()
    )

    async def handled() -> bool:
        return await follower.echoed("dead") == ["healthy"]

    await until(handled)
    await end([subscriber])
    assert follower.feed.read == 0
