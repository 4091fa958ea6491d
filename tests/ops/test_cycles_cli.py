"""`./zikao cycles` as an operator runs it, beside an exemption that runs and one that does not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import date, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from ops import cycles
from services.exemption.domain.commands import WindowAsked
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI, utc_now
from shared.runtime.database import AUDITOR, as_role
from shared.testing.stores import PASSWORD, prepared
from tests.conftest import Databases
from tests.services.exemption.office import DEAN, SCHEME, Office, open_office

KEY = {"ZIKAO_KEK": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "COLUMNS": "200"}  # shared.testing.stores.KEK
TODAY = utc_now().astimezone(SHANGHAI).date()
WINDOW = f"apply={TODAY}..{TODAY + timedelta(days=10)}"
OPENING = ("open", SCHEME, "--organisation", "swust", "--title", "测试批次", "--by", "zhang")


@dataclass
class Town:
    """A running exemption, and the command line beside it."""

    url: str
    office: Office

    async def run(self, *words: str, role: str = AUDITOR) -> Result:
        command = [*words, "--url", as_role(self.url, role, PASSWORD)]
        return await asyncio.to_thread(CliRunner().invoke, cycles.app, command, env=KEY)

    async def act(self, *words: str) -> Result:
        return await self.run(*words, role="exemption")

    async def opened(self, *windows: str) -> str:
        before = {each["id"] for each in await self.listed()}
        asked = [word for window in windows or (WINDOW,) for word in ("--window", window)]
        answer = await self.act(*OPENING, *asked)
        assert answer.exit_code == 0, answer.output
        (made,) = {each["id"] for each in await self.listed()} - before
        return str(made)

    async def listed(self) -> list[dict[str, Any]]:
        return list(json.loads((await self.run("list", "--json")).stdout))


@pytest.fixture(scope="module")
async def town(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_office(url, tmp_path_factory.mktemp("blobs"), timers=False) as office:
            yield Town(url, office)


@pytest.mark.servers
async def test_a_cycle_for_today_is_opened_from_the_book_and_everybody_can_read_it(town: Town) -> None:
    cycle = await town.opened(f"{WINDOW},09:00-12:00,13:00-17:00,without:{TODAY + timedelta(days=1)}")
    (window,) = (await town.office.web.client.get(f"/v1/cycles/{cycle}")).json()["windows"]
    assert window["daily"] == [["09:00", "12:00"], ["13:00", "17:00"]]
    assert window["excluded"] == [f"{TODAY + timedelta(days=1)}"]
    (row,) = [each for each in await town.listed() if each["id"] == cycle]
    assert (row["scheme"], row["organisation"], row["title"]) == (SCHEME, "swust", "测试批次")
    assert row["windows"]["apply"]["hours"] == "09:00-12:00, 13:00-17:00"
    listed = (await town.run("list", SCHEME)).output
    for part in (cycle, "测试批次", f"{TODAY} to {TODAY + timedelta(days=10)}", "09:00-12:00, 13:00-17:00"):
        assert part in listed, part


@pytest.mark.servers
async def test_a_window_is_extended_and_a_cycle_closed_with_a_reason_and_a_name(town: Town) -> None:
    cycle = await town.opened()
    longer = TODAY + timedelta(days=20)
    answer = await town.act("extend", cycle, "apply", f"{longer}", "--reason", "系统维护", "--by", "li")
    assert answer.exit_code == 0, answer.output
    assert "Extended by ops:li: 系统维护" in answer.output
    assert (await town.act("close", cycle, "--reason", "提前结束", "--by", "wang")).exit_code == 0
    shown = json.loads((await town.run("show", cycle, "--json")).stdout)
    assert [(deed["actor"], deed["deed"], deed["reason"]) for deed in shown["history"]] == [
        ("ops:zhang", "开放批次", None),
        ("ops:zhang", "公布办理时间", None),
        ("ops:li", "延长办理时间", "系统维护"),
        ("ops:wang", "结束批次", "提前结束"),
        ("ops:wang", "网上申请办理时间结束", None),
    ]
    assert (shown["closed"], shown["windows"]["apply"]["phase"]) == (True, "closed")
    assert shown["windows"]["apply"]["to_day"] == f"{longer}"
    told = (await town.run("show", cycle)).output
    for part in ("closed", "系统维护", "ops:li", "提前结束"):
        assert part in told, part
    history = await town.office.staff("get", f"/v1/cycles/{cycle}/history", DEAN)
    assert [line["actor"] for line in history.json()["items"]][2:4] == ["ops:li", "ops:wang"]


@pytest.mark.servers
@pytest.mark.parametrize(
    ("words", "code"),
    [
        (lambda cycle: (*OPENING, "--window", "pay=2026-11-20..2026-12-01"), "exemption.wrong_windows"),
        (lambda cycle: (*OPENING, "--window", "apply=announced"), "exemption.window_without_dates"),
        (lambda cycle: (*OPENING, "--window", "apply=2026-12-01..2026-11-20"), "exemption.impossible_window"),
        (lambda cycle: (*OPENING, "--window", "apply=2026-11-20,22:00-02:00"), "exemption.impossible_window"),
        (lambda cycle: (*OPENING, "--window", "apply=2050-01-02,skip:weekends"), "exemption.holidays_not_known"),
        (lambda cycle: (*OPENING, "--window", "apply=tomorrow"), "cycles.unreadable_window"),
        (lambda cycle: (*OPENING, "--window", WINDOW, "--window", WINDOW), "cycles.window_twice"),
        (lambda cycle: ("open", "a/b@1", *OPENING[2:], "--window", WINDOW), "exemption.no_such_scheme"),
        (lambda cycle: (*OPENING, "--organisation", "nowhere", "--window", WINDOW), "exemption.no_such_organisation"),
        (lambda cycle: ("extend", cycle, "apply", "2020-01-01", "--reason", "维护"), "exemption.extension_not_later"),
        (lambda cycle: ("extend", cycle, "apply", "31/12", "--reason", "系统维护"), "cycles.not_a_day"),
        (lambda cycle: ("extend", cycle, "pay", "2050-01-01", "--reason", "系统维护"), "exemption.no_such_window"),
        (lambda cycle: ("extend", "nothing", "apply", "2050-01-01", "--reason", "系统维护"), "access.not_found"),
        (lambda cycle: ("close", cycle, "--reason", " "), "request.text_length"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_a_sentence_with_its_code(
    town: Town, words: Callable[[str], tuple[str, ...]], code: str
) -> None:
    cycle = await town.opened()
    before = await town.listed()
    answer = await town.act(*words(cycle), *(() if words(cycle)[0] == "open" else ("--by", "zhang")))
    assert answer.exit_code == 1, answer.output
    assert answer.output.endswith(f"[{code}]\n"), answer.output
    assert "{" not in answer.output
    assert await town.listed() == before


@pytest.mark.servers
async def test_who_does_it_has_a_name_and_the_reason_is_not_optional(town: Town) -> None:
    cycle = await town.opened()
    assert (await town.act("close", cycle, "--reason", "取消", "--by", "a b")).exit_code == 2
    assert (await town.act("close", cycle, "--by", "zhang")).exit_code == 2
    assert (await town.act("extend", cycle, "apply", f"{TODAY + timedelta(days=30)}", "--by", "zhang")).exit_code == 2
    assert (await town.run("show", "nothing")).output.endswith("[access.not_found]\n")


@pytest.mark.servers
async def test_the_auditor_reads_cycles_and_changes_none(town: Town) -> None:
    cycle = await town.opened()
    before = await town.listed()
    refused = await town.run("close", cycle, "--reason", "取消", "--by", "zhang")
    assert refused.exit_code == 1
    assert await town.listed() == before


# --- what is typed


def test_a_window_is_typed_with_its_days_hours_and_days_left_out() -> None:
    days = date(2026, 11, 20), date(2026, 12, 1)
    hours = ((time(9), time(12)), (time(13), time(17)))
    read = cycles.read_windows
    assert read(["apply=2026-11-20..2026-12-01"]) == {"apply": WindowAsked(*days)}
    assert read(["apply=2026-11-20..2026-12-01,09:00-12:00,13:00-17:00"]) == {"apply": WindowAsked(*days, hours)}
    assert read(["apply=2026-11-20,all-day"]) == {"apply": WindowAsked(days[0], days[0], ())}
    assert read(["apply=announced", "correct=2026-11-20,skip:none"]) == {
        "apply": WindowAsked(),
        "correct": WindowAsked(days[0], days[0], skip=()),
    }
    more = "apply=2026-11-20..2026-12-01,without:2026-11-25,without:2026-11-26,skip:holidays,skip:weekends"
    left_out = (date(2026, 11, 25), date(2026, 11, 26))
    assert read([more]) == {"apply": WindowAsked(*days, None, left_out, ("holidays", "weekends"))}


@pytest.mark.parametrize(
    ("typed", "part"),
    [
        ("apply", "apply"),
        ("apply=", "apply="),
        ("apply=2026-11-20..", "2026-11-20.."),
        ("apply=2026-02-30..2026-03-01", "2026-02-30..2026-03-01"),
        ("apply=2026-11-20..2026-12-01,9-12", "9-12"),
        ("apply=2026-11-20..2026-12-01,without:never", "without:never"),
        ("apply=2026-11-20..2026-12-01,skip:full_moons", "skip:full_moons"),
        ("apply=2026-11-20..2026-12-01,,", ""),
    ],
)
def test_what_cannot_be_read_of_a_window_is_named(typed: str, part: str) -> None:
    with pytest.raises(Refused, match=r"cycles\.unreadable_window") as refused:
        cycles.read_windows([typed])
    assert refused.value.facts == {"window": typed, "part": part}


def test_the_words_of_the_command_line_are_explained(tmp_path: Path) -> None:
    told = CliRunner().invoke(cycles.app, ["open", "--help"], env={"COLUMNS": "200"}).output
    for part in ("PURPOSE=FROM..TO", "all-day", "without:DAY", "skip:LIST", "announced"):
        assert part in told, part
