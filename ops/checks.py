"""`./zikao test`: every check there is, in the order in which they fail fastest."""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from ops.stack.places import CHECKOUT

NO_TESTS = 5  # pytest's exit code when nothing was selected
PASSED, FAILED, NONE = "passed", "failed", "no tests"
COLOURS = {PASSED: "green", FAILED: "red", NONE: "dim"}


@dataclass(frozen=True)
class Part:
    name: str
    commands: Sequence[Sequence[str | Path]]


def run(*, fast: bool, pytest_words: Sequence[str]) -> bool:
    """Whether all passed. Every part is run, so that one look shows all that is wrong."""
    parts = [_static(), _tests("unit", "not servers and not journey", pytest_words)]
    if not fast:
        parts += [_tests("integration", "servers and not journey", pytest_words)]
        parts += [_tests("journeys", "journey", pytest_words)]
    console = Console(highlight=False)
    took: list[tuple[Part, str, float]] = []
    for part in parts:
        console.print(Rule(part.name, align="left", style="dim"))
        began = time.monotonic()
        took.append((part, _outcome([_run(command) for command in part.commands]), time.monotonic() - began))
    console.print(Rule("all parts", align="left", style="dim"))
    for part, outcome, seconds in took:
        console.print(f"{part.name:12} {outcome:8} {seconds:7.1f} s", style=COLOURS[outcome])
    static, *tested = [outcome for _, outcome, _ in took]
    return static == PASSED and proved(tested, chosen=bool(pytest_words))


def proved(outcomes: Sequence[str], *, chosen: bool) -> bool:
    """Words of the caller (a path, -k ...) may leave a part without tests, but not all of them."""
    return FAILED not in outcomes and (PASSED in outcomes if chosen else NONE not in outcomes)


def _outcome(codes: Sequence[int]) -> str:
    if NO_TESTS in codes:
        return NONE
    return FAILED if any(codes) else PASSED


def _run(command: Sequence[str | Path]) -> int:
    sys.stdout.flush()
    return subprocess.run(command, cwd=CHECKOUT, env=keeping_bytecode(os.environ), check=False).returncode


def keeping_bytecode(environment: Mapping[str, str]) -> dict[str, str]:
    """A run starts hundreds of processes. Where nobody may keep what was compiled, each compiles everything again, and
    each worker of pytest rewrites every assertion: minutes of a run."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _tests(name: str, marks: str, words: Sequence[str]) -> Part:
    """In two processes, each with servers of its own, which is what two cores carry; what the caller chose in one, so
    that --pdb and -s work."""
    return Part(name, [[sys.executable, "-m", "pytest", "-m", marks, *(words or ("-n", "2", "--dist", "loadfile"))]])


def _static() -> Part:
    tools = Path(sys.executable).parent
    commands: list[Sequence[str | Path]] = [
        [tools / "ruff", "check"],
        [tools / "ruff", "format", "--check"],
        [tools / "mypy"],
        [tools / "lint-imports"],
    ]
    scripts = _sql_files()
    if scripts:
        commands.append([tools / "squawk", *scripts])
    return Part("static", commands)


def _sql_files() -> list[Path]:
    """Of the source tree only: neither of the environment nor of the data."""
    rooms = [room for room in CHECKOUT.iterdir() if room.is_dir() and not room.name.startswith(".")]
    return sorted(found.relative_to(CHECKOUT) for room in rooms for found in room.rglob("*.sql"))
