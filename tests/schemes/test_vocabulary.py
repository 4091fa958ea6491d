"""The words of `exemption.yaml`: the made-up jurisdiction uses every one, and words that make no sense are refused."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from services.exemption.domain import strangers
from services.exemption.domain.proofs import faults_of, walked
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from services.identity.domain.scheme import JurisdictionIdentity
from shared.schemes.catalog import BadBook, Catalog
from shared.schemes.forms import Kind, Photo
from shared.schemes.procedure import ENGINE_STATES, Outcome
from tests.schemes.test_catalog import GOOD

CLAIMS = Path(__file__).parent / "claims_books"
ISLE, REEF, FERRY = "lagoon/isle@1", "lagoon/reef@1", "lagoon/ferry@1"
Word = tuple[str, str]


def book(ref: str, shelf: Path = CLAIMS) -> ExemptionScheme:
    return Catalog.load(shelf).get(ref).part("exemption", ExemptionScheme)


def rules(ref: str, shelf: Path = CLAIMS) -> Rules:
    return Rules(ref, book(ref, shelf), known_of(Catalog.load(shelf), ref))


def models(kind: Any, seen: set[type[BaseModel]]) -> Iterator[type[BaseModel]]:
    """Every model that a book can say something in."""
    if isinstance(kind, type) and issubclass(kind, BaseModel) and kind not in seen:
        seen.add(kind)
        yield kind
        for field in kind.model_fields.values():
            yield from models(field.annotation, seen)
    for inner in get_args(kind):
        yield from models(inner, seen)


def said(value: Any) -> Iterator[tuple[Word, Any]]:
    """(model, word) and what it says, of everything that a book says itself."""
    if isinstance(value, BaseModel):
        for name in value.model_fields_set:
            for kind in type(value).__mro__:
                yield (kind.__name__, name), getattr(value, name)
            yield from said(getattr(value, name))
    elif isinstance(value, dict):
        for each in value.values():
            yield from said(each)
    elif isinstance(value, tuple):
        for each in value:
            yield from said(each)


def everything_said() -> list[tuple[Word, Any]]:
    guild = Catalog.load(GOOD).get("madeup/guild@3").part("exemption", ExemptionScheme)
    return [each for of in (guild, book(ISLE), book(REEF), book(FERRY)) for each in said(of)]


OF_THE_1X_BOOK = {
    ("Certificate", "also_printed"),
    ("PhotoSlot", "background_hint"),
    ("Material", "reads"),
    ("Material", "background_hint"),
}
"""Words that the real book and its contract tests use; what a photograph must be is proved with the photographs."""


def test_the_made_up_books_use_every_word() -> None:
    used = {word for word, _ in everything_said()}
    there_are = {
        (model.__name__, name)
        for model in models(ExemptionScheme, set())
        for name in model.model_fields
        if model is not Photo
    }
    assert there_are - used == OF_THE_1X_BOOK


def test_the_made_up_jurisdiction_uses_every_word_about_its_persons() -> None:
    identity = Catalog.load(CLAIMS).get(ISLE).part("identity", JurisdictionIdentity)
    used = {word for word, _ in said(identity)}
    own = {model for model in models(JurisdictionIdentity, set()) if model.__module__.startswith("services.identity")}
    assert {(model.__name__, name) for model in own for name in model.model_fields} - used == set()


@pytest.mark.parametrize(
    ("word", "values"),
    [
        (("FormField", "kind"), get_args(Kind)),
        (("Uniqueness", "by"), ("ticket_number", "person")),
        (("Cap", "rounding"), ("down", "half_up")),
        (("Offered", "choose"), ("all", "some")),
    ],
)
def test_the_made_up_books_use_every_value(word: Word, values: tuple[str, ...]) -> None:
    assert {value for each, value in everything_said() if each == word} >= set(values)


def test_the_made_up_books_know_every_outcome_and_every_state_of_the_engine() -> None:
    books = [book(ISLE), book(REEF), book(FERRY)]
    assert {outcome for each in books for stage in each.stages for outcome in stage.outcomes} == set(get_args(Outcome))
    assert {state.id for each in books for state in each.states} >= ENGINE_STATES


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    return Path(shutil.copytree(CLAIMS, tmp_path / "books"))


def spoil(shelf: Path, ref: str, old: str, new: str) -> None:
    folder = {ISLE: "lagoon", REEF: "lagoon/reef", FERRY: "lagoon/ferry"}[ref]
    file = shelf / folder / "exemption.yaml"
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


@pytest.mark.parametrize(
    ("ref", "old", "new", "law"),
    [
        (ISLE, "  times: 1\n", "", "once_and_again, and nothing else"),
        (ISLE, "rule: once_and_again", "rule: once", "once_and_again, and nothing else"),
        (ISLE, "claims: {least: 1", "claims: {least: 5", "least is more than most"),
        (ISLE, "claims: {least: 1, most: 4, source: TT-40}\n", "", "bases and the number of claims come together"),
        (ISLE, "results: {window: results", "results: {window: apply", "no window with `query: true`"),
        (ISLE, "starts_after: {window: apply", "starts_after: {window: never", "windows: not declared: never"),
        (ISLE, "kind: prior_education", "kind: text", "a diploma, and nothing else"),
        (ISLE, "kind: month, past: true", "kind: text, past: true", "past is for a date or month"),
        (ISLE, 'count: 3, separator: ";"', "count: 3", "their count and separator"),
        (ISLE, 'separator: ";"', 'separator: "；"', "a separator is one of"),
        (ISLE, "highest: 100, passing: 60, example", "highest: 50, passing: 60, example", "must rise"),
        (ISLE, "kind: major", "kind: text", "needed of kind major"),
        (ISLE, "rechecks: [prior_education_effective]\n", "rechecks: []\n", "some stage must recheck"),
        (ISLE, "    refuse_action: 不通过\n", "", "`refuse` needs its action"),
        (ISLE, "outcomes: [pass, refuse]", "outcomes: [pass]", "which is none of its outcomes"),
        (ISLE, "outcomes: [pass, refuse]", "outcomes: [refuse]", "every stage can be passed"),
        (ISLE, "  - {id: lapsed,", "  - {id: expired,", "states: missing: lapsed"),
        (ISLE, 'offers: [{courses: ["90001", "90002"], source: TT-39}]', "any: true", "all courses of the catalogue"),
        (ISLE, "all_of: [基础绳结]", "all_of: [双套结]", "named twice"),
        (ISLE, "  cover: {text: 课程须属于所选专业, source: TT-40}\n", "", "plans: there for caps"),
        (REEF, "kind: ticket_number, most: 20", "kind: text, most: 20", "needed of kind ticket_number"),
        (REEF, "{serial}", "{day}", "without {serial}"),
        (REEF, "{serial}", "{serial}{moon}", "no such fact: moon"),
        (REEF, "_{basis}_", "_{mother}_", "no such fact: mother"),
        (REEF, "share: 1/2, rounding: down", "share: 1/2", "a share, and nothing else, is rounded"),
        (REEF, "share: 1/2, rounding: down", "most: 2, share: 1/2, rounding: down", "a cap is a number or a share"),
        (REEF, 'plan_versions: ["2024"]', 'plan_versions: ["1999"]', "nobody can choose the version 1999"),
        (REEF, "bases: [passed_before]", "bases: [hearsay]", "no such basis: hearsay"),
        (REEF, "document: passed_before.transcript", "document: tide.transcript", "no such document"),
        (REEF, "rule: last_submission_wins", "rule: once", "states: can never be reached: superseded"),
        (REEF, "fields: [ticket, plan, standing]", "fields: [ticket, plan]", "pages: not once on a page: standing"),
        (REEF, "fields: [ticket, plan, standing]", "fields: [name, ticket, plan, standing]", "named twice: name"),
        (REEF, "holds: [fields], fields: [name", "holds: [photos], fields: [name", "it names fields and holds none"),
        (ISLE, "code_list: shores, deepest", "list: shores, deepest", "deepest is for a code list"),
        (REEF, "courses: {any: true,", "courses: {", "any of the catalogue or those of the offers"),
        (FERRY, "certificate_seen_elsewhere: {text: 另有考生使用同一证书, source: TT-72}\n", "",
         "certificate_seen_elsewhere: there where the number"),
        (FERRY, "kind: certificate_number", "kind: text", "the number of a certificate is asked, and only there"),
        (FERRY, "before: 初核", "before: 终核", "payment: no such stage: 终核"),
        (FERRY, "  window: pay\n", "  window: never\n", "windows: not declared: never"),
        (FERRY, "title: 网上缴费,", "title: 网上缴费, query: true,", "nothing can be handed in: pay"),
        (FERRY, "fen: 2500", "fen: 0", "greater than or equal to 1"),
        (FERRY, "fen: 2500", "fen: 25.5", "whole number"),
        (FERRY, "when: [superseded, refused]", "when: [refused, refused]", "refunds: named twice: refused"),
        (FERRY, "  - {id: unpaid, title: 待缴费, explanation: 缴费后才审核, source: TT-75}\n", "", "missing: unpaid"),
        (REEF, "- {id: returned,", "- {id: unpaid, title: 待缴, explanation: 缴, source: TT-60}\n  - {id: returned,",
         "can never be reached: unpaid"),
    ],
)  # fmt: skip
def test_words_that_make_no_sense_together_are_refused(shelf: Path, ref: str, old: str, new: str, law: str) -> None:
    spoil(shelf, ref, old, new)
    with pytest.raises(BadBook) as bad:
        book(ref, shelf)
    assert law in str(bad.value)


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        ([], "refunds: refused: it tells what was decided"),
        ([("before: 初核", "before: 复核"), ("when: [superseded, refused]", "when: []")], "before 复核 it tells"),
    ],
)
def test_neither_a_fee_nor_its_going_back_tells_what_the_results_hide(
    shelf: Path, changes: list[tuple[str, str]], law: str
) -> None:
    """SX-E-39."""
    spoil(shelf, FERRY, "submit: {", "results: {window: results, source: TT-70}\nsubmit: {")
    query = "  - {id: results, title: 结果查询, query: true, source: TT-70}\n"
    spoil(shelf, FERRY, "windows:\n", f"windows:\n{query}")
    for old, new in changes:
        spoil(shelf, FERRY, old, new)
    with pytest.raises(BadBook) as bad:
        book(FERRY, shelf)
    assert law in str(bad.value)


def test_what_a_book_says_of_reference_data_is_there() -> None:
    assert [fault for ref in (ISLE, REEF, FERRY) for fault in strangers.strangers(rules(ref))] == []


@pytest.mark.parametrize(
    ("ref", "old", "new", "fault"),
    [
        (ISLE, '["90003", "90005"]', '["90003", "90005", "11111"]', "no such course: 11111"),
        (ISLE, "major: 本科 990101, courses", "major: 专科 990102, courses", "no such major: 专科 990102"),
        (ISLE, 'lowest: "2"', 'lowest: "9"', "tide has no level 9"),
        (ISLE, "type: tide", "type: storm", "no such certificate: storm"),
        (ISLE, "any_of: [双套结", "any_of: [死结", "knot has no module 死结"),
        (ISLE, "code_list: shores", "code_list: moons", "no such code list: moons"),
    ],
)
def test_what_a_book_says_of_reference_data_that_is_not_there_is_found(
    shelf: Path, ref: str, old: str, new: str, fault: str
) -> None:
    spoil(shelf, ref, old, new)
    assert any(fault in law for _, law in strangers.strangers(rules(ref, shelf)))


@pytest.mark.parametrize("ref", [ISLE, REEF, FERRY])
def test_every_state_of_the_made_up_books_is_reached_and_can_end(ref: str) -> None:
    assert faults_of(rules(ref)) == []
    assert {situation[1] for situation in walked(rules(ref)).steps} == {state.title for state in book(ref).states}


def test_a_basis_on_which_nobody_can_claim_is_found(shelf: Path) -> None:
    spoil(shelf, ISLE, 'courses: ["90001", "90002"], source: TT-39', 'courses: ["90006"], source: TT-39')
    (fault,) = faults_of(rules(ISLE, shelf))
    assert fault[0] == ("bases", 2)
    assert "outside the chosen majors" in fault[1]
