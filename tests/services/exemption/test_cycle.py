"""批次: opened from a book, extended with a reason, closed, and over when its windows are (SD-03, SD-04, SD-45)."""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from services.exemption.domain.commands import (
    CloseCycle,
    EndWindow,
    ExtendWindow,
    OpenCycle,
    WindowAsked,
)
from services.exemption.domain.cycle import CYCLE, Cycle, CycleContext, CycleState
from services.exemption.domain.followed import Organisation
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.events.exemption import (
    CycleClosed,
    CycleEvent,
    CycleOpened,
    CycleWindowEnded,
    DaysExcluded,
    WindowExtended,
    WindowSet,
)
from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Window
from shared.testing.given import Given, given
from tests.services.exemption.claims_story import ORGANISATIONS as HARBOUR
from tests.services.exemption.claims_story import REEF, WINDOWS
from tests.services.exemption.story import GUILD, HOURS, NOON, ORGANISATIONS, SWUST, WINDOW

UNI = ("university_admin", "uni")
HALL = ("elder", "hall")
ASKED = WindowAsked(WINDOW.from_day, WINDOW.to_day)
OPEN = OpenCycle(scheme=SWUST.ref, organisation="uni", title="2026年上半年", windows={"apply": ASKED})
LONGER = ExtendWindow(cycle="c", purpose="apply", to_day=date(2026, 4, 5), reason="系统维护")
CLOSE = CloseCycle(cycle="c", reason="取消")

Past = Given[Any, CycleState, CycleEvent, CycleContext]


def ops(*roles: tuple[str, str], **more: Any) -> CycleContext:
    return replace(CycleContext(NOON, "staff-ops", frozenset(roles), SWUST, ORGANISATIONS), **more)


def opened() -> Past:
    return given(CYCLE).and_then(OPEN, ops(UNI))


def windows_of(past: Past) -> dict[str, Window]:
    assert isinstance(past.state, Cycle)
    return dict(past.state.windows)


def asking(**asked: WindowAsked) -> OpenCycle:
    return OpenCycle(scheme=SWUST.ref, organisation="uni", title="批次", windows=asked)


def shanghai(month: int, day: int, hour: int = 0) -> datetime:
    return datetime(2026, month, day, hour, tzinfo=SHANGHAI)


def test_a_cycle_opens_with_a_window_for_each_purpose() -> None:
    outcome = given(CYCLE).when(OPEN, ops(UNI)).then_kinds(CycleOpened, WindowSet)
    assert outcome.state == Cycle(SWUST.ref, "uni", "2026年上半年", {"apply": WINDOW})


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (("university_admin", "uni"), True),
        (("administrator", "*"), True),
        (("administrator", "authority"), True),
        (("administrator", "other-uni"), False),
        (("university_admin", "other-uni"), False),
        (("university_admin", "point-a"), False),
        (("teaching_point_admin", "point-a"), False),
        (("auditor", "*"), False),
    ],
)
def test_only_those_responsible_open_extend_and_close_a_cycle(role: tuple[str, str], allowed: bool) -> None:
    for past, command in ((given(CYCLE), OPEN), (opened(), LONGER), (opened(), CLOSE)):
        outcome = past.when(command, ops(role))
        assert (outcome.refusal is None) == allowed
        if not allowed:
            outcome.refused("access.not_allowed")


def test_a_cycle_needs_exactly_the_windows_of_the_book() -> None:
    for windows in ({}, {"apply": ASKED, "pay": ASKED}, {"pay": ASKED}):
        given(CYCLE).when(asking(**windows), ops(UNI)).refused("exemption.wrong_windows", needed=["apply"])


def test_a_window_must_make_sense() -> None:
    backwards = asking(apply=WindowAsked(date(2026, 3, 2), date(2026, 3, 1)))
    given(CYCLE).when(backwards, ops(UNI)).refused("exemption.impossible_window", faults=["to_day_before_from_day"])
    hours = asking(apply=replace(ASKED, daily=((time(12), time(9)),)))
    given(CYCLE).when(hours, ops(UNI)).refused("exemption.impossible_window", faults=["hours_end_before_they_start"])
    never = asking(apply=WindowAsked(date(2026, 3, 1), date(2026, 3, 1), excluded=(date(2026, 3, 1),)))
    given(CYCLE).when(never, ops(UNI)).refused("exemption.impossible_window", faults=["never_open"])


