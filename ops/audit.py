"""`./zikao audit`: the story of a case rebuilt from events, and the check that nobody has touched the events.

Both read as the role `auditor`, which may read every store and write nowhere.
"""

from __future__ import annotations

import asyncio
import json
import pkgutil
from datetime import datetime
from importlib import import_module
from typing import Annotated

import asyncpg
import typer
from rich.console import Console

from ops.reach import WITHOUT, Database, reached
from ops.stack.screen import wide_console
from ops.telling import as_json, told
from shared import events
from shared.kernel.decider import Decider
from shared.kernel.time import SHANGHAI
from shared.runtime.audit import Audited, Finding, stores_in, verify
from shared.runtime.database import AUDITOR
from shared.runtime.keyring import Keyring
from shared.runtime.trail import Deciders, Trail, UnknownCase, rebuild_trail

app = typer.Typer(help="Read the events as an auditor.", no_args_is_help=True, add_completion=False)

Url = Annotated[str | None, typer.Option("--url", help=f"The database as the role auditor; {WITHOUT}")]


def _instant(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a time such as 2026-03-01T09:00") from None
    return at if at.tzinfo else at.replace(tzinfo=SHANGHAI)


@app.command()
def trail(
    case: Annotated[str, typer.Argument(help="The id of the case, for an exemption that of the application.")],
    at: Annotated[
        datetime | None,
        typer.Option(
            parser=_instant, metavar="TIME", help="Only what was recorded by then; Asia/Shanghai unless it says."
        ),
    ] = None,
    machine: Annotated[bool, typer.Option("--json", help="For machines: every field, id, hash and position.")] = False,
    personal: Annotated[
        bool,
        typer.Option("--personal", help="Also show personal values. (Such a reading will be recorded itself, later.)"),
    ] = False,
    url: Url = None,
) -> None:
    """Rebuild the story of CASE from the events of all services: who, when, why, by which rule, and the states.

    What the case caused elsewhere comes with it (its notices), and the identity events of its person.
    """
    console = wide_console()
    with reached(AUDITOR, url) as database:
        try:
            rebuilt = asyncio.run(_trail(database, case, at, personal))
        except UnknownCase:
            until = " by that time" if at else ""
            typer.echo(f"There is no event of a case '{case}'{until}.", err=True)
            raise typer.Exit(1) from None
    if machine:
        typer.echo(json.dumps(as_json(rebuilt), ensure_ascii=False, indent=2))
    else:
        told(rebuilt, console)


async def _trail(database: Database, case: str, at: datetime | None, personal: bool) -> Trail:
    async with (
        asyncpg.create_pool(database.url, min_size=1, max_size=2) as pool,
        pool.acquire() as connection,
    ):
        keyring = Keyring(pool, database.needed_kek) if personal else None
        return await rebuild_trail(connection, case, deciders(), keyring=keyring, at=at)


def deciders() -> Deciders:
    """Every decider of every service, found in its domain."""
    found: dict[tuple[str, str], Decider[object, object, object, object]] = {}  # type: ignore[type-var]
    for service in events.SERVICES:
        domain = import_module(f"services.{service}.domain")
        for module in pkgutil.iter_modules(domain.__path__, f"{domain.__name__}."):
            for value in vars(import_module(module.name)).values():
                if isinstance(value, Decider) and found.setdefault((service, value.kind), value) is not value:
                    raise TypeError(f"{service} has two deciders for streams of the kind {value.kind}")
    return found


@app.command("verify")
def verify_stores(url: Url = None) -> None:
    """Recompute the hash chain of every stream of every service, and check heads and positions against the events."""
    console = wide_console()
    with reached(AUDITOR, url) as database:
        findings, services = asyncio.run(_verify(database, console))
    console.print(f"{findings} findings", style="red" if findings else "green")
    if services == 0:
        console.print("There is no event store in this database, so nothing is proved.", style="red")
    if findings or services == 0:
        raise typer.Exit(1)


async def _verify(database: Database, console: Console) -> tuple[int, int]:
    """How many findings in how many services; each is printed as it is made."""
    connection = await asyncpg.connect(database.url)
    findings = 0
    try:
        services = await stores_in(connection)
        for service in services:
            audited = Audited(service)
            async for finding in verify(connection, audited):
                findings += 1
                console.print(_sentence(finding), style="red", soft_wrap=True, markup=False)
            waiting = f", {audited.waiting} events wait for one" if audited.waiting else ""
            counts = f"{audited.events} events, {audited.streams} streams, {audited.positions} positions{waiting}"
            console.print(f"{service}: {counts}", soft_wrap=True)
    finally:
        await connection.close()
    return findings, len(services)


def _sentence(finding: Finding) -> str:
    where = f" {finding.stream} version {finding.version}" if finding.stream else ""
    return f"{finding.service}{where}: {finding.sentence} [{finding.kind}]"
