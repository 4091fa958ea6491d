"""学信网反馈 what CHSI's answers mean for a record of prior education, and who settles it where they contradict. Pure.

The first answer decides; one that says something else changes nothing until a clerk says which of them counts.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from services.identity.domain import education_rules as laws
from services.identity.domain.commands import RecordChsiAnswer, SettleContradiction
from services.identity.domain.education_record import (
    ERASED,
    Checking,
    Draft,
    Education,
    EducationContext,
    Effective,
    NotEffective,
    NotStarted,
    Record,
    Submitted,
)
from services.identity.domain.rules import office_must_be_held
from shared.events.identity import (
    EducationAnswered,
    EducationCheckUnresolved,
    EducationContradictionSettled,
    EducationEvent,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
)
from shared.kernel.errors import Refused


def answered(command: RecordChsiAnswer, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
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
            of_the_name = set(differences) == {"holder"} or laws.is_of_somebody_else(differences)
            reason = laws.NAME_DIFFERS if of_the_name else laws.DETAILS_DIFFER
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


# --- where it contradicts itself


def must_be_in_dispute(state: Education, context: EducationContext) -> tuple[Effective | NotEffective, str]:
    """Only who settles at that office is told whether there is something to settle; nobody settles their own."""
    office = context.rules.book.contradictions
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    office_must_be_held(office.role, office.organisation, context.roles)
    if state.record.candidate == context.actor:
        raise Refused("access.not_allowed")
    if state.record.erased or state.record.disputed is None or not isinstance(state, Effective | NotEffective):
        raise Refused("identity.nothing_to_settle")
    return state, state.record.disputed


def settle(command: SettleContradiction, state: Education, context: EducationContext) -> Sequence[EducationEvent]:
    """The answer that counts judges the record as if it had been the first; where it does so already, it stays."""
    found, request = must_be_in_dispute(state, context)
    said = found.record.answers[request]
    if (command.request, command.seen) != (request, len(said)):
        raise Refused("identity.answered_again", count=len(said))
    if not 1 <= command.counts <= len(said):
        raise Refused("identity.no_such_answer", count=len(said))
    office = context.rules.book.contradictions
    settled = EducationContradictionSettled(
        request=request,
        counts=command.counts,
        note=command.note,
        role=office.role,
        organisation=office.organisation,
        clause=context.rules.clause("contradictions", office.source),
    )
    judged = _judged(found.record, said[command.counts - 1], context)
    return [settled] if _stands(found, judged) else [settled, judged]


def _stands(state: Effective | NotEffective, judged: EducationEvent) -> bool:
    if isinstance(state, Effective):
        return isinstance(judged, PriorEducationConfirmed)
    return isinstance(judged, PriorEducationNotConfirmed) and (judged.reason, judged.differences) == (
        state.reason,
        state.differences,
    )
