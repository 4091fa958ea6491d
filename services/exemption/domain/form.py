"""The form of an application: what may be kept as a draft, and what may be handed in. Pure; called by APPLICATION.

A draft keeps what was typed, right or wrong. Handing in checks everything at once and lists every fault by field, so
that nobody corrects one mistake only to learn of the next. Claims are read in `claims.py` by the same functions.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.exemption.domain import rules as laws
from services.exemption.domain.followed import Account, Organisations
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.verdict import Findings
from shared.kernel.errors import Refused
from shared.kernel.values import kept_text
from shared.schemes.forms import FormField, Kind, PhotoSlot
from shared.schemes.reading import read_value

_LONGEST_DRAFT = 4000


@dataclass(frozen=True)
class Photograph:
    """An accepted upload, as far as an application must know it."""

    owner: str
    application: str
    slot: str
    digest: str = field(default="", compare=False, kw_only=True)  # of the file as it was sent


@dataclass(frozen=True)
class Surroundings:
    """What a form is checked against besides the book."""

    now: datetime
    candidate: str
    application: str
    organisations: Organisations = field(default_factory=dict)
    account: Account | None = None
    photographs: Mapping[str, Photograph] = field(default_factory=dict)


def kept_form(fields: Collection[FormField], form: Mapping[str, Any]) -> dict[str, Any]:
    """A form as it may be kept: known fields, plain text."""
    known = {each.name: each.label for each in fields}
    if unknown := sorted(set(form) - set(known)):
        raise Refused("exemption.unknown_field", fields=unknown[:10], count=len(unknown))
    kept: dict[str, Any] = {}
    for name, typed in form.items():
        if not isinstance(typed, str):
            raise Refused("exemption.not_text", field=name, said={"field": known[name]})
        kept[name] = kept_text(typed, name, _LONGEST_DRAFT, label=known[name])
    return kept


def slots_must_be_known(slots: Collection[PhotoSlot], photos: Mapping[str, str]) -> None:
    known = {each.slot for each in slots}
    if unknown := sorted(set(photos) - known):
        raise Refused("exemption.unknown_slot", slots=unknown[:10], count=len(unknown))


def photographs_must_be_own(photos: Mapping[str, str], around: Surroundings, prefix: str = "") -> None:
    """SW-06: an upload of somebody else, of another application or slot is answered like one that never was."""
    for slot, upload in photos.items():
        if around.photographs.get(upload) != Photograph(around.candidate, around.application, prefix + slot):
            raise Refused("exemption.no_such_photograph", slot=prefix + slot)


def checked_form(
    rules: Rules, form: Mapping[str, Any], photos: Mapping[str, str], around: Surroundings
) -> dict[str, Any]:
    """SW-05, SW-06, SW-11: the form in canonical spelling, complete and true to itself; Refused with every fault."""
    findings = Findings()
    checked = judged_form(findings, rules, form, photos, around)
    findings.must_pass()
    return checked


def judged_form(
    findings: Findings, rules: Rules, form: Mapping[str, Any], photos: Mapping[str, str], around: Surroundings
) -> dict[str, Any]:
    """What of the form could be read; what could not is among the findings."""
    book = rules.book
    lists = {**rules.choices(), "organisation": _organisations(book, around.organisations)}
    checked = judged_fields(findings, rules, book.fields, form, around, lists)
    judged_photos(findings, rules, book.photos, photos)
    if book.photos and not any(each.in_form for each in findings.refusing()):
        findings.under(rules.clause("photos", source=book.photos[0].source)).ask(
            lambda: photographs_must_be_own(photos, around), rule="photographs_must_be_own", about="photos"
        )
    return checked


def judged_fields(
    findings: Findings,
    rules: Rules,
    fields: Sequence[FormField],
    form: Mapping[str, Any],
    around: Surroundings,
    lists: Mapping[str, Collection[str]],
    where: str = "",
    said: Callable[[str], tuple[str, ...]] = lambda name: (f"fields[{name}]",),
) -> dict[str, Any]:
    """Values by name, without empty ones. `where` stands before the names in findings (`claims[0].`), `said`: where
    the book speaks of a field (`bases[ncre_one]`, `fields[number]`)."""
    checked: dict[str, Any] = {}
    for each in fields:
        typed = str(form.get(each.name, ""))
        clause = rules.clause(*said(each.name), source=each.source)
        value = findings.under(clause).ask(
            lambda each=each, typed=typed: _checked_value(each, typed, around, lists),  # type: ignore[misc]
            rule="field_must_be_right",
            about=where + each.name,
            label=each.label,
            in_form=True,
            typed=typed,
        )
        if value:
            checked[each.name] = value
    return checked


def judged_photos(
    findings: Findings,
    rules: Rules,
    slots: Sequence[PhotoSlot],
    photos: Mapping[str, str],
    where: str = "",
    basis: str = "",
) -> None:
    """`where` as in `judged_fields`; `basis`: of whose claims these are photographs."""
    for each in slots:
        if each.required:
            clause = rules.clause(*rules.book.said_of(f"{basis}.{each.slot}".lstrip(".")), source=each.source)
            findings.under(clause).ask(
                lambda each=each: _must_be_there(each, photos),  # type: ignore[misc]
                rule="photograph_must_be_there",
                about=where + each.slot,
                label=each.label,
                in_form=True,
            )


def _must_be_there(slot: PhotoSlot, photos: Mapping[str, str]) -> None:
    if slot.slot not in photos:
        raise Refused("exemption.missing", label=slot.label)


def _checked_value(each: FormField, typed: str, around: Surroundings, lists: Mapping[str, Collection[str]]) -> str:
    if not typed.strip():
        if each.required:
            raise Refused("exemption.missing", label=each.label)
        return ""
    value = read_value(each, typed, laws.today(around.now), lists)
    laws.applicant_must_be_the_account_holder(each, value, around.account)
    return value


def _organisations(book: ExemptionScheme, known: Organisations) -> frozenset[str]:
    asked = book.field_of("organisation")
    return frozenset(each.id for each in known.values() if asked and each.level == asked.level and not each.closed)


def value_of(book: ExemptionScheme, kind: Kind, form: Mapping[str, Any]) -> str | None:
    """What a form says in its field of a kind; None when the book has no such field or it was left empty."""
    return value_in(book.fields, kind, form)


def value_in(fields: Collection[FormField], kind: Kind, form: Mapping[str, Any]) -> str | None:
    found = next((each for each in fields if each.kind == kind), None)
    return str(form[found.name]) if found and form.get(found.name) else None