def test_a_window_of_many_years_is_a_slip_of_the_pen() -> None:
    """Every page that shows a cycle would count its days."""
    far = WindowAsked(date(2026, 3, 1), date(2062, 3, 31))
    refused = given(CYCLE).when(asking(apply=far), ops(UNI))
    refused.refused("exemption.impossible_window", faults=["longer_than_two_years"])
    longer = ExtendWindow(cycle="c", purpose="apply", to_day=date(2062, 3, 31), reason="系统维护")
    opened().when(longer, ops(UNI)).refused("exemption.impossible_window", purpose="apply")
    last = asking(apply=WindowAsked(date(9999, 12, 31), date(9999, 12, 31)))
    given(CYCLE).when(last, ops(UNI)).refused("exemption.impossible_window", faults=["no_day_after_it"])


def test_a_window_is_only_ever_extended_with_a_reason() -> None:
    outcome = opened().when(LONGER, ops(UNI)).then_kinds(WindowExtended)
    assert isinstance(outcome.state, Cycle)
    assert outcome.state.windows["apply"].to_day == date(2026, 4, 5)
    same = ExtendWindow(cycle="c", purpose="apply", to_day=WINDOW.to_day, reason="系统维护")
    opened().when(same, ops(UNI)).refused("exemption.extension_not_later")
    opened().when(LONGER, ops(UNI, now=NOON + timedelta(days=60))).refused("exemption.extension_not_later")
    no_reason = ExtendWindow(cycle="c", purpose="apply", to_day=date(2026, 4, 5), reason=" ")
    opened().when(no_reason, ops(UNI)).refused("request.text_length")
    unknown = ExtendWindow(cycle="c", purpose="pay", to_day=date(2026, 4, 5), reason="系统维护")
    opened().when(unknown, ops(UNI)).refused("exemption.no_such_window")


def test_a_closed_cycle_stays_closed_and_its_windows_are_over() -> None:
    closed = opened().and_then(CLOSE, ops(UNI))
    assert closed.past[-2:] == (
        CycleClosed(reason="取消", closed_by="staff-ops"),
        CycleWindowEnded(purpose="apply", ended_at=NOON, settles=False),
    )
    assert isinstance(closed.state, Cycle)
    assert closed.state.phase("apply", NOON) == "closed"
    closed.when(CloseCycle(cycle="c", reason="再次"), ops(UNI)).refused("exemption.cycle_closed")
    closed.when(LONGER, ops(UNI)).refused("exemption.cycle_closed")
    closed.when(OPEN, ops(UNI)).refused("exemption.cycle_already_open")


def test_a_cycle_is_announced_before_its_windows_open() -> None:
    """SD-45: the notice of 4 May names 17 to 19 May."""
    state = opened().state
    assert isinstance(state, Cycle)
    assert [state.phase("apply", at) for at in (shanghai(2, 1), shanghai(3, 1), shanghai(4, 1))] == [
        "not_yet",
        "open",
        "closed",
    ]


# --- in the book's words

NIGHTLY = GUILD.book.purpose("correct")


def guild(**more: Any) -> CycleContext:
    return ops(HALL, rules=GUILD, **more)


def opened_guild(**asked: WindowAsked) -> OpenCycle:
    usual = {each.id: WindowAsked(date(2026, 3, 10), date(2026, 3, 20)) for each in GUILD.book.windows}
    return OpenCycle(scheme=GUILD.ref, organisation="hall", title="虚构批次", windows={**usual, **asked})


