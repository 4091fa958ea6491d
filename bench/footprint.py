"""What the whole stack takes: seconds until each part is ready, and memory of each process at rest and under load.

`./zikao bench --footprint` starts a stack of its own for it. The load is that of the soak, without its faults:
candidates who register, fill in, photograph and hand in, and reviewers who decide, many at once over HTTP.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.report import circumstances
from ops.stack.children import Identity
from ops.stack.places import Unserviceable
from ops.stack.screen import Screen
from ops.stack.stack import Stack, stack_of_its_own
from soak.journal import Journal
from soak.load import Load
from soak.people import gathered

_CANDIDATES = 6
_LOAD_SECONDS = 60.0
_ANSWERED_WITHIN = 240.0
_EVERY = 0.5
_STILL, _STILL_SECONDS = 0.01, 10.0
"""At rest is what did not grow by more than this share for so long."""
_AT_REST_WITHIN = 120.0
_HEAVY = {"onnxruntime": "OCR", "cv2": "pictures"}
"""What a worker has loaded tells what it is for."""


@dataclass(frozen=True)
class Taken:
    """By some processes together: memory in MiB, and seconds of a processor since they began, which unlike the time
    they took does not depend on who else was at work. `pss` shares out what several have in common, `rss` counts it
    each time."""

    processes: int
    rss: float
    pss: float
    processor: float


@dataclass(frozen=True)
class Footprint:
    steps: Mapping[str, float]
    """Seconds until ready, one after the other."""
    at_rest: Mapping[str, Taken]
    under_load: Mapping[str, Taken]
    """The most that was seen of each."""
    acknowledged: int
    """Commands of the load."""


class _Timed(Screen):
    """Remembers how long each step took."""

    def __init__(self) -> None:
        super().__init__()
        self.took: dict[str, float] = {}

    @contextmanager
    def step(self, name: str, waits_for: str) -> Iterator[None]:
        began = time.monotonic()
        with super().step(name, waits_for):
            yield
        self.took[name] = time.monotonic() - began


def footprint() -> Footprint:
    """Start a stack, let it rest, load it for a minute, stop it."""
    screen = _Timed()
    with stack_of_its_own(screen) as stack:
        screen.say("At rest ...")
        at_rest = _settled(stack)
        steps = dict(screen.took)
        with screen.steps(), screen.step("people", f"{_CANDIDATES} candidates to register, three offices"):
            people = gathered(stack, _CANDIDATES)
        screen.say(f"Under load, {_LOAD_SECONDS:.0f} s ...")
        load = Load(stack, people, Journal(stack.place.data / "journal.jsonl"), "footprint")
        with _watched(stack) as most:
            load.start()
            time.sleep(_LOAD_SECONDS)
            if not load.stop(_ANSWERED_WITHIN):
                raise Unserviceable("requests of the load were never answered, so its numbers mean nothing")
        if load.fault or load.refusals:
            raise Unserviceable(f"the load failed: {load.fault or load.refusals}")
        return Footprint(steps, at_rest, most, load.counted["acknowledged"])


def taken(stack: Stack) -> dict[str, Taken]:
    """By each program of the stack, and apart of its workers by what they do."""
    found: dict[str, list[Taken]] = defaultdict(list)
    for file in sorted(stack.place.pids.glob("*.pid")):
        identity = Identity.read(file)
        if identity is None:
            continue
        with suppress(psutil.NoSuchProcess):
            parent = psutil.Process(identity.pid)
            for process in (parent, *parent.children(recursive=True)):
                with suppress(psutil.NoSuchProcess):
                    memory, times = process.memory_full_info(), process.cpu_times()
                    found[_named(file.stem, parent, process, stack)].append(
                        Taken(1, memory.rss / 2**20, memory.pss / 2**20, times.user + times.system)
                    )
    return {
        name: Taken(
            len(each),
            sum(one.rss for one in each),
            sum(one.pss for one in each),
            sum(one.processor for one in each),
        )
        for name, each in found.items()
    }


def _named(program: str, parent: psutil.Process, process: psutil.Process, stack: Stack) -> str:
    """The processes of a server belong together; those that a service starts each do something of their own."""
    if process == parent or program not in stack.programs:
        return program
    with suppress(OSError):
        loaded = Path(f"/proc/{process.pid}/maps").read_text()
        for library, what in _HEAVY.items():
            if library in loaded:
                return f"{program}, {what}"
    return f"{program}, other"


def _settled(stack: Stack) -> dict[str, Taken]:
    """When nobody has loaded anything more for ten seconds."""
    gives_up = time.monotonic() + _AT_REST_WITHIN
    grown, still_since = 0.0, time.monotonic()
    while True:
        now = taken(stack)
        if _sum(now) > (1 + _STILL) * grown:
            grown, still_since = _sum(now), time.monotonic()
        if time.monotonic() > min(still_since + _STILL_SECONDS, gives_up):
            return now
        time.sleep(1.0)


def _sum(found: Mapping[str, Taken]) -> float:
    return sum(each.pss for each in found.values())


@contextmanager
def _watched(stack: Stack) -> Iterator[dict[str, Taken]]:
    """The most that is seen of each program inside the block."""
    most: dict[str, Taken] = {}
    over = threading.Event()

    def watch() -> None:
        while not over.wait(_EVERY):
            for name, seen in taken(stack).items():
                if name not in most or seen.pss > most[name].pss:
                    most[name] = seen

    watching = threading.Thread(target=watch, name="memory", daemon=True)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def show(console: Console, found: Footprint) -> None:
    lines = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    lines.add_column("memory in MiB")
    for heading in ("processes", "at rest: PSS", "RSS", "processor s", "under load: PSS", "RSS"):
        lines.add_column(heading, justify="right")
    for name in {**found.at_rest, **found.under_load}:
        rest, load = found.at_rest.get(name), found.under_load.get(name)
        processes = max(each.processes for each in (rest, load) if each)
        lines.add_row(name, str(processes), *_cells(rest), f"{rest.processor:.1f}" if rest else "-", *_cells(load))
    spent = sum(each.processor for each in found.at_rest.values())
    totals = (f"{_sum(found.at_rest):,.0f}", "", f"{spent:.1f}", f"{_sum(found.under_load):,.0f}", "")
    lines.add_row("together", "", *totals, style="bold")
    console.print(lines)
    steps = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    steps.add_column("ready after")
    steps.add_column("seconds", justify="right")
    for name, seconds in found.steps.items():
        steps.add_row(name, f"{seconds:.1f}")
    steps.add_row("the whole stack", f"{sum(found.steps.values()):.1f}", style="bold")
    console.print(steps)
    console.print(f"{found.acknowledged} commands were acknowledged under load.")


def _cells(found: Taken | None) -> tuple[str, str]:
    return ("-", "-") if found is None else (f"{found.pss:,.0f}", f"{found.rss:,.0f}")


def as_json(found: Footprint) -> bytes:
    return msgspec.json.format(msgspec.json.encode({**circumstances(), **asdict(found)}), indent=1)
