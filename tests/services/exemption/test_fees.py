"""缴费: a stage that waits for a fee until it is paid, rightly or not, or until it is too late: the decider alone."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.exemption.domain.access import available_actions
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import AwaitingPayment, Case, InReview, Lapsed
from services.exemption.domain.commands import (
    LapseApplication,
    SupersedeApplication,
)
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.uniqueness import Heads
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationSubmitted,
    FeeDue,
    FeePaid,
    FeeWithdrawn,
    RefundAsked,
    StageOpened,
    StagePassed,
)
from shared.schemes.procedure import Window
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    CANDIDATE,
    CASE,
    FERRY,
    NOON,
    SUBMIT,
    passing,
    refusing,
)
from tests.services.exemption.ferry import (
    BEFORE,
    END,
    LAPSE,
    LATER_STAGE,
    NEVER_BACK,
    RETURN,
    SECOND,
    back,
    book,
    draft,
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

# --- it waits


def test_an_application_that_is_handed_in_waits_for_a_fee_for_each_course() -> None:
    outcome = draft().when(SUBMIT, mine()).then_kinds(ApplicationSubmitted, FeeDue)
    _, asked = outcome.events
    assert asked == FeeDue(
        stage="初核",
        what="免考课程审核费",
        fen=5000,
        whole=5000,
        each="course",
        count=2,
        cycle="cycle-1",
        purpose="pay",
        payable_until=END,
        refunds="审核不通过或者被后一次提交取代的，全额退还",
        title="待缴费",
        clause="lagoon/ferry@1 exemption.payment TT-74",
    )
    assert isinstance(outcome.state, AwaitingPayment)


def test_a_fee_for_the_whole_application_does_not_grow_with_its_courses() -> None:
    asked = due(book(each="application", fen=900)).past[-1]
    assert isinstance(asked, FeeDue)
    assert (asked.fen, asked.whole, asked.count, asked.each) == (900, 900, 1, "application")


def test_while_it_waits_nobody_decides_and_nobody_edits() -> None:
    waiting = due()
    waiting.when(passing("初核", FERRY), office()).refused("access.not_found")  # it lies on no desk yet
    waiting.when(save("90001"), mine()).refused("exemption.already_submitted")
    assert available_actions(waiting.state, mine()) == []
    assert available_actions(waiting.state, office()) == []


def test_the_verdict_says_beforehand_what_is_going_to_be_due() -> None:
    state = draft().state
    assert isinstance(state, Case)
    (found,) = [each for each in verdict(state, mine()) if each.rule == "fee_must_be_payable"]
    assert (found.outcome, found.inputs) == ("pass", {"window": "pay", "fen": 5000, "count": 2})
    assert found.clause == "lagoon/ferry@1 exemption.payment TT-74"


def test_what_could_only_lapse_is_not_taken() -> None:
    """The window to hand in was extended, the one to pay in was not."""
    cycle = mine().cycle
    longer = replace(cycle, windows={**cycle.windows, "apply": Window(NOON.date(), END.date() + timedelta(days=9))})
    draft().when(SUBMIT, mine(END, cycle=longer)).refused("exemption.pay_window_over", what="免考课程审核费")


def test_a_fee_before_a_later_stage_is_asked_when_the_one_before_has_passed() -> None:
    waiting = due(LATER_STAGE)
    assert isinstance(waiting.state, InReview)
    outcome = waiting.when(passing("初核", FERRY), office(by=LATER_STAGE)).then_kinds(StagePassed, FeeDue)
    assert isinstance(outcome.state, AwaitingPayment)
    opened = outcome.before.and_then(passing("初核", FERRY), office(by=LATER_STAGE))
    after = opened.when(paid(), told(by=LATER_STAGE)).then_kinds(FeePaid, StageOpened)
    assert isinstance(after.state, InReview)
    assert (after.state.desk.stage, after.state.title) == ("复核", "已初核")


def test_whoever_is_slow_makes_nobody_lapse() -> None:
    waiting = due(LATER_STAGE)
    late = office(now=END, by=LATER_STAGE)
    waiting.when(passing("初核", FERRY), late).refused("exemption.pay_window_over", what="免考课程审核费")
    assert "pass" not in available_actions(waiting.state, late)
    assert "refuse" in available_actions(waiting.state, late)


def test_where_nobody_can_extend_any_more_it_lapses_at_once_and_says_so() -> None:
    closed = office(now=END, by=LATER_STAGE)
    closed = replace(closed, cycle=replace(closed.cycle, closed=True))
    outcome = due(LATER_STAGE).when(passing("初核", FERRY), closed)
    outcome.then_kinds(StagePassed, FeeDue, ApplicationLapsed, FeeWithdrawn)


# --- it is paid


def test_just_what_is_due_opens_the_stage() -> None:
    outcome = due().when(paid(), told(NOON + timedelta(hours=1)))
    outcome.then_kinds(FeePaid, StageOpened)
    assert outcome.events[0] == FeePaid(
        order="one", fen=5000, paid_at=NOON, title="待初核", clause="lagoon/ferry@1 exemption.payment TT-74"
    )
    assert isinstance(outcome.state, InReview)
    assert (outcome.state.title, outcome.state.desk.stage) == ("待初核", "初核")


def test_an_order_that_is_told_twice_counts_once() -> None:
    assert settled().when(paid(), told()).happened() == ()
    assert due().and_then(paid(4999), told()).when(paid(4999), told()).happened() == ()


@pytest.mark.parametrize("fen", [1, 2500, 4999, 5001, 10_000])
def test_another_amount_goes_back_whole_and_it_still_waits(fen: int) -> None:
    assert back(due(), paid(fen), told()) == [("one", fen, "wrong_amount")]
    after = due().and_then(paid(fen), told())
    assert isinstance(after.state, AwaitingPayment)
    after.when(paid(order="two"), told()).then_kinds(FeePaid, StageOpened)


def test_what_is_paid_a_second_time_goes_back() -> None:
    assert back(settled(), paid(order="two"), told()) == [("two", 5000, "paid_already")]
    assert isinstance(settled().and_then(paid(order="two"), told()).state, InReview)


def test_the_last_instant_of_the_window_counts_and_its_end_does_not() -> None:
    due().when(paid(at=BEFORE), told(BEFORE)).then_kinds(FeePaid, StageOpened)
    assert back(due(), paid(at=END), told(END)) == [("one", 5000, "too_late")]


def test_a_window_that_was_extended_takes_money_for_longer() -> None:
    cycle = told().cycle
    longer = replace(cycle, windows={**cycle.windows, "pay": Window(NOON.date(), END.date() + timedelta(days=3))})
    due().when(paid(at=END), told(END, cycle=longer)).then_kinds(FeePaid, StageOpened)


@pytest.mark.parametrize(
    ("past", "reason"),
    [
        (lambda: draft(), "nothing_due"),
        (lambda: settled().and_then(RETURN, office()), "paid_already"),
        (lambda: due().and_then(SupersedeApplication(by="b"), mine()), "nothing_due"),
        (lambda: settled().and_then(SupersedeApplication(by="b"), mine()), "nothing_due"),  # that went back
        (lambda: settled().and_then(refusing("初核", "not_covered"), office()), "nothing_due"),
        (lambda: settled(NEVER_BACK).and_then(refusing("初核", "not_covered"), office(by=NEVER_BACK)), "paid_already"),
    ],
)
def test_money_for_what_asks_for_none_goes_back(past: Any, reason: str) -> None:
    state = past().state
    assert back(past(), paid(order="late"), told()) == [("late", 5000, reason)]
    after = past().and_then(paid(order="late"), told()).state
    assert type(after) is type(state)
    assert after.title == state.title


def test_money_under_a_book_without_a_fee_goes_back() -> None:
    none = replace(FERRY, book=FERRY.book.model_copy(update={"payment": None}))
    asked = the(RefundAsked, due(none).when(paid(), told(by=none)))
    assert (asked.reason, asked.clause) == ("nothing_due", "lagoon/ferry@1 exemption.submit TT-70")


def test_money_for_an_erased_person_goes_back() -> None:
    """What of a case is personal reads as nothing once its person is gone."""
    waiting = due().state
    assert isinstance(waiting, AwaitingPayment)
    (event,) = APPLICATION.decide(paid(), replace(waiting, form={}), told())
    assert isinstance(event, RefundAsked)
    assert event.reason == "erased"


def test_money_for_a_case_that_never_was_is_refused() -> None:
    given(APPLICATION).when(paid(), told()).refused("access.not_found")
    given(APPLICATION).when(gone(), told()).refused("access.not_found")


# --- it is not paid


def test_what_is_not_paid_by_the_end_lapses() -> None:
    assert due().when(LAPSE, told(BEFORE)).happened() == ()
    outcome = due().when(LAPSE, told(END)).then_kinds(ApplicationLapsed, FeeWithdrawn)
    assert (outcome.state.state_title, the(ApplicationLapsed, outcome).clause) == (
        "逾期未缴费",
        "lagoon/ferry@1 exemption.payment TT-74",
    )
    other = LapseApplication(application=CASE, purpose="apply", due_at=END)
    assert due().when(other, told(END)).happened() == ()


def test_what_is_paid_does_not_lapse() -> None:
    assert settled().when(LAPSE, told(END)).happened() == ()


def test_what_was_paid_in_time_and_told_late_goes_on_where_it_was() -> None:
    outcome = lapsed().when(paid(at=BEFORE), told(END + SECOND)).then_kinds(FeePaid, StageOpened)
    assert isinstance(outcome.state, InReview)
    assert back(lapsed(), paid(at=END), told(END + SECOND)) == [("one", 5000, "too_late")]
    assert back(lapsed(), paid(4000, at=BEFORE), told(END + SECOND)) == [("one", 4000, "wrong_amount")]


@pytest.mark.parametrize(
    "known",
    [
        {"own_other": "another"},
        {"own_courses": {"90002": "another"}},
        {"heads": Heads(CANDIDATE, {"cycle-1": "another"})},
    ],
)
def test_what_was_told_late_does_not_come_back_beside_another_that_counts(known: dict[str, Any]) -> None:
    late = told(END + SECOND, **known)
    assert back(lapsed(), paid(at=BEFORE), late) == [("one", 5000, "another_counts")]
    assert isinstance(lapsed().and_then(paid(at=BEFORE), late).state, Lapsed)
