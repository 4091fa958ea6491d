"""What counts once: a certificate, its photograph, the modules of a pair, a course."""

from dataclasses import replace

import pytest

from services.exemption.domain.application import APPLICATION
from services.exemption.domain.form import Photograph
from shared.events.exemption import ApplicationSubmitted
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    CANDIDATE,
    CASE,
    ISLE,
    REEF,
    START,
    SUBMIT,
    claim,
    codes,
    course,
    draft,
    knots,
    me,
    photographs,
    save,
    tide,
)


def test_one_certificate_in_two_applications_of_one_person_is_refused_where_the_book_says_so() -> None:
    assert codes(draft(), me(own_other="application-d")) == {"": "exemption.certificate_in_another_application"}
    assert codes(draft(by=REEF), me(by=REEF, own_other="application-d")) == {}


def test_one_certificate_stands_once_in_an_application() -> None:
    """SX-E-24, SX-E-26, SX-E-40: neither by two claims nor as both of a pair, however the number is typed."""
    twice = "exemption.certificate_claimed_twice"
    pair = knots(course("90001"), course("90002"), number_1="K-1", number_2="k1")
    assert codes(draft(pair)) == {"claims[0].basis": twice}
    second = {**tide(course("90002"), number="t 1"), "photos": {"paper": "u-other"}}
    uploads = {**photographs(ISLE), "u-other": Photograph(CANDIDATE, CASE, "tide_two.paper")}
    claims = (tide(course("90001")), second)
    known, started = me(photographs=uploads), given(APPLICATION).and_then(START, me())
    assert codes(started.and_then(save(*claims), known), known) == {"claims[1].basis": twice}
    other = {**second, "form": {**second["form"], "number": "T-2"}}
    assert codes(started.and_then(save(claims[0], other), known), known) == {}


def test_two_certificates_have_two_photographs() -> None:
    """SX-E-46."""
    claims = (tide(course("90001")), tide(course("90002"), number="T-2"))
    assert codes(draft(*claims)) == {"claims[1].paper": "exemption.photograph_used_twice"}


def test_one_file_uploaded_for_two_certificates_is_pointed_out_to_candidate_and_reviewer() -> None:
    """SX-E-46: two uploads, each accepted, of one and the same file."""

    def warned(one: str, other: str) -> tuple[str, ...]:
        uploads = {
            "u-one": Photograph(CANDIDATE, CASE, "tide_two.paper", digest=one),
            "u-other": Photograph(CANDIDATE, CASE, "tide_two.paper", digest=other),
        }
        first = {**tide(course("90001")), "photos": {"paper": "u-one"}}
        second = {**tide(course("90002"), number="T-2"), "photos": {"paper": "u-other"}}
        known = me(photographs=uploads)
        past = given(APPLICATION).and_then(START, me()).and_then(save(first, second), known)
        event, _ = past.when(SUBMIT, known).happened()
        assert isinstance(event, ApplicationSubmitted)
        return event.warnings

    assert warned("sha256:1", "sha256:1") == ("exemption.photographs_are_equal",)
    assert warned("sha256:1", "sha256:2") == ()


@pytest.mark.parametrize("typed", ["基础绳结", "《基础绳结》", " 基础 绳结"])
def test_the_chosen_module_is_another_than_those_that_must_be_there(typed: str) -> None:
    """SX-E-26."""
    said = claim("knots_open", course("90002", "海图绘制(实践)"), photos=("paper_1", "paper_2"), module=typed, number_1="1", number_2="2")  # noqa: E501  # fmt: skip
    assert codes(draft(said, by=REEF), me(by=REEF)) == {"claims[0].module": "exemption.module_is_there_already"}


def test_one_course_in_two_applications_of_one_person_is_refused_on_whatever_basis() -> None:
    """TT-34; what the certificate says already is said once."""
    elsewhere = {"90001": "application-d", "90005": "application-d"}
    outcome = draft().when(SUBMIT, me(own_courses=elsewhere))
    assert outcome.refusal
    assert outcome.refusal.code == "exemption.course_in_another_application"
    assert (outcome.refusal.facts["codes"], outcome.refusal.facts["application"]) == (["90001"], "application-d")
    said = codes(draft(), me(own_other="application-d", own_courses=elsewhere))
    assert said == {"": "exemption.certificate_in_another_application"}
    assert codes(draft(), me(own_courses={"90005": "application-d"})) == {}
    assert codes(draft(by=REEF), me(by=REEF, own_courses=elsewhere)) == {}  # its book does not say so
    courses_alone = replace(ISLE, book=ISLE.book.model_copy(update={"certificate_once": None}))
    same_paper = me(rules=courses_alone, own_other="application-d", own_courses=elsewhere)
    assert codes(draft(), same_paper) == {"": "exemption.course_in_another_application"}
    assert codes(draft(), replace(same_paper, own_courses={})) == {}
