"""前置学历 one record of prior education: typed, handed in, checked by CHSI (学信网), in effect or to be corrected.

Draft -> Submitted -> Checking -> Effective | NotEffective -> Draft
                         `-> (no answer for long) taken back -> Draft

`education.py` of the service loads its events, calls `decide`, and appends what comes back. The states stand in
`education_record.py`; what an answer of CHSI means, and who settles it where two contradict, in `chsi_answers.py`.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from services.identity.domain import education_rules as laws
from services.identity.domain.chsi_answers import answered, settle
from services.identity.domain.commands import (
    BeginCheck,
    EducationCommand,
    RecordCall,
    RecordChsiAnswer,
    SavePriorEducation,
    SettleContradiction,
    StartPriorEducation,
    SubmitPriorEducation,
    TakeBackPriorEducation,
)
from services.identity.domain.education_record import (
    ERASED,
    NO_ANSWER,
    Checking,
    Draft,
    Education,
    EducationContext,
    Effective,
    NotEffective,
    NotStarted,
    Record,
    Started,
    Submitted,
    Unresolved,
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
    EducationContradictionSettled,
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
            return answered(command, state, context)
        case SettleContradiction():
            return settle(command, state, context)
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
    late = _is_put_right_late(record, context)
    form = laws.checked_form(book, record.form, context.holder, context.now)
    if late:
        laws.what_was_handed_in_must_stay(book, record.handed_in, form)
    return [
        PriorEducationSubmitted(
            submission=record.submissions + 1,
            form=form,
            check_at=context.now,
            clause=context.rules.clause("window", book.window.source),
        )
    ]


def _is_put_right_late(record: Record, context: EducationContext) -> bool:
    """Handed in again after the deadline, as the book allows."""
    book = context.rules.book
    try:
        laws.window_must_be_open(book, _known(context), context.now)
    except Refused:
        if not (record.submissions and book.repair_after_deadline.value):
            raise
        return True
    return False


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
        case Absent() | InDoubt() if command.question not in (None, state.asked):
            return []
        case Declined(code=code, hopeless=hopeless):
            return _failed(code, hopeless, state, context)
        case Absent():
            absent = state.absent + 1
            if absent >= context.rules.book.check.absences_needed:
                return _failed("not_received", False, state, context)
            return [_doubted("absent", absent, state.asked + 1, state, context)]
        case InDoubt(reason=reason):
            asked = state.asked + (command.question is not None)
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


# --- the past


def evolve(state: Education, event: EducationEvent) -> Education:  # noqa: C901 - a table
    """The past is never refused, and asks neither the clock nor the book."""
    if isinstance(event, PriorEducationStarted):
        return Draft(Record(event.candidate, event.cycle, event.scheme))
    assert not isinstance(state, NotStarted)
    record = state.record
    match event:
        case EducationDraftSaved():
            return Draft(replace(record, form=event.form, disputed=None))
        case PriorEducationSubmitted():
            form, count = event.form, event.submission
            handed_in = replace(record, form=form, handed_in=form, submissions=count, disputed=None)
            return Submitted(handed_in, event.check_at)
        case EducationCheckAttempted():
            assert isinstance(state, Submitted)
            requests = {**record.requests, event.request: record.submissions}
            asked = replace(record, requests=requests, attempts=event.attempt)
            return Checking(asked, event.request, event.tried_at, event.ask_at, state.failures)
        case EducationCheckAccepted():
            assert isinstance(state, Checking)
            return replace(state, ask_at=event.ask_at, taken=True)
        case EducationCheckDoubted():
            assert isinstance(state, Checking)
            return replace(state, ask_at=event.ask_at, asked=event.asked, absent=event.absent)
        case EducationAnswerAwaited():
            assert isinstance(state, Checking)
            return replace(state, ask_at=event.ask_at, looked=event.looked)
        case EducationCheckFailed():
            assert isinstance(state, Checking)
            return state if event.next_try_at is None else Submitted(record, event.next_try_at, state.failures + 1)
        case EducationCheckUnresolved():
            return Unresolved(record, event.reason)
        case EducationAnswered():
            said = {**record.answers, event.request: (*record.answers.get(event.request, ()), event.answer)}
            disputed = event.request if event.standing == "contradicts" else record.disputed
            return replace(state, record=replace(record, answers=said, disputed=disputed))
        case EducationContradictionSettled():
            return replace(state, record=replace(record, disputed=None))
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
