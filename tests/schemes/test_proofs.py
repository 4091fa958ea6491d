"""What `./zikao schemes check` proves of every book, and that each proof can fail."""

import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app, faults
from services.exemption.domain.case import Granted, HandedOff, InReview
from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.proofs import PAYMENT, Trial, broken_laws, faults_of, perfect, walked
from services.exemption.domain.scheme import Rules
from shared.documents.photo_rules import PhotoRules
from shared.schemes.catalog import BOOKS, Catalog
from shared.schemes.forms import Photo
from tests.schemes.test_vocabulary import FERRY, REEF
from tests.schemes.test_vocabulary import rules as rules_of
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
    assert any("can never end" in law for _, law in broken_laws(walk, rules))


@BOTH
def test_a_way_past_a_review_stage_is_found(rules: Rules) -> None:
    walk = walked(rules)
    for situation, state in walk.states.items():
        if isinstance(state, Granted | HandedOff):
            first = rules.book.stages[0].name
            passed = {stage: who for stage, who in state.passed.items() if stage != first}
            walk.states[situation] = replace(state, passed=passed)
    assert (("stages",), f"granted without {rules.book.stages[0].name}") in broken_laws(walk, rules)


def test_a_way_past_payment_is_found() -> None:
    """At the stage behind the fee, and at the end."""
    ferry = rules_of(FERRY)
    walk = walked(ferry)
    assert broken_laws(walk, ferry) == []
    for situation, state in walk.states.items():
        if isinstance(state, InReview | Granted):
            walk.states[situation] = replace(state, orders={})
    found = {law for _, law in broken_laws(walk, ferry)}
    assert found == {f"a case in {title} without the fee" for title in ("待初核", "已初核", "审核通过")}


def test_the_walk_tries_what_payment_may_tell() -> None:
    moves = walked(rules_of(FERRY)).moves
    told = {(title, to) for title, each in moves.items() for who, _, to in each if who == PAYMENT}
    assert told == {
        ("待缴费", "待缴费"),  # a wrong amount, or too late
        ("待缴费", "待初核"),
        ("待缴费", "已初核"),  # paid again, after money was gone
        ("待初核", "待缴费"),
        ("已初核", "待缴费"),
        ("逾期未缴费", "待初核"),  # paid in time, told late
        ("逾期未缴费", "已初核"),
        ("逾期未缴费", "逾期未缴费"),
    }


def test_the_walk_tries_what_an_extension_gives_back() -> None:
    moves = walked(rules_of(FERRY)).moves
    assert ("timer", "ReviveApplication", "待缴费") in moves["逾期未缴费"]
    reef = walked(rules_of(REEF)).moves
    given_back = {to for each in reef.values() for _, by, to in each if by == "ReviveApplication"}
    assert len(given_back) > 1


def test_a_book_that_refuses_a_perfect_application_is_found() -> None:
    certificate = SWUST.book.certificates[0]
    number = next(each for each in SWUST.book.fields if each.kind == "certificate_number")
    impossible = number.model_copy(update={"pattern": "[a-z]+", "example": "abcdefg"})  # numbers are kept in capitals
    others = tuple(each for each in SWUST.book.fields if each != number)
    book = SWUST.book.model_copy(update={"fields": (*others, impossible), "certificates": (certificate,)})
    ((_, law),) = faults_of(Rules("made/up@1", book))
    assert "a perfect application is refused" in law


def test_an_old_certificate_is_refused_by_the_clause_that_says_how_long_it_counts() -> None:
    trial = perfect(SWUST)
    saved = trial.sample.draft
    old = SaveDraft(
        application=saved.application, form={**saved.form, "valid_until": "2020-01-01"}, photos=saved.photos
    )
    (found,) = Trial(SWUST, replace(trial.sample, draft=old)).against()
    said = SWUST.book.certificate_valid
    assert said
    assert found.clause == SWUST.clause("certificate_valid", source=said.source)
    assert said.text in found.texts()[0]


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A copy of the made-up jurisdiction's books, to spoil."""
    return Path(shutil.copytree(TEST_BOOKS, tmp_path / "books"))


def run(word: str, *words: str, shelf: Path) -> Result:
    return CliRunner().invoke(app, [word, *words, "--shelf", str(shelf)])


def change(file: Path, said: str, says: str) -> None:
    text = file.read_text("utf-8")
    assert said in text
    file.write_text(text.replace(said, says), "utf-8")


