"""The soak itself: people, load, fault after fault, rest, verdict. `main.py` gives it a stack."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

from ops.stack.screen import Screen
from ops.stack.stack import Stack
from soak import evidence
from soak.checker import Verdict, check
from soak.faults import FAULTS, Fault, World, made
from soak.journal import Journal
from soak.load import Load
from soak.people import gathered

CANDIDATES = 6
ANSWERED_WITHIN = 120.0
QUIET_WITHIN = 240.0
"""A timer's lease is a minute, and an SMS in doubt is asked about for longer."""
PAUSE = (1.0, 6.0)
"""Seconds between two faults, for the load to run free."""
_MOST_SHOWN = 20


def journal_of(stack: Stack) -> Path:
    return stack.place.data / "journal.jsonl"


def soaked(
    stack: Stack,
    screen: Screen,
    seed: int,
    breaking: Callable[[World], list[str]],
    *,
    candidates: int = CANDIDATES,
    sms: bool = True,
) -> Verdict:
    """Load and faults, then rest, then the verdict, which is printed. `breaking` breaks the world and tells what went
    wrong by itself; `sms`: whether rest means that every SMS is sent, too, which takes a minute after a kill."""
    with screen.steps(), screen.step("people", f"{candidates} candidates to register, three offices"):
        people = gathered(stack, candidates)
    journal = Journal(journal_of(stack))
    load = Load(stack, people, journal, str(seed))
    world = World(stack, load)
    load.start()
    with _a_line_a_minute(world, screen):
        faults = breaking(world)
    answered = load.stop(ANSWERED_WITHIN)
    journal.close()
    waiting = asyncio.run(evidence.until_quiet(stack, QUIET_WITHIN, sms=sms))
    faults += [] if answered else ["requests were without an answer long after everything was whole again"]
    faults += [f"never came to rest: {each}" for each in waiting] + load.refusals
    faults += [f"the load failed: {load.fault!r}"] if load.fault else []
    verdict = check(asyncio.run(evidence.gathered(stack, journal.file, faults)))
    _tell(world, screen)
    return told(verdict, screen)


def broken_for(seconds: float, seed: int, world: World) -> list[str]:
    """One fault after the other, each by a chance of its own; what ended by itself meanwhile."""
    ended: list[str] = []
    number = 0
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        number += 1
        fault, pause, random = chosen(seed, number)
        made(world, fault, random)
        ended += _ended(world)
        time.sleep(pause)
    return ended


def chosen(seed: int, number: int) -> tuple[Fault, float, Random]:
    """The fault of this number, the pause after it, and the chance it goes on with: of the seed alone, so that neither
    the machine nor what an earlier fault drew changes it."""
    random = Random(f"{seed}/fault {number}")  # noqa: S311 - the seed is the point
    (fault,) = random.choices(list(FAULTS), list(FAULTS.values()))
    return fault, random.uniform(*PAUSE), random


def _ended(world: World) -> list[str]:
    """A process that ends although nobody killed it is a fault of ours; it is started again."""
    ended = [name for name in world.services() if world.gone(name)]
    for name in ended:
        world.kill(name)
        world.stack.restart(name)
    return [f"{name} ended by itself" for name in ended]


@contextmanager
def _a_line_a_minute(world: World, screen: Screen) -> Iterator[None]:
    over = threading.Event()

    def tell() -> None:
        while not over.wait(60.0):
            _line(world, screen)

    telling = threading.Thread(target=tell, name="lines", daemon=True)
    telling.start()
    try:
        yield
    finally:
        over.set()
        telling.join()
        _line(world, screen)


def _line(world: World, screen: Screen) -> None:
    counted = world.load.counted
    faults = sum(world.done[fault.__name__] for fault in FAULTS)
    screen.say(
        f"{datetime.now(UTC):%H:%M:%S}  {counted['acknowledged']} acknowledged, {counted['unknown']} unknown outcomes "
        f"asked again, {faults} faults so far, broken now: {world.broken or 'nothing'}"
    )


def _tell(world: World, screen: Screen) -> None:
    screen.say("faults: " + ", ".join(f"{name} {times}" for name, times in sorted(world.done.items())))
    busy = sum(number > 0 for number in world.in_flight)
    screen.say(f"kills: {len(world.in_flight)}, {busy} of them with requests under way")


def told(verdict: Verdict, screen: Screen) -> Verdict:
    """The verdict, in words."""
    screen.say("counted: " + ", ".join(f"{name} {number}" for name, number in verdict.counted.items()))
    for kind, found in (("lost", verdict.lost), ("twice", verdict.twice), ("differs", verdict.differences)):
        for each in found[:_MOST_SHOWN]:
            screen.say(f"{kind}: {each}")
        if len(found) > _MOST_SHOWN:
            screen.say(f"{kind}: and {len(found) - _MOST_SHOWN} more")
    screen.say(verdict.line)
    return verdict
