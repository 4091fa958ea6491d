"""Timers: facts with a due time, kept in the database, leased one by one, fired once whoever restarts."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from shared.kernel.errors import Refused
from shared.runtime.event_store import OUTAGE
from shared.runtime.service import Service, Timer

LEASE = timedelta(seconds=60)
_AT_ONCE = 16

log = structlog.get_logger(__name__)


class Timers:
    """Every replica runs one; `skip locked` and the lease keep two from the same timer."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def run(self) -> None:
        pause = 0.05
        while True:
            try:
                pause = 0.05 if await self.fire_due() else min(pause * 1.5, 0.5)
            except (asyncpg.PostgresError, *OUTAGE) as error:
                log.warning("timers.outage", error=type(error).__name__)
                pause = 1.0
            await asyncio.sleep(pause)

    async def fire_due(self) -> int:
        """Run the handlers of what is due by the service's clock; how many were run."""
        rows = await self._service.pool.fetch(
            """
            update timers as t set leased_until = clock_timestamp() + $2
            from (
                select kind, stream, key from timers
                where due_at <= $1 and leased_until < clock_timestamp() and kind = any($4)
                order by due_at limit $3 for update skip locked
            ) as due
            where t.kind = due.kind and t.stream = due.stream and t.key = due.key
            returning t.kind, t.stream, t.key, t.due_at
            """,
            self._service.clock(),
            LEASE,
            _AT_ONCE,
            list(self._service.definition.timers),
        )
        await asyncio.gather(*(self._fire(Timer(*row)) for row in rows))
        return len(rows)

    async def _fire(self, timer: Timer) -> None:
        try:
            await self._service.definition.timers[timer.kind](self._service, timer)
        except Refused as refused:
            log.warning("timer.refused", kind=timer.kind, stream=timer.stream, code=refused.code)
        except Exception:
            # it stays in the table and comes again when its lease ends
            log.exception("timer.failed", kind=timer.kind, stream=timer.stream)
