"""Days off by named lists, from the calendar of the library: holidays with their make-up workdays, and weekends."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import Refused
from shared.schemes.procedure import Skip
from shared.schemes.workdays import days_off

GOLDEN_WEEK = date(2023, 9, 28), date(2023, 10, 9)
HOLIDAYS: tuple[Skip, ...] = ("holidays",)
WEEKENDS: tuple[Skip, ...] = ("weekends",)
BOTH = HOLIDAYS + WEEKENDS


def october(*days: int) -> tuple[date, ...]:
    return tuple(date(2023, 10, day) for day in days)


def test_holidays_are_all_their_days_off_and_weekends_are_no_make_up_workdays() -> None:
    """中秋节 and 国庆节 2023: off from 29 September to 6 October; Saturday 7 and Sunday 8 October were worked."""
    off = (date(2023, 9, 29), date(2023, 9, 30), *october(1, 2, 3, 4, 5, 6))
    assert days_off(*GOLDEN_WEEK, HOLIDAYS) == off
    assert days_off(*GOLDEN_WEEK, WEEKENDS) == (date(2023, 9, 30), *october(1))
    assert days_off(*GOLDEN_WEEK, BOTH) == off
    assert days_off(date(2023, 5, 13), date(2023, 5, 21), WEEKENDS) == tuple(
        date(2023, 5, day) for day in (13, 14, 20, 21)
    )


def test_no_list_leaves_nothing_out_and_asks_for_no_calendar() -> None:
    assert days_off(date(1900, 1, 1), date(9999, 1, 1), ()) == ()


@pytest.mark.parametrize("year", [1999, 2050, 9998])
def test_a_year_whose_holidays_nobody_knows_is_refused_by_name(year: int) -> None:
    with pytest.raises(Refused, match=r"exemption\.holidays_not_known") as refused:
        days_off(date(2023, 12, 1) if year > 2023 else date(year, 1, 1), date(year, 2, 1), WEEKENDS)
    assert refused.value.facts == {"year": year}


@given(st.dates(date(2015, 1, 1), date(2025, 11, 1)), st.integers(0, 60))
def test_both_lists_together_leave_the_workdays_and_each_day_is_asked_for_alone(first: date, days: int) -> None:
    last = first + timedelta(days=days)
    both = set(days_off(first, last, BOTH))
    assert both == set(days_off(first, last, HOLIDAYS)) | set(days_off(first, last, WEEKENDS))
    days_one_by_one = (first + timedelta(days=count) for count in range(days + 1))
    assert both == {day for day in days_one_by_one if days_off(day, day, BOTH)}
