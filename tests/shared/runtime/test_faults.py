"""What a failing machine does to running nodes: brokers erased and killed, databases restarted, processes killed.

Whatever it was, both sides come back by themselves, nothing is lost and nothing is done twice.
"""

import asyncio
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import aio_pika
import asyncpg
import pytest
from aio_pika.abc import AbstractIncomingMessage

from ops.stack.infrastructure import Infrastructure
from shared.runtime.bus import DELIVERY_LIMIT, Subscriber, grave_name, queue_name
from shared.runtime.consumer import Consumer
from shared.runtime.node import Node
from shared.testing.stores import LocalFeed
from tests.shared.runtime.nodes import connected, echoed, published, say, until

pytestmark = pytest.mark.servers


async def consumers_of(amqp_url: str, queue: str) -> int:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        try:
            return (await channel.declare_queue(queue, passive=True)).declaration_result.consumer_count or 0
        except aio_pika.exceptions.ChannelNotFoundEntity:
            return 0


def is_taken_from(amqp_url: str, queue: str) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        return await consumers_of(amqp_url, queue) > 0

    return so


async def assert_flows_through_the_broker(pair: tuple[Node, Node], thing: str) -> None:
    source, follower = pair
    await until(published(source), 30)
    assert follower.consumer is not None
    await say(source.service, thing)
    await until(echoed(follower, thing))
    await until(published(source))
    assert (await source.health())["publisher"] == "flows"
    assert (await source.health())["ready"] is (await follower.health())["ready"] is True


async def test_a_vhost_that_was_erased_and_made_again_is_filled_again_by_both_sides(
    pair: tuple[Node, Node], infra: Infrastructure, amqp_url: str
) -> None:
    source, follower = pair
    await until(connected(follower))
    await say(source.service, "before-erasure")
    await until(echoed(follower, "before-erasure"))
    await asyncio.to_thread(infra.new_vhost, urlsplit(amqp_url).path.removeprefix("/"))
    await say(source.service, "while-erased")
    await until(is_taken_from(amqp_url, queue_name("exemption")))
    await until(connected(follower))
    await assert_flows_through_the_broker(pair, "after-erasure")
    await until(echoed(follower, "while-erased"))


@pytest.mark.parametrize("named", [queue_name, grave_name], ids=["the queue", "its dead-letter queue"])
async def test_a_queue_that_was_deleted_is_made_again(
    pair: tuple[Node, Node], amqp_url: str, named: Callable[[str], str]
) -> None:
    queue = named("exemption")
    source, follower = pair
    await until(connected(follower))
    await say(source.service, f"before-deletion-{queue}")
    await until(echoed(follower, f"before-deletion-{queue}"))
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.queue_delete(queue)
    await say(source.service, f"while-deleted-{queue}")
    await until(is_taken_from(amqp_url, queue))
    await until(is_taken_from(amqp_url, queue_name("exemption")))
    await assert_flows_through_the_broker(pair, f"after-deletion-{queue}")
    await until(echoed(follower, f"while-deleted-{queue}"))


async def test_with_rabbitmq_killed_the_system_goes_on_by_the_feed_and_returns_to_the_broker(
    pair: tuple[Node, Node], infra: Infrastructure, amqp_url: str
) -> None:
    source, follower = pair
    await until(connected(follower))
    for number in range(30):
        await say(source.service, f"killed-{number % 3}")
    await asyncio.to_thread(infra.rabbitmq.kill)
    await say(source.service, "while-killed")
    await until(echoed(follower, "while-killed"))
    assert (await follower.health())["broker"] == "down"
    assert (await follower.health())["ready"] is True
    await asyncio.to_thread(infra.rabbitmq.start)
    await until(is_taken_from(amqp_url, queue_name("exemption")), 60)
    await assert_flows_through_the_broker(pair, "after-kill")
    for number in range(3):
        await until(echoed(follower, f"killed-{number}", 10))


async def test_a_database_that_restarts_is_used_again_by_every_loop(
    pair: tuple[Node, Node], infra: Infrastructure
) -> None:
    source, follower = pair
    await until(connected(follower))
    for number in range(30):
        await say(source.service, f"restarted-{number % 3}")
    await asyncio.to_thread(infra.postgres.kill)
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await say(source.service, "lost")
    await asyncio.to_thread(infra.postgres.start)
    for number in range(3):
        await until(echoed(follower, f"restarted-{number}", 10), 30)
    await assert_flows_through_the_broker(pair, "after-restart")


async def test_a_message_that_died_with_crashes_of_ours_is_handled_alone(
    pair: tuple[Node, Node], amqp_url: str
) -> None:
    """Published with nobody following, then taken and never acknowledged, as often as the broker allows."""
    source, follower = pair
    await until(connected(follower))
    assert follower.subscriber is not None
    await follower.stop()
    await say(source.service, "healthy")
    await until(published(source))
    async with await aio_pika.connect(amqp_url) as connection:
        grave = await (await connection.channel()).get_queue(grave_name("exemption"))
        for _ in range(DELIVERY_LIMIT + 1):
            channel = await connection.channel()
            delivered: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
            await (await channel.get_queue(queue_name("exemption"))).consume(delivered.put)
            await asyncio.wait_for(delivered.get(), 10)
            await channel.close()

        async def dead() -> bool:
            return (await grave.declare()).message_count == 1

        await until(dead)
    feedless = Consumer(follower.service, LocalFeed())
    await feedless.begin("identity")
    subscriber = Subscriber(amqp_url, "exemption", feedless.take, feedless.suspect)
    taking = asyncio.create_task(subscriber.run())
    await until(echoed(follower, "healthy"))
    taking.cancel()
