"""What `./zikao schemes check` proves of every book, and that each proof can fail."""

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.schemes import app, faults
from services.exemption.domain.case import Granted, HandedOff
from services.exemption.domain.proofs import broken_laws, faults_of, walked
from services.exemption.domain.scheme import Rules
from shared.documents.photo_rules import PhotoRules
from shared.schemes.catalog import BOOKS, Catalog
from shared.schemes.forms import Photo
from tests.services.exemption.story import GUILD, SWUST, TEST_BOOKS

BOTH = pytest.mark.parametrize("rules", [SWUST, GUILD], ids=lambda rules: rules.ref)


def test_every_book_on_the_shelf_is_proved() -> None:
    assert faults(Catalog.load(BOOKS)) == []
    assert faults(Catalog.load(TEST_BOOKS)) == []


@BOTH
def test_the_walk_visits_every_state_and_every_stage(rules: Rules) -> None:
    walk = walked(rules)
    assert {situation[1] for situation in walk.steps} == {state.title for state in rules.book.states}
    assert {situation[2] for situation in walk.steps} >= {stage.name for stage in rules.book.stages}


@BOTH
def test_a_state_without_a_way_out_is_found(rules: Rules) -> None:
    walk = walked(rules)
    returned = next(situation for situation in walk.steps if situation[0] == "Returned" and situation[4])
    last = {situation for situation in walk.steps if situation[0] in {"Granted", "HandedOff", "Discarded"}}
    for situation, onward in walk.steps.items():
        walk.steps[situation] = {returned} if situation == returned else onward - last if situation[2] else onward
    assert any("can never end" in law for law in broken_laws(walk, rules))


@BOTH
def test_a_way_past_a_review_stage_is_found(rules: Rules) -> None:
    walk = walked(rules)
    for situation, state in walk.states.items():
        if isinstance(state, Granted | HandedOff):
            first = rules.book.stages[0].name
            passed = {stage: who for stage, who in state.passed.items() if stage != first}
            walk.states[situation] = replace(state, passed=passed)
    assert f"granted without {rules.book.stages[0].name}" in broken_laws(walk, rules)


def test_a_book_that_refuses_a_perfect_application_is_found() -> None:
    certificate = SWUST.book.certificates[0]
    number = next(each for each in SWUST.book.fields if each.kind == "certificate_number")
    impossible = number.model_copy(update={"pattern": "[a-z]+", "example": "abcdefg"})  # numbers are kept in capitals
    others = tuple(each for each in SWUST.book.fields if each != number)
    book = SWUST.book.model_copy(update={"fields": (*others, impossible), "certificates": (certificate,)})
    (fault,) = faults_of(Rules("made/up@1", book))
    assert "a perfect application is refused" in fault


def test_check_says_where_and_why_and_answers_with_1(tmp_path: Path) -> None:
    shelf = Path(shutil.copytree(TEST_BOOKS, tmp_path / "books"))
    runner = CliRunner()
    assert runner.invoke(app, ["check", "--shelf", str(shelf)]).exit_code == 0
    (shelf / "madeup" / "payment.yaml").write_text("fee: 1\n")
    answer = runner.invoke(app, ["check", "--shelf", str(shelf)])
    assert answer.exit_code == 1
    assert "madeup/payment.yaml: no service reads payment.yaml" in answer.output


def test_publishing_freezes_a_book_and_list_shows_it(tmp_path: Path) -> None:
    shelf = Path(shutil.copytree(TEST_BOOKS, tmp_path / "books"))
    runner = CliRunner()
    assert runner.invoke(app, ["publish", "madeup/guild@3", "--shelf", str(shelf)]).exit_code == 0
    assert "2 of 2" in runner.invoke(app, ["list", "--shelf", str(shelf)]).output
    book = shelf / "madeup" / "exemption.yaml"
    book.write_text(book.read_text("utf-8").replace("due_days: 5", "due_days: 6"), "utf-8")
    answer = runner.invoke(app, ["check", "--shelf", str(shelf)])
    assert answer.exit_code == 1
    assert "published parts never change" in answer.output
    assert runner.invoke(app, ["publish", "madeup/guild@3", "--shelf", str(shelf)]).exit_code == 1


def test_books_ask_of_photographs_what_can_be_checked_and_in_the_same_words() -> None:
    assert set(Photo.model_fields) == {each.name for each in fields(PhotoRules)}
    for slot in SWUST.book.photos:
        assert PhotoRules(**slot.photo.asked()).crop_to_document
