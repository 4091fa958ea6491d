"""An application as a row of plain text: for the record table, and for the batch that goes to the authority. Pure."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from services.exemption.domain.case import Case
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import ExemptionScheme

Row = Sequence[str]

_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\s\x00-\x1f]')

_SPOILT = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]|(0\d+|\d{12,})\Z")
"""What a spreadsheet runs as a formula, or reads as a number and shortens."""


def columns(book: ExemptionScheme) -> list[str]:
    return ["申请编号", *(field.label for field in book.fields), "免考课程代码"]


def row(book: ExemptionScheme, application: str, case: Case, names: Mapping[str, str]) -> list[str]:
    """What the form says, in words that people read; `names` are titles of organisations.

    Without names organisations stay ids: a batch is compared by those, since titles change.
    """
    shown = [_shown(book, kind=field.kind, field=field.name, case=case, names=names) for field in book.fields]
    return [application, *shown, "、".join(case.course_codes)]


def _shown(book: ExemptionScheme, *, kind: str, field: str, case: Case, names: Mapping[str, str]) -> str:
    value = str(case.form.get(field, ""))
    if kind == "certificate":
        return next((each.name for each in book.certificates if each.id == value), value)
    if kind == "organisation":
        return names.get(value, value)
    if kind == "choice":
        entries = book.lists.get(next(each.list or "" for each in book.fields if each.name == field), ())
        return next((each.title for each in entries if each.id == value), value)
    return value


def file_name(book: ExemptionScheme, case: Case, slot: str) -> str:
    """How the file of a photograph is called, as the book says; else by its slot."""
    said = book.slot(slot)
    if said is None or said.file_name is None:
        return slot
    basis = book.basis(slot.partition(".")[0])
    facts = {
        "number": case.number,
        "name": value_of(book, "name", case.form) or "",
        "id_number": value_of(book, "id_number", case.form) or "",
        "ticket_number": value_of(book, "ticket_number", case.form) or "",
        "basis": basis.title if basis else "",
        "label": said.label,
    }
    return _NOT_IN_NAMES.sub("_", said.file_name.format(**facts)) + ".jpg"


def digest(heading: Row, rows: Sequence[Row]) -> str:
    """Of the rows as canonical JSON: the sender, the receiver and the trail can compare it."""
    said = json.dumps([list(heading), *map(list, rows)], ensure_ascii=False, separators=(",", ":"))
    return f"sha256:{sha256(said.encode()).hexdigest()}"


def as_csv(heading: Row, rows: Sequence[Row]) -> str:
    """For spreadsheets: a byte order mark for Chinese, and every cell stays the text that it is."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL)
    for each in (heading, *rows):
        writer.writerow([f"'{cell}" if _SPOILT.match(cell) else cell for cell in each])
    return "\ufeff" + out.getvalue()
