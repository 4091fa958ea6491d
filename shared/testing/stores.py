"""Real stores for tests: a prepared database, and a pool per service in it."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

import asyncpg

from ops.database import AUDITOR, as_role, prepare_database
from shared import events

PASSWORD = "only-for-tests"  # noqa: S105
KEK = bytes(range(32))


async def prepared(database: str, services: Iterable[str] = events.SERVICES) -> None:
    await prepare_database(database, dict.fromkeys((*services, AUDITOR), PASSWORD))


@asynccontextmanager
async def pool_of(database: str, service: str, size: int = 10) -> AsyncIterator[asyncpg.Pool]:
    """A pool as the service's own role, in the service's own schema."""
    async with asyncpg.create_pool(
        as_role(database, service, PASSWORD), min_size=1, max_size=size, server_settings={"search_path": service}
    ) as pool:
        yield pool
