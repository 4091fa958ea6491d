"""Stories with claims: what is said of those that make no sense, or that go otherwise than told."""

import shutil
from pathlib import Path

import pytest

from ops.schemes.performing import faults_of_story, told_step_by_step
from ops.schemes.stories import BadStory, read_story
from shared.schemes.catalog import Catalog
from tests.schemes.test_vocabulary import CLAIMS

STORY = """\
故事: 一项依据
办理事项: lagoon/isle@1
依据: TT-38
假设:
  批次: {免考申请: 2026-03-01 至 2026-03-31, 免考审核结果查询: 2026-04-10 至 2026-04-30}
  考生: {样本甲: }
  账号: {样本甲: {认证: 已认证}}
  工作人员: {文书甲: 码头文书, 港务甲: 港务长}
经过:
  - 当: 样本甲 预审
    时间: 2026-03-02 10:00
    免考: [{依据: 潮汐二级及以上证书, 填写: {证书等级: 一级}, 课程: ["90001"]}]
    那么: {结论: [低于免试要求]}
  - {当: 样本甲 提交, 免考: [{依据: 潮汐二级及以上证书, 课程: ["90001"]}], 那么: 已提交}
  - {当: 文书甲 解锁, 原因: 材料选填有误, 那么: 被退回}
"""


def faults(folder: Path, old: str, new: str) -> list[str]:
    assert STORY.count(old) == 1
    file = folder / "案例.yaml"
    file.write_text(STORY.replace(old, new), "utf-8")
    catalog = Catalog.load(CLAIMS)
    try:
        return faults_of_story(read_story(file), catalog.get("lagoon/isle@1"), catalog)
    except BadStory as bad:
        return bad.faults


def test_a_verdict_is_told_rule_by_rule_with_what_was_found_and_the_clause(tmp_path: Path) -> None:
    file = tmp_path / "案例.yaml"
    file.write_text(STORY, "utf-8")
    catalog = Catalog.load(CLAIMS)
    (first, wrong), *_ = told_step_by_step(read_story(file), catalog.get("lagoon/isle@1"), catalog)
    assert wrong == ()
    assert "样本甲 预审 → 有 1 处不符合" in first
    assert "证书等级“一级”低于免试要求的“二级”。 (exemption.level_too_low, level_must_reach_the_lowest)" in first
    assert "lagoon/isle@1 exemption.bases[tide_two] TT-38" in first


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("[低于免试要求]", "可以提交", "13: 经过.0.那么: the verdict also has: 潮汐二级"),
        ("[低于免试要求]", "[低于免试要求, 过期]", "expected “过期” in the verdict, but it is: 潮汐二级"),
        ("材料选填有误, 那么: 被退回", "材料选填有误, 那么: {结论: 可以提交}", "结论 is what comes of 预审"),
        ("那么: 被退回", "那么: {编号: A1}", "expected the number A1, but it is none"),
        ("材料选填有误", "心情不好", "15: 经过.2.原因: 解锁 has no such reason; it has 材料选填有误"),
        ("材料选填有误,", "材料选填有误, 未查验: [护照],", "15: 经过.2.未查验.0: nobody is asked to see this"),
        ("文书甲 解锁, 原因: 材料选填有误", "文书甲 解锁", "15: 经过.2: 原因: say why; 解锁 has 材料选填有误"),
        ("文书甲 解锁", "文书甲 不通过", "15: 经过.2.原因: 审核 has no such reason; it has 证书存疑"),
        ("文书甲 解锁", "港务甲 撤销", "15: 经过.2.那么: refused: 本事项不能撤销免考。"),
        ("{证书等级: 一级}", "{证书年级: 一级}", "12: 经过.0.免考.0.填写.证书年级: the form has no such field"),
        ("填写: {证书等级: 一级},", "缺照片: [头像],", "12: 经过.0.免考.0.缺照片.0: the form has no such photograph"),
        ("依据: 潮汐二级及以上证书, 填写", "依据: 月亮证书, 填写", "12: 经过.0.免考.0.依据: no such basis; there are"),
        ("{样本甲: {认证: 已认证}}", "{样本甲: {认证: 大概}}", "7: 假设.账号.样本甲.认证: Input should be '已认证'"),
        ("{样本甲: {认证: 已认证}}", "{样本乙: {}}", "7: 假设.账号.样本乙: nobody here is called 样本乙"),
    ],
)  # fmt: skip
def test_a_story_of_claims_that_is_wrong_is_told_with_file_line_and_reason(
    tmp_path: Path, old: str, new: str, fault: str
) -> None:
    found = faults(tmp_path, old, new)
    assert any(each.startswith("案例.yaml:") and fault in each for each in found), found


