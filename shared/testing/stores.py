"""Real stores for tests: a prepared database, and a pool per service in it."""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager

import asyncpg

from shared import events
from shared.runtime.database import AUDITOR, as_role, prepare_database
from shared.runtime.feed import Envelope
from shared.runtime.node import open_pool
from shared.runtime.service import Service

PASSWORD = "only-for-tests"
KEK = bytes(range(32))


async def prepared(database: str, services: Iterable[str] = events.SERVICES) -> None:
    await prepare_database(database, dict.fromkeys((*services, AUDITOR), PASSWORD))


@asynccontextmanager
async def pool_of(database: str, service: str, size: int = 10) -> AsyncIterator[asyncpg.Pool]:
    """A pool as the service's own role, in the service's own schema."""
    async with open_pool(as_role(database, service, PASSWORD), service, size) as pool:
        yield pool


class LocalFeed:
    """The logs of services in this process, as a follower reads them; `silent` sources do not answer, and neither do
    those that are not there yet."""

    def __init__(self, *services: Service) -> None:
        self._services = {service.name: service for service in services}
        self.silent: set[str] = set()
        self.read = 0

    def add(self, service: Service) -> None:
        self._services[service.name] = service

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]:
        return self._counted(await self._of(source).feed(position, most))

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        return self._counted(await self._of(source).feed_of(stream, version, most))

    async def head(self, source: str) -> int:
        return await self._of(source).feed_head()

    def _of(self, source: str) -> Service:
        if source in self.silent or source not in self._services:
            raise ConnectionError(source)
        return self._services[source]

    def _counted(self, envelopes: Sequence[Envelope]) -> Sequence[Envelope]:
        self.read += len(envelopes)
        return envelopes
