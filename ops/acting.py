"""Acting from the command line: under whose name, and what a refusal reads like. For `parked` and `cycles`."""

from __future__ import annotations

import asyncio
import getpass
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, TypeVar

import asyncpg
import typer

from ops.reach import Database, on_a_server
from ops.words import OPERATOR
from shared.kernel.errors import COMMON, Refusal, Refused

T = TypeVar("T")
_NAME = re.compile(r"[\w.@-]{1,60}")

By = Annotated[
    str | None, typer.Option(help="Who says so; without it, the user of this machine (in a container nobody is).")
]


def operator(by: str | None) -> str:
    """The actor of what is done from here, as the audit names it."""
    try:
        name = by if by is not None else "" if on_a_server() else getpass.getuser()
    except (ImportError, KeyError, OSError):  # a user without a name
        name = ""
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("Say by --by who you are: letters, digits, and . _ - @")
    return OPERATOR + name


def asked(
    database: Database,
    work: Callable[[asyncpg.Pool], Awaitable[T]],
    schema: str = "public",
    refusals: Mapping[str, Refusal] = COMMON,
) -> T:
    """What `work` answers; a refusal is a sentence and a failure."""

    async def run() -> T:
        settings = {"search_path": schema}
        async with asyncpg.create_pool(database.url, min_size=1, max_size=2, server_settings=settings) as pool:
            return await work(pool)

    with told_if_refused(refusals):
        return asyncio.run(run())


@contextmanager
def told_if_refused(refusals: Mapping[str, Refusal] = COMMON) -> Iterator[None]:
    try:
        yield
    except Refused as refused:
        _, text = refusals[refused.code].said(refused.facts)
        typer.echo(f"{text} [{refused.code}]", err=True)
        raise typer.Exit(1) from None
