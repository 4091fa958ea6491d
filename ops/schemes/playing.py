"""Acts out a story about a book with the deciders of exemption, without a server and without storing anything.

`stories.py` reads them; `./zikao schemes try` and `tests/stories` play them. What the service would gather from its
read models (organisations, accounts, numbers used elsewhere) is known here from the story itself; all else is the code
that decides in earnest.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time

from ops.schemes.acting import ACTS, CYCLE_ID, Turn
from ops.schemes.casting import Cast
from ops.schemes.stories import GIVEN, STEPS, THEN, WHEN, Step, Story, Then, Wrong
from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application, Case, Granted, HandedOff, InReview, Returned
from services.exemption.domain.commands import (
    ApplicationCommand,
    CycleCommand,
    OpenCycle,
    WindowAsked,
)
from services.exemption.domain.cycle import CYCLE, Cycle, CycleContext, CycleState
from services.exemption.domain.form import Photograph, value_of
from services.exemption.domain.refusals import said
from services.exemption.domain.rules import EVERYWHERE
from services.exemption.domain.scheme import Rules
from shared.events.exemption import CertificateSeenElsewhere
from shared.kernel.errors import Refused
from shared.kernel.messages import Event
from shared.schemes.book import Head
from shared.schemes.reading import certificate_key


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    state: str
    refused: str = ""
    code: str = ""
    told: tuple[str, ...] = ()
    waits_for: str = ""
    courses: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()

    def faults(self, then: Then) -> Iterator[str]:
        """Where it is not what a story says."""
        if then.refused is None and self.refused:
            yield f"refused: {self.refused} ({self.code})"
        elif then.refused is not None and then.refused not in self.refused and then.refused != self.code:
            yield f"expected a refusal with “{then.refused}”, but {self.refused or f'it was accepted: {self.state}'}"
        if then.state is not None and not self.refused and then.state != self.state:
            yield f"expected {then.state}, but it is {self.state}"
        for each in then.told:
            if each not in self.told:
                yield f"expected “{each}” to be told, but {'、'.join(self.told) or 'nothing'} was"
        if then.waits_for is not None and then.waits_for != self.waits_for:
            yield f"expected to wait for {then.waits_for}, but it waits for {self.waits_for or 'nobody'}"
        if then.courses is not None and then.courses != self.courses:
            yield f"expected the courses {'、'.join(then.courses)}, but they are {'、'.join(self.courses) or 'none'}"


@dataclass
class Play:
    """A story under way: the cycle and every application, as their events left them."""

    rules: Rules
    head: Head
    cast: Cast
    cycle: CycleState = CYCLE.initial
    cases: dict[str, Application] = field(default_factory=dict)  # candidate and which -> application
    now: datetime | None = None

    def opened(self, story: Story) -> "Play":
        """With its cycle open, in the windows the story says."""
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
        where = (STEPS, index)
        self.now = step.at or self.now
        who, act, whose, *more = [*step.when.split(), "", ""]
        if act not in ACTS or any(more):
            raise Wrong((*where, WHEN), f"written “谁 做什么 谁的申请”; what can be done: {'、'.join(ACTS)}")
        if not self.cast.knows(who):
            raise Wrong((*where, WHEN), f"nobody here is called {who}; there are {'、'.join(self.cast.everybody())}")
        owner = whose or (who if self.cast.is_candidate(who) else self._only_applicant((*where, WHEN)))
        if not self.cast.is_candidate(owner):
            raise Wrong((*where, WHEN), f"{owner} is no candidate of this story")
        key = f"{owner}/{step.which}"
        try:
            turn = Turn(self.rules.book, self.cast, step, key, self.cases.get(key, APPLICATION.initial), where)
            events = [event for command in ACTS[act](turn) for event in self._happens(command, key, who)]
        except Refused as refused:
            return Outcome(self._title(key), _whole(refused), refused.code)
        return self._outcome(key, events)

    def _only_applicant(self, where: tuple[str | int, ...]) -> str:
        candidates = list(self.cast.candidates)
        if len(candidates) > 1:
            raise Wrong(where, f"say whose application it is about: {'、'.join(candidates)}")
        return candidates[0]

    def _happens(self, command: ApplicationCommand | CycleCommand, key: str, who: str) -> list[Event]:
        if isinstance(command, CycleCommand):
            return self._decide_cycle(command, self.cast.roles(who))
        state = self.cases.get(key, APPLICATION.initial)
        events = APPLICATION.decide(command, state, self._context(key, who, state))
        for event in events:
            state = APPLICATION.evolve(state, event)
        self.cases[key] = state
        return list(events)

    def _decide_cycle(self, command: CycleCommand, roles: frozenset[tuple[str, str]]) -> list[Event]:
        assert self.now is not None
        context = CycleContext(self.now, "opener", roles, self.rules, self.cast.organisations)
        events = CYCLE.decide(command, self.cycle, context)
        for event in events:
            self.cycle = CYCLE.evolve(self.cycle, event)
        return list(events)

    def _context(self, key: str, who: str, state: Application) -> Context:
        assert self.now is not None
        assert isinstance(self.cycle, Cycle)
        owner = key.split("/")[0]
        number = self._number(state)
        others = [other for other in self.cases if other != key and number and self._submitted_number(other) == number]
        own = [other for other in others if other.split("/")[0] == owner]
        return Context(
            now=self.now,
            actor=who,
            roles=self.cast.roles(who),
            application=key,
            cycle_id=CYCLE_ID,
            rules=self.rules,
            cycle=self.cycle,
            organisations=self.cast.organisations,
            account=self.cast.account(owner),
            photographs={each.slot: Photograph(owner, key, each.slot) for each in self.rules.book.photos},
            seen_elsewhere=tuple(sorted(other for other in others if other not in own)),
            own_other=next((other for other in sorted(own) if not isinstance(self.cases[other], Returned)), None),
        )

    def _number(self, state: Application) -> str:
        form = state.form if isinstance(state, Case) else {}
        return certificate_key(value_of(self.rules.book, "certificate_number", form) or "")

    def _submitted_number(self, key: str) -> str:
        state = self.cases[key]
        return self._number(state) if isinstance(state, Case) and state.submissions else ""

    # --- what came of it

    def _title(self, key: str) -> str:
        return str(self.cases.get(key, APPLICATION.initial).state_title)

    def _outcome(self, key: str, events: list[Event]) -> Outcome:
        state = self.cases.get(key, APPLICATION.initial)
        warning = self.rules.book.certificate_seen_elsewhere.text
        titles = {role.id: role.title for role in self.head.roles}
        return Outcome(
            state.state_title,
            told=tuple(warning for event in events if isinstance(event, CertificateSeenElsewhere)),
            waits_for=titles.get(state.desk.role, state.desk.role) if isinstance(state, InReview) else "",
            courses=state.course_codes if isinstance(state, Granted | HandedOff) else (),
            clauses=tuple(dict.fromkeys(clause for event in events if (clause := getattr(event, "clause", "")))),
        )


def _days(dates: str, where: tuple[str | int, ...]) -> tuple[date, date]:
    """2026-03-01 至 2026-03-31."""
    first, _, last = (part.strip() for part in dates.partition("至"))
    try:
        return date.fromisoformat(first), date.fromisoformat(last)
    except ValueError:
        raise Wrong(where, f"written 2026-03-01 至 2026-03-31, not {dates}") from None


def _whole(refused: Refused) -> str:
    """A refusal with everything it lists, in Chinese."""
    listed = "".join(f" {each['label']}：{each['zh']}" for each in refused.facts.get("faults", ()))
    return said(refused)[0] + listed


def played(story: Story, rules: Rules, head: Head) -> Iterator[tuple[Step, Outcome, tuple[Wrong, ...]]]:
    """Every step with what came of it, and where that is not what the story says; Wrong when it makes no sense."""
    play = Play(rules, head, Cast.of(story, rules, head), now=story.steps[0].at).opened(story)
    for index, step in enumerate(story.steps):
        outcome = play.step(step, index)
        where = (STEPS, index, THEN) if step.then else (STEPS, index)
        faults = outcome.faults(step.then or Then.model_validate({}))
        yield step, outcome, tuple(Wrong(where, law) for law in faults)
