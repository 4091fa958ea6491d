"""What OCR read on the photograph of a claim is compared with what that claim says: a hint for both sides. Pure."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from services.exemption.api.comparing import found_in
from services.exemption.domain.case import Case
from shared.events.exemption import PhotographAccepted
from shared.kernel.messages import Fact, Meta
from tests.services.exemption.claims_story import CANDIDATE, CASE, ISLE, course, draft, knots, tide


def typed(*claims: dict[str, Any]) -> Case:
    state = draft(*claims).state
    assert isinstance(state, Case)
    return state


def compared(case: Case, slot: str, upload: str = "", **reading: str) -> dict[str, tuple[str, str]]:
    """Field -> label and verdict, of a photograph on which this was read; certainly."""
    event = PhotographAccepted(
        owner=CANDIDATE,
        application=CASE,
        slot=slot,
        original="",
        original_type="image/jpeg",
        original_digest="",
        picture="",
        picture_digest="",
        cropped=False,
        results=(),
        hints=(),
        reading={kind: {"value": value, "confidence": 0.9} for kind, value in reading.items()},
        clause="",
    )
    meta = Meta(uuid4(), CANDIDATE, datetime(2026, 1, 1, tzinfo=UTC))
    fact = Fact("exemption", f"upload-{upload or f'u-{slot}'}", 1, event, uuid4(), meta)
    return {each.field: (each.label, each.verdict) for each in found_in(ISLE.book, case, fact)["agreement"]}


def test_the_number_of_a_claims_certificate_is_compared_with_its_own_field_and_the_name_with_the_form() -> None:
    case = typed(knots(course("90002")), tide(course("90001")))
    found = compared(case, "tide_two.paper", certificate_number="T-1", name="海二")
    assert found == {"claims[1].number": ("证书编号", "agrees"), "name": ("姓名", "differs")}


def test_each_of_a_pair_of_certificates_is_compared_with_its_own_number() -> None:
    """SX-E-26."""
    case = typed(knots(course("90001"), course("90002")))
    second = compared(case, "knots.paper_2", certificate_number="K-2")
    assert second == {"claims[0].number_2": ("所选模块：证书编号", "agrees")}
    assert compared(case, "knots.paper_1", certificate_number="K-2")["claims[0].number_1"][1] == "differs"


def test_of_two_claims_on_one_basis_the_one_that_names_the_photograph_is_meant() -> None:
    one, other = tide(course("90001")), tide(course("90002"), number="T-2")
    case = typed(one)
    case = replace(case, claims=(*case.claims, {**other, "photos": {"paper": "another"}}))
    mine = compared(case, "tide_two.paper", certificate_number="T-2", upload="another")
    assert mine == {"claims[1].number": ("证书编号", "agrees")}
    unsaved = compared(case, "tide_two.paper", certificate_number="T-2", upload="not-yet-in-a-claim")
    assert unsaved == {"number": ("证书编号", "not_typed")}


def test_a_photograph_just_sent_is_compared_with_the_only_claim_on_its_basis() -> None:
    case = typed(tide(course("90001")))
    found = compared(case, "tide_two.paper", certificate_number="T-7", upload="just-sent")
    assert found["claims[0].number"][1] == "differs"
