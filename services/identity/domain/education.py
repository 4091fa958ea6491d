"""前置学历 one record of prior education: typed, handed in, checked by CHSI (学信网), in effect or to be corrected.

Draft -> Submitted -> Checking -> Effective | NotEffective -> Draft
                         `-> (no answer for long) taken back -> Draft

`education.py` of the service loads its events, calls `decide`, and appends what comes back. An answer of CHSI decides
once; one that is late or says something else is kept as a fact and changes nothing by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, ClassVar, assert_never

from services.identity.domain import education_rules as laws
from services.identity.domain.commands import (
    BeginCheck,
    EducationCommand,
    RecordCall,
    RecordChsiAnswer,
    SavePriorEducation,
    StartPriorEducation,
    SubmitPriorEducation,
    TakeBackPriorEducation,
)
from services.identity.domain.followed import Cycle, Unknown
from shared.events.identity import (
    EducationAnswerAwaited,
    EducationAnswered,
    EducationCheckAccepted,
    EducationCheckAttempted,
    EducationCheckDoubted,
    EducationCheckFailed,
    EducationCheckUnresolved,
    EducationDraftSaved,
    EducationEvent,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationStarted,
    PriorEducationSubmitted,
    PriorEducationTakenBack,
)
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused

NO_ANSWER, ERASED = "no_answer", "erased"


@dataclass(frozen=True)
class Record:
    """What every state of a record has."""

    candidate: str
    cycle: str
    scheme: str
    form: Mapping[str, str] = field(default_factory=dict)
    submissions: int = 0
    attempts: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)  # what CHSI was asked under -> for which submission
    answers: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)  # request -> what it said

    @property
    def erased(self) -> bool:
        """Of a record that was handed in: nobody can read it any more."""
        return not self.form


@dataclass(frozen=True)
class NotStarted:
    state_title: ClassVar[str] = "未填写"


@dataclass(frozen=True)
class Draft:
    state_title: ClassVar[str] = "保存"
    record: Record


@dataclass(frozen=True)
class Submitted:
    """To be asked about, for the first time or anew, at `due_at`."""

    state_title: ClassVar[str] = "提交"
    record: Record
    due_at: datetime
    failures: int = 0


@dataclass(frozen=True)
class Checking:
    """Asked under `request`. `taken`: CHSI has the query; until then we only know that we called."""

    state_title: ClassVar[str] = "学信网验"
    record: Record
    request: str
    tried_at: datetime
    failures: int
    taken: bool = False
    asked: int = 0
    absent: int = 0
    looked: int = 0


@dataclass(frozen=True)
class Unresolved:
    """Handed in, and nobody can tell; an answer may still come."""

    state_title: ClassVar[str] = "学信网验（无结果）"
    record: Record
    reason: str


@dataclass(frozen=True)
class Effective:
    state_title: ClassVar[str] = "生效"
    record: Record


@dataclass(frozen=True)
class NotEffective:
    state_title: ClassVar[str] = "未生效"
    record: Record
    reason: str
    differences: Mapping[str, Any]


Started = Draft | Submitted | Checking | Unresolved | Effective | NotEffective
Education = NotStarted | Started


@dataclass(frozen=True)
class EducationContext:
    """What a decision may know besides the past."""

    now: datetime
    actor: str
    rules: laws.Rules
    cycle: Cycle | Unknown = Unknown()  # noqa: RUF009 - frozen and empty
    holder: str = ""  # in whose name the account is
    new_request: str = ""


def decide(command: EducationCommand, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    match command:
        case StartPriorEducation():
            return _start(command, state, context)
        case SavePriorEducation():
            _editable(_own(state, context))
            return [EducationDraftSaved(form=laws.kept_draft(context.rules.book, command.form))]
        case SubmitPriorEducation():
            return _submit(_own(state, context), context)
        case TakeBackPriorEducation():
            if not isinstance(_own(state, context), Unresolved):
                raise Refused("identity.education_cannot_be_taken_back")
            return [PriorEducationTakenBack()]
        case BeginCheck():
            return _begin(command, state, context)
        case RecordCall():
            return _called(command, state, context)
        case RecordChsiAnswer():
            return _answered(command, state, context)
        case _:
            assert_never(command)


# --- the candidate


def _start(command: StartPriorEducation, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    book = context.rules.book
    if not isinstance(state, NotStarted):
        raise Refused("identity.education_already_started")
    laws.window_must_be_open(book, _known(context), context.now)
    laws.commitment_must_be_made(book.commitment, command.commitment)
    return [
        PriorEducationStarted(
            candidate=context.actor,
            cycle=command.cycle,
            scheme=_known(context).scheme,
            commitment=book.commitment.version,
            agreed_at=context.now,
            clause=context.rules.clause("commitment", book.commitment.source),
        )
    ]


def _submit(state: Started, context: EducationContext) -> Sequence[EducationEvent]:
    """HB-38: what was handed in in time may be corrected later, where the book says so."""
    record, book = _editable(state), context.rules.book
    if not (record.submissions and book.repair_after_deadline.value):
        laws.window_must_be_open(book, _known(context), context.now)
    return [
        PriorEducationSubmitted(
            submission=record.submissions + 1,
            form=laws.checked_form(book, record.form, context.holder, context.now),
            check_at=context.now,
            clause=context.rules.clause("window", book.window.source),
        )
    ]


def _own(state: Education, context: EducationContext) -> Started:
    """Somebody else's record looks like none."""
    if isinstance(state, NotStarted) or state.record.candidate != context.actor:
        raise Refused("access.not_found")
    return state


