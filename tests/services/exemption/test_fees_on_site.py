"""缴费 before what is decided on site: nobody pays for days that are over. By the made-up book that asks for a fee."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.exemption.domain.access import Context
from services.exemption.domain.case import AwaitingPayment, InReview, Lapsed
from services.exemption.domain.commands import ExtendWindow, OpenCycle, WindowAsked
from services.exemption.domain.cycle import CYCLE, CycleContext
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Payment
from shared.events.exemption import RefundAsked, WindowExtended
from shared.schemes.procedure import AfterWindow, Purpose, Window
from shared.testing.given import given
from tests.services.exemption.claims_story import FERRY, NOON, ORGANISATIONS, ROLES, SUBMIT, WINDOWS
from tests.services.exemption.ferry import END, LAPSE, draft, mine, paid, told
from tests.services.exemption.story import Past

PAY = WINDOWS[FERRY.ref]["pay"]
OVER = "over_before_paying_is"


def on_site(**payment: Any) -> Rules:
    """The ferry's book, whose first stage, behind the fee, is now decided on site."""
    book = FERRY.book
    assert book.payment
    first = book.stages[0].model_copy(update={"onsite": AfterWindow(window="confirm", source="TT-71")})
    changed = {
        "windows": (*book.windows, Purpose.model_validate({"id": "confirm", "title": "现场确认", "source": "TT-71"})),
        "stages": (first, *book.stages[1:]),
        "payment": Payment.model_validate({**book.payment.model_dump(), **payment}),
    }
    return replace(FERRY, book=book.model_copy(update=changed))


BOOK = on_site()


def until(days: int, context: Context, by: Rules = BOOK) -> Context:
    """The days on site are over so many days after those to pay."""
    confirm = Window(PAY.from_day, PAY.to_day + timedelta(days=days))
    return replace(context, rules=by, cycle=replace(context.cycle, windows={**WINDOWS[FERRY.ref], "confirm": confirm}))


def due(by: Rules = BOOK) -> Past:
    return draft(by).and_then(SUBMIT, until(0, mine(by=by), by))


def asked_back(past: Past, context: Context) -> list[tuple[int, str]]:
    """All that comes of a payment that was made in time."""
    events = past.when(paid(), context).happened()
    return [(each.fen, each.reason) for each in events if isinstance(each, RefundAsked) and len(events) == 1]


def test_what_is_paid_for_is_confirmed_in_the_days_on_site() -> None:
    checked = due().and_then(paid(), until(0, told(by=BOOK)))
    assert isinstance(checked.state, InReview)


def test_what_was_paid_in_time_goes_on_while_the_days_on_site_do() -> None:
    lapsed = due().and_then(LAPSE, until(3, told(END, by=BOOK)))
    assert isinstance(lapsed.state, Lapsed)
    assert isinstance(lapsed.and_then(paid(), until(3, told(END, by=BOOK))).state, InReview)


@pytest.mark.parametrize("by", [BOOK, on_site(refunds={"when": [], "text": "一概不退", "source": "TT-74"})])
def test_money_that_we_learn_of_when_nobody_confirms_any_more_goes_back_whole(by: Rules) -> None:
    """Else it would wait for ever: nobody may decide it, and the timer that would end it has gone off."""
    lapsed = due(by).and_then(LAPSE, until(0, told(END, by=by), by))
    late = until(0, told(END + timedelta(hours=1), by=by), by)
    assert asked_back(lapsed, late) == [(5000, "lapsed")]
    assert isinstance(lapsed.and_then(paid(), late).state, Lapsed)


def test_nor_is_it_taken_while_people_may_still_pay_where_the_days_on_site_were_cut_short() -> None:
    """As by closing a cycle by hand, which leaves people their days to pay."""
    cut = until(-3, told(END - timedelta(days=1), by=BOOK))
    assert asked_back(due(), cut) == [(5000, "lapsed")]
    assert isinstance(due().and_then(paid(), cut).state, AwaitingPayment)


def opened(days: int) -> OpenCycle:
    said = {each: WindowAsked(first.from_day, first.to_day) for each, first in WINDOWS[FERRY.ref].items()}
    confirm = WindowAsked(PAY.from_day, PAY.to_day + timedelta(days=days))
    return OpenCycle(scheme=FERRY.ref, organisation="harbour", title="批次", windows={**said, "confirm": confirm})


def office(now: datetime = NOON) -> CycleContext:
    harbour = {"harbour": ORGANISATIONS["harbour"]}
    return CycleContext(now, "staff-ops", frozenset({ROLES["master"]}), BOOK, harbour)


def longer(purpose: str, days: int) -> ExtendWindow:
    return ExtendWindow(cycle="c", purpose=purpose, to_day=PAY.to_day + timedelta(days=days), reason="系统维护")


def test_the_days_on_site_are_not_over_before_those_to_pay() -> None:
    early = given(CYCLE).when(opened(-1), office())
    early.refused("exemption.impossible_window", purpose="confirm", faults=[OVER])
    same = given(CYCLE).and_then(opened(0), office())
    refused = same.when(longer("pay", 2), office())
    refused.refused("exemption.impossible_window", purpose="confirm", faults=[OVER])
    same.and_then(longer("confirm", 2), office()).when(longer("pay", 2), office()).then_kinds(WindowExtended)


def test_only_a_stage_behind_the_fee_waits_for_those_who_pay() -> None:
    behind = on_site(before="复核").book
    assert ("confirm", "pay") in BOOK.book.outlasting()
    assert ("confirm", "pay") not in behind.outlasting()
