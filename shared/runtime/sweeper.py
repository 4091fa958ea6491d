"""The sweeper: removes blobs that no event refers to, a day after they were stored. Run by every node that keeps blobs.

A blob is stored before the event that names it, so a crash in between leaves one that nobody will ever ask for.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import asyncpg
import structlog

from shared.runtime.ending import raise_if_cancelled
from shared.runtime.event_store import OUTAGE
from shared.runtime.service import Service

KEPT_UNNAMED = timedelta(days=1)
_PAUSE_SECONDS = 3600.0
_AT_ONCE = 500

log = structlog.get_logger(__name__)


class Sweeper:
    """Two at once do no harm: a blob that is gone is gone."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(self) -> None:
        while True:
            raise_if_cancelled()
            try:
                if swept := await self.sweep():
                    log.info("sweeper.swept", blobs=swept)
            except (asyncpg.PostgresError, *OUTAGE) as error:
                log.warning("sweeper.outage", error=type(error).__name__)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def sweep(self) -> int:
        """How many were removed."""
        swept, waiting = 0, []
        async for blob in self._service.blobs.list_older_than(self._service.clock() - KEPT_UNNAMED):
            waiting.append(blob)
            if len(waiting) == _AT_ONCE:
                swept += await self._sweep(waiting)
                waiting = []
        return swept + await self._sweep(waiting)

    async def _sweep(self, blobs: Sequence[str]) -> int:
        kept_by = self._service.definition.blobs_kept
        assert kept_by is not None  # the node runs no sweeper otherwise
        async with self._service.reading() as connection:
            kept = await kept_by(connection, blobs)
        unnamed = [blob for blob in blobs if blob not in kept]
        for blob in unnamed:
            await self._service.blobs.delete(blob)
        return len(unnamed)
