"""免考申请 the decider of one candidate's application, from the first draft to the authority's acknowledgement. Pure.

`handlers.py` loads its events, calls `decide`, and appends what comes back. Each command passes its guard in
`access.py`, then the laws: for handing in those of `hand_in.py`, for reviews those of `reviewing.py`. What it leads to
is written down with the clause of the book.
"""

from collections.abc import Mapping, Sequence
from typing import assert_never

from services.exemption.domain import access, afterwards, fees, reviewing, reviving, rules
from services.exemption.domain.access import Context
from services.exemption.domain.case import Application, NotStarted, evolve
from services.exemption.domain.claims import claim_of, kept_claims
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    DiscardDraft,
    ExpireExemption,
    HandOffRecord,
    LapseApplication,
    NoteRefund,
    PassStage,
    PrintRecordTable,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    ReviveApplication,
    RevokeExemption,
    SaveDraft,
    SettleFee,
    StartApplication,
    SubmitApplication,
    SupersedeApplication,
    UnlockReapplication,
)
from services.exemption.domain.form import kept_form, photographs_must_be_own, slots_must_be_known, value_of
from services.exemption.domain.hand_in import first_stage, judged, surroundings
from shared.events.exemption import (
    ApplicationEvent,
    ApplicationStarted,
    ApplicationSubmitted,
    DraftDiscarded,
    DraftSaved,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import DISCARDED, DRAFT, SUBMITTED

_MOST_MAJORS_IN_A_DRAFT, _LONGEST_MAJOR = 20, 40


def decide(command: ApplicationCommand, state: Application, context: Context) -> Sequence[ApplicationEvent]:  # noqa: C901 - one case for each command
    match command:
        case StartApplication():
            return _start(state, context)
        case SaveDraft():
            return _save(command, state, context)
        case DiscardDraft():
            return _discard(state, context)
        case SubmitApplication():
            return _submit(state, context)
        case PassStage():
            return reviewing.pass_stage(command, state, context)
        case ReturnApplication():
            return reviewing.send_back(command, state, context)
        case RefuseApplication():
            return reviewing.refuse(command, state, context)
        case UnlockReapplication():
            return reviewing.unlock(command, state, context)
        case ReleaseTicket():
            return reviewing.release_ticket(command, state, context)
        case RevokeExemption():
            return afterwards.revoke(command, state, context)
        case SupersedeApplication():
            return afterwards.supersede(command, state, context)
        case LapseApplication():
            return afterwards.lapse(command, state, context)
        case ExpireExemption():
            return afterwards.expire(command, state, context)
        case ReviveApplication():
            return reviving.revive(command, state, context)
        case SettleFee():
            return fees.settle(command, state, context)
        case NoteRefund():
            return fees.note_refund(command, state, context)
        case PrintRecordTable():
            return afterwards.print_table(command, state, context)
        case HandOffRecord():
            return afterwards.hand_off(command, state, context)
        case AcknowledgeRecord():
            return afterwards.acknowledge(command, state, context)
        case _:
            assert_never(command)


def _start(state: Application, context: Context) -> Sequence[ApplicationEvent]:
    if not isinstance(state, NotStarted):
        raise Refused("exemption.already_started")
    deadline = context.rules.book.submit
    access.must_be_in_time(deadline.window, context)
    rules.drafts_must_be_few(context.drafts, context.rules.book.most_drafts)
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
    book, around = context.rules.book, surroundings(context)
    form = kept_form(book.fields, command.form)
    slots_must_be_known(book.photos, command.photos)
    photographs_must_be_own(command.photos, around)
    claims = kept_claims(book, [claim_of(each) for each in command.claims])
    for claim in claims:
        photographs_must_be_own(claim.photos, around, f"{claim.basis}.")
    if len(command.majors) > (_MOST_MAJORS_IN_A_DRAFT if book.majors else 0):
        raise Refused("exemption.no_such_major", majors=list(command.majors[:10]))
    majors = tuple(parse_text(each, "majors", _LONGEST_MAJOR) for each in command.majors)  # chosen, and not sealed
    kept = tuple(claim.as_said() for claim in claims)
    return [DraftSaved(form=form, photos=command.photos, claims=kept, majors=majors)]


def _discard(state: Application, context: Context) -> Sequence[ApplicationEvent]:
    access.may_discard(state, context)
    discarded = context.rules.book.state(DISCARDED)
    clause = context.rules.clause(f"states[{DISCARDED}]", source=discarded.source)
    return [DraftDiscarded(title=discarded.title, clause=clause)]


def _submit(state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case = access.may_submit(state, context)
    book = context.rules.book
    found = judged(case, context)
    found.findings.must_pass()
    stage, courses = first_stage(case, context), found.course_codes(context.rules)
    submitted = ApplicationSubmitted(
        scheme=context.rules.ref,
        cycle=case.cycle,
        submission=case.submissions + 1,
        number=case.number or context.number,
        title=book.state(SUBMITTED).title,
        form=dict(found.form),
        mobile=value_of(book, "mobile", found.form) or "",
        photos=dict(case.photos),
        claims=tuple(claim.as_said() for claim in found.claims),
        majors=case.majors,
        bases=tuple(dict.fromkeys(each.basis for each in found.evidence)),
        papers=tuple(each.as_said() for each in found.evidence if each.number),
        course_codes=courses,
        organisations=dict(found.organisations),
        offices=_offices(found.organisations, context),
        head=context.head,
        warnings=found.findings.warnings(),
        clause=found.evidence[0].clause,
    )
    return [submitted, *fees.onward(stage, case, courses, found.organisations, context)]


def _offices(organisations: Mapping[str, str], context: Context) -> tuple[tuple[str, str], ...]:
    """Who may unlock, release the ticket number or revoke, and so must be able to read it."""
    book = context.rules.book
    offices = (*(book.uniqueness.offices() if book.uniqueness else ()), book.revocation)
    return tuple(dict.fromkeys((each.role, organisations[each.scope]) for each in offices if each))


APPLICATION: Decider[ApplicationCommand, Application, ApplicationEvent, Context] = Decider(
    "application", NotStarted(), decide, evolve
)
