"""A trail told: for people, grouped by day, and for machines, as JSON. `ops/audit.py` and the demo use it.

People read who did what, why, by which rule, and what became of it; JSON holds the rest. What is sealed is hidden
unless the trail was rebuilt with a keyring; what belonged to an erased person is marked.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any
from uuid import UUID

import msgspec
from rich.console import Console, Group
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from ops.words import Words, brief, called, kind_of
from shared.events.exemption import (
    ApplicationHandedOff,
    ApplicationReturned,
    BatchHandedOff,
    DocumentsViewed,
    PhotographAccepted,
    PhotographRefused,
    StageOpened,
)
from shared.events.identity import RoleGranted, RoleRevoked, StaffAdded
from shared.events.notification import MessageRequested, ReceiptAwaited
from shared.kernel.messages import ERASED
from shared.kernel.time import SHANGHAI, spoken
from shared.runtime.trail import Entry, Stream, Trail

HIDDEN = "〔未显示〕"
_NARROW = 100
_DAYS = "一二三四五六日"
_REASONS = ("reason_code", "reason", "note")
_CREDENTIALS = ("password_hash", "totp_secret", "code")  # no auditor needs what opens an account
_FOLDED = (DocumentsViewed, ReceiptAwaited)

_DETAILS = {
    "bases": "证书或依据",
    "number": "编号",
    "seen": "已查验",
    "course_codes": "课程",
    "applications": "涉及申请",
    "checklist": "核对",
    "documents": "材料",
    "channels": "方式",
    "until": "恢复时间",
    "attempts_left": "还可输入",
    "next_try_at": "下次发送",
    "reference": "接收编号",
    "to_day": "延长至",
    "fen": "金额",
    "payable_until": "缴费截止",
    "order": "订单",
    "paid_at": "支付时间",
}
"""Field -> its label, for the plain fields that a reader needs."""
_SAID = {"opinion": "意见", "note": "说明"}
"""What reviewers wrote: personal, and said to be there even where it is hidden."""
_PERSONAL = {
    "name_of_person": "姓名",
    "holder": "姓名",
    "id_number": "身份证号码",
    "ticket_number": "准考证号",
    "mobile": "手机号码",
    "previous": "原手机号码",
    "evidence": "依据材料",
    "inbox_text": "内容",
}


def told(trail: Trail, console: Console) -> None:
    """Print the story; plain text when `console` is not a terminal."""
    words = Words(trail)
    teller = _Teller(trail, words, narrow=console.width < _NARROW)
    console.print(_heading(trail), soft_wrap=True)
    for day, rows in groupby(_rows(trail), key=lambda row: row[0].fact.meta.at.astimezone(SHANGHAI).date()):
        console.print()
        console.print(_ruled(f"{day:%Y-%m-%d} 星期{_DAYS[day.weekday()]}"))
        console.print()
        console.print(teller.day(list(rows)))
    console.print()
    console.print(_ruled("各记录的状态"))
    console.print()
    console.print(_states(trail, words))
    console.print()
    for whole, who in _people(trail, words).items():
        console.print(Text(f"{brief(whole)} = {whole}  {who}", "dim"), soft_wrap=True)
    console.print(
        Text(f"完整记录（编号、原始内容、散列）：{called()} audit trail {trail.case} --json", "dim"), soft_wrap=True
    )


def _heading(trail: Trail) -> Text:
    until = f"，截至 {spoken(trail.at)}" if trail.at else ""
    who = "、".join(brief(person) for person in trail.persons) or "无"
    hidden = "" if trail.unsealed else "，个人信息未显示（--personal 显示）"
    return Text.assemble(
        ("案件 ", "dim"),
        (trail.case, "bold"),
        ("  考生 ", "dim"),
        who,
        f"  共 {len(trail.entries)} 条记录{until}{hidden}",
    )


def _ruled(title: str) -> Rule:
    return Rule(title, align="left", style="dim", characters="─")


def _rows(trail: Trail) -> Iterator[list[Entry]]:
    """One row for each event; the same person's looks at the papers, one after the other, are one row."""

    def alike(entry: Entry) -> object:
        fact = entry.fact
        return (fact.stream, fact.meta.actor, type(fact.event)) if isinstance(fact.event, _FOLDED) else fact.id

    return (list(entries) for _, entries in groupby(trail.entries, key=alike))


