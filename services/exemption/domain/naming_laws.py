"""Laws of every exemption book: whatever it names is there, and whatever it says does something. Pure.

Part of the laws of `book_laws.py`, which asks them; a broken one raises ValueError, which names the clause.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from shared.schemes.forms import FormField, Kind, PhotoSlot, placeholders
from shared.schemes.procedure import no_twins

if TYPE_CHECKING:
    from services.exemption.domain.scheme import ExemptionScheme

_OF_THE_CANDIDATE: dict[str, Kind] = {"name": "name", "id_number": "id_number", "ticket_number": "ticket_number"}
_NOT_IN_FORMS: frozenset[Kind] = frozenset({"certificate", "certificate_level", "certificate_number", "valid_until"})
_SHOWN_WITH_CLAIMS = {"claims", "claim"}


def every_field(book: "ExemptionScheme") -> Iterator[FormField]:
    yield from book.fields
    for basis in book.bases:
        yield from basis.asked_fields()
        for details in basis.details:
            yield from details.fields


def kinds_stand_where_they_mean_something(book: "ExemptionScheme") -> None:
    """With claims a certificate is that of a basis; and of a course only what has no meaning of its own is asked."""
    strange = {"prior_education"} | (_NOT_IN_FORMS if book.bases else set())
    if found := [each for each in book.fields if each.kind in strange]:
        raise ValueError(f"fields: {found[0].name}: {found[0].kind} is asked in a basis")
    for basis in book.bases:
        for each in basis.fields:
            if each.kind in {"major", "plan_version", "candidate_kind"}:
                raise ValueError(f"bases: {basis.id}: fields: {each.name}: {each.kind} is asked in the form")
        for each in (field for details in basis.details for field in details.fields):
            if each.kind not in {"text", "choice", "date", "month", "number", "numbers", "landline"}:
                raise ValueError(f"bases: {basis.id}: details: {each.name}: {each.kind} is asked of no course")


def lists_are_chosen_from(book: "ExemptionScheme") -> None:
    """Every list by some field, and no two entries look the same."""
    for name, entries in book.lists.items():
        no_twins([each.id for each in entries], f"lists: {name}")
        no_twins([each.title for each in entries], f"lists: {name}: titles")
    chosen = {each.list for each in every_field(book)}
    if idle := sorted(set(book.lists) - chosen):
        raise ValueError(f"lists: {idle[0]}: no field chooses from it")


def limits_name_entries(book: "ExemptionScheme") -> None:
    """A cap of a kind that nobody is would hold for nobody, and so would one of a version that nobody chooses."""
    kinds, versions = _entries(book, "candidate_kind"), _entries(book, "plan_version")
    for place, cap in enumerate(book.caps):
        for what, named, known in (("kind", cap.candidate_kinds, kinds), ("version", cap.plan_versions, versions)):
            if strange := set(named) - known:
                raise ValueError(f"caps: {place}: nobody can choose the {what} {', '.join(sorted(strange))}")
    planned = {plan.version for plan in book.plans}
    if planned and versions and (odd := sorted(planned ^ versions)):
        what = "a version without a plan" if odd[0] in versions else "plans of a version that nobody can choose"
        raise ValueError(f"plans: {what}: {odd[0]}")


def _entries(book: "ExemptionScheme", kind: Kind) -> set[str]:
    asked = book.field_of(kind)
    return {each.id for each in book.lists.get(asked.list or "", ())} if asked else set()


def validity_of_certificates_is_asked(book: "ExemptionScheme") -> None:
    asked = any(each.kind == "valid_until" for each in every_field(book))
    if asked != (book.certificate_valid is not None):
        raise ValueError("certificate_valid: there where a field is of kind valid_until, and only there")


def files_have_names_of_their_own(book: "ExemptionScheme") -> None:
    """SD-37: what is taken out of many applications tells whose it is, by what the form asks of everybody."""
    for name, slot in book.slots().items():
        if slot.file_name is None:
            continue
        said, where = placeholders(slot.file_name), slot.slot if slot in book.materials else name.replace(".", ": ")
        for fact, kind in _OF_THE_CANDIDATE.items():
            asked = book.field_of(kind)
            if fact in said and (asked is None or not asked.required):
                raise ValueError(f"{where}: file_name: not every form says the {fact}")
        if not said & {"number", *_OF_THE_CANDIDATE}:
            raise ValueError(f"{where}: file_name: the files of all candidates would have one name")
    for together in (book.photos, *(book.claim_photos(basis) for basis in book.bases)):
        named = [_of_one_application(each) for each in together if each.file_name]
        no_twins(named, "file_name")


def _of_one_application(slot: PhotoSlot) -> str:
    return (slot.file_name or "").replace("{label}", slot.label)


def pages_hold_what_is_filled_in(book: "ExemptionScheme") -> None:
    """Where a book has pages, all that is handed in stands on one; and nothing that there is not."""
    pages = book.texts.pages
    there = {
        "fields": True,
        "photos": bool(book.photos),
        "majors": book.majors is not None,
        "claims": bool(book.bases),
        "claim": bool(book.bases),
        "materials": bool(book.materials),
        "receipt": book.receipt is not None,
    }
    for page in pages:
        no_twins(page.holds, f"texts: pages: {page.id}: holds")
        if strange := [each for each in page.holds if not there[each]]:
            raise ValueError(f"texts: pages: {page.id}: this book has no {strange[0]}")
    held = {part for page in pages for part in page.holds if not page.reads_only}
    claims = held & _SHOWN_WITH_CLAIMS
    asked = [part for part in ("fields", "photos", "majors") if there[part]] + (["claims"] if there["claims"] else [])
    if pages and (missing := [each for each in asked if each not in held and not (each == "claims" and claims)]):
        raise ValueError(f"texts: pages: none holds {missing[0]}")
    if pages and book.materials and not ({"materials", "claim"} & held):
        raise ValueError("texts: pages: none holds materials")


def whom_nothing_stops_may_submit_again(book: "ExemptionScheme") -> None:
    """Where no earlier application stands in the way, being refused ends nothing, and the stage says so."""
    stopped = book.uniqueness is not None and book.uniqueness.rule != "last_submission_wins"
    for stage in book.stages:
        if "refuse" in stage.outcomes and not stopped and not stage.may_submit_again:
            raise ValueError(
                f"stages: {stage.name}: whoever is refused may hand in again by the rules of this book, "
                "so it says may_submit_again: true"
            )


NAMING_LAWS: tuple[Callable[["ExemptionScheme"], None], ...] = (
    kinds_stand_where_they_mean_something,
    lists_are_chosen_from,
    limits_name_entries,
    validity_of_certificates_is_asked,
    files_have_names_of_their_own,
    pages_hold_what_is_filled_in,
    whom_nothing_stops_may_submit_again,
)
