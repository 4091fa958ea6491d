"""缴费: what was paid when an application is handed in again or ends, what goes back, and what people see of it."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

from services.exemption.api.fees import fee_shown
from services.exemption.domain.access import title_for_the_candidate
from services.exemption.domain.case import AwaitingPayment, Case, Due, Granted, InReview, Returned, TurnedDown
from services.exemption.domain.commands import (
    CloseCycle,
    ExtendWindow,
    OpenCycle,
    ReleaseTicket,
    SupersedeApplication,
    UnlockReapplication,
    WindowAsked,
)
from services.exemption.domain.cycle import CYCLE, CycleContext
from services.exemption.domain.terms import Uniqueness
from services.exemption.reactions import REACTIONS
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationSubmitted,
    ApplicationSuperseded,
    CycleClosed,
    CycleWindowEnded,
    FeeDue,
    FeePaid,
    FeeRefunded,
    FeeWithdrawn,
    ReapplicationUnlocked,
    RefundAsked,
    StageOpened,
    WindowExtended,
)
from shared.events.payment import OrderRefunded, OrderSettled
from shared.kernel.messages import Command, Event, Fact, Meta
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    CASE,
    FERRY,
    ISLE,
    NOON,
    ORGANISATIONS,
    REEF,
    SUBMIT,
    at,
    me,
    passing,
    refusing,
)
from tests.services.exemption.claims_story import draft as reef_draft
from tests.services.exemption.ferry import (
    END,
    NEVER_BACK,
    RETURN,
    back,
    draft,
    due,
    gone,
    mine,
    office,
    paid,
    save,
    settled,
    the,
    told,
)
from tests.services.exemption.story import Past

# --- again, and differently


def again(*codes: str) -> Past:
    return settled().and_then(RETURN, office()).and_then(save(*codes), mine())


def test_what_was_paid_counts_for_what_is_handed_in_again() -> None:
    again("90001", "90002").when(SUBMIT, mine()).then_kinds(ApplicationSubmitted, StageOpened)
    fewer = again("90001").when(SUBMIT, mine()).then_kinds(ApplicationSubmitted, StageOpened)
    assert isinstance(fewer.state, InReview)
    assert fewer.state.paid == 5000
    more = again("90001", "90002", "90003").when(SUBMIT, mine()).then_kinds(ApplicationSubmitted, FeeDue)
    assert (the(FeeDue, more).fen, the(FeeDue, more).whole) == (2500, 7500)
    rest = again("90001", "90002", "90003").and_then(SUBMIT, mine()).and_then(paid(2500, "two"), told())
    assert isinstance(rest.state, InReview)
    assert rest.state.paid == 7500


def test_what_waits_for_a_fee_and_is_superseded_asks_for_it_no_more() -> None:
    outcome = due().when(SupersedeApplication(by="b"), mine()).then_kinds(ApplicationSuperseded, FeeWithdrawn)
    assert the(FeeWithdrawn, outcome).reason == "superseded"


def test_what_waits_for_a_fee_may_be_unlocked_before_anybody_pays() -> None:
    assert ISLE.book.uniqueness is not None
    said = ISLE.book.uniqueness.model_dump()
    said["unlocking"] |= {"role": "harbour_master", "scope": "harbour"}
    rules = replace(FERRY, book=FERRY.book.model_copy(update={"uniqueness": Uniqueness.model_validate(said)}))
    seen = {"id_card": True, "printed_details": True}
    command = UnlockReapplication(application=CASE, seen=seen, reason_code="wrong_material", note="见过本人")
    outcome = due(rules).when(command, office(by=rules)).then_kinds(ReapplicationUnlocked, FeeWithdrawn)
    assert isinstance(outcome.state, Returned)


def test_an_office_releases_the_ticket_number_of_what_waits_for_a_fee() -> None:
    """SD-46: it counts, so it keeps the number from its owner; paid for, it passes nothing until it is put right."""
    assert FERRY.book.payment is not None
    asked = FERRY.book.payment.model_copy(update={"before": REEF.book.stages[0].name, "window": "use"})
    states = (*REEF.book.states, FERRY.book.state("unpaid"))
    rules = replace(REEF, book=REEF.book.model_copy(update={"payment": asked, "states": states}))
    waiting = reef_draft(by=REEF).and_then(SUBMIT, me(by=REEF, rules=rules))
    assert isinstance(waiting.state, AwaitingPayment)
    master = at("master", by=REEF, rules=rules)
    release = ReleaseTicket(application=CASE, seen={"ticket": True}, reason_code="not_theirs", note="x")
    released = waiting.and_then(release, master)
    assert isinstance(released.state, AwaitingPayment)
    released.when(release, master).refused("exemption.holds_no_ticket")
    fen = released.state.due.fen if released.state.due else 0
    lies = released.and_then(paid(fen), at("payment", by=REEF, rules=rules))
    lies.when(passing("现场确认", REEF), master).refused("exemption.ticket_released")


# --- money goes back


def test_by_the_book_a_fee_goes_back_when_it_is_refused_or_superseded() -> None:
    refused = settled().when(refusing("初核", "not_covered"), office()).then_kinds(ApplicationRefused, RefundAsked)
    assert refused.events[1] == RefundAsked(
        order="one", fen=5000, reason="refused", clause="lagoon/ferry@1 exemption.payment.refunds TT-74"
    )
    assert back(settled(), SupersedeApplication(by="b"), mine()) == [("one", 5000, "superseded")]


def test_by_another_book_it_does_not() -> None:
    settled(NEVER_BACK).when(refusing("初核", "not_covered"), office(by=NEVER_BACK)).then_kinds(ApplicationRefused)


def test_that_it_has_gone_back_is_noted_once() -> None:
    refused = settled().and_then(refusing("初核", "not_covered"), office())
    noted = refused.when(gone(), told()).then_kinds(FeeRefunded)
    assert isinstance(noted.state, TurnedDown)
    assert refused.and_then(gone(), told()).when(gone(), told()).happened() == ()


def test_a_refund_of_an_order_that_nobody_told_of_is_refused() -> None:
    settled().when(gone("another"), told()).refused("exemption.no_such_order", order="another")


def test_where_money_goes_away_under_a_review_the_review_waits_for_it_again() -> None:
    first = settled().and_then(passing("初核", FERRY), office())
    outcome = first.when(gone(), told()).then_kinds(FeeRefunded, FeeDue)
    assert isinstance(outcome.state, AwaitingPayment)
    waiting = first.and_then(gone(), told())
    waiting.when(passing("复核", FERRY), office("mate")).refused("exemption.stage_not_open")
    goes_on = waiting.when(paid(order="two"), told()).then_kinds(FeePaid, StageOpened)
    assert isinstance(goes_on.state, InReview)
    assert (goes_on.state.desk.stage, goes_on.state.title) == ("复核", "已初核")
    granted = waiting.and_then(paid(order="two"), told()).and_then(passing("复核", FERRY), office("mate"))
    assert isinstance(granted.state, Granted)


def test_where_part_of_it_goes_away_only_that_part_is_due() -> None:
    outcome = settled().when(gone(fen=2000), told()).then_kinds(FeeRefunded, FeeDue)
    assert the(FeeDue, outcome).fen == 2000
    twice = settled().and_then(gone(fen=2000), told()).when(gone(fen=9000), told())
    twice.then_kinds(FeeRefunded, FeeDue)
    assert (the(FeeRefunded, twice).fen, the(FeeDue, twice).fen) == (3000, 5000)
    assert isinstance(twice.state, AwaitingPayment)
    assert twice.state.due == Due("初核", 5000, "待初核")


def test_where_it_goes_away_when_nobody_can_pay_any_more_the_application_lapses() -> None:
    settled().when(gone(), told(END)).then_kinds(FeeRefunded, FeeDue, ApplicationLapsed, FeeWithdrawn)


def test_what_was_approved_stays_approved_whatever_becomes_of_the_money() -> None:
    """Taking back an approval is an office's decision (revocation), and never that of a payment."""
    granted = settled().and_then(passing("初核", FERRY), office()).and_then(passing("复核", FERRY), office("mate"))
    outcome = granted.when(gone(), told()).then_kinds(FeeRefunded)
    assert isinstance(outcome.state, Granted)


