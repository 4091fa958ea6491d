"""Rounds, ratios and holds, with readings made up; no server, no clock."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from rich.console import Console

from bench import report
from bench.main import measures
from bench.rounds import BARE, OURS, PEER, Case, Hold, Line, Measure, Reading, Taken, driven, percentile, taken
from bench.workplace import Workplace


def measure(*holds: Hold, cases: Mapping[str, Case] | None = None) -> Measure:
    @asynccontextmanager
    async def opened(_: Workplace) -> AsyncIterator[Mapping[str, Case]]:
        yield cases or {}

    return Measure("made up", "events/s", holds, opened)


def readings(of: Measure, **figures: list[float]) -> Taken:
    return Taken(
        of,
        tuple(
            Line(case, number, Reading(value, {"p99_ms": 10 * value}), 1.0, 1.0)
            for case, values in figures.items()
            for number, value in enumerate(values)
        ),
    )


def test_a_ratio_is_the_median_of_what_was_divided_within_each_round() -> None:
    """A machine that was ten times as fast in one round changes nothing; the ratio of the medians would be 0.08."""
    told = readings(measure(Hold(BARE, 0.6)), bare=[100.0, 1000.0, 100.0], ours=[80.0, 800.0, 8.0])
    (verdict,) = told.verdicts
    assert verdict.ratios == (0.8, 0.8, 0.08)
    assert verdict.ratio == 0.8
    assert verdict.kept is True


@pytest.mark.parametrize(("ours", "kept"), [(20.0, True), (21.0, False)])
def test_what_takes_time_is_to_take_at_most_its_factor(ours: float, kept: bool) -> None:
    (verdict,) = readings(measure(Hold(BARE, 2, at_most=True)), bare=[10.0], ours=[ours]).verdicts
    assert verdict.kept is kept


def test_a_hold_may_be_of_a_figure_beside_the_value() -> None:
    (verdict,) = readings(measure(Hold(BARE, 3, at_most=True, figure="p99_ms")), bare=[1.0], ours=[2.0]).verdicts
    assert (verdict.ours, verdict.beside, verdict.ratio) == (20.0, 10.0, 2.0)


def test_a_hold_beside_a_library_that_is_not_installed_is_neither_kept_nor_missed() -> None:
    (verdict,) = readings(measure(Hold(PEER, 3)), ours=[1.0]).verdicts
    assert (verdict.ratio, verdict.kept) == (None, None)


async def test_every_other_round_runs_the_cases_in_the_opposite_order(tmp_path: Path) -> None:
    ran: list[str] = []

    def case(name: str) -> Case:
        async def run() -> Reading:
            ran.append(name)
            return Reading(float(len(ran)))

        return run

    of = measure(cases={name: case(name) for name in (BARE, OURS, PEER)})
    told = await taken(of, cast(Workplace, SimpleNamespace(folder=tmp_path)), 2)
    assert ran == [BARE, OURS, PEER, PEER, OURS, BARE]
    assert told.figures(OURS) == {0: 2.0, 1: 5.0}


async def test_what_is_driven_is_counted_without_its_first_turn() -> None:
    turns = 0

    async def step() -> None:
        nonlocal turns
        turns += 1
        await asyncio.sleep(0.01)

    reading = await driven(0.2, [step, step], size=100)
    assert turns > 4
    assert reading.value <= 100 * (turns - 2) / 0.2
    assert 10 <= reading.more["p50_ms"] <= reading.more["p99_ms"]


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(value) for value in range(1, 101)]
    assert [percentile(values, percent) for percent in (0, 50, 99, 100)] == [1.0, 50.0, 99.0, 100.0]
    assert percentile([7.0], 99) == 7.0


def test_the_report_says_what_is_held_what_is_missed_and_what_was_not_there() -> None:
    of = measure(Hold(BARE, 0.6), Hold(BARE, 0.9), Hold(PEER, 3))
    told = [readings(of, bare=[100.0], ours=[80.0], other=[50.0])]
    console = Console(width=120, record=True, file=cast(Any, SimpleNamespace(write=len, flush=str)))
    report.show(console, told)
    text = console.export_text()
    for words in ("held", "missed", "not there", "made up (other)", "1 held, 1 missed, 1 not measured"):
        assert words in text
    (kept,) = msgspec.json.decode(report.as_json(told, 1, 0.1))["measures"]
    assert [hold["kept"] for hold in kept["holds"]] == [True, False, None]
    assert [reading["case"] for reading in kept["readings"]] == ["bare", "ours", "other"]


def test_every_measure_holds_something_and_has_a_name_of_its_own() -> None:
    all_of_them = measures()
    assert all(each.holds for each in all_of_them)
    assert len({each.name for each in all_of_them}) == len(all_of_them)
