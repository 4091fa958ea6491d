"""恢复: a window that is extended after its end, and what had lapsed or expired with it. Without a server."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from services.exemption.domain.access import Context
from services.exemption.domain.case import Expired, Granted, InReview
from services.exemption.domain.commands import (
    ExpireExemption,
    ExtendWindow,
    LapseApplication,
    ReleaseTicket,
    ReviveApplication,
    SettleWindow,
)
from services.exemption.domain.cycle import CYCLE
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import Heads
from shared.events.exemption import (
    ApplicationRevived,
    RevivalRefused,
    StageOpened,
    WindowExtended,
    WindowReopened,
    WindowSettled,
)
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    CANDIDATE,
    CASE,
    ISLE,
    LATER,
    MUCH_LATER,
    REEF,
    WINDOWS,
    at,
    submitted,
)
from tests.services.exemption.story import Past
from tests.services.exemption.test_cycle import ending, reef, season, windows_of
from tests.services.exemption.test_outcomes import ENDED, granted, unlocked

REVIVE = ReviveApplication(application=CASE, purpose="use")
LONGER = ExtendWindow(cycle="c", purpose="confirm", to_day=date(2026, 4, 5), reason="系统故障")


def expired() -> Past:
    assert ENDED is not None
    expire = ExpireExemption(application=CASE, purpose="use", due_at=ENDED)
    return granted().and_then(expire, at("timer", MUCH_LATER, REEF))


def extended(purpose: str, by: Rules, now: datetime, **more: Any) -> Context:
    """That window goes on until a week from now."""
    context = at("timer", now, by, **more)
    longer = replace(context.cycle.windows[purpose], to_day=now.date() + timedelta(days=7))
    return replace(context, cycle=replace(context.cycle, windows={**context.cycle.windows, purpose: longer}))


def test_what_lapsed_is_as_it_was_once_its_window_is_extended_and_only_then() -> None:
    """SX-E-38."""
    over = WINDOWS[ISLE.ref]["apply"].over_at()
    assert over is not None
    lapse = LapseApplication(application=CASE, purpose="apply", due_at=over)
    revive = ReviveApplication(application=CASE, purpose="apply")
    lapsed = unlocked().and_then(lapse, at("timer", LATER))
    lapsed.when(revive, at("timer", LATER)).then()  # its window is over
    lapsed.when(ReviveApplication(application=CASE, purpose="results"), at("timer", LATER)).then()
    revived = lapsed.and_then(revive, extended("apply", ISLE, LATER))
    assert isinstance(revived.past[-1], ApplicationRevived)
    assert (revived.past[-1].becomes, revived.past[-1].title) == ("returned", "被退回")
    assert revived.state == unlocked().state
    revived.when(revive, extended("apply", ISLE, LATER)).then()
    submitted().when(revive, extended("apply", ISLE, LATER)).then()


def test_what_lapsed_in_review_is_revived_with_its_stage_and_what_expired_is_approved_again() -> None:
    over = WINDOWS[REEF.ref]["confirm"].over_at()
    assert over is not None
    lapse = LapseApplication(application=CASE, purpose="confirm", due_at=over)
    lapsed = submitted(by=REEF).and_then(lapse, at("timer", LATER, REEF))
    again = lapsed.when(ReviveApplication(application=CASE, purpose="confirm"), extended("confirm", REEF, LATER))
    again.then_kinds(ApplicationRevived, StageOpened)
    assert isinstance(again.state, InReview)
    assert again.state.desk.stage == "现场确认"
    valid = expired().when(REVIVE, extended("use", REEF, MUCH_LATER)).then_kinds(ApplicationRevived)
    assert isinstance(valid.state, Granted)
    assert valid.state == granted().state


def withheld(context: Context) -> str:
    """The code by which it is not given back, which is told once."""
    (event,) = expired().when(REVIVE, context).happened()
    assert isinstance(event, RevivalRefused)
    assert event.reason
    after = expired().and_then(REVIVE, context)
    assert isinstance(after.state, Expired)
    after.when(REVIVE, context).then()
    return event.code


def test_what_another_application_has_taken_the_place_the_certificate_or_a_course_of_is_not_revived() -> None:
    known = extended("use", REEF, MUCH_LATER)
    for heads, code in (
        (Heads(CANDIDATE, {"cycle-1": "application-d"}), "already_submitted_in_this_cycle"),
        (Heads(CANDIDATE, ended={"cycle-1": (CANDIDATE, "application-d")}), "already_submitted_in_this_cycle"),
        (Heads("candidate-other", {"cycle-0": "theirs"}), "ticket_of_another_account"),
        (Heads(ended={"cycle-1": ("candidate-other", "theirs")}), "ticket_of_another_account"),
        (Heads(not_of=CANDIDATE), "ticket_of_another_account"),  # an office took it from them
    ):
        assert withheld(replace(known, heads=heads)) == f"exemption.{code}"
    assert withheld(replace(known, ticket_elsewhere=True)) == "exemption.ticket_of_another_account"
    own = Heads(CANDIDATE, {"cycle-1": CASE})
    expired().when(REVIVE, replace(known, heads=own)).then_kinds(ApplicationRevived)
    once = {name: getattr(ISLE.book, name) for name in ("certificate_once", "course_once")}
    strict = replace(known, rules=replace(REEF, book=REEF.book.model_copy(update=once)))
    another = replace(strict, own_other="application-d")
    assert withheld(another) == "exemption.certificate_in_another_application"
    course = replace(strict, own_courses={"90003": "application-d"})
    assert withheld(course) == "exemption.course_in_another_application"
    expired().when(REVIVE, replace(strict, own_courses={"90007": "application-d"})).then_kinds(ApplicationRevived)


def test_what_held_no_ticket_number_any_more_comes_back_as_it_was_and_takes_none() -> None:
    """SD-46: its candidate may put the number right in the days that were added."""
    over = WINDOWS[REEF.ref]["confirm"].over_at()
    assert over is not None
    release = ReleaseTicket(application=CASE, seen={"ticket": True}, reason_code="not_theirs", note="x")
    released = submitted(by=REEF).and_then(release, at("master", by=REEF))
    lapsed = released.and_then(LapseApplication(application=CASE, purpose="confirm", due_at=over), at("t", LATER, REEF))
    owners = extended("confirm", REEF, LATER, heads=Heads("candidate-other", {"cycle-1": "theirs"}, not_of=CANDIDATE))
    again = lapsed.when(ReviveApplication(application=CASE, purpose="confirm"), owners)
    again.then_kinds(ApplicationRevived, StageOpened)
    assert isinstance(again.state, InReview)
    assert again.state.ticket_released


def test_an_extension_after_the_end_is_told_where_something_had_ended_with_the_window() -> None:
    past = given(CYCLE).and_then(season(), reef())
    over = windows_of(past)["confirm"].over_at()
    assert over
    past.when(LONGER, reef()).then_kinds(WindowExtended)  # before its end nothing had ended
    ended = past.and_then(ending(over, "confirm"), reef(over))
    extended, reopened = ended.when(LONGER, reef(over)).happened()
    assert isinstance(extended, WindowExtended)
    assert reopened == WindowReopened(purpose="confirm", reopened_at=over)
    query = windows_of(past)["results"].over_at()
    assert query
    much = ended.and_then(ending(query, "results"), reef(query))
    results = ExtendWindow(cycle="c", purpose="results", to_day=date(2026, 5, 10), reason="系统故障")
    much.when(results, reef(query)).then_kinds(WindowExtended)  # nobody hands in in it


def test_whoever_was_still_ending_applications_when_the_window_was_extended_has_them_looked_at_again() -> None:
    past = given(CYCLE).and_then(season(), reef())
    over = windows_of(past)["confirm"].over_at()
    assert over
    settle = SettleWindow(cycle="c", purpose="confirm", due_at=over)
    ended = past.and_then(ending(over, "confirm"), reef(over))
    ended.when(settle, reef(over)).then_kinds(WindowSettled)
    late = over + timedelta(minutes=1)
    extended = ended.and_then(LONGER, reef(over))
    extended.when(settle, reef(late)).then(WindowReopened(purpose="confirm", reopened_at=late))
