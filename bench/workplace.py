"""Where the measures work: private servers, empty databases for the bare cases, copies of a prepared one for ours."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg

from bench import bare
from bench.service import READ_MODELS, RECORDING, TOLD
from ops.stack.infrastructure import Infrastructure
from shared import events
from shared.kernel.time import utc_now
from shared.runtime.database import AUDITOR, as_role, prepare_database, with_database
from shared.runtime.feed import Envelope, head, of_stream, positioned
from shared.runtime.keyring import Keyring
from shared.runtime.node import KEYS_SIZE, open_pool
from shared.runtime.service import Service, ServiceDefinition

if TYPE_CHECKING:
    from bench.sizes import Past

SOURCE, FOLLOWER = RECORDING.name, TOLD.name
_TEMPLATE = "bench_template"


@dataclass(frozen=True)
class Store:
    """A database of ours, and what opens it; small and picklable, so that a process of its own can be given it."""

    admin_url: str
    password: str
    kek: bytes

    def url(self, service: str) -> str:
        return as_role(self.admin_url, service, self.password)

    @asynccontextmanager
    async def service(self, definition: ServiceDefinition, size: int = 16) -> AsyncIterator[Service]:
        """As `app.py` opens it, without its HTTP edge."""
        url = self.url(definition.name)
        async with (
            open_pool(url, definition.name, size) as pool,
            open_pool(url, definition.name, KEYS_SIZE) as keys,
        ):
            yield Service(definition, pool, self.kek, utc_now, None, keys)

    async def make_keys(self, persons: Sequence[str]) -> None:
        """As identity makes them."""
        async with open_pool(self.url("identity"), "identity", KEYS_SIZE) as pool:
            keyring = Keyring(pool, self.kek)
            for person in persons:
                await keyring.create(person)

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """For looking at what came of it, whoever wrote it."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            yield connection
        finally:
            await connection.close()


class StoredFeed:
    """The logs of all services of one database. In production a follower reads them over HTTP, when it starts and when
    something is missing; in a measure nothing is, so this costs what that would: nothing."""

    def __init__(self, pools: dict[str, asyncpg.Pool]) -> None:
        self._pools = pools

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]:
        return await positioned(self._pools[source], source, position, most)

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        return await of_stream(self._pools[source], source, stream, version, most)

    async def head(self, source: str) -> int:
        return await head(self._pools[source])


class Workplace:
    """`seconds` is how long a case is tried in a round; `folder` lies on the disk of the database; `password` is that
    of the services' roles, of which a server has one set for all its databases."""

    def __init__(self, infra: Infrastructure, seconds: float, password: str | None = None) -> None:
        self.seconds = seconds
        self.folder: Path = infra.place.data
        self.logs: Path = infra.place.logs
        self.admin_url = infra.postgres.admin_url
        self.pasts: dict[int, Past] = {}
        """By how many events they have: kept here by `sizes.py`, since filling them takes minutes."""
        self._infra = infra
        self._numbers = count(1)
        self._kek = secrets.token_bytes(32)
        self._password = password or secrets.token_urlsafe(24)

    async def prepare(self) -> None:
        """The database that `store` copies: every service's schema, and the read models of the bench's own."""
        await self.run(f'create database "{_TEMPLATE}"')
        url = with_database(self.admin_url, _TEMPLATE)
        await prepare_database(url, dict.fromkeys((*events.SERVICES, AUDITOR), self._password))
        connection = await asyncpg.connect(url)
        try:
            await connection.execute(READ_MODELS)
        finally:
            await connection.close()

    @asynccontextmanager
    async def bare(self) -> AsyncIterator[str]:
        """The address of a database with the bare tables."""
        async with self._database("template1") as url:
            connection = await asyncpg.connect(url)
            try:
                await connection.execute(bare.SCHEMA)
            finally:
                await connection.close()
            yield url

    @asynccontextmanager
    async def empty(self) -> AsyncIterator[str]:
        """The address of a database with nothing in it."""
        async with self._database("template1") as url:
            yield url

    @asynccontextmanager
    async def store(self) -> AsyncIterator[Store]:
        """A database of ours with nothing recorded in it yet."""
        async with self._database(_TEMPLATE) as url:
            yield Store(url, self._password, self._kek)

    async def lasting_store(self) -> Store:
        """The same, there until the servers go."""
        name = await self._new_database(_TEMPLATE)
        return Store(with_database(self.admin_url, name), self._password, self._kek)

    @asynccontextmanager
    async def broker(self) -> AsyncIterator[str]:
        """The address of an empty vhost; the node is started when it is first asked for."""
        name = f"bench-{next(self._numbers)}"
        rabbitmq = await asyncio.to_thread(lambda: self._infra.rabbitmq)
        url = await asyncio.to_thread(rabbitmq.new_vhost, name)
        try:
            yield url
        finally:
            await asyncio.to_thread(rabbitmq.drop_vhost, name)

    @asynccontextmanager
    async def _database(self, template: str) -> AsyncIterator[str]:
        name = await self._new_database(template)
        try:
            yield with_database(self.admin_url, name)
        finally:
            await self.run(f'drop database "{name}" with (force)')

    async def _new_database(self, template: str) -> str:
        name = f"bench_{next(self._numbers)}"
        await self.run(f'create database "{name}" template "{template}"')
        return name

    async def run(self, statement: str) -> None:
        """As the owner of the whole server, which is this run's own."""
        connection = await asyncpg.connect(self.admin_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()
