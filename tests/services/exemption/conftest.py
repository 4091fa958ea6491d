"""One exemption at work for all server tests here; each test has people and a cycle of its own."""

from collections.abc import AsyncIterator

import pytest

from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.services.exemption.office import Office, open_office


@pytest.fixture(scope="session")
async def exemption_database(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        yield url


@pytest.fixture(scope="session")
async def office(exemption_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(exemption_database, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened
