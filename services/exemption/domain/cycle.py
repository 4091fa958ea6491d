"""批次: a dated opening of a scheme, at an organisation and everything below it. Pure.

The book says which windows there are; the cycle says when. `handlers.py` executes it; APPLICATION only reads it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import ClassVar, assert_never

from services.exemption.domain import rules
from services.exemption.domain.commands import CloseCycle, CycleCommand, ExtendWindow, OpenCycle
from services.exemption.domain.followed import Organisations
from services.exemption.domain.scheme import Rules
from shared.events.exemption import CycleClosed, CycleEvent, CycleOpened, WindowExtended, WindowSet
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import Window


@dataclass(frozen=True)
class NotOpened:
    """There is no such cycle."""

    state_title: ClassVar[str] = "未开放"


@dataclass(frozen=True)
class Cycle:
    """Open, in the windows it has."""

    scheme: str
    organisation: str
    title: str
    windows: Mapping[str, Window] = field(default_factory=dict)
    closed: bool = False

    @property
    def state_title(self) -> str:
        return "已结束" if self.closed else "已开放"


CycleState = NotOpened | Cycle


@dataclass(frozen=True)
class CycleContext:
    """What a decision may know besides the past; `organisations` are the cycle's own and those above it."""

    now: datetime
    actor: str
    roles: frozenset[tuple[str, str]]
    rules: Rules
    organisations: Organisations


def decide(command: CycleCommand, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    match command:
        case OpenCycle():
            return _open(command, state, context)
        case ExtendWindow():
            return _extend(command, state, context)
        case CloseCycle():
            cycle = _running(state, context)
            reason = parse_text(command.reason, "reason", most=200, least=2)
            rules.cycle_must_not_be_closed(cycle.closed)
            return [CycleClosed(reason=reason, closed_by=context.actor)]
        case _:
            assert_never(command)


def _open(command: OpenCycle, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    book = context.rules.book
    rules.opener_must_hold(book.open_by, command.organisation, context.organisations, context.roles)
    if isinstance(state, Cycle):
        raise Refused("exemption.cycle_already_open")
    rules.windows_must_match_the_book([each.id for each in book.windows], command.windows)
    opened = CycleOpened(
        scheme=context.rules.ref,
        organisation=command.organisation,
        title=parse_text(command.title, "title", most=60, least=2),
        opened_by=context.actor,
        clause=context.rules.clause("open_by", source=book.submit.source),
    )
    return [opened, *(_window_set(purpose, window, context) for purpose, window in command.windows.items())]


def _window_set(purpose: str, window: Window, context: CycleContext) -> WindowSet:
    said = next(each for each in context.rules.book.windows if each.id == purpose)
    return WindowSet(
        purpose=purpose,
        from_day=window.from_day,
        to_day=window.to_day,
        daily=window.daily,
        excluded=window.excluded,
        close_inclusive=said.close_inclusive,  # the book's word, whatever was asked for
        clause=context.rules.clause(f"windows[{purpose}]", source=said.source),
    )


def _extend(command: ExtendWindow, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    cycle = _running(state, context)
    rules.cycle_must_not_be_closed(cycle.closed)
    window = cycle.windows.get(command.purpose)
    if window is None:
        raise Refused("exemption.no_such_window", purpose=command.purpose)
    rules.extension_must_be_later(command.purpose, window, command.to_day, context.now)
    reason = parse_text(command.reason, "reason", most=200, least=2)
    return [WindowExtended(purpose=command.purpose, to_day=command.to_day, reason=reason, extended_by=context.actor)]


def _running(state: CycleState, context: CycleContext) -> Cycle:
    if isinstance(state, NotOpened):
        raise Refused("access.not_found")
    rules.opener_must_hold(context.rules.book.open_by, state.organisation, context.organisations, context.roles)
    return state


def evolve(state: CycleState, event: CycleEvent) -> CycleState:
    """The past is never refused."""
    if isinstance(event, CycleOpened):
        return Cycle(event.scheme, event.organisation, event.title)
    assert isinstance(state, Cycle)
    match event:
        case WindowSet():
            window = Window(event.from_day, event.to_day, event.daily, event.excluded, event.close_inclusive)
            return replace(state, windows={**state.windows, event.purpose: window})
        case WindowExtended():
            longer = replace(state.windows[event.purpose], to_day=event.to_day)
            return replace(state, windows={**state.windows, event.purpose: longer})
        case CycleClosed():
            return replace(state, closed=True)
        case _:
            assert_never(event)


CYCLE: Decider[CycleCommand, CycleState, CycleEvent, CycleContext] = Decider("cycle", NotOpened(), decide, evolve)
