"""What a draft makes of cycles that were opened by another book, and what of a draft no replay can show. Pure.

Called by `replaying.py` and `whatif.py`.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import cache
from typing import Any

from services.exemption.domain.cycle import Cycle, without
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.kernel.errors import Refused
from shared.schemes.procedure import Purpose, Skip, Window
from shared.schemes.wording import chinese
from shared.schemes.workdays import days_off

NOT_REPLAYED = (
    "open_by",
    "open_at",
    "photos_a_day",
    "drafts",
    "number",
    "certificate_seen_elsewhere",
    "payment",
    "results",
    "hand_off",
    "record_table",
)
"""Rules by which something else is decided than what a replay asks again. Of a fee: what is asked is, paying is not."""


def under(cycle: Cycle, old: Rules, draft: Rules) -> Cycle:
    """The cycle as the draft would have opened it: its dates, with the draft's hours where the book's were meant, and
    without the days that the draft leaves out where the book's lists were meant.

    A window that the draft has besides is open for as long as any other.
    """
    days = [day for window in cycle.windows.values() for day in (window.from_day, window.to_day)]
    windows: dict[str, Window] = {}
    for said in draft.book.windows:
        window, before = cycle.windows.get(said.id, Window(min(days), max(days), said.hours)), old.book.purpose(said.id)
        as_the_book = before is not None and window.daily == before.hours
        daily = said.hours if as_the_book else window.daily
        window = replace(window, daily=daily, close_inclusive=said.close_inclusive)
        windows[said.id] = _skipping(window, cycle, before, said)
    return replace(cycle, windows=windows)


def _skipping(window: Window, cycle: Cycle, before: Purpose | None, said: Purpose) -> Window:
    """Without the days of the draft's lists instead of those of the book's, where the cycle was opened with these.

    A day that was left out by hand too, and that a list has, is not told apart from those of the list.
    """
    lists = cycle.skips.get(said.id, ())
    if before is None or set(lists) != set(before.skip) or set(lists) == set(said.skip):
        return window
    was, would_be = (_off(window.from_day, window.to_day, each) for each in (lists, said.skip))
    if was is None or would_be is None:
        return window
    return without(replace(window, excluded=tuple(set(window.excluded) - set(was))), would_be)


def days_not_known(cycle: Cycle, old: Rules, draft: Rules) -> Iterator[str]:
    """The windows whose days off nobody can tell, because a year's holidays are not known here."""
    for said in draft.book.windows:
        window, before = cycle.windows.get(said.id), old.book.purpose(said.id)
        if not window or not before or set(before.skip) == set(said.skip):
            continue
        if any(_off(window.from_day, window.to_day, each) is None for each in (before.skip, said.skip)):
            yield f"{chinese().path(('windows',))}〔{said.title}〕：不办理的日期（节假日未公布）"


@cache
def _off(first: date, last: date, lists: tuple[Skip, ...]) -> tuple[date, ...] | None:
    try:
        return days_off(first, last, lists)
    except Refused:  # a year whose holidays are not known
        return None


def beyond_replay(old: ExemptionScheme, draft: ExemptionScheme) -> Iterator[str]:
    """What the draft says otherwise, and no replay of decisions can show: by its name."""
    for word in NOT_REPLAYED:
        if getattr(old, word) != getattr(draft, word):
            yield chinese().path(("exemption", word))
    known = {each.id for each in old.windows}
    yield from (f"新的时间段〔{each.title}〕的起止与到期" for each in draft.windows if each.id not in known)
    if _photographs(old.model_dump()) != _photographs(draft.model_dump()):
        yield "对照片文件的要求"


def _photographs(said: Any) -> list[Any]:
    """Everything that a book asks of the files of photographs."""
    if isinstance(said, dict):
        own = [said["photo"]] if isinstance(said.get("photo"), dict) else []
        return own + [each for value in said.values() for each in _photographs(value)]
    return [each for value in said for each in _photographs(value)] if isinstance(said, list | tuple) else []
