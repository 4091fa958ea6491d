"""What must hold of every book before a service starts with it. Called by `commands.py`, and by tests of books.

What one service can say of its own part, its model says (`domain/scheme.py`); what an invented case shows is in
`services/exemption/domain/proofs.py`; here is what holds between the parts of a book, and between books.
"""

from collections.abc import Callable, Iterator, Mapping

from pydantic import BaseModel

from ops.schemes.sealing import broken_seals
from ops.schemes.telling import faults_of_notices
from services.exemption.domain.proofs import faults_of
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
    return found


def faults_of_exemption(catalog: Catalog, book: Book) -> list[str]:
    """What is wrong with a book's exemption rules as they meet its head, the reference data and an invented case."""
    rules = book.part("exemption", ExemptionScheme)
    return [fault for proof in PROOFS for fault in proof(catalog, book, rules)]


def _what_an_invented_case_shows(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    known = Rules(book.ref, rules, known_of(catalog, book.ref))
    if any(True for _ in strangers(known)):
        return iter(())  # nobody can invent a case of certificates or lists that do not exist
    return (book.fault("exemption", path, law) for path, law in faults_of(known))


def _reference_data_that_is_not_there(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    known = Rules(book.ref, rules, known_of(catalog, book.ref))
    return (book.fault("exemption", path, law) for path, law in strangers(known))


def _notices_too_many_or_too_few(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    identity = _identity(catalog, book)
    return faults_of_notices(book, rules, identity.prior_education if identity else None)


def _identity(catalog: Catalog, book: Book) -> JurisdictionIdentity | None:
    """What identity asks under this book: what the book says, else what its jurisdiction says for all of its books."""
    for each in (book, catalog.books.get(book.ref.split("/")[0])):
        if each is not None and "identity" in each.parts():
            return each.part("identity", JurisdictionIdentity)
    return None


def _asked_of_identity(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """What candidates must have from identity, and identity's rules never give: nobody could ever apply."""
    asked, identity = rules.conditions, _identity(catalog, book)
    if asked.person_verified and not (identity and identity.verification):
        yield book.fault("exemption", ("conditions", "person_verified"), "identity.yaml verifies nobody")
    diplomas: list[tuple[str | int, ...]] = [("bases", place) for place, each in enumerate(rules.bases) if each.diploma]
    for path in [*([("conditions", "prior_education")] if asked.prior_education else []), *diplomas]:
        if not (identity and identity.prior_education):
            yield book.fault("exemption", path, "identity.yaml takes no prior education")


def _offices_out_of_the_way(_: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Offices are looked for from the candidate's organisation upwards: a level of no organisation is never found."""
    assert book.head is not None
    levels = {each.level for each in book.head.levels}
    unlocking = rules.uniqueness.unlocking if rules.uniqueness else None
    offices: list[tuple[tuple[str | int, ...], str]] = [
        (("stages", place, "scope"), each.scope) for place, each in enumerate(rules.stages)
    ]
    offices += [(("uniqueness", "unlocking", "scope"), unlocking.scope)] if unlocking else []
    offices += [(("revocation", "scope"), rules.revocation.scope)] if rules.revocation else []
    for path, level in offices:
        if level not in levels:
            yield book.fault("exemption", path, f"{level} is none of the levels of {book.files[HEAD]}")


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
    given = catalog.get(PLATFORM).part("identity", IdentityScheme).roles if PLATFORM in catalog.books else {}
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
    _asked_of_identity,
    _offices_out_of_the_way,
    _what_an_invented_case_shows,
    _reference_data_that_is_not_there,
    _courses_nobody_knows,
    _notices_too_many_or_too_few,
)
"""What must hold of every book with exemption rules, beyond what its own model says."""


def _organisations_out_of_place(catalog: Catalog) -> Iterator[str]:
    """Whether identity would take the organisations as they are listed, each below its parent."""
    if PLATFORM not in catalog.books:
        return
    levels = catalog.get(PLATFORM).part("identity", IdentityScheme).levels
    for place, listed in sorted(catalog.reference.organisations.items()):
        for each in listed.organisations:
            parent = listed.get(each.parent)
            if each.level not in levels or (parent.level if parent else None) not in levels[each.level].under:
                below = f"below a {parent.level}" if parent else "below nobody"
                yield f"{place}/organisations.yaml: {each.id}: identity's book knows no {each.level} {below}"
