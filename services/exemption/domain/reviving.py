"""恢复 what lapsed or expired with a window that was then extended: as it was before. Pure; part of APPLICATION.

No decision of anybody: where it does not fit the state, nothing happens. Where another application has come to count,
that is written down with the code by which handing in would be refused.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from services.exemption.domain import fees
from services.exemption.domain.access import Context, nothing_must_have_taken_its_place, place_must_be_free
from services.exemption.domain.afterwards import is_over
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Expired,
    Granted,
    InReview,
    Lapsed,
    Returned,
    stage_of,
)
from services.exemption.domain.commands import ReviveApplication
from services.exemption.domain.refusals import said as said_in_words
from shared.events.exemption import ApplicationEvent, ApplicationRevived, RevivalRefused
from shared.kernel.errors import Refused

Before = Returned | AwaitingPayment | InReview | Granted


def revive(command: ReviveApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """SX-E-38: whoever was sent back has the days that were added, too; a stage waits again, or a fee is due again."""
    if not isinstance(state, Lapsed | Expired) or state.before is None:
        return []
    before = replace(state.before, orders=state.orders)
    needed = _windows_needed(state.purpose, before, context)
    if command.purpose not in needed or any(is_over(each, context) for each in needed):
        return []
    said = context.rules.book.purpose(command.purpose)
    clause = context.rules.clause(f"windows[{command.purpose}]", source=said.source if said else "")
    if (refused := _why_not(before, context)) is not None:
        if refused.code == state.withheld:
            return []
        why = {"code": refused.code, "reason": said_in_words(refused)[0]}
        return [RevivalRefused(purpose=command.purpose, becomes=_called(before), clause=clause, **why)]
    revived = ApplicationRevived(purpose=command.purpose, becomes=_called(before), title=before.title, clause=clause)
    if not isinstance(before, AwaitingPayment | InReview):
        return [revived]
    onward = fees.onward(stage_of(before), before, before.course_codes, before.organisations, context)
    return [revived, *onward]


def _windows_needed(purpose: str, before: Before, context: Context) -> set[str]:
    """The one that it ended with; and where money is owed that went back when it lapsed, the one to pay in."""
    payment = context.rules.book.payment
    if payment is None or not isinstance(before, AwaitingPayment | InReview):
        return {purpose}
    owed = context.rules.book.owed_before(stage_of(before), len(before.course_codes), before.paid)
    return {purpose, payment.window} if owed else {purpose}


def _called(before: Before) -> Literal["returned", "unpaid", "in_review", "granted"]:
    match before:
        case Returned():
            return "returned"
        case AwaitingPayment():
            return "unpaid"
        case InReview():
            return "in_review"
        case Granted():
            return "granted"


def _why_not(before: Before, context: Context) -> Refused | None:
    """What was sent back is only asked for its place: handed in again, it is judged as a whole."""
    law = place_must_be_free if isinstance(before, Returned) else nothing_must_have_taken_its_place
    try:
        law(before, context)
    except Refused as refused:
        return refused
    return None
