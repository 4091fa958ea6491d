"""Notices and rules of one book agree: the cases that the folder of broken books does not show."""

import shutil
from pathlib import Path

import pytest
import yaml

from ops.schemes.proving import faults_of_exemption
from ops.schemes.telling import faults_of_notices, moments_of
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.catalog import BOOKS, Catalog
from tests.schemes.test_broken import shelf
from tests.schemes.test_vocabulary import FERRY, ISLE, REEF, book

__all__ = ["shelf"]


def test_what_can_happen_follows_from_the_words_of_the_book() -> None:
    always = {"submitted", "stage_passed", "granted"}
    ends = {"lapsed", "expired", "revived"}
    assert moments_of(book(REEF)) == always | ends | {
        "returned",
        "refused",
        "superseded",
        "revoked",
        "ticket_released",
    }
    assert moments_of(book(ISLE)) == always | {"refused", "unlocked", "lapsed", "revived"}
    of_a_fee = {"fee_due", "refund_asked", "lapsed", "revived"}
    assert moments_of(book(FERRY)) == always | {"returned", "refused", "superseded"} | of_a_fee


def told(shelf: Path, changes: dict[str, object], left_out: list[str]) -> list[str]:
    """The faults of the good book's notices under rules with `results`."""
    file = shelf / "made" / "notification.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    for moment in left_out:
        del said["moments"][moment]
    file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    shown = Catalog.load(shelf).get("made/guild@1")
    rules = shown.part("exemption", ExemptionScheme)
    return list(faults_of_notices(shown, rules.model_copy(update=changes), None))


@pytest.mark.parametrize(
    ("left_out", "faults"),
    [
        ([], ["exemption.granted: says what candidates may not see", "exemption.stage_passed: says what candidates"]),
        (["exemption.granted", "exemption.stage_passed"], []),
    ],
)
def test_where_results_have_a_window_of_their_own_no_notice_tells_them(
    shelf: Path, left_out: list[str], faults: list[str]
) -> None:
    found = told(shelf, {"results": object()}, left_out)
    assert len(found) == len(faults)
    for fault, said in zip(found, faults, strict=True):
        assert said in fault


def faults_of_records(tmp_path: Path, old: str, new: str, file: str = "notification.yaml") -> list[str]:
    """Of the one real book that asks for prior education, with one thing changed."""
    books = Path(shutil.copytree(BOOKS, tmp_path / "books"))
    spoilt = books / "hb" / file
    text = spoilt.read_text("utf-8")
    assert text.count(old) == 1
    spoilt.write_text(text.replace(old, new), "utf-8")
    catalog = Catalog.load(books)
    return faults_of_exemption(catalog, catalog.get("hb/recognition@1"))


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("  prior_education.unresolved:", "  exemption.expired:", "nobody is told of prior_education.unresolved"),
        (
            "    not_found: 学信网未查到",
            "    not_found: 没有查到",
            "reason not_found: identity says of it: 学信网未查到",
        ),
    ],
)
def test_whoever_asks_for_prior_education_is_told_what_became_of_it_in_the_words_of_the_page(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    """HB-08."""
    assert fault in "".join(faults_of_records(tmp_path, old, new))


def test_where_identity_asks_for_no_prior_education_no_notice_tells_of_it(tmp_path: Path) -> None:
    asked = (BOOKS / "hb" / "identity.yaml").read_text("utf-8")
    found = faults_of_records(tmp_path, asked[asked.index("prior_education:\n") :], "{}\n", "identity.yaml")
    assert sum("never happens by the rules of this book" in fault for fault in found) == 3


def test_a_stage_on_the_way_may_pass_in_silence(shelf: Path) -> None:
    assert told(shelf, {}, ["exemption.stage_passed"]) == []
