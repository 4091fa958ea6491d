"""Reading somebody else's papers is a fact: who looked, as what, at which documents. Pure.

A stream of its own beside the application, so that looking never collides with editing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.exemption.domain.access import must_be_readable, reading_desk
from services.exemption.domain.case import Application
from services.exemption.domain.commands import ViewDocuments
from shared.events.exemption import DocumentsViewed, ViewingEvent
from shared.kernel.decider import Decider


@dataclass(frozen=True)
class Viewed:
    """How often it was looked at."""

    times: int = 0

    @property
    def state_title(self) -> str:
        return f"已查阅{self.times}次" if self.times else "未查阅"


@dataclass(frozen=True)
class ViewingContext:
    """What a decision may know besides the past."""

    actor: str
    roles: frozenset[tuple[str, str]]
    application: Application


def decide(command: ViewDocuments, _: Viewed, context: ViewingContext) -> Sequence[ViewingEvent]:
    """SW-20, SW-28: those whose desk it has reached; candidates look at their own without a trace."""
    case = must_be_readable(context.application, context.actor, context.roles)
    desk = reading_desk(case, context.roles)
    if case.candidate == context.actor or desk is None:
        return []
    return [
        DocumentsViewed(
            viewer=context.actor, role=desk.role, organisation=desk.organisation, documents=command.documents
        )
    ]


def evolve(state: Viewed, _: ViewingEvent) -> Viewed:
    return replace(state, times=state.times + 1)


VIEWING: Decider[ViewDocuments, Viewed, ViewingEvent, ViewingContext] = Decider("viewing", Viewed(), decide, evolve)
