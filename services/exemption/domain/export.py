"""An application as rows of plain text: for the record table, and for the batch that goes to the authority. Pure."""

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256

from services.exemption.domain.case import Case
from services.exemption.domain.evidence import diplomas
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.worded import Told, claims_told, labels_of_claims, major_worded, worded

Row = Sequence[str]

_NOT_IN_NAMES = re.compile(r'[\\/:*?"<>|\s\x00-\x1f]')

_SPOILT = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]|(0\d+|\d{12,})\Z")
"""What a spreadsheet runs as a formula, or reads as a number and shortens."""


def columns(rules: Rules) -> list[str]:
    """What stands above the rows."""
    return [*_heading(rules), *(_of_claims(rules) if rules.book.bases else ["免考课程代码"])]


def _heading(rules: Rules) -> list[str]:
    book = rules.book
    given = [*(["编号"] if book.number else []), *(field.label for field in book.fields)]
    return ["申请编号", *given, *(["申请专业"] if book.majors else [])]


def _of_claims(rules: Rules) -> list[str]:
    claims, courses = labels_of_claims(rules)
    return ["免考依据", *claims, "免考课程代码", "免考课程名称", *courses]


def rows(rules: Rules, application: str, case: Case, names: Mapping[str, str]) -> list[list[str]]:
    """What an application says, in words that people read: one row, or where it has claims one for each claimed course.

    Without `names` organisations stay ids: a batch is compared by those, since titles change.
    """
    about = [application, *(value for _, value in fields_told(rules, case, names))]
    if not rules.book.bases:
        return [[*about, "、".join(case.course_codes)]]
    asked, details = labels_of_claims(rules)
    return [
        [*about, claim.basis, *_cells(asked, claim.told), course.code, course.name, *_cells(details, course.told)]
        for claim in claims_told(rules, case, diplomas(case.papers))
        for course in claim.courses
    ]


def fields_told(rules: Rules, case: Case, names: Mapping[str, str]) -> list[tuple[str, str]]:
    """Label and value of all that is asked besides claims; empty where nothing was typed."""
    book = rules.book
    values = [worded(rules, each, str(case.form.get(each.name, "")), names) for each in book.fields]
    number = [case.number] if book.number else []
    majors = ["、".join(major_worded(rules, each) for each in case.majors)] if book.majors else []
    return list(zip(_heading(rules)[1:], [*number, *values, *majors], strict=True))


def _cells(labels: Sequence[str], told: Told) -> list[str]:
    """One for each label; a label that stands twice has both values."""
    return ["、".join(value for said, value in told if said == label) for label in labels]


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
