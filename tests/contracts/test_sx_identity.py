"""What the page of registration in the source promises, row by row, stands in the book (SX-E-04 to SX-E-11, 41, 42)."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.identity.domain.routes import VerificationRules
from services.identity.main import BOOKS, SCHEME
from shared.documents.photo_rules import PhotoRules

BOOK = BOOKS.of_jurisdiction("sx")
assert BOOK is not None
PART = BOOKS.parts[BOOK]
assert PART.verification is not None
RULES = PART.verification
NEW, ENROLLED = RULES.routes


def test_there_are_exactly_two_routes_each_with_its_own_heading_button_text_and_photographs() -> None:
    assert [route.title for route in RULES.routes] == ["我是新考生", "我是在籍考生"]
    assert [route.action for route in RULES.routes] == ["我是新生，点击开始注册", "我是在籍考生，点击完成认证"]
    assert [route.photos_called for route in RULES.routes] == ["三照", "两照"]
    assert "首次参加自学考试" in NEW.audience
    assert "未设置系统登录密码" in ENROLLED.audience
    assert NEW.steps != ENROLLED.steps


def test_three_photographs_for_new_and_two_for_enrolled_candidates() -> None:
    assert NEW.photos == ("portrait", "id_front", "holding_id")
    assert ENROLLED.photos == ("id_front", "holding_id")
    labels = {slot.slot: slot.label for slot in RULES.photos}
    assert labels["id_front"] == "考生身份证照片（人像面）"
    assert labels["holding_id"] == "考生手持身份证照（半身）"


def test_every_photograph_is_strictly_below_two_megabytes_and_clear_and_the_portrait_has_a_background() -> None:
    for slot in RULES.photos:
        rules = PhotoRules(**slot.photo.asked())
        assert (rules.max_bytes, rules.bytes_inclusive) == (2 * 1024 * 1024, False)
        assert rules.min_sharpness
        assert rules.backgrounds == (("blue", "white", "white_grey") if slot.slot == "portrait" else ())


def test_both_orders_of_password_and_photographs_can_be_said_and_the_chart_is_followed() -> None:
    assert ENROLLED.password_step == "before_photos"
    assert "SX-E-42" in ENROLLED.source
    other = ENROLLED.model_copy(update={"password_step": "after_verification"})
    read = VerificationRules.model_validate({**RULES.model_dump(), "routes": [NEW.model_dump(), other.model_dump()]})
    assert [route.password_step for route in read.routes] == ["before_photos", "after_verification"]


def test_there_is_no_on_site_confirmation_but_a_way_in_person_for_those_whom_photographs_cannot_verify() -> None:
    assert RULES.onsite_confirmation.kind == "none"
    assert "电话咨询免考确认点" in RULES.in_person.text.text
    assert "id_card" in {document.code for document in RULES.in_person.documents}


def test_every_role_and_level_that_decides_can_be_held() -> None:
    for office in (RULES.review, RULES.in_person):
        assert office.level in SCHEME.roles[office.role].levels


def test_the_newest_book_of_a_jurisdiction_is_found_by_its_name() -> None:
    assert BOOKS.of_jurisdiction("sx") in BOOKS.parts
    assert BOOKS.of_jurisdiction("nowhere") is None


@pytest.mark.parametrize(
    ("where", "value", "law"),
    [
        ("routes", [{**NEW.model_dump(), "photos": ["portrait", "passport"]}], "no such photographs: passport"),
        ("routes", [ENROLLED.model_dump()], "no route asks for: portrait"),
        ("routes", [NEW.model_dump(), NEW.model_dump()], "routes"),
        ("reasons", [{"code": "a", "text": "b", "slot": "passport", "source": "assumption"}], "no such photographs"),
    ],
)
def test_a_book_that_contradicts_itself_is_refused(where: str, value: Any, law: str) -> None:
    with pytest.raises(ValidationError, match=law):
        VerificationRules.model_validate({**RULES.model_dump(), where: value})
