"""Cycles over HTTP: announced, open by their hours, extended with a reason, over by a timer (SD-03, SD-04, SD-45)."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from shared.kernel.time import SHANGHAI
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.services.exemption.office import CLERK, DEAN, SCHEME, Office, code, open_office
from tests.shared.runtime.nodes import until

pytestmark = pytest.mark.servers
TODAY = date(2026, 3, 10)  # of the office's clock, at noon
THREE_DAYS = {"from_day": "2026-03-10", "to_day": "2026-03-12"}
HOURS = [["09:00", "12:00"], ["13:00", "17:00"]]
NOBODYS = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
async def database(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        yield url


@pytest.fixture(scope="module")
async def blobs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture
async def office(database: str, blobs: Path) -> AsyncIterator[Office]:
    async with open_office(database, blobs) as opened:
        yield opened


@contextmanager
def at(office: Office, hour: int, minute: int = 0, second: int = 0, day: date = TODAY) -> Iterator[None]:
    """By the office's clock, which then goes back."""
    before = office.clock.now
    office.clock.now = datetime(day.year, day.month, day.day, hour, minute, second, tzinfo=SHANGHAI)
    try:
        yield
    finally:
        office.clock.now = before


async def opening(office: Office, **window: Any) -> httpx.Response:
    body = {"scheme": SCHEME, "organisation": "swust", "title": "测试批次", "windows": {"apply": window}}
    return await office.staff("post", "/v1/cycles", DEAN, json=body)


async def opened(office: Office, from_day: date = TODAY, days: int = 2, **window: Any) -> str:
    to_day = from_day + timedelta(days=days)
    answer = await opening(office, from_day=f"{from_day}", to_day=f"{to_day}", **window)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def shown(office: Office, cycle: str) -> dict[str, Any]:
    answer = await office.web.client.get(f"/v1/cycles/{cycle}")
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def ends_of(office: Office, cycle: str) -> list[datetime]:
    rows = await office.web.service.pool.fetch(
        "select body->>'ended_at' as at from events where stream = $1 and type = 'exemption.cycle_window_ended.v1' "
        "order by version",
        f"cycle-{cycle}",
    )
    return [datetime.fromisoformat(row["at"]) for row in rows]


async def timer_of(office: Office, cycle: str) -> datetime | None:
    due = await office.web.service.pool.fetchval("select due_at from timers where stream = $1", f"cycle-{cycle}")
    assert due is None or isinstance(due, datetime)
    return due


def midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=SHANGHAI)


# --- announced, open, paused, over


async def test_a_cycle_is_announced_to_everybody_before_anything_can_be_started_in_it(office: Office) -> None:
    soon = TODAY + timedelta(days=13)
    cycle = await opened(office, soon, daily=HOURS)
    told = await shown(office, cycle)
    (window,) = told["windows"]
    opens = datetime(soon.year, soon.month, soon.day, 9, tzinfo=SHANGHAI)
    assert (told["phase"], window["phase"], window["open"]) == ("announced", "not_yet", False)
    assert (window["title"], window["query"]) == ("网上申请", False)
    assert datetime.fromisoformat(window["opens_at"]) == opens
    until_then = (opens - datetime.fromisoformat(told["at"])).total_seconds()
    assert until_then <= window["opens_in"] < until_then + 1
    assert (window["closes_at"], window["closes_in"]) == (None, None)
    refused = await office.me(await office.somebody(), "post", "/v1/applications", json={"cycle": cycle})
    assert code(refused, 409) == "exemption.window_not_open_yet"
    assert refused.json()["facts"]["opens"] == opens.strftime("%Y-%m-%d %H:%M:%S")


async def test_noon_exactly_is_outside_and_one_o_clock_is_inside(office: Office) -> None:
    """SD-04."""
    who, cycle = await office.somebody(), await opened(office, daily=HOURS)
    with at(office, 11, 59, 59):
        application = await office.draft(who, cycle)
        (window,) = (await shown(office, cycle))["windows"]
        assert (window["phase"], window["closes_in"]) == ("open", 1)
    for late in ((12, 0, 0), (12, 59, 59)):
        with at(office, *late):
            answer = await office.me(who, "post", f"/v1/applications/{application}/submit")
            assert code(answer, 409) == "exemption.window_not_open_yet"
            assert answer.json()["facts"]["opens"] == "2026-03-10 13:00:00"
            told = await shown(office, cycle)
            assert (told["phase"], told["windows"][0]["phase"]) == ("paused", "paused")
    with at(office, 13):
        assert (await office.me(who, "post", f"/v1/applications/{application}/submit")).status_code == 200


async def test_whole_days_do_not_close_at_night(office: Office) -> None:
    cycle = await opened(office)
    (window,) = (await shown(office, cycle))["windows"]
    assert datetime.fromisoformat(window["closes_at"]) == midnight(TODAY + timedelta(days=3))
    assert window["opens_at"] is None


async def test_a_closed_cycle_is_closed_in_all_its_windows(office: Office) -> None:
    cycle = await opened(office)
    answer = await office.staff("post", f"/v1/cycles/{cycle}/close", DEAN, json={"reason": "取消"})
    assert answer.json()["events"] == ["exemption.cycle_closed.v1", "exemption.cycle_window_ended.v1"]
    told = await shown(office, cycle)
    (window,) = told["windows"]
    assert (told["phase"], window["phase"], window["closes_at"], window["opens_at"]) == ("closed", "closed", None, None)
    assert await timer_of(office, cycle) is None


