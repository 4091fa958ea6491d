"""批次: a dated opening of a scheme, at an organisation and everything below it. Pure.

The book says which windows there are; the cycle says when. `handlers.py` executes it; APPLICATION only reads it. A
cycle is public as soon as it is opened, and each window is then announced, open, paused or over by its own dates.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import ClassVar, assert_never

from services.exemption.domain import rules
from services.exemption.domain.commands import (
    CloseCycle,
    CycleCommand,
    EndWindow,
    ExtendWindow,
    OpenCycle,
    SettleReopening,
    SettleWindow,
    WindowAsked,
)
from services.exemption.domain.followed import Organisations
from services.exemption.domain.scheme import Rules
from shared.events.exemption import (
    CycleClosed,
    CycleEvent,
    CycleOpened,
    CycleWindowEnded,
    DaysExcluded,
    ReopeningSettled,
    WindowExtended,
    WindowReopened,
    WindowSet,
    WindowSettled,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import PRIOR_EDUCATION, Phase, Purpose, Skip, Window
from shared.schemes.workdays import days_off


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
    skips: Mapping[str, tuple[Skip, ...]] = field(default_factory=dict)  # purpose -> the lists it was opened with
    ended: frozenset[str] = frozenset()  # purposes whose end was recorded

    @property
    def state_title(self) -> str:
        return "已结束" if self.closed else "已开放"

    def phase(self, purpose: str, now: datetime) -> Phase:
        """Where a window of this cycle is; what its closing by hand ended is over, whatever its days."""
        return "closed" if self.closed and purpose in self.ended else self.windows[purpose].phase(now)


CycleState = NotOpened | Cycle


@dataclass(frozen=True)
class CycleContext:
    """What a decision may know besides the past; `organisations` are the cycle's own and those above it."""

    now: datetime
    actor: str
    roles: frozenset[tuple[str, str]]
    rules: Rules
    organisations: Organisations
    own: frozenset[str] = frozenset()  # those that the book's jurisdiction lists


