"""Photographs of an application, and where OCR read on them what was typed (SW-25, SW-27): a hint. Pure shaping.

Called by `photographs.py` for the candidate who has just uploaded one, and by `answers.py` for whoever reads the case.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from services.exemption.api.shapes import Agreement, Difference, PhotoShown
from services.exemption.domain.case import Case
from services.exemption.domain.scheme import ExemptionScheme
from shared.documents.hints import Found, agreement
from shared.events.exemption import PhotographAccepted
from shared.kernel.messages import Fact
from shared.schemes.forms import FormField


def photos_of(case: Case) -> list[tuple[str, str]]:
    """Every photograph of an application: those of the form by slot, those of claims by `<basis>.<slot>`."""
    claimed = [(f"{each['basis']}.{slot}", upload) for each in case.claims for slot, upload in each["photos"].items()]
    return [*case.photos.items(), *claimed]


def photo_shown(book: ExemptionScheme, case: Case, slot: str, fact: Fact[PhotographAccepted]) -> PhotoShown:
    """A photograph with what was measured, and where OCR agrees with what was typed."""
    said = book.slot(slot)
    return PhotoShown(slot=slot, label=said.label if said else slot, upload=fact.subject, **found_in(book, case, fact))


def found_in(book: ExemptionScheme, case: Case, fact: Fact[PhotographAccepted]) -> dict[str, Any]:
    """What was found in a photograph, for `PhotoShown` and `Uploaded`."""
    return {
        "cropped": fact.event.cropped,
        "results": fact.event.results,
        "hints": fact.event.hints,
        "agreement": _agreements(book, case, fact),
    }


def _agreements(book: ExemptionScheme, case: Case, fact: Fact[PhotographAccepted]) -> list[Agreement]:
    asked: dict[str, tuple[FormField, str, str]] = {}
    for where, field, form in _typed(book, case, fact.event.slot, fact.subject):
        asked.setdefault(field.kind, (field, where + field.name, str(form.get(field.name, ""))))
    return [
        _compared(book, *asked[kind], Found(found["value"], found["confidence"]) if found else None)
        for kind, found in fact.event.reading.items()
        if kind in asked
    ]


def _typed(
    book: ExemptionScheme, case: Case, slot: str, upload: str
) -> Iterator[tuple[str, FormField, Mapping[str, Any]]]:
    """Where it stands, the field, and the form that says it: of the claim of this photograph, then of the form."""
    name, _, part = slot.partition(".")
    if part and (basis := book.basis(name)):
        where, form = _claim_of(case, name, part, upload)
        yield from ((where, each, form) for each in basis.shown_on(part))
    yield from (("", each, case.form) for each in book.fields)


def _claim_of(case: Case, basis: str, slot: str, upload: str) -> tuple[str, Mapping[str, Any]]:
    """The claim that a photograph belongs to: the one that names it, else the only one there is on its basis."""
    claims = [(f"claims[{place}].", each) for place, each in enumerate(case.claims) if each["basis"] == basis]
    named = [(where, each) for where, each in claims if each["photos"].get(slot) == upload]
    found = named or claims
    return (found[0][0], found[0][1]["form"]) if len(found) == 1 else ("", {})


def _compared(book: ExemptionScheme, field: FormField, name: str, typed: str, read: Found | None) -> Agreement:
    verdicts = [agreement(each, read) for each in _spellings(book, field, typed)]
    best = next((each for each in verdicts if each.verdict == "agrees"), verdicts[0])
    return Agreement(
        field=name,
        label=field.label,
        verdict=best.verdict if typed else "not_typed",
        read=best.read,
        differences=[Difference(position=each.position, typed=each.typed, read=each.read) for each in best.differences],
    )


def _spellings(book: ExemptionScheme, field: FormField, typed: str) -> list[str]:
    """How a value may stand on the paper: certificates print their names in several ways."""
    certificate = next((each for each in book.certificates if each.id == typed), None)
    if field.kind != "certificate" or certificate is None:
        return [typed]
    return [certificate.name, *certificate.also_printed]
