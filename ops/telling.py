"""A trail told: for people, grouped by day, and for machines, as JSON. `ops/audit.py` and the demo use it.

What is sealed is hidden unless the trail was rebuilt with a keyring; what belonged to an erased person is marked.
"""

from __future__ import annotations

import inspect
import json
import re
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from shared import events
from shared.kernel.messages import ERASED
from shared.kernel.time import SHANGHAI, spoken
from shared.runtime.trail import Entry, Trail

HIDDEN = "〔未显示〕"
_DAYS = "一二三四五六日"
_REASONS = ("reason_code", "reason", "note")
_CHINESE_HEAD = re.compile(r"[\u3400-\u9fff][^:,]*[:,]")
_CREDENTIALS = ("password_hash", "totp_secret", "code")  # no auditor needs what opens an account
_ACTORS = ("reviewer", "viewer", "printed_by")
_SHORT = 64


def told(trail: Trail, console: Console) -> None:
    """Print the story; plain text when `console` is not a terminal."""
    console.print(_heading(trail), soft_wrap=True)
    for day, entries in groupby(trail.entries, key=lambda entry: entry.fact.meta.at.astimezone(SHANGHAI).date()):
        console.print()
        console.print(Rule(f"{day:%Y-%m-%d} 星期{_DAYS[day.weekday()]}", align="left", style="dim", characters="─"))
        console.print(_day(trail, list(entries)))
    console.print()
    console.print(Rule("各记录的状态", align="left", style="dim", characters="─"))
    for (source, stream), state in trail.states.items():
        console.print(Text.assemble("  ", (state.name, "bold"), f"  {source} {stream}，第 {state.version} 版"))
    if short := _shortened(trail):
        console.print()
        for brief, whole in short.items():
            console.print(Text(f"  {brief} = {whole}", "dim"), soft_wrap=True)


def _heading(trail: Trail) -> Text:
    until = f"，截至 {spoken(trail.at)}" if trail.at else ""
    who = "、".join(_brief(person) for person in trail.persons) or "无"
    return Text.assemble(
        ("案件 ", "dim"), (trail.case, "bold"), ("  考生 ", "dim"), who, f"  共 {len(trail.entries)} 条记录{until}"
    )


def _day(trail: Trail, entries: list[Entry]) -> RenderableType:
    grid = Table.grid(padding=(0, 2, 0, 0))
    for width in (8, 26, 58, 22):
        grid.add_column(width=width, overflow="fold")
    for entry in entries:
        at = entry.fact.meta.at.astimezone(SHANGHAI)
        who = Group(Text(_who(trail, entry)), *_role(entry), Text(_where(entry), "dim"))
        space_below = (0, 0, 1, 0)
        what = Padding(_what(trail, entry), space_below)
        grid.add_row(Text(f"{at:%H:%M:%S}", "cyan"), Padding(who, space_below), what, _change(entry))
    return grid


def _where(entry: Entry) -> str:
    return f"{entry.fact.source} {entry.fact.stream.split('-', 1)[0]} {entry.fact.version}"


def _who(trail: Trail, entry: Entry) -> str:
    actor = entry.fact.meta.actor
    if actor in trail.persons:
        return f"考生 {_brief(actor)}"
    if actor in events.SERVICES:
        return f"系统·{actor}"
    if actor in ("timer", "anonymous"):
        return {"timer": "系统·定时", "anonymous": "未登录者"}[actor]
    return _brief(actor)


def _role(entry: Entry) -> list[Text]:
    """In which role the actor did it, where the event says so."""
    event = entry.fact.event
    acted = entry.fact.meta.actor in (getattr(event, name, None) for name in _ACTORS)
    return [Text(event.role)] if acted and getattr(event, "role", None) else []


def _what(trail: Trail, entry: Entry) -> RenderableType:
    """Chinese first: what an official calls it, then the sentence; the rule, the reasons, the rest."""
    head, sentence = _sentence(entry)
    sealed = _personal(trail, entry)
    reasons = {name: why for name, why in reasons_of(trail, entry).items() if trail.unsealed or name not in sealed}
    personal = [f"{name} {_plain(value)}" for name, value in sealed.items() if name not in reasons]
    cause = next((each for each in trail.entries if each.fact.id == entry.fact.meta.causation), None)
    labelled = (
        ("依据", rule_of(entry), "green"),
        ("原因", "； ".join(reasons.values()), "yellow"),
        ("起因", _where(cause) if cause else "", ""),
        ("详情", "； ".join(f"{name} {value}" for name, value in _details(trail, entry).items()), ""),
        ("个人信息", "； ".join(personal), "" if trail.unsealed else "dim"),
    )
    lines = [Text.assemble((f"{label} ", "dim"), (text, style)) for label, text, style in labelled if text]
    return Group(Text.assemble((head, "bold"), sentence), *lines)


