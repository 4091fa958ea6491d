"""Every broken book of `broken/` is refused by `./zikao schemes check` with exactly the sentences of `expected.txt`.

A folder holds `how.yaml`: what is wrong, and the changes that spoil a copy of `broken/good`. To see what is said of a
new one, leave `expected.txt` out: the failing test shows it.
"""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from ops.schemes import app

BROKEN = Path(__file__).parent / "broken"
GOOD = BROKEN / "good"
FOLDERS = sorted(folder for folder in BROKEN.iterdir() if folder.is_dir() and folder != GOOD)


def schemes(*words: str, shelf: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--shelf", str(shelf)])


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A copy of the good books, to spoil."""
    return Path(shutil.copytree(GOOD, tmp_path / "books"))


def spoil(shelf: Path, change: dict[str, Any]) -> None:
    if "copy" in change:
        shutil.copytree(shelf / change["copy"], shelf / change["as"])
        return
    file = shelf / change["file"]
    text = file.read_text("utf-8") if file.exists() else ""
    match change:
        case {"replace": old, "by": new}:
            assert text.count(old) == 1, f"{old} stands {text.count(old)} times in {change['file']}"
            text = text.replace(old, new)
        case {"from": first, "to": last, "by": new}:
            start = text.index(first)
            text = text[:start] + new + (text[text.index(last, start) :] if last else "")
        case {"append": more}:
            text += more
        case {"grow_to": size}:
            text += "#" * (size - len(text.encode()))
        case {"encode": _}:
            pass
        case _:
            raise AssertionError(f"no such change: {change}")
    file.write_bytes(text.encode(change.get("encode", "utf-8")))


def test_the_good_books_are_good(shelf: Path) -> None:
    assert schemes("check", shelf=shelf).stdout.startswith(
        "1 books, every proof holds; not yet published: made/guild@1"
    )


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_broken_book_is_refused_with_file_line_field_and_law(folder: Path, shelf: Path) -> None:
    how = yaml.safe_load((folder / "how.yaml").read_text("utf-8"))
    assert how["what"]
    if "publish" in how:
        assert schemes("publish", how["publish"], shelf=shelf).exit_code == 0
    for change in how["changes"]:
        spoil(shelf, change)
    answer = schemes("check", shelf=shelf)
    expected = folder / "expected.txt"
    assert answer.stderr == (expected.read_text("utf-8") if expected.exists() else "")
    assert answer.exit_code == 1
