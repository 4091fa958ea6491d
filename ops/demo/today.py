"""A cycle for today: its windows as they are asked for when it is opened. Pure; `walk.py` asks.

Whole days unless a story wants one window to end and another to begin while it is told.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from ops.demo.script import Today
from shared.kernel.time import SHANGHAI

_WHOLE = Today()


def passes(said: Mapping[str, Today]) -> bool:
    """Whether windows end while the story is told, so that the next story needs a cycle of its own."""
    return any(each.seconds for each in said.values())


def until_there_is_room(said: Mapping[str, Today], now: datetime) -> timedelta:
    """How long to wait, lest a window of seconds runs over midnight: its hours are those of one day."""
    needed = timedelta(seconds=5 + sum((each.seconds or 0) + each.pause for each in said.values()))
    local = now.astimezone(SHANGHAI)
    tomorrow = (local + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return tomorrow - local if passes(said) and local + needed >= tomorrow else timedelta()


def windows_for_today(purposes: Sequence[str], said: Mapping[str, Today], now: datetime) -> dict[str, dict[str, Any]]:
    """For each window of the book its days and hours, as `POST /v1/cycles` takes them."""
    start = now.astimezone(SHANGHAI).replace(microsecond=0)
    ends = {name: start + timedelta(seconds=each.seconds) for name, each in said.items() if each.seconds}
    return {purpose: _window(purpose, said.get(purpose, _WHOLE), start, ends) for purpose in purposes}


def _window(purpose: str, said: Today, start: datetime, ends: Mapping[str, datetime]) -> dict[str, Any]:
    today, tomorrow = start.date().isoformat(), (start + timedelta(days=1)).date().isoformat()
    if said.seconds:
        return {"from_day": today, "to_day": today, "daily": [[f"{start:%H:%M:%S}", f"{ends[purpose]:%H:%M:%S}"]]}
    if said.after:
        opens = ends[said.after] + timedelta(seconds=said.pause)
        return {"from_day": today, "to_day": today, "daily": [[f"{opens:%H:%M:%S}", "00:00:00"]]}
    return {"from_day": today, "to_day": tomorrow, "daily": [], "skip": []}  # a story told at midnight goes on
