"""The bench's workplace on the run's servers: one, because its databases have names, and with the passwords of all
other tests, because roles belong to the server."""

import pytest

from bench.workplace import Workplace
from ops.stack.infrastructure import Infrastructure
from shared.testing.stores import PASSWORD


@pytest.fixture(scope="session")
async def workplace(infra: Infrastructure) -> Workplace:
    place = Workplace(infra, seconds=0.05, password=PASSWORD)
    await place.prepare()
    return place
