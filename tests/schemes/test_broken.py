"""Every broken book of `broken/` is refused by `./zikao schemes check` with exactly the sentences of `expected.txt`.

A folder holds `how.yaml`: what is wrong, and the changes that spoil a copy of `broken/good`, or, with `shelf: claims`,
of `claims_books`; with `rows: true` sources are compared with a table of rows, too.
To see what is said of a new one, leave `expected.txt` out: the failing test shows it.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from typer.testing import CliRunner, Result

from ops.schemes import app
from ops.schemes.proving import PROOFS, faults_of_parts
from services.exemption.domain.book_laws import LAWS
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.catalog import BadBook, Catalog

BROKEN = Path(__file__).parent / "broken"
GOOD = BROKEN / "good"
CLAIMS = Path(__file__).parent / "claims_books"
FOLDERS = sorted(folder for folder in BROKEN.iterdir() if folder.is_dir() and folder != GOOD)


def schemes(*words: str, shelf: Path) -> Result:
    return CliRunner().invoke(app, [*words, "--shelf", str(shelf)])


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A copy of the good books, to spoil."""
    return Path(shutil.copytree(GOOD, tmp_path / "books"))


def spoilt(folder: Path, place: Path) -> Path:
    """A shelf as `how.yaml` makes it."""
    how = yaml.safe_load((folder / "how.yaml").read_text("utf-8"))
    assert how["what"]
    shelf = Path(shutil.copytree(CLAIMS if how.get("shelf") == "claims" else GOOD, place / folder.name))
    if "publish" in how:
        assert schemes("publish", how["publish"], shelf=shelf).exit_code == 0
    for change in how["changes"]:
        spoil(shelf, change)
    return shelf


def spoil(shelf: Path, change: dict[str, Any]) -> None:
    if "copy" in change:
        shutil.copytree(shelf / change["copy"], shelf / change["as"])
        return
    if "delete" in change:
        (shelf / change["delete"]).unlink()
        return
    if "rename" in change:
        (shelf / change["rename"]).rename(shelf / change["as"])
        return
    file = shelf / change["file"]
    file.parent.mkdir(exist_ok=True)
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


def table(folder: Path) -> str:
    """Of all rows that the good books name."""
    file = folder / "rows.md"
    file.write_text("".join(f"| TT-{nth:02} | what is so |\n" for nth in range(1, 100)), "utf-8")
    return str(file)


def test_the_good_books_go_by_rows_that_there_are(shelf: Path, tmp_path: Path) -> None:
    assert schemes("check", "--rows", table(tmp_path), shelf=shelf).exit_code == 0
    missing = schemes("check", "--rows", str(tmp_path / "nowhere.md"), shelf=shelf)
    assert (missing.exit_code, "nowhere.md cannot be read" in missing.stderr) == (1, True)
    (tmp_path / "other.md").write_text("Nothing of rows.\n", "utf-8")
    other = schemes("check", "--rows", str(tmp_path / "other.md"), shelf=shelf)
    assert (other.exit_code, other.stderr.strip().endswith("other.md: no rows in this file.")) == (1, True)


def said_of(answer: Result, folder: Path) -> str:
    """Without lines where the books are those that every new word is added to."""
    claims = "shelf: claims" in (folder / "how.yaml").read_text("utf-8")
    return re.sub(r"(\.yaml):\d+:", r"\1:…:", answer.stderr) if claims else answer.stderr


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_a_broken_book_is_refused_with_file_line_field_and_law(folder: Path, tmp_path: Path) -> None:
    shelf = spoilt(folder, tmp_path)
    how = yaml.safe_load((folder / "how.yaml").read_text("utf-8"))
    answer = schemes("check", *(("--rows", table(tmp_path)) if how.get("rows") else ()), shelf=shelf)
    expected = folder / "expected.txt"
    assert said_of(answer, folder) == (expected.read_text("utf-8") if expected.exists() else "")
    assert answer.exit_code == 1


def laws_broken(error: ValidationError) -> Iterator[str]:
    """The functions that raised what pydantic tells of a book."""
    for each in error.errors():
        raised = each.get("ctx", {}).get("error")
        place = raised.__traceback__ if isinstance(raised, Exception) else None
        while place is not None:
            yield place.tb_frame.f_code.co_name
            place = place.tb_next


def test_every_law_and_every_proof_is_broken_by_a_book_of_the_folder(tmp_path: Path) -> None:
    """That nothing is granted without a stage, and that every case can end, no book can be made to break by its words:
    `test_proofs.py` spoils the walk itself."""
    broken: set[str] = set()
    for folder in FOLDERS:
        try:
            catalog = Catalog.load(spoilt(folder, tmp_path))
        except BadBook:
            continue  # what cannot be read breaks laws of YAML, of heads or of folders
        for book in catalog.with_part("exemption"):
            try:
                rules = ExemptionScheme.model_validate(book.sheets["exemption"].data)
            except ValidationError as error:
                broken |= {*laws_broken(error)}
                continue
            if not faults_of_parts(catalog):
                broken |= {proof.__name__ for proof in PROOFS if any(True for _ in proof(catalog, book, rules))}
    assert {each.__name__ for each in (*LAWS, *PROOFS)} - broken == set()
