"""The bus: RabbitMQ as the fast path from a source's log to its followers' queues.

A lost message, queue or broker costs time, never an event: followers read the feed. So nothing here stores state.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any

import aio_pika
import msgspec
import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage, AbstractQueue
from aio_pika.exceptions import AMQPError, DeliveryError, PublishError
from aiormq.exceptions import ChannelInvalidStateError
from pamqp.commands import Basic

from shared import events
from shared.runtime.feed import SLOTS, Envelope

EXCHANGE = "events"
DEAD = "dead"
DELIVERY_LIMIT = 20
_CONFIRM_SECONDS = 30.0
_HEADERS = ("position", "stream", "version", "actor", "person", "case_id", "command_id", "causation")

log = structlog.get_logger(__name__)

BROKER_GONE = (AMQPError, ChannelInvalidStateError, ConnectionError, OSError, TimeoutError)
"""What aio-pika raises when the broker is away, in all its spellings."""


class Unroutable(Exception):
    """The broker returned a message: nothing after it is published until a queue takes it."""

    def __init__(self, routing_key: str, confirmed: int) -> None:
        super().__init__(routing_key)
        self.confirmed = confirmed


def queue_name(follower: str, share: int) -> str:
    return f"{follower}.events.{share}"


async def declare(channel: AbstractChannel, follower: str, shares: int = 1) -> list[AbstractQueue]:
    """The follower's queues, their dead-letter queues and bindings: by source and slot, never by event type."""
    exchange = await channel.declare_exchange(EXCHANGE, aio_pika.ExchangeType.TOPIC, durable=True)
    dead = await channel.declare_exchange(DEAD, aio_pika.ExchangeType.DIRECT, durable=True)
    queues = []
    for share in range(shares):
        name = queue_name(follower, share)
        grave = await channel.declare_queue(f"{name}.dead", durable=True, arguments={"x-queue-type": "quorum"})
        await grave.bind(dead, routing_key=name)
        queue = await channel.declare_queue(
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
        for source in events.FOLLOWS[follower]:
            for slot in range(share, SLOTS, shares):
                await queue.bind(exchange, routing_key=f"{source}.*.{slot}")
        queues.append(queue)
    return queues


def message_of(envelope: Envelope) -> aio_pika.Message:
    """Persistent; the body is the stored text, the rest of the envelope are headers."""
    headers: dict[str, Any] = {name: _plain(getattr(envelope, name)) for name in _HEADERS}
    return aio_pika.Message(
        envelope.body.encode(),
        headers={
            **{name: value for name, value in headers.items() if value is not None},
            "source": envelope.source,
            "recorded_at": envelope.recorded_at.isoformat(),
            **({"traceparent": envelope.traceparent} if envelope.traceparent else {}),
        },
        content_type="application/json",
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        message_id=str(envelope.event_id),
        correlation_id=str(envelope.correlation) if envelope.correlation else None,
        type=envelope.type,
    )


def _settle(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int) else str(value)


def envelope_of(message: AbstractIncomingMessage) -> Envelope:
    """The envelope a message carries; raises `msgspec.ValidationError` for a message that is none of ours."""
    fields = {
        **{name: message.headers.get(name) for name in (*_HEADERS, "source", "recorded_at", "traceparent")},
        "event_id": message.message_id,
        "correlation": message.correlation_id,
        "type": message.type,
        "body": message.body.decode(),
    }
    return msgspec.convert(fields, Envelope)


class Publisher:
    """Publishes a source's envelopes, pipelined, with confirms; connects when needed and again after an outage."""

    def __init__(self, url: str, source: str) -> None:
        self._url = url
        self._source = source
        self._connection: AbstractConnection | None = None
        self._exchange: aio_pika.abc.AbstractExchange | None = None

    async def publish(self, batch: Sequence[Envelope]) -> int:
        """How many from the front are confirmed: all of them, or it raises `Unroutable` or `ConnectionError`."""
        try:
            exchange = self._exchange or await self._connect()
            outcomes = await asyncio.gather(
                *(
                    exchange.publish(message_of(e), e.routing_key, mandatory=True, timeout=_CONFIRM_SECONDS)
                    for e in batch
                ),
                return_exceptions=True,
            )
        except BROKER_GONE as error:
            await self.close()
            raise ConnectionError(str(error)) from error
        for number, outcome in enumerate(outcomes):
            if isinstance(outcome, PublishError):
                raise Unroutable(batch[number].routing_key, number)
            if isinstance(outcome, DeliveryError | BaseException) or not isinstance(outcome, Basic.Ack):
                await self.close()
                raise ConnectionError(f"not confirmed: {outcome!r:.80}")
        return len(batch)

    async def _connect(self) -> aio_pika.abc.AbstractExchange:
        self._connection = await aio_pika.connect(self._url, timeout=5)
        channel = await self._connection.channel(publisher_confirms=True, on_return_raises=True)
        for follower in events.followers(self._source):
            await declare(channel, follower)
        self._exchange = await channel.get_exchange(EXCHANGE)
        return self._exchange

    async def close(self) -> None:
        connection, self._connection, self._exchange = self._connection, None, None
        if connection is not None:
            with suppress(*BROKER_GONE):
                await connection.close()


Take = Callable[[Sequence[Envelope]], Awaitable[None]]


class Subscriber:
    """Takes a follower's messages in batches (what waits, up to 100) and acknowledges each batch once.

    `take` must have committed when it returns. Most dead letters died with a crash of ours, not of their own, so each
    is simply taken again, alone. `suspect` is told of a message that could not be read, so that the feed is.
    """

    def __init__(self, url: str, follower: str, take: Take, suspect: Callable[[], None], shares: int = 1) -> None:
        self._url = url
        self._follower = follower
        self._take = take
        self._suspect = suspect
        self._shares = shares
        self.connected = False

    async def run(self) -> None:
        """For ever; an outage is waited out, since the feed goes on meanwhile."""
        while True:
            try:
                await self._session()
            except* BROKER_GONE as gone:
                log.warning("subscriber.no_broker", error=type(gone.exceptions[0]).__name__)
            finally:
                self.connected = False
            await asyncio.sleep(1.0)

    async def _session(self) -> None:
        async with await aio_pika.connect(self._url, timeout=5) as connection:
            setup = await connection.channel()
            await declare(setup, self._follower, self._shares)
            closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            connection.close_callbacks.add(lambda *_: _settle(closed))
            async with asyncio.TaskGroup() as group:
                for share in range(self._shares):
                    name = queue_name(self._follower, share)
                    group.create_task(self._drain(connection, name, most=100))
                    group.create_task(self._drain(connection, f"{name}.dead", most=1))
                self.connected = True
                await closed
                raise ConnectionError("closed")

    async def _drain(self, connection: AbstractConnection, name: str, most: int) -> None:
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=2 * most)
        queue = await channel.get_queue(name)
        arrived: asyncio.Queue[AbstractIncomingMessage] = asyncio.Queue()
        await queue.consume(arrived.put)
        while True:
            batch = [await arrived.get()]
            while len(batch) < most and not arrived.empty():
                batch.append(arrived.get_nowait())
            await self._take(self._readable(batch))
            await batch[-1].ack(multiple=True)

    def _readable(self, batch: Sequence[AbstractIncomingMessage]) -> list[Envelope]:
        """Without the messages that carry no envelope: whatever they stood for is read from the feed."""
        envelopes = []
        for message in batch:
            try:
                envelopes.append(envelope_of(message))
            except (msgspec.ValidationError, UnicodeDecodeError) as error:
                log.error("subscriber.not_an_envelope", message_id=message.message_id, error=type(error).__name__)
                self._suspect()
        return envelopes
