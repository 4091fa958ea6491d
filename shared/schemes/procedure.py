"""The vocabulary of a procedure: windows, states, review stages, reasons. Pure.

`shared/schemes/books/*/<service>.yaml` speaks it, each service's `domain/scheme.py` composes it, deciders obey it.
YAML stays data: whatever can happen is named here, in Python, with tests.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

from shared.kernel.time import SHANGHAI

ASSUMPTION = "assumption"
_LONGEST = timedelta(days=731)  # of a window: whoever shows one counts its days, and more is a slip of the pen

_ROW = r"([A-Z]{2,3}(-[A-Z])?-[0-9]{2}|assumption)"
Source = Annotated[str, StringConstraints(pattern=rf"^{_ROW}(, {_ROW})*$")]
"""Where a clause comes from: rows of docs/requirements.md, or `assumption` where the sources leave it open."""


def is_source(word: str) -> bool:
    """Whether a word of a book says where a clause comes from: `source`, or `<word>_source` beside a plain word."""
    return word == "source" or word.endswith("_source")


Id = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
Document = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,39}(\.[a-z][a-z0-9_]{0,39})?$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=2000, strip_whitespace=True)]


class Clause(BaseModel):
    """Anything a book says. Unknown words are refused; nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Sourced(Clause):
    """A clause that is a rule of its own, and so says where it comes from."""

    source: Source = Field(description="Rows of the requirements, or `assumption`.")


class Sentence(Sourced):
    """One sentence that people read."""

    text: Text = Field(description="The sentence as it is shown.")


# --- windows -----------------------------------------------------------------------------------------------------

Hours = tuple[tuple[time, time], ...]
"""Daily hours, in order; one that does not end later than it starts ends on the next day, at 00:00 with the day."""
Skip = Literal["holidays", "weekends"]
"""Lists of days on which nothing is open: `shared/schemes/workdays.py` knows their days."""
Phase = Literal["not_yet", "open", "paused", "closed"]
"""Of a window: announced, open, between its hours or days, over for good."""
_DAY = timedelta(days=1)
_MIDNIGHT = time(0)


@dataclass(frozen=True)
class Window:
    """When something may be done: whole days or daily hours, Asia/Shanghai.

    An interval holds its first instant and not its last (09:00-12:00 ends at 11:59:59.999), unless `close_inclusive`
    says that the closing second still counts. Hours belong to the day on which they begin: 22:00-02:00 of the last day
    end on the day after it, and a day left out loses what begins on it, not what the night before brought.
    """

    from_day: date
    to_day: date  # inclusive, as notices print it
    daily: Hours = ()
    excluded: tuple[date, ...] = ()
    close_inclusive: bool = False

    def faults(self) -> list[str]:
        """What is wrong with the dates and hours themselves; empty when they make sense."""
        wrong = []
        if self.to_day < self.from_day:
            wrong.append("to_day_before_from_day")
        if self.to_day - self.from_day > _LONGEST:
            wrong.append("longer_than_two_years")
        if self.to_day.year == date.max.year:
            wrong.append("no_day_after_it")  # the calendar of Python ends there, and a closing is on the day after
        wrong += faults_of_hours(self.daily)
        if not wrong and next(self.intervals(), None) is None:
            wrong.append("never_open")
        return wrong

    def intervals(self) -> Iterator[tuple[datetime, datetime]]:
        """Every opening with its closing instant, in order. What touches is one: whole days do not close at night."""
        before: tuple[datetime, datetime] | None = None
        for start, end in self._of_each_day():
            if before is None:
                before = start, end
            elif start <= before[1]:
                before = before[0], end
            else:
                yield before
                before = start, end
        if before is not None:
            yield before

    def _of_each_day(self) -> Iterator[tuple[datetime, datetime]]:
        left_out = frozenset(self.excluded)
        day = self.from_day
        while day <= self.to_day:
            if day not in left_out:
                for start, end in self.daily or ((_MIDNIGHT, _MIDNIGHT),):
                    ends_on = day if end > start else day + _DAY
                    yield datetime.combine(day, start, SHANGHAI), datetime.combine(ends_on, end, SHANGHAI)
            day += _DAY

    def holds(self, now: datetime) -> bool:
        return self.closing(now) is not None

    def closing(self, now: datetime) -> datetime | None:
        """When the interval that holds `now` ends; None when it is closed."""
        return next((end for start, end in self.intervals() if start <= now < end + self._grace), None)

    def next_opening(self, now: datetime) -> datetime | None:
        """The next time it opens after `now`; None when it never will again."""
        return next((start for start, _ in self.intervals() if start > now), None)

    def last_closing(self) -> datetime | None:
        """The last instant that notices print; None when it never opens."""
        return max((end for _, end in self.intervals()), default=None)

    def over_at(self) -> datetime | None:
        """From when on it never holds again; None when it never does."""
        last = self.last_closing()
        return None if last is None else last + self._grace

    def phase(self, now: datetime) -> Phase:
        if self.holds(now):
            return "open"
        if self.next_opening(now) is None:
            return "closed"
        first = next(start for start, _ in self.intervals())
        return "not_yet" if now < first else "paused"

    @property
    def ends_overnight(self) -> bool:
        """Whether some of its hours end on the next day, and not just with their own."""
        return any(end <= start and end != _MIDNIGHT for start, end in self.daily)

    @property
    def _grace(self) -> timedelta:
        return timedelta(seconds=1) if self.close_inclusive else timedelta()


