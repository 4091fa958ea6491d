"""One identity at work for all tests here: each test has people and an address of its own, and time only goes on."""

from collections.abc import AsyncIterator
from dataclasses import replace
from itertools import count
from pathlib import Path

import pytest

from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.sandbox.serving import serving
from tests.services.identity.people import Office, Official, open_office
from tests.services.identity.schooling import World, world

_addresses = count(1)


@pytest.fixture(scope="session")
async def identity_database(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity"])
        yield url


@pytest.fixture(scope="session")
async def opened_office(identity_database: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    async with open_office(identity_database, tmp_path_factory.mktemp("blobs")) as opened:
        yield opened


@pytest.fixture
def office(opened_office: Office) -> Office:
    """Reached from an address that nobody used before."""
    number = next(_addresses)
    return replace(opened_office, address=f"10.1.{number // 250}.{number % 250}")


@pytest.fixture(scope="session")
async def chief(opened_office: Office) -> Official:
    """The first administrator: there is only one, ever."""
    return await opened_office.first_administrator()


@pytest.fixture(scope="session")
async def education_database(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity"])
        yield url


@pytest.fixture
async def w(education_database: str, tmp_path: Path) -> AsyncIterator[World]:
    """Identity with CHSI's stand-in beside it, for prior education."""
    async with serving() as sandbox, world(education_database, tmp_path, sandbox) as opened:
        yield opened
