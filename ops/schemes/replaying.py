"""What a draft would have decided: the facts of a scheme once more, each decision under both books. Pure.

`whatif.py` reads the facts and tells what is found. Each decision that happened is asked again with the code that
decides, of the state it was made in and with what was known then: under the book in force, to know what this replay
can reproduce, and under the draft. So are ends of windows: what lapsed or expired, and what only the draft would let
lapse or expire. A case is followed to the first decision that would be another one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import reduce
from typing import Any, cast

from ops.schemes.gathering import courses_of
from ops.schemes.refitting import beyond_replay, days_not_known, under
from ops.schemes.retelling import Change, Happened, Why, differences, no_stage, refusal, step_of, told_events
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application, AwaitingPayment, Case, Granted, HandedOff, InReview
from services.exemption.domain.claims import claim_of
from services.exemption.domain.commands import (
    ApplicationCommand,
    ExpireExemption,
    LapseApplication,
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    ReviveApplication,
    RevokeExemption,
    SubmitApplication,
    UnlockReapplication,
)
from services.exemption.domain.cycle import CYCLE, Cycle
from services.exemption.domain.evidence import evidence_of, paper_key
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, ORGANISATION_FOLLOWED, Account, Organisation
from services.exemption.domain.form import Photograph
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import HEAD, HeadContext, Heads, replaced_by, settled_by
from services.exemption.domain.upload import UPLOAD, Accepted
from services.exemption.submitting import counted_ticket, head_value
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationRevived,
    ApplicationSubmitted,
    CycleWindowEnded,
    ExemptionExpired,
    ExemptionRevoked,
    HeadTaken,
    ReapplicationUnlocked,
    RevivalRefused,
    StagePassed,
    TicketReleased,
    WindowSettled,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Event, Fact
from shared.schemes.reading import certificate_number

DECIDERS: Mapping[str, Decider[Any, Any, Any, Any]] = {
    each.kind: each for each in (APPLICATION, CYCLE, ORGANISATION_FOLLOWED, ACCOUNT_FOLLOWED, UPLOAD)
}
"""Kinds of streams that a decision is made from."""
_COUNTING = AwaitingPayment | InReview | Granted | HandedOff
"""What is handed in or approved."""


@dataclass
class Side:
    """One of the two books, and what counts under it."""

    rules: Rules
    heads: dict[str, Heads] = field(default_factory=dict)
    papers: dict[str, frozenset[str]] = field(default_factory=dict)  # application -> as it was handed in
    cases: dict[str, Case] = field(default_factory=dict)  # what became of those whose window ended otherwise


@dataclass
class Replay:
    """Take facts in the order in which they were recorded; `changes` and the counts are what came of it."""

    old: Side
    draft: Side
    cycles: frozenset[str] | None = None  # None: all of the scheme
    states: dict[str, dict[str, Any]] = field(default_factory=dict)  # kind -> subject -> state
    holders: dict[str, set[str]] = field(default_factory=dict)  # ticket number -> whose it is, as identity knows it
    seen: set[str] = field(default_factory=set)
    erased: set[str] = field(default_factory=set)
    not_reproduced: set[str] = field(default_factory=set)
    changes: dict[str, Change] = field(default_factory=dict)
    decisions: int = 0
    beyond: dict[str, None] = field(default_factory=dict)  # what the draft says otherwise and no replay shows, in order

    @classmethod
    def of(cls, old: Rules, draft: Rules, cycle: str | None = None) -> Replay:
        beyond = dict.fromkeys(beyond_replay(old.book, draft.book))
        return cls(Side(old), Side(draft), frozenset({cycle}) if cycle else None, beyond=beyond)

    def take(self, fact: Fact[Any]) -> None:
        kind, subject = fact.stream.split("-", 1)
        decider = DECIDERS.get(kind)
        if decider is None:
            return
        known = self.states.setdefault(kind, {})
        before = known.get(subject, decider.initial)
        if isinstance(before, Case) and self._is_meant(before):
            self._judge(subject, before, fact)
        known[subject] = after = decider.evolve(before, fact.event)
        if kind == "person":
            self._learn_ticket(subject, before, after)
        if isinstance(after, Cycle) and after.scheme == self.old.rules.ref:
            self.beyond |= dict.fromkeys(days_not_known(after, self.old.rules, self.draft.rules))
            self._window_ends(subject, fact)

    def _learn_ticket(self, person: str, before: Account | None, after: Account | None) -> None:
        for account, change in ((before, set.discard), (after, set.add)):
            if account and account.ticket_number:
                change(self.holders.setdefault(certificate_number(account.ticket_number), set()), person)

    def _is_meant(self, case: Case) -> bool:
        return case.scheme == self.old.rules.ref and (self.cycles is None or case.cycle in self.cycles)

    def _judge(self, application: str, case: Case, fact: Fact[Any]) -> None:
        command = command_of(fact.event)
        if command is None or (isinstance(fact.event, ExemptionRevoked) and case.ticket_released):
            return  # what followed from the release of its ticket number was decided with it
        self.seen.add(application)
        if not case.form:
            self.erased.add(application)
        elif application not in self.changes:
            self.decisions += 1
            change = self._compared(application, case, fact, command)
            if change:
                self.changes[application] = change
                if isinstance(command, LapseApplication | ExpireExemption):
                    self.draft.cases[application] = case  # what it was before is what it would be
        if isinstance(fact.event, ApplicationSubmitted) and case.form:
            for side in (self.old, self.draft):
                self._counts(side, application, case)

    def _window_ends(self, cycle: str, fact: Fact[Any]) -> None:
        """What the end of a window did nothing to, and would have under the draft; asked when the rest is seen to."""
        event = fact.event
        if not isinstance(event, WindowSettled) and not (isinstance(event, CycleWindowEnded) and not event.settles):
            return
        if not self.draft.rules.book.ends_with(event.purpose):
            return
        for application, case in self.states.get("application", {}).items():
            if not isinstance(case, Case) or case.cycle != cycle or not case.form or not self._is_meant(case):
                continue
            if application in self.seen and application not in self.changes:
                self._ends_otherwise(application, case, fact)

    def _ends_otherwise(self, application: str, case: Case, fact: Fact[Any]) -> None:
        if isinstance(case, InReview) and case.desk.stage not in {each.name for each in self.draft.rules.book.stages}:
            return  # its next decision says so
        state, context = cast(Application, case), self._when_ended(self.draft, application, case, fact)
        for kind in (LapseApplication, ExpireExemption):
            command = kind(application=application, purpose=fact.event.purpose, due_at=fact.event.ended_at)
            would_be = APPLICATION.decide(command, state, context)
            if would_be and (change := self._compared(application, case, fact, command)):
                self.decisions += 1
                self.changes[application] = change
                self.draft.cases[application] = cast(Case, reduce(APPLICATION.evolve, would_be, state))
                return

    def _when_ended(self, side: Side, application: str, case: Case, fact: Fact[Any]) -> Context:
        """All that the end of a window asks. By the draft it may have been a little later."""
        cycle = self._cycle_of(side, case)
        over = cycle.windows[fact.event.purpose].over_at() if fact.event.purpose in cycle.windows else None
        return Context(
            now=max(fact.meta.at, over) if over and not cycle.closed else fact.meta.at,
            actor=fact.meta.actor,
            roles=frozenset(),
            application=application,
            cycle_id=case.cycle,
            rules=side.rules,
            cycle=cycle,
        )

    def _cycle_of(self, side: Side, case: Case) -> Cycle:
        cycle: Cycle = self.states["cycle"][case.cycle]
        return cycle if side is self.old else under(cycle, self.old.rules, self.draft.rules)

    def _compared(self, application: str, case: Case, fact: Fact[Any], command: ApplicationCommand) -> Change | None:
        (before, said), (after, says) = (
            self._decided(side, application, case, fact, command) for side in (self.old, self.draft)
        )
        if before:
            self.not_reproduced.add(application)
        known = {(each.rule, each.about, each.code) for each in before}
        new = tuple(each for each in after if (each.rule, each.about, each.code) not in known)
        stays = f"仍为“{case.state_title}”"
        was = told_events(said) or stays
        if new:
            return Change(application, step_of(fact.event), was, "", new)
        if before or after or said == says:
            return None
        why = tuple(differences(said, says))
        return Change(application, step_of(fact.event), was, told_events(says) or stays, why)

    def _decided(
        self, side: Side, application: str, case: Case, fact: Fact[Any], command: ApplicationCommand
    ) -> tuple[tuple[Why, ...], tuple[Happened, ...]]:
        """Why not, or what would happen: kinds of events with what they say."""
        ends = isinstance(command, LapseApplication | ExpireExemption)
        context = (self._when_ended if ends else self._context)(side, application, case, fact)
        book = side.rules.book
        scopes = dict.fromkeys(book.scopes(), "")
        asked = cast(Application, replace(case, organisations={**scopes, **case.organisations}))
        if isinstance(asked, InReview) and asked.desk.stage not in {stage.name for stage in book.stages}:
            return (no_stage(asked.desk.stage, side.rules),), ()
        if isinstance(command, SubmitApplication):
            found = [each for each in verdict(case, context) if each.outcome == "refuse" and each.code]
            if found:
                return tuple(
                    Why(each.rule, each.about, each.code or "", each.texts()[0], each.clause, each.inputs)
                    for each in found
                ), ()
        try:
            events = APPLICATION.decide(command, asked, context)
        except Refused as refused:
            return (refusal(refused, asked, side.rules),), ()
        return (), tuple(Happened.of(each) for each in events)

    # --- what was known

    def _context(self, side: Side, application: str, case: Case, fact: Fact[Any]) -> Context:
        account = self.states.get("person", {}).get(case.candidate)
        value = head_value(case, side.rules) or ""
        heads = side.heads[value] = self._heads(side, value)
        keys = papers_of(side.rules, case, account)
        others = [other for other, theirs in side.papers.items() if other != application and theirs & keys]
        own = [other for other in others if self._case(side, other).candidate == case.candidate]
        counting = [other for other in own if self._keeps_its_certificates(side, case, self._case(side, other))]
        replaced = replaced_by(heads, case.cycle, application)
        role, place = getattr(fact.event, "role", ""), getattr(fact.event, "organisation", "")
        return Context(
            now=fact.meta.at,
            actor=fact.meta.actor,
            roles=frozenset({(role, place)} if role else ()),
            application=application,
            cycle_id=case.cycle,
            rules=side.rules,
            cycle=self._cycle_of(side, case),
            organisations=self._organisations(),
            account=account,
            photographs=self._photographs(application),
            heads=heads,
            head=value,
            ticket_elsewhere=self._ticket_elsewhere(side, case),
            number=getattr(fact.event, "number", ""),
            own_other=min((other for other in counting if other != replaced), default=None),
            own_courses=courses_of(self._own_counting(side, case, {application, replaced or ""})),
        )

    def _ticket_elsewhere(self, side: Side, case: Case) -> bool:
        """SD-46: as the service asks it, of what identity had told by then."""
        ticket = counted_ticket(case, side.rules)
        return bool(ticket) and bool(self.holders.get(ticket, set()) - {case.candidate})

    @staticmethod
    def _keeps_its_certificates(side: Side, case: Case, other: Case) -> bool:
        """Whether another of the same person counts, in the cycle or for ever as the book says."""
        return isinstance(other, _COUNTING) and side.rules.book.cycle_of_certificates(case.cycle) in {None, other.cycle}

    def _heads(self, side: Side, value: str) -> Heads:
        """What still counts of a ticket number or person, after what has become of it by now."""
        heads = side.heads.get(value, Heads())
        for application in tuple(heads.by_cycle.values()):
            if settled := settled_by(self._case(side, application), application):
                for event in HEAD.decide(settled, heads, HeadContext("", side.rules)):
                    heads = HEAD.evolve(heads, event)
        return heads

    def _own_counting(self, side: Side, case: Case, but: set[str]) -> dict[str, Case]:
        """The person's other applications in this jurisdiction that count, those of other cycles and books too."""
        return {
            other: theirs
            for other in self.states["application"]
            if isinstance(theirs := self._case(side, other), _COUNTING)
            and theirs.candidate == case.candidate
            and theirs.scheme.split("/")[0] == side.rules.jurisdiction
            and other not in but
            and (other in side.papers or not self._is_meant(theirs))
        }

    def _case(self, side: Side, application: str) -> Case:
        found: Case = side.cases.get(application) or self.states["application"][application]
        return found

    def _organisations(self) -> dict[str, Organisation]:
        return {
            name: Organisation(name, each.title, each.level, each.parent, each.phones, each.closed)
            for name, each in self.states.get("organisation", {}).items()
        }

    def _photographs(self, application: str) -> dict[str, Photograph]:
        return {
            upload: Photograph(state.owner, state.application, state.slot, digest=state.digest)
            for upload, state in self.states.get("upload", {}).items()
            if isinstance(state, Accepted) and state.application == application
        }

    def _counts(self, side: Side, application: str, case: Case) -> None:
        """Under the draft what it would refuse neither counts nor stands in the way."""
        if side is self.draft and application in self.changes and not self.changes[application].would_be:
            return
        account = self.states.get("person", {}).get(case.candidate)
        side.papers[application] = papers_of(side.rules, case, account)
        if value := head_value(case, side.rules):
            taken = HeadTaken(
                cycle=case.cycle, application=application, candidate=case.candidate, replaced=None, value="", clause=""
            )
            side.heads[value] = HEAD.evolve(side.heads.get(value, Heads()), taken)


