"""Every requirement has a test, and every test that a document names exists."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.architecture.tree import PACKAGES, ROOT, named, names_of_tests

TABLE = ROOT / "docs/requirements.md"
ROW = re.compile(
    r"^\| (?P<id>[A-Z]{2,3}(?:-[A-Z])?-[0-9]{2}) \| (?P<rule>.*?) \| (?P<state>.*?) \| (?P<tests>.*?) \|$", re.M
)
TEST = re.compile(r"(tests/[\w/]+\.py)::(\w+)")
EXPECTED = {"SW": 46, "SD": 54, "SX-E": 51, "HB": 38}
"""Procedure -> how many rows it has; all of them must be there."""
STATES = {"whole", "API half; page with the portal", "data; page with the portal"}
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def rows() -> list[dict[str, str]]:
    return [match.groupdict() for match in ROW.finditer(TABLE.read_text(encoding="utf-8"))]


@pytest.mark.parametrize("procedure", EXPECTED)
def test_every_row_stands_in_the_table_once(procedure: str) -> None:
    expected = [f"{procedure}-{number:02}" for number in range(1, EXPECTED[procedure] + 1)]
    assert sorted(row["id"] for row in rows() if row["id"].startswith(f"{procedure}-")) == expected


@pytest.mark.parametrize("row", rows(), ids=lambda row: row["id"])
def test_a_row_has_a_rule_a_state_and_a_test(row: dict[str, str]) -> None:
    assert row["rule"]
    assert row["state"] in STATES
    assert TEST.search(row["tests"]), f"{row['id']} has no test"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document_names_only_tests_that_exist(document: Path) -> None:
    assert not list(missing_in(document.read_text(encoding="utf-8")))


def missing_in(text: str) -> Iterator[str]:
    for file, test in TEST.findall(text):
        path = ROOT / file
        if not path.exists() or test not in names_of_tests(path):
            yield f"{file}::{test}"


def test_a_test_that_does_not_exist_would_be_noticed() -> None:
    here = "tests/architecture/test_requirements.py"
    assert list(
        missing_in(f"`{here}::test_nothing_of_the_kind` `{here}::test_every_row_stands_in_the_table_once`")
    ) == [f"{here}::test_nothing_of_the_kind"]
    assert list(missing_in("`tests/nowhere.py::test_it`")) == ["tests/nowhere.py::test_it"]


@pytest.mark.parametrize("decision", sorted((ROOT / "docs/adr").glob("*.md")), ids=lambda file: file.stem)
def test_a_decision_says_why_what_else_and_what_guards_it(decision: Path) -> None:
    text = decision.read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.M)
    assert headings == ["Context", "Decision", "Alternatives", "Consequences", "Guarded by"]
    assert text.startswith(f"# {decision.name[:4]} ")
    assert TEST.search(text.split("## Guarded by")[1])
    assert len(text.split()) < 700, "one page"


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document_uses_only_names_that_the_code_has(document: Path) -> None:
    """`Service.handle`, `give_positions(...)`: whatever stands as code in a document stands in the code."""
    quoted = re.findall(r"`([A-Za-z_]+(?:\.[A-Za-z_]+)*)(?:\(\.\.\.\))?`", document.read_text(encoding="utf-8"))
    assert not sorted({name for name in quoted if not set(name.split(".")) <= words_of_the_code()})


@cache
def words_of_the_code() -> set[str]:
    """Of Python, SQL, books and what is deployed, and of what stands beside them at the root of the checkout."""
    files = [
        file for room in PACKAGES for suffix in ("py", "sql", "yaml") for file in (ROOT / room).rglob(f"*.{suffix}")
    ] + list((ROOT / "deploy").glob("*.yml"))
    beside = {word for path in ROOT.iterdir() for word in re.findall(r"\w+", path.name)}
    return beside | {word for file in files for word in re.findall(r"[A-Za-z_]+", file.read_text(encoding="utf-8"))}


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_a_document_names_only_files_that_exist(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:ops|sandbox|services|shared|tests|docs)/[\w/.-]+\.(?:py|sql|yaml|md))`", text)
    linked = re.findall(r"\]\((?!http)([\w/.-]+)\)", text)
    missing = [path for path in paths if not (ROOT / path).exists()]
    missing += [path for path in linked if not (document.parent / path).exists()]
    assert not missing
