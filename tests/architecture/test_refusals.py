"""Every refusal is an answer: its code has two texts, the facts they speak of are given, and no text is left over."""

import ast
import re
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from shared.documents.refusals import REFUSALS as DOCUMENTS
from shared.kernel.errors import COMMON, Refusal
from tests.architecture.tree import ROOT, dotted, named, parsed, python_files, services

CODE = re.compile(r"[a-z]+(\.[a-z0-9_]+)+")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


@dataclass(frozen=True)
class Raised:
    """`Refused("code", fact=...)` as it stands in a file; `facts` is None when they are not written out there."""

    code: str
    facts: frozenset[str] | None
    file: Path
    line: int

    def __str__(self) -> str:
        return f"{self.code} {named(self.file)}:{self.line}"


@cache
def tables() -> Mapping[str, Mapping[str, Refusal]]:
    """The refusal tables there are, by the room that owns them."""
    with_table = [name for name in services() if (ROOT / f"services/{name}/domain/refusals.py").exists()]
    own = {name: import_module(f"services.{name}.domain.refusals").REFUSALS for name in with_table}
    return {**own, "documents": DOCUMENTS}


def raised_in(file: Path) -> Iterator[Raised]:
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Call) and dotted(node.func) == "Refused" and node.args:
            written_out = all(keyword.arg for keyword in node.keywords)
            facts = frozenset(keyword.arg for keyword in node.keywords if keyword.arg) if written_out else None
            for code in codes_of(node.args[0]):
                yield Raised(code, facts, file, node.lineno)


def codes_of(argument: ast.expr) -> Iterator[str]:
    """The literal, or both of `"a" if ... else "b"`."""
    match argument:
        case ast.Constant(value=str() as code):
            yield code
        case ast.IfExp(body=body, orelse=orelse):
            yield from codes_of(body)
            yield from codes_of(orelse)
        case _:
            pass  # handed on from where it was raised


def entry(raised: Raised) -> Refusal | None:
    """Of the service that raises it, or of all; shared code may speak for the service its code names."""
    top, room, *_ = raised.file.relative_to(ROOT).parts
    owner = room if top == "services" else raised.code.split(".", 1)[0]
    return tables().get(owner, {}).get(raised.code) or COMMON.get(raised.code)


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


ANY_FACT: tuple[Any, ...] = (
    [],
    ["03708", "03709"],
    ("03708",),
    {"03709", "03708"},
    [{"code": "03708", "score": Decimal("60")}],
    None,
    True,
    60.0,
    1_234_567.5,
    Decimal("70.50"),
    date(2026, 3, 1),
    datetime(2026, 3, 1, 1, tzinfo=UTC),
    time(9),
)
NOT_FOR_PEOPLE = re.compile(r"[\[\]{}()']|\b(None|True|False|Decimal|datetime|UTC)\b|[0-9]e\+|T[0-9]{2}:|\.0\b")
"""Python, where words should be."""


def every_raised() -> list[Raised]:
    return [raised for file in python_files("services", "shared") for raised in raised_in(file)]


def every_entry() -> list[tuple[str, str]]:
    return [
        *(("COMMON", code) for code in COMMON),
        *((owner, code) for owner, table in tables().items() for code in sorted(table.keys() - DOCUMENTS.keys())),
    ]  # entries of documents, also where a service took them over, are judged in tests/shared/documents


def test_no_refusal_is_a_success() -> None:
    """It would take the place of the real answer in the API's description."""
    table = {**COMMON, **{code: refusal for own in tables().values() for code, refusal in own.items()}}
    assert {code for code, refusal in table.items() if refusal.status < 400} == set()


@pytest.mark.parametrize("raised", every_raised(), ids=str)
def test_a_refusal_has_its_texts_and_gives_the_facts_they_speak_of(raised: Raised) -> None:
    assert CODE.fullmatch(raised.code)
    refusal = entry(raised)
    assert refusal is not None, "no entry in the service's domain/refusals.py, nor in COMMON"
    if raised.facts is not None:
        assert placeholders(refusal.zh) | placeholders(refusal.en) <= raised.facts


@pytest.mark.parametrize(("table", "code"), every_entry())
def test_an_entry_has_two_texts_that_speak_of_the_same_facts(table: str, code: str) -> None:
    refusal = COMMON[code] if table == "COMMON" else tables()[table][code]
    assert 400 <= refusal.status < 600
    assert CHINESE.search(refusal.zh)
    assert refusal.en.strip()
    assert not CHINESE.search(refusal.en)
    assert placeholders(refusal.zh) == placeholders(refusal.en)


@pytest.mark.parametrize(("table", "code"), every_entry())
def test_whatever_a_fact_is_it_is_told_in_words(table: str, code: str) -> None:
    refusal = COMMON[code] if table == "COMMON" else tables()[table][code]
    named = placeholders(refusal.zh)
    ours = [NOT_FOR_PEOPLE.findall(re.sub(r"\{\w+\}", "", text)) for text in (refusal.zh, refusal.en)]
    for fact in ANY_FACT:
        told = refusal.said(dict.fromkeys(named, fact))
        assert [NOT_FOR_PEOPLE.findall(text) for text in told] == ours, told
    assert "…" in refusal.said({})[0] or not named


def test_lists_numbers_times_and_truths_are_told_as_people_write_them() -> None:
    told = Refusal(422, "{fact}", "{fact}").said
    assert told({"fact": ["03708", "03709"]}) == ("03708、03709", "03708, 03709")
    assert told({"fact": ()}) == ("无", "none")
    assert told({"fact": {"缺": ["03708"]}}) == ("缺 03708", "缺 03708")
    assert told({"fact": False}) == ("否", "no")
    assert told({"fact": Decimal("60.50")})[0] == "60.5"
    assert told({"fact": 1_234_567.5})[0] == "1234567.5"
    assert told({"fact": datetime(2026, 3, 1, 1, tzinfo=UTC)})[0] == "2026-03-01 09:00:00"
    assert told({"fact": "{code}", "code": "never looked at"})[0] == "{code}"


def test_no_list_is_joined_where_a_refusal_is_raised() -> None:
    """The language that it will be read in is not known there."""
    for file in python_files("services", "shared"):
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and dotted(node.func) == "Refused":
                joined = [each for each in ast.walk(node) if isinstance(each, ast.Attribute) and each.attr == "join"]
                assert not joined, f"{named(file)}:{node.lineno}"


@pytest.mark.parametrize(("table", "code"), every_entry())
def test_no_entry_is_left_over(table: str, code: str) -> None:
    folders = ("services", "shared") if table == "COMMON" else (f"services/{table}", "shared")
    assert code in _said_in(folders)


def test_no_service_overrides_a_common_text() -> None:
    for service, table in tables().items():
        assert not table.keys() & COMMON.keys(), service


@cache
def _said_in(folders: tuple[str, ...]) -> set[str]:
    """Every string of these folders, but for the tables themselves."""
    owners = [file for file in python_files(*folders) if file.name not in ("refusals.py", "errors.py")]
    return {
        node.value
        for file in owners
        for node in ast.walk(parsed(file))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