def command_of(event: Event) -> ApplicationCommand | None:
    """The command that led to a decision, as far as the event says; None: nobody decided."""
    match event:
        case ApplicationSubmitted():
            return SubmitApplication(application="")
        case StagePassed():
            return PassStage(application="", stage=event.stage, checklist=dict.fromkeys(event.checklist, True))
        case ApplicationReturned():
            return ReturnApplication(application="", stage=event.stage, reason_code=event.reason_code, note="x")
        case ApplicationRefused():
            return RefuseApplication(application="", stage=event.stage, reason_code=event.reason_code, note="x")
        case ApplicationLapsed():
            return LapseApplication(application="", purpose=event.purpose, due_at=event.ended_at)
        case ExemptionExpired():
            return ExpireExemption(application="", purpose=event.purpose, due_at=event.ended_at)
        case ApplicationRevived() | RevivalRefused():
            return ReviveApplication(application="", purpose=event.purpose)
        case ReapplicationUnlocked():
            seen = dict.fromkeys(event.seen, True)
            return UnlockReapplication(application="", seen=seen, reason_code=event.reason_code, note="x")
        case TicketReleased():
            seen = dict.fromkeys(event.seen, True)
            return ReleaseTicket(application="", seen=seen, reason_code=event.reason_code, note="x")
        case ExemptionRevoked():
            return RevokeExemption(application="", reason_code=event.reason_code, note="x")
        case _:
            return None


def papers_of(rules: Rules, case: Case, account: Any) -> frozenset[str]:
    found = evidence_of(rules, case.form, [claim_of(each) for each in case.claims], account)
    return frozenset(paper_key(each.type, each.number) for each in found if each.number)
