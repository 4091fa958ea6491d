"""What a book says of courses, certificates, majors and lists, compared with the reference data that has them. Pure.

Asked by `proofs.py` for `./zikao schemes check`: reference data belongs to no version of a book, so the book's own
model cannot know it. Each fault says where the clause stands.
"""

from collections.abc import Collection, Iterator

from services.exemption.domain.bases import Basis
from services.exemption.domain.scheme import ExemptionScheme, Known, Rules
from shared.schemes.forms import FormField
from shared.schemes.reference import Fault

Path = tuple[str | int, ...]


def strangers(rules: Rules) -> Iterator[Fault]:
    """What the book names and nobody knows; a list that is not on the shelf has no say."""
    known, book = rules.known, rules.book
    majors = {f"{each.level} {each.code}" for each in known.majors.majors} if known.majors else set()
    for where, codes in _courses(book):
        yield from _unknown(where, "course", codes, {each.code for each in known.courses.courses})
    for where, named in _majors(book):
        yield from _unknown(where, "major", named, majors)
    for place, basis in enumerate(book.bases):
        yield from _certificates(("bases", place, "certificate"), basis, known)
    for where, field in _fields(book):
        if field.code_list and field.code_list not in known.code_lists.lists:
            yield (*where, "code_list"), f"no such code list: {field.code_list}"
    if (book.majors or book.field_of("major")) and known.majors is None:
        yield ("majors",), "the jurisdiction has no majors.yaml"


def _unknown(where: Path, what: str, named: Collection[str], known: Collection[str]) -> Iterator[Fault]:
    for each in named if known else ():
        if each not in known:
            yield where, f"no such {what}: {each}"


def _courses(book: ExemptionScheme) -> Iterator[tuple[Path, Collection[str]]]:
    for place, basis in enumerate(book.bases):
        where = ("bases", place)
        yield (*where, "courses"), [code for offer in basis.courses.offers for code in offer.courses]
        yield (*where, "details"), [code for each in basis.details for code in each.courses]
        yield (*where, "expected"), [code for each in basis.expected for code in each.courses]
    for place, plan in enumerate(book.plans):
        yield ("plans", place), sorted(plan.codes())


def _majors(book: ExemptionScheme) -> Iterator[tuple[Path, Collection[str]]]:
    for place, basis in enumerate(book.bases):
        where = ("bases", place)
        yield (*where, "courses"), [major for offer in basis.courses.offers for major in offer.majors]
        yield (*where, "expected"), [each.major for each in basis.expected]
        yield (*where, "hints"), [major for hint in basis.hints for major in hint.majors]
    yield ("plans",), [plan.major for plan in book.plans]


def _certificates(where: Path, basis: Basis, known: Known) -> Iterator[Fault]:
    """The kind of certificate, its level and its modules."""
    if basis.certificate is None or not known.certificates.certificates:
        return
    asked = basis.certificate
    found = known.certificates.get(asked.type)
    if found is None:
        yield where, f"no such certificate: {asked.type}"
        return
    levels = known.levels_of(asked.type)
    if asked.lowest is not None and asked.lowest not in levels:
        yield where, f"{asked.type} has no level {asked.lowest}"
    if not levels and any(field.kind == "certificate_level" for field in basis.fields):
        yield where, f"{asked.type} has no levels to ask for"
    modules = basis.modules
    if modules:
        named = [*modules.all_of, *modules.any_of]
        yield from ((where, f"{asked.type} has no module {each}") for each in named if each not in found.modules)


def _fields(book: ExemptionScheme) -> Iterator[tuple[Path, FormField]]:
    yield from ((("fields", place), each) for place, each in enumerate(book.fields))
    for place, basis in enumerate(book.bases):
        yield from ((("bases", place, "fields", nth), each) for nth, each in enumerate(basis.fields))
        for entry, details in enumerate(basis.details):
            where = ("bases", place, "details", entry, "fields")
            yield from (((*where, nth), each) for nth, each in enumerate(details.fields))
