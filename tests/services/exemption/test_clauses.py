"""What a finding or an event names as its clause stands in the book under that name."""

import re
from collections.abc import Sequence
from typing import Any

import pytest

from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Case
from services.exemption.domain.claims import UNCHOSEN
from services.exemption.domain.commands import ReceivePhotograph, SaveDraft, StartApplication
from services.exemption.domain.hand_in import judged, verdict
from services.exemption.domain.proofs import circumstances, perfect
from services.exemption.domain.sample import APPLICATION as APPLICATION_ID
from services.exemption.domain.sample import CANDIDATE as PERSON
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.upload import UPLOAD, UploadContext
from services.exemption.domain.verdict import Finding
from services.exemption.handlers import known_of
from shared.events.exemption import PhotographRefused
from shared.schemes.catalog import BOOKS, Catalog
from shared.testing.given import given
from tests.schemes.test_vocabulary import CLAIMS, ISLE, REEF
from tests.services.exemption import claims_story
from tests.services.exemption.claims_story import CANDIDATE, CASE, NOON, claim, course, draft, me

STEP = re.compile(r"([a-z_]+)(?:\[(.*?)\])?")
SHELVES = (Catalog.load(BOOKS), Catalog.load(CLAIMS))
every_book = pytest.mark.parametrize(
    ("shelf", "ref"),
    [pytest.param(shelf, book.ref, id=book.ref) for shelf in SHELVES for book in shelf.with_part("exemption")],
)


def stands_in(shelf: Catalog, clause: str) -> bool:
    """Walks `REF exemption.bases[tide].fields[number] SOURCE`; an entry is known by one of its values or its place."""
    ref, said, *_ = clause.split(" ")
    data: Any = shelf.get(ref).sheets["exemption"].data
    for word, entry in STEP.findall(said.removeprefix("exemption.")):
        if word not in data:
            return False
        data = data[word]
        if entry:
            found = [each for each in data if entry in each.values()]
            found = found or [each for place, each in enumerate(data) if str(place) == entry]
            if not found:
                return False
            data = found[0]
    return True


def test_a_clause_that_is_not_there_is_noticed() -> None:
    assert stands_in(SHELVES[1], f"{ISLE} exemption.bases[tide_two].fields[number] TT-39")
    assert not stands_in(SHELVES[1], f"{ISLE} exemption.bases[tide_two].fields[colour] TT-39")
    assert not stands_in(SHELVES[1], f"{ISLE} exemption.photos[tide_two.paper] TT-39")


@every_book
def test_everything_that_is_asked_of_a_claim_has_its_clause(shelf: Catalog, ref: str) -> None:
    rules = Rules(ref, shelf.get(ref).part("exemption", ExemptionScheme), known_of(shelf, ref))
    said = [rules.book.said_of(slot) for slot in rules.book.slots()]
    for basis in rules.book.bases:
        said += [basis.said_of(field.name) for field in basis.asked_fields()]
        courses = {code for offer in basis.courses.offers for code in offer.courses} | {"12345"}
        said += [basis.said_of(field.name, code) for code in courses for field in basis.details_of(code)]
    assert [path for path in said if not stands_in(shelf, rules.clause(*path, source="-"))] == []


@pytest.mark.parametrize(
    "past",
    [
        draft(claim("tide_two"), claim("knots"), claim("diploma", course("90003"), course("90004"))),
        draft(claim("passed_before", course("90003")), claim("knots_open"), by=claims_story.REEF),
    ],
    ids=[ISLE, REEF],
)
def test_every_finding_about_empty_claims_names_a_clause_of_the_book(past: Any) -> None:
    case = APPLICATION.replay(past.past)
    assert isinstance(case, Case)
    by = claims_story.ISLE if past.past[0].scheme == ISLE else claims_story.REEF
    findings = judged(case, me(by=by)).findings.found
    assert {each.about.split(".")[0] for each in findings} >= {"claims[0]", "claims[1]"}
    assert [each.clause for each in findings if not stands_in(SHELVES[1], each.clause)] == []


def names_clauses(findings: Sequence[Finding], shelf: Catalog) -> None:
    assert findings
    assert [each.rule for each in findings if not each.clause or not stands_in(shelf, each.clause)] == []


@every_book
def test_every_question_that_a_verdict_answers_comes_from_a_clause_of_the_book(shelf: Catalog, ref: str) -> None:
    """Of a perfect application on each basis, and of one with nothing in it but courses."""
    rules = Rules(ref, shelf.get(ref).part("exemption", ExemptionScheme), known_of(shelf, ref))
    for basis in rules.book.bases or (None,):
        trial = perfect(rules, basis)
        around = circumstances(trial, PERSON)
        begun = given(APPLICATION).and_then(StartApplication(cycle="c"), around)
        claims = [{**each, "form": {}, "photos": {}} for each in trial.sample.draft.claims]
        for each in claims:
            each["courses"] = [{**said, "form": {}} for said in each["courses"]]
        empty = SaveDraft(application=APPLICATION_ID, form={}, photos={}, claims=tuple(claims))
        for saved in (trial.sample.draft, empty):
            case = begun.and_then(saved, around).state
            assert isinstance(case, Case)
            names_clauses(verdict(case, around), shelf)


def test_a_row_whose_basis_is_not_chosen_yet_is_asked_for_it_by_a_clause_of_the_book() -> None:
    case = draft(claim(UNCHOSEN)).state
    assert isinstance(case, Case)
    findings = verdict(case, me())
    assert "basis_must_be_chosen" in {each.rule for each in findings}
    names_clauses(findings, SHELVES[1])


def test_an_upload_for_a_claim_names_the_basis_that_asks_for_it() -> None:
    for slot, clause in {
        "tide_two.paper": "bases[tide_two].photos[paper]",
        "knots.paper_2": "bases[knots].modules.photo",
    }.items():
        command = ReceivePhotograph(application=CASE, slot=slot, accepted=False, results=())
        case = APPLICATION.replay(draft().past)
        (event,) = given(UPLOAD).when(command, UploadContext(NOON, CANDIDATE, claims_story.ISLE, case, 0)).happened()
        assert isinstance(event, PhotographRefused)
        assert f"exemption.{clause} " in event.clause
        assert stands_in(SHELVES[1], event.clause)
