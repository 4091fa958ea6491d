"""What exemption says about its cycles -> our own copies, for the window of prior education. Pure.

From the beginning of exemption's history: a cycle may be older than this code.
"""

from collections.abc import Sequence
from typing import Any

from services.identity.domain.commands import (
    FollowCycle,
    FollowCycleClosing,
    FollowDaysExcluded,
    FollowExtension,
    FollowWindow,
)
from shared.events.exemption import CycleClosed, CycleOpened, DaysExcluded, WindowExtended, WindowSet
from shared.kernel.messages import Command, Fact
from shared.runtime.service import Reaction


def on_cycle_opened(fact: Fact[CycleOpened]) -> Sequence[Command]:
    return [FollowCycle(cycle=fact.subject, scheme=fact.event.scheme, title=fact.event.title)]


def on_window_set(fact: Fact[WindowSet]) -> Sequence[Command]:
    event = fact.event
    return [
        FollowWindow(
            cycle=fact.subject,
            purpose=event.purpose,
            from_day=event.from_day,
            to_day=event.to_day,
            daily=event.daily,
            excluded=event.excluded,
            close_inclusive=event.close_inclusive,
        )
    ]


def on_days_excluded(fact: Fact[DaysExcluded]) -> Sequence[Command]:
    return [FollowDaysExcluded(cycle=fact.subject, purpose=fact.event.purpose, days=fact.event.days)]


def on_window_extended(fact: Fact[WindowExtended]) -> Sequence[Command]:
    return [FollowExtension(cycle=fact.subject, purpose=fact.event.purpose, to_day=fact.event.to_day)]


def on_cycle_closed(fact: Fact[CycleClosed]) -> Sequence[Command]:
    return [FollowCycleClosing(cycle=fact.subject)]


_FOLLOWED: tuple[tuple[Any, Any], ...] = (
    (CycleOpened, on_cycle_opened),
    (WindowSet, on_window_set),
    (DaysExcluded, on_days_excluded),
    (WindowExtended, on_window_extended),
    (CycleClosed, on_cycle_closed),
)
REACTIONS = tuple(Reaction(event, react, "beginning") for event, react in _FOLLOWED)
