"""What the service would gather from its read models before it decides: here from the story. For `playing.py`."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Draft,
    Granted,
    HandedIn,
    HandedOff,
    InReview,
)
from services.exemption.domain.claims import MOST_IN_A_DRAFT, claim_of
from services.exemption.domain.evidence import evidence_of, paper_key
from services.exemption.domain.followed import Account
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import Heads, replaced_by
from services.exemption.submitting import counted_ticket, number_of
from shared.schemes.reading import certificate_number


def papers(rules: Rules, state: Application, account: Account) -> frozenset[str]:
    """By which the papers of what was saved last are found in other applications."""
    return _keys(rules, HandedIn(state.form, state.claims), account) if isinstance(state, Case) else frozenset()


def _keys(rules: Rules, said: HandedIn, account: Account) -> frozenset[str]:
    found = evidence_of(rules, said.form, [claim_of(each) for each in said.claims], account)
    return frozenset(paper_key(each.type, each.number) for each in found if each.number)


@dataclass(frozen=True)
class Known:
    """Every application of the story, called by its candidate and which of theirs it is."""

    rules: Rules
    cases: Mapping[str, Application]
    accounts: Mapping[str, Account]
    heads: Heads  # of the ticket number or person that a decision is about

    def photographs(self, key: str) -> dict[str, Photograph]:
        """One upload for each photograph there is, called like it; `#<place>` behind it for those of each claim."""
        places = ("", *(f"#{place}" for place in range(MOST_IN_A_DRAFT)))
        slots = self.rules.book.slots()
        return {slot + place: Photograph(key.split("/")[0], key, slot) for slot in slots for place in places}

    def number(self, now: datetime) -> str:
        numbering = self.rules.book.number
        given = sum(1 for case in self.cases.values() if isinstance(case, Case) and case.number)
        return number_of(numbering, given + 1, now) if numbering else ""

    def drafts(self, key: str) -> int:
        """How many the same candidate fills in besides this one."""
        return sum(
            isinstance(case, Draft) for other, case in self.cases.items() if other != key and _same_person(other, key)
        )

    def ticket_elsewhere(self, key: str) -> bool:
        """Whether identity knows the ticket number of this one of somebody else."""
        case = self.cases.get(key)
        ticket = counted_ticket(case, self.rules) if isinstance(case, Case) else ""
        others = (each.ticket_number for who, each in self.accounts.items() if who != key.split("/")[0])
        return bool(ticket) and ticket in {certificate_number(each) for each in others}

    def seen_elsewhere(self, key: str, keys: frozenset[str]) -> tuple[str, ...]:
        """Other people's applications with one of these papers."""
        others = (other for other, _ in self._with(key, keys) if not _same_person(other, key))
        return tuple(sorted(others))

    def own_other(self, key: str, keys: frozenset[str]) -> str | None:
        """Another one of the same person with one of these papers that counts."""
        return min((other for other, _ in self._with(key, keys) if other in self._own_counting(key)), default=None)

    def own_courses(self, key: str) -> dict[str, str]:
        return courses_of(self._own_counting(key))

    def _own_counting(self, key: str) -> dict[str, Case]:
        """Those of the same person, handed in or approved, that this one does not take the place of."""
        cycle = next((case.cycle for case in self.cases.values() if isinstance(case, Case)), "")
        replaced = replaced_by(self.heads, cycle, key)
        others = {other: case for other, case in self.cases.items() if other not in (key, replaced)}
        return {
            other: case
            for other, case in others.items()
            if _same_person(other, key) and isinstance(case, AwaitingPayment | InReview | Granted | HandedOff)
        }

    def _with(self, key: str, keys: frozenset[str]) -> Iterator[tuple[str, Case]]:
        """Those that were handed in with one of these papers."""
        for other, case in self.cases.items():
            if other != key and isinstance(case, Case) and case.submissions:
                account = self.accounts[other.split("/")[0]]
                if keys & _keys(self.rules, case.handed_in, account):
                    yield other, case


def courses_of(counting: Mapping[str, Case]) -> dict[str, str]:
    """Course -> the first of these applications that has it."""
    return {code: other for other in sorted(counting, reverse=True) for code in counting[other].course_codes}


def _same_person(one: str, other: str) -> bool:
    return one.split("/")[0] == other.split("/")[0]
