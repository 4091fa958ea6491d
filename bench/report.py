"""What was measured, as a table for people and as JSON for whoever compares later."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.rounds import BARE, Taken, Verdict
from ops.stack.places import CHECKOUT


def table(results: Sequence[Taken]) -> Table:
    """A line for each hold, and one for each case that nothing is held of."""
    lines = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    lines.add_column("work")
    lines.add_column("ours", justify="right", no_wrap=True)
    lines.add_column("beside")
    lines.add_column("theirs", justify="right", no_wrap=True)
    lines.add_column("ratio (rounds)", justify="right", no_wrap=True)
    lines.add_column("to hold", no_wrap=True)
    lines.add_column("", no_wrap=True)
    for taken in results:
        for verdict in taken.verdicts:
            lines.add_row(*_held(taken, verdict))
        for case in _besides(taken):
            ratios = taken.ratios(case, BARE)
            lines.add_row(
                f"{taken.measure.name} ({case})",
                _number(taken.median(case), taken.measure.unit),
                BARE,
                _number(taken.median(BARE), taken.measure.unit),
                _ratios(ratios),
                "",
                "",
            )
    return lines


def _held(taken: Taken, verdict: Verdict) -> tuple[str | Text, ...]:
    hold = verdict.hold
    name = taken.measure.name + (f" {hold.figure.removesuffix('_ms')}" if hold.figure else "")
    unit = "ms" if hold.figure.endswith("_ms") else taken.measure.unit
    words = {True: Text("held", "green"), False: Text("missed", "red"), None: Text("not there", "dim")}
    return (
        name if hold.ours == "ours" else f"{name} ({hold.ours})",
        _number(verdict.ours, unit),
        hold.beside,
        _number(verdict.beside, unit),
        _ratios(verdict.ratios),
        f"{'<=' if hold.at_most else '>='} {hold.factor:g}x",
        words[verdict.kept],
    )


def _besides(taken: Taken) -> list[str]:
    told = {BARE} | {side for hold in taken.measure.holds for side in (hold.ours, hold.beside)}
    return [case for case in taken.cases if case not in told]


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:,.1f} {unit}" if value < 100 else f"{value:,.0f} {unit}"


def _ratios(ratios: Sequence[float]) -> str:
    if not ratios:
        return "-"
    middle = (
        sorted(ratios)[len(ratios) // 2] if len(ratios) % 2 else sum(sorted(ratios)[len(ratios) // 2 - 1 :][:2]) / 2
    )
    return f"{middle:.2f} ({min(ratios):.2f}-{max(ratios):.2f})"


def as_json(results: Sequence[Taken], rounds: int, seconds: float) -> bytes:
    told = {
        **circumstances(),
        "rounds": rounds,
        "seconds": seconds,
        "measures": [
            {
                "name": taken.measure.name,
                "unit": taken.measure.unit,
                "holds": [
                    {**asdict(verdict), "ratio": verdict.ratio, "kept": verdict.kept} for verdict in taken.verdicts
                ],
                "readings": [asdict(line) for line in taken.lines],
            }
            for taken in results
        ],
    }
    return msgspec.json.format(msgspec.json.encode(told), indent=1)


def circumstances() -> dict[str, Any]:
    """When it was measured, of which code, on what."""
    return {"at": datetime.now(UTC).isoformat(timespec="seconds"), "commit": _commit(), "machine": machine()}


def machine() -> dict[str, Any]:
    """What it was measured on, without its name."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load": round(psutil.getloadavg()[0], 2),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def _processor() -> str:
    file = Path("/proc/cpuinfo")
    lines = file.read_text().splitlines() if file.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str | None:
    """None outside of a checkout."""
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty"],  # noqa: S607 - whichever git there is
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        check=False,
    )
    return said.stdout.strip() or None


def show(console: Console, results: Sequence[Taken]) -> None:
    console.print(table(results))
    verdicts = [verdict.kept for taken in results for verdict in taken.verdicts]
    said = f"{verdicts.count(True)} held, {verdicts.count(False)} missed"
    if absent := verdicts.count(None):
        said += f", {absent} not measured because the library beside us is not installed"
    console.print(f"{said}. Ratios are medians over rounds of what two cases gave within one round.", soft_wrap=True)
