"""What a draft would have decided: the facts of a scheme once more, each decision under both books. Pure.

`whatif.py` reads the facts and tells what is found. Each decision that happened is asked again with the code that
decides, of the state it was made in and with what was known then: under the book in force, to know what this replay can
reproduce, and under the draft. A case is followed to the first decision that would be another one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest
from typing import Any, cast

from ops.schemes.gathering import courses_of
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application, AwaitingPayment, Case, Granted, HandedOff, InReview
from services.exemption.domain.claims import claim_of
from services.exemption.domain.commands import (
    ApplicationCommand,
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    RevokeExemption,
    SubmitApplication,
    UnlockReapplication,
)
from services.exemption.domain.cycle import CYCLE, Cycle
from services.exemption.domain.evidence import evidence_of, paper_key
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, ORGANISATION_FOLLOWED, Account, Organisation
from services.exemption.domain.form import Photograph
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.refusals import said as said_in_words
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import HEAD, HeadContext, Heads, replaced_by, settled_by
from services.exemption.domain.upload import UPLOAD, Accepted
from services.exemption.submitting import counted_ticket, head_value
from shared.events.exemption import (
    ApplicationRefused,
    ApplicationReturned,
    ApplicationSubmitted,
    ExemptionRevoked,
    HeadTaken,
    ReapplicationUnlocked,
    StagePassed,
    TicketReleased,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Event, Fact
from shared.kernel.values import yuan
from shared.schemes.procedure import Window
from shared.schemes.reading import certificate_number

DECIDERS: Mapping[str, Decider[Any, Any, Any, Any]] = {
    each.kind: each for each in (APPLICATION, CYCLE, ORGANISATION_FOLLOWED, ACCOUNT_FOLLOWED, UPLOAD)
}
"""Kinds of streams that a decision is made from."""
_COUNTING = AwaitingPayment | InReview | Granted | HandedOff
"""What is handed in or approved."""
_TOLD = {
    "role": "由",
    "fen": "金额",
    "course_codes": "课程",
    "warnings": "提示",
    "reopens": "重审",
    "may_submit_again": "可再申请",
}
"""What of an event is its outcome, besides what its heading says; titles and clauses are words of a book."""


@dataclass(frozen=True)
class Why:
    """One rule of the draft that speaks against what was decided."""

    rule: str
    about: str
    code: str
    text: str
    clause: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A decision that would be another one; `would_be` is empty when it would be refused."""

    case: str
    step: str
    was: str
    would_be: str
    why: tuple[Why, ...]


