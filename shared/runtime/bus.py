"""The bus: RabbitMQ as the fast path from a source's log to its followers' queues.

A lost message, queue or broker costs time, never an event: followers read the feed. So nothing here stores state.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import product
from typing import cast

import aio_pika
import aiormq
import msgspec
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange, AbstractQueue
from aio_pika.exceptions import AMQPError, PublishError
from aiormq.abc import DeliveredMessage
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.commands import Basic

from shared import events
from shared.runtime.ending import raise_if_cancelled
from shared.runtime.feed import SLOTS, Envelope
from shared.runtime.points import reached

EXCHANGE = "events"
DEAD = "dead"
QUEUES = 4
"""Of each follower, and so the most replicas that share its messages. Slots are dealt out over them."""
ALL_QUEUES = frozenset(range(QUEUES))
DELIVERY_LIMIT = 20
_CONFIRM_SECONDS = 30.0
_CLOSE_SECONDS = 2.0
"""For the broker to answer a farewell; one that is frozen must not keep us from ending."""
_HEARTBEAT_SECONDS = 5
"""A replica that is frozen keeps its queues from the others until the broker has missed two of these."""

log = structlog.get_logger(__name__)

BROKER_GONE = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)
"""What aio-pika raises when the broker is away, in all its spellings."""


class Unroutable(Exception):
    """The broker returned a message: nothing after it is published until a queue takes it."""

    def __init__(self, routing_key: str, confirmed: int) -> None:
        super().__init__(routing_key)
        self.confirmed = confirmed


def queue_name(follower: str, number: int) -> str:
    return f"{follower}.events.{number}"


def grave_name(follower: str, number: int) -> str:
    """Where messages end that were delivered too often."""
    return f"{queue_name(follower, number)}.dead"


async def declare(channel: AbstractChannel, follower: str) -> None:
    """The follower's queues, their dead-letter queues and bindings: by source and slot, never by event type."""
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    dead = await channel.declare_exchange(DEAD, aio_pika.ExchangeType.DIRECT, durable=True)
    for number in range(QUEUES):
        queue = await _declare_queue(channel, follower, number, dead)
        for source, slot in product(events.FOLLOWS[follower], range(SLOTS)):
            # another number of queues would have left bindings, and everything would come twice
            change = queue.bind if slot % QUEUES == number else queue.unbind
            await change(exchange, routing_key=f"{source}.*.{slot}")


async def _declare_queue(channel: AbstractChannel, follower: str, number: int, dead: AbstractExchange) -> AbstractQueue:
    """Single active consumer: should two replicas take a queue for theirs, the broker still serves one of them."""
    name = queue_name(follower, number)
    grave = await channel.declare_queue(
        grave_name(follower, number), durable=True, arguments={"x-queue-type": "quorum"}
    )
    await grave.bind(dead, routing_key=name)
    return await channel.declare_queue(
        name,
        durable=True,
        arguments={
            "x-queue-type": "quorum",
            "x-single-active-consumer": True,
            "x-delivery-limit": DELIVERY_LIMIT,
            "x-dead-letter-exchange": DEAD,
            "x-dead-letter-routing-key": name,
        },
    )


async def _farewell(connection: AbstractConnection) -> None:
    with suppress(*BROKER_GONE):
        async with asyncio.timeout(_CLOSE_SECONDS):
            await connection.close()


def message_of(envelope: Envelope) -> aio_pika.Message:
    """Persistent. The whole envelope is the body: as headers of its own each field would be typed and measured, which
    takes longer than everything else that publishing does."""
    return aio_pika.Message(
        msgspec.json.encode(envelope),
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(envelope.event_id),
        type=envelope.type,
    )


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


_ENVELOPE = msgspec.json.Decoder(Envelope)
NO_ENVELOPE = (msgspec.DecodeError, UnicodeDecodeError)


def envelope_of(message: DeliveredMessage) -> Envelope:
    """The envelope a message carries; raises one of `NO_ENVELOPE` for a message that is none of ours."""
    return _ENVELOPE.decode(message.body)


def _sent(channel: aiormq.Channel, envelope: Envelope) -> Awaitable[object]:
    """Waits for the confirm alone: one flush of the socket after another would keep the messages apart."""
    message = message_of(envelope)
    return channel.basic_publish(
        message.body,
        exchange=EXCHANGE,
        routing_key=envelope.routing_key,
        properties=message.properties,
        mandatory=True,
        wait=False,
    )


class Publisher:
    """Publishes a source's envelopes, pipelined, with confirms; connects when needed and again after an outage."""

    def __init__(self, url: str, source: str) -> None:
        self._url = url
        self._source = source
        self._connection: AbstractConnection | None = None
        self._channel: aiormq.Channel | None = None

    async def open(self) -> aiormq.Channel:
        """Connect and make the queues, unless that is done; raises `ConnectionError`."""
        try:
            return self._channel or await self._connect()
        except BROKER_GONE as error:
            await self.close()
            raise ConnectionError(str(error)) from error

    async def publish(self, batch: Sequence[Envelope]) -> int:
        """How many from the front are confirmed: all of them, or it raises `Unroutable` or `ConnectionError`."""
        channel = await self.open()
        reached("confirm.before")
        try:
            async with asyncio.timeout(_CONFIRM_SECONDS):
                outcomes = await asyncio.gather(*(_sent(channel, e) for e in batch), return_exceptions=True)
        except BROKER_GONE as error:
            await self.close()
            raise ConnectionError(str(error)) from error
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, PublishError):
                await self.close()  # connecting again makes the queue again, should it be gone
                raise Unroutable(batch[number].routing_key, number)
            if not isinstance(outcome, Basic.Ack):
                await self.close()
                raise ConnectionError(f"not confirmed: {outcome!r:.80}")
        reached("confirm.after")
        return len(batch)

    async def _connect(self) -> aiormq.Channel:
        self._connection = await aio_pika.connect(self._url, timeout=5)
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        for follower in events.followers(self._source):
            await declare(channel, follower)
        self._channel = cast(aiormq.Channel, await channel.get_underlay_channel())
        return self._channel

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await _farewell(connection)


