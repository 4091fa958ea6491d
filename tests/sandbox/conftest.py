"""A sandbox for each test."""

from collections.abc import AsyncIterator

import pytest

from tests.sandbox.serving import Sandbox, serving


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with serving() as running:
        yield running
