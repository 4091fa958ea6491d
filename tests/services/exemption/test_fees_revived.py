"""缴费 and 恢复 together: what lapsed with its fee, or got it back when it lapsed, and whose window was then extended.

Without a server. Everybody is invented.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.exemption.domain.access import Context
from services.exemption.domain.case import AwaitingPayment, InReview, Lapsed, Returned
from services.exemption.domain.commands import LapseApplication, ReviveApplication
from services.exemption.domain.scheme import Deadline, Rules
from services.exemption.domain.terms import Refunds
from services.exemption.domain.uniqueness import Heads
from shared.events.exemption import (
    ApplicationRevived,
    ApplicationSubmitted,
    FeeDue,
    FeePaid,
    FeeRefunded,
    RevivalRefused,
    StageOpened,
)
from shared.schemes.procedure import AfterWindow
from tests.services.exemption.claims_story import CANDIDATE, CASE, FERRY, SUBMIT
from tests.services.exemption.ferry import (
    BEFORE,
    END,
    LAPSE,
    RETURN,
    SECOND,
    back,
    book,
    due,
    gone,
    lapsed,
    mine,
    office,
    paid,
    save,
    settled,
    the,
    told,
)
from tests.services.exemption.story import Past

REVIVE = ReviveApplication(application=CASE, purpose="pay")
AFTER = END + timedelta(hours=1)
LONGER = END + timedelta(days=3)
BACK = book(refunds=Refunds(when=("lapsed",), text="逾期失效的退还", source="TT-74"))


def extended(*purposes: str, now: datetime = AFTER, by: Rules = FERRY, **more: Any) -> Context:
    """These windows go on for three days more; they had been over with the one to pay in."""
    cycle = told(by=by).cycle
    longer = {each: replace(cycle.windows["pay"], to_day=LONGER.date() - timedelta(days=1)) for each in purposes}
    return told(now, by, cycle=replace(cycle, windows={**cycle.windows, **longer}), **more)


def longer(*purposes: str) -> Any:
    return extended(*purposes).cycle


# --- not paid in time


def test_what_lapsed_without_its_fee_waits_for_it_again_once_there_are_more_days_to_pay() -> None:
    assert lapsed().when(REVIVE, told(AFTER)).happened() == ()  # its window is over
    outcome = lapsed().when(REVIVE, extended("pay")).then_kinds(ApplicationRevived, FeeDue)
    assert the(ApplicationRevived, outcome) == ApplicationRevived(
        purpose="pay", becomes="unpaid", title="待缴费", clause="lagoon/ferry@1 exemption.windows[pay] TT-71"
    )
    again = the(FeeDue, outcome)
    assert (again.stage, again.fen, again.payable_until) == ("初核", 5000, LONGER)
    assert outcome.state == due().state
    revived = lapsed().and_then(REVIVE, extended("pay"))
    revived.when(paid(at=AFTER), extended("pay")).then_kinds(FeePaid, StageOpened)
    assert revived.when(REVIVE, extended("pay")).happened() == ()


def test_what_is_paid_in_the_days_that_were_added_counts_also_before_it_was_revived() -> None:
    outcome = lapsed().when(paid(at=AFTER), extended("pay")).then_kinds(FeePaid, StageOpened)
    assert isinstance(outcome.state, InReview)
    assert lapsed().and_then(paid(at=AFTER), extended("pay")).when(REVIVE, extended("pay")).happened() == ()


def test_money_that_came_too_late_stays_known_when_it_is_revived() -> None:
    late = lapsed().and_then(paid(at=AFTER), told(AFTER)).and_then(REVIVE, extended("pay"))
    assert late.when(paid(at=AFTER), extended("pay")).happened() == ()  # that order goes back, told once or twice
    late.when(gone(), extended("pay")).then_kinds(FeeRefunded)
    late.when(paid(order="two", at=AFTER), extended("pay")).then_kinds(FeePaid, StageOpened)


def test_what_is_not_paid_in_the_days_that_were_added_lapses_with_the_new_end() -> None:
    revived = lapsed().and_then(REVIVE, extended("pay"))
    assert revived.when(LAPSE, extended("pay")).happened() == ()
    over = revived.and_then(LAPSE, extended("pay", now=LONGER))
    assert isinstance(over.state, Lapsed)


@pytest.mark.parametrize(
    "known",
    [
        {"own_other": "another"},
        {"own_courses": {"90002": "another"}},
        {"heads": Heads(CANDIDATE, {"cycle-1": "another"})},
        {"heads": Heads("candidate-other", {"cycle-0": "theirs"})},
    ],
)
def test_neither_days_nor_money_bring_it_back_beside_what_has_come_to_count(known: dict[str, Any]) -> None:
    lapsed().when(REVIVE, extended("pay", **known)).then_kinds(RevivalRefused)
    assert back(lapsed(), paid(at=BEFORE), told(AFTER, **known)) == [("one", 5000, "another_counts")]


# --- money that went back when it lapsed


def more_is_due() -> Past:
    """Two courses are paid for; sent back and handed in with three, one more is to be paid."""
    sent_back = settled(BACK).and_then(RETURN, office(by=BACK))
    return sent_back.and_then(save("90001", "90002", "90003"), mine(by=BACK)).and_then(SUBMIT, mine(by=BACK))


def test_where_the_part_that_was_paid_went_back_all_of_it_is_due_again() -> None:
    over = more_is_due().and_then(LAPSE, told(END, BACK))
    assert isinstance(over.state, Lapsed)
    assert (over.state.due and over.state.due.fen, over.state.paid) == (2500, 0)
    outcome = over.when(REVIVE, extended("pay", by=BACK)).then_kinds(ApplicationRevived, FeeDue)
    assert (the(FeeDue, outcome).fen, the(FeeDue, outcome).whole) == (7500, 7500)


def test_the_rest_told_late_is_not_the_fee_when_the_other_part_went_back() -> None:
    """Nobody gets past payment by what went back to them."""
    over = more_is_due().and_then(LAPSE, told(END, BACK))
    assert back(over, paid(2500, "two", at=BEFORE), told(END + SECOND, BACK)) == [("two", 2500, "lapsed")]
    assert isinstance(over.and_then(paid(2500, "two", at=BEFORE), told(END + SECOND, BACK)).state, Lapsed)


def test_what_was_sent_back_and_revived_asks_for_its_fee_again_when_it_is_handed_in() -> None:
    again = BACK.book.model_copy(update={"resubmit": Deadline(window="apply", lapses=True, source="TT-70")})
    rules = replace(BACK, book=again)
    sent_back = settled(rules).and_then(RETURN, office(by=rules))
    over = sent_back.and_then(LapseApplication(application=CASE, purpose="apply", due_at=BEFORE), told(BEFORE, rules))
    assert isinstance(over.state, Lapsed)
    revive = ReviveApplication(application=CASE, purpose="apply")
    revived = over.and_then(revive, extended("apply", now=BEFORE, by=rules))
    assert isinstance(revived.state, Returned)
    in_time = mine(BEFORE, rules, cycle=longer("apply"))
    handed_in = revived.and_then(save(), in_time).when(SUBMIT, in_time).then_kinds(ApplicationSubmitted, FeeDue)
    assert the(FeeDue, handed_in).fen == 5000


# --- lapsed for another reason, in review


def on_site(by: Rules) -> Rules:
    """The first stage is decided in the window `apply` only."""
    first, *others = by.book.stages
    there = first.model_copy(update={"onsite": AfterWindow(window="apply", source="TT-76")})
    return replace(by, book=by.book.model_copy(update={"stages": (there, *others)}))


NOT_THERE = LapseApplication(application=CASE, purpose="apply", due_at=BEFORE)
CONFIRM = ReviveApplication(application=CASE, purpose="apply")


def test_what_is_paid_for_and_keeps_its_fee_lies_on_its_desk_again() -> None:
    rules = on_site(FERRY)
    over = settled(rules).and_then(NOT_THERE, told(BEFORE, rules))
    assert isinstance(over.state, Lapsed)
    outcome = over.when(CONFIRM, extended("apply", by=rules)).then_kinds(ApplicationRevived, StageOpened)
    assert isinstance(outcome.state, InReview)
    assert outcome.state.paid == 5000


def test_what_got_its_fee_back_waits_for_it_again_and_not_before_it_can_be_paid() -> None:
    rules = on_site(BACK)
    over = settled(rules).and_then(NOT_THERE, told(BEFORE, rules))
    in_days = over.when(CONFIRM, extended("apply", now=BEFORE, by=rules)).then_kinds(ApplicationRevived, FeeDue)
    assert isinstance(in_days.state, AwaitingPayment)
    assert (the(FeeDue, in_days).fen, the(ApplicationRevived, in_days).becomes) == (5000, "in_review")
    assert over.when(CONFIRM, extended("apply", by=rules)).happened() == ()  # nobody can pay any more
    assert over.when(REVIVE, extended("pay", by=rules)).happened() == ()  # and nobody can be there
    for command in (CONFIRM, REVIVE):  # whichever was extended last
        over.when(command, extended("apply", "pay", by=rules)).then_kinds(ApplicationRevived, FeeDue)
