"""`./zikao cycles`: 批次 from the command line: which there are, opening one, extending a window, closing one.

`list` and `show` read as the role `auditor`. The others act as the service exemption, by the same commands as its API,
and so whoever may reach its database stands in for those whom a book lets open cycles; the audit names the operator.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Annotated, Any, get_args
from uuid import uuid4

import asyncpg
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from ops.acting import By, asked, operator, told_if_refused
from ops.reach import WITHOUT, reached
from ops.replay import definition_of
from ops.stack.screen import wide_console
from services.exemption.domain.commands import CloseCycle, CycleCommand, ExtendWindow, OpenCycle, WindowAsked
from services.exemption.domain.cycle import CYCLE
from services.exemption.domain.refusals import REFUSALS
from services.exemption.domain.scheme import ExemptionScheme
from services.exemption.views.cycles import CycleRow, find_cycles
from shared import events
from shared.kernel.errors import COMMON, Refusal, Refused
from shared.kernel.messages import Fact, Meta, Receipt, stream_name
from shared.kernel.time import spoken, utc_now
from shared.runtime.access import EVERYWHERE, Caller
from shared.runtime.database import AUDITOR
from shared.runtime.event_store import records_of
from shared.runtime.records import fact_of
from shared.runtime.service import Service
from shared.schemes.catalog import Catalog
from shared.schemes.procedure import Skip, Window, hours_of

SERVICE = "exemption"
ANNOUNCED, ALL_DAY, NONE = "announced", "all-day", "none"
_SPELT: Mapping[str, Refusal] = {
    "cycles.unreadable_window": Refusal(
        422,
        "看不懂时间段“{window}”中的“{part}”。",
        "“{part}” of the window “{window}” cannot be read. Write apply=2026-11-20..2026-12-01, with hours after "
        "it (,09:00-12:00,13:00-17:00 or ,all-day), days left out (,without:2026-11-25) and lists of such days "
        "(,skip:holidays ,skip:weekends ,skip:none); or apply=announced for the dates of the book.",
    ),
    "cycles.window_twice": Refusal(422, "时间段“{purpose}”填写了两次。", "The window {purpose} is given twice."),
    "cycles.not_a_day": Refusal(422, "“{text}”不是日期。", "“{text}” is not a day; write it like 2026-12-01."),
}
_TEXTS = {**COMMON, **REFUSALS, **_SPELT}
_PHASES = {"not_yet": "not yet open", "open": "open", "paused": "between its hours", "closed": "over"}

app = typer.Typer(
    help="Dated openings of schemes (批次). Days and hours are those of Shanghai.",
    no_args_is_help=True,
    add_completion=False,
)

CycleId = Annotated[str, typer.Argument(metavar="CYCLE", help="Its id, as `list` shows it.")]
Why = Annotated[str, typer.Option("--reason", help="Why; kept, and shown to whoever may open cycles.")]
Machine = Annotated[bool, typer.Option("--json", help="For machines.")]
AuditorUrl = Annotated[str | None, typer.Option("--url", help=f"The database as the role auditor; {WITHOUT}")]
ServiceUrl = Annotated[str | None, typer.Option("--url", help=f"The database as the role exemption; {WITHOUT}")]


@app.command("list")
def list_cycles(
    book: Annotated[str | None, typer.Argument(help="Only those of this book, as `schemes list` names it.")] = None,
    machine: Machine = False,
    url: AuditorUrl = None,
) -> None:
    """Show every cycle with its windows, the newest first."""
    with reached(AUDITOR, url) as database:
        found = asked(database, lambda pool: _rows(pool, scheme=book), SERVICE, _TEXTS)
    if machine:
        typer.echo(json.dumps([_as_json(row) for row in found], ensure_ascii=False, indent=2))
        return
    for row in found:
        _tell(row)
    typer.echo(f"{len(found)} cycles")


@app.command()
def show(cycle: CycleId, machine: Machine = False, url: AuditorUrl = None) -> None:
    """Show one cycle, its windows, and who opened, extended or closed it, when and why."""

    async def read(pool: asyncpg.Pool) -> tuple[CycleRow, Sequence[Fact[Any]]]:
        row = await _row(pool, cycle)
        async with pool.acquire() as connection:
            records = await records_of(connection, stream_name(CYCLE.kind, cycle))
        return row, [fact_of(SERVICE, record, {}) for record in records]

    with reached(AUDITOR, url) as database:
        row, past = asked(database, read, SERVICE, _TEXTS)
    if machine:
        typer.echo(json.dumps({**_as_json(row), "history": _deeds(row, past)}, ensure_ascii=False, indent=2))
        return
    _tell(row)
    grid = Table.grid(padding=(0, 2, 0, 2))
    for deed in _deeds(row, past):
        grid.add_row(*(deed[column] or "" for column in ("at", "actor", "deed", "until", "reason")))
    wide_console().print(grid)


@app.command("open")
def open_cycle(
    book: Annotated[str, typer.Argument(help="The book and its version, as `schemes list` names it.")],
    organisation: Annotated[str, typer.Option(help="Where it is open: there and below.")],
    title: Annotated[str, typer.Option(help="What people call it, e.g. 2026年下半年.")],
    window: Annotated[
        list[str],
        typer.Option(
            help="For each window of the book: PURPOSE=FROM..TO, then hours as 09:00-12:00, all-day, without:DAY and "
            "skip:LIST, each after a comma; what is left out is as the book has it, with PURPOSE=announced all of it."
        ),
    ],
    by: By = None,
    url: ServiceUrl = None,
) -> None:
    """Open a cycle of a book. Everybody can read it from now on; its windows open by their own dates."""
    actor = operator(by)
    with told_if_refused(_TEXTS):
        windows = read_windows(window)
        rules = _book(book)
    command = OpenCycle(scheme=book, organisation=organisation, title=title, windows=windows)

    async def act(pool: asyncpg.Pool) -> CycleRow:
        receipt = await _carry_out(pool, database.needed_kek, actor, command, rules)
        return await _row(pool, receipt.stream.split("-", 1)[1])

    with reached(SERVICE, url) as database:
        opened = asked(database, act, SERVICE, _TEXTS)
    _tell(opened)
    typer.echo(f"Opened by {actor}.")


@app.command()
def extend(
    cycle: CycleId,
    purpose: Annotated[str, typer.Argument(help="Which of its windows.")],
    to_day: Annotated[str, typer.Argument(metavar="DAY", help="Its new last day, e.g. 2026-12-15.")],
    reason: Why,
    by: By = None,
    url: ServiceUrl = None,
) -> None:
    """Let a window end later; the days off of its lists stay days off."""
    with told_if_refused(_TEXTS):
        last = _day(to_day)
    command = ExtendWindow(cycle=cycle, purpose=purpose, to_day=last, reason=reason)
    row, actor = _changed(cycle, command, by, url)
    _tell(row)
    typer.echo(f"Extended by {actor}: {reason}")


@app.command()
def close(cycle: CycleId, reason: Why, by: By = None, url: ServiceUrl = None) -> None:
    """End a cycle by hand, for good; what was handed in is still reviewed."""
    row, actor = _changed(cycle, CloseCycle(cycle=cycle, reason=reason), by, url)
    _tell(row)
    typer.echo(f"Closed by {actor}: {reason}")


def _changed(cycle: str, command: ExtendWindow | CloseCycle, by: str | None, url: str | None) -> tuple[CycleRow, str]:
    actor = operator(by)

    async def act(pool: asyncpg.Pool) -> CycleRow:
        rules = _book((await _row(pool, cycle)).scheme)
        await _carry_out(pool, database.needed_kek, actor, command, rules)
        return await _row(pool, cycle)

    with reached(SERVICE, url) as database:
        return asked(database, act, SERVICE, _TEXTS), actor


async def _carry_out(
    pool: asyncpg.Pool, kek: bytes, actor: str, command: CycleCommand, book: ExemptionScheme
) -> Receipt:
    caller = Caller(actor, "staff", frozenset((role, EVERYWHERE) for role in book.open_by))
    meta = Meta(command_id=uuid4(), actor=actor, at=utc_now())
    return await Service(definition_of(SERVICE), pool, kek, utc_now, None).handle(command, meta, caller=caller)


def _book(ref: str) -> ExemptionScheme:
    shelf = Catalog.load()
    if ref not in shelf.refs() or SERVICE not in shelf.get(ref).sheets:
        raise Refused("exemption.no_such_scheme")
    return shelf.get(ref).part(SERVICE, ExemptionScheme)


async def _rows(pool: asyncpg.Pool, scheme: str | None = None, cycle: str | None = None) -> list[CycleRow]:
    async with pool.acquire() as connection:
        return await find_cycles(connection, scheme, cycle)


async def _row(pool: asyncpg.Pool, cycle: str) -> CycleRow:
    for row in await _rows(pool, cycle=cycle):
        return row
    raise Refused("access.not_found")


# --- what is typed


def read_windows(typed: Sequence[str]) -> dict[str, WindowAsked]:
    """Every `--window`; raises Refused."""
    windows: dict[str, WindowAsked] = {}
    for text in typed:
        purpose, asked_for = _window(text)
        if purpose in windows:
            raise Refused("cycles.window_twice", purpose=purpose)
        windows[purpose] = asked_for
    return windows


def _window(text: str) -> tuple[str, WindowAsked]:
    purpose, _, rest = text.partition("=")
    days, *more = rest.split(",")
    part = days or text
    daily, excluded, skip = [], [], []
    try:
        from_day, to_day = _days(days)
        for part in more:
            word, _, value = part.partition(":")
            if word == "without":
                excluded.append(date.fromisoformat(value))
            elif word == "skip":
                skip.append(_list(value))
            elif part != ALL_DAY:
                daily.append(hours_of(part))
    except ValueError:
        raise Refused("cycles.unreadable_window", window=text, part=part) from None
    return purpose, WindowAsked(
        from_day,
        to_day,
        tuple(daily) if daily or ALL_DAY in more else None,
        tuple(excluded),
        tuple(each for each in skip if each is not None) if skip else None,
    )


def _days(text: str) -> tuple[date | None, date | None]:
    """`FROM..TO`, or one day; None for those that the book announces."""
    if text == ANNOUNCED:
        return None, None
    first, dots, last = text.partition("..")
    return date.fromisoformat(first), date.fromisoformat(last if dots else first)


def _list(name: str) -> Skip | None:
    for known in get_args(Skip):
        if name == known:
            return known  # type: ignore[no-any-return]
    if name == NONE:
        return None
    raise ValueError(name)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("cycles.not_a_day", text=text) from None


# --- what is told


def _tell(row: CycleRow) -> None:
    console = wide_console()
    state = Text(" closed", "red") if row.closed else Text()
    console.print(Text.assemble((row.title, "bold"), f"  {row.id}  {row.scheme}  {row.organisation}", state))
    grid = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0), header_style="dim")
    for heading in ("window", "days", "hours", "left out", "now", "then"):
        grid.add_column(heading, overflow="fold")
    now = utc_now()
    for purpose, window in row.windows.items():
        phase = row.phase(purpose, now)
        days = f"{window.from_day} to {window.to_day}"
        left_out = ", ".join(f"{each:%m-%d}" for each in window.excluded)
        grid.add_row(purpose, days, _hours(window) or "all day", left_out, _PHASES[phase], _then(phase, window, now))
    console.print(grid)


def _hours(window: Window) -> str:
    return ", ".join(f"{start:%H:%M}-{end:%H:%M}" for start, end in window.daily)


def _then(phase: str, window: Window, now: datetime) -> str:
    closes, opens = window.closing(now), window.next_opening(now)
    if phase == "open" and closes:
        return f"closes {spoken(closes)}"
    return f"opens {spoken(opens)}" if opens and phase != "closed" else ""


def _as_json(row: CycleRow) -> dict[str, Any]:
    now = utc_now()
    return {
        "id": row.id,
        "scheme": row.scheme,
        "organisation": row.organisation,
        "title": row.title,
        "closed": row.closed,
        "version": row.version,
        "windows": {
            purpose: {
                "from_day": f"{window.from_day}",
                "to_day": f"{window.to_day}",
                "hours": _hours(window),
                "excluded": [f"{each}" for each in window.excluded],
                "phase": row.phase(purpose, now),
            }
            for purpose, window in row.windows.items()
        },
    }


def _deeds(row: CycleRow, past: Sequence[Fact[Any]]) -> list[dict[str, str | None]]:
    titles = {each.id: each.title for each in _book(row.scheme).windows}
    return [_deed(fact, titles) for fact in past]


def _deed(fact: Fact[Any], titles: Mapping[str, str]) -> dict[str, str | None]:
    event = fact.event
    purpose: str = getattr(event, "purpose", "")
    return {
        "at": spoken(fact.meta.at),
        "actor": fact.meta.actor,
        "deed": events.phrase(type(event)).format(purpose=titles.get(purpose, purpose)),
        "purpose": purpose or None,
        "until": f"{event.to_day}" if hasattr(event, "to_day") else None,
        "reason": getattr(event, "reason", None),
    }
