"""What becomes of an application besides its review: superseded, lapsed, expired, revoked; printed and handed off.

Pure; part of APPLICATION. What follows from something else (a later submission, the end of a window) is no decision of
anybody: where it no longer fits the state, nothing happens.
"""

from collections.abc import Sequence

from services.exemption.domain import access, fees, rules
from services.exemption.domain.access import Context
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Granted,
    HandedOff,
    InReview,
    Returned,
    Revoked,
)
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ExpireExemption,
    HandOffRecord,
    LapseApplication,
    PrintRecordTable,
    RevokeExemption,
    SupersedeApplication,
)
from shared.events.exemption import (
    ApplicationEvent,
    ApplicationHandedOff,
    ApplicationLapsed,
    ApplicationSuperseded,
    ExemptionExpired,
    ExemptionRevoked,
    HandOffAcknowledged,
    RecordTablePrinted,
    TicketReleased,
)
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.procedure import EXPIRED, HANDED_OFF, LAPSED, REVOKED, SUPERSEDED


def supersede(command: SupersedeApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """SD-19: whatever became of it, also while it is reviewed; but not once others have it."""
    if isinstance(state, HandedOff):
        raise Refused("exemption.already_handed_off")
    if not isinstance(state, AwaitingPayment | InReview | Returned | Granted):
        return []
    unique = context.rules.book.uniqueness
    clause = context.rules.clause("uniqueness", source=unique.source if unique else "")
    superseded = ApplicationSuperseded(by=command.by, title=context.rules.book.state(SUPERSEDED).title, clause=clause)
    due = fees.withdrawn("superseded", state, context)
    return [superseded, *due, *fees.given_back("superseded", state, context)]


def lapse(command: LapseApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """Not handed in again, not confirmed on site or not paid before the window was over."""
    payment = context.rules.book.payment
    if isinstance(state, AwaitingPayment) and payment and payment.window == command.purpose:
        over = is_over(command.purpose, context)
        return fees.lapsed(command.purpose, command.due_at, state, context) if over else []
    source = _lapses_with(command.purpose, state, context)
    if source is None or not isinstance(state, Returned | InReview) or not is_over(command.purpose, context):
        return []
    title = context.rules.book.state(LAPSED).title
    clause = context.rules.clause(f"windows[{command.purpose}]", source=source)
    lapsed = ApplicationLapsed(purpose=command.purpose, ended_at=command.due_at, title=title, clause=clause)
    return [lapsed, *fees.given_back("lapsed", state, context)]


def cannot_be_put_right(context: Context) -> bool:
    """Whether what is sent back now lapses at once: the window to hand it in again is over."""
    again = context.rules.book.once_resubmitted
    return again.lapses and is_over(again.window, context)


def lapsed_as_it_was_sent_back(case: Case, context: Context) -> Sequence[ApplicationEvent]:
    """The timer of that window has gone off before. A cycle that was closed by hand ended it before its last day."""
    again = context.rules.book.once_resubmitted
    over = context.cycle.windows[again.window].over_at()
    assert over is not None  # a window that never opens is refused
    lapsed = ApplicationLapsed(
        purpose=again.window,
        ended_at=min(over, context.now),
        title=context.rules.book.state(LAPSED).title,
        clause=context.rules.clause(f"windows[{again.window}]", source=again.source),
    )
    return [lapsed, *fees.given_back("lapsed", case, context)]


def _lapses_with(purpose: str, state: Application, context: Context) -> str | None:
    """By which source it lapses at the end of this window, besides what was not paid; None: it does not."""
    book = context.rules.book
    again = book.once_resubmitted
    if isinstance(state, Returned) and again.lapses and again.window == purpose:
        return again.source
    if isinstance(state, InReview):
        onsite = book.stage(state.desk.stage).onsite
        return onsite.source if onsite and onsite.window == purpose else None
    return None


def expire(command: ExpireExemption, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """SD-41 过期不予保留."""
    validity = context.rules.book.validity
    if validity is None or validity.window != command.purpose or not isinstance(state, Granted):
        return []
    return expired_by_now(context)


def expired_by_now(context: Context) -> Sequence[ApplicationEvent]:
    """SD-41: what becomes of an approved exemption whose validity is over, also of one that is approved only now."""
    validity = context.rules.book.validity
    if validity is None or not is_over(validity.window, context):
        return []
    over = context.cycle.windows[validity.window].over_at()
    assert over is not None  # or it would not be over
    return [
        ExemptionExpired(
            purpose=validity.window,
            ended_at=over,
            title=context.rules.book.state(EXPIRED).title,
            clause=context.rules.clause("validity", source=validity.source),
        )
    ]


def is_over(purpose: str, context: Context) -> bool:
    return context.cycle.phase(purpose, context.now) == "closed"


def revoked_with_its_ticket(released: TicketReleased, context: Context) -> ExemptionRevoked:
    """SD-46: nothing stays approved under a ticket number that is another one's; for the reason of the release."""
    return ExemptionRevoked(
        revoked_by=released.released_by,
        role=released.role,
        organisation=released.organisation,
        reason_code=released.reason_code,
        reason=released.reason,
        note=released.note,
        title=context.rules.book.state(REVOKED).title,
        clause=released.clause,
    )


def revoke(command: RevokeExemption, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """SD-42 再次审定: found later not to fit."""
    case, revocation, organisation = access.may_revoke(state, context)
    rules.person_must_not_be_erased(case.form)
    reason = rules.refusing_reason_must_be_given(revocation.reasons, command.reason_code)
    return [
        ExemptionRevoked(
            revoked_by=context.actor,
            role=revocation.role,
            organisation=organisation,
            reason_code=reason.code,
            reason=reason.text,
            note=parse_text(command.note, "note", most=500, least=1),
            title=context.rules.book.state(REVOKED).title,
            clause=context.rules.clause("revocation", f"reasons[{reason.code}]", source=reason.source),
        )
    ]


def print_table(command: PrintRecordTable, state: Application, context: Context) -> Sequence[ApplicationEvent]:
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


def hand_off(command: HandOffRecord, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    case, said = access.may_hand_off(state, context)
    rules.person_must_not_be_erased(case.form)
    return [
        ApplicationHandedOff(
            batch=command.batch,
            title=context.rules.book.state(HANDED_OFF).title,
            receiver_role=said.receiver_role,
            receiver=command.receiver,
            clause=context.rules.clause("hand_off", source=said.source),
        )
    ]


def acknowledge(command: AcknowledgeRecord, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    if isinstance(state, Revoked):
        return []  # since it was handed off; the others of its batch are acknowledged all the same
    case = access.may_acknowledge(state, context)
    said = context.rules.book.hand_off
    if said is None or command.batch != case.batch:
        raise Refused("access.not_found")
    clause = context.rules.clause("hand_off", source=said.source)
    return [HandOffAcknowledged(batch=command.batch, reference=command.reference, clause=clause)]