@dataclass
class Side:
    """One of the two books, and what counts under it."""

    rules: Rules
    heads: dict[str, Heads] = field(default_factory=dict)
    papers: dict[str, frozenset[str]] = field(default_factory=dict)  # application -> as it was handed in


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

    @classmethod
    def of(cls, old: Rules, draft: Rules, cycle: str | None = None) -> Replay:
        return cls(Side(old), Side(draft), frozenset({cycle}) if cycle else None)

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
        if isinstance(fact.event, ApplicationSubmitted) and case.form:
            for side in (self.old, self.draft):
                self._counts(side, application, case)

    def _compared(self, application: str, case: Case, fact: Fact[Any], command: ApplicationCommand) -> Change | None:
        (before, said), (after, says) = (
            self._decided(side, application, case, fact, command) for side in (self.old, self.draft)
        )
        if before:
            self.not_reproduced.add(application)
        known = {(each.rule, each.about, each.code) for each in before}
        new = tuple(each for each in after if (each.rule, each.about, each.code) not in known)
        was = told_events(said)
        if new:
            return Change(application, step_of(fact.event), was, "", new)
        if before or after or said == says:
            return None
        why = tuple(_differences(said, says))
        return Change(application, step_of(fact.event), was, told_events(says), why)

    def _decided(
        self, side: Side, application: str, case: Case, fact: Fact[Any], command: ApplicationCommand
    ) -> tuple[tuple[Why, ...], tuple[Happened, ...]]:
        """Why not, or what would happen: kinds of events with what they say."""
        context = self._context(side, application, case, fact)
        book = side.rules.book
        scopes = dict.fromkeys(book.scopes(), "")
        asked = cast(Application, replace(case, organisations={**scopes, **case.organisations}))
        if isinstance(asked, InReview) and asked.desk.stage not in {stage.name for stage in book.stages}:
            return (_no_stage(asked.desk.stage, side.rules),), ()
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
            return (_refusal(refused, asked, side.rules),), ()
        return (), tuple(Happened.of(each) for each in events)

    # --- what was known

    def _context(self, side: Side, application: str, case: Case, fact: Fact[Any]) -> Context:
        account = self.states.get("person", {}).get(case.candidate)
        value = head_value(case, side.rules) or ""
        heads = side.heads[value] = self._heads(side, value)
        keys = papers_of(side.rules, case, account)
        others = [other for other, theirs in side.papers.items() if other != application and theirs & keys]
        own = [other for other in others if self._case(other).candidate == case.candidate]
        counting = [other for other in own if self._keeps_its_certificates(side, case, self._case(other))]
        replaced = replaced_by(heads, case.cycle, application)
        role, place = getattr(fact.event, "role", ""), getattr(fact.event, "organisation", "")
        cycle = self.states["cycle"][case.cycle]
        return Context(
            now=fact.meta.at,
            actor=fact.meta.actor,
            roles=frozenset({(role, place)} if role else ()),
            application=application,
            cycle_id=case.cycle,
            rules=side.rules,
            cycle=cycle if side is self.old else under(cycle, self.old.rules, self.draft.rules),
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
            if settled := settled_by(self._case(application), application):
                for event in HEAD.decide(settled, heads, HeadContext("", side.rules)):
                    heads = HEAD.evolve(heads, event)
        return heads

    def _own_counting(self, side: Side, case: Case, but: set[str]) -> dict[str, Case]:
        """The person's other applications in this jurisdiction that count, those of other cycles and books too."""
        return {
            other: theirs
            for other, theirs in self.states["application"].items()
            if isinstance(theirs, _COUNTING)
            and theirs.candidate == case.candidate
            and theirs.scheme.split("/")[0] == side.rules.jurisdiction
            and other not in but
            and (other in side.papers or not self._is_meant(theirs))
        }

    def _case(self, application: str) -> Case:
        found: Case = self.states["application"][application]
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


def step_of(event: Event) -> str:
    stage, submission = getattr(event, "stage", ""), getattr(event, "submission", None)
    names = {
        StagePassed: f"{stage}：通过",
        ApplicationReturned: f"{stage}：退回",
        ApplicationRefused: f"{stage}：不通过",
        ReapplicationUnlocked: "解锁",
        TicketReleased: "释放准考证号",
        ExemptionRevoked: "撤销",
    }
    return names.get(type(event), f"提交（第{submission}次）")


def under(cycle: Cycle, old: Rules, draft: Rules) -> Cycle:
    """The cycle as the draft would have opened it: its dates, with the draft's hours where the book's were meant.

    A window that the draft has besides is open for as long as any other.
    """
    days = [day for window in cycle.windows.values() for day in (window.from_day, window.to_day)]
    windows: dict[str, Window] = {}
    for said in draft.book.windows:
        window, before = cycle.windows.get(said.id, Window(min(days), max(days), said.hours)), old.book.purpose(said.id)
        as_the_book = before is not None and window.daily == before.hours
        daily = said.hours if as_the_book else window.daily
        windows[said.id] = replace(window, daily=daily, close_inclusive=said.close_inclusive)
    return replace(cycle, windows=windows)


def papers_of(rules: Rules, case: Case, account: Any) -> frozenset[str]:
    found = evidence_of(rules, case.form, [claim_of(each) for each in case.claims], account)
    return frozenset(paper_key(each.type, each.number) for each in found if each.number)


# --- in words


@dataclass(frozen=True)
class Happened:
    """An event as far as it is an outcome; the clause is by which book it came, so it does not make a difference."""

    words: str
    clause: str = field(compare=False)

    @classmethod
    def of(cls, event: Event) -> Happened:
        facts = {name: getattr(event, name) for name in event.__struct_fields__}
        facts |= {"fen": yuan(facts["fen"])} if "fen" in facts else {}
        heading = (type(event).__doc__ or "").split(":")[0].format(**facts)
        told = [f"{word} {_plain(facts[name])}" for name, word in _TOLD.items() if facts.get(name) not in (None, ())]
        return cls(f"{heading}（{'，'.join(told)}）" if told else heading, getattr(event, "clause", ""))


def _plain(value: Any) -> str:
    return "、".join(map(str, value)) if isinstance(value, tuple) else str(value)


def told_events(said: Sequence[Happened]) -> str:
    return "；".join(each.words for each in said)


def _differences(said: Sequence[Happened], says: Sequence[Happened]) -> Iterator[Why]:
    nothing = Happened("（无）", "")
    for was, would_be in zip_longest(said, says, fillvalue=nothing):
        if was != would_be:
            clause = would_be.clause or was.clause
            yield Why("outcome_must_be_the_same", "outcome", "", f"{was.words} → {would_be.words}", clause)


def _no_stage(stage: str, rules: Rules) -> Why:
    clause = rules.clause("stages", source=rules.book.stages[0].source)
    return Why("stage_must_be_there", stage, "exemption.stage_not_open", f"没有“{stage}”环节。", clause)


def _refusal(refused: Refused, state: Application, rules: Rules) -> Why:
    stage = rules.book.stage(state.desk.stage) if isinstance(state, InReview) else rules.book.stages[0]
    clause = rules.clause(f"stages[{stage.name}]", source=stage.source)
    return Why("decision_must_be_allowed", stage.name, refused.code, said_in_words(refused)[0], clause)
