"""学历成果认证 of Hubei: every bad input has a coded answer, by row and field, and nothing that was typed is lost."""

from typing import Any

import pytest

from tests.services.exemption.hb_office import ADMINISTRATION, PHARMACY, Hall, by_diploma, course, faults
from tests.services.exemption.office import code

pytestmark = pytest.mark.servers


@pytest.mark.parametrize(
    ("scores", "wrong"),
    [
        ("60；65；70", "exemption.not_so_many_numbers"),
        ("60,65,70", "exemption.not_so_many_numbers"),
        ("60;65", "exemption.not_so_many_numbers"),
        ("60;65;70;75", "exemption.not_so_many_numbers"),
        ("60;65;", "exemption.not_so_many_numbers"),
        ("60;65;101", "exemption.number_out_of_bounds"),
        ("60;59;70", "exemption.number_not_passing"),
        ("", "exemption.missing"),
    ],
)
async def test_three_scores_in_any_other_form_are_refused_with_an_example_and_kept_as_typed(
    hall: Hall, scores: str, wrong: str
) -> None:
    """HB-18, HB-26."""
    who, record = await hall.candidate()
    claim = by_diploma(record, [course("00015", learned="大学英语", scores=scores)])
    application = await hall.drafted(who, claim)
    answer = await hall.submit(who, application)
    assert faults(answer) == {"claims[0].courses[0].scores": wrong}
    (fault,) = answer.json()["facts"]["faults"]
    assert ("60;65;70" in fault["zh"]) == (wrong == "exemption.not_so_many_numbers")
    assert (await hall.shown(who, application))["claims"][0]["courses"][0]["form"]["scores"] == scores


@pytest.mark.parametrize(
    ("courses", "expected"),
    [
        ([course("00015", scores="60;65;70")], {"courses[0].learned": "exemption.missing"}),
        ([course("04729", learned="大学语文")], {"courses[0].score": "exemption.missing"}),
        ([course("04729", learned="大学语文", score="59")], {"courses[0].score": "exemption.number_not_passing"}),
        ([course("04729", learned="大学语文", score="101")], {"courses[0].score": "exemption.number_out_of_bounds"}),
        ([course("04729", learned="大学语文", score="良好")], {"courses[0].score": "exemption.not_a_number"}),
        ([course("00018")], {"courses[0].code": "exemption.course_not_offered"}),
        ([course("99999")], {"courses[0].code": "exemption.no_such_course"}),
        ([course("马原")], {"courses[0].code": "exemption.course_code_malformed"}),
        ([], {"courses": "exemption.no_courses"}),
    ],
)
async def test_what_is_wrong_with_a_course_is_told_by_row_and_field(
    hall: Hall, courses: list[Any], expected: dict[str, str]
) -> None:
    """HB-16, HB-17, HB-28, HB-32."""
    who, record = await hall.candidate()
    application = await hall.drafted(who, by_diploma(record, courses))
    found = faults(await hall.submit(who, application))
    assert found.items() >= {f"claims[0].{about}": told for about, told in expected.items()}.items()
    assert len((await hall.shown(who, application))["claims"][0]["courses"]) == len(courses)


async def test_everything_that_is_wrong_is_told_at_once(hall: Hall) -> None:
    who, record = await hall.candidate()
    courses = [course("03708"), course("03708"), course("00018"), course("00015", scores="60，65，70")]
    application = await hall.drafted(who, by_diploma(record, courses), own_major="本科 999999")
    assert faults(await hall.submit(who, application)) == {
        "own_major": "exemption.not_on_the_list",
        "claims[0].courses[2].code": "exemption.course_not_offered",
        "claims[0].courses[2].learned": "exemption.missing",
        "claims[0].courses[2].score": "exemption.missing",
        "claims[0].courses[3].learned": "exemption.missing",
        "claims[0].courses[3].scores": "exemption.not_so_many_numbers",
        "courses": "exemption.course_claimed_twice",
    }


@pytest.mark.parametrize(
    ("basis", "courses", "own", "form", "expected"),
    [
        ("ncre_one", ["00018", "00019"], PHARMACY, {}, {}),
        ("ncre_one", ["00018"], ADMINISTRATION, {}, {"courses[0].code": "exemption.course_not_offered"}),
        ("ncre_one", ["00051"], PHARMACY, {}, {"courses[0].code": "exemption.course_not_offered"}),
        ("ncre_two", ["00018", "00019"], PHARMACY, {}, {}),
        ("ncre_two", ["00051", "00052"], ADMINISTRATION, {}, {}),
        ("ncre_two", ["00051"], PHARMACY, {}, {"courses[0].code": "exemption.course_not_offered"}),
        ("cet", ["00015"], ADMINISTRATION, {"level": "6"}, {}),
        ("cet", ["00015"], PHARMACY, {"level": "3"}, {"level": "exemption.not_on_the_list"}),
        (
            "cet",
            ["00015"],
            PHARMACY,
            {"level": "4", "certificate_number": ""},
            {"certificate_number": "exemption.missing"},
        ),
        (
            "cet",
            ["00015"],
            PHARMACY,
            {"level": "4", "obtained_on": "2018-03-11"},
            {"obtained_on": "exemption.in_the_future"},
        ),
        ("cet", ["00015"], PHARMACY, {"level": "4", "obtained_on": "0000-00"}, {"obtained_on": "exemption.not_a_date"}),
    ],
)
async def test_certificates_are_good_for_the_courses_of_the_table_and_for_no_others(
    hall: Hall, basis: str, courses: list[str], own: str, form: dict[str, str], expected: dict[str, str]
) -> None:
    """HB-19, HB-21, HB-36, HB-37."""
    who, _ = await hall.candidate()
    application = await hall.certified(who, basis, courses, own, **form)
    answer = await hall.submit(who, application)
    if expected:
        assert faults(answer) == {f"claims[0].{about}": told for about, told in expected.items()}
        kept = (await hall.shown(who, application))["claims"][0]
        assert kept["form"].items() >= form.items()
    else:
        assert answer.status_code == 200, answer.text
        assert (await hall.shown(who, application))["course_codes"] == courses


async def test_a_scan_is_needed_and_one_certificate_gives_a_course_once(hall: Hall) -> None:
    """HB-36."""
    who, _ = await hall.candidate()
    bare = {"basis": "cet", "form": {"level": "4"}, "photos": {}, "courses": [course("00015")]}
    application = await hall.drafted(who, bare)
    assert faults(await hall.submit(who, application))["claims[0].scan"] == "exemption.missing"
    one, other = [
        await hall.certified(who, "cet", ["00015"], PHARMACY, level="4", certificate_number="CET4-2016-77")
        for _ in range(2)
    ]
    assert (await hall.submit(who, one)).status_code == 200
    assert code(await hall.submit(who, other), 409) == "exemption.course_in_another_application"
