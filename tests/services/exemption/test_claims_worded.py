"""What claims say in the book's words: in the rows of a batch, on the record table, to a reviewer. Pure."""

from dataclasses import replace
from itertools import pairwise

from services.exemption.domain import export
from services.exemption.domain.case import Case
from services.exemption.domain.evidence import diplomas
from services.exemption.domain.worded import ClaimTold, claims_told
from tests.services.exemption.claims_story import (
    ISLE,
    RECORD,
    REEF,
    course,
    diploma,
    draft,
    knots,
    submitted,
    tide,
)
from tests.services.exemption.story import Past


def case_of(past: Past) -> Case:
    state = past.state
    assert isinstance(state, Case)
    return state


def told(past: Past) -> list[ClaimTold]:
    case = case_of(past)
    return claims_told(ISLE, case, diplomas(case.papers))


def test_a_certificate_is_told_with_its_level_number_and_month_by_the_labels_of_the_book() -> None:
    (claim,) = told(submitted(tide(course("90001"))))
    assert claim.basis == "2、潮汐二级及以上证书"
    assert list(claim.told) == [("证书等级", "二级"), ("证书编号", "T-1"), ("考试时间", "2019年03月")]
    assert [(each.code, each.name, list(each.told)) for each in claim.courses] == [("90001", "海图绘制", [])]


def test_a_pair_of_certificates_has_two_numbers_and_says_which_module_was_chosen() -> None:
    (claim,) = told(submitted(knots(course("90001"), course("90002"))))
    assert dict(claim.told) == {"所选模块": "双套结", "基础绳结：证书编号": "K-1", "所选模块：证书编号": "K-2"}
    assert [each.code for each in claim.courses] == ["90001", "90002"]


def test_a_diploma_is_told_by_what_identity_knew_when_it_was_handed_in_and_never_by_its_id() -> None:
    """HB-10."""
    (claim,) = told(submitted(diploma(course("90003", learned="潮汐", score="75"))))
    said = dict(claim.told)
    assert said["毕业院校"] == "虚构学院"
    assert said["所学专业"] == "园艺"
    assert said["毕业证书编号"] == "D100000001"
    assert said["前置学历状态"] == "生效"
    assert RECORD not in said.values()
    assert list(claim.courses[0].told) == [("已学课程名称", "潮汐"), ("成绩", "75")]


def test_a_row_that_is_only_begun_is_told_as_far_as_it_goes() -> None:
    row = {"basis": "", "form": {}, "photos": {}, "courses": [course("", "潮汐")]}
    (claim,) = told(draft(row))
    assert (claim.basis, list(claim.told), claim.courses[0].name) == ("", [], "潮汐")
    (unknown,) = told(draft(diploma(course("90004"), record="no-such-record")))
    assert list(unknown.told) == [("前置学历", "no-such-record")]


def test_a_batch_has_a_row_for_each_claimed_course_with_what_it_rests_on() -> None:
    case = case_of(submitted(by=REEF))
    heading, rows = export.columns(REEF), export.rows(REEF, "a-1", case, names={})
    assert all(len(row) == len(heading) for row in rows)
    first, second = (dict(zip(heading, row, strict=True)) for row in rows)
    assert first["申请编号"] == second["申请编号"] == "a-1"
    assert (first["编号"], first["考生类别"], first["申请专业"]) == ("RF20260310-0001", "社会考生", "航海（本科）")
    assert (first["免考依据"], first["免考课程代码"], first["免考课程名称"]) == ("1、已合格课程", "90003", "潮汐学")
    assert (first["考试时间或证书获得时间"], first["证书编号"]) == ("2019年03月", "")
    assert (second["免考依据"], second["免考课程代码"]) == ("4、潮汐证书", "90001")
    assert (second["证书编号"], second["有效期至"], second["取得日期"]) == ("T-1", "长期", "2019-03-02")


def test_every_label_of_every_claim_has_a_column_of_its_own() -> None:
    for past in (submitted(), submitted(knots(course("90001"), course("90002")))):
        case = case_of(past)
        rows = export.rows(ISLE, "a-1", case, names={})
        cells = {cell for row in rows for cell in row}
        for claim in told(past):
            assert {value for _, value in claim.told} <= cells
            assert {value for each in claim.courses for _, value in each.told} <= cells


def test_the_digest_of_a_batch_changes_with_whatever_a_claim_says() -> None:
    case = case_of(submitted(tide(course("90001"))))
    (claim,) = case.claims
    changes = (
        {"form": {**claim["form"], "number": "T-2"}},
        {"form": {**claim["form"], "taken_in": "2019年04月"}},
        {"courses": [course("90002")]},
        {"basis": "knots"},
    )
    cases = [case, *(replace(case, claims=({**claim, **each},)) for each in changes)]
    rows = [export.rows(ISLE, "a-1", each, names={}) for each in cases]
    digests = [export.digest(export.columns(ISLE), each) for each in rows]
    assert all(one != other for one, other in pairwise(digests))
    assert len(set(digests)) == len(digests)
