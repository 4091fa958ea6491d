"""Books that may not be used: each is refused with its file, line, field and the law it breaks."""

import shutil
from pathlib import Path

import pytest

from ops.schemes.sealing import broken_seals
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.catalog import BOOKS, BadBook, Catalog
from shared.schemes.yaml_reading import MAX_BYTES, BadYaml, read_sheet

GOOD = Path(__file__).parent / "books"


@pytest.fixture
def shelf(tmp_path: Path) -> Path:
    """A copy of the made-up books that a test may spoil."""
    return Path(shutil.copytree(GOOD, tmp_path / "books"))


def exemption(shelf: Path) -> ExemptionScheme:
    return Catalog.load(shelf).get("madeup/guild@3").part("exemption", ExemptionScheme)


def spoil(shelf: Path, old: str, new: str, file: str = "exemption.yaml") -> int:
    """Replaces the first `old` and returns its line."""
    path = shelf / "madeup" / file
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), "utf-8")
    return text[: text.index(old)].count("\n") + 1


def refused(shelf: Path) -> str:
    with pytest.raises(BadBook) as bad:
        exemption(shelf)
    return str(bad.value)


def test_every_real_book_can_be_read() -> None:
    catalog = Catalog.load(BOOKS)
    assert "swust/1x@1" in catalog.refs()
    for book in catalog.with_part("exemption"):
        book.part("exemption", ExemptionScheme)


def test_a_book_is_named_by_jurisdiction_name_and_version(shelf: Path) -> None:
    assert Catalog.load(shelf).refs() == ("madeup/guild@3",)
    with pytest.raises(KeyError, match="madeup/guild@3"):
        Catalog.load(shelf).get("madeup/guild@4")


def test_a_further_version_lives_in_a_folder_below(shelf: Path) -> None:
    shutil.copytree(shelf / "madeup", shelf / "madeup" / "guild@4")
    head = shelf / "madeup" / "guild@4" / "scheme.yaml"
    head.write_text(head.read_text("utf-8").replace("version: 3", "version: 4"), "utf-8")
    assert Catalog.load(shelf).refs() == ("madeup/guild@3", "madeup/guild@4")


def test_two_books_cannot_have_one_name(shelf: Path) -> None:
    shutil.copytree(shelf / "madeup", shelf / "madeup" / "copy")
    with pytest.raises(BadBook, match="already the name of another book"):
        Catalog.load(shelf)


def test_an_unknown_word_is_refused_with_file_line_field_and_row(shelf: Path) -> None:
    line = spoil(shelf, "    resubmit_to: same\n", "    resubmit_to: same\n    quorum_of: 3\n") + 1
    message = refused(shelf)
    assert (
        f"madeup/exemption.yaml:{line}: stages.0.quorum_of: unknown word: there is no place for it here [TT-08]"
        in message
    )


@pytest.mark.parametrize(
    ("old", "new", "law"),
    [
        ("    state: received\n", "", "stages.0.state: Field required"),
        ("    state: received\n", "    state: nowhere\n", "states: missing: nowhere"),
        ("    state: received\n", "    state: draft\n", "a passed stage needs a state of its own"),
        ("  - {id: received,", "  - {id: forgotten,", "states: missing: received"),
        (
            "  - {id: discarded,",
            "  - {id: limbo, title: 某, explanation: 某, source: TT-07}\n  - {id: discarded,",
            "states: can never be reached: limbo",
        ),
        ("states: [approved]", "states: []", "progress: must show every state"),
        ("resubmit: {window: correct,", "resubmit: {window: apply,", "windows: nothing depends on: correct"),
        ("resubmit: {window: correct,", "resubmit: {window: never,", "windows: not declared: never"),
        ("document: paper_photo", "document: passport", "no such document: passport"),
        ("list: crafts", "list: trades", "fields: no such list: trades"),
        ("lowest_level: 学徒", "lowest_level: 大师", "no such level: 大师"),
        ("    checklist: [{id: complete, text: 齐全, source: TT-08}]", "    checklist: []", "stages.0.checklist"),
        ("kind: certificate_number, most: 12", "kind: text, most: 12", "needed of kind certificate_number"),
        ("kind: date, required: false", "kind: certificate, required: false", "two fields of kind certificate"),
        ("kind: date, required: false", "kind: colour, required: false", "fields.4.kind"),
        ("resubmit_to: same", "resubmit_to: anywhere", "stages.0.resubmit_to"),
        ("name: 审查", "name: 受理", "stages: named twice: 受理"),
        ("    due_days: 5\n", "    due_days: 0\n", "stages.0.due_days"),
        ("    due_days: 5\n", "    rechecks: [certificate_valid]\n", "certificate_valid needs a field of kind"),
        ("source: TT-02}", "source: hearsay}", "windows.0.source"),
        (", source: TT-02}", "}", "windows.0.source: Field required"),
        ("most: 12", 'most: 12, pattern: "([", example: N-1', "not a regular expression"),
        ("most: 12", 'most: 12, pattern: "[0-9]+", example: N-1', "a pattern needs an example that fits it"),
        ("formats: [JPEG]", "formats: [GIF]", "photos.0.photo.formats.0"),
        ("min_width: 100", "min_width: wide", "photos.0.photo.min_width"),
    ],
)
def test_a_book_that_makes_no_sense_is_refused_for_what_is_wrong(shelf: Path, old: str, new: str, law: str) -> None:
    spoil(shelf, old, new)
    message = refused(shelf)
    assert law in message
    assert message.startswith("madeup/exemption.yaml:")


