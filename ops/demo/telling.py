"""How the demonstration looks on a terminal: a heading for each story, a line for each step, what was seen below it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from shared.kernel.time import SHANGHAI, utc_now


class Teller:
    def __init__(self, console: Console) -> None:
        self._console = console

    def heading(self, title: str) -> None:
        self._console.print()
        self._console.print(Rule(Text(title, "bold"), align="left", style="dim", characters="─"))
        self._console.print()

    @contextmanager
    def step(self, title: str, what: str = "") -> Iterator[list[str]]:
        """One step with when it began and how long it took; what the caller adds to the list is told below it."""
        told: list[str] = []
        began, at = time.monotonic(), utc_now().astimezone(SHANGHAI)
        yield told
        took = time.monotonic() - began
        lines = Table.grid(padding=(0, 2, 0, 0))
        for width in (8, 6, 20, None):
            lines.add_column(width=width, overflow="fold")
        lines.add_row(Text(f"{at:%H:%M:%S}", "cyan"), Text(f"{took:4.1f} s", "dim"), Text(title, "bold"), what)
        for line in told:
            lines.add_row("", "", "", Text(line, "cyan"))
        self._console.print(lines)
