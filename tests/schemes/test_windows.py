"""Windows: dates, daily hours, days left out, Shanghai time, and how an hour can end (SD-03, SD-04, SD-45, SW-13)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Purpose, Window, faults_of_hours, hours_of

HOURS = ((time(9), time(12)), (time(13), time(17)))
NOTICE = Window(date(2023, 5, 17), date(2023, 5, 19), HOURS)


def shanghai(day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
    return datetime(2023, 5, day, hour, minute, second, tzinfo=SHANGHAI)


@pytest.mark.parametrize(
    ("now", "open_"),
    [
        (shanghai(16, 10), False),
        (shanghai(17, 8, 59, 59), False),
        (shanghai(17, 9), True),
        (shanghai(17, 11, 59, 59), True),
        (shanghai(17, 12), False),
        (shanghai(17, 12, 59, 59), False),
        (shanghai(17, 13), True),
        (shanghai(19, 16, 59, 59), True),
        (shanghai(19, 17), False),
        (shanghai(20, 10), False),
    ],
)
def test_daily_hours_hold_their_first_instant_and_not_their_last(now: datetime, open_: bool) -> None:
    assert NOTICE.holds(now) is open_
    assert NOTICE.holds(now.astimezone(UTC)) is open_


def test_noon_is_outside_and_one_o_clock_is_inside_with_the_next_opening_told_meanwhile() -> None:
    """SD-04: 09:00-12:00 and 13:00-17:00, where the book does not say that the closing second counts."""
    assert NOTICE.closing(shanghai(17, 11, 59, 59)) == shanghai(17, 12)
    for outside in (shanghai(17, 12), shanghai(17, 12, 59, 59)):
        assert not NOTICE.holds(outside)
        assert NOTICE.next_opening(outside) == shanghai(17, 13)
    assert NOTICE.holds(shanghai(17, 13))
    assert NOTICE.next_opening(shanghai(17, 17)) == shanghai(18, 9)


def test_where_the_book_says_so_the_closing_second_still_counts() -> None:
    window = Window(date(2023, 5, 17), date(2023, 5, 19), HOURS, close_inclusive=True)
    assert window.holds(shanghai(17, 12))
    assert window.holds(shanghai(17, 12) + timedelta(milliseconds=999))
    assert not window.holds(shanghai(17, 12, 0, 1))


def test_three_days_of_these_hours_are_21_hours() -> None:
    assert sum((end - start for start, end in NOTICE.intervals()), timedelta()) == timedelta(hours=21)


def test_whole_days_end_at_midnight_in_shanghai() -> None:
    window = Window(date(2023, 5, 17), date(2023, 5, 19))
    assert not window.holds(datetime(2023, 5, 16, 15, 59, 59, tzinfo=UTC))
    assert window.holds(datetime(2023, 5, 16, 16, 0, tzinfo=UTC))
    assert window.holds(datetime(2023, 5, 19, 15, 59, 59, 999999, tzinfo=UTC))
    assert not window.holds(datetime(2023, 5, 19, 16, 0, tzinfo=UTC))


def test_excluded_days_are_closed_and_the_next_opening_jumps_over_them() -> None:
    window = Window(date(2023, 5, 17), date(2023, 5, 19), HOURS, excluded=(date(2023, 5, 18),))
    assert not window.holds(shanghai(18, 10))
    assert window.next_opening(shanghai(17, 16)) == shanghai(19, 9)


def test_the_next_opening_is_told_until_there_is_none() -> None:
    assert NOTICE.next_opening(shanghai(1)) == shanghai(17, 9)
    assert NOTICE.next_opening(shanghai(17, 12, 30)) == shanghai(17, 13)
    assert NOTICE.next_opening(shanghai(19, 13)) is None
    assert NOTICE.last_closing() == shanghai(19, 17)


@pytest.mark.parametrize(
    ("window", "fault"),
    [
        (Window(date(2023, 5, 2), date(2023, 5, 1)), "to_day_before_from_day"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(12), time(12)),)), "hours_end_as_they_start"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(22), time(2)), (time(23), time(1)))), "hours_overlap"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(9), time(12)), (time(22), time(10)))), "hours_overlap"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(13), time(17)), (time(9), time(12)))), "hours_overlap"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(9, tzinfo=UTC), time(12)),)), "hours_of_another_zone"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(9), time(12)), (time(11), time(13)))), "hours_overlap"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(9), time(0)), (time(13), time(17)))), "hours_overlap"),
        (Window(date(2023, 5, 1), date(2023, 5, 1), (), (date(2023, 5, 1),)), "never_open"),
    ],
)
def test_dates_and_hours_that_make_no_sense_are_named(window: Window, fault: str) -> None:
    assert window.faults() == [fault]


def test_hours_may_run_until_midnight() -> None:
    window = Window(date(2023, 5, 17), date(2023, 5, 17), ((time(20), time(0)),))
    assert window.faults() == []
    assert window.holds(shanghai(17, 23, 59, 59))
    assert not window.holds(shanghai(18))


@given(st.datetimes(datetime(2023, 5, 15), datetime(2023, 5, 22)), st.booleans())  # noqa: DTZ001 - made aware below
def test_a_window_is_either_open_or_tells_when_it_opens_or_is_over(naive: datetime, inclusive: bool) -> None:
    now = naive.replace(tzinfo=SHANGHAI)
    window = Window(NOTICE.from_day, NOTICE.to_day, HOURS, close_inclusive=inclusive)
    opening = window.next_opening(now)
    last = window.last_closing()
    assert last is not None
    assert opening is None or (opening > now and window.holds(opening))
    if not window.holds(now) and opening is None:
        assert now >= last


# --- nights

NIGHTS = Window(date(2023, 5, 17), date(2023, 5, 19), ((time(22), time(2)),))


def test_hours_that_close_overnight_end_on_the_next_day_and_those_of_the_last_day_too() -> None:
    assert NIGHTS.faults() == []
    assert not NIGHTS.holds(shanghai(17, 1))
    assert NIGHTS.holds(shanghai(17, 22))
    assert NIGHTS.closing(shanghai(18, 1, 59, 59)) == shanghai(18, 2)
    assert not NIGHTS.holds(shanghai(18, 2))
    assert NIGHTS.next_opening(shanghai(18, 2)) == shanghai(18, 22)
    assert NIGHTS.holds(shanghai(20, 1, 59, 59))
    assert NIGHTS.last_closing() == NIGHTS.over_at() == shanghai(20, 2)


def test_a_day_left_out_loses_the_night_that_begins_on_it_and_keeps_what_the_night_before_brought() -> None:
    window = Window(NIGHTS.from_day, NIGHTS.to_day, NIGHTS.daily, excluded=(date(2023, 5, 18),))
    assert window.holds(shanghai(18, 1))
    assert not window.holds(shanghai(18, 23))
    assert not window.holds(shanghai(19, 1))
    assert window.next_opening(shanghai(18, 1)) == shanghai(19, 22)


def test_a_night_and_a_day_that_touch_are_one_opening() -> None:
    window = Window(NIGHTS.from_day, NIGHTS.to_day, ((time(2), time(5)), (time(22), time(2))))
    assert window.faults() == []
    assert window.closing(shanghai(17, 23)) == shanghai(18, 5)
    assert list(Window(date(2023, 5, 17), date(2023, 5, 19)).intervals()) == [(shanghai(17), shanghai(20))]


# --- phases


@pytest.mark.parametrize(
    ("now", "phase"),
    [
        (shanghai(4, 12), "not_yet"),
        (shanghai(17, 8, 59, 59), "not_yet"),
        (shanghai(17, 9), "open"),
        (shanghai(17, 12), "paused"),
        (shanghai(17, 23), "paused"),
        (shanghai(19, 13), "open"),
        (shanghai(19, 17), "closed"),
        (shanghai(30), "closed"),
    ],
)
def test_a_window_is_announced_then_open_or_between_its_hours_then_over(now: datetime, phase: str) -> None:
    assert NOTICE.phase(now) == phase


def test_a_window_is_over_from_the_instant_on_from_which_it_never_holds_again() -> None:
    assert NOTICE.over_at() == shanghai(19, 17)
    late = Window(NOTICE.from_day, NOTICE.to_day, HOURS, close_inclusive=True)
    assert late.over_at() == shanghai(19, 17, 0, 1)
    assert late.phase(shanghai(19, 17)) == "open"
    assert Window(date(2023, 5, 17), date(2023, 5, 17), (), (date(2023, 5, 17),)).over_at() is None


# --- every window there is

MINUTES = st.integers(0, 24 * 60 - 1).map(lambda minute: time(minute // 60, minute % 60))


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Any window that makes sense: up to a fortnight, up to three intervals a day, the last perhaps overnight."""
    first = draw(st.dates(date(2023, 1, 1), date(2026, 12, 1)))
    days = draw(st.integers(0, 14))
    marks = sorted(draw(st.lists(MINUTES, min_size=0, max_size=6, unique=True)))
    if draw(st.booleans()):
        marks = marks[1:] + marks[:1]  # the last interval ends where the day began
    daily = tuple(zip(marks[::2], marks[1::2], strict=False))
    left_out = draw(st.sets(st.integers(0, days), max_size=days))
    excluded = tuple(first + timedelta(days=each) for each in sorted(left_out))
    window = Window(first, first + timedelta(days=days), daily, excluded, draw(st.booleans()))
    assume(not window.faults())
    return window


