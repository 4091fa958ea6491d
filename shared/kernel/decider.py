"""The decider: a stream's rules as two pure functions.

`decide(command, state, context)` answers with events or raises `Refused`; `evolve(state, event)` folds the past and
refuses nothing. `runtime/event_store.py` runs them; `testing/given.py` tests them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

from shared.kernel.messages import Command, Event

C = TypeVar("C", bound=Command)
S = TypeVar("S")
E = TypeVar("E", bound=Event)
X = TypeVar("X")


@dataclass(frozen=True)
class Decider(Generic[C, S, E, X]):
    """`kind` is the first part of its streams' names; `X` is what a decision may know besides the past.

    A state says by `state_title` what an official calls it; the trail of a case prints it.
    """

    kind: str
    initial: S
    decide: Callable[[C, S, X], Sequence[E]]
    evolve: Callable[[S, E], S]

    def replay(self, events: Iterable[E]) -> S:
        return reduce(self.evolve, events, self.initial)