# --- what people see


def test_the_candidate_sees_what_is_due_until_when_and_what_comes_back() -> None:
    state = due().state
    assert isinstance(state, Case)
    shown = fee_shown(state, mine())
    assert shown is not None
    assert (shown.title, shown.each_fen, shown.count) == ("免考课程审核费", 2500, 2)
    assert (shown.whole_fen, shown.paid_fen, shown.due_fen) == (5000, 0, 5000)
    assert (shown.phase, shown.until) == ("open", END)
    assert shown.refunds == "审核不通过或者被后一次提交取代的，全额退还"
    assert title_for_the_candidate(state, mine()) == "待缴费"
    after = due().and_then(paid(1), told()).and_then(paid(order="two"), told()).state
    assert isinstance(after, Case)
    settled_fee = fee_shown(after, mine())
    assert settled_fee is not None
    assert (settled_fee.paid_fen, settled_fee.due_fen) == (5000, 0)
    assert [(each.order, each.fen, each.goes_back) for each in settled_fee.orders] == [
        ("one", 1, True),
        ("two", 5000, False),
    ]
    unsaved = draft().state
    assert isinstance(unsaved, Case)
    assert fee_shown(unsaved, mine()) is None


# --- cycles


def cycle_context(now: datetime = NOON) -> CycleContext:
    return CycleContext(now, "master", frozenset({("harbour_master", "harbour")}), FERRY, ORGANISATIONS)


