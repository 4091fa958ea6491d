"""Real servers for the tests that ask for them, started once per run and only when asked for."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator, Generator, Iterator
from contextlib import ExitStack, asynccontextmanager
from itertools import count
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import yaml
from hypothesis import settings

from ops.stack import docker
from ops.stack.infrastructure import AMQP_VARIABLE, POSTGRES_VARIABLE, Infrastructure, NotOurs, temporary_place
from ops.stack.places import CHECKOUT

KINDS = ("servers", "journey")
"""The marks of tests that need more than Python, each written in the file of the test itself."""
LONG = (
    "tests/journeys/test_four_procedures.py",
    "tests/journeys/test_the_traces_and_logs.py",
    "tests/journeys/test_replicas.py",
    "tests/contracts/test_authorisation.py",
    "tests/journeys/test_the_erasure.py",
    "tests/shared/runtime/test_faults.py",
    "tests/journeys/test_worst_moments.py",
    "tests/ops/test_deploy_ops.py",
)
"""The files that take longest, in the order in which several workers take them, two each at first: the longest begins
at once, and journeys of one stack follow each other where that works out."""

# how long an example takes says more about the machine than about the code
settings.register_profile("zikao", deadline=None)
settings.load_profile("zikao")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """A run of one kind of tests need not import the files that never speak of it: half of all, or nearly all."""
    asked = str(config.option.markexpr).partition(" and ")[0].split(" or ")
    if not {*asked} <= {*KINDS} or collection_path.suffix != ".py":
        return None
    said = collection_path.read_text("utf-8")
    return None if any(f"mark.{kind}" in said for kind in asked) else True


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where workers share the files, long ones first: whatever is begun last is what the others wait for."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        files = [item.nodeid.partition("::")[0] for item in items]
        order = {file: (LONG.index(file) if file in LONG else len(LONG), -files.count(file)) for file in {*files}}
        items.sort(key=lambda item: order[item.nodeid.partition("::")[0]])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call() -> Generator[None, None, None]:
    """Tests that stop a server are for our own servers only."""
    try:
        return (yield)
    except NotOurs as reason:
        pytest.skip(str(reason))


class InContainers(Infrastructure):
    """Where a Docker engine answers: the images of the compose file. Never tried; ZIKAO_DOCKER=off goes without."""

    def __enter__(self) -> Self:
        from testcontainers.community.postgres import PostgresContainer  # here: half a second that others need not wait
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.wait_strategies import LogMessageWaitStrategy

        images = yaml.safe_load((CHECKOUT / docker.FILES[0]).read_text())["services"]
        postgres = PostgresContainer(images["postgres"]["image"], driver=None).with_command("-c max_connections=200")
        self._broker = DockerContainer(images["rabbitmq"]["image"]).with_exposed_ports(5672)
        self._broker.waiting_for(LogMessageWaitStrategy("Server startup complete"))
        self._containers = ExitStack()
        self._given_postgres = self._containers.enter_context(postgres).get_connection_url()
        self._containers.enter_context(self._broker)
        self._given_amqp = self.new_vhost("main")
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        self._containers.close()

    def new_vhost(self, name: str) -> str:
        for words in (["add_vhost", name], ["set_permissions", "--vhost", name, "guest", ".*", ".*", ".*"]):
            assert self._broker.exec(["rabbitmqctl", *words]).exit_code == 0
        return f"amqp://guest:guest@{self._broker.get_container_host_ip()}:{self._broker.get_exposed_port(5672)}/{name}"


@pytest.fixture(scope="session")
def infra() -> Iterator[Infrastructure]:
    """The run's PostgreSQL and RabbitMQ. `infra.rabbitmq` and `infra.postgres` can be stopped, started and killed."""
    named = {POSTGRES_VARIABLE, AMQP_VARIABLE} & os.environ.keys()
    use_docker = not named and os.environ.get(docker.VARIABLE) != "off" and docker.engine_answers()
    with temporary_place() as place, (InContainers if use_docker else Infrastructure)(place) as infrastructure:
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
