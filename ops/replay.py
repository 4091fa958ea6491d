"""`./zikao replay`: the read models of a service again, from its events alone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import Annotated, TypeVar

import asyncpg
import typer
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as Grid

from ops.reach import WITHOUT, Database, reached
from ops.stack.environment import existing_services
from ops.stack.places import Unserviceable
from shared.runtime.keyring import Keyring
from shared.runtime.replay import Comparison, Difference, Stopped, compare, replace
from shared.runtime.service import ServiceDefinition

T = TypeVar("T")

app = typer.Typer(help="Build read models again from the events alone.", no_args_is_help=True, add_completion=False)

Url = Annotated[str | None, typer.Option("--url", help=f"The database as the service's own role; {WITHOUT}")]


@app.callback()
def replay() -> None:
    """Build read models again from the events alone."""


@app.command()
def rebuild(
    service: Annotated[str, typer.Argument(help="identity, exemption, ...")],
    diff: Annotated[
        bool, typer.Option("--diff", help="Change nothing: build beside the live tables and compare them.")
    ] = False,
    url: Url = None,
) -> None:
    """Rebuild the read models, claims and timers of SERVICE from all its events.

    With --diff they are built beside the live ones, in one snapshot, and compared row by row: it fails if a row
    differs or if there was none to compare. Without it the rebuilt rows take the place of the live ones, in one
    transaction: who reads sees the old rows until the end, and the service's writes wait that long.
    """
    definition = definition_of(service)
    console = Console(highlight=False)
    with reached(service, url) as database:
        try:
            if diff:
                comparison = asyncio.run(_run(definition, database, compare))
            else:
                rows = asyncio.run(_run(definition, database, replace))
        except Stopped as stopped:
            console.print(f"{service}: {stopped}", style="red", soft_wrap=True, markup=False)
            raise typer.Exit(1) from None
    if not diff:
        _tell_replaced(console, service, rows)
    elif not _tell_compared(console, service, comparison):
        raise typer.Exit(1)


def definition_of(service: str) -> ServiceDefinition:
    """What `services/<service>/main.py` composes."""
    if service not in existing_services():
        raise Unserviceable(f"There is no service '{service}'; there are {', '.join(existing_services())}.")
    definition = import_module(f"services.{service}.main").SERVICE
    assert isinstance(definition, ServiceDefinition)
    return definition


async def _run(definition: ServiceDefinition, database: Database, work: Callable[..., Awaitable[T]]) -> T:
    search_path = {"search_path": definition.name}
    async with (
        asyncpg.create_pool(database.url, min_size=1, max_size=2, server_settings=search_path) as pool,
        pool.acquire() as connection,
    ):
        return await work(connection, definition, Keyring(pool, database.needed_kek))


def _tell_replaced(console: Console, service: str, rows: Mapping[str, int]) -> None:
    for table, count in rows.items():
        console.print(f"{service}.{table}: {count} rows rebuilt and put in place", soft_wrap=True)


def _tell_compared(console: Console, service: str, comparison: Comparison) -> bool:
    """Whether it proves that the read models follow from the events."""
    grid = Grid(box=SIMPLE_HEAD, pad_edge=False, header_style="dim")
    grid.add_column("table")
    for heading in ("live rows", "rebuilt rows", "differences"):
        grid.add_column(heading, justify="right")
    for table in comparison.tables:
        style = "red" if table.differing else ""
        grid.add_row(table.name, str(table.live), str(table.rebuilt), str(table.differing), style=style)
    console.print(grid)
    for table in comparison.tables:
        for sample in table.samples:
            console.print(f"{table.name} {_shown(sample)}", soft_wrap=True, markup=False)
        if table.differing > len(table.samples):
            console.print(f"{table.name}: {table.differing - len(table.samples)} more", markup=False)
    told = f"{service}: {comparison.events} events replayed, {comparison.rows} rows compared"
    console.print(f"{told}, {comparison.differing} differences", soft_wrap=True)
    if comparison.rows == 0:
        console.print("No rows were compared, so nothing is proved.", style="red")
    return comparison.differing == 0 and comparison.rows > 0


def _shown(difference: Difference) -> str:
    key = " ".join(f"{column}={_text(value)}" for column, value in difference.key.items())
    if difference.live is None:
        return f"{key}: missing in the live table"
    if difference.rebuilt is None:
        return f"{key}: in the live table only, no event says so"
    sides = [
        f"{column} is {_text(difference.live[column])}, by the events {_text(difference.rebuilt.get(column))}"
        for column in difference.columns
    ]
    return f"{key}: {'; '.join(sides)}"


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
