"""One exemption at work for all server tests here; each test has people and a cycle of its own."""

from collections.abc import AsyncIterator

import pytest

from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.services.exemption.hb_office import Hall, open_hall
from tests.services.exemption.office import Office, open_office
from tests.services.exemption.sx_office import Shanxi, open_shanxi


@pytest.fixture(scope="session")
async def exemption_database(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        yield url


@pytest.fixture(scope="session")
async def office(exemption_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(exemption_database, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


@pytest.fixture(scope="session")
async def whole_hall(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Hall]:
    """A database of its own: its clock stands in 2018."""
    async with databases.fresh() as database:
        await prepared(database, ["identity", "exemption"])
        async with open_hall(database, tmp_path_factory.mktemp("hall")) as opened:
            yield opened


@pytest.fixture
def hall(whole_hall: Hall) -> Hall:
    """On a day in both windows of the notice."""
    whole_hall.at(2018, 3, 10, 10)
    return whole_hall


@pytest.fixture
async def sx(office: Office) -> Shanxi:
    """Each test has a cycle of its own."""
    return await open_shanxi(office)
