"""Timers: facts with a due time, kept in the database, leased one by one, fired once whoever restarts."""

import asyncio
from datetime import timedelta

import asyncpg
import structlog

from shared.kernel.errors import Refused
from shared.runtime.ending import raise_if_cancelled
from shared.runtime.event_store import OUTAGE
from shared.runtime.service import Service, Timer

LEASE = timedelta(seconds=60)
_AT_ONCE = 16

log = structlog.get_logger(__name__)


class Timers:
    """Every replica runs one; `skip locked` and the lease keep two from the same timer."""

    def __init__(self, service: Service, lease: timedelta = LEASE) -> None:
        self._service = service
        self._lasts = lease

    async def run(self) -> None:
        """A slow handler holds up nobody: what is due meanwhile starts beside it, up to a bound."""
        pause = 0.05
        running: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as handlers:
            while True:
                raise_if_cancelled()
                ends = self._lease_ends()
                try:
                    due = await self._lease(_AT_ONCE - len(running))
                    pause = 0.05 if due else min(pause * 1.5, 0.5)
                except (asyncpg.PostgresError, *OUTAGE) as error:
                    log.warning("timers.outage", error=type(error).__name__)
                    due, pause = [], 1.0
                for timer in due:
                    running.add(task := handlers.create_task(self._fire(timer, ends)))
                    task.add_done_callback(running.discard)
                await asyncio.sleep(pause)

    async def fire_due(self) -> int:
        """Run the handlers of what is due by the service's clock, to the end; how many were run."""
        ends = self._lease_ends()
        due = await self._lease(_AT_ONCE)
        await asyncio.gather(*(self._fire(timer, ends) for timer in due))
        return len(due)

    def _lease_ends(self) -> float:
        """When a lease taken from now on ends, by this loop's clock: never later than it does in the database."""
        return asyncio.get_running_loop().time() + self._lasts.total_seconds()

    async def _lease(self, most: int) -> list[Timer]:
        rows = await self._service.pool.fetch(
            """
            update timers as t set leased_until = clock_timestamp() + $2
            from (
                select kind, stream, key from timers
                where due_at <= $1 and kind = any($4)
                -- a lease that seems to last longer than any was taken before the database's clock was set back
                and leased_until not between clock_timestamp() and clock_timestamp() + $2
                order by due_at limit $3 for update skip locked
            ) as due
            where t.kind = due.kind and t.stream = due.stream and t.key = due.key
            returning t.kind, t.stream, t.key, t.due_at
            """,
            self._service.clock(),
            self._lasts,
            most,
            list(self._service.definition.timers),
        )
        return [Timer(*row) for row in rows]

    async def _fire(self, timer: Timer, ends: float) -> None:
        """A handler that outlasts its lease is ended: another may have the timer by then."""
        try:
            async with asyncio.timeout_at(ends):
                await self._service.definition.timers[timer.kind](self._service, timer)
        except Refused as refused:
            log.warning("timer.refused", kind=timer.kind, stream=timer.stream, code=refused.code)
        except Exception:
            # it stays in the table and comes again when its lease ends
            log.exception("timer.failed", kind=timer.kind, stream=timer.stream)