def test_a_missing_part_is_said(shelf: Path) -> None:
    (shelf / "madeup" / "exemption.yaml").unlink()
    assert refused(shelf) == "madeup/guild@3: has no exemption.yaml"


@pytest.mark.parametrize(
    ("text", "line", "law"),
    [
        ("a: 1\nb: &x [1]\nc: *x\n", 2, "anchors"),
        ("a: *x\n", 1, "aliases"),
        ("a: 1\nb: !!python/object/apply:os.system ['true']\n", 2, "tags are not allowed"),
        ("a: !local x\n", 1, "tags are not allowed"),
        ("a: 1\nb: 2\na: 3\n", 3, "a stands twice"),
        ("a:\n  - b: [1\n", 3, "not YAML"),
        ("a: 1\n---\nb: 2\n", 2, "not YAML"),
        ("1: a\n", 1, "keys are plain words"),
        ("a: 0123\n", 1, "number in another base"),
        ("a: 0x1F\n", 1, "number in another base"),
        ("a: 1:30\n", 1, "number in another base"),
        ("a: yes\n", 1, "truth value"),
        ("a: .inf\n", 1, "not a plain number"),
        ("a: " + "[" * 30 + "]" * 30 + "\n", 1, "nested deeper"),
        ("a: " + "[" * 3000 + "]" * 3000 + "\n", 1, "nested deeper"),
    ],
)
def test_yaml_that_hides_or_multiplies_is_refused(text: str, line: int, law: str) -> None:
    with pytest.raises(BadYaml) as bad:
        read_sheet(text.encode())
    assert law in bad.value.law
    assert bad.value.line == line


def test_a_yaml_bomb_costs_nothing() -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"{n}: &{n} [*{p},*{p},*{p}]\n" for p, n in zip("abcdefgh", "bcdefghi", strict=True))  # noqa: E501  # fmt: skip
    with pytest.raises(BadYaml, match="anchors"):
        read_sheet(bomb.encode())


def test_a_file_that_is_too_large_or_not_text_is_refused(shelf: Path) -> None:
    with pytest.raises(BadYaml, match="at most"):
        read_sheet(b"a" * (MAX_BYTES + 1))
    (shelf / "madeup" / "exemption.yaml").write_bytes(b"a: \xff\xfe\n")
    with pytest.raises(BadBook, match=r"madeup/exemption\.yaml:1: not UTF-8"):
        Catalog.load(shelf)


def test_dates_and_codes_stay_the_text_they_are() -> None:
    assert read_sheet(b'a: 2026-03-01\nb: "00018"\nc: 12.5\n').data == {"a": "2026-03-01", "b": "00018", "c": 12.5}


def test_a_published_part_may_change_its_comments_and_not_its_words(shelf: Path) -> None:
    book = Catalog.load(shelf).get("madeup/guild@3")
    seals = "".join(f"  {part}: {book.digest(part)}\n" for part in book.parts())
    (shelf / "published.yaml").write_text(f"madeup/guild@3:\n{seals}", "utf-8")
    assert broken_seals(Catalog.load(shelf)) == []
    spoil(shelf, "# Three stages", "# In three stages")
    assert broken_seals(Catalog.load(shelf)) == []
    spoil(shelf, "text: 齐全", "text: 不齐")
    (broken,) = broken_seals(Catalog.load(shelf))
    assert broken.startswith("madeup/exemption.yaml: published parts never change")
    shutil.rmtree(shelf / "madeup")
    assert len(broken_seals(Catalog.load(shelf))) == 3


def test_the_digest_of_a_shelf_changes_with_every_word(shelf: Path) -> None:
    before = Catalog.load(shelf).digest
    spoil(shelf, "虚构行会", "虚构公会", "scheme.yaml")
    assert Catalog.load(shelf).digest != before


def test_assumptions_are_counted(shelf: Path) -> None:
    assert Catalog.load(shelf).get("madeup/guild@3").assumptions() == 1
