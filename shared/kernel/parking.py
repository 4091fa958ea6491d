"""What a person may say about another service's fact that could not be handled here: pass over it, and why. Pure.

Each service that follows others makes its decider of this in its `domain/parking.py`; `runtime/parking.py` asks it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Command
from shared.kernel.values import parse_text

REASONS = {
    "done_by_hand": "what it asked for was done in another way",
    "no_longer_needed": "nobody needs any more what it asked for",
    "cannot_be_read": "it is damaged and nobody can read it",
    "recorded_by_mistake": "its source recorded it by mistake",
}
"""Code -> what it means. A code, since it is kept in plain; free words are personal, and sealed."""
LONGEST_NOTE = 500


class ResolveParked(Command):
    """Pass over version `version` of `stream`, which is parked; what comes after it goes on in order."""

    source: str
    stream: str
    version: int
    reason: str
    note: str | None = None
    even_early: bool = False
    """Also if it only waits for another fact, which may yet come."""


@dataclass(frozen=True)
class Waiting:
    """The fact at which a stream waits. `early`: it needs a fact that has not arrived."""

    version: int
    type: str
    fault: str
    early: bool
    person: str | None


@dataclass(frozen=True)
class Resolutions:
    """What was passed over of one stream: the last version of it, 0 for nothing."""

    last: int = 0

    @property
    def state_title(self) -> str:
        return f"已跳过第{self.last}条" if self.last else "未跳过"


def must_be_resolvable(command: ResolveParked, waiting: Waiting | None) -> Waiting:
    """What is passed over is exactly what was looked at, and never what will come right by itself unless said so."""
    if waiting is None:
        raise Refused("parking.not_parked")
    if waiting.version != command.version:
        raise Refused("parking.other_version", version=waiting.version)
    if waiting.early and not command.even_early:
        raise Refused("parking.waits_for_a_fact")
    if command.reason not in REASONS:
        raise Refused("parking.no_such_reason", reasons=list(REASONS))
    if command.note is not None and waiting.person is None:
        raise Refused("parking.note_without_person")
    return waiting


def note_of(command: ResolveParked) -> str | None:
    return None if command.note is None else parse_text(command.note, "note", LONGEST_NOTE, least=1)


def parking(resolved: type[Any], explained: type[Any]) -> Decider[ResolveParked, Resolutions, Any, Waiting | None]:
    """The decider of one service, which records facts of its own: what was passed over, and words about it."""

    def decide(command: ResolveParked, _: Resolutions, waiting: Waiting | None) -> Sequence[Any]:
        found, note = must_be_resolvable(command, waiting), note_of(command)
        passed_over = resolved(
            source=command.source,
            stream=command.stream,
            version=found.version,
            type=found.type,
            fault=found.fault,
            reason=command.reason,
        )
        return [passed_over] if note is None else [passed_over, explained(note=note)]

    def evolve(state: Resolutions, event: Any) -> Resolutions:
        return Resolutions(event.version) if isinstance(event, resolved) else state

    evolve.__annotations__["event"] = resolved | explained  # which facts it folds is read off every `evolve`
    return Decider("parking", Resolutions(), decide, evolve)
