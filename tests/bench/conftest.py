"""The bench's workplace on the run's servers: one, because its databases have names."""

import pytest

from bench.workplace import Workplace
from ops.stack.infrastructure import Infrastructure


@pytest.fixture(scope="session")
async def workplace(infra: Infrastructure) -> Workplace:
    place = Workplace(infra, seconds=0.05)
    await place.prepare()
    return place
