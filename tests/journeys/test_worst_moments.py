"""A soak of the run's own stack: services are killed at the nine worst moments and at twenty others, PostgreSQL is
restarted, all while people are at work; nothing is lost or done twice, and `./zikao soak` would say so and exit with 0.

After the other journeys by its name, since they count the cases there are.
"""

import asyncio
import io
import random
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest
from rich.console import Console

from ops.stack.screen import Screen
from ops.stack.stack import Stack
from shared.kernel.time import utc_now
from soak import evidence
from soak.checker import Verdict, check
from soak.faults import World, database_away, die
from soak.journal import Answered, Asked, Journal
from soak.main import concluded
from soak.running import journal_of, soaked, told

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]

SEED = 20261123
WORST = {
    "exemption": ("commit.after",),
    "identity": ("commit.before", "confirm.before", "confirm.after"),
    "notification": ("effects.before", "ack.before", "ack.after", "sms.before", "sms.after"),
}
"""Service -> where it is killed, one after the other; the three services at the same time."""
TIMES = 2
"""The process dies when it is there for the second time: it was at work before."""
WITHIN = 120
"""Seconds for a process to come to its end; a few on a machine that has nothing else to do."""
OTHERS = {"exemption": 2, "identity": 9, "notification": 9}
"""Service -> at how many random moments it is killed besides; exemption less often, since its helpers start slowly."""


def ends_of(service: str) -> list[str]:
    """Worst moments, then random ones, as `soak/victim.py` has them; the same at each run. In this order, since of whom
    a killed process was sending to, an SMS waits for a minute, and the worst moments of SMS need some to come."""
    dice = random.Random(f"{SEED}/{service}")
    ends = [f"{point}*{TIMES}" for point in WORST[service]]
    ends += [f"{dice.uniform(0.0, 0.7):.3f}" for _ in range(OTHERS[service])]
    return ends


@dataclass
class Breaking:
    """What is broken, and whether it came to that."""

    came_to_it: dict[str, bool] = field(default_factory=dict)

    def __call__(self, world: World) -> list[str]:
        while world.load.counted["rounds"] < 2:  # of handing in and being sent back: all kinds of work are under way
            assert world.load.fault is None
            assert not world.load.refusals
            time.sleep(0.1)
        database_away(world, random.Random(SEED))
        with ThreadPoolExecutor() as together:
            dying = {name: together.submit(die, world, name, ends_of(name), WITHIN) for name in WORST}
        for name in WORST:
            said = dying[name].result()
            self.came_to_it |= {f"{name} {end}": came for end, came in zip(ends_of(name), said, strict=True)}
        return []


@dataclass
class Soak:
    stack: Stack
    screen: Screen
    breaking: Breaking
    verdict: Verdict
    exit_code: int
    kept: Path

    @property
    def said(self) -> list[str]:
        file = self.screen.console.file
        assert isinstance(file, io.StringIO)
        return file.getvalue().splitlines()


@pytest.fixture(scope="module")
def soak(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Soak:
    _ = stack.infra.postgres  # somebody else's is not ours to stop
    screen = Screen(Console(file=io.StringIO(), width=200, highlight=False))
    breaking = Breaking()
    verdicts: list[Verdict] = []

    def once() -> Verdict:
        verdicts.append(soaked(stack, screen, SEED, breaking, candidates=1, sms=False))
        return verdicts[-1]

    kept = tmp_path_factory.mktemp("soak") / "kept"
    code = concluded(stack, screen, once, kept, f"--seed {SEED}")
    return Soak(stack, screen, breaking, verdicts[-1], code, kept)


def test_services_die_at_each_of_the_worst_moments_and_at_twenty_others_with_work_in_hand(soak: Soak) -> None:
    came = soak.breaking.came_to_it
    assert len(came) == sum(len(points) for points in WORST.values()) + 20
    assert {end: came_to_it for end, came_to_it in came.items() if not came_to_it} == {}
    assert soak.verdict.counted["asked again"] > 0
    assert soak.verdict.counted["cut off half-way"] > 0, "requests that a service died over"


def test_nothing_is_lost_or_done_twice_and_all_equals_a_rebuild(soak: Soak) -> None:
    verdict = soak.verdict
    assert (verdict.lost, verdict.twice, verdict.differences) == ([], [], [])
    assert min(verdict.counted[each] for each in ("acknowledged", "effects", "SMS received", "rows compared")) > 10


def test_the_verdict_is_the_last_line_and_the_exit_code_says_the_same(soak: Soak) -> None:
    said = soak.said
    acknowledged = soak.verdict.counted["acknowledged"]
    assert said[-1] == f"soak: {acknowledged} acknowledged, 0 lost, 0 twice, 0 differences"
    assert any(line.startswith("counted: ") and "rows compared" in line for line in said)
    assert soak.exit_code == 0
    assert not soak.kept.exists()


def test_a_command_that_was_acknowledged_and_is_in_no_store_fails_the_soak_and_its_logs_are_kept(soak: Soak) -> None:
    """The loss is put where nobody can overlook it but the checker: into what people remember they were told."""
    journal = Journal(journal_of(soak.stack))
    at, key = utc_now().isoformat(), str(uuid4())
    journal.write(Asked(0, at, "a story", "exemption", "POST", "/v1/applications", "somebody", key))
    journal.write(Answered(0, at, 201, {}))
    journal.close()

    def again() -> Verdict:
        return told(check(asyncio.run(evidence.gathered(soak.stack, journal.file))), soak.screen)

    assert concluded(soak.stack, soak.screen, again, soak.kept, f"--seed {SEED}") == 1
    assert any(line.startswith("lost: a story: POST") for line in soak.said)
    assert ", 1 lost, 0 twice, 0 differences" in soak.said[-2]
    assert soak.said[-1].endswith(f"run it again with --seed {SEED}")
    assert {"journal.jsonl", "identity.log"} <= {file.name for file in soak.kept.iterdir()}