class _Teller:
    """Turns the rows of a day into a table: time, who, what and why, what became of it."""

    def __init__(self, trail: Trail, words: Words, *, narrow: bool) -> None:
        self._trail = trail
        self._words = words
        self._narrow = narrow
        self._by_id = {entry.fact.id: entry for entry in trail.entries}
        self._forms = _with_the_one_before(trail, "form")
        self._photos = _with_the_one_before(trail, "photos")
        self._claims = _claims_with_those_before(trail)

    def day(self, rows: list[list[Entry]]) -> Table:
        """What one command did stands together, under one time and one name."""
        grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
        grid.add_column(width=8)
        if not self._narrow:
            grid.add_column(width=28, overflow="fold")
        grid.add_column(ratio=1, overflow="fold")
        if not self._narrow:
            grid.add_column(width=24, overflow="fold")
        before: Entry | None = None
        for row in rows:
            entry = row[0]
            apart = before is None or before.fact.meta.command_id != entry.fact.meta.command_id
            if apart and before:
                grid.add_row()
            rule = rule_of(entry) if apart or before is None or rule_of(before) != rule_of(entry) else None
            at = Text(f"{entry.fact.meta.at.astimezone(SHANGHAI):%H:%M:%S}" if apart else "", "cyan")
            who = self._who(entry) if apart else Text()
            what = Group(self._called(row), _labelled([*self._lines(row), ("依据", rule or "", "green")]))
            if self._narrow:
                grid.add_row(at, Group(*([who] if apart else []), what, _change(row)))
            else:
                grid.add_row(at, who, what, _change(row))
            before = entry
        return grid

    def _who(self, entry: Entry) -> Text:
        who, ident = self._words.who(entry)
        return Text.assemble(who, " " if who and ident else "", (ident, "dim"))

    def _called(self, row: list[Entry]) -> Text:
        event = row[0].fact.event
        times = f"（{len(row)}次）" if len(row) > 1 and isinstance(event, ReceiptAwaited) else ""
        return Text(self._words.called(event) + times, "bold")

    def _lines(self, row: list[Entry]) -> Iterator[tuple[str, str, str]]:
        """Label, text and style: why it happened, and what else a reader needs."""
        entry = row[0]
        yield from ((label, text, "yellow") for label, text in self._why(entry))
        cause = self._by_id.get(entry.fact.meta.causation) if entry.fact.meta.causation else None
        if cause and cause.fact.stream != entry.fact.stream:
            yield "起因", self._words.called(cause.fact.event), ""
        yield from ((label, text, "") for label, text in (*self._details(row), *self._personal(entry)))

    def _why(self, entry: Entry) -> Iterator[tuple[str, str]]:
        event = entry.fact.event
        if reason := getattr(event, "reason", None):
            yield "原因", self._words.said("reason", reason)
        if isinstance(event, ApplicationReturned):
            yield "涉及", self._words.said("document", event.document)
        if isinstance(event, PhotographRefused):
            yield "原因", "".join(result["zh"] for result in event.results if not result["passed"])

    def _details(self, row: list[Entry]) -> Iterator[tuple[str, str]]:
        event = row[0].fact.event
        if isinstance(event, StageOpened):
            yield "办理", self._words.office(event.role, event.organisation)
            yield "期限", spoken(event.due_at) if event.due_at else ""
        if isinstance(event, ApplicationHandedOff | BatchHandedOff):
            yield "接收", self._words.office(event.receiver_role, event.receiver)
        if isinstance(event, RoleGranted | RoleRevoked | StaffAdded):
            yield "机构", self._words.said("organisation", event.organisation)
        yield "照片", self._words.said("slot", [*self._new_photos(row[0])])
        for name, label in _DETAILS.items():
            if name in event.__struct_fields__ and name not in row[0].sealed:
                value = getattr(event, name)
                if name == "checklist":
                    value = [f"{event.stage} {item}" for item in value]
                if isinstance(event, DocumentsViewed):
                    value = list(dict.fromkeys(paper for entry in row for paper in entry.fact.event.documents))
                yield label, "" if value is None else self._words.said(name, value)

    def _personal(self, entry: Entry) -> Iterator[tuple[str, str]]:
        values = _personal(self._trail, entry)
        for name, label in _SAID.items():
            yield label, values.get(name, "")
        if not self._trail.unsealed:
            return
        by_sms = "sms" in getattr(entry.fact.event, "channels", ("sms",))
        for name, label in _PERSONAL.items():
            if name != "mobile" or by_sms:
                yield label, values.get(name, "")
        yield from self._filled_in(entry)
        yield from self._claimed(entry)

    def _new_photos(self, entry: Entry) -> Iterator[str]:
        photos, before = self._photos.get(entry.fact.id, ({}, None))
        return (slot for slot, upload in photos.items() if (before or {}).get(slot) != upload)

    def _filled_in(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """A form the first time in full, then only what became different."""
        form, before = self._forms.get(entry.fact.id, ({}, None))
        for name, value in form.items():
            was = (before or {}).get(name)
            if value and value != was:
                word = self._field(name, value)
                yield self._words.said("field", name), f"{self._field(name, was)} → {word}" if was else word

    def _claimed(self, entry: Entry) -> Iterator[tuple[str, str]]:
        """Claims the first time in full, then only those that became different."""
        claims, before = self._claims.get(entry.fact.id, ((), None))
        for claim in claims:
            if claim not in (before or ()):
                courses = "、".join(" ".join(filter(None, (each["code"], each["name"]))) for each in claim["courses"])
                typed = "，".join(str(value) for value in claim["form"].values() if value)
                yield "免考依据", "；".join(filter(None, (self._words.said("bases", claim["basis"]), courses, typed)))

    def _field(self, name: str, value: str) -> str:
        return self._words.said("certificate" if name == "certificate" else "organisation", value)


def _with_the_one_before(trail: Trail, field: str) -> dict[UUID, tuple[dict[str, str], dict[str, str] | None]]:
    """Event -> what it holds in `field`, and what the last one of its stream that has the field held."""
    last: dict[str, dict[str, str]] = {}
    found = {}
    for entry in trail.entries:
        held = getattr(entry.fact.event, field, None)
        if isinstance(held, dict):
            found[entry.fact.id] = held, last.get(entry.fact.stream)
            last[entry.fact.stream] = held
    return found


Claims = Sequence[Mapping[str, Any]]


def _claims_with_those_before(trail: Trail) -> dict[UUID, tuple[Claims, Claims | None]]:
    """Event -> the claims it holds, and those of the last one of its stream."""
    last: dict[str, Claims] = {}
    found: dict[UUID, tuple[Claims, Claims | None]] = {}
    for entry in trail.entries:
        held = getattr(entry.fact.event, "claims", None)
        if isinstance(held, tuple):
            found[entry.fact.id] = held, last.get(entry.fact.stream)
            last[entry.fact.stream] = held
    return found


def _labelled(lines: list[tuple[str, str, str]]) -> Table:
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(style="dim", min_width=4)
    grid.add_column(overflow="fold")
    for label, text, style in lines:
        if text:
            grid.add_row(label, Text(text, style))
    return grid


def _change(row: list[Entry]) -> Text:
    before, after = row[0].before, row[-1].after
    if after is None or before == after:
        return Text(after or "", "dim")
    return Text.assemble((f"{before} → " if before else "", "dim"), (after, "bold"))


def _states(trail: Trail, words: Words) -> Table:
    """Each record by what it is about: the notice by its title, the photograph by its side."""
    about: dict[Stream, str] = {}
    kinds: dict[Stream, str] = {}
    for entry in trail.entries:
        fact, event = entry.fact, entry.fact.event
        stream = (fact.source, fact.stream)
        kinds[stream] = kind_of(fact)
        if isinstance(event, MessageRequested):
            about[stream] = event.title
        elif isinstance(event, PhotographAccepted | PhotographRefused):
            about[stream] = words.said("slot", event.slot)
    grid = Table.grid(padding=(0, 2, 0, 0))
    for stream, state in trail.states.items():
        name = brief(stream[1].split("-", 1)[1])
        what = Text.assemble(kinds.get(stream, ""), f"：{about[stream]}" if stream in about else "")
        grid.add_row("", what, Text(name, "dim"), Text(state.name, "bold"), Text(f"{state.version} 条记录", "dim"))
    return grid


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


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _people(trail: Trail, words: Words) -> dict[str, str]:
    """Whole ids of those whose ids are shown in part, and as what they acted last."""
    acted = {entry.fact.meta.actor: words.who(entry)[0] for entry in trail.entries}
    return {name: who for name, who in (dict.fromkeys(trail.persons, "考生") | acted).items() if brief(name) != name}


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
