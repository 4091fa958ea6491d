"""What identity has learnt from exemption, as streams of its own: cycles (批次) and the windows they have. Pure.

Fed by `reactions.py`; so prior education is taken or refused while exemption is away.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, assert_never

from services.identity.domain.commands import (
    CycleCommand,
    FollowCycle,
    FollowCycleClosing,
    FollowDaysExcluded,
    FollowExtension,
    FollowWindow,
)
from shared.events.identity import CycleClosingFollowed, CycleEvent, CycleFollowed, WindowFollowed
from shared.kernel.decider import Decider
from shared.schemes.procedure import Window


@dataclass(frozen=True)
class Unknown:
    state_title: ClassVar[str] = "未获知"


@dataclass(frozen=True)
class Cycle:
    """A cycle as exemption last told of it."""

    scheme: str
    title: str
    windows: Mapping[str, Window] = field(default_factory=dict)
    closed: bool = False

    @property
    def state_title(self) -> str:
        return "已结束" if self.closed else "已开放"


def decide(command: CycleCommand, state: Unknown | Cycle, _: None) -> Sequence[CycleEvent]:
    """Nothing where it says nothing new; exemption's first word about a cycle is always that it was opened."""
    if isinstance(command, FollowCycle):
        return [CycleFollowed(scheme=command.scheme, title=command.title)] if isinstance(state, Unknown) else []
    if isinstance(state, Unknown):
        return []
    match command:
        case FollowCycleClosing():
            return [] if state.closed else [CycleClosingFollowed()]
        case FollowWindow():
            learnt = Window(command.from_day, command.to_day, command.daily, command.excluded, command.close_inclusive)
        case FollowExtension():
            learnt = replace(state.windows[command.purpose], to_day=command.to_day)
        case FollowDaysExcluded():
            before = state.windows[command.purpose]
            learnt = replace(before, excluded=tuple(sorted({*before.excluded, *command.days})))
        case _:
            assert_never(command)
    return [] if state.windows.get(command.purpose) == learnt else [_followed(command.purpose, learnt)]


def _followed(purpose: str, window: Window) -> WindowFollowed:
    return WindowFollowed(
        purpose=purpose,
        from_day=window.from_day,
        to_day=window.to_day,
        daily=window.daily,
        excluded=window.excluded,
        close_inclusive=window.close_inclusive,
    )


def evolve(state: Unknown | Cycle, event: CycleEvent) -> Unknown | Cycle:
    if isinstance(event, CycleFollowed):
        return Cycle(event.scheme, event.title)
    assert isinstance(state, Cycle)
    match event:
        case WindowFollowed():
            window = Window(event.from_day, event.to_day, event.daily, event.excluded, event.close_inclusive)
            return replace(state, windows={**state.windows, event.purpose: window})
        case CycleClosingFollowed():
            return replace(state, closed=True)
        case _:
            assert_never(event)


CYCLE_FOLLOWED: Decider[CycleCommand, Unknown | Cycle, CycleEvent, None] = Decider("cycle", Unknown(), decide, evolve)
