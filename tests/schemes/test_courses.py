"""The catalogue of courses and how one is found in it: by code, official name, alias, and however it was typed."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import Refused
from shared.schemes.catalog import Catalog
from shared.schemes.courses import Course, Courses, Found, spelled, squeezed

CATALOGUE = Catalog.load().reference.courses
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})

course_of_it = st.sampled_from(CATALOGUE.courses)


def found(typed: str) -> list[tuple[str, str, str]]:
    return [(each.course.code, each.by, each.matched) for each in CATALOGUE.find(typed)]


def first(typed: str) -> Found:
    return CATALOGUE.find(typed)[0]


def refusal(code: str, name: str) -> Refused:
    with pytest.raises(Refused) as refused:
        CATALOGUE.canonical(code, name)
    return refused.value


# --- what it holds


def test_it_holds_every_course_that_the_sources_name() -> None:
    codes = {each.code for each in CATALOGUE.courses}
    assert len(codes) == len(CATALOGUE.courses)
    assert sum(each.source != "assumption" for each in CATALOGUE.courses) == 30  # the others stand in for an annex
    assert codes >= {"00015", "00018", "00019", "00051", "00052", "03708", "03709", "13000", "13124"}
    pool = [each for each in CATALOGUE.courses if "SX-G-08" in each.source]
    assert len(pool) == 17
    assert sum(each.credits or 0 for each in pool) == 84
    target = CATALOGUE.get("13000")
    assert target is not None
    assert target.credits == 7


def test_kinds_are_told_and_practice_is_the_twin_of_theory() -> None:
    kinds = {each.code: each.kind for each in CATALOGUE.courses if each.kind != "theory"}
    assert kinds == {
        "00019": "practice", "00052": "practice", "03708": "politics", "03709": "politics", "10304": "thesis",
    }  # fmt: skip
    assert {each.code: each.twin for each in CATALOGUE.courses if each.twin} == {
        "00018": "00019", "00019": "00018", "00051": "00052", "00052": "00051",
    }  # fmt: skip


# --- finding


@pytest.mark.parametrize(
    ("typed", "code", "by", "matched"),
    [
        ("00018", "00018", "code", "00018"),
        (" ０００１８ ", "00018", "code", "00018"),
        ("计算机应用基础", "00018", "name", "计算机应用基础"),
        ("计算机应用基础（实践）", "00019", "name", "计算机应用基础(实践)"),
        ("计算机应用基础【实践】", "00019", "name", "计算机应用基础(实践)"),
        ("英语 （二）", "00015", "name", "英语(二)"),
        ("英语(专升本)", "13000", "name", "英语（专升本）"),
        ("英语二", "00015", "alias", "英语(二)"),
        ("计算机基础", "00018", "alias", "计算机基础"),
        ("中国近代史纲要", "03708", "alias", "中国近代史纲要"),
        ("管理系统中计算机应用实践", "00052", "alias", "管理系统中计算机应用实践"),
        ("马克思主义基本", "03709", "prefix", "马克思主义基本原理概论"),
        ("00018 计算机应用基础", "00018", "prefix", "00018"),
        ("近代史", "03708", "contains", "中国近代史纲要"),
        ("行政法", "00261", "prefix", "行政法学"),
    ],
)
def test_a_course_is_found_by_what_people_type_and_told_by_its_official_name(
    typed: str, code: str, by: str, matched: str
) -> None:
    best = first(typed)
    assert (best.course.code, best.by, best.matched) == (code, by, matched)
    assert best.course == CATALOGUE.get(code)


def test_the_best_reason_comes_first_and_then_the_code() -> None:
    assert found("行政管理学") == [
        ("00277", "name", "行政管理学"),
        ("10304", "prefix", "行政管理学毕业论文"),
    ]
    assert found("计算机应用基础")[:2] == [
        ("00018", "name", "计算机应用基础"),
        ("00019", "prefix", "计算机应用基础(实践)"),
    ]
    assert [each[:2] for each in found("英语")] == [("00015", "prefix"), ("13000", "prefix"), ("13124", "prefix")]
    assert [each[:2] for each in found("031")] == [("00312", "contains"), ("00315", "contains"), ("00316", "contains"),
        ("00318", "contains"), ("00319", "contains")]  # fmt: skip
    assert [each[:2] for each in found("政治")] == [
        ("00312", "prefix"), ("00315", "contains"), ("00316", "contains"),
    ]  # fmt: skip


@pytest.mark.parametrize("typed", ["", " ", "（）", "。", "()【】", "\u200b", "\x00", "99999", "炼金术"])
def test_what_means_nothing_finds_nothing(typed: str) -> None:
    assert CATALOGUE.find(typed) == ()


@given(course_of_it, st.sampled_from(["as it is", "wide", "narrow brackets", "spaced", "in list"]))
def test_a_course_is_found_first_by_its_code_and_by_its_name_however_written(course: Course, manner: str) -> None:
    written = {
        "as it is": course.name,
        "wide": course.name.translate(WIDE),
        "narrow brackets": course.name.replace("（", "(").replace("）", ")"),
        "spaced": "　".join(course.name),
        "in list": f"{course.code}{course.name}",
    }[manner]
    assert first(written).course == course
    assert first(course.code.translate(WIDE)) == Found(course, "code", course.code)
    for alias in course.aliases:
        assert (first(alias.translate(WIDE)).course, first(alias).by) == (course, "alias")


@given(course_of_it, st.data())
def test_every_part_of_a_code_or_a_name_finds_the_course(course: Course, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([course.code, course.name, *course.aliases]))
    start = data.draw(st.integers(0, len(text) - 1))
    part = text[start : data.draw(st.integers(start + 1, len(text)))]
    codes = [each.course.code for each in CATALOGUE.find(part)]
    assert (course.code in codes) == bool(squeezed(part))
    assert len(codes) == len(set(codes))


@given(st.text(max_size=60) | st.text(string.digits, max_size=6) | st.text("计算机应用基础英语(二)（ 学", max_size=12))
def test_whatever_is_typed_is_answered_in_order_and_each_answer_holds_it(typed: str) -> None:
    answers = CATALOGUE.find(typed)
    ranks = ["code", "name", "alias", "prefix", "contains"]
    order = [(ranks.index(each.by), each.course.code) for each in answers]
    assert order == sorted(order)
    for each in answers:
        assert CATALOGUE.get(each.course.code) is each.course
        assert each.matched in (each.course.code, each.course.name, *each.course.aliases)
        names = [squeezed(name) for name in (each.course.name, *each.course.aliases)]
        assert any(squeezed(typed) in form for form in (each.course.code + names[0], *names))


# --- code and official name together


@given(course_of_it, st.sampled_from(["as it is", "wide", "spaced"]))
def test_code_and_official_name_mean_the_course(course: Course, manner: str) -> None:
    name = {"as it is": course.name, "wide": course.name.translate(WIDE), "spaced": f" {course.name} "}[manner]
    assert CATALOGUE.canonical(course.code, name) is course
    assert CATALOGUE.canonical(course.code.translate(WIDE), name) is course


@pytest.mark.parametrize(
    ("code", "name", "canonical"),
    [
        ("00018", "计算机基础", "计算机应用基础"),
        ("03708", "中国近代史纲要", "中国近现代史纲要"),
        ("00019", "计算机应用基础实践", "计算机应用基础(实践)"),
        ("00015", "英语二", "英语(二)"),
        ("03709", "马原", "马克思主义基本原理概论"),
        ("03709", "马克思主义基本...", "马克思主义基本原理概论"),
        ("00277", "行政管理", "行政管理学"),
    ],
)
def test_an_alias_or_an_abbreviation_is_refused_with_the_official_name(code: str, name: str, canonical: str) -> None:
    refused = refusal(code, name)
    assert refused.code == "exemption.course_name_not_canonical"
    assert refused.facts == {"code": code, "canonical": canonical}


@pytest.mark.parametrize(
    ("code", "name", "canonical"),
    [
        ("00018", "公共政策", "计算机应用基础"),
        ("00019", "计算机应用基础", "计算机应用基础(实践)"),
        ("00019", "计算机基础", "计算机应用基础(实践)"),
        ("10304", "行政管理学", "行政管理学毕业论文"),
        ("00018", "炼金术", "计算机应用基础"),
        ("00018", "", "计算机应用基础"),
        ("00018", "（）", "计算机应用基础"),
    ],
)
def test_code_and_name_that_disagree_are_refused_with_the_name_of_the_code(
    code: str, name: str, canonical: str
) -> None:
    refused = refusal(code, name)
    assert refused.code == "exemption.course_code_and_name_disagree"
    assert refused.facts == {"code": code, "canonical": canonical}


@pytest.mark.parametrize("name", ["计算机基础", "公共政策", "炼金术", ""])
def test_where_the_book_lets_it_the_code_wins_over_any_name(name: str) -> None:
    assert CATALOGUE.canonical("00018", name, code_wins=True).name == "计算机应用基础"


@pytest.mark.parametrize("code", ["99999", "９９９９９"])
def test_an_unknown_code_is_refused_also_where_the_code_wins(code: str) -> None:
    for code_wins in (False, True):
        with pytest.raises(Refused) as refused:
            CATALOGUE.canonical(code, "计算机应用基础", code_wins=code_wins)
        assert (refused.value.code, refused.value.facts) == ("exemption.no_such_course", {"code": "99999"})


@pytest.mark.parametrize("code", ["", "18", "000018", "0001８x", "110101199003070011", "00018\n00019", "٠٠٠١٨"])
def test_what_is_no_code_is_refused_and_not_repeated(code: str) -> None:
    refused = refusal(code, "计算机应用基础")
    assert (refused.code, refused.facts) == ("exemption.course_code_malformed", {})


REFUSALS = ("course_code_malformed", "no_such_course", "course_name_not_canonical", "course_code_and_name_disagree")


def outcome(code: str, name: str) -> str:
    try:
        course = CATALOGUE.canonical(code, name)
    except Refused as refused:
        return refused.code
    return "a course" if spelled(course.name) == spelled(name) else f"{course.code} for {name}"


@given(st.text(max_size=30) | st.from_regex("0[0-9]{4}", fullmatch=True), st.text(max_size=30))
def test_any_code_and_name_is_a_course_or_a_coded_refusal(code: str, name: str) -> None:
    assert outcome(code, name) in {"a course", *(f"exemption.{each}" for each in REFUSALS)}


# --- two courses may have one name


def test_two_courses_of_one_name_are_both_found_and_told_apart_by_code() -> None:
    theory = {"name": "样例学", "kind": "theory", "source": "assumption"}
    both = Courses.model_validate({"courses": [{"code": "00001", **theory}, {"code": "00002", **theory}]})
    assert list(both.faults()) == []
    assert [(each.course.code, each.by) for each in both.find("样例学")] == [("00001", "name"), ("00002", "name")]
    assert both.canonical("00002", "样例学").code == "00002"
