"""Acts out a story about a book with the deciders of exemption, without a server and without storing anything.

`stories.py` reads them; `./zikao schemes try` and `tests/stories` play them. What the service would gather from its
read models (organisations, accounts, numbers used elsewhere) is known here from the story itself; all else is the code
that decides in earnest.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time

from ops.schemes.acting import ACTS, CYCLE_ID, JUDGE, LEARN, LOOK, Turn
from ops.schemes.casting import Cast
from ops.schemes.gathering import Known, papers
from ops.schemes.outcomes import Outcome, whole
from ops.schemes.stories import AT, GIVEN, STEPS, THEN, WHEN, Step, Story, Then, Where, Wrong
from services.exemption.domain import access
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Expired,
    Granted,
    HandedOff,
    InReview,
    Lapsed,
)
from services.exemption.domain.commands import (
    ApplicationCommand,
    CycleCommand,
    EndWindow,
    ExpireExemption,
    LapseApplication,
    OpenCycle,
    ReviveApplication,
    SubmitApplication,
    SupersedeApplication,
    WindowAsked,
)
from services.exemption.domain.cycle import CYCLE, Cycle, CycleContext, CycleState
from services.exemption.domain.flagging import FLAGS, FlagCertificates
from services.exemption.domain.followed import Account
from services.exemption.domain.hand_in import judged, verdict
from services.exemption.domain.refusals import said
from services.exemption.domain.rules import EVERYWHERE
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import (
    HEAD,
    HeadCommand,
    Heads,
    ReleaseHead,
    TakeHead,
    replaced_by,
    settled_by,
)
from services.exemption.domain.verdict import Finding
from services.exemption.submitting import head_value, told_of
from shared.events.exemption import CertificateSeenElsewhere, CycleWindowEnded, RefundAsked, WindowReopened
from shared.kernel.errors import Refused
from shared.kernel.messages import Event
from shared.schemes.book import Head

TIMER = "timer"
NOTHING_EXPECTED = Then.model_validate({})


@dataclass
class Play:
    """A story under way: the cycle, every application and what counts, as their events left them."""

    rules: Rules
    head: Head
    cast: Cast
    accounts: dict[str, Account]  # of candidates
    cycle: CycleState = CYCLE.initial
    cases: dict[str, Application] = field(default_factory=dict)  # candidate and which -> application
    heads: dict[str, Heads] = field(default_factory=dict)  # ticket number or person -> what counts
    warned: list[str] = field(default_factory=list)  # in this step
    now: datetime | None = None

    @classmethod
    def of(cls, story: Story, rules: Rules, head: Head) -> "Play":
        """With everybody there and the cycle open, in the windows the story says."""
        cast = Cast.of(story, rules, head)
        told = story.given.accounts
        accounts = {name: cast.account(name, told.get(name)) for name in cast.candidates}
        return cls(rules, head, cast, accounts, now=story.steps[0].at)._opened(story)

    def _opened(self, story: Story) -> "Play":
        windows = dict(self._windows(story))
        first = min((each.from_day for each in windows.values() if each.from_day), default=None)
        self.now = self.now or (datetime.combine(first, time(12), self.cast.zone) if first else None)
        opening = OpenCycle(
            scheme=self.rules.ref, organisation=self.cast.opener(), title=story.title[:60], windows=windows
        )
        try:
            self._decide_cycle(opening, frozenset((role, EVERYWHERE) for role in self.rules.book.open_by))
        except Refused as refused:
            raise Wrong((GIVEN, "批次"), said(refused)[0]) from None
        return self

    def _windows(self, story: Story) -> Iterator[tuple[str, WindowAsked]]:
        book, said_of = self.rules.book, story.given.windows
        titles = {each.title: each for each in book.windows}
        for title in said_of.keys() - titles.keys():
            raise Wrong((GIVEN, "批次", title), f"no such window; there are {'、'.join(titles)}")
        for each in book.windows:
            if (dates := said_of.get(each.title)) is not None:
                yield each.id, WindowAsked(*_days(dates, (GIVEN, "批次", each.title)))
            elif each.announced:
                yield each.id, WindowAsked()
            else:
                raise Wrong((GIVEN,), f"批次: say from when to when “{each.title}” is open")

    # --- steps

    def step(self, step: Step, index: int) -> Outcome:
        """What comes of one step; Wrong when it makes no sense."""
        where, self.warned = (STEPS, index), []
        who, act, whose = self._read(step, where)
        if step.at:
            if self.now and step.at < self.now:  # what ended would stay ended
                raise Wrong((*where, AT), f"time only goes on: before this step it is {self.now:%Y-%m-%d %H:%M}")
            self._time_passes(step.at)
        key = f"{whose}/{step.which}"
        turn = self._turn(step, key, where)
        events: list[Event] = []
        try:
            for command in ACTS[act](turn):
                events += self._happens(command, key, who)
            return self._seen(act, turn, who) or self._outcome(key, events)
        except Refused as refused:
            return Outcome(self._title(key), whole(refused), refused.code)

    def _read(self, step: Step, where: Where) -> tuple[str, str, str]:
        """Who does what with whose application."""
        place = (*where, WHEN)
        who, act, whose, *more = [*step.when.split(), "", ""]
        if act not in ACTS or any(more):
            raise Wrong(place, f"written “谁 做什么 谁的申请”; what can be done: {'、'.join(ACTS)}")
        if not self.cast.knows(who):
            raise Wrong(place, f"nobody here is called {who}; there are {'、'.join(self.cast.everybody())}")
        owner = whose or (who if self.cast.is_candidate(who) else self._only_applicant(place))
        if not self.cast.is_candidate(owner):
            raise Wrong(place, f"{owner} is no candidate of this story")
        return who, act, owner

    def _turn(self, step: Step, key: str, where: Where) -> Turn:
        owner = key.split("/")[0]
        if step.account:
            self.accounts[owner] = self.cast.learnt(self.accounts[owner], step.account)
        state = self.cases.get(key, APPLICATION.initial)
        assert self.now is not None
        return Turn(self.rules.book, self.cast, step, key, state, self.accounts[owner], where, self.now)

    def _only_applicant(self, where: Where) -> str:
        candidates = list(self.cast.candidates)
        if len(candidates) > 1:
            raise Wrong(where, f"say whose application it is about: {'、'.join(candidates)}")
        return candidates[0]

    # --- what happens

    def _happens(self, command: ApplicationCommand | CycleCommand, key: str, who: str) -> list[Event]:
        """All of it or, when it is refused, nothing."""
        before = dict(self.cases), dict(self.heads)
        try:
            if isinstance(command, CycleCommand):
                return self._decide_cycle(command, self.cast.roles(who))
            return self._decide(command, key, who)
        except Refused:
            self.cases, self.heads = before
            raise

    def _decide(self, command: ApplicationCommand, key: str, who: str) -> list[Event]:
        before = state = self.cases.get(key, APPLICATION.initial)
        context = self._context(key, who, state)
        if isinstance(command, SubmitApplication) and isinstance(state, Case):
            found = judged(state, context).findings.found
            self.warned += [each.texts()[0] for each in found if each.outcome == "warn"]
        decided = APPLICATION.decide(command, state, context)
        for event in decided:
            state = APPLICATION.evolve(state, event)
        events: list[Event] = list(decided)
        self.cases[key] = state
        if isinstance(command, SubmitApplication):
            events += self._flags(context)
        if isinstance(command, SubmitApplication) or _holds_again(before, state):
            self._takes_its_place(key, who, before, context)
        if (settled := settled_by(state, key)) and isinstance(state, Case) and state.head:
            self._decide_head(state.head, settled, state, context)
        return events

    def _flags(self, context: Context) -> Sequence[Event]:
        if not context.seen_elsewhere:
            return []
        return FLAGS.decide(FlagCertificates(applications=context.seen_elsewhere), FLAGS.initial, self.rules)

    def _takes_its_place(self, key: str, who: str, before: Application, context: Context) -> None:
        """Of one ticket number or person only one application counts; what counted before is superseded."""
        case, unique = self.cases[key], self.rules.book.uniqueness
        value = head_value(case, self.rules) if isinstance(case, Case) else None
        if value is None or not isinstance(case, Case) or unique is None:
            return
        self._decide_head(value, TakeHead(cycle=CYCLE_ID, application=key, value=value), case, context)
        if isinstance(before, Case) and before.head not in ("", value):
            self._decide_head(before.head, ReleaseHead(cycle=CYCLE_ID, application=key), case, context)
        other = replaced_by(context.heads, CYCLE_ID, key)
        if other and unique.rule == "last_submission_wins":
            self._decide(SupersedeApplication(by=key), other, who)

    def _decide_head(self, value: str, command: HeadCommand, case: Case, context: Context) -> None:
        heads = self.heads.get(value, HEAD.initial)
        for event in HEAD.decide(command, heads, told_of(case, context)):
            heads = HEAD.evolve(heads, event)
        self.heads[value] = heads

    def _decide_cycle(self, command: CycleCommand, roles: frozenset[tuple[str, str]]) -> list[Event]:
        assert self.now is not None
        context = CycleContext(self.now, "opener", roles, self.rules, self.cast.organisations)
        events = CYCLE.decide(command, self.cycle, context)
        for event in events:
            self.cycle = CYCLE.evolve(self.cycle, event)
        for event in events:
            if isinstance(event, CycleWindowEnded) and event.settles:
                self._settle(event)
            if isinstance(event, WindowReopened):
                self._revive(event)
        return list(events)

    def _time_passes(self, now: datetime) -> None:
        """Windows end one after the other, and what has to lapse or expire with them does."""
        assert isinstance(self.cycle, Cycle)
        ends = ((over, purpose) for purpose, window in self.cycle.windows.items() if (over := window.over_at()))
        for over, purpose in sorted(each for each in ends if each[0] <= now):
            self.now = over
            self._decide_cycle(EndWindow(cycle=CYCLE_ID, purpose=purpose, due_at=over), frozenset())
        self.now = now

    def _settle(self, ended: CycleWindowEnded) -> None:
        for key in list(self.cases):
            for command in (LapseApplication, ExpireExemption):
                self._decide(command(application=key, purpose=ended.purpose, due_at=ended.ended_at), key, TIMER)

    def _revive(self, reopened: WindowReopened) -> None:
        for key in list(self.cases):
            self._decide(ReviveApplication(application=key, purpose=reopened.purpose), key, TIMER)

    # --- what is known

    def _context(self, key: str, who: str, state: Application) -> Context:
        assert self.now is not None
        assert isinstance(self.cycle, Cycle)
        account = self.accounts[key.split("/")[0]]
        value = (head_value(state, self.rules) if isinstance(state, Case) else None) or ""
        known = Known(self.rules, self.cases, self.accounts, self.heads.get(value, Heads()))
        return Context(
            now=self.now,
            actor=who,
            roles=self.cast.roles(who),
            application=key,
            cycle_id=CYCLE_ID,
            rules=self.rules,
            cycle=self.cycle,
            organisations=self.cast.organisations,
            account=account,
            photographs=known.photographs(key),
            heads=known.heads,
            head=value,
            ticket_elsewhere=known.ticket_elsewhere(key),
            number=known.number(self.now) if isinstance(state, Case) else "",
            drafts=known.drafts(key),
            seen_elsewhere=known.seen_elsewhere(key, papers(self.rules, state, account)),
            own_other=known.own_other(key, papers(self.rules, state, account)),
            own_courses=known.own_courses(key),
        )

    # --- what came of it

    def _seen(self, act: str, turn: Turn, who: str) -> Outcome | None:
        """Of what decides nothing: what this person sees, or what would be decided."""
        if act not in {JUDGE, LOOK, LEARN}:
            return None
        state = self.cases.get(turn.key, APPLICATION.initial)
        context = self._context(turn.key, who, state)
        if act == LEARN:
            return Outcome(self._title(turn.key))
        case = access.must_be_readable(state, who, context.roles)
        if act == LOOK:
            own = who == case.candidate
            title = access.title_for_the_candidate(case, context) if own else case.title
            return Outcome(title, number=case.number, due=_due(case))
        found = verdict(case, context)
        warnings = tuple(each.texts()[0] for each in found if each.outcome == "warn")
        wrong = tuple(each for each in found if each.outcome == "refuse")
        return Outcome(case.title, told=warnings, verdict=wrong, clauses=_clauses_of(wrong))

    def _title(self, key: str) -> str:
        return str(self.cases.get(key, APPLICATION.initial).state_title)

    def _outcome(self, key: str, events: list[Event]) -> Outcome:
        state = self.cases.get(key, APPLICATION.initial)
        elsewhere = self.rules.book.certificate_seen_elsewhere
        seen = [elsewhere.text for event in events if elsewhere and isinstance(event, CertificateSeenElsewhere)]
        titles = {role.id: role.title for role in self.head.roles}
        return Outcome(
            state.state_title,
            told=(*seen, *self.warned),
            waits_for=titles.get(state.desk.role, state.desk.role) if isinstance(state, InReview) else "",
            courses=state.course_codes if isinstance(state, Granted | HandedOff) else (),
            clauses=tuple(dict.fromkeys(clause for event in events if (clause := getattr(event, "clause", "")))),
            number=state.number if isinstance(state, Case) else "",
            due=_due(state),
            back=tuple(event.fen for event in events if isinstance(event, RefundAsked)),
        )


def _holds_again(before: Application, after: Application) -> bool:
    """Whether it came back from its end, with the ticket number that it had."""
    ended = Lapsed | Expired
    return isinstance(before, ended) and not isinstance(after, ended) and not before.ticket_released


def _due(state: Application | Case) -> int:
    return state.due.fen if isinstance(state, AwaitingPayment) and state.due else 0


def _clauses_of(found: tuple[Finding, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.clause for each in found))


def _days(dates: str, where: tuple[str | int, ...]) -> tuple[date, date]:
    """2026-03-01 至 2026-03-31."""
    first, _, last = (part.strip() for part in dates.partition("至"))
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise Wrong(where, f"written 2026-03-01 至 2026-03-31, not {dates}") from None


def played(story: Story, rules: Rules, head: Head) -> Iterator[tuple[Step, Outcome, tuple[Wrong, ...]]]:
    """Every step with what came of it, and where that is not what the story says; Wrong when it makes no sense."""
    play = Play.of(story, rules, head)
    for index, step in enumerate(story.steps):
        outcome = play.step(step, index)
        where = (STEPS, index, THEN) if step.then else (STEPS, index)
        faults = outcome.faults(step.then or NOTHING_EXPECTED)
        yield step, outcome, tuple(Wrong(where, law) for law in faults)
