"""What must hold of every book before a service starts with it. Called by `commands.py`, and by tests of books.

What one service can say of its own part, its model says (`domain/scheme.py`); what an invented case shows is in
`proofs.py` and `proofs_in_time.py` of `services/exemption/domain`; here is what holds between the parts of a book, and
between books. What an application needs of identity is compared in `identifying.py`, where offices stand in
`placing.py`, what people are told in `telling.py`.
"""

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel

from ops.schemes.identifying import (
    education_of,
    faults_of_diplomas,
    faults_of_personal_centres,
    faults_of_persons,
    faults_of_records,
)
from ops.schemes.placing import faults_of_identitys_offices, faults_of_offices, given_by_identity
from ops.schemes.sealing import broken_seals
from ops.schemes.telling import faults_of_notices
from services.exemption.domain.proofs import faults_of, perfect
from services.exemption.domain.proofs_in_time import faults_in_time
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.strangers import strangers
from services.exemption.handlers import known_of
from services.identity.domain.scheme import IdentityScheme, JurisdictionIdentity
from services.notification.domain.scheme import NotificationScheme, PlatformNotification
from shared.schemes.book import Head
from shared.schemes.catalog import HEAD, PLATFORM, BadBook, Book, Catalog

MODELS: Mapping[str, type[BaseModel]] = {
    HEAD: Head,
    "exemption": ExemptionScheme,
    "identity": JurisdictionIdentity,
    "notification": NotificationScheme,
}
PLATFORM_MODELS: Mapping[str, type[BaseModel]] = {
    "identity": IdentityScheme,
    "notification": PlatformNotification,
}


def models_of(book: Book) -> Mapping[str, type[BaseModel]]:
    """Part -> the model of the service that reads it."""
    return PLATFORM_MODELS if book.ref == PLATFORM else MODELS


def faults(catalog: Catalog) -> list[str]:
    """Everything that is wrong with the books, in sentences; empty when all proofs hold."""
    unreadable = faults_of_parts(catalog)
    found = broken_seals(catalog) + unreadable
    if not catalog.books:
        found.append("there is no book on the shelf, so nothing is proved")
    if not unreadable:  # what cannot be read cannot be walked
        for book in catalog.with_part("exemption"):
            found += faults_of_exemption(catalog, book)
        found += _organisations_out_of_place(catalog)
        found += faults_of_personal_centres(catalog)
    return list(dict.fromkeys(found))  # what two books share is wrong once


def faults_of_exemption(catalog: Catalog, book: Book) -> list[str]:
    """What is wrong with a book's exemption rules as they meet its head, the reference data and an invented case."""
    rules = book.part("exemption", ExemptionScheme)
    return [fault for proof in PROOFS for fault in proof(catalog, book, rules)]


def _what_an_invented_case_shows(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    known = Rules(book.ref, rules, known_of(catalog, book.ref))
    if any(True for _ in strangers(known)):
        return iter(())  # nobody can invent a case of certificates or lists that do not exist
    trial = perfect(known)  # looked for once: of a book with many majors that takes longer than both walks
    return (book.fault("exemption", path, law) for path, law in (*faults_of(known, trial), *faults_in_time(trial)))


def _reference_data_that_is_not_there(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    known = Rules(book.ref, rules, known_of(catalog, book.ref))
    return (book.fault("exemption", path, law) for path, law in strangers(known))


def _notices_too_many_or_too_few(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    prior = education_of(catalog, book)
    return faults_of_notices(book, rules, prior[1] if prior else None)


def faults_of_parts(catalog: Catalog) -> list[str]:
    """What the services that read the books could not read."""
    found: list[str] = []
    for book in catalog.books.values():
        models = models_of(book)
        for part in sorted(set(book.parts()) - {HEAD}):
            if part not in models:
                found.append(book.fault(part, (), f"no service reads {part}.yaml"))
                continue
            try:
                book.part(part, models[part])
            except BadBook as bad:
                found += bad.faults
    return sorted(found)


def _roles_nobody_holds(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Whoever decides by the rules has a role in the book's head, at that level, and identity's book can give it."""
    assert book.head is not None  # with `exemption.yaml` there is one, or the book was not readable
    levels = {role.id: role.level for role in book.head.roles}
    for role, level in sorted(rules.deciding()):
        if role not in levels or levels[role] not in (None, level):
            law = f"{role} decides at a {level}, but {book.files[HEAD]} has no such role"
            yield book.fault("exemption", _where(book, role), law)
    identity = given_by_identity(catalog)
    given = identity.roles if identity else {}
    for role in rules.open_by:
        if role not in levels and role not in given:
            law = f"neither {book.files[HEAD]} nor identity's book has a role {role}"
            yield book.fault("exemption", ("open_by",), law)
    if given:
        for index, each in enumerate(book.head.roles):
            if each.id not in given or (each.level and each.level not in given[each.id].levels):
                law = f"{each.id} is a role that identity's book does not give at a {each.level}"
                yield book.fault(HEAD, ("roles", index), law)


def _tiles_nothing_opens(_: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """What the home page opens by a window has one in these rules."""
    page = book.head.home if book.head else None
    for group, each in enumerate(page.groups if page else ()):
        for place, tile in enumerate(each.tiles):
            if tile.window and rules.purpose(tile.window) is None:
                path = ("home", "groups", group, "tiles", place, "window")
                yield book.fault(HEAD, path, f"{tile.id}: exemption.yaml has no window {tile.window}")


def _where(book: Book, role: str) -> tuple[str | int, ...]:
    """The first stage that a role decides, or the whole file where it decides something else."""
    stages = book.part("exemption", ExemptionScheme).stages
    return next((("stages", index, "role") for index, stage in enumerate(stages) if stage.role == role), ())


def _courses_nobody_knows(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Courses that a book exempts from, but the catalogue does not have; a shelf without a catalogue has no say."""
    known = catalog.reference.courses
    for index, each in enumerate(rules.certificates if known.courses else ()):
        for code in each.courses:
            if known.get(code) is None:
                law = f"{each.id}: no such course: {code}"
                yield book.fault("exemption", ("certificates", index, "courses"), law)


Proof = Callable[[Catalog, Book, ExemptionScheme], Iterator[str]]
PROOFS: tuple[Proof, ...] = (
    _roles_nobody_holds,
    _tiles_nothing_opens,
    faults_of_persons,
    faults_of_diplomas,
    faults_of_records,
    faults_of_offices,
    faults_of_identitys_offices,
    _what_an_invented_case_shows,
    _reference_data_that_is_not_there,
    _courses_nobody_knows,
    _notices_too_many_or_too_few,
)
"""What must hold of every book with exemption rules, beyond what its own model says."""


def _organisations_out_of_place(catalog: Catalog) -> Iterator[str]:
    """Whether identity would take the organisations as they are listed, each below its parent."""
    given = given_by_identity(catalog)
    if given is None:
        return
    for place, listed in sorted(catalog.reference.organisations.items()):
        for each in listed.organisations:
            parent, level = listed.get(each.parent), given.levels.get(each.level)
            if level is None or (parent.level if parent else None) not in level.under:
                below = f"below a {parent.level}" if parent else "below nobody"
                yield f"{place}/organisations.yaml: {each.id}: identity's book knows no {each.level} {below}"
