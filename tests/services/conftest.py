"""Three services with the broker between them, for tests of what passes from one to another."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.testing.stores import prepared
from tests.services.town import Town, open_town


@pytest.fixture(scope="module")
async def town(module_database: str, amqp_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    await prepared(module_database)
    async with open_town(module_database, Path(tmp_path_factory.mktemp("town")), amqp_url) as opened:
        yield opened
