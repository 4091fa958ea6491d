"""The run's own PostgreSQL and RabbitMQ."""

from __future__ import annotations

import asyncio
import time

import aio_pika
import asyncpg
import psutil
import pytest

from ops.stack.infrastructure import Infrastructure, temporary_place
from ops.stack.places import Unserviceable
from ops.stack.ports import Ports
from ops.stack.postgres import Postgres
from tests.conftest import Databases

pytestmark = pytest.mark.servers


async def test_each_test_gets_an_empty_database(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE once (n int)")
    await connection.close()


async def test_and_sees_nothing_of_the_test_before(database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE once (n int)")
    await connection.close()


async def test_a_database_is_copied_from_a_template(databases: Databases) -> None:
    async with databases.fresh() as template:
        connection = await asyncpg.connect(template)
        await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
        await connection.close()
        async with databases.fresh(template) as copy:
            connection = await asyncpg.connect(copy)
            assert await connection.fetchval("SELECT n FROM kept") == 7
            await connection.close()


async def test_a_wrong_password_is_refused_even_on_loopback(postgres_admin_url: str) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres_admin_url, password="wrong")


async def test_committed_rows_survive_a_killed_postgres(infra: Infrastructure, database: str) -> None:
    connection = await asyncpg.connect(database)
    await connection.execute("CREATE TABLE kept AS SELECT 7 AS n")
    await asyncio.to_thread(infra.postgres.kill)
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await connection.fetchval("SELECT 1")
    await asyncio.to_thread(infra.postgres.start)
    again = await asyncpg.connect(database)
    assert await again.fetchval("SELECT n FROM kept") == 7
    await again.close()


async def put(url: str, body: bytes) -> None:
    async with await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("letters", durable=True, arguments={"x-queue-type": "quorum"})
        # RabbitMQ 3.10 writes a new quorum queue down half a second later; killed before, it stays without a leader.
        await asyncio.sleep(2)
        message = aio_pika.Message(body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "letters")


async def take(url: str) -> bytes | None:
    async with await aio_pika.connect(url) as connection:
        queue = await (await connection.channel()).get_queue("letters")
        message = await queue.get(fail=False, timeout=30)
        return message.body if message else None


async def test_vhosts_are_apart_and_cheap(infra: Infrastructure, amqp_url: str) -> None:
    began = time.monotonic()
    other = infra.rabbitmq.new_vhost("other")
    assert time.monotonic() - began < 5
    await put(other, b"elsewhere")
    with pytest.raises(aio_pika.exceptions.ChannelNotFoundEntity):
        await take(amqp_url)
    infra.rabbitmq.drop_vhost("other")
    with pytest.raises(aio_pika.exceptions.AMQPError):
        await aio_pika.connect(other)


async def test_a_confirmed_message_survives_a_killed_rabbitmq(infra: Infrastructure, amqp_url: str) -> None:
    await put(amqp_url, b"kept")
    await asyncio.to_thread(infra.rabbitmq.kill)
    with pytest.raises(aio_pika.exceptions.AMQPConnectionError):
        await aio_pika.connect(amqp_url)
    await asyncio.to_thread(infra.rabbitmq.start)
    assert await take(amqp_url) == b"kept"


def test_a_vhost_cannot_smuggle_an_expression(infra: Infrastructure) -> None:
    with pytest.raises(ValueError, match="not a name"):
        infra.rabbitmq.drop_vhost('x">>), halt(), (<<"')


def test_a_data_folder_that_is_not_made_in_time_is_said_in_a_sentence_and_nothing_goes_on_making_it() -> None:
    with temporary_place() as place:
        place.make()
        postgres = Postgres(place, Ports(place.data / "ports.json"), ready_within=0.05)
        with pytest.raises(Unserviceable, match="PostgreSQL could not make its data folder"):
            postgres.start()
        initdb = [each for each in psutil.process_iter(["cmdline"]) if str(place.data) in str(each.info["cmdline"])]
        assert initdb == []