def test_check_says_where_and_why_and_answers_with_1(shelf: Path) -> None:
    assert run("check", shelf=shelf).exit_code == 0
    (shelf / "madeup" / "payment.yaml").write_text("fee: 1\n")
    answer = run("check", shelf=shelf)
    assert answer.exit_code == 1
    assert "madeup/payment.yaml:1: (whole file): no service reads payment.yaml" in answer.output


def test_a_stage_that_nobody_could_decide_is_found(shelf: Path) -> None:
    change(shelf / "madeup" / "exemption.yaml", "role: examiner", "role: wizard")
    answer = run("check", shelf=shelf)
    assert answer.exit_code == 1
    assert "stages.1.role: wizard decides at a guildhall, but madeup/scheme.yaml has no such role" in answer.output


def test_a_role_held_at_another_level_than_the_stage_needs_is_found(shelf: Path) -> None:
    change(shelf / "madeup" / "scheme.yaml", "title: 考官, level: guildhall", "title: 考官, level: workshop")
    assert "examiner decides at a guildhall" in run("check", shelf=shelf).output


def test_a_role_that_identity_does_not_give_is_found(shelf: Path) -> None:
    shutil.copytree(BOOKS / "platform", shelf / "platform")
    answer = run("check", shelf=shelf)
    assert answer.exit_code == 1
    assert "roles.2: elder is a role that identity's book does not give at a guildhall" in answer.output


def test_a_shelf_without_a_book_proves_nothing(tmp_path: Path) -> None:
    answer = run("check", shelf=tmp_path / "nowhere")
    assert answer.exit_code == 1
    assert "there is no book on the shelf" in answer.output


def test_publishing_freezes_a_book_and_list_shows_it(shelf: Path) -> None:
    assert run("publish", "madeup/guild@3", shelf=shelf).exit_code == 0
    assert "3 of 3" in run("list", shelf=shelf).output
    change(shelf / "madeup" / "exemption.yaml", "due_days: 5", "due_days: 6")
    answer = run("check", shelf=shelf)
    assert answer.exit_code == 1
    assert "published parts never change" in answer.output
    assert run("publish", "madeup/guild@3", shelf=shelf).exit_code == 1


def test_a_changed_published_book_is_proved_all_the_same(shelf: Path) -> None:
    run("publish", "madeup/guild@3", shelf=shelf)
    change(shelf / "madeup" / "exemption.yaml", "role: examiner", "role: wizard")
    answer = run("check", shelf=shelf)
    assert "published parts never change" in answer.output
    assert "wizard decides" in answer.output


def test_a_new_version_stands_beside_the_published_one_in_a_folder_below(shelf: Path) -> None:
    run("publish", "madeup/guild@3", shelf=shelf)
    following = shelf / "madeup" / "4"
    following.mkdir()
    for file in (shelf / "madeup").glob("*.yaml"):
        shutil.copy(file, following)
    change(following / "scheme.yaml", "version: 3", "version: 4")
    change(following / "exemption.yaml", "due_days: 5", "due_days: 6")
    assert "2 books, every proof holds; not yet published: madeup/guild@4" in run("check", shelf=shelf).output
    assert run("publish", "madeup/guild@4", shelf=shelf).exit_code == 0
    assert run("check", shelf=shelf).exit_code == 0


def test_what_cannot_be_published_or_listed_is_said_in_a_sentence(shelf: Path) -> None:
    unknown = run("publish", "madeup/guild@9", shelf=shelf)
    assert (unknown.exit_code, unknown.stderr) == (1, "There is no book madeup/guild@9; there are madeup/guild@3.\n")
    change(shelf / "madeup" / "exemption.yaml", "stages:", "steps:")
    for word in ("check", "list"):
        answer = run(word, shelf=shelf)
        assert isinstance(answer.exception, SystemExit)
        assert "steps: unknown word" in answer.output
    (shelf / "madeup" / "exemption.yaml").write_text("a: [")
    for words in (["check"], ["list"], ["publish", "madeup/guild@3"]):
        answer = run(*words, shelf=shelf)
        assert isinstance(answer.exception, SystemExit)
        assert "not YAML" in answer.output


def test_books_ask_of_photographs_what_can_be_checked_and_in_the_same_words() -> None:
    assert set(Photo.model_fields) == {each.name for each in fields(PhotoRules)}
    for slot in SWUST.book.photos:
        assert PhotoRules(**slot.photo.asked()).crop_to_document
