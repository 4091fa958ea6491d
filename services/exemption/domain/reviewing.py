"""审核 decisions of reviewers about an application: pass, send back, refuse, unlock. Pure; part of APPLICATION."""

from collections.abc import Sequence

from services.exemption.domain import access, afterwards, fees, rules
from services.exemption.domain.access import Context
from services.exemption.domain.case import Application, Granted, HandedOff, InReview
from services.exemption.domain.claims import records_for
from services.exemption.domain.commands import (
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    UnlockReapplication,
)
from services.exemption.domain.form import value_in, value_of
from services.exemption.domain.scheme import Rules
from shared.events.exemption import (
    ApplicationEvent,
    ApplicationRefused,
    ApplicationReturned,
    ExemptionGranted,
    ReapplicationUnlocked,
    StagePassed,
    TicketReleased,
)
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import REFUSED, RETURNED, Stage


def pass_stage(command: PassStage, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, stage = access.may_pass(state, context)
    _must_be_the_open_stage(command.stage, stage)
    rules.person_must_not_be_erased(case.form)
    book = context.rules.book
    rules.checklist_must_be_complete(stage, command.checklist)
    rules.ticket_must_be_the_candidates(released=case.ticket_released)
    _must_still_hold(stage, case, context)
    clause = context.rules.clause(f"stages[{stage.name}]", source=stage.source)
    title = book.state(stage.state).title
    passed = StagePassed(
        stage=stage.name,
        title=title,
        reviewer=context.actor,
        role=case.desk.role,
        organisation=case.desk.organisation,
        checklist=tuple(item.id for item in stage.checklist),
        opinion=parse_text(command.opinion, "opinion", most=500),
        clause=clause,
    )
    following = book.after(stage.name)
    if following is None:
        granted = ExemptionGranted(course_codes=case.course_codes, title=title, clause=clause)
        return [passed, granted, *afterwards.expired_by_now(context)]
    return [passed, *fees.onward(following.name, case, case.course_codes, case.organisations, context)]


def _must_still_hold(stage: Stage, case: InReview, context: Context) -> None:
    """What the book wants checked once more when this stage passes."""
    if "certificate_valid" in stage.rechecks and (valid := context.rules.book.certificate_valid):
        for valid_until in _validities(context.rules, case):
            rules.certificate_must_be_valid(valid_until, context.now, valid.text)
    education = context.rules.book.conditions.prior_education
    if "prior_education_effective" in stage.rechecks and education:
        rules.prior_education_must_be_there(context.account, education, "effective")
        _diplomas_must_be_in_effect(case, education.text, context)


def _diplomas_must_be_in_effect(case: InReview, text: str, context: Context) -> None:
    """HB-38: each record that a claim names. Another one in effect is not what was claimed."""
    for claim in case.claims:
        basis = context.rules.book.basis(claim["basis"])
        named = value_in(basis.asked_fields(), "prior_education", claim["form"]) if basis else None
        if basis and named is not None and named not in records_for(basis, context.account):
            raise Refused("exemption.prior_education_not_there", text=text)


def _validities(known: Rules, case: InReview) -> Sequence[str]:
    """Until when each paper is valid, as it was handed in."""
    found = [value_of(known.book, "valid_until", case.form)]
    for claim in case.claims:
        basis = known.book.basis(claim["basis"])
        found.append(value_in(basis.asked_fields(), "valid_until", claim["form"]) if basis else None)
    return [each for each in found if each]


def send_back(command: ReturnApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, stage = access.may_review(state, context)
    _must_be_the_open_stage(command.stage, stage)
    rules.outcome_must_be_of_the_stage(stage, "return")
    rules.person_must_not_be_erased(case.form)
    book = context.rules.book
    reason = rules.reason_must_be_given(stage, command.reason_code)
    document = command.document or reason.document
    if document not in book.documents(case.bases):
        raise Refused("exemption.no_such_document", document=document[:80])
    returned = ApplicationReturned(
        stage=stage.name,
        title=book.state(RETURNED).title,
        reviewer=context.actor,
        role=case.desk.role,
        organisation=case.desk.organisation,
        reason_code=reason.code,
        reason=reason.text,
        document=document,
        note=parse_text(command.note, "note", most=500, least=1),
        reopens=book.reopened_by(stage),
        clause=context.rules.clause(f"stages[{stage.name}]", f"reasons[{reason.code}]", source=reason.source),
    )
    too_late = afterwards.cannot_be_put_right(context)
    return [returned, *(afterwards.lapsed_as_it_was_sent_back(case, context) if too_late else ())]


def refuse(command: RefuseApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, stage = access.may_review(state, context)
    _must_be_the_open_stage(command.stage, stage)
    rules.outcome_must_be_of_the_stage(stage, "refuse")
    rules.person_must_not_be_erased(case.form)
    reason = rules.refusing_reason_must_be_given(stage.refuse_reasons, command.reason_code)
    clause = context.rules.clause(f"stages[{stage.name}]", f"refuse_reasons[{reason.code}]", source=reason.source)
    refused = ApplicationRefused(
        stage=stage.name,
        title=context.rules.book.state(REFUSED).title,
        reviewer=context.actor,
        role=case.desk.role,
        organisation=case.desk.organisation,
        reason_code=reason.code,
        reason=reason.text,
        note=parse_text(command.note, "note", most=500, least=1),
        may_submit_again=stage.may_submit_again,
        clause=clause,
    )
    return [refused, *fees.given_back("refused", case, context)]


def unlock(command: UnlockReapplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, unlocking, organisation = access.may_unlock(state, context)
    rules.person_must_not_be_erased(case.form)
    rules.everything_must_be_seen(unlocking.seen, command.seen)
    reason = rules.refusing_reason_must_be_given(unlocking.reasons, command.reason_code)
    book = context.rules.book
    return [
        ReapplicationUnlocked(
            unlocked_by=context.actor,
            role=unlocking.role,
            organisation=organisation,
            seen=tuple(item.id for item in unlocking.seen),
            reason_code=reason.code,
            reason=reason.text,
            note=parse_text(command.note, "note", most=500, least=1),
            title=book.state(RETURNED).title,
            reopens=tuple(stage.name for stage in book.stages),
            clause=context.rules.clause("uniqueness", "unlocking", source=unlocking.source),
        ),
        *fees.withdrawn("unlocked", case, context),
    ]


def release_ticket(command: ReleaseTicket, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, release, organisation = access.may_release_ticket(state, context)
    rules.person_must_not_be_erased(case.form)
    rules.everything_must_be_seen(release.seen, command.seen)
    reason = rules.refusing_reason_must_be_given(release.reasons, command.reason_code)
    released = TicketReleased(
        released_by=context.actor,
        role=release.role,
        organisation=organisation,
        seen=tuple(item.id for item in release.seen),
        reason_code=reason.code,
        reason=reason.text,
        note=parse_text(command.note, "note", most=500, least=1),
        clause=context.rules.clause("uniqueness", "release", source=release.source),
    )
    approved = isinstance(case, Granted | HandedOff)
    return [released, *([afterwards.revoked_with_its_ticket(released, context)] if approved else [])]


def _must_be_the_open_stage(asked: str, stage: Stage) -> None:
    if asked != stage.name:
        raise Refused("exemption.stage_not_open", stage=asked[:40])
