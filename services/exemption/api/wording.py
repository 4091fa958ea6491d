"""What is put on paper for the candidate: the form as a Word document, the receipt. Pure; called by `papers.py`."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.exemption.domain.bases import Basis
from services.exemption.domain.case import Case
from services.exemption.domain.rules import today
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import FormDocument
from services.exemption.domain.worded import basis_worded, worded
from shared.documents.receipt import Receipt
from shared.documents.word_form import WordForm
from shared.events.exemption import ApplicationSubmitted
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact
from shared.kernel.time import spoken
from shared.schemes.book import Head
from shared.schemes.forms import FormField, Kind

_ON_THE_RECEIPT: frozenset[Kind] = frozenset({"name", "id_number", "ticket_number", "mobile", "major"})
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


def receipt_document(rules: Rules, head: Head, past: Sequence[Fact[Any]], names: Mapping[str, str]) -> Receipt:
    """SD-38: of what was handed in last."""
    said = rules.book.receipt
    fact = next((each for each in reversed(past) if isinstance(each.event, ApplicationSubmitted)), None)
    if said is None or fact is None:
        raise Refused("exemption.no_receipt")
    event, at = fact.event, fact.meta.at
    asked = [each for each in rules.book.fields if each.kind in _ON_THE_RECEIPT]
    return Receipt(
        title=said.title,
        item=head.title.text,
        authority=head.authority.text,
        number=event.number,
        submission=event.submission,
        submitted_at=at,
        at=spoken(at),
        person=tuple((each.label, worded(rules, each, str(event.form.get(each.name, "")), names)) for each in asked),
        items=tuple(_items(rules, event)),
        notes=tuple(note.text for note in said.notes),
        contacts=tuple(f"{each.about}：{each.text}　{'、'.join(each.phones)}".rstrip() for each in head.contacts),
    )


def _items(rules: Rules, event: ApplicationSubmitted) -> Sequence[tuple[str, str, str]]:
    courses = rules.known.courses
    if not event.claims:  # a certificate of the form itself
        named = {code: courses.get(code) for code in event.course_codes}
        return [(each.name if each else "", code, "") for code, each in named.items()]
    bases = {each.id: basis_worded(each) for each in rules.book.bases}
    return [
        (course["name"], course["code"], bases.get(claim["basis"], ""))
        for claim in event.claims
        for course in claim["courses"]
    ]