def _editable(state: Started) -> Record:
    """HB-07: what was handed in is not edited until it comes back."""
    match state:
        case Draft() | NotEffective():
            return state.record
        case Effective():
            raise Refused("identity.education_in_effect")
        case Submitted() | Checking() | Unresolved():
            raise Refused("identity.education_submitted")
        case _:
            assert_never(state)


def _known(context: EducationContext) -> Cycle:
    if isinstance(context.cycle, Unknown):
        raise Refused("identity.no_such_cycle")
    return context.cycle


# --- asking CHSI


def _begin(command: BeginCheck, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    """Only one replica is granted an attempt: after it the state is another one."""
    if not isinstance(state, Submitted) or state.due_at != command.due_at or context.now < state.due_at:
        return []
    if state.record.erased:
        return [EducationCheckUnresolved(reason=ERASED)]
    return [
        EducationCheckAttempted(
            attempt=state.record.attempts + 1,
            request=context.new_request,
            tried_at=context.now,
            ask_at=context.now + laws.wait_of(context.rules.book.check.ask_again_after, 0),
        )
    ]


def _called(command: RecordCall, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    """Of an attempt that is over, a result says nothing any more."""
    if not isinstance(state, Checking) or state.request != command.request:
        return []
    if state.record.erased:
        return [EducationCheckUnresolved(reason=ERASED)]
    match command.result:
        case Accepted():
            return [_still_waiting(state, context)]
        case _ if state.taken:  # it had the query; what is wrong now is the asking
            return [_still_waiting(state, context)]
        case Declined(code=code, hopeless=hopeless):
            return _failed(code, hopeless, state, context)
        case Absent():
            absent = state.absent + 1
            if absent >= context.rules.book.check.absences_needed:
                return _failed("not_received", False, state, context)
            return [_doubted("absent", absent, state.asked + 1, state, context)]
        case InDoubt(reason=reason):
            asked = state.asked + (1 if command.asked else 0)
            if asked > len(context.rules.book.check.ask_again_after):
                return [EducationCheckUnresolved(reason=NO_ANSWER)]
            return [_doubted(reason, state.absent, asked, state, context)]
        case _:
            assert_never(command.result)


def _still_waiting(state: Checking, context: EducationContext) -> EducationEvent:
    rule, request = context.rules.book.check, state.request
    if not state.taken:
        return EducationCheckAccepted(request=request, ask_at=context.now + rule.look_wait(0))
    if context.now >= state.tried_at + timedelta(days=rule.give_up_after_days):
        return EducationCheckUnresolved(reason=NO_ANSWER)
    looked = state.looked + 1
    return EducationAnswerAwaited(request=request, looked=looked, ask_at=context.now + rule.look_wait(looked))


def _failed(code: str, hopeless: bool, state: Checking, context: EducationContext) -> Sequence[EducationEvent]:
    waits = context.rules.book.check.try_again_after
    over = hopeless or state.failures >= len(waits)
    next_try_at = None if over else context.now + laws.wait_of(waits, state.failures)
    failed = EducationCheckFailed(request=state.request, code=code, next_try_at=next_try_at)
    return [failed, EducationCheckUnresolved(reason=NO_ANSWER)] if over else [failed]


def _doubted(reason: str, absent: int, asked: int, state: Checking, context: EducationContext) -> EducationEvent:
    wait = laws.wait_of(context.rules.book.check.ask_again_after, asked)
    return EducationCheckDoubted(
        request=state.request, reason=reason, asked=asked, absent=absent, ask_at=context.now + wait
    )


# --- what CHSI says


def _answered(command: RecordChsiAnswer, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    """It decides only about what is handed in now; said again it is nothing new."""
    if isinstance(state, NotStarted) or command.request not in state.record.requests:
        raise Refused("identity.no_such_check")
    record, answer, request = state.record, command.answer, command.request
    if record.erased:
        return [EducationCheckUnresolved(reason=ERASED)] if isinstance(state, Submitted | Checking) else []
    if answer in record.answers.get(request, ()):
        return []
    if record.requests[request] != record.submissions or isinstance(state, Draft):
        return [EducationAnswered(request=request, standing="late", answer=answer)]
    if isinstance(state, Effective | NotEffective):
        return [EducationAnswered(request=request, standing="contradicts", answer=answer)]
    decides = EducationAnswered(request=request, standing="decides", answer=answer)
    return [decides, _judged(record, answer, context)]


def _judged(record: Record, answer: Mapping[str, Any], context: EducationContext) -> EducationEvent:
    book = context.rules.book
    match answer["result"]:
        case "found":
            differences = laws.difference(book, record.form, answer["on_record"])
            if not differences:
                return _confirmed(record, context)
            reason = laws.NAME_DIFFERS if set(differences) == {"holder"} else laws.DETAILS_DIFFER
        case "not_found":
            reason, differences = laws.NOT_FOUND, {}
        case _:
            reason, differences = laws.INVALID, {}
    clause = context.rules.clause(f"reasons[{reason}]", book.reason(reason).source)
    return PriorEducationNotConfirmed(reason=reason, differences=differences, clause=clause)


def _confirmed(record: Record, context: EducationContext) -> EducationEvent:
    return PriorEducationConfirmed(
        candidate=record.candidate,
        cycle=record.cycle,
        scheme=record.scheme,
        level=record.form["level"],
        category=record.form["category"],
        certificate_number=record.form["certificate_number"],
        school=record.form["school"],
        major=record.form["major"],
        graduated_on=record.form["graduated_on"],
        clause=context.rules.clause("states[effective]", context.rules.book.state(laws.EFFECTIVE).source),
    )


# --- the past


def evolve(state: Education, event: EducationEvent) -> Education:  # noqa: C901 - a table
    """The past is never refused, and asks neither the clock nor the book."""
    if isinstance(event, PriorEducationStarted):
        return Draft(Record(event.candidate, event.cycle, event.scheme))
    assert not isinstance(state, NotStarted)
    record = state.record
    match event:
        case EducationDraftSaved():
            return Draft(replace(record, form=event.form))
        case PriorEducationSubmitted():
            return Submitted(replace(record, form=event.form, submissions=event.submission), event.check_at)
        case EducationCheckAttempted():
            assert isinstance(state, Submitted)
            requests = {**record.requests, event.request: record.submissions}
            asked = replace(record, requests=requests, attempts=event.attempt)
            return Checking(asked, event.request, event.tried_at, state.failures)
        case EducationCheckAccepted():
            assert isinstance(state, Checking)
            return replace(state, taken=True)
        case EducationCheckDoubted():
            assert isinstance(state, Checking)
            return replace(state, asked=event.asked, absent=event.absent)
        case EducationAnswerAwaited():
            assert isinstance(state, Checking)
            return replace(state, looked=event.looked)
        case EducationCheckFailed():
            assert isinstance(state, Checking)
            return state if event.next_try_at is None else Submitted(record, event.next_try_at, state.failures + 1)
        case EducationCheckUnresolved():
            return Unresolved(record, event.reason)
        case EducationAnswered():
            said = (*record.answers.get(event.request, ()), event.answer)
            return replace(state, record=replace(record, answers={**record.answers, event.request: said}))
        case PriorEducationConfirmed():
            return Effective(record)
        case PriorEducationNotConfirmed():
            return NotEffective(record, event.reason, event.differences)
        case PriorEducationTakenBack():
            return Draft(record)
        case _:
            assert_never(event)


EDUCATION: Decider[EducationCommand, Education, EducationEvent, EducationContext] = Decider(
    "education", NotStarted(), decide, evolve
)
