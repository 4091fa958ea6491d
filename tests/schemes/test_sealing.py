"""Publishing: a book once and for all, house rules in editions, and nothing published changes unseen."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ops.schemes import app
from shared.schemes.catalog import PUBLISHED
from tests.schemes.test_broken import GOOD

GUILD = "made/guild@1"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A book, and a folder of house rules with reference data beside them."""
    shelf = Path(shutil.copytree(GOOD, tmp_path / "books"))
    (shelf / "house").mkdir()
    shutil.copy(shelf / "made" / "notification.yaml", shelf / "house")
    (shelf / "house" / "majors.yaml").write_text(
        "levels: [{id: 本科, title: 本科, source: TT-01}]\n"
        'majors: [{code: "990101", level: 本科, name: 航海学, source: TT-01}]\n',
        "utf-8",
    )
    return shelf


def run(word: str, *words: str, shelf: Path) -> Result:
    return CliRunner().invoke(app, [word, *words, "--shelf", str(shelf)])


def change(file: Path, said: str, says: str) -> None:
    text = file.read_text("utf-8")
    assert said in text
    file.write_text(text.replace(said, says, 1), "utf-8")


def test_one_command_publishes_books_and_the_house_rules_they_stand_on(shelf: Path) -> None:
    alone = run("publish", GUILD, shelf=shelf)
    assert alone.exit_code == 1
    assert f"published first, or with it: ./zikao schemes publish house {GUILD}" in alone.stderr
    assert not (shelf / PUBLISHED).exists()
    assert "not yet published: house majors, house notification, made/guild@1" in run("check", shelf=shelf).stdout
    both = run("publish", "house", GUILD, shelf=shelf)
    assert both.stdout == "house@1: 2 parts are published\nmade/guild@1: 3 parts are published\n"
    assert run("check", shelf=shelf).stdout == "2 books, every proof holds; not yet published: none\n"
    assert "2 of 2 parts, as house@1" in " ".join(run("list", shelf=shelf).stdout.split())


@pytest.mark.parametrize(
    ("file", "said", "says"),
    [("notification.yaml", "全部通过", "通过了"), ("majors.yaml", "航海学", "航海")],
    ids=["house rules", "reference data beside them"],
)
def test_house_rules_that_were_changed_are_noticed_and_published_as_a_next_edition(
    shelf: Path, file: str, said: str, says: str
) -> None:
    run("publish", "house", GUILD, shelf=shelf)
    first = (shelf / PUBLISHED).read_text("utf-8")
    change(shelf / "house" / file, said, says)
    found = run("check", shelf=shelf)
    assert found.exit_code == 1
    assert found.stderr == (
        f"house/{file}: these house rules are not what was published as house@1: put them back, or, if every book is "
        "to go by them, publish them: ./zikao schemes publish house\n"
    )
    assert run("publish", GUILD, shelf=shelf).exit_code == 1
    assert run("publish", "house", shelf=shelf).stdout == "house@2: 2 parts are published\n"
    assert run("check", shelf=shelf).exit_code == 0
    second = (shelf / PUBLISHED).read_text("utf-8")
    assert set(first.splitlines()) < set(second.splitlines())


def test_publishing_again_what_did_not_change_changes_nothing(shelf: Path) -> None:
    run("publish", "house", GUILD, shelf=shelf)
    before = (shelf / PUBLISHED).read_text("utf-8")
    assert run("publish", GUILD, "house", shelf=shelf).exit_code == 0
    assert (shelf / PUBLISHED).read_text("utf-8") == before


def test_house_rules_that_are_gone_are_noticed(shelf: Path) -> None:
    run("publish", "house", GUILD, shelf=shelf)
    (shelf / "house" / "majors.yaml").unlink()
    assert "house/majors.yaml: these house rules are not what was published" in run("check", shelf=shelf).stderr
    shutil.rmtree(shelf / "house")
    assert "published.yaml: house@1: published, but not on the shelf any more" in run("check", shelf=shelf).stderr


def test_nothing_is_published_while_anything_on_the_shelf_is_wrong(shelf: Path) -> None:
    change(shelf / "made" / "exemption.yaml", "role: examiner", "role: wizard")
    answer = run("publish", "house", GUILD, shelf=shelf)
    assert answer.exit_code == 1
    assert "wizard decides" in answer.stderr
    assert not (shelf / PUBLISHED).exists()


def test_a_part_added_to_a_published_book_is_refused(shelf: Path) -> None:
    """Whoever began under it would be judged by something else."""
    run("publish", "house", GUILD, shelf=shelf)
    sealed = (shelf / PUBLISHED).read_text("utf-8").splitlines(keepends=True)
    book = sealed.index(f"{GUILD}:\n")
    kept = [line for place, line in enumerate(sealed) if place < book or "notification" not in line]
    (shelf / PUBLISHED).write_text("".join(kept), "utf-8")
    answer = run("check", shelf=shelf)
    assert f"made/notification.yaml: {GUILD} was published without it: take it away" in answer.stderr
    assert run("publish", GUILD, shelf=shelf).exit_code == 1


def test_a_book_may_be_named_by_the_beginning_that_only_it_has(shelf: Path) -> None:
    assert run("publish", "house", "made", shelf=shelf).stdout.endswith("made/guild@1: 3 parts are published\n")
    following = Path(shutil.copytree(shelf / "made", shelf / "made" / "2"))
    change(following / "scheme.yaml", "version: 1", "version: 2")
    assert (
        "There is no book made; there are house, made/guild@1, made/guild@2"
        in run("explain", "made", shelf=shelf).stderr
    )
    assert run("explain", GUILD, shelf=shelf).exit_code == 0
