"""`./zikao parked`: other services' streams that wait, and what a person may do about them.

`list` and `show` read as the role `auditor`; `retry` and `resolve` act as the service that is stuck. A running service
goes on within a second; one that is down does so when it is started.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Annotated, Any
from uuid import uuid4

import asyncpg
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ops.acting import By, asked, operator
from ops.reach import WITHOUT, reached
from ops.replay import definition_of
from ops.stack.places import Unserviceable
from ops.stack.screen import wide_console
from ops.telling import HIDDEN
from ops.words import called
from shared import events
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta, personal_fields
from shared.kernel.parking import LONGEST_NOTE, REASONS, ResolveParked
from shared.kernel.time import SHANGHAI, utc_now
from shared.runtime.audit import stores_in
from shared.runtime.database import AUDITOR
from shared.runtime.parking import EARLY, POISON, try_again
from shared.runtime.service import Service

GOING_ON = "going_on"
_NEXT = {POISON: "waits for a person", GOING_ON: "goes on"}

app = typer.Typer(
    help="Streams of other services that wait, and what to do about them.", no_args_is_help=True, add_completion=False
)

ServiceName = Annotated[str, typer.Argument(metavar="SERVICE", help="Who is stuck: exemption, notification, ...")]
Source = Annotated[str, typer.Argument(help="Whose stream it is.")]
Stream = Annotated[str, typer.Argument(help="The stream, as `list` shows it.")]
Machine = Annotated[bool, typer.Option("--json", help="For machines.")]
AuditorUrl = Annotated[str | None, typer.Option("--url", help=f"The database as the role auditor; {WITHOUT}")]
ServiceUrl = Annotated[str | None, typer.Option("--url", help=f"The database as the service's own role; {WITHOUT}")]


@dataclass(frozen=True)
class Parked:
    """One stream that waits, at which fact, and why."""

    service: str
    source: str
    stream: str
    version: int
    type: str
    event_id: str
    case: str | None
    person: str | None
    kind: str
    """poison, not_yet, or going_on: handled or passed over, and the rest follows."""
    reason: str
    detail: str
    since: datetime
    attempts: int
    next_try: datetime | None
    behind: int
    """How many versions after it have come meanwhile."""


@app.command("list")
def list_parked(
    service: Annotated[str | None, typer.Argument(help="Only what waits in this service.")] = None,
    machine: Machine = False,
    url: AuditorUrl = None,
) -> None:
    """Show every stream that waits. Fails if one of them waits for a person."""
    with reached(AUDITOR, url) as database:
        found = asked(database, lambda pool: _parked_in(pool, service))
    if machine:
        typer.echo(json.dumps([_as_json(each) for each in found], ensure_ascii=False, indent=2))
    else:
        _tell(found)
    if any(each.kind == POISON for each in found):
        raise typer.Exit(1)


@app.command()
def show(
    service: ServiceName, source: Source, stream: Stream, machine: Machine = False, url: AuditorUrl = None
) -> None:
    """Show one stream that waits: the fact it waits at, without personal values, and what went wrong."""

    async def read(pool: asyncpg.Pool) -> tuple[Parked, dict[str, Any]]:
        for each in await _parked_in(pool, service):
            if (each.source, each.stream) == (source, stream):
                return each, await _event_of(pool, each)
        raise Refused("parking.not_parked")

    with reached(AUDITOR, url) as database:
        parked, event = asked(database, read)
    if machine:
        typer.echo(json.dumps({**_as_json(parked), "event": event}, ensure_ascii=False, indent=2))
        return
    console = wide_console()
    for heading, values in (("waits", _as_json(parked)), ("event", event)):
        console.print(Text(heading, "bold"))
        for key, value in values.items():
            shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
            console.print(f"  {key:<12} {shown}", soft_wrap=True, markup=False)
    place = f"{service} {source} {stream}"
    console.print(f"Try it again:      {called()} parked retry {place}", soft_wrap=True, markup=False)
    resolve_it = f"{called()} parked resolve {place} {parked.version} --reason CODE"
    console.print(f"Go on without it:  {resolve_it}", soft_wrap=True, markup=False)


@app.command()
def retry(service: ServiceName, source: Source, stream: Stream, url: ServiceUrl = None) -> None:
    """Have the service try the fact again at once, and what waits behind it, in order."""

    async def again(pool: asyncpg.Pool) -> None:
        async with pool.acquire() as connection:
            if not await try_again(connection, source, stream):
                raise Refused("parking.not_parked")

    with reached(_follower(service), url) as database:
        asked(database, again, service)
    typer.echo(f"{service} tries {source} {stream} again: at once where it runs, else when it is started.")


@app.command()
def resolve(
    service: ServiceName,
    source: Source,
    stream: Stream,
    version: Annotated[int, typer.Argument(help="The version it waits at, as you have seen it.")],
    reason: Annotated[
        str, typer.Option(metavar="CODE", help="; ".join(f"{code}: {text}" for code, text in REASONS.items()))
    ],
    note: Annotated[
        str | None,
        typer.Option(help=f"In your own words, at most {LONGEST_NOTE} characters; sealed for the person it is about."),
    ] = None,
    by: By = None,
    even_early: Annotated[
        bool, typer.Option("--even-early", help="Also if it only waits for another fact, which may yet come.")
    ] = False,
    url: ServiceUrl = None,
) -> None:
    """Go on without that one fact, for good: recorded as an event with who said so and why."""
    definition = definition_of(_follower(service))
    meta = Meta(command_id=uuid4(), actor=operator(by), at=utc_now())
    command = ResolveParked(
        source=source, stream=stream, version=version, reason=reason, note=note, even_early=even_early
    )
    with reached(service, url) as database:
        kek = database.needed_kek
        asked(database, lambda pool: Service(definition, pool, kek, utc_now, None).handle(command, meta), service)
    typer.echo(f"{service} goes on without version {version} of {source} {stream}: {meta.actor}, {reason}.")


def _follower(service: str) -> str:
    if service not in events.FOLLOWS:
        raise Unserviceable(f"'{service}' is no service that follows another; {', '.join(events.FOLLOWS)} are.")
    return service


async def _parked_in(pool: asyncpg.Pool, only: str | None) -> list[Parked]:
    """In the order in which they began to wait."""
    found: list[Parked] = []
    async with pool.acquire() as connection:
        stores = await stores_in(connection)
    for service in [_follower(only)] if only else [each for each in events.FOLLOWS if each in stores]:
        rows = await pool.fetch(
            "select p.*, i.version as handled "  # noqa: S608 - names of ours
            f'from "{service}".parked as p join "{service}".inbox as i using (source, stream) order by p.parked_at'
        )
        found += [_parked(service, row) for row in rows]
    return found


def _parked(service: str, row: asyncpg.Record) -> Parked:
    waits = POISON if row["retry_at"] is None else EARLY
    return Parked(
        service=service,
        source=row["source"],
        stream=row["stream"],
        version=row["version"],
        type=row["type"],
        event_id=str(row["event_id"]),
        case=row["case_id"],
        person=row["person"],
        kind=GOING_ON if row["version"] <= row["handled"] else waits,
        reason=row["reason"],
        detail=row["detail"],
        since=row["parked_at"],
        attempts=row["attempts"],
        next_try=row["retry_at"],
        behind=row["latest"] - row["version"],
    )


async def _event_of(pool: asyncpg.Pool, parked: Parked) -> dict[str, Any]:
    """The fact as its source has it: of a type we know the fields that are not personal, of others only their names."""
    row = await pool.fetchrow(
        "select l.position, e.type, e.event_id, e.actor, e.causation, e.correlation, e.traceparent, "  # noqa: S608
        f'e.recorded_at, e.body from "{parked.source}".events as e '
        f'left join "{parked.source}".log as l using (seq) where e.stream = $1 and e.version = $2',
        parked.stream,
        parked.version,
    )
    if row is None:
        return {"body": f"{parked.source} has no version {parked.version} of it in this database"}
    kind, body = events.EVENTS.get(row["type"]), json.loads(row["body"])
    plain = set(kind.__struct_fields__) - set(personal_fields(kind)) if kind else set()
    told = {key: value if value is None or isinstance(value, int) else str(value) for key, value in row.items()}
    return {**told, "body": {name: value if name in plain else HIDDEN for name, value in body.items()}}


def _as_json(parked: Parked) -> dict[str, Any]:
    return {key: _told(value) if isinstance(value, datetime) else value for key, value in asdict(parked).items()}


def _told(at: datetime) -> str:
    return at.astimezone(SHANGHAI).isoformat(timespec="seconds")


def _tell(found: Sequence[Parked]) -> None:
    """Two lines for each: streams have long names."""
    console = wide_console()
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="dim")
    grid.add_column("service\nfollows", no_wrap=True)
    grid.add_column("stream\nthe fact it waits at", no_wrap=True)
    grid.add_column("version", justify="right")
    grid.add_column("behind", justify="right")
    grid.add_column("reason\ntries", overflow="fold")
    grid.add_column("since\nnext try", no_wrap=True)
    for each in found:
        next_try = _NEXT.get(each.kind) or _brief(each.next_try)
        pairs = ((each.service, each.source), (each.stream, each.type), (each.reason, each.attempts))
        who, what, why = (Text.assemble(f"{above}\n", (str(below), "dim")) for above, below in pairs)
        times = Text.assemble(f"{_brief(each.since)}\n", (next_try, "dim"))
        style = "red" if each.kind == POISON else ""
        grid.add_row(who, what, str(each.version), str(each.behind), why, times, style=style)
    if found:
        console.print(grid)
    persons = sum(each.kind == POISON for each in found)
    console.print(f"{len(found)} streams wait, {persons} of them for a person")


def _brief(at: datetime | None) -> str:
    return f"{at.astimezone(SHANGHAI):%m-%d %H:%M:%S}" if at else ""
