"""Windows: dates, daily hours, days left out, Shanghai time, and the two ways an hour can end (SD-03, SD-04, SW-13)."""

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Window

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
        (Window(date(2023, 5, 1), date(2023, 5, 1), ((time(12), time(9)),)), "hours_end_before_they_start"),
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
