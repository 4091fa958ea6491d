"""`./zikao test`: every check there is, in the order in which they fail fastest."""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.rule import Rule

from ops.stack.places import CHECKOUT

NO_TESTS = 5  # pytest's exit code when nothing was selected


@dataclass(frozen=True)
class Part:
    name: str
    commands: Sequence[Sequence[str | Path]]
    may_be_empty: bool = False


def run(*, fast: bool, pytest_words: Sequence[str]) -> bool:
    """Whether all passed. Every part is run, so that one look shows all that is wrong."""
    parts = [_static(), _tests("unit", "not servers and not journey", pytest_words)]
    if not fast:
        parts += [_tests("integration", "servers and not journey", pytest_words)]
        parts += [_tests("journeys", "journey", pytest_words)]
    console = Console(highlight=False)
    took: list[tuple[Part, bool, float]] = []
    for part in parts:
        console.print(Rule(part.name, align="left", style="dim"))
        began = time.monotonic()
        passed = not [command for command in part.commands if not _run(command, part)]
        took.append((part, passed, time.monotonic() - began))
    console.print(Rule("all parts", align="left", style="dim"))
    for part, passed, seconds in took:
        mark = "[green]passed[/]" if passed else "[red]failed[/]"
        console.print(f"{part.name:12} {mark} {seconds:7.1f} s")
    return all(passed for _, passed, _ in took)


def _run(command: Sequence[str | Path], part: Part) -> bool:
    sys.stdout.flush()
    code = subprocess.run(command, cwd=CHECKOUT, check=False).returncode
    return code == 0 or (code == NO_TESTS and part.may_be_empty)


def _tests(name: str, marks: str, words: Sequence[str]) -> Part:
    """Words of the caller (a path, -k ...) may leave a part without tests; otherwise that is a failure."""
    return Part(name, [[sys.executable, "-m", "pytest", "-m", marks, *words]], may_be_empty=bool(words))


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