def faults_of_hours(daily: Hours) -> list[str]:
    """What is wrong with daily hours; empty when they make sense."""
    if any(each.tzinfo for hours in daily for each in hours):
        return ["hours_of_another_zone"]  # they are Shanghai's
    if any(start == end != _MIDNIGHT for start, end in daily):
        return ["hours_end_as_they_start"]
    starts = [_since_midnight(start) for start, _ in daily]
    ends = [_since_midnight(end) + (timedelta() if end > start else _DAY) for start, end in daily]
    following = [*starts[1:], *(start + _DAY for start in starts[:1])]  # after the last, the first of the next day
    return ["hours_overlap"] if any(end > start for end, start in zip(ends, following, strict=True)) else []


def _since_midnight(at: time) -> timedelta:
    return timedelta(hours=at.hour, minutes=at.minute, seconds=at.second, microseconds=at.microsecond)


def hours_of(text: str) -> tuple[time, time]:
    """`09:00-12:00` as notices print it, also `17:00-24:00`; raises ValueError."""
    start, _, end = text.partition("-")
    try:
        return time.fromisoformat(start), _MIDNIGHT if end == "24:00" else time.fromisoformat(end)
    except ValueError:
        raise ValueError(f"hours are written 09:00-12:00, not {text}") from None


def _hours_written(given: object) -> object:
    if not isinstance(given, list | tuple):
        return given
    return tuple(hours_of(each) if isinstance(each, str) else each for each in given)


class Announced(Sourced):
    """The days that the source itself announced, both inclusive."""

    from_day: date
    to_day: date


PRIOR_EDUCATION = "prior_education"
ASKED_ELSEWHERE = frozenset({PRIOR_EDUCATION})
"""Windows that no rule of the exemption book asks for: identity takes records of prior education in this one."""


class Purpose(Sourced):
    """One thing that has a window of its own; its dates belong to the cycle."""

    id: Id = Field(description="What rules call it, e.g. apply.")
    title: Text = Field(description="What people call it.")
    query: bool = Field(False, description="Nothing is handed in while it is open: something can be looked up.")
    close_inclusive: bool = Field(False, description="The closing second itself still counts.")
    hours: Annotated[Hours, BeforeValidator(_hours_written)] = Field(
        (), description="Daily hours such as 09:00-12:00, where a cycle says no others; none: whole days."
    )
    overnight: bool = Field(False, description="Hours may end on the next day: 22:00-02:00.")
    skip: tuple[Skip, ...] = Field((), description="Lists of days on which it is closed, where a cycle says no others.")
    announced: Announced | None = Field(None, description="The dates of the source, for a cycle that asks for them.")

    @model_validator(mode="after")
    def _times_make_sense(self) -> "Purpose":
        said = self.announced
        first = said.from_day if said else date(2001, 1, 1)  # a day like any other
        window = Window(first, said.to_day if said else first, self.hours)
        if faults := window.faults():
            raise ValueError(f"{self.id}: {', '.join(faults)}")
        if window.ends_overnight and not self.overnight:
            raise ValueError(f"{self.id}: hours that end on the next day need `overnight: true`")
        no_twins(self.skip, f"skip of {self.id}")
        return self


# --- states ------------------------------------------------------------------------------------------------------

StateId = Id
DRAFT, SUBMITTED, RETURNED, DISCARDED, HANDED_OFF = "draft", "submitted", "returned", "discarded", "handed_off"
SUPERSEDED, REFUSED, LAPSED, EXPIRED, REVOKED = "superseded", "refused", "lapsed", "expired", "revoked"
UNPAID = "unpaid"
ENGINE_STATES = frozenset(
    {DRAFT, SUBMITTED, UNPAID, RETURNED, DISCARDED, HANDED_OFF, SUPERSEDED, REFUSED, LAPSED, EXPIRED, REVOKED}
)
"""The states that the engine itself knows; a book has those that its words can lead to, and one for each stage."""


class State(Sourced):
    """A state by its official name, with the explanation a candidate reads."""

    id: StateId = Field(
        description="draft, submitted, unpaid, returned, discarded, handed_off, superseded, refused, lapsed, expired, "
        "revoked, or one that a stage's `state` names."
    )
    title: Text = Field(description="The official name.")
    explanation: Text = Field(description="What it means to the candidate.")


class ProgressStep(Sourced):
    """One step of the progress display."""

    title: Text
    states: tuple[StateId, ...] = Field(description="The states in which this is the step in hand.")


# --- review ------------------------------------------------------------------------------------------------------


