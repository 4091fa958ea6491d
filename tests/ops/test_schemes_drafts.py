"""The folder of a draft with reference data beside its book: explain, diff and try look at both."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app
from ops.schemes.drafting import Meant
from ops.schemes.whatif import replay_of
from shared.schemes.catalog import BOOKS, BadBook, Catalog
from tests.schemes.test_vocabulary import CLAIMS, ISLE

BEFORE_HANDING_IN = """\
故事: 专业目录
办理事项: lagoon/isle@1
依据: TT-32
假设:
  批次: {免考申请: 2026-03-01 至 2026-03-31, 免考审核结果查询: 2026-04-10 至 2026-04-30}
  考生:
    样本甲: {在籍专业: 本科 990101}
经过:
  - {当: 样本甲 预审, 时间: 2026-03-02 10:00, 那么: {结论: 可以提交}}
"""


def run(*words: str | Path, shelf: Path = BOOKS) -> Result:
    return CliRunner().invoke(app, [*map(str, words), "--shelf", str(shelf)])


def copied(folder: Path, place: str, shelf: Path = BOOKS) -> Path:
    """A draft under a name of its own."""
    return Path(shutil.copytree(shelf / place, folder / f"{place}-draft"))


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")


def follows(page: str) -> str:
    return page.split("状态与后续")[1].split("\n## ")[0]


@pytest.mark.parametrize("place", ["sx", "hb", "sd", "swust"])
def test_a_copy_of_a_book_is_explained_like_the_book(tmp_path: Path, place: str) -> None:
    draft, book = run("explain", copied(tmp_path, place)), run("explain", place)
    assert (draft.exit_code, "无法推演" in draft.stdout) == (0, False)
    assert follows(draft.stdout) == follows(book.stdout)


def test_a_draft_without_reference_data_is_explained_with_that_of_its_jurisdiction_and_says_so(tmp_path: Path) -> None:
    draft = copied(tmp_path, "sx")
    (draft / "majors.yaml").unlink()
    answer = run("explain", draft)
    assert (answer.exit_code, answer.stderr) == (0, "Not in the draft's folder, so as sx has it: majors.\n")
    assert "无法推演" not in answer.stdout
    change(draft / "scheme.yaml", "name: ", "name: other_")
    unknown = run("explain", draft)
    assert (unknown.exit_code, "the jurisdiction has no majors.yaml" in unknown.stderr) == (1, True)
    assert run("explain", draft, "--like", "sx").exit_code == 0


def test_house_rules_in_a_draft_are_explained_as_house_rules(tmp_path: Path) -> None:
    answer = run("explain", copied(tmp_path, "platform"))
    assert (answer.exit_code, answer.stdout.splitlines()[0]) == (0, "# 各地通用的规则")


def test_a_part_that_no_service_reads_is_named_and_no_traceback(tmp_path: Path) -> None:
    draft = copied(tmp_path, "sx")
    (draft / "nobody.yaml").write_text("a: 1\n")
    answer = run("explain", draft)
    assert (answer.exit_code, type(answer.exception)) == (1, SystemExit)
    assert answer.stderr == "sx-draft/nobody.yaml:1: (whole file): no service reads nobody.yaml\n"


def test_diff_tells_what_changed_in_the_reference_data_of_a_draft(tmp_path: Path) -> None:
    draft = copied(tmp_path, "sx")
    assert run("diff", "sx", draft).stdout.splitlines()[-1] == "内容完全相同。"
    closing = next(line for line in (draft / "majors.yaml").read_text("utf-8").splitlines() if "closing: true" in line)
    change(draft / "majors.yaml", closing, closing.replace("closing: true, ", ""))
    (draft / "organisations.yaml").unlink()
    answer = run("diff", "sx", draft)
    assert answer.exit_code == 1
    assert (
        "[删除] 参考数据 › 专业目录 › 专业〔040112〕 › 停考专业    reference.majors.majors[040112].closing\n"
        in answer.stdout
    )
    assert "organisations.yaml：草案的文件夹里没有，仍按现有的，未作比较。\n共 1 处不同：删除 1。" in answer.stdout


def test_diff_tells_what_changed_in_the_country_s_lists_beside_house_rules(tmp_path: Path) -> None:
    draft = copied(tmp_path, "platform")
    change(draft / "certificates.yaml", "name: ", "name: 另")
    (draft / "code_lists.yaml").unlink()
    answer = run("diff", "platform", draft)
    assert answer.exit_code == 1
    assert "] 参考数据 › 证书目录 › 证书〔" in answer.stdout
    assert "[删除] 参考数据 › 代码表    reference.code_lists\n" in answer.stdout


def test_reference_data_of_a_draft_that_cannot_be_used_is_a_fault_with_its_line(tmp_path: Path) -> None:
    draft = copied(tmp_path, "sx")
    (draft / "majors.yaml").write_text("levels: []\n")
    for words in (("explain", draft), ("diff", "sx", draft), ("whatif", "sx", draft)):
        answer = run(*words)
        assert "sx-draft/majors.yaml:1: levels" in answer.stderr, words
        assert answer.exit_code == (1 if words[0] == "explain" else 2)


def test_a_case_is_tried_with_the_majors_and_lists_of_the_draft(tmp_path: Path) -> None:
    story = tmp_path / "story.yaml"
    story.write_text(BEFORE_HANDING_IN, "utf-8")
    draft = copied(tmp_path, "lagoon", CLAIMS)
    assert (run("try", draft, story, shelf=CLAIMS).stderr) == ""
    change(draft / "majors.yaml", 'level: 本科, code: "990101"', 'level: 本科, code: "990109"')
    answer = run("try", draft, story, shelf=CLAIMS)
    assert (answer.exit_code, "exemption" in answer.stdout) == (1, True)


def test_cases_are_replayed_with_the_majors_and_the_country_s_lists_of_the_draft(tmp_path: Path) -> None:
    catalog, draft = Catalog.load(BOOKS), copied(tmp_path, "sx")
    shutil.copy(BOOKS / "platform" / "certificates.yaml", draft)
    change(draft / "majors.yaml", "closing: true, ", "")
    change(draft / "certificates.yaml", "name: ", "name: 另")
    change(draft / "organisations.yaml", "name: ", "name: 另")
    change(draft / "scheme.yaml", "title: {text: ", "title: {text: 另")
    replay = replay_of(catalog.get("sx/exemption@1"), Meant.in_folder(draft), catalog, None)
    before, after = replay.old.rules.known, replay.draft.rules.known
    assert replay.draft.rules.ref == replay.old.rules.ref
    assert before.majors != after.majors
    assert before.certificates != after.certificates
    assert before.courses == after.courses
    assert [*replay.beyond] == ["scheme.yaml（办理事项）", "organisations.yaml（机构以当时的记录为准）"]


@pytest.mark.parametrize("name", ["exemption.yml", "notes.txt", "exemption.yaml~"])
def test_a_file_that_nobody_reads_is_refused_in_a_drafts_folder_as_on_the_shelf(tmp_path: Path, name: str) -> None:
    draft, case = copied(tmp_path, "lagoon", CLAIMS), tmp_path / "案例.yaml"
    case.write_text(BEFORE_HANDING_IN, "utf-8")
    (draft / name).write_text("a: 1\n")
    (draft / ".cache").write_text("what tools keep for themselves")
    (draft / "later").mkdir()
    (draft / "later" / name).write_text("another book's folder")
    said = f"lagoon-draft/{name}: nobody reads this file: the parts of a book end in .yaml\n"
    words: tuple[tuple[str | Path, ...], ...] = (("explain", draft), ("diff", ISLE, draft), ("try", draft, case))
    for word in words:
        answer = run(*word, shelf=CLAIMS)
        assert (answer.exit_code, answer.stderr) == (1 if word[0] == "explain" else 2, said)
    with pytest.raises(BadBook) as bad:
        Meant.in_folder(draft)
    assert bad.value.faults == [said.rstrip()]