def decide(command: CycleCommand, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    match command:
        case OpenCycle():
            return _open(command, state, context)
        case ExtendWindow():
            return _extend(command, state, context)
        case CloseCycle():
            return _close(command, state, context)
        case EndWindow():
            return _end(command, state, context)
        case SettleWindow():
            return _settle(command, state, context)
        case SettleReopening():
            return [ReopeningSettled(purpose=command.purpose, reopened_at=command.due_at)]
        case _:
            assert_never(command)


def _open(command: OpenCycle, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    book = context.rules.book
    rules.opener_must_hold(book.open_by, book.open_at, command.organisation, context.organisations, context.roles)
    rules.organisation_must_be_of_the_jurisdiction(command.organisation, context.organisations, context.own)
    if isinstance(state, Cycle):
        raise Refused("exemption.cycle_already_open")
    rules.windows_must_match_the_book(book.windows, command.windows)
    opened = CycleOpened(
        scheme=context.rules.ref,
        organisation=command.organisation,
        title=parse_text(command.title, "title", most=60, least=2),
        opened_by=context.actor,
        clause=context.rules.clause("open_by", source=book.submit.source),
    )
    windows = [event for said in book.windows for event in _announced(said, command.windows[said.id], context)]
    _windows_must_fit_together(CYCLE.replay([opened, *windows]), context)
    return [opened, *windows]


def _windows_must_fit_together(cycle: CycleState, context: CycleContext, extended: str | None = None) -> None:
    """Of all windows, or of those that are measured by the one that is extended: the others are as they were."""
    book = context.rules.book
    assert isinstance(cycle, Cycle)  # opened, or extended
    windows = cycle.windows
    if extended in {None, book.submit.window}:
        handing_in = windows[book.submit.window]
        if results := book.results:
            rules.results_must_open_after_handing_in(book.window(results.window), windows[results.window], handing_in)
        if payment := book.payment:
            rules.paying_must_end_after_handing_in(book.window(payment.window), windows[payment.window], handing_in)
        if prior := windows.get(PRIOR_EDUCATION):
            rules.prior_education_must_open_before_handing_in_is_over(book.window(PRIOR_EDUCATION), prior, handing_in)
    for purpose, earlier in book.outlasting():
        paying = book.payment is not None and earlier == book.payment.window
        on_site = "in_review" in book.ends_with(purpose)
        added_later = extended is not None and on_site and not paying  # what is handed in waits for these days
        if extended in {None, earlier} and not added_later:
            rules.window_must_outlast(book.window(purpose), windows[purpose], windows[earlier], paying=paying)


def _announced(said: Purpose, asked: WindowAsked, context: CycleContext) -> Sequence[WindowSet | DaysExcluded]:
    """One window, in the book's words where nothing else was asked for, without the days that its lists leave out."""
    window = _as_asked(said, asked)
    rules.window_must_make_sense(said, window)
    rules.nights_must_be_of_the_book(said, window)
    lists = said.skip if asked.skip is None else asked.skip
    off = days_off(window.from_day, window.to_day, lists)
    window = without(window, off)
    rules.window_must_make_sense(said, window)
    clause = context.rules.clause(f"windows[{said.id}]", source=said.source)
    opened = WindowSet(
        purpose=said.id,
        from_day=window.from_day,
        to_day=window.to_day,
        daily=window.daily,
        excluded=window.excluded,
        close_inclusive=said.close_inclusive,  # the book's word, whatever was asked for
        clause=clause,
    )
    if not lists:
        return [opened]
    return [opened, DaysExcluded(purpose=said.id, lists=lists, days=off, clause=clause)]


def _as_asked(said: Purpose, asked: WindowAsked) -> Window:
    """Dates and hours; what was left out is as the book has it."""
    from_day, to_day = asked.from_day, asked.to_day
    if from_day is None and to_day is None and said.announced is not None:
        from_day, to_day = said.announced.from_day, said.announced.to_day
    if from_day is None or to_day is None:
        raise Refused("exemption.window_without_dates", purpose=said.id, said={"purpose": said.title})
    daily = said.hours if asked.daily is None else asked.daily
    return Window(from_day, to_day, daily, asked.excluded, said.close_inclusive)


def _extend(command: ExtendWindow, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    cycle = _running(state, context)
    rules.cycle_must_not_be_closed(cycle.closed)
    window = cycle.windows.get(command.purpose)
    if window is None:
        raise Refused("exemption.no_such_window", purpose=command.purpose)
    said = context.rules.book.window(command.purpose)
    rules.extension_must_be_later(said, window, command.to_day, context.now)
    reason = parse_text(command.reason, "reason", most=200, least=2)
    longer = WindowExtended(purpose=command.purpose, to_day=command.to_day, reason=reason, extended_by=context.actor)
    lists = cycle.skips.get(command.purpose, ())
    off = days_off(window.to_day + timedelta(days=1), command.to_day, lists)
    rules.extension_must_open(said, window, command.to_day, off)
    longest = without(replace(window, to_day=command.to_day), off)
    _windows_must_fit_together(_with(cycle, command.purpose, longest), context, command.purpose)
    over = command.purpose in cycle.ended or window.phase(context.now) == "closed"  # recorded or not
    ended = over and context.rules.book.ends_with(command.purpose)
    reopened = [WindowReopened(purpose=command.purpose, reopened_at=context.now)] if ended else []
    if not lists:
        return [longer, *reopened]
    clause = context.rules.clause(f"windows[{command.purpose}]", source=said.source)
    return [longer, DaysExcluded(purpose=command.purpose, lists=lists, days=off, clause=clause), *reopened]


def _close(command: CloseCycle, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    """With the cycle its windows are over too, but for those that were already, and those that nothing is done in."""
    cycle = _running(state, context)
    reason = parse_text(command.reason, "reason", most=200, least=2)
    rules.cycle_must_not_be_closed(cycle.closed)
    closed = CycleClosed(reason=reason, closed_by=context.actor)
    keeping = {purpose for purpose in cycle.windows if context.rules.book.keeps_its_days(purpose)}
    over = (purpose for purpose in cycle.windows if purpose not in cycle.ended | keeping)
    return [closed, *(_ended(purpose, context.now, context) for purpose in over)]


def _end(command: EndWindow, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    """Once; a timer of before an extension is over without a word. By a clock that goes wrong it is tried again."""
    if isinstance(state, NotOpened) or command.purpose in state.ended:
        return []
    over = state.windows[command.purpose].over_at()
    if over is None or over != command.due_at:
        return []
    rules.window_must_be_over(command.purpose, over, context.now)
    return [_ended(command.purpose, over, context)]


def _ended(purpose: str, at: datetime, context: CycleContext) -> CycleWindowEnded:
    return CycleWindowEnded(purpose=purpose, ended_at=at, settles=bool(context.rules.book.ends_with(purpose)))


def _settle(command: SettleWindow, state: CycleState, context: CycleContext) -> Sequence[CycleEvent]:
    """Once for each end. Where the window was opened again meanwhile, its next end brings another; and since some may
    have ended after the reopening looked at them, it looks again."""
    if isinstance(state, NotOpened):
        return []
    if command.purpose not in state.ended:
        return [WindowReopened(purpose=command.purpose, reopened_at=context.now)]
    return [WindowSettled(purpose=command.purpose, ended_at=command.due_at)]


def _running(state: CycleState, context: CycleContext) -> Cycle:
    if isinstance(state, NotOpened):
        raise Refused("access.not_found")
    book = context.rules.book
    rules.opener_must_hold(book.open_by, book.open_at, state.organisation, context.organisations, context.roles)
    return state


def evolve(state: CycleState, event: CycleEvent) -> CycleState:
    """The past is never refused."""
    if isinstance(event, CycleOpened):
        return Cycle(event.scheme, event.organisation, event.title)
    assert isinstance(state, Cycle)
    match event:
        case WindowSet():
            window = Window(event.from_day, event.to_day, event.daily, event.excluded, event.close_inclusive)
            return _with(state, event.purpose, window)
        case DaysExcluded():
            skips = {**state.skips, event.purpose: event.lists}
            return replace(_with(state, event.purpose, without(state.windows[event.purpose], event.days)), skips=skips)
        case WindowExtended():
            longer = replace(state.windows[event.purpose], to_day=event.to_day)
            return replace(_with(state, event.purpose, longer), ended=state.ended - {event.purpose})
        case CycleClosed():
            return replace(state, closed=True)
        case CycleWindowEnded():
            return replace(state, ended=state.ended | {event.purpose})
        case WindowSettled() | WindowReopened() | ReopeningSettled():
            return state
        case _:
            assert_never(event)


def without(window: Window, days: Sequence[date]) -> Window:
    """The window, closed on these days too."""
    return replace(window, excluded=tuple(sorted({*window.excluded, *days})))


def _with(cycle: Cycle, purpose: str, window: Window) -> Cycle:
    return replace(cycle, windows={**cycle.windows, purpose: window})


CYCLE: Decider[CycleCommand, CycleState, CycleEvent, CycleContext] = Decider("cycle", NotOpened(), decide, evolve)