def _sentence(entry: Entry) -> tuple[str, str]:
    """The first line of what its class says of itself; its Chinese head gives way to the title of the state reached."""
    event = entry.fact.event
    description = inspect.cleandoc(type(event).__doc__ or type(event).__name__).splitlines()[0].replace("`", "")
    head = _CHINESE_HEAD.match(description)
    if head is None:
        return "", description
    reached = entry.before != entry.after and getattr(event, "title", None) == entry.after
    return f"{entry.after}:" if reached else head[0], description[head.end() :]


def _details(trail: Trail, entry: Entry) -> dict[str, str]:
    """The short plain fields that are not shown elsewhere, except what every entry has in common."""
    shown = {"clause", *_REASONS, *entry.sealed}
    details: dict[str, str] = {}
    for name in entry.fact.event.__struct_fields__:
        value = getattr(entry.fact.event, name)
        if isinstance(value, datetime):
            value = spoken(value)
        elif isinstance(value, tuple) and all(isinstance(each, str) for each in value):
            value = "、".join(value)
        if isinstance(value, str | int) and name not in shown and 0 < len(str(value)) <= _SHORT:
            details[name] = str(value)
    repeated = {"title": entry.after, **dict.fromkeys(_ACTORS, entry.fact.meta.actor)}
    common = {trail.case, *trail.persons}
    return {name: value for name, value in details.items() if value != repeated.get(name) and value not in common}


def rule_of(entry: Entry) -> str | None:
    """The clause of the book that the event was recorded by."""
    clause = getattr(entry.fact.event, "clause", None)
    return str(clause) if clause else None


def reasons_of(trail: Trail, entry: Entry) -> dict[str, str]:
    """Why, as far as the event says it: a code, the book's text for it, what somebody wrote."""
    body = _body(trail, entry)
    return {name: _plain(body[name]) for name in _REASONS if body.get(name)}


def _personal(trail: Trail, entry: Entry) -> dict[str, Any]:
    event = entry.fact.event
    values = dict.fromkeys(entry.sealed, ERASED if entry.erased else HIDDEN)
    if trail.unsealed:
        values |= {n: msgspec.to_builtins(getattr(event, n)) for n in entry.sealed if n not in _CREDENTIALS}
    return values


def _body(trail: Trail, entry: Entry) -> dict[str, Any]:
    body: dict[str, Any] = msgspec.to_builtins(entry.fact.event)
    return body | _personal(trail, entry)


def _change(entry: Entry) -> Text:
    if entry.after is None:
        return Text("")
    if entry.before == entry.after:
        return Text(entry.after, "dim")
    return Text.assemble((f"{entry.before or '—'} → ", "dim"), (entry.after, "bold"))


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _brief(name: str) -> str:
    """The first part of a long random id; `told` explains it at the end."""
    return name.split("-", 1)[0] if _is_uuid(name) else name


def _is_uuid(name: str) -> bool:
    try:
        UUID(name)
    except ValueError:
        return False
    return True


def _shortened(trail: Trail) -> dict[str, str]:
    names = [*trail.persons, *(entry.fact.meta.actor for entry in trail.entries)]
    return {_brief(name): name for name in dict.fromkeys(names) if _is_uuid(name)}


def as_json(trail: Trail) -> dict[str, Any]:
    """For machines: times in ISO 8601 UTC, hashes in hexadecimal; sealed fields as in the text."""
    return {
        "case": trail.case,
        "at": trail.at.isoformat() if trail.at else None,
        "persons": list(trail.persons),
        "entries": [_entry_as_json(trail, entry) for entry in trail.entries],
        "states": [
            {"service": source, "stream": stream, "state": state.name, "version": state.version}
            for (source, stream), state in trail.states.items()
        ],
    }


def _entry_as_json(trail: Trail, entry: Entry) -> dict[str, Any]:
    fact, meta = entry.fact, entry.fact.meta
    return {
        "at": meta.at.isoformat(),
        "service": fact.source,
        "stream": fact.stream,
        "version": fact.version,
        "position": fact.position,
        "type": fact.event.name,
        "id": str(fact.id),
        "command": str(meta.command_id),
        "actor": meta.actor,
        "case": meta.case,
        "person": meta.person,
        "causation": str(meta.causation) if meta.causation else None,
        "correlation": str(meta.correlation) if meta.correlation else None,
        "rule": rule_of(entry),
        "reasons": reasons_of(trail, entry),
        "before": entry.before,
        "after": entry.after,
        "event": _body(trail, entry),
        "erased": entry.erased,
        "previous_hash": entry.previous_hash.hex(),
        "hash": entry.hash.hex(),
    }