Take = Callable[[Sequence[Envelope]], Awaitable[None]]
OtherThan = Callable[[frozenset[int]], Awaitable[frozenset[int]]]
"""Waits until the queues to take from are others than those that are known, and tells them: `Shares.other_than`."""


async def every_queue(known: frozenset[int]) -> frozenset[int]:
    """For one who shares with nobody."""
    if known == ALL_QUEUES:
        await asyncio.Event().wait()
    return ALL_QUEUES


class Subscriber:
    """Takes a follower's messages in batches (what waits, up to 100) and acknowledges each batch once.

    `take` must have committed when it returns. Most dead letters died with a crash of ours, not of their own, so each
    is simply taken again, alone. `suspect` is told of a message that could not be read, so that the feed is.
    """

    def __init__(
        self,
        url: str,
        follower: str,
        take: Take,
        suspect: Callable[[], None],
        other_than: OtherThan = every_queue,
    ) -> None:
        self._url = url
        self._follower = follower
        self._take = take
        self._suspect = suspect
        self._other_than = other_than
        self.connected = False

    async def run(self) -> None:
        """For ever; an outage is waited out, since the feed goes on meanwhile."""
        while True:
            raise_if_cancelled()
            try:
                await self._session()
            except* BROKER_GONE as gone:
                log.warning("subscriber.no_broker", error=type(gone.exceptions[0]).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(1.0)

    async def _session(self) -> None:
        """Until the connection, a channel or a queue is gone: then everything is made again."""
        connection = await aio_pika.connect(self._url, timeout=5, heartbeat=_HEARTBEAT_SECONDS)
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        connection.close_callbacks.add(lambda *_: _settle(gone))
        try:
            await declare(await connection.channel(), self._follower)
            async with asyncio.TaskGroup() as group:
                for named, most in ((queue_name, 100), (grave_name, 1)):
                    names = [named(self._follower, number) for number in range(QUEUES)]
                    draining = group.create_task(self._drain(connection, names, most, gone))
                    draining.add_done_callback(lambda _: _settle(gone))
                self.connected = True
                await gone
                raise ConnectionError("gone")
        finally:
            await _farewell(connection)

    async def _drain(
        self, connection: AbstractConnection, names: Sequence[str], most: int, gone: asyncio.Future[None]
    ) -> None:
        """One channel for all queues that are ours, so that one acknowledgement covers a batch out of several."""
        channel = await connection.channel()
        channel.close_callbacks.add(lambda *_: _settle(gone))
        await channel.set_qos(prefetch_count=max(2 * most // QUEUES, 1))  # of each queue
        # aio-pika's own way to consume makes two tasks and two objects of each message
        bare = cast(aiormq.Channel, await channel.get_underlay_channel())
        # the broker takes our consumer away when the queue is deleted or loses its leader
        bare.on_consumer_cancel_callbacks.add(lambda _: _settle(gone))
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._serve(bare, names, arrived))
            group.create_task(self._take_all(bare, arrived, most))

    async def _serve(
        self, channel: aiormq.Channel, names: Sequence[str], arrived: asyncio.Queue[DeliveredMessage]
    ) -> None:
        """Consume from the queues that are ours, as that changes. What had arrived from one that we let go is still
        taken: whoever has it now may be ahead of us then, and the inbox sorts that out."""
        tags: dict[int, str] = {}
        while True:
            held = await self._other_than(frozenset(tags))
            raise_if_cancelled()
            for number in tags.keys() - held:
                await channel.basic_cancel(tags.pop(number))
            for number in held - tags.keys():
                begun = await channel.basic_consume(names[number], arrived.put)
                tags[number] = str(begun.consumer_tag)

    async def _take_all(self, channel: aiormq.Channel, arrived: asyncio.Queue[DeliveredMessage], most: int) -> None:
        while True:
            raise_if_cancelled()
            batch = [await arrived.get()]
            while len(batch) < most and not arrived.empty():
                batch.append(arrived.get_nowait())
            await self._take(self._readable(batch))
            reached("ack.before")
            await channel.basic_ack(cast(int, batch[-1].delivery_tag), multiple=True)
            reached("ack.after")

    def _readable(self, batch: Sequence[DeliveredMessage]) -> list[Envelope]:
        """Without the messages that carry no envelope: whatever they stood for is read from the feed."""
        envelopes = []
        for message in batch:
            try:
                envelopes.append(envelope_of(message))
            except NO_ENVELOPE as error:
                log.error(
                    "subscriber.not_an_envelope",
                    message_id=message.header.properties.message_id,
                    error=type(error).__name__,
                )
                self._suspect()
        return envelopes
