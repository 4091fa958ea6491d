"""`./zikao schemes try`: what would be decided of a case, and what is said of cases that make no sense."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app
from ops.schemes.performing import faults_of_story
from ops.schemes.stories import BadStory, read_story
from shared.schemes.catalog import Catalog

GOOD = Path(__file__).parents[1] / "schemes" / "broken" / "good"
STORY = """\
故事: 退回后更正，三级都通过
办理事项: made/guild@1
依据: TT-02, TT-08
假设:
  批次: {申请: 2026-04-01 至 2026-04-10, 学徒出身: 2026-04-01 至 2026-04-10, 结果查询: 2026-06-01 至 2026-06-10}
  考生:
    样本甲: {手艺: 石工}
  工作人员: {甲师傅: 文书, 乙师傅: 考官, 丙师傅: 长老}
经过:
  - {当: 样本甲 提交, 时间: 2026-04-01 12:30, 那么: {不受理: 下次开放时间为 2026-04-01 13:00:00}}
  - {当: 样本甲 提交, 时间: 2026-04-01 13:00, 那么: {状态: 待收, 等待: 文书}}
  - {当: 甲师傅 退回, 原因: 缺件, 那么: 退回}
  - {当: 样本甲 提交, 时间: 2026-04-30 23:30, 那么: {状态: 待收, 等待: 文书}}
  - {当: 甲师傅 通过, 那么: 已收}
  - {当: 乙师傅 通过, 那么: 已查}
  - {当: 丙师傅 通过, 那么: {状态: 已准, 免考课程: ["10001", "10002"]}}
