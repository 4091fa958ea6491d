"""A prepared database per module, the toy service on it, and the registry of retired types."""

from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from shared.events import UPCASTERS, Upcaster
from shared.kernel.time import utc_now
from shared.runtime.consumer import Consumer
from shared.runtime.node import Node
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed, pool_of, prepared
from tests.shared.runtime.follower import Follower
from tests.shared.runtime.nodes import running_pair
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, TABLE


@pytest.fixture(scope="module")
async def toy_database(module_database: str) -> str:
    await prepared(module_database)
    connection = await asyncpg.connect(module_database)
    await connection.execute(TABLE)
    await connection.close()
    return module_database


@pytest.fixture
async def owner(toy_database: str) -> AsyncIterator[asyncpg.Connection]:
    """The database's owner, who may do what no service may."""
    connection = await asyncpg.connect(toy_database, server_settings={"search_path": "identity"})
    yield connection
    await connection.close()


@pytest.fixture
async def toy(toy_database: str) -> AsyncIterator[Service]:
    async with pool_of(toy_database, "identity", size=40) as pool:
        yield Service(DEFINITION, pool, KEK, utc_now, None)


@pytest.fixture
async def follower(toy: Service, toy_database: str, owner: asyncpg.Connection) -> AsyncIterator[Follower]:
    await owner.execute("update sequencer set lease_until = '-infinity'")
    sequencer = Sequencer(toy.pool, "identity", None)
    await sequencer.lead()
    async with pool_of(toy_database, "exemption") as pool:
        following: Follower
        feed = LocalFeed(toy)
        service = Service(FOLLOWER, pool, KEK, lambda: following.now, None)
        following = Follower(toy, sequencer, service, Consumer(service, feed), feed)
        while await sequencer.give():
            pass
        await following.consumer.begin("identity")
        await following.consumer.catch_up("identity")
        yield following


@pytest.fixture
async def pair(toy_database: str, owner: asyncpg.Connection, amqp_url: str) -> AsyncIterator[tuple[Node, Node]]:
    """A source and its follower with the broker between them."""
    await owner.execute("update sequencer set lease_until = '-infinity'")
    async with running_pair(toy_database, amqp_url) as nodes:
        yield nodes


@pytest.fixture
def retired() -> Iterator[dict[str, Upcaster]]:
    """Where upcasters are registered, for a test to register some of its own."""
    before = dict(UPCASTERS)
    yield UPCASTERS
    UPCASTERS.clear()
    UPCASTERS.update(before)