# --- what a cycle is opened with


async def test_days_off_by_lists_are_left_out_and_shown(office: Office) -> None:
    """清明节 2026: Saturday 4 to Monday 6 April."""
    cycle = await opened(office, date(2026, 4, 1), days=10, skip=["holidays", "weekends"])
    (window,) = (await shown(office, cycle))["windows"]
    assert window["excluded"] == ["2026-04-04", "2026-04-05", "2026-04-06", "2026-04-11"]


@pytest.mark.parametrize(
    ("window", "refusal"),
    [
        ({}, "exemption.window_without_dates"),
        ({"from_day": "2026-03-10"}, "exemption.window_without_dates"),
        ({"from_day": "2026-03-10", "to_day": "2026-03-09"}, "exemption.impossible_window"),
        ({**THREE_DAYS, "daily": [["22:00", "02:00"]]}, "exemption.impossible_window"),
        ({**THREE_DAYS, "daily": [["09:00+01:00", "12:00"]]}, "exemption.impossible_window"),
        ({"from_day": "2049-12-01", "to_day": "2050-01-02", "skip": ["holidays"]}, "exemption.holidays_not_known"),
        ({**THREE_DAYS, "skip": ["full_moons"]}, "request.invalid"),
        ({"from_day": "2026-02-30", "to_day": "2026-03-12"}, "request.invalid"),
    ],
)
async def test_a_window_that_cannot_be_is_refused_with_a_code(
    office: Office, window: dict[str, Any], refusal: str
) -> None:
    assert code(await opening(office, **window), 422) == refusal


async def test_who_did_what_with_a_cycle_and_why_is_told_to_those_who_may_do_so(office: Office) -> None:
    cycle = await opened(office)
    longer = {"purpose": "apply", "to_day": "2026-03-20", "reason": "系统维护"}
    assert (await office.staff("post", f"/v1/cycles/{cycle}/extend", DEAN, who="dean", json=longer)).status_code == 200
    told = (await office.staff("get", f"/v1/cycles/{cycle}/history", DEAN)).json()["items"]
    assert [line["deed"] for line in told] == ["开放批次", "公布办理时间", "延长办理时间"]
    assert {key: told[-1][key] for key in ("actor", "purpose", "to_day", "reason")} == {"actor": "dean", **longer}
    assert code(await office.staff("get", f"/v1/cycles/{cycle}/history", CLERK), 403) == "access.not_allowed"
    assert code(await office.staff("get", f"/v1/cycles/{NOBODYS}/history", DEAN), 404) == "access.not_found"


# --- the end of a window


async def test_the_end_of_a_window_is_recorded_once_and_an_extension_moves_it(office: Office) -> None:
    cycle = await opened(office)
    assert await timer_of(office, cycle) == midnight(TODAY + timedelta(days=3))
    longer = {"purpose": "apply", "to_day": f"{TODAY + timedelta(days=5)}", "reason": "系统维护"}
    assert (await office.staff("post", f"/v1/cycles/{cycle}/extend", DEAN, json=longer)).status_code == 200
    over = midnight(TODAY + timedelta(days=6))
    assert await timer_of(office, cycle) == over
    with at(office, 0, day=TODAY + timedelta(days=3)):
        await office.web.node.timers.fire_due()
        assert await ends_of(office, cycle) == []
    with at(office, 0, day=TODAY + timedelta(days=6)):
        await until(lambda: _has_ended(office, cycle))
        await office.web.node.timers.fire_due()
        assert (await shown(office, cycle))["phase"] == "over"
    assert await ends_of(office, cycle) == [over]
    assert await timer_of(office, cycle) is None


async def _has_ended(office: Office, cycle: str) -> bool:
    return await ends_of(office, cycle) != []


async def test_a_window_that_ends_while_nothing_runs_is_over_after_the_restart(database: str, blobs: Path) -> None:
    async with open_office(database, blobs) as before:
        cycle = await opened(before)
    async with open_office(database, blobs, timers=False) as asleep:
        assert await ends_of(asleep, cycle) == []
    async with open_office(database, blobs) as after:
        with at(after, 8, day=TODAY + timedelta(days=9)):
            await until(lambda: _has_ended(after, cycle))
        assert await ends_of(after, cycle) == [midnight(TODAY + timedelta(days=3))]


async def test_cycles_and_their_timers_are_rebuilt_from_their_events_without_a_difference(office: Office) -> None:
    cycle = await opened(office, date(2026, 4, 1), days=10, skip=["weekends"])
    longer = {"purpose": "apply", "to_day": "2026-04-20", "reason": "系统维护"}
    assert (await office.staff("post", f"/v1/cycles/{cycle}/extend", DEAN, json=longer)).status_code == 200
    (window,) = (await shown(office, cycle))["windows"]
    assert window["excluded"][-1] == "2026-04-19"
    service = office.web.service
    async with service.reading() as connection:
        found = await compare(connection, service.definition, service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
    assert {table.name for table in found.tables if table.rebuilt} >= {"cycles", "cycle_windows", "timers"}
