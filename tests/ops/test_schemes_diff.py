"""`./zikao schemes diff`: what an official is told of a new version of a book."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app
from shared.schemes.comparing import Change, changes

GOOD = Path(__file__).parents[1] / "schemes" / "broken" / "good"
STAGE = "exemption.stages[受理]"


def diff(old: Path | str, new: Path | str) -> Result:
    return CliRunner().invoke(app, ["diff", str(old), str(new), "--shelf", str(GOOD)])


@pytest.fixture
def draft(tmp_path: Path) -> Path:
    """A copy of the good book, to change."""
    return Path(shutil.copytree(GOOD / "made", tmp_path / "made"))


def change(draft: Path, old: str, new: str, file: str = "exemption.yaml") -> None:
    text = (draft / file).read_text("utf-8")
    assert text.count(old) == 1
    (draft / file).write_text(text.replace(old, new), "utf-8")


def test_a_book_is_the_same_as_itself_and_as_its_copy(draft: Path) -> None:
    for new in ("made/guild@1", draft):
        answer = diff("made/guild@1", new)
        assert (answer.exit_code, answer.stdout.splitlines()[-1]) == (0, "内容完全相同。")


def test_comments_and_line_breaks_are_no_difference(draft: Path) -> None:
    change(draft, "open_by: [elder]", "# who may\nopen_by:\n  - elder")
    assert diff("made/guild@1", draft).exit_code == 0


def test_a_changed_clause_is_told_with_both_texts_and_sources(draft: Path) -> None:
    change(draft, "    due_days: 5\n    source: TT-08", '    due_days: 7\n    source: "TT-08, assumption"')
    answer = diff("made/guild@1", draft)
    assert answer.exit_code == 1
    assert f"[修改] 免考规则 › 审核环节〔受理〕 › 办理时限    {STAGE}.due_days\n" in answer.stdout
    assert "  - 5 天    （依据 TT-08）\n  + 7 天    （依据 TT-08, 假定）\n" in answer.stdout
    assert "共 2 处不同：修改 2。" in answer.stdout


def test_a_stage_put_in_between_is_one_addition_and_not_a_change_of_all_below(draft: Path) -> None:
    change(draft, "  - name: 审查\n", "  - name: 复查\n    role: examiner\n    source: TT-99\n  - name: 审查\n")
    answer = diff("made/guild@1", draft)
    assert "[新增] 免考规则 › 审核环节〔复查〕    exemption.stages[复查]\n" in answer.stdout
    assert "  + 名称：复查；由谁办理：examiner    （依据 TT-99）\n" in answer.stdout
    assert "共 1 处不同：新增 1。" in answer.stdout


def test_what_is_left_out_is_told_with_all_that_it_said(draft: Path) -> None:
    change(draft, "    - {id: stone, title: 石工, source: TT-04}\n", "")
    answer = diff("made/guild@1", draft)
    assert "[删除] 免考规则 › 选项列表 › crafts〔stone〕    exemption.lists.crafts[stone]\n" in answer.stdout
    assert "  - 代号：stone；名称：石工    （依据 TT-04）\n" in answer.stdout


def test_another_order_is_a_change_of_its_own(draft: Path) -> None:
    wood, stone = (f"    - {{id: {each}, source: TT-04}}\n" for each in ("wood, title: 木工", "stone, title: 石工"))
    change(draft, wood + stone, stone + wood)
    answer = diff("made/guild@1", draft)
    assert "  - wood → stone\n  + stone → wood\n" in answer.stdout
    assert "共 1 处不同：顺序 1。" in answer.stdout


def test_a_whole_new_part_is_one_addition(draft: Path) -> None:
    (draft / "notification.yaml").unlink()
    assert "[新增] 通知    notification\n" in diff(draft, "made/guild@1").stdout


def test_what_cannot_be_compared_is_neither_the_same_nor_different(draft: Path, tmp_path: Path) -> None:
    unknown = diff("made/guild@1", "made/guild@7")
    assert (unknown.exit_code, unknown.stderr) == (2, "There is no book made/guild@7; there are made/guild@1.\n")
    empty = diff("made/guild@1", tmp_path)
    assert (empty.exit_code, empty.stderr) == (2, f"{tmp_path}: has no part of a book in it\n")
    (draft / "exemption.yaml").write_text("a: [")
    assert (diff(draft, "made/guild@1").exit_code, diff("made/guild@1", draft).exit_code) == (2, 2)


def test_entries_without_names_are_compared_by_their_place_and_whole_where_some_came_or_went() -> None:
    assert list(changes({"a": [{"x": 1}, {"x": 1}]}, {"a": [{"x": 1}]})) == [
        Change("changed", ("a",), [{"x": 1}, {"x": 1}], [{"x": 1}])
    ]
    assert list(changes({"a": [{"x": 1}, {"x": 1}]}, {"a": [{"x": 1}, {"x": 2}]})) == [
        Change("changed", ("a", "[第2项]", "x"), 1, 2)
    ]
    assert list(changes({"a": ["x", "y"]}, {"a": ["y", "x"]})) == [Change("changed", ("a",), ["x", "y"], ["y", "x"])]
    assert list(changes({"a": []}, {"a": []})) == []


def test_majors_are_known_by_level_and_code_and_plans_by_major_and_version() -> None:
    one, two = ({"level": level, "code": "990101", "name": "航海"} for level in ("专科", "本科"))
    (change,) = changes([one, {**two, "closing": True}], [one, two])
    assert (change.kind, change.path) == ("removed", ("[本科 990101]", "closing"))
    old = {"major": "本科 990101", "version": "2015"}
    assert [each.path for each in changes([old], [old, {**old, "version": "2020"}])] == [("[本科 990101 2020]",)]


def test_a_detail_is_known_by_its_courses_and_tells_only_what_changed_with_its_own_source() -> None:
    def details(passing: int, source: str) -> list[dict[str, object]]:
        field = {"name": "score", "passing": passing, "source": source}
        return [{"courses": ["00015"], "fields": [field]}, {"courses": ["1", "2", "3", "4"]}, {"fields": []}]

    (change,) = changes({"source": "HB-11", "d": details(60, "HB-18")}, {"source": "HB-11", "d": details(50, "HB-18")})
    assert change.path == ("d", "[00015]", "fields", "[score]", "passing")
    assert (change.old, change.new, change.old_source) == (60, 50, "HB-18")
    (change,) = changes(details(60, "HB-18"), details(60, "HB-19"))
    assert (change.path, change.old, change.new) == (("[00015]", "fields", "[score]", "source"), "HB-18", "HB-19")
    assert [each.path for each in changes(details(60, ""), details(60, "")[:2])] == [("[其余]",)]
    assert [each.path for each in changes(details(60, "")[1:], details(60, ""))] == [("[00015]",)]


def test_courses_that_an_offer_has_besides_are_a_change_of_its_list() -> None:
    old = [{"courses": ["00018"]}, {"courses": ["00051"], "majors": ["本科 1"]}]
    new = [{"courses": ["00018", "00019"]}, old[1]]
    assert [(each.kind, each.path) for each in changes(old, new)] == [("changed", ("[第1项]", "courses"))]
