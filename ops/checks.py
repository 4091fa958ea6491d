"""`./zikao test`: every check there is; what needs no servers first, and what waits beside what computes."""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import IO
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from rich.console import Console
from rich.rule import Rule

from ops.stack.places import CHECKOUT

FAILURES, NO_TESTS = 1, 5  # pytest's exit codes when some test failed, and when none was selected
PASSED, FAILED, NONE = "passed", "failed", "no tests"
WRONG = ("failure", "error")
MARKS = {"unit": "not servers and not journey", "integration": "servers and not journey", "journeys": "journey"}
COLOURS = {PASSED: "green", FAILED: "red", NONE: "dim"}
JOURNEYS = "tests.journeys."


@dataclass(frozen=True)
class Row:
    """What is told of one kind of checks in the end."""

    name: str
    outcome: str
    took: str
    tests: int | None = None


def run(*, fast: bool, pytest_words: Sequence[str]) -> bool:
    """Whether all passed. Everything is run, so that one look shows all that is wrong."""
    console = Console(highlight=False)
    with NamedTemporaryFile("w+") as said, ThreadPoolExecutor(1) as beside:
        if fast or pytest_words:
            # beside the unit tests, of which one process or the other often waits; shown when they are done
            static = beside.submit(_static, said)
            rows = _tested(["unit"], pytest_words, console)
            rows.insert(0, static.result())
        else:
            # what computes takes what is left by what waits for servers; shown when that is done
            computing = beside.submit(lambda: [_static(said), *_tested(["unit"], (), said)])
            waited = _tested(["integration", "journeys"], (), console)
            rows = [*computing.result(), *waited]
        console.print(Rule("static" if fast or pytest_words else "static and unit", align="left", style="dim"))
        said.seek(0)
        console.print(said.read(), end="", markup=False, soft_wrap=True)
    if pytest_words and not fast:
        rows += _tested(["integration"], pytest_words, console) + _tested(["journeys"], pytest_words, console)
    console.print(Rule("all parts", align="left", style="dim"))
    for row in rows:
        tests = "" if row.tests is None else f"{row.tests} tests"
        console.print(f"{row.name:12} {row.outcome:8} {tests:>11} {row.took}", style=COLOURS[row.outcome])
    return rows[0].outcome == PASSED and proved([row.outcome for row in rows[1:]], chosen=bool(pytest_words))


def proved(outcomes: Sequence[str], *, chosen: bool) -> bool:
    """Words of the caller (a path, -k ...) may leave a part without tests, but not all of them."""
    return FAILED not in outcomes and (PASSED in outcomes if chosen else NONE not in outcomes)


def _run(command: Sequence[str | Path], output: IO[str] | None = None) -> int:
    sys.stdout.flush()
    environment = keeping_bytecode(os.environ)
    return subprocess.run(command, cwd=CHECKOUT, env=environment, stdout=output, stderr=output, check=False).returncode


def keeping_bytecode(environment: Mapping[str, str]) -> dict[str, str]:
    """A run starts hundreds of processes. Where nobody may keep what was compiled, each compiles everything again, and
    each worker of pytest rewrites every assertion: minutes of a run."""
    return {name: value for name, value in environment.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _tested(kinds: Sequence[str], words: Sequence[str], shown: Console | IO[str]) -> list[Row]:
    """These kinds of tests in one run, in several processes, each with servers of its own; what the caller chose in
    one, so that --pdb and -s work. Journeys wait a good deal, so there are more processes than two cores. What goes to
    a file instead of the console is run beside others, and lets them go first."""
    if isinstance(shown, Console):
        shown.print(Rule(" and ".join(kinds), align="left", style="dim"))
    behind, output = ([], None) if isinstance(shown, Console) else (["nice", "-n", "10"], shown)
    marks = MARKS[kinds[0]] if len(kinds) == 1 else "servers or journey"
    shared = ("-n", str(1 + len(kinds)), "--dist", "loadfile", "--no-loadscope-reorder")
    began = time.monotonic()
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        chosen = ["-m", marks, *(words or shared), f"--junitxml={report}"]
        code = _run([*behind, sys.executable, "-m", "pytest", *chosen], output)
        cases = list(ElementTree.parse(report).iter("testcase")) if report.exists() else []  # noqa: S314 our own file
    took = f"{time.monotonic() - began:7.1f} s" + (" together" if len(kinds) > 1 else " beside" if behind else "")
    return [Row(kind, outcome, took, number) for kind, (outcome, number) in counted(kinds, cases, code).items()]


def counted(kinds: Sequence[str], cases: Sequence[Element], code: int) -> dict[str, tuple[str, int]]:
    """The outcome of each kind and how many tests it had, from the cases of pytest's report and its exit code."""
    of_kind: dict[str, list[Element]] = {kind: [] for kind in kinds}
    for case in cases:
        journey = case.get("classname", "").startswith(JOURNEYS)
        of_kind["journeys" if journey and "journeys" in kinds else kinds[0]].append(case)
    wrong = {kind for kind, found in of_kind.items() if any(each.tag in WRONG for case in found for each in case)}
    if code not in (0, FAILURES, NO_TESTS) or (code == FAILURES and not wrong):
        wrong = {*kinds}  # it broke off, or failed outside of any test
    return {
        kind: (FAILED if kind in wrong else PASSED if found else NONE, len(found)) for kind, found in of_kind.items()
    }


def _static(output: IO[str]) -> Row:
    tools = Path(sys.executable).parent
    commands: list[Sequence[str | Path]] = [
        [tools / "ruff", "check"],
        [tools / "ruff", "format", "--check"],
        [tools / "mypy"],
        [tools / "lint-imports"],
    ]
    if scripts := _sql_files():
        commands.append([tools / "squawk", *scripts])
    began = time.monotonic()
    codes = [_run(command, output) for command in commands]
    return Row("static", FAILED if any(codes) else PASSED, f"{time.monotonic() - began:7.1f} s beside")


def _sql_files() -> list[Path]:
    """Of the source tree only: neither of the environment nor of the data."""
    rooms = [room for room in CHECKOUT.iterdir() if room.is_dir() and not room.name.startswith(".")]
    return sorted(found.relative_to(CHECKOUT) for room in rooms for found in room.rglob("*.sql"))
