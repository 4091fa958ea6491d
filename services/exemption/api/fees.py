"""缴费 as pages are given it: what an application costs, what is due, what came in. Pure shaping; for `answers.py`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from services.exemption.domain.access import Context
from services.exemption.domain.case import AwaitingPayment, Case
from shared.schemes.procedure import Phase


class OrderShown(BaseModel):
    """Money that came: what of it is here still, and whether it counts for the fee or goes back."""

    order: str
    fen: int
    goes_back: bool


class FeeShown(BaseModel):
    """缴费: what this application costs, what of it was paid, what is due and until when.

    `due_fen` is 0 where nothing is waited for. `phase` is that of the window to pay in; paying is not done here.
    """

    title: str
    each: Literal["course", "application"]
    each_fen: int
    count: int
    whole_fen: int
    paid_fen: int
    due_fen: int
    before: str
    refunds: str
    phase: Phase
    opens_at: datetime | None
    until: datetime | None
    orders: Sequence[OrderShown]


def fee_shown(case: Case, context: Context) -> FeeShown | None:
    """F-04: how much, until when, and what becomes of it, before anybody pays; and afterwards where it went."""
    said = context.rules.book.payment
    if said is None or not case.submissions:
        return None
    window, phase = context.cycle.windows[said.window], context.cycle.phase(said.window, context.now)
    courses = len(case.course_codes)
    return FeeShown(
        title=said.title,
        each=said.each,
        each_fen=said.fen,
        count=said.count(courses),
        whole_fen=said.fee(courses),
        paid_fen=case.paid,
        due_fen=case.due.fen if isinstance(case, AwaitingPayment) and case.due else 0,
        before=said.before,
        refunds=said.refunds.text,
        phase=phase,
        opens_at=None if phase == "closed" else window.next_opening(context.now),
        until=window.over_at(),
        orders=[OrderShown(order=name, fen=each.fen, goes_back=not each.counts) for name, each in case.orders.items()],
    )