class Item(Sourced):
    """Something a reviewer must look at."""

    id: Id
    text: Text


class Reason(Sourced):
    """Why an application may be sent back, tied to what has to be put right."""

    code: Id
    text: Text = Field(description="What the candidate is told; the reviewer adds free text.")
    document: Document = Field(description="What it is about: a field, a photograph, a basis, or `<basis>.<slot>`.")


class Refusing(Sourced):
    """Why an application may be refused for good."""

    code: Id
    text: Text = Field(description="What the candidate is told; the reviewer adds free text.")


Recheck = Literal["certificate_valid", "prior_education_effective"]
"""Laws that a stage may ask to be checked once more when it passes; the closed list."""
Outcome = Literal["pass", "return", "refuse"]
"""How a stage may end: the next one opens, the candidate corrects it, or it is over."""


class AfterWindow(Sourced):
    """What begins only when a window is over, or happens when it ends."""

    window: Id


class Stage(Sourced):
    """One review: who decides, by which list, and what happens then."""

    name: Text = Field(description="The official name, e.g. 初审.")
    role: Id = Field(description="Who decides.")
    scope: Id = Field(
        description="Level at which that role must be held: of the organisation that the form names or one above it; "
        "where the form names none, of the cycle's own or one above it."
    )
    state: StateId = Field(description="The state an application is in once this stage has passed.")
    outcomes: tuple[Outcome, ...] = Field(("pass", "return"), description="How this stage may end.")
    pass_action: Text = Field(description="Text of the button that passes.")
    return_action: Text | None = Field(None, description="Text of the button that sends back.")
    refuse_action: Text | None = Field(None, description="Text of the button that refuses.")
    pass_ground: Sentence = Field(description="When to pass.")
    return_ground: Sentence | None = Field(None, description="When to send back.")
    refuse_ground: Sentence | None = Field(None, description="When to refuse.")
    checklist: tuple[Item, ...] = Field(min_length=1, description="Every item must be answered with yes to pass.")
    points: tuple[Item, ...] = Field((), description="What to pay attention to; shown beside the checklist.")
    reasons: tuple[Reason, ...] = Field((), description="The reasons for sending back at this stage.")
    refuse_reasons: tuple[Refusing, ...] = Field((), description="The reasons for refusing at this stage.")
    may_submit_again: bool = Field(
        False, description="Who was refused here may hand in a new application while the window is open."
    )
    resubmit_to: Literal["first", "same"] = Field(
        "first", description="Where a corrected application goes: to the first stage or to the one that sent it back."
    )
    starts_after: AfterWindow | None = Field(None, description="Nobody decides here before this window is over.")
    onsite: AfterWindow | None = Field(
        None, description="Decided on site, only while this window is open; what is not lapses with it."
    )
    separate_from_others: bool = Field(True, description="Nobody decides at this stage and at another one.")
    rechecks: tuple[Recheck, ...] = Field((), description="Laws checked once more when this stage passes.")
    due_days: int | None = Field(None, ge=1, le=365, description="Days within which to decide; none when not said.")

    def reason(self, code: str) -> Reason | None:
        return next((reason for reason in self.reasons if reason.code == code), None)

    def refusing(self, code: str) -> Refusing | None:
        return next((reason for reason in self.refuse_reasons if reason.code == code), None)

    def due(self, now: datetime) -> datetime | None:
        return None if self.due_days is None else now + timedelta(days=self.due_days)

    @model_validator(mode="after")
    def _ids_are_unique(self) -> "Stage":
        no_twins([item.id for item in self.checklist], f"checklist of {self.name}")
        no_twins([item.id for item in self.points], f"points of {self.name}")
        no_twins([reason.code for reason in self.reasons], f"reasons of {self.name}")
        no_twins([reason.code for reason in self.refuse_reasons], f"refuse_reasons of {self.name}")
        return self

    @model_validator(mode="after")
    def _every_outcome_has_its_words(self) -> "Stage":
        no_twins(self.outcomes, f"outcomes of {self.name}")
        if "pass" not in self.outcomes:
            raise ValueError(f"outcomes of {self.name}: every stage can be passed")
        said: dict[Outcome, tuple[object, ...]] = {
            "return": (self.return_action, self.return_ground, self.reasons),
            "refuse": (self.refuse_action, self.refuse_ground, self.refuse_reasons),
        }
        for outcome, words in said.items():
            if outcome in self.outcomes and not all(words):
                raise ValueError(f"{self.name}: `{outcome}` needs its action, its ground and its reasons")
            if outcome not in self.outcomes and any(words):
                raise ValueError(f"{self.name}: words about `{outcome}`, which is none of its outcomes")
        if self.may_submit_again and "refuse" not in self.outcomes:
            raise ValueError(f"{self.name}: may_submit_again is for those who were refused")
        return self


def no_twins(names: Sequence[str], where: str) -> None:
    """Names in one list of a book are unique."""
    twins = sorted({name for name in names if names.count(name) > 1})
    if twins:
        raise ValueError(f"{where}: named twice: {', '.join(twins)}")
