"""Rounds: cases run in turn, so that what counts is a ratio within a round and not a number of one machine on one day.

Each file of this room that measures something offers `Measure`s; `main.py` runs them through `taken`, and `report.py`
shows what comes back. Pure but for the clock and the probe.
"""

from __future__ import annotations

import asyncio
import gc
import os
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.workplace import Workplace

BARE = "bare"
"""The limit: the same work with nothing around it."""
OURS = "ours"
PEER = "eventsourcing"
"""The library that others would take for this; left out where it is not installed."""

Step = Callable[[], Awaitable[object]]


@dataclass(frozen=True)
class Reading:
    """What one case gave in one round, in the unit of its measure; `more` is told beside it."""

    value: float
    more: Mapping[str, float] = field(default_factory=dict)

    def figure(self, name: str) -> float:
        return self.more[name] if name else self.value


Case = Callable[[], Awaitable[Reading]]


@dataclass(frozen=True)
class Hold:
    """`ours` divided by `beside` is to be at least `factor` (or at most). `figure` names one of `Reading.more`."""

    beside: str
    factor: float
    at_most: bool = False
    figure: str = ""
    ours: str = OURS

    def kept(self, ratio: float) -> bool:
        return ratio <= self.factor if self.at_most else ratio >= self.factor


@dataclass(frozen=True)
class Measure:
    """One kind of work; `cases` makes what it needs, gives the cases by name, and clears up."""

    name: str
    unit: str
    holds: tuple[Hold, ...]
    cases: Callable[[Workplace], AbstractAsyncContextManager[Mapping[str, Case]]]


@dataclass(frozen=True)
class Line:
    """A reading where it was taken, and what the machine gave just before: when these jump, so does the value."""

    case: str
    round: int
    reading: Reading
    fsync_us: float
    cpu_ms: float


@dataclass(frozen=True)
class Verdict:
    """Whether a hold is kept: medians of both sides, and the ratio within each round. None: the other was not there."""

    hold: Hold
    ours: float | None
    beside: float | None
    ratios: tuple[float, ...]

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def kept(self) -> bool | None:
        return None if self.ratio is None else self.hold.kept(self.ratio)


@dataclass(frozen=True)
class Taken:
    """All readings of one measure."""

    measure: Measure
    lines: tuple[Line, ...]

    def figures(self, case: str, figure: str = "") -> dict[int, float]:
        """By round."""
        return {line.round: line.reading.figure(figure) for line in self.lines if line.case == case}

    def ratios(self, case: str, beside: str, figure: str = "") -> tuple[float, ...]:
        """Within each round; a round in which the other side gave nothing has none."""
        ours, theirs = self.figures(case, figure), self.figures(beside, figure)
        return tuple(ours[number] / theirs[number] for number in ours if theirs.get(number))

    def median(self, case: str, figure: str = "") -> float | None:
        figures = self.figures(case, figure)
        return statistics.median(figures.values()) if figures else None

    @property
    def cases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(line.case for line in self.lines))

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        return tuple(
            Verdict(
                hold,
                self.median(hold.ours, hold.figure),
                self.median(hold.beside, hold.figure),
                self.ratios(hold.ours, hold.beside, hold.figure),
            )
            for hold in self.measure.holds
        )


async def taken(measure: Measure, workplace: Workplace, rounds: int) -> Taken:
    """Every case once a round, in the opposite order every other round, so that none always comes first."""
    lines: list[Line] = []
    async with measure.cases(workplace) as cases:
        for number in range(rounds):
            for name in list(cases) if number % 2 == 0 else list(cases)[::-1]:
                gc.collect()
                fsync_us, cpu_ms = await asyncio.to_thread(probed, workplace.folder)
                lines.append(Line(name, number, await cases[name](), fsync_us, cpu_ms))
    return Taken(measure, tuple(sorted(lines, key=lambda line: line.round)))


async def driven(seconds: float, steps: Sequence[Step], size: int = 1) -> Reading:
    """Each step over and over, all at once, for `seconds`; `size` events a step. The first turn is not counted."""
    await asyncio.gather(*(step() for step in steps))
    took: list[float] = []
    began = time.perf_counter()
    ends = began + seconds

    async def repeat(step: Step) -> None:
        while (before := time.perf_counter()) < ends:
            await step()
            took.append(time.perf_counter() - before)

    await asyncio.gather(*(repeat(step) for step in steps))
    rate = len(took) * size / (time.perf_counter() - began)
    return Reading(rate, {"p50_ms": 1e3 * percentile(took, 50), "p99_ms": 1e3 * percentile(took, 99)})


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that is not below `percent` of them (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, -int(-len(ordered) * percent // 100) - 1)]


def probed(folder: Path) -> tuple[float, float]:
    """Microseconds of one 8 kB write made durable, milliseconds of a fixed loop of Python."""
    before = time.perf_counter()
    sum(range(200_000))
    cpu = time.perf_counter() - before
    took = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(25):
            before = time.perf_counter()
            os.pwrite(file.fileno(), bytes(8192), 0)
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - before)
    return 1e6 * statistics.median(took), 1e3 * cpu