def test_what_is_left_out_is_as_the_book_has_it() -> None:
    windows = windows_of(given(CYCLE).and_then(opened_guild(correct=WindowAsked()), guild()))
    assert windows["apply"] == Window(date(2026, 3, 10), date(2026, 3, 20), HOURS.daily, (), True)
    assert NIGHTLY is not None
    assert NIGHTLY.announced is not None
    assert (windows["correct"].from_day, windows["correct"].to_day) == (date(2026, 4, 30), date(2026, 5, 10))
    assert windows["correct"].daily == ((time(22), time(2)),)


def test_what_is_asked_for_takes_the_place_of_what_the_book_says() -> None:
    asked = WindowAsked(date(2026, 5, 1), date(2026, 5, 3), daily=(), skip=())
    windows = windows_of(given(CYCLE).and_then(opened_guild(correct=asked), guild()))
    assert windows["correct"] == Window(date(2026, 5, 1), date(2026, 5, 3))


def test_a_window_without_dates_is_refused_where_the_book_announces_none() -> None:
    for asked in (WindowAsked(), WindowAsked(from_day=date(2026, 3, 10))):
        given(CYCLE).when(opened_guild(apply=asked), guild()).refused("exemption.window_without_dates", purpose="apply")
    half = WindowAsked(to_day=date(2026, 5, 10))
    given(CYCLE).when(opened_guild(correct=half), guild()).refused("exemption.window_without_dates", purpose="correct")


def test_the_days_that_lists_leave_out_are_written_into_the_event() -> None:
    """劳动节 2026: off from 1 to 5 May, and Saturday 9 May is worked; Sunday 10 May is a weekend."""
    events = given(CYCLE).when(opened_guild(correct=WindowAsked()), guild()).happened()
    (said,) = [event for event in events if isinstance(event, DaysExcluded)]
    assert said.lists == ("holidays", "weekends")
    assert said.days == tuple(date(2026, 5, day) for day in (1, 2, 3, 4, 5, 10))
    (window,) = [event for event in events if isinstance(event, WindowSet) and event.purpose == "correct"]
    assert window.excluded == said.days


def test_an_extension_leaves_out_the_days_off_that_it_adds() -> None:
    past = given(CYCLE).and_then(opened_guild(correct=WindowAsked()), guild())
    longer = ExtendWindow(cycle="c", purpose="correct", to_day=date(2026, 5, 18), reason="系统维护")
    outcome = past.when(longer, guild()).then_kinds(WindowExtended, DaysExcluded)
    assert isinstance(outcome.state, Cycle)
    assert outcome.state.windows["correct"].excluded[-3:] == (date(2026, 5, 10), date(2026, 5, 16), date(2026, 5, 17))
    assert outcome.state.windows["correct"].last_closing() == shanghai(5, 19, 2)


def test_an_extension_by_days_off_alone_is_none() -> None:
    asked = WindowAsked(date(2026, 5, 11), date(2026, 5, 15))
    past = given(CYCLE).and_then(opened_guild(correct=asked), guild())
    sunday = ExtendWindow(cycle="c", purpose="correct", to_day=date(2026, 5, 17), reason="系统维护")
    past.when(sunday, guild()).refused("exemption.extension_of_days_off", purpose="correct", to_day="2026-05-17")


def test_a_year_whose_holidays_are_not_known_is_refused_and_its_days_can_be_named_instead() -> None:
    far = WindowAsked(date(2049, 12, 20), date(2050, 1, 10))
    refused = given(CYCLE).when(opened_guild(correct=far), guild())
    refused.refused("exemption.holidays_not_known")
    named = replace(far, skip=(), excluded=(date(2050, 1, 1),))
    windows = windows_of(given(CYCLE).and_then(opened_guild(correct=named), guild()))
    assert windows["correct"].excluded == (date(2050, 1, 1),)


def test_nobody_learns_from_a_refusal_what_they_may_not_do_anyway() -> None:
    far = WindowAsked(date(2049, 12, 20), date(2050, 1, 10))
    given(CYCLE).when(opened_guild(correct=far), guild(roles=frozenset())).refused("access.not_allowed")


# --- the end of a window


def ending(at: datetime, purpose: str = "apply") -> EndWindow:
    return EndWindow(cycle="c", purpose=purpose, due_at=at)


