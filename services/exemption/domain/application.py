"""免考申请 the decider of one candidate's application, from the first draft to the authority's acknowledgement. Pure.

`handlers.py` loads its events, calls `decide`, and appends what comes back. Each command passes its guard in
`access.py`, then the laws in `rules.py`; what it leads to is written down with the clause of the book.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from services.exemption.domain import access, rules
from services.exemption.domain.access import Context
from services.exemption.domain.case import Application, NotStarted, Returned, evolve
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    DiscardDraft,
    HandOffRecord,
    PassStage,
    PrintRecordTable,
    ReturnApplication,
    SaveDraft,
    StartApplication,
    SubmitApplication,
)
from services.exemption.domain.followed import at_level
from services.exemption.domain.form import (
    Surroundings,
    checked_form,
    kept_draft,
    photographs_must_be_own,
    value_of,
)
from shared.events.exemption import (
    ApplicationEvent,
    ApplicationHandedOff,
    ApplicationReturned,
    ApplicationStarted,
    ApplicationSubmitted,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionGranted,
    HandOffAcknowledged,
    RecordTablePrinted,
    StageOpened,
    StagePassed,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import DISCARDED, DRAFT, HANDED_OFF, RETURNED, SUBMITTED, Stage


def decide(command: ApplicationCommand, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    match command:
        case StartApplication():
            return _start(state, context)
        case SaveDraft():
            return _save(command, state, context)
        case DiscardDraft():
            access.may_discard(state, context)
            discarded = context.rules.book.state(DISCARDED)
            clause = context.rules.clause(f"states[{DISCARDED}]", source=discarded.source)
            return [DraftDiscarded(title=discarded.title, clause=clause)]
        case SubmitApplication():
            return _submit(state, context)
        case PassStage():
            return _pass_stage(command, state, context)
        case ReturnApplication():
            return _return(command, state, context)
        case PrintRecordTable():
            return _print(command, state, context)
        case HandOffRecord():
            return _hand_off(command, state, context)
        case AcknowledgeRecord():
            return _acknowledge(command, state, context)
        case _:
            assert_never(command)


# --- decisions -----------------------------------------------------------------------------------------------------


def _start(state: Application, context: Context) -> Sequence[ApplicationEvent]:
    if not isinstance(state, NotStarted):
        raise Refused("exemption.already_started")
    deadline = context.rules.book.submit
    access.must_be_in_time(deadline, context)
    return [
        ApplicationStarted(
            scheme=context.rules.ref,
            cycle=context.cycle_id,
            candidate=context.actor,
            title=context.rules.book.state(DRAFT).title,
            clause=context.rules.clause("submit", source=deadline.source),
        )
    ]


def _save(command: SaveDraft, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    access.may_save(state, context)
    form = kept_draft(context.rules.book, command.form, command.photos)
    photographs_must_be_own(command.photos, _surroundings(context))
    return [DraftSaved(form=form, photos=command.photos)]


def _submit(state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case = access.may_submit(state, context)
    book = context.rules.book
    form = checked_form(book, case.form, case.photos, _surroundings(context))
    certificate = book.certificate(value_of(book, "certificate", form) or "")
    _certificate_must_do(form, context)
    rules.certificate_must_be_used_once(context.own_other)
    organisations = _reviewing_organisations(value_of(book, "organisation", form) or "", context)
    submitted = ApplicationSubmitted(
        scheme=context.rules.ref,
        cycle=case.cycle,
        submission=case.submissions + 1,
        title=book.state(SUBMITTED).title,
        form=form,
        photos=dict(case.photos),
        certificate=certificate.id,
        certificate_number=value_of(book, "certificate_number", form) or "",
        course_codes=certificate.courses,
        organisations=organisations,
        clause=context.rules.clause(f"certificates[{certificate.id}]", source=certificate.source),
    )
    stage = book.stage(case.resume_at) if isinstance(case, Returned) else book.stages[0]
    return [submitted, *_warnings(context), _opened(stage, organisations, context)]


def _certificate_must_do(form: Mapping[str, str], context: Context) -> None:
    book = context.rules.book
    certificate = book.certificate(value_of(book, "certificate", form) or "")
    if level := value_of(book, "certificate_level", form):
        rules.level_must_reach_the_lowest(level, certificate, [each.id for each in book.levels])
    if valid_until := value_of(book, "valid_until", form):
        rules.certificate_must_be_valid(valid_until, context.now)


def _warnings(context: Context) -> Sequence[ApplicationEvent]:
    if not context.seen_elsewhere:
        return []
    source = context.rules.book.certificate_seen_elsewhere.source
    clause = context.rules.clause("certificate_seen_elsewhere", source=source)
    return [CertificateSeenElsewhere(applications=context.seen_elsewhere, clause=clause)]


def _pass_stage(command: PassStage, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, stage = access.may_review(state, context)
    _must_be_the_open_stage(command.stage, stage)
    rules.person_must_not_be_erased(case.form)
    book = context.rules.book
    rules.checklist_must_be_complete(stage, command.checklist)
    if "certificate_valid" in stage.rechecks and (valid_until := value_of(book, "valid_until", case.form)):
        rules.certificate_must_be_valid(valid_until, context.now)
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
        return [passed, ExemptionGranted(course_codes=case.course_codes, title=title, clause=clause)]
    return [passed, _opened(following, case.organisations, context)]


def _return(command: ReturnApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, stage = access.may_review(state, context)
    _must_be_the_open_stage(command.stage, stage)
    rules.person_must_not_be_erased(case.form)
    book = context.rules.book
    reason = rules.reason_must_be_given(stage, command.reason_code)
    document = command.document or reason.document
    if document not in {each.name for each in book.fields} | {each.slot for each in book.photos}:
        raise Refused("exemption.no_such_document", document=document[:40])
    return [
        ApplicationReturned(
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
    ]


def _print(command: PrintRecordTable, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    table, organisation = access.may_print(state, context)
    return [
        RecordTablePrinted(
            printed_by=context.actor,
            role=table.role,
            organisation=organisation,
            digest=command.digest,
            clause=context.rules.clause("record_table", source=table.source),
        )
    ]


def _hand_off(command: HandOffRecord, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, hand_off = access.may_hand_off(state, context)
    rules.person_must_not_be_erased(case.form)
    return [
        ApplicationHandedOff(
            batch=command.batch,
            title=context.rules.book.state(HANDED_OFF).title,
            receiver_role=hand_off.receiver_role,
            receiver=command.receiver,
            clause=context.rules.clause("hand_off", source=hand_off.source),
        )
    ]


def _acknowledge(command: AcknowledgeRecord, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case = access.may_acknowledge(state, context)
    hand_off = context.rules.book.hand_off
    if hand_off is None or command.batch != case.batch:
        raise Refused("access.not_found")
    clause = context.rules.clause("hand_off", source=hand_off.source)
    return [HandOffAcknowledged(batch=command.batch, reference=command.reference, clause=clause)]


# --- what decisions share ------------------------------------------------------------------------------------------


def _must_be_the_open_stage(asked: str, stage: Stage) -> None:
    if asked != stage.name:
        raise Refused("exemption.stage_not_open", stage=asked[:40])


def _surroundings(context: Context) -> Surroundings:
    return Surroundings(
        context.now,
        context.actor,
        context.application,
        context.organisations,
        context.account,
        context.photographs,
    )


def _reviewing_organisations(chosen: str, context: Context) -> dict[str, str]:
    """Scope of every stage and of the papers after it -> the candidate's organisation there."""
    book = context.rules.book
    rules.organisation_must_belong_to_the_cycle(chosen, context.cycle.organisation, context.organisations)
    found: dict[str, str] = {}
    for scope in book.scopes():
        organisation = at_level(chosen, scope, context.organisations)
        if organisation is None:
            raise Refused("exemption.no_organisation_to_review", level=scope)
        found[scope] = organisation
    return found


def _opened(stage: Stage, organisations: Mapping[str, str], context: Context) -> StageOpened:
    return StageOpened(
        stage=stage.name,
        role=stage.role,
        organisation=organisations[stage.scope],
        due_at=stage.due(context.now),
        clause=context.rules.clause(f"stages[{stage.name}]", source=stage.source),
    )


APPLICATION: Decider[ApplicationCommand, Application, ApplicationEvent, Context] = Decider(
    "application", NotStarted(), decide, evolve
)
