"""Services are killed at the eight worst moments while people are at work, and nothing is lost or done twice.

After the other journeys by its name, since they count the cases there are.
"""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ops.stack.stack import Stack
from soak import evidence
from soak.checker import check
from soak.faults import World, kill_at
from soak.journal import Journal
from soak.load import Load
from soak.people import gathered

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

CHAINS = {
    "exemption": ("commit.after",),
    "identity": ("commit.before", "confirm.before", "confirm.after"),
    "notification": ("ack.before", "ack.after", "sms.before", "sms.after"),
}
"""Service -> where it is killed, one after the other; the three services at the same time."""
TIMES = 3
"""The process dies when it is there for the third time: it was at work before."""


@pytest.fixture
def world(stack: Stack, tmp_path: Path) -> Iterator[World]:
    journal = Journal(tmp_path / "journal.jsonl")
    load = Load(stack, gathered(stack, applicants=1), journal, seed="worst moments")
    load.start()
    while load.counted["rounds"] < 2:  # of handing in and being sent back: all kinds of work are under way
        assert load.fault is None
        assert not load.refusals
        time.sleep(0.1)
    yield World(stack, load)
    load.stop(within=0)
    journal.close()


def test_a_kill_at_any_of_the_worst_moments_loses_nothing_and_does_nothing_twice(world: World, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as together:
        killed = {name: together.submit(kill_at, world, points, name, TIMES, 60) for name, points in CHAINS.items()}
    for name, points in CHAINS.items():
        assert dict(zip(points, killed[name].result(), strict=True)) == dict.fromkeys(points, True)
    assert max(world.in_flight) > 0
    assert world.load.stop(within=60)
    assert asyncio.run(evidence.until_quiet(world.stack, within=45, sms=False)) == []
    found = asyncio.run(evidence.gathered(world.stack, tmp_path / "journal.jsonl", world.load.refusals))
    verdict = check(found)
    print(verdict.counted)
    assert (verdict.lost, verdict.twice, verdict.differences) == ([], [], [])
    assert world.load.counted["unknown"] > 0
    assert min(verdict.counted[each] for each in ("acknowledged", "effects", "SMS received", "rows compared")) > 10