@given(windows())
def test_an_opening_holds_every_instant_up_to_its_closing_and_not_that(window: Window) -> None:
    grace = timedelta(seconds=1) if window.close_inclusive else timedelta()
    tick = timedelta(microseconds=1)
    before = None
    for start, end in window.intervals():
        assert start < end
        assert before is None or before < start
        assert not window.holds(start - tick) or (before is not None and start - tick < before + grace)
        for inside in (start, start + (end - start) / 2, end - tick, end + grace - tick):
            assert window.holds(inside)
        assert window.closing(start) == end
        following = window.next_opening(end)
        assert not window.holds(end + grace) or (following is not None and following <= end + grace)
        before = end


@given(windows(), st.floats(-1, 1.5))
def test_the_next_opening_is_the_next_and_the_phase_says_whether_there_is_one(window: Window, share: float) -> None:
    starts = [start for start, _ in window.intervals()]
    over = window.over_at()
    assert over is not None
    now = starts[0] + (over - starts[0]) * share
    assert window.next_opening(now) == min((start for start in starts if start > now), default=None)
    phase = window.phase(now)
    assert (phase == "open") == window.holds(now)
    assert (phase == "closed") == (now >= over)
    assert (phase == "not_yet") == (now < starts[0])


@given(windows())
def test_the_openings_of_a_window_are_those_of_its_days_and_no_other(window: Window) -> None:
    """Counted the slow way, minute by minute of the clock on the wall."""
    open_for = sum(((end - start) for start, end in window.intervals()), timedelta())
    lengths = [
        (timedelta(hours=end.hour, minutes=end.minute) - timedelta(hours=start.hour, minutes=start.minute))
        % timedelta(days=1)
        for start, end in window.daily
    ] or [timedelta(days=1)]
    days = (window.to_day - window.from_day).days + 1 - len(set(window.excluded))
    assert open_for == days * sum(lengths, timedelta())