def test_a_window_ends_once() -> None:
    over = shanghai(4, 1)
    ended = opened().and_then(ending(over), ops(now=over))
    assert ended.past[-1] == CycleWindowEnded(purpose="apply", ended_at=over, settles=False)
    ended.when(ending(over), ops(now=over + timedelta(hours=1))).then()
    ended.when(CLOSE, ops(UNI, now=over)).then(CycleClosed(reason="取消", closed_by="staff-ops"))


def test_a_timer_of_before_an_extension_ends_nothing_and_that_of_the_new_end_does() -> None:
    before, after = shanghai(4, 1), shanghai(4, 6)
    longer = opened().and_then(LONGER, ops(UNI))
    longer.when(ending(before), ops(now=before)).then()
    longer.when(ending(after), ops(now=after)).then_kinds(CycleWindowEnded)


def test_a_window_that_was_extended_after_its_end_ends_again() -> None:
    over = shanghai(4, 1)
    again = opened().and_then(ending(over), ops(now=over)).and_then(LONGER, ops(UNI, now=over))
    again.when(ending(shanghai(4, 6)), ops(now=shanghai(4, 6))).then_kinds(CycleWindowEnded)


def test_a_clock_that_is_fast_ends_no_window() -> None:
    over = shanghai(4, 1)
    opened().when(ending(over), ops(now=over - timedelta(seconds=1))).refused("exemption.window_not_over")


def test_where_the_closing_second_counts_the_window_is_over_after_it() -> None:
    past = given(CYCLE).and_then(opened_guild(), guild())
    over = windows_of(past)["apply"].over_at()
    assert over == shanghai(3, 20, 17) + timedelta(seconds=1)
    past.when(ending(over), guild(now=over)).then_kinds(CycleWindowEnded)


def test_nothing_of_a_cycle_that_is_not_there_or_is_closed_ends() -> None:
    over = shanghai(4, 1)
    given(CYCLE).when(ending(over), ops(now=over)).then()
    opened().and_then(CLOSE, ops(UNI)).when(ending(over), ops(now=over)).then()


# --- what a closing by hand leaves alone

MASTER = ("harbour_master", "harbour")


def season(**windows: WindowAsked) -> OpenCycle:
    """Of the book with a query of results and with validity; `windows` in place of its own days."""
    said = {each: WindowAsked(first.from_day, first.to_day, ()) for each, first in WINDOWS[REEF.ref].items()}
    return OpenCycle(scheme=REEF.ref, organisation="harbour", title="批次", windows={**said, **windows})


def reef(now: datetime = NOON) -> CycleContext:
    return CycleContext(now, "staff-ops", frozenset({MASTER}), REEF, HARBOUR)


def test_closed_by_hand_windows_in_which_something_is_done_end_and_queries_and_validity_keep_their_days() -> None:
    closed = given(CYCLE).and_then(season(), reef()).and_then(CLOSE, reef())
    cycle = closed.state
    assert isinstance(cycle, Cycle)
    assert cycle.ended == {"apply", "correct", "confirm"}
    assert {cycle.phase(each, NOON) for each in cycle.ended} == {"closed"}
    assert [cycle.phase(each, NOON) for each in ("results", "use")] == ["not_yet", "not_yet"]
    assert cycle.phase("results", shanghai(4, 10)) == "open"
    over = cycle.windows["use"].over_at()
    assert over
    closed.when(ending(over, "use"), reef(over)).then(CycleWindowEnded(purpose="use", ended_at=over, settles=True))


def test_results_that_could_be_seen_while_applications_are_taken_open_no_cycle() -> None:
    """SX-E-39."""
    last = WINDOWS[REEF.ref]["apply"].to_day
    early, late = (WindowAsked(last + timedelta(days=days), last + timedelta(days=9)) for days in (0, 1))
    refused = given(CYCLE).when(season(results=early), reef())
    refused.refused("exemption.impossible_window", faults=["results_before_handing_in_is_over"])
    given(CYCLE).and_then(season(results=late), reef())


