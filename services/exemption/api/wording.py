"""What is put on paper for the candidate: the form as a Word document, the receipt. Pure; called by `papers.py`
and `verdicts.py`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.exemption.api.shapes import Labelled, ReceiptItem
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.bases import Basis
from services.exemption.domain.case import Case
from services.exemption.domain.evidence import diplomas
from services.exemption.domain.followed import Organisation
from services.exemption.domain.rules import today
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import FormDocument
from services.exemption.domain.worded import basis_worded, claims_told, worded
from shared.documents.receipt import Receipt
from shared.documents.word_form import WordForm
from shared.events.exemption import ApplicationSubmitted
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact
from shared.kernel.time import spoken
from shared.schemes.book import Head
from shared.schemes.forms import FormField, Kind

_ON_THE_RECEIPT: frozenset[Kind] = frozenset({"organisation", "name", "id_number", "ticket_number", "mobile", "major"})
_OF_A_PAPER: frozenset[Kind] = frozenset({"certificate", "certificate_level", "certificate_number", "valid_until"})
_NUMBERING = "序号"


# --- the form as a Word document


def form_document(
    rules: Rules, case: Case, names: Mapping[str, str], handed_in_at: datetime | None, now: datetime
) -> WordForm:
    """SD-18, SD-35: what is filled in so far, or what was handed in."""
    said, at = rules.book.form_document, handed_in_at or now
    if said is None:
        raise Refused("exemption.no_form_document")
    asked = [(each.label, worded(rules, each, str(case.form.get(each.name, "")), names)) for each in rules.book.fields]
    heading = [(said.number, case.number or said.number_given), (said.made_at, f"{today(at):%Y-%m-%d}")]
    photo = next(iter(rules.book.photos), None)
    columns = _columns(rules, case)
    return WordForm(
        title=said.title,
        above=rules.book.uniqueness.text if rules.book.uniqueness else "",
        fields=(*heading, *asked),
        portrait=photo.label if photo else None,
        rows_title=said.rows,
        columns=_heading(said, columns) if rules.book.bases else (),
        rows=tuple(_rows(rules, case, columns, names)),
        notes=(said.note.text,),
        made_at=at,
    )


def _heading(said: FormDocument, columns: Sequence[str]) -> tuple[str, ...]:
    return (_NUMBERING, said.course, said.code, *columns, said.basis)


def _columns(rules: Rules, case: Case) -> list[str]:
    """What is asked of courses on the claimed bases, by label: one column each. With no claim yet, of every basis."""
    claimed = {claim["basis"] for claim in case.claims}
    bases = [each for each in rules.book.bases if each.id in claimed] or list(rules.book.bases)
    labels = [field.label for basis in bases for details in basis.details for field in details.fields]
    return list(dict.fromkeys(labels))


def _rows(rules: Rules, case: Case, columns: Sequence[str], names: Mapping[str, str]) -> Sequence[tuple[str, ...]]:
    """One for each course; a claim without a course yet has one too."""
    rows: list[tuple[str, ...]] = []
    for claim in case.claims:
        basis = rules.book.basis(claim["basis"])
        proof = _proof(rules, basis, claim, names) if basis else ""
        for course in claim["courses"] or [{"code": "", "name": "", "form": {}}]:
            asked = basis.details_of(course["code"]) if basis else _every_detail(rules)
            told = {each.label: worded(rules, each, str(course["form"].get(each.name, "")), names) for each in asked}
            cells = [told.get(label, "") for label in columns]
            rows.append((str(len(rows) + 1), course["name"], course["code"], *cells, proof))
    return rows


def _every_detail(rules: Rules) -> Sequence[FormField]:
    """What a row without a basis may say already."""
    return [field for basis in rules.book.bases for details in basis.details for field in details.fields]


def _proof(rules: Rules, basis: Basis, claim: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """The basis, and what the claim says of it."""
    asked = basis.asked_fields()
    told = [
        f"{each.label}：{worded(rules, each, str(claim['form'][each.name]), names, basis)}"
        for each in asked
        if claim["form"].get(each.name)
    ]
    return "；".join([basis_worded(basis), *told])


# --- the receipt


@dataclass(frozen=True)
class HandedIn:
    """What was handed in last, as it was then."""

    case: Case
    event: ApplicationSubmitted
    at: datetime


def handed_in(past: Sequence[Fact[Any]]) -> HandedIn | None:
    last = max((at for at, fact in enumerate(past) if isinstance(fact.event, ApplicationSubmitted)), default=None)
    if last is None:
        return None
    case = APPLICATION.replay(fact.event for fact in past[: last + 1])
    assert isinstance(case, Case)
    return HandedIn(case, past[last].event, past[last].meta.at)


def receipt_items(rules: Rules, case: Case) -> Sequence[ReceiptItem]:
    """SX-E-48: one for each course, with the paper that it rests on and what was typed of that."""
    if not case.claims:  # a certificate of the form itself
        fields = [each for each in rules.book.fields if each.kind in _OF_A_PAPER and case.form.get(each.name)]
        told = [Labelled(label=each.label, value=worded(rules, each, str(case.form[each.name]), {})) for each in fields]
        names = {code: rules.known.courses.get(code) for code in case.course_codes}
        return [
            ReceiptItem(basis="", told=told, course_code=code, course=each.name if each else "")
            for code, each in names.items()
        ]
    return [
        ReceiptItem(
            basis=claim.basis,
            told=[Labelled(label=label, value=value) for label, value in (*claim.told, *course.told)],
            course_code=course.code,
            course=course.name,
        )
        for claim in claims_told(rules, case, diplomas(case.papers))
        for course in claim.courses
    ]


def receipt_document(
    rules: Rules, head: Head, handed: HandedIn | None, organisations: Mapping[str, Organisation]
) -> Receipt:
    """SD-38, SX-E-48: of what was handed in last. `organisations`: those that the form names."""
    said = rules.book.receipt
    if said is None or handed is None:
        raise Refused("exemption.no_receipt")
    names = {each.id: each.title for each in organisations.values()}
    form = handed.case.form
    asked = [each for each in rules.book.fields if each.kind in _ON_THE_RECEIPT]
    points = [f"{each.title}　{'、'.join(each.phones)}" for each in organisations.values() if each.phones]
    return Receipt(
        title=said.title,
        item=head.title.text,
        authority=head.authority.text,
        number=handed.event.number,
        submission=handed.event.submission,
        submitted_at=handed.at,
        at=spoken(handed.at),
        person=tuple((each.label, worded(rules, each, str(form.get(each.name, "")), names)) for each in asked),
        columns=(said.columns.basis, said.columns.details, said.columns.course),
        items=tuple(_printed(each) for each in receipt_items(rules, handed.case)),
        notes=tuple(note.text for note in said.notes),
        contacts=(
            *points,
            *(f"{each.about}：{each.text}　{'、'.join(each.phones)}".rstrip() for each in head.contacts),
        ),
    )


def _printed(item: ReceiptItem) -> tuple[str, str, str]:
    told = "；".join(f"{each.label}：{each.value}" for each in item.told)
    return item.basis, told, f"{item.course_code} {item.course}"