@given(windows())
def test_shanghai_has_no_summer_time_so_an_hour_is_an_hour_in_every_window(window: Window) -> None:
    for start, end in window.intervals():
        assert end.astimezone(UTC) - start.astimezone(UTC) == end.replace(tzinfo=None) - start.replace(tzinfo=None)


# --- what a book says of a window


def purpose(**said: object) -> Purpose:
    return Purpose.model_validate({"id": "apply", "title": "申请", "source": "assumption", **said})


def test_hours_are_written_in_a_book_as_notices_print_them() -> None:
    assert hours_of("09:00-12:00") == HOURS[0]
    assert hours_of("17:00-24:00") == (time(17), time(0))
    assert purpose(hours=["09:00-12:00", "13:00-17:00"]).hours == HOURS
    assert purpose(hours=["22:00-02:00"], overnight=True).hours == NIGHTS.daily
    assert faults_of_hours(HOURS) == []


@pytest.mark.parametrize(
    ("said", "law"),
    [
        ({"hours": ["09:00"]}, "09:00-12:00"),
        ({"hours": ["9-12"]}, "hours are written 09:00-12:00, not 9-12"),
        ({"hours": ["13:00-17:00", "09:00-12:00"]}, "hours_overlap"),
        ({"hours": ["09:00+02:00-12:00"]}, "hours_of_another_zone"),
        ({"hours": ["22:00-02:00"]}, "overnight: true"),
        ({"skip": ["full_moons"]}, "'holidays' or 'weekends'"),
        ({"skip": ["weekends", "weekends"]}, "named twice: weekends"),
        ({"announced": {"from_day": "2023-05-19", "to_day": "2023-05-17", "source": "SD-03"}}, "day_before_from_day"),
        ({"announced": {"from_day": "2023-05-17", "to_day": "2023-05-19"}}, "source"),
    ],
)
def test_a_book_that_says_something_senseless_of_a_window_is_refused(said: dict[str, object], law: str) -> None:
    with pytest.raises(ValidationError, match="(?s)" + law.replace("+", r"\+")):
        purpose(**said)
