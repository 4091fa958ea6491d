"""提示 what reviewers are warned of about an application, and its candidate is not told. Pure.

A stream of its own beside the application: its events and its version, which the candidate reads, are the same whether
there was something to warn of or not. `submitting.py` executes it in the transaction of the submission.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from services.exemption.domain.scheme import Rules
from shared.events.exemption import CertificateSeenElsewhere, FlagEvent
from shared.kernel.decider import Decider
from shared.kernel.messages import Command


class FlagCertificates(Command):
    """Other people's applications carry certificate numbers of this one."""

    applications: tuple[str, ...]


@dataclass(frozen=True)
class Flagged:
    """Applications of others with the same certificate number, as they were at the last submission."""

    applications: tuple[str, ...] = ()

    @property
    def state_title(self) -> str:
        return "有提示" if self.applications else "无提示"


def decide(command: FlagCertificates, _: Flagged, rules: Rules) -> Sequence[FlagEvent]:
    """SW-38: with each submission, since the reviewer looks at that one."""
    said = rules.book.certificate_seen_elsewhere
    assert said is not None  # there are no numbers otherwise
    clause = rules.clause("certificate_seen_elsewhere", source=said.source)
    return [CertificateSeenElsewhere(applications=command.applications, clause=clause)]


def evolve(_: Flagged, event: FlagEvent) -> Flagged:
    """The past is never refused."""
    return Flagged(event.applications)


FLAGS: Decider[FlagCertificates, Flagged, FlagEvent, Rules] = Decider("flags", Flagged(), decide, evolve)
