"""同一毕业证书 a diploma that took effect for one person while it is in effect for another. A hint to clerks. Pure.

A stream of its own beside each record of prior education, as the record's own version is told to its candidate, who
would learn from it that somebody else has the diploma. `education.py` carries it out with the answer that decided.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.identity.domain.education_rules import Rules
from shared.events.identity import DiplomaEvent, DiplomaSeenElsewhere
from shared.kernel.decider import Decider
from shared.kernel.messages import Command


class FlagDiploma(Command):
    """Asked for by nobody: it follows from a record's taking effect. `others`: records of other people."""

    record: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Diploma:
    """The records of other people that were in effect when this one last took effect."""

    others: tuple[str, ...] = ()

    @property
    def state_title(self) -> str:
        return f"另有{len(self.others)}人的记录" if self.others else "未见他人使用"


def decide(command: FlagDiploma, state: Diploma, context: Rules) -> Sequence[DiplomaEvent]:
    if command.others == state.others:
        return []
    clause = context.clause("contradictions", context.book.contradictions.source)
    return [DiplomaSeenElsewhere(others=command.others, clause=clause)]


def evolve(_: Diploma, event: DiplomaEvent) -> Diploma:
    return Diploma(event.others)


DIPLOMA: Decider[FlagDiploma, Diploma, DiplomaEvent, Rules] = Decider("diploma", Diploma(), decide, evolve)
