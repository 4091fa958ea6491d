"""given / when / then for any decider: sentences about rules, without a server.

given(DECIDER, *events).when(command, context).then(*events)
given(DECIDER, *events).when(command, context).refused("area.what_is_wrong")
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Event

C = TypeVar("C", bound=Command)
S = TypeVar("S")
E = TypeVar("E", bound=Event)
X = TypeVar("X")


@dataclass(frozen=True)
class Given(Generic[C, S, E, X]):
    """A past."""

    decider: Decider[C, S, E, X]
    past: tuple[E, ...]

    @property
    def state(self) -> S:
        return self.decider.replay(self.past)

    def when(self, command: C, context: X) -> "Outcome[C, S, E, X]":
        try:
            return Outcome(self, tuple(self.decider.decide(command, self.state, context)), None)
        except Refused as refused:
            return Outcome(self, (), refused)

    def and_then(self, command: C, context: X) -> "Given[C, S, E, X]":
        """The same past, with what `command` led to."""
        return Given(self.decider, (*self.past, *self.when(command, context).happened()))


@dataclass(frozen=True)
class Outcome(Generic[C, S, E, X]):
    """What came of a command: events, or a refusal."""

    before: Given[C, S, E, X]
    events: tuple[E, ...]
    refusal: Refused | None

    def happened(self) -> tuple[E, ...]:
        assert self.refusal is None, f"refused: {self.refusal}"
        return self.events

    def then(self, *expected: E) -> "Outcome[C, S, E, X]":
        assert list(self.happened()) == list(expected)
        return self

    def then_kinds(self, *kinds: type[E]) -> "Outcome[C, S, E, X]":
        assert [type(event) for event in self.happened()] == list(kinds)
        return self

    def refused(self, code: str, **facts: Any) -> "Outcome[C, S, E, X]":
        assert self.refusal is not None, f"not refused, but: {self.events}"
        assert self.refusal.code == code, f"refused with {self.refusal}, not {code}"
        assert facts.items() <= self.refusal.facts.items(), self.refusal.facts
        return self

    @property
    def state(self) -> S:
        return self.before.decider.replay([*self.before.past, *self.happened()])


def given(decider: Decider[C, S, E, X], *past: E) -> Given[C, S, E, X]:
    return Given(decider, past)


def every_step(decider: Decider[C, S, E, X], past: Sequence[E]) -> list[S]:
    """The states a past went through, the initial one first."""
    return [decider.replay(past[:count]) for count in range(len(past) + 1)]
