"""What the end of a window leads to, and its reopening, application by application. Called by the service's timers.

A timer goes when nothing is left to do, by the fact that says so; until then it comes again, and what was done already
is done no second time.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress

from services.exemption.domain.commands import (
    EndWindow,
    ExpireExemption,
    LapseApplication,
    ReviveApplication,
    SettleReopening,
    SettleWindow,
)
from services.exemption.handlers import Books
from services.exemption.views.applications import find_in_state
from services.exemption.views.cycles import WINDOW_ENDED, WINDOW_OVER, WINDOW_REOPENED, find_cycles
from shared.kernel.messages import Meta, command_id
from shared.runtime.keyring import Erased
from shared.runtime.service import Service, Timer, TimerHandler

_PAGE = 200


async def window_over(service: Service, timer: Timer) -> None:
    """A window has closed for the last time."""
    command = EndWindow(cycle=_cycle(timer), purpose=timer.key, due_at=timer.due_at)
    await service.handle(command, _of_timer(service, timer))


def window_ended(books: Books) -> TimerHandler:
    async def settle(service: Service, timer: Timer) -> None:
        cycle, purpose = _cycle(timer), timer.key
        async with service.reading() as connection:
            (row,) = await find_cycles(connection, cycle=cycle)
        async for application in _each(service, cycle, books.rules(row.scheme).book.ends_with(purpose)):
            await _do(
                service,
                timer,
                LapseApplication(application=application, purpose=purpose, due_at=timer.due_at),
                ExpireExemption(application=application, purpose=purpose, due_at=timer.due_at),
            )
        command = SettleWindow(cycle=cycle, purpose=purpose, due_at=timer.due_at)
        await service.handle(command, _of_timer(service, timer))

    return settle


async def window_reopened(service: Service, timer: Timer) -> None:
    """It was extended after its end: what lapsed or expired with it is as it was before."""
    cycle, purpose = _cycle(timer), timer.key
    async for application in _each(service, cycle, ("lapsed", "expired")):
        await _do(service, timer, ReviveApplication(application=application, purpose=purpose))
    command = SettleReopening(cycle=cycle, purpose=purpose, due_at=timer.due_at)
    await service.handle(command, _of_timer(service, timer))


def _cycle(timer: Timer) -> str:
    return timer.stream.split("-", 1)[1]


async def _each(service: Service, cycle: str, states: Sequence[str]) -> AsyncIterator[str]:
    after = ""
    while page := await _page(service, cycle, states, after):
        for application in page:
            yield application
        after = page[-1]


async def _page(service: Service, cycle: str, states: Sequence[str], after: str) -> list[str]:
    async with service.reading() as connection:
        return await find_in_state(connection, cycle, states, after, _PAGE)


async def _do(
    service: Service, timer: Timer, *commands: LapseApplication | ExpireExemption | ReviveApplication
) -> None:
    """Each decider knows whether it means this application; of an erased person there is nothing left to be done."""
    for command in commands:
        with suppress(Erased):
            await service.handle(command, _of_timer(service, timer, type(command).__name__, command.application))


def _of_timer(service: Service, timer: Timer, *about: str) -> Meta:
    parts = (timer.kind, timer.stream, timer.key, timer.due_at.isoformat(), *about)
    return Meta(command_id=command_id("timer", *parts), actor="timer", at=service.clock())


def timers(books: Books) -> Mapping[str, TimerHandler]:
    return {WINDOW_OVER: window_over, WINDOW_ENDED: window_ended(books), WINDOW_REOPENED: window_reopened}
