"""What is pasted into an application is kept in the draft, and refused by its place when it is handed in."""

import pytest

from services.exemption.domain.application import APPLICATION
from shared.events.exemption import DraftSaved
from shared.testing.given import given
from tests.services.exemption.claims_story import GOOD, START, codes, course, diploma, draft, me, save, tide


def test_a_row_pasted_with_an_invisible_character_is_kept_and_refused_by_its_place() -> None:
    """SD-22, SD-51."""
    pasted = (tide(course("\ufeff90001", "海图\u200b绘制"), number="T-\u200b1"), diploma(course("90004")))
    past = draft(*pasted)
    saved = past.past[-1]
    assert isinstance(saved, DraftSaved)
    assert saved.claims[0]["courses"][0]["name"] == "海图\u200b绘制"
    assert codes(past) == dict.fromkeys(
        ("claims[0].number", "claims[0].courses[0].code"), "request.text_has_control_characters"
    )


@pytest.mark.parametrize("major", ["本科\u200b 990101", "本科 990101\u202e"])
def test_a_major_is_chosen_and_not_pasted(major: str) -> None:
    given(APPLICATION).and_then(START, me()).when(save(*GOOD, majors=(major,)), me()).refused(
        "request.text_has_control_characters"
    )


def test_scores_with_a_nought_before_them_and_numbers_of_signs_only_are_refused_by_their_place() -> None:
    """HB-18, SX-E-46."""
    scores = course("90005", learned="岛语", scores="060;065;070")
    assert codes(draft(tide(course("90001"), number="----"), diploma(scores))) == {
        "claims[0].number": "request.text_says_nothing",
        "claims[1].courses[0].scores": "exemption.not_a_number",
    }
