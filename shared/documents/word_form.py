"""申请表 as a Word document (SD-35): what is in the form, for the candidate to keep. It has no effect of its own.

Called by the exemption service, off the event loop. The same data makes the same bytes.
"""

import io
import unicodedata
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from docx import Document
from docx.document import Document as Doc
from docx.enum.table import WD_CELL_VERTICAL_ALIGNMENT, WD_TABLE_ALIGNMENT
from docx.enum.text import WD_ALIGN_PARAGRAPH
from docx.oxml.ns import qn
from docx.shared import Mm, Pt
from docx.table import Table, _Cell

from shared.documents.printing import numbered

_FONT = "宋体"
_LABEL, _VALUE, _PICTURE = Mm(27), Mm(42), Mm(32)
_PORTRAIT = Mm(25)  # an inch, as identity photographs are printed
_PORTRAIT_ROWS = 5
_WIDE = 26  # half-width characters: what is longer does not fit beside another value


@dataclass(frozen=True)
class WordForm:
    """Everything that stands in the document."""

    title: str
    above: str
    fields: tuple[tuple[str, str], ...]
    portrait: str | None  # its label; None: the form has none
    rows_title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...]
    made_at: datetime


def write(form: WordForm, portrait: bytes | None = None) -> bytes:
    """The document; `portrait` is the JPEG, where there is one already."""
    document = _page(form)
    heading = document.add_paragraph()
    heading.alignment = WD_ALIGN_PARAGRAPH.CENTER
    run = heading.add_run(_legible(form.title))
    run.bold, run.font.size = True, Pt(16)
    if form.above:
        document.add_paragraph(_legible(form.above)).alignment = WD_ALIGN_PARAGRAPH.CENTER
    _fields(document, form, portrait)
    if form.columns:
        _rows(document, form)
    for note in form.notes:
        document.add_paragraph(_legible(note))
    return _saved(document, form.made_at)


def _page(form: WordForm) -> Doc:
    document = Document()
    section = document.sections[0]
    section.page_width, section.page_height = Mm(210), Mm(297)
    section.left_margin = section.right_margin = Mm(20)
    section.top_margin = section.bottom_margin = Mm(20)
    style = document.styles["Normal"]
    style.font.name, style.font.size = _FONT, Pt(10.5)
    style.element.get_or_add_rPr().get_or_add_rFonts().set(qn("w:eastAsia"), _FONT)
    style.paragraph_format.space_after = Pt(4)
    about = document.core_properties
    about.title, about.author, about.last_modified_by, about.comments = form.title, "", "", ""
    about.created = about.modified = form.made_at.astimezone(UTC).replace(tzinfo=None, microsecond=0)
    return document


# --- the fields, and the portrait beside them


def _fields(document: Doc, form: WordForm, portrait: bytes | None) -> None:
    beside = _PORTRAIT_ROWS if form.portrait else 0
    lines = list(_paired(form.fields))
    widths = [_LABEL, _VALUE, _LABEL, _VALUE] + ([_PICTURE] if beside else [])
    table = _table(document, max(len(lines), beside), widths)
    for place, line in enumerate(lines):
        cells = table.rows[place].cells
        for at, (label, value) in enumerate(line):
            _say(cells[2 * at], label, centred=True)
            if len(line) == 1:
                last = 3 if place < beside or not beside else 4
                _say(cells[1].merge(cells[last]), value)
            else:
                _say(cells[2 * at + 1], value)
    if form.portrait:
        _show(table.cell(0, 4).merge(table.cell(beside - 1, 4)), form.portrait, portrait)


def _paired(fields: Sequence[tuple[str, str]]) -> Sequence[tuple[tuple[str, str], ...]]:
    """Two fields in a line; what is too long for half of it has one to itself, and stands below the short ones."""
    long = [each for each in fields if max(map(_width, each)) > _WIDE]
    short = [each for each in fields if each not in long]
    return [tuple(short[at : at + 2]) for at in range(0, len(short), 2)] + [(each,) for each in long]


def _width(text: str) -> int:
    """In half-width characters: Chinese ones take two."""
    return sum(2 if unicodedata.east_asian_width(char) in "WFA" else 1 for char in text)


def _show(cell: _Cell, label: str, portrait: bytes | None) -> None:
    if portrait is None:
        _say(cell, label, centred=True)
        return
    paragraph = cell.paragraphs[0]
    paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    paragraph.add_run().add_picture(io.BytesIO(portrait), width=_PORTRAIT)
    cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER


# --- the rows


def _rows(document: Doc, form: WordForm) -> None:
    heading = document.add_paragraph()
    heading.alignment = WD_ALIGN_PARAGRAPH.CENTER
    heading.paragraph_format.space_before = Pt(8)
    heading.add_run(_legible(form.rows_title)).bold = True
    share = Mm(170 // len(form.columns))
    table = _table(document, 1 + len(form.rows), [share] * len(form.columns))
    for place, row in enumerate((form.columns, *form.rows)):
        for cell, value in zip(table.rows[place].cells, row, strict=True):
            _say(cell, value, centred=True)


# --- cells


def _table(document: Doc, rows: int, widths: Sequence[Mm]) -> Table:
    table: Table = document.add_table(rows=rows, cols=len(widths))
    table.style, table.alignment, table.autofit = "Table Grid", WD_TABLE_ALIGNMENT.CENTER, False
    for row in table.rows:
        for cell, width in zip(row.cells, widths, strict=True):
            cell.width = width
    return table


def _say(cell: _Cell, text: str, *, centred: bool = False) -> None:
    paragraph = cell.paragraphs[0]
    paragraph.text = _legible(text)
    paragraph.paragraph_format.space_after = Pt(0)
    if centred:
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
    cell.vertical_alignment = WD_CELL_VERTICAL_ALIGNMENT.CENTER


def _legible(text: str) -> str:
    """What XML cannot hold, and what would turn the direction of the line, is written as its number."""
    return "".join(char if unicodedata.category(char)[0] != "C" or char in "\n\t" else numbered(char) for char in text)


# --- the file


def _saved(document: Doc, at: datetime) -> bytes:
    """Its parts with the date of the document instead of now."""
    held, made = io.BytesIO(), io.BytesIO()
    document.save(held)
    moment = (at.year, at.month, at.day, at.hour, at.minute, at.second)
    with zipfile.ZipFile(held) as parts, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as kept:
        for part in parts.infolist():
            told = zipfile.ZipInfo(part.filename, moment)
            told.compress_type = zipfile.ZIP_DEFLATED
            kept.writestr(told, parts.read(part))
    return made.getvalue()
