"""The form of an application: what may be kept as a draft, and what may be handed in. Pure; called by APPLICATION.

A draft keeps what was typed, right or wrong. Handing in checks everything at once and lists every fault by field, so
that nobody corrects one mistake only to learn of the next.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.exemption.domain import rules
from services.exemption.domain.followed import Account, Organisations
from services.exemption.domain.refusals import said
from services.exemption.domain.scheme import ExemptionScheme
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text
from shared.schemes.forms import FormField, Kind
from shared.schemes.reading import read_value

_LONGEST_DRAFT = 4000


@dataclass(frozen=True)
class Photograph:
    """An accepted upload, as far as an application must know it."""

    owner: str
    application: str
    slot: str


@dataclass(frozen=True)
class Surroundings:
    """What a form is checked against besides the book."""

    now: datetime
    candidate: str
    application: str
    organisations: Organisations = field(default_factory=dict)
    account: Account | None = None
    photographs: Mapping[str, Photograph] = field(default_factory=dict)


def kept_draft(book: ExemptionScheme, form: Mapping[str, Any], photos: Mapping[str, str]) -> dict[str, Any]:
    """The form as it may be kept: known fields, plain text."""
    known = {each.name for each in book.fields}
    if unknown := sorted(set(form) - known):
        raise Refused("exemption.unknown_field", fields=unknown[:10])
    if unknown := sorted(slot for slot in photos if book.slot(slot) is None):
        raise Refused("exemption.unknown_slot", slots=unknown[:10])
    kept: dict[str, Any] = {}
    for name, typed in form.items():
        if not isinstance(typed, str):
            raise Refused("exemption.not_text", field=name)
        kept[name] = parse_text(typed, name, _LONGEST_DRAFT)
    return kept


def photographs_must_be_own(photos: Mapping[str, str], around: Surroundings) -> None:
    """SW-06: an upload of somebody else, of another application or slot is answered like one that never was."""
    for slot, upload in photos.items():
        if around.photographs.get(upload) != Photograph(around.candidate, around.application, slot):
            raise Refused("exemption.no_such_photograph", slot=slot)


def checked_form(
    book: ExemptionScheme, form: Mapping[str, Any], photos: Mapping[str, str], around: Surroundings
) -> dict[str, Any]:
    """SW-05, SW-06, SW-11: the form in canonical spelling, complete and true to itself; Refused with every fault."""
    lists = {**book.choices(), "organisation": _organisations(book, around.organisations)}
    faults: list[dict[str, Any]] = []
    checked: dict[str, Any] = {}
    for each in book.fields:
        try:
            checked[each.name] = _checked_value(each, str(form.get(each.name, "")), around, lists)
        except Refused as refused:
            faults.append(_fault(each.name, each.label, refused))
    faults += _missing_photographs(book, photos)
    if faults:
        raise Refused("exemption.form_wrong", faults=faults, count=len(faults))
    photographs_must_be_own(photos, around)
    return {name: value for name, value in checked.items() if value}


def _checked_value(each: FormField, typed: str, around: Surroundings, lists: Mapping[str, Collection[str]]) -> str:
    if not typed.strip():
        if each.required:
            raise Refused("exemption.missing", label=each.label)
        return ""
    value = read_value(each, typed, rules.today(around.now), lists)
    rules.applicant_must_be_the_account_holder(each, value, around.account)
    return value


def _missing_photographs(book: ExemptionScheme, photos: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    for slot in book.photos:
        if slot.required and slot.slot not in photos:
            yield _fault(slot.slot, slot.label, Refused("exemption.missing", label=slot.label))


def _fault(name: str, label: str, refused: Refused) -> dict[str, Any]:
    zh, en = said(refused)
    return {"field": name, "label": label, "code": refused.code, "zh": zh, "en": en}


def _organisations(book: ExemptionScheme, known: Organisations) -> frozenset[str]:
    level = _needed(book, "organisation").level
    return frozenset(each.id for each in known.values() if each.level == level and not each.closed)


def value_of(book: ExemptionScheme, kind: Kind, form: Mapping[str, Any]) -> str | None:
    """What a form says in its field of a kind; None when the book has no such field or it was left empty."""
    found = book.field_of(kind)
    return str(form[found.name]) if found and form.get(found.name) else None


def _needed(book: ExemptionScheme, kind: Kind) -> FormField:
    found = book.field_of(kind)
    assert found is not None  # the book's own check
    return found
