"""What a person sees while the stack starts, runs and stops: calm on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.status import Status
from rich.table import Table
from rich.text import Text

WIDTH = 120  # of what is written to a file or a pipe, which have no width of their own


def wide_console() -> Console:
    """The terminal as wide as it is; a file or a pipe wide enough for a trail."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


@dataclass(frozen=True)
class Row:
    """One line of the closing table."""

    name: str
    state: str
    address: str
    log: Path | None


@dataclass
class Step:
    name: str
    waits_for: str
    began: float
    took: float | None = None
    failed: bool = False


class Screen:
    def __init__(self, console: Console | None = None) -> None:
        self.console = console or wide_console()
        self._steps: list[Step] = []
        self._spinner = Spinner("dots", style="cyan")

    def say(self, sentence: str) -> None:
        self.console.print(sentence, markup=False, soft_wrap=True)

    def fail(self, sentence: str) -> None:
        self.console.print(Text.assemble(("✗ ", "red"), sentence), soft_wrap=True)

    def passing(self, sentence: str) -> Status:
        """Shown on a terminal between its start and stop, and gone then: what was said last stays the last line."""
        return self.console.status(Text(sentence, "dim"))

    @contextmanager
    def steps(self) -> Iterator[None]:
        """Around all `step`s of one undertaking."""
        self._steps = []
        if not self.console.is_terminal:
            yield
            return
        with Live(get_renderable=self._draw, console=self.console, refresh_per_second=10):
            yield

    @contextmanager
    def step(self, name: str, waits_for: str) -> Iterator[None]:
        """One thing after the other; while it lasts, the screen says what it waits for."""
        step = Step(name, waits_for, time.monotonic())
        self._steps.append(step)
        if not self.console.is_terminal:
            self.say(f"{name}: {waits_for} ...")
        try:
            yield
        except BaseException:
            step.failed = True
            raise
        finally:
            step.took = time.monotonic() - step.began
            if not self.console.is_terminal:
                self.say(f"{name}: {'failed' if step.failed else 'ready'} after {step.took:.1f} s")

    def table(self, rows: Sequence[Row]) -> None:
        if not self.console.is_terminal:
            for row in rows:
                self.say(f"{row.name}: {row.state} at {row.address}, log: {row.log or 'not ours'}")
            return
        table = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
        for heading in ("", "state", "address", "log"):
            table.add_column(heading, no_wrap=True)
        for row in rows:
            state = Text.assemble(("● ", "green"), row.state)
            table.add_row(row.name, state, Text(row.address, "cyan"), Text(row.log.name if row.log else "", "dim"))
        self.console.print(table)
        logs = {str(row.log.parent) for row in rows if row.log}
        self.say("".join(f"Logs: {folder}\n" for folder in sorted(logs)))

    def _draw(self) -> Table:
        lines = Table.grid(padding=(0, 2, 0, 0))
        for step in self._steps:
            seconds = Text(f"{step.took or time.monotonic() - step.began:4.1f} s", "dim")
            if step.took is None:
                lines.add_row(self._spinner, Text(step.name, "bold"), seconds, Text(step.waits_for, "cyan"))
            elif step.failed:
                lines.add_row(Text("✗", "red"), Text(step.name), seconds, Text("failed", "red"))
            else:
                lines.add_row(Text("✓", "green"), Text(step.name), seconds, Text("ready", "dim"))
        return lines
