"""缴费: what is due before a stage opens, what came in, what goes back. Pure; part of APPLICATION.

Payment takes the money and tells of it; whether an amount is the right one, in time and for something that was due is
decided here. Whatever is not goes back whole, and the application stays as it is. No stage opens but through `onward`.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal

from services.exemption.domain.access import Context, nothing_must_have_taken_its_place
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Due,
    InReview,
    Lapsed,
    NotStarted,
    stage_of,
)
from services.exemption.domain.commands import NoteRefund, SettleFee
from services.exemption.domain.terms import Payment
from shared.events.exemption import (
    ApplicationEvent,
    ApplicationLapsed,
    FeeDue,
    FeePaid,
    FeeRefunded,
    FeeWithdrawn,
    RefundAsked,
    StageOpened,
)
from shared.kernel.errors import Refused
from shared.schemes.procedure import LAPSED, UNPAID

Misplaced = Literal["wrong_amount", "paid_already", "too_late", "nothing_due", "another_counts", "erased", "lapsed"]
Ended = Literal["refused", "superseded", "lapsed"]
REASONS = {
    "wrong_amount": "金额不符",
    "paid_already": "重复缴费",
    "too_late": "缴费时间已截止",
    "nothing_due": "没有应缴费用",
    "another_counts": "已有另一份有效申请",
    "erased": "个人信息已删除",
    "refused": "审核不通过",
    "superseded": "被后一次提交取代",
    "lapsed": "逾期失效",
    "unlocked": "退回重新申请",
}
"""Why money goes back, or is asked for no more, in words that candidates and auditors read."""


def onward(
    stage: str, case: Case, courses: Sequence[str], organisations: Mapping[str, str], context: Context
) -> Sequence[ApplicationEvent]:
    """The stage opens, or waits for what is still owed. `courses` and `organisations` are those handed in."""
    owed = context.rules.book.owed_before(stage, len(courses), case.paid)
    if owed:
        return _asked(stage, owed, case, len(courses), context)
    return [_opened(stage, organisations, context)]


def _opened(name: str, organisations: Mapping[str, str], context: Context) -> StageOpened:
    stage = context.rules.book.stage(name)
    return StageOpened(
        stage=stage.name,
        role=stage.role,
        organisation=organisations[stage.scope],
        due_at=stage.due(context.now),
        clause=context.rules.clause(f"stages[{stage.name}]", source=stage.source),
    )


def _asked(stage: str, owed: int, case: Case, courses: int, context: Context) -> Sequence[ApplicationEvent]:
    """Where it can never be paid any more, it lapses at once: the timer of that window has gone off before."""
    book, said = context.rules.book, _said(context)
    due = FeeDue(
        stage=stage,
        what=said.title,
        fen=owed,
        whole=said.fee(courses),
        each=said.each,
        count=said.count(courses),
        cycle=context.cycle_id,
        purpose=said.window,
        payable_until=_end(context),
        refunds=said.refunds.text,
        title=book.state(UNPAID).title,
        clause=_clause(context),
    )
    over = context.cycle.phase(said.window, context.now) == "closed"
    return [due, *lapsed(said.window, _end(context), case, context)] if over else [due]


def lapsed(purpose: str, at: datetime, case: Case, context: Context) -> Sequence[ApplicationEvent]:
    """It was not paid before the window was over."""
    clause = _clause(context)
    ended = ApplicationLapsed(purpose=purpose, ended_at=at, title=context.rules.book.state(LAPSED).title, clause=clause)
    return [ended, FeeWithdrawn(reason="lapsed", clause=clause), *given_back("lapsed", case, context)]


def withdrawn(reason: Literal["superseded", "unlocked"], state: Application, context: Context) -> list[FeeWithdrawn]:
    """What is due no more, since it became something else."""
    return [FeeWithdrawn(reason=reason, clause=_clause(context))] if isinstance(state, AwaitingPayment) else []


def given_back(reason: Ended, case: Case, context: Context) -> list[RefundAsked]:
    """What was rightly paid, where the book gives it back when an application ends so."""
    said = context.rules.book.payment
    if said is None or reason not in said.refunds.when:
        return []
    clause = context.rules.clause("payment", "refunds", source=said.refunds.source)
    here = {name: order.fen for name, order in case.orders.items() if order.counts and order.fen}
    return [RefundAsked(order=name, fen=fen, reason=reason, clause=clause) for name, fen in here.items()]


# --- what payment says


def settle(command: SettleFee, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """An order was paid. What was paid in time counts, also where it lapsed before we learnt of it."""
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    if command.order in state.orders:
        return []
    due = _due_or_why_not(command, state, context)
    if not isinstance(due, Due):
        return [RefundAsked(order=command.order, fen=command.fen, reason=due, clause=_clause(context))]
    paid = FeePaid(
        order=command.order, fen=command.fen, paid_at=command.paid_at, title=due.title, clause=_clause(context)
    )
    return [paid, _opened(due.stage, state.organisations, context)]


def _due_or_why_not(command: SettleFee, state: Case, context: Context) -> Due | Misplaced:
    """Where nothing is due it does not depend on the state, so that nobody learns by paying what became of a case."""
    due = state.due if isinstance(state, AwaitingPayment | Lapsed) else None
    if not state.form:
        return "erased"
    if due is None:
        return "paid_already" if state.paid else "nothing_due"
    if command.paid_at >= _end(context):
        return "too_late"
    if command.fen != due.fen:
        return "wrong_amount"
    if isinstance(state, Lapsed) and _another_counts(state, context):
        return "another_counts"
    onsite = context.rules.book.stage(due.stage).onsite
    if onsite and context.cycle.phase(onsite.window, context.now) == "closed":
        return "lapsed"  # nobody could decide it any more, and the timer that would end it has gone off
    rest = context.rules.book.owed_before(due.stage, len(state.course_codes), state.paid + command.fen)
    return "lapsed" if rest else due  # what had been paid before may have gone back when it lapsed


def _another_counts(state: Lapsed, context: Context) -> bool:
    """While it was lapsed, another application may have come into its place."""
    try:
        nothing_must_have_taken_its_place(state, context)
    except Refused:
        return True
    return False


def note_refund(command: NoteRefund, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """Asked for or not, money is gone; where a review rests on it, the review waits for it again."""
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    order = state.orders.get(command.order)
    if order is None:
        raise Refused("exemption.no_such_order", order=command.order[:80])
    if not order.fen:
        return []
    fen = min(command.fen, order.fen)
    refunded = FeeRefunded(order=command.order, fen=fen, refunded_at=command.refunded_at, clause=_clause(context))
    if not order.counts or not state.form or not isinstance(state, InReview | AwaitingPayment):
        return [refunded]
    stage, courses = stage_of(state), len(state.course_codes)
    owed = context.rules.book.owed_before(stage, courses, state.paid - fen)
    return [refunded, *_asked(stage, owed, state, courses, context)] if owed else [refunded]


def _said(context: Context) -> Payment:
    said = context.rules.book.payment
    assert said is not None  # nothing would be due
    return said


def _end(context: Context) -> datetime:
    """As the window stands now: an extension lets people pay for longer."""
    end = context.cycle.windows[_said(context).window].over_at()
    assert end is not None  # a window that never opens is refused
    return end


def _clause(context: Context) -> str:
    """Of a book that asks for no fee, the one by which applications come in at all."""
    book = context.rules.book
    said = book.payment or book.submit
    return context.rules.clause("payment" if book.payment else "submit", source=said.source)
