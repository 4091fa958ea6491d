"""联系方式 how a person is reached: the number they gave last; of each of their cases, the book and who reviews it.

Fed by reactions; `handlers.py` reads it when a message is requested or sent again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from services.notification.domain.commands import ContactCommand, LearnContact
from shared.events.notification import CaseLearned, CaseReviewersLearned, ContactEvent, ContactLearned
from shared.kernel.decider import Decider
from shared.kernel.messages import ERASED


@dataclass(frozen=True)
class Contact:
    mobile: str | None = None
    given_at: datetime | None = None
    schemes: Mapping[str, str] = field(default_factory=dict)
    """Case -> the scheme it is judged by for ever, "<jurisdiction>/<name>@<version>"."""
    reviewers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Case -> the organisations that review what was handed in last."""

    @property
    def state_title(self) -> str:
        return "已留号码" if self.given_at else "未留号码"


def decide(command: ContactCommand, state: Contact, _: None) -> list[ContactEvent]:
    """Facts of two services may arrive in any order: the number given last counts, not the one heard of last.

    Of two given at the same instant it is the one heard of last: those are of one stream, which arrives in order.
    """
    events: list[ContactEvent] = []
    older = state.given_at is not None and command.given_at < state.given_at
    known = (command.mobile, command.given_at) == (state.mobile, state.given_at)
    if command.mobile and command.mobile != ERASED and not older and not known:
        events.append(ContactLearned(mobile=command.mobile, given_at=command.given_at, origin=command.origin))
    if command.case and command.scheme and command.case not in state.schemes:
        events.append(CaseLearned(case=command.case, scheme=command.scheme))
    if command.case and command.organisations != state.reviewers.get(command.case, ()):
        events.append(CaseReviewersLearned(case=command.case, organisations=command.organisations))
    return events


def evolve(state: Contact, event: ContactEvent) -> Contact:
    match event:
        case ContactLearned():
            return replace(state, mobile=event.mobile, given_at=event.given_at)
        case CaseLearned():
            return replace(state, schemes={**state.schemes, event.case: event.scheme})
        case CaseReviewersLearned():
            return replace(state, reviewers={**state.reviewers, event.case: event.organisations})
        case _:
            assert_never(event)


CONTACT: Decider[LearnContact, Contact, ContactEvent, None] = Decider("contact", Contact(), decide, evolve)