"""


@pytest.fixture
def case(tmp_path: Path) -> Path:
    file = tmp_path / "案例.yaml"
    file.write_text(STORY, "utf-8")
    return file


def tried(book: Path | str, case: Path) -> Result:
    return CliRunner().invoke(app, ["try", str(book), str(case), "--shelf", str(GOOD)])


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert text.count(old) == 1
    file.write_text(text.replace(old, new), "utf-8")


def test_a_case_is_told_step_by_step_with_the_clauses_that_decided(case: Path) -> None:
    answer = tried("made/guild@1", case)
    assert (answer.exit_code, answer.stderr) == (0, "")
    told = answer.stdout.splitlines()
    assert told[0] == "退回后更正，三级都通过    made/guild@1"
    assert told[1].startswith("2026-04-01 12:30:00  样本甲 提交 ✗ “申请”现在不在开放时间内")
    assert "2026-04-01 13:00:00  样本甲 提交 → 待收；等待文书" in told
    assert "                     丙师傅 通过 → 已准；免考课程：10001、10002" in told
    assert "                       made/guild@1 exemption.stages[批准] TT-10" in told


def test_what_was_decided_otherwise_is_named_with_its_line(case: Path) -> None:
    change(case, "甲师傅 通过, 那么: 已收", "甲师傅 通过, 那么: 已准")
    answer = tried("made/guild@1", case)
    assert (answer.exit_code, answer.stderr) == (1, "案例.yaml:14: 经过.4.那么: expected 已准, but it is 已收\n")


def test_the_same_case_can_be_tried_under_a_draft(case: Path, tmp_path: Path) -> None:
    draft = Path(shutil.copytree(GOOD / "made", tmp_path / "draft"))
    change(draft / "exemption.yaml", 'courses: ["10001", "10002"]', 'courses: ["10001"]')
    answer = tried(draft, case)
    assert answer.exit_code == 1
    assert "expected the courses 10001、10002, but they are 10001\n" in answer.stderr
    assert "退回后更正，三级都通过    draft/guild@1" in answer.stdout


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("那么: 退回}", "那么: 已收}", "12: 经过.2.那么: expected 已收, but it is 退回"),
        ("那么: 退回}", "那么: {不受理: 没有}}", "refusal with “没有”, but it was accepted: 退回"),
        ("{不受理: 下次开放时间为 2026-04-01 13:00:00}", "待收", "10: 经过.0.那么: refused: “申请”现在不在开放时间内"),
        ("13:00, 那么: {状态: 待收, 等待: 文书}}", "13:00, 那么: {等待: 长老}}", "expected to wait for 长老"),
        ("那么: 退回}", "那么: {提示: [重号]}}", "expected “重号” to be told, but nothing was"),
        ("那么: 退回}", "那么: {免考课程: []}, 结果: 1}", "12: 经过.2.结果: unknown word"),
        ("故事:", "标题:", "1: 标题: unknown word"),
        ("依据: TT-02, TT-08", "依据: 听说", "3: 依据: String should match pattern"),
        ("甲师傅 退回, 原因: 缺件", "甲师傅 退回", "12: 经过.2: 原因: say why; 受理 has 缺件"),
        ("原因: 缺件", "原因: 难看", "12: 经过.2.原因: 受理 has no such reason; it has 缺件"),
        ("甲师傅 退回", "甲师傅 撕毁", "12: 经过.2.当: written “谁 做什么 谁的申请”; what can be done: 填写、提交"),
        ("甲师傅 退回", "路人 退回", "12: 经过.2.当: nobody here is called 路人; there are 样本甲、甲师傅"),
        ("甲师傅 退回", "甲师傅 退回 乙师傅", "12: 经过.2.当: 乙师傅 is no candidate of this story"),
        ("甲师傅 退回", "甲师傅", "12: 经过.2.当: written “谁 做什么 谁的申请”"),
        ("样本甲: {手艺: 石工}", "样本甲: {籍贯: 某地}", "7: 假设.考生.样本甲.籍贯: the form has no such field"),
        ("甲师傅: 文书", "甲师傅: 巫师", "8: 假设.工作人员.甲师傅: no such role: 巫师; there are 文书、考官、长老"),
        ("甲师傅: 文书", "甲师傅: {职务: 文书, 机构: 别处}", "8: 假设.工作人员.甲师傅: no such organisation: 别处"),
        ("  考生:", "  机构: {别处: {级别: 王国}}\n  考生:", "6: 假设.机构.别处.级别: no such level; there are 作坊"),
        ("{申请: 2026-04-01 至", "{报名: 2026-04-01 至", "5: 假设.批次.报名: no such window; there are 申请、更正"),
        ("{申请: 2026-04-01 至 2026-04-10,", "{申请: 四月,", "5: 假设.批次.申请: written 2026-03-01 至 2026-03-31"),
        ("申请: 2026-04-01 至 2026-04-10, ", "", "假设: 批次: say from when to when “申请” is open"),
        ("申请: 2026-04-01 至 2026-04-10,", "申请: 2026-04-10 至 2026-04-01,", "5: 假设.批次: “申请”时间段不合理"),
        ("2026-04-30 23:30", "2026-04-01 12:59", "13: 经过.3.时间: time only goes on: before this step it is"),
        ("2026-04-30 23:30", "五月", "13: 经过.3.时间: Invalid isoformat string: '五月'"),
        ("甲师傅 通过, ", "甲师傅 通过, 不符合: [好看], ", "14: 经过.4.不符合.0: 受理 does not ask this; it asks 齐全"),
        ("时间: 2026-04-30 23:30", "缺照片: [头像], 时间: 2026-04-30 23:30", "13: 经过.3.缺照片.0: the form has no"),
        ("考生:\n", "考生: &a\n", "6: anchors (&) are not allowed"),
        ("当: 丙师傅 通过", "当: [丙师傅", "not YAML"),
    ],
)  # fmt: skip
def test_a_story_that_is_wrong_or_makes_no_sense_fails_with_file_line_and_reason(
    case: Path, old: str, new: str, fault: str
) -> None:
    change(case, old, new)
    catalog = Catalog.load(GOOD)
    try:
        found = faults_of_story(read_story(case), catalog.get("made/guild@1"), catalog)
    except BadStory as bad:
        found = bad.faults
    assert any(each.startswith("案例.yaml:") and fault in each for each in found), found


def test_the_steps_before_one_that_makes_no_sense_are_told_all_the_same(case: Path) -> None:
    change(case, "那么: 退回}", "那么: 已收}")
    change(case, "乙师傅 通过", "乙师傅 撕毁")
    answer = tried("made/guild@1", case)
    told = answer.stdout.splitlines()
    assert (answer.exit_code, told[0]) == (2, "退回后更正，三级都通过    made/guild@1")
    assert [each for each in told if "甲师傅 通过 → 已收" in each]
    assert "乙师傅" not in answer.stdout
    first, last = answer.stderr.splitlines()
    assert first == "案例.yaml:12: 经过.2.那么: expected 已收, but it is 退回"
    assert last.startswith("案例.yaml:15: 经过.5.当: written “谁 做什么 谁的申请”")


def test_a_story_whose_beginning_makes_no_sense_was_not_tried_at_all(case: Path, tmp_path: Path) -> None:
    change(case, "甲师傅: 文书", "甲师傅: 巫师")
    answer = tried("made/guild@1", case)
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert answer.stderr.startswith("案例.yaml:8: 假设.工作人员.甲师傅: no such role: 巫师")
    assert tried("made/guild@1", tmp_path / "nowhere.yaml").stderr.endswith(
        "cannot be read: No such file or directory\n"
    )
    assert tried("made/guild@1", tmp_path / "nowhere.yaml").exit_code == 2
    assert tried("made/guild@9", case).exit_code == 2
    (tmp_path / "draft").mkdir()
    (tmp_path / "draft" / "notification.yaml").write_bytes((GOOD / "made" / "notification.yaml").read_bytes())
    nothing = tried(tmp_path / "draft", case)
    assert (nothing.exit_code, "has no exemption rules" in nothing.stderr) == (2, True)
