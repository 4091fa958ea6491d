"""What happens by itself when a window of a cycle ends: it is recorded, and what has to lapse or expire with it does.

Called by the timers that the read model of cycles sets. Nothing is decided here.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress

from services.exemption.domain.commands import EndWindow, ExpireExemption, LapseApplication, SettleWindow
from services.exemption.handlers import Books
from services.exemption.views.applications import find_in_state
from services.exemption.views.cycles import WINDOW_ENDED, WINDOW_OVER, find_cycles
from shared.kernel.messages import Meta, command_id
from shared.runtime.keyring import Erased
from shared.runtime.service import Service, Timer, TimerHandler

_PAGE = 200


async def window_over(service: Service, timer: Timer) -> None:
    """A window has closed for the last time."""
    command = EndWindow(cycle=timer.stream.split("-", 1)[1], purpose=timer.key, due_at=timer.due_at)
    await service.handle(command, _of_timer(service, timer))


def window_ended(books: Books) -> TimerHandler:
    """What a window's end leads to: application by application, and the timer goes when nothing is left to do."""

    async def settle(service: Service, timer: Timer) -> None:
        cycle, purpose = timer.stream.split("-", 1)[1], timer.key
        async with service.reading() as connection:
            (row,) = await find_cycles(connection, cycle=cycle)
        states, after = books.rules(row.scheme).book.ends_with(purpose), ""
        while page := await _page(service, cycle, states, after):
            for application in page:
                await _end_one(service, timer, application)
            after = page[-1]
        command = SettleWindow(cycle=cycle, purpose=purpose, due_at=timer.due_at)
        await service.handle(command, _of_timer(service, timer))

    return settle


async def _page(service: Service, cycle: str, states: Sequence[str], after: str) -> list[str]:
    async with service.reading() as connection:
        return await find_in_state(connection, cycle, states, after, _PAGE)


async def _end_one(service: Service, timer: Timer, application: str) -> None:
    """Each decider knows whether it means this application; of an erased person nothing is left to be ended."""
    for command in (
        LapseApplication(application=application, purpose=timer.key, due_at=timer.due_at),
        ExpireExemption(application=application, purpose=timer.key, due_at=timer.due_at),
    ):
        with suppress(Erased):
            await service.handle(command, _of_timer(service, timer, type(command).__name__, application))


def _of_timer(service: Service, timer: Timer, *about: str) -> Meta:
    parts = (timer.kind, timer.stream, timer.key, timer.due_at.isoformat(), *about)
    return Meta(command_id=command_id("timer", *parts), actor="timer", at=service.clock())


def timers(books: Books) -> Mapping[str, TimerHandler]:
    return {WINDOW_OVER: window_over, WINDOW_ENDED: window_ended(books)}