# --- where a book wants several claims, or several majors

BOTH = """\
故事: 至少两项依据、两个专业
办理事项: lagoon/isle@1
依据: TT-40
假设:
  批次: {免考申请: 2026-03-01 至 2026-03-31, 免考审核结果查询: 2026-04-10 至 2026-04-30}
  考生: {样本甲: {在籍专业: 本科 990101}, 样本乙: }
经过:
  - {当: 样本甲 预审, 时间: 2026-03-02 10:00, 那么: {结论: 可以提交}}
  - {当: 样本甲 提交, 那么: 已提交}
  - {当: 样本乙 提交, 那么: 已提交}
"""


def told(folder: Path, story: str, *wanted: str) -> list[str]:
    """What is told of each step under the book that wants so; the story is true."""
    shelf = Path(shutil.copytree(CLAIMS, folder / "books"))
    book = shelf / "lagoon" / "exemption.yaml"
    text = book.read_text("utf-8")
    for each in wanted:
        least = each.replace("least: 2", "least: 1")
        assert text.count(least) == 1
        text = text.replace(least, each)
    book.write_text(text, "utf-8")
    file = folder / "案例.yaml"
    file.write_text(story, "utf-8")
    catalog = Catalog.load(shelf)
    lines = [*told_step_by_step(read_story(file), catalog.get("lagoon/isle@1"), catalog)]
    assert [fault for _, faults in lines for fault in faults] == []
    return [line for line, _ in lines]


@pytest.mark.parametrize(
    ("own_major", "wanted"),
    [
        ("本科 990101", ("claims: {least: 2",)),
        ("本科 990101", ("courses: {least: 2",)),
        ("本科 990102", ("majors:\n  least: 2",)),
        ("本科 990102", ("claims: {least: 2", "courses: {least: 2", "majors:\n  least: 2")),
    ],
)
def test_who_applies_in_a_story_has_as_many_claims_and_majors_as_the_book_wants(
    tmp_path: Path, own_major: str, wanted: tuple[str, ...]
) -> None:
    assert len(told(tmp_path, BOTH.replace("本科 990101", own_major), *wanted)) == 3


def test_no_two_people_and_no_two_claims_of_a_story_have_one_certificate(tmp_path: Path) -> None:
    people = [f"样本{nth}" for nth in "一二三四五六七八九十百千万亿兆甲乙丙丁戊己庚辛"]
    steps = "".join(f"  - {{当: {who} 提交, 时间: 2026-03-02 10:00, 那么: 已提交}}\n" for who in people)
    story = BOTH[: BOTH.index("  考生:")] + f"  考生: {{{': , '.join(people)}: }}\n经过:\n" + steps
    lines = told(tmp_path, story, "claims: {least: 2")
    assert [line for line in lines if "另有考生使用同一证书" in line] == []


def test_claims_on_one_basis_have_certificates_of_their_own_unless_the_story_says_otherwise(tmp_path: Path) -> None:
    two = "免考: [{依据: 潮汐二级及以上证书, 课程: ['90001']}, {依据: 潮汐二级及以上证书, 课程: ['90002']}]"
    told(tmp_path, BOTH.replace("样本乙 提交,", f"样本乙 提交, {two},"), "claims: {least: 2")
