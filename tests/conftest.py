"""Real servers for the tests that ask for them, started once per run and only when asked for."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import asynccontextmanager
from itertools import count
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import settings

from ops.stack.infrastructure import Infrastructure, NotOurs, temporary_place
from ops.stack.screen import Screen
from ops.stack.stack import Stack

# how long an example takes says more about the machine than about the code
settings.register_profile("zikao")
settings.load_profile("zikao")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Tests that stop a server are for our own servers only."""
    try:
        return (yield)
    except NotOurs as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="session")
def infra() -> Iterator[Infrastructure]:
    """The run's PostgreSQL and RabbitMQ. `infra.rabbitmq` and `infra.postgres` can be stopped, started and killed."""
    with temporary_place() as place, Infrastructure(place) as infrastructure:
        yield infrastructure


@pytest.fixture(scope="session")
def postgres_admin_url(infra: Infrastructure) -> str:
    """A superuser's address on the run's server."""
    return infra.postgres_admin_url


class Databases:
    """Makes databases and removes them. A module with tables of its own makes one as a template and copies it."""

    _numbers = count(1)

    def __init__(self, admin_url: str) -> None:
        self._admin_url = admin_url

    @asynccontextmanager
    async def fresh(self, template: str = "template1") -> AsyncIterator[str]:
        """The address of a new database. `template` is a database's name or address that nobody is connected to."""
        name = f"zikao_test_{next(self._numbers)}"
        source = urlsplit(template).path.removeprefix("/") or template
        await self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        await self._run(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        try:
            yield urlunsplit(urlsplit(self._admin_url)._replace(path=f"/{name}"))
        finally:
            await self._run(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def _run(self, statement: str) -> None:
        connection = await asyncpg.connect(self._admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture(scope="session")
def databases(postgres_admin_url: str) -> Databases:
    return Databases(postgres_admin_url)


@pytest.fixture
async def database(databases: Databases) -> AsyncIterator[str]:
    """The address of a database of this test's own, empty."""
    async with databases.fresh() as url:
        yield url


@pytest.fixture(scope="module")
async def module_database(databases: Databases) -> AsyncIterator[str]:
    """The address of a database that the tests of one module share, empty at first."""
    async with databases.fresh() as url:
        yield url


@pytest.fixture(scope="module")
def amqp_url(infra: Infrastructure, request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a vhost of this module's own."""
    name = re.sub(r"[^a-z0-9_.-]", "_", request.node.nodeid.lower())[-100:]
    yield infra.new_vhost(name)
    infra.drop_vhost(name)


@pytest.fixture(scope="session")
def stack(infra: Infrastructure) -> Iterator[Stack]:
    """The whole stack as processes, for journeys: `stack.base_url("exemption")`, `stack.processes`, `stack.secrets`."""
    whole = Stack(infra, Screen())
    try:
        whole.start()
        yield whole
    finally:
        whole.stop()
