"""`./zikao bench`: ours beside the bare limit, in alternating rounds, on servers started for it alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer
import uvloop

from bench import report
from bench.rounds import Measure, Taken, taken
from bench.workplace import Workplace
from ops.stack.infrastructure import Infrastructure, temporary_place
from ops.stack.places import Unserviceable
from ops.stack.screen import Screen

app = typer.Typer(add_completion=False)

ROOMS = ("appending", "reading", "publishing", "effects", "submitting", "photograph")
"""In this order they are measured and shown."""
LONG = ("sizes",)
"""Measured only when `--only` names their work."""


def _expression(words: str) -> str:
    try:
        re.compile(words)
    except re.error as error:
        raise typer.BadParameter(f"'{words}' is no regular expression: {error}.") from None
    return words


def _writable(file: Path | None) -> Path | None:
    """Said before a quarter of an hour of measuring, not after it."""
    try:
        if file is not None:
            file.open("ab").close()
    except OSError as error:
        raise typer.BadParameter(f"'{file}' cannot be written: {error.strerror}.") from None
    return file


@app.command()
def bench(
    rounds: Annotated[int, typer.Option("--rounds", min=1, help="How often every case is measured.")] = 5,
    seconds: Annotated[float, typer.Option("--seconds", min=0.05, help="How long a case is tried in a round.")] = 2.0,
    only: Annotated[
        str, typer.Option("--only", callback=_expression, help="A regular expression: only work whose name it finds.")
    ] = "",
    json: Annotated[
        Path | None, typer.Option("--json", callback=_writable, help="Write every reading and ratio to this file.")
    ] = None,
    footprint: Annotated[
        bool, typer.Option("--footprint", help="Instead: the stack's memory at rest and under load, and its start.")
    ] = False,
) -> None:
    """Measure ours beside the bare limit: append, replay, load, publish, effects, HTTP, photographs.

    Cases run in alternating rounds on PostgreSQL and RabbitMQ of their own, with full durability, and only ratios
    within a round count: numbers drift with the machine. `--only sizes` measures stores of 10,000 to 1,000,000 events
    instead. docs/performance.md says what each line means.
    """
    if footprint:
        _footprint(json)
        return
    rooms = (*ROOMS, *LONG) if only else ROOMS
    chosen = [measure for measure in measures(rooms) if re.search(only, measure.name)]
    if not chosen:
        named = "; ".join(each.name for each in measures(rooms))
        raise Unserviceable(f"No work is named like '{only}'; there is: {named}.")
    screen = Screen()
    with temporary_place() as place, Infrastructure(place) as infra:
        with screen.steps(), screen.step("PostgreSQL", "the server to accept connections"):
            workplace = Workplace(infra, seconds)
        results = uvloop.run(_measured(chosen, workplace, rounds, screen))
    report.show(screen.console, results)
    if json is not None:
        json.write_bytes(report.as_json(results, rounds, seconds))


def _footprint(json: Path | None) -> None:
    from bench.footprint import as_json, footprint, show  # here: nobody else needs the soak's load

    screen = Screen()
    found = footprint()
    show(screen.console, found)
    if json is not None:
        json.write_bytes(as_json(found))


def measures(rooms: Sequence[str] = (*ROOMS, *LONG)) -> list[Measure]:
    """Loaded only now, because the libraries they need take a second that no other command has to wait."""
    return [measure for room in rooms for measure in import_module(f"bench.{room}").MEASURES]


async def _measured(chosen: Sequence[Measure], workplace: Workplace, rounds: int, screen: Screen) -> list[Taken]:
    """A line before each, and nothing that moves: drawing would take its share of the processor."""
    await workplace.prepare()
    results = []
    for number, measure in enumerate(chosen, start=1):
        screen.say(f"{number} of {len(chosen)}: {measure.name}")
        results.append(await taken(measure, workplace, rounds))
    return results