def test_handing_in_is_extended_up_to_the_opening_of_the_results_and_not_into_it() -> None:
    """SX-E-39: else whoever hands in late reads what was decided of the others."""
    last = WINDOWS[REEF.ref]["apply"].to_day
    query = WindowAsked(last + timedelta(days=4), last + timedelta(days=9))
    later = WindowAsked(last, last + timedelta(days=9))
    past = given(CYCLE).and_then(season(results=query, correct=later, confirm=later), reef())

    def longer(purpose: str, days: int) -> ExtendWindow:
        return ExtendWindow(cycle="c", purpose=purpose, to_day=last + timedelta(days=days), reason="系统维护")

    into = past.when(longer("apply", 4), reef())
    into.refused("exemption.impossible_window", purpose="results", faults=["results_before_handing_in_is_over"])
    past.when(longer("apply", 3), reef()).then_kinds(WindowExtended)
    past.when(longer("results", 20), reef()).then_kinds(WindowExtended)


# --- who may open

FOREIGN = Organisation("far", "远港", "harbour", None)
ISLES = {**HARBOUR, "far": FOREIGN, "sea": Organisation("sea", "海关", "customs", None)}
FAR = ("harbour_master", "far")


@pytest.mark.parametrize(
    ("role", "organisation", "refusal"),
    [
        (MASTER, "harbour", None),
        (MASTER, "jetty", None),
        (("harbour_master", "*"), "harbour", None),
        (("harbour_master", "jetty"), "jetty", "access.not_allowed"),
        (("harbour_master", "jetty"), "harbour", "access.not_allowed"),
        (("jetty_clerk", "jetty"), "jetty", "access.not_allowed"),
        (FAR, "harbour", "access.not_allowed"),
        (FAR, "far", "exemption.organisation_of_another_jurisdiction"),
        (("harbour_master", "sea"), "sea", "access.not_allowed"),
        (("harbour_master", "*"), "far", "exemption.organisation_of_another_jurisdiction"),
        (("harbour_master", "*"), "nowhere", "exemption.no_such_organisation"),
        (("harbour_master", "nowhere"), "nowhere", "exemption.no_such_organisation"),
        (MASTER, "nowhere", "access.not_allowed"),
    ],
)
def test_a_cycle_is_opened_at_the_level_of_the_book_and_by_nobody_of_another_jurisdiction(
    role: tuple[str, str], organisation: str, refusal: str | None
) -> None:
    context = CycleContext(NOON, "staff", frozenset({role}), REEF, ISLES, frozenset({"harbour"}))
    asked = OpenCycle(scheme=REEF.ref, organisation=organisation, title="批次", windows=season().windows)
    outcome = given(CYCLE).when(asked, context)
    assert (outcome.refusal.code if outcome.refusal else None) == refusal


# --- which windows a book may have


def book_with(*windows: dict[str, Any]) -> Rules:
    said = SWUST.book.model_dump(exclude_unset=True)
    return Rules("a/b@1", ExemptionScheme.model_validate({**said, "windows": [*said["windows"], *windows]}))


def test_a_book_may_have_windows_of_queries_and_of_prior_education_and_none_without_a_purpose() -> None:
    query = {"id": "result_query", "title": "结果查询", "query": True, "source": "SX-E-39"}
    prior = {"id": "prior_education", "title": "前置学历", "source": "HB-03"}
    book = book_with(query, prior).book
    assert [(each.id, each.query) for each in book.windows] == [
        ("apply", False),
        ("result_query", True),
        ("prior_education", False),
    ]
    with pytest.raises(ValueError, match="nothing depends on: pay"):
        book_with({"id": "pay", "title": "缴费", "source": "assumption"})


def test_nothing_is_handed_in_in_the_window_of_a_query() -> None:
    said = SWUST.book.model_dump(exclude_unset=True)
    with pytest.raises(ValueError, match="nothing can be handed in: apply"):
        ExemptionScheme.model_validate({**said, "windows": [{**said["windows"][0], "query": True}]})