def opening(pay_days: int) -> OpenCycle:
    day = NOON.date()
    windows = {
        "apply": WindowAsked(day, day + timedelta(days=9)),
        "pay": WindowAsked(day, day + timedelta(days=pay_days)),
    }
    return OpenCycle(scheme=FERRY.ref, organisation="harbour", title="收费批次", windows=windows)


def test_a_cycle_in_which_the_last_to_hand_in_could_not_pay_is_not_opened() -> None:
    refused = given(CYCLE).when(opening(9), cycle_context())
    refused.refused("exemption.impossible_window", faults=["paying_ends_with_handing_in"])
    given(CYCLE).and_then(opening(10), cycle_context())


def test_nor_is_handing_in_extended_to_when_nobody_can_pay() -> None:
    def longer(purpose: str, days: int) -> ExtendWindow:
        to_day = NOON.date() + timedelta(days=days)
        return ExtendWindow(cycle="c", purpose=purpose, to_day=to_day, reason="系统维护")

    opened = given(CYCLE).and_then(opening(10), cycle_context())
    refused = opened.when(longer("apply", 12), cycle_context())
    refused.refused("exemption.impossible_window", purpose="pay", faults=["paying_ends_with_handing_in"])
    paying = opened.and_then(longer("pay", 13), cycle_context())
    paying.when(longer("apply", 12), cycle_context()).then_kinds(WindowExtended)


def test_a_closing_by_hand_leaves_people_their_days_to_pay() -> None:
    opened = given(CYCLE).and_then(opening(10), cycle_context())
    closed = opened.when(CloseCycle(cycle="c", reason="办结"), cycle_context())
    closed.then_kinds(CycleClosed, CycleWindowEnded)
    assert the(CycleWindowEnded, closed).purpose == "apply"


# --- what payment says


def commands_of(event: Event) -> list[Command]:
    fact = Fact("payment", "order-one", 2, event, uuid4(), Meta(uuid4(), "provider", NOON))
    return [command for each in REACTIONS if each.event is type(event) for command in each.react(fact)]


def test_an_order_is_settled_for_the_application_that_it_names_and_for_no_other_service() -> None:
    said = OrderSettled(order="one", asked_by="exemption", case=CASE, fen=5000, paid_at=NOON)
    assert commands_of(said) == [paid()]
    assert commands_of(OrderSettled(order="one", asked_by="graduation", case=CASE, fen=5000, paid_at=NOON)) == []
    back_again = OrderRefunded(order="one", asked_by="exemption", case=CASE, fen=5000, refunded_at=NOON)
    assert commands_of(back_again) == [gone()]
    other = OrderRefunded(order="one", asked_by="graduation", case=CASE, fen=5000, refunded_at=NOON)
    assert commands_of(other) == []
