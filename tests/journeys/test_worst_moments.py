"""Services are killed at the eight worst moments while people are at work, and nothing is lost or done twice.

After the other journeys by its name, since they count the cases there are.
"""

import asyncio
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

pytestmark = pytest.mark.journey

OF_A_COMMAND = ("commit.before", "commit.after", "confirm.before", "confirm.after")
OF_AN_EFFECT = ("sms.before", "sms.after", "ack.before", "ack.after")
TIMES = 3
"""The process dies when it is there for the third time: it was at work before."""


@pytest.fixture
def world(stack: Stack, tmp_path: Path) -> Iterator[World]:
    journal = Journal(tmp_path / "journal.jsonl")
    load = Load(stack, gathered(stack, applicants=2), journal, seed="worst moments")
    load.start()
    yield World(stack, load)
    load.stop(within=10)
    journal.close()


def test_a_kill_at_any_of_the_worst_moments_loses_nothing_and_does_nothing_twice(world: World, tmp_path: Path) -> None:
    with ThreadPoolExecutor() as both:
        commands = both.submit(kill_at, world, OF_A_COMMAND, "exemption", TIMES)
        effects = both.submit(kill_at, world, OF_AN_EFFECT, "notification", TIMES)
        assert dict(zip(OF_A_COMMAND, commands.result(), strict=True)) == dict.fromkeys(OF_A_COMMAND, True)
        assert dict(zip(OF_AN_EFFECT, effects.result(), strict=True)) == dict.fromkeys(OF_AN_EFFECT, True)
    assert max(world.in_flight) > 0
    assert world.load.stop(within=30)
    assert asyncio.run(evidence.until_quiet(world.stack, within=45, sms=False)) == []
    found = asyncio.run(evidence.gathered(world.stack, tmp_path / "journal.jsonl", world.load.refusals))
    verdict = check(found)
    print(verdict.counted)
    assert (verdict.lost, verdict.twice, verdict.differences) == ([], [], [])
    assert world.load.counted["unknown"] > 0
    assert min(verdict.counted[each] for each in ("acknowledged", "effects", "SMS received", "rows compared")) > 10
