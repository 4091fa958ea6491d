"""毕业生登记表 (SX-G-44 to 54): white A3 printed on both sides and folded to four pages, two copies in one file.

Called by the graduation service, off the event loop. The layout is `registration_form.typ`. The same form prints the
same bytes. A character that cannot be printed is refused: this paper goes into a person's file for life.
"""

import io
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path

import segno

from shared.documents.printing import drawing_of, printed, refuse_what_cannot_be_printed

_LAYOUT = Path(__file__).with_name("registration_form.typ")


@dataclass(frozen=True)
class Field:
    """A label and what was filled in; a wide one has a row to itself."""

    label: str
    value: str
    wide: bool = False


@dataclass(frozen=True)
class Line:
    """One row of the CV: from, to, and where as what. The dates as the candidate knows them (month or day)."""

    begun: str
    ended: str
    what: str


@dataclass(frozen=True)
class Opinion:
    """A box that somebody fills in by hand, with room for the seal."""

    title: str
    choices: tuple[str, ...] = ()  # to be ticked
    note: str = ""
    by: str = ""  # who signs, before the seal
    seal: str = "公章"


@dataclass(frozen=True)
class RegistrationForm:
    """Everything that is printed. Lists of more than fit are never cut: they go on, marked, on a further sheet."""

    title: str
    authority: str
    number: str  # of the record
    made_at: datetime  # the date of the document
    cover: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    basics: tuple[Field, ...]  # the first eight that are not wide stand beside the photograph
    photo: bytes = field(repr=False)  # JPEG, as `images.prepare` keeps it
    cv: tuple[Line, ...]
    family: str
    awards: str
    self_assessment: str | None  # None: room is left for writing by hand
    least_words: int
    declaration: str
    appraisal: Opinion  # of the moral character
    opinions: tuple[Opinion, ...]
    qr: str  # what the counter scans to open the record
    qr_note: str
    cv_rows: int = 7
    copies: int = 2


def render(form: RegistrationForm) -> bytes:
    """The PDF: for each copy two sides of A3 (pages 4|1 and 2|3), and two more for each further sheet."""
    refuse_what_cannot_be_printed(_texts(form))
    told = {name: value for name, value in asdict(form).items() if name != "photo"}
    files = {"portrait.svg": drawing_of(form.photo), "qr.svg": _code(form.qr)}
    return printed(_LAYOUT, told, form.made_at, files)


def _code(what: str) -> bytes:
    drawn = io.BytesIO()
    # Level M still reads with a seventh of it stained or creased.
    segno.make(what, error="m", micro=False).save(drawn, kind="svg", border=2, xmldecl=False)
    return drawn.getvalue()


def _texts(form: RegistrationForm) -> Iterator[tuple[str, str]]:
    """Each text under the name that people know it by."""
    yield from (("标题", form.title), ("机关", form.authority), ("登记编号", form.number), ("声明", form.declaration))
    yield from form.cover
    yield from (("填表说明", note) for note in form.notes)
    yield from ((each.label, each.label + each.value) for each in form.basics)
    yield from (("个人简历", f"{line.begun}{line.ended}{line.what}") for line in form.cv)
    yield from (("家庭主要成员", form.family), ("奖励或处分", form.awards), ("自我鉴定", form.self_assessment or ""))
    for box in (form.appraisal, *form.opinions):
        yield "意见", f"{box.title}{''.join(box.choices)}{box.note}{box.by}{box.seal}"
    yield "二维码说明", form.qr_note
