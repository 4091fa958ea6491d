"""Which days nobody works: the holidays of the State Council with their make-up workdays, and weekends. Pure.

`services/exemption/domain/cycle.py` asks it when a cycle is opened or extended, and writes the days into the event:
replay needs no calendar, and a later correction of the calendar moves no window that was announced.
"""

from collections.abc import Collection
from datetime import date, timedelta

from chinese_calendar import get_holiday_detail

from shared.kernel.errors import Refused
from shared.schemes.procedure import Skip

_SATURDAY = 5


def days_off(first: date, last: date, lists: Collection[Skip]) -> tuple[date, ...]:
    """The days from `first` to `last`, both inclusive, that are on one of the lists.

    `holidays` are all days off of a public holiday; `weekends` Saturdays and Sundays, but for make-up workdays (调休).
    """
    if not lists:
        return ()
    return tuple(day for day in _days(first, last) if _is_off(day, lists))


def _days(first: date, last: date) -> list[date]:
    for year in {first.year, last.year}:
        _must_be_known(year)
    return [first + timedelta(days=count) for count in range((last - first).days + 1)]


def _must_be_known(year: int) -> None:
    """Each year's holidays are announced in the autumn before it."""
    try:
        get_holiday_detail(date(year, 1, 1))
    except NotImplementedError:  # what chinesecalendar raises for a year it does not know
        raise Refused("exemption.holidays_not_known", year=year) from None


def _is_off(day: date, lists: Collection[Skip]) -> bool:
    off, holiday = get_holiday_detail(day)
    if not off:
        return False
    return (holiday is not None and "holidays" in lists) or (day.weekday() >= _SATURDAY and "weekends" in lists)
