"""Where offices stand: whoever decides by a book is found on the way up from the candidate, and can be that there.

Called by `proving.py`. `levels:` of the head are that way, from the candidate upwards; the jurisdiction's
`organisations.yaml` and the house rules of identity say who stands below whom.
"""

from collections.abc import Iterator

from ops.schemes.identifying import PART, Path, education_of, verification_of
from services.exemption.domain.scheme import ExemptionScheme
from services.identity.domain.scheme import IdentityScheme
from shared.schemes.catalog import HEAD, PLATFORM, Book, Catalog
from shared.schemes.reference import Organisation, Organisations


def given_by_identity(catalog: Catalog) -> IdentityScheme | None:
    """The house rules about roles and levels; a shelf without them has no say."""
    return catalog.get(PLATFORM).part("identity", IdentityScheme) if PLATFORM in catalog.books else None


def faults_of_offices(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Offices are looked for from the candidate's organisation upwards: what is not there is never found."""
    assert book.head is not None  # with `exemption.yaml` there is one, or the book was not readable
    levels = [each.level for each in book.head.levels]
    chosen = rules.field_of("organisation")
    start = chosen.level if chosen else None
    for path, level in _levels_of(rules):
        if level not in levels:
            yield book.fault("exemption", path, f"{level} is none of the levels of {book.files[HEAD]}")
        elif start and start in levels and (law := _out_of_the_way(catalog, book, levels, start, level)):
            yield book.fault("exemption", path, law)
    opening = rules.open_at
    if opening and all(_nobody(catalog, book, role, opening) for role in rules.open_by):
        yield book.fault("exemption", ("open_at",), f"nobody can be {' or '.join(rules.open_by)} at a {opening}")


def _levels_of(rules: ExemptionScheme) -> Iterator[tuple[Path, str]]:
    """Levels at which something is chosen or decided, each with its clause."""
    yield from ((("fields", place, "level"), each.level) for place, each in enumerate(rules.fields) if each.level)
    yield from ((("stages", place, "scope"), each.scope) for place, each in enumerate(rules.stages))
    if rules.uniqueness and rules.uniqueness.unlocking:
        yield ("uniqueness", "unlocking", "scope"), rules.uniqueness.unlocking.scope
    if rules.uniqueness and rules.uniqueness.release:
        yield ("uniqueness", "release", "scope"), rules.uniqueness.release.scope
    offices = {"revocation": rules.revocation, "record_table": rules.record_table, "hand_off": rules.hand_off}
    yield from (((name, "scope"), each.scope) for name, each in offices.items() if each)
    if rules.hand_off:
        yield ("hand_off", "receiver_scope"), rules.hand_off.receiver_scope
    if rules.open_at:
        yield ("open_at",), rules.open_at


def _out_of_the_way(catalog: Catalog, book: Book, levels: list[str], start: str, level: str) -> str | None:
    """Why nobody of `level` is found from an organisation of `start` upwards."""
    if levels.index(level) < levels.index(start):
        return f"{level} stands below {start}, from which offices are looked for upwards"
    given = given_by_identity(catalog)
    if given and level not in _above(given, start):
        return f"identity's book lets no {start} stand below a {level}"
    listed = _listed(catalog, book)
    for each in listed.organisations if listed else ():
        tops = list(_upwards(listed, each))
        if each.level == start and len(tops) > 1 and level not in {top.level for top in tops}:
            return f"{each.id} of organisations.yaml has no {level} above it"
    return None


def _listed(catalog: Catalog, book: Book) -> Organisations | None:
    return catalog.reference.organisations.get(book.ref.split("/")[0])


def _upwards(listed: Organisations | None, below: Organisation) -> Iterator[Organisation]:
    """An organisation and those above it in the list, which has no rings: each level stands above the next."""
    step: Organisation | None = below
    while step is not None and listed is not None:
        yield step
        step = listed.get(step.parent)


def _above(given: IdentityScheme, start: str) -> set[str]:
    """`start` and every level that may stand somewhere above it."""
    found, new = {start}, {start}
    while new:
        parents = {parent for level in new if level in given.levels for parent in given.levels[level].under}
        new = {parent for parent in parents if parent is not None} - found
        found |= new
    return found


# --- offices of identity


def faults_of_identitys_offices(catalog: Catalog, book: Book, _: ExemptionScheme) -> Iterator[str]:
    """Who decides about persons and their diplomas: a role that can be held at a place that there is."""
    assert book.head is not None
    listed = _listed(catalog, book)
    if found := education_of(catalog, book):
        holder, office = found[0], found[1].contradictions
        where: Path = ("prior_education", "contradictions")
        place = listed.get(office.organisation) if listed else None
        if listed and place is None:
            yield holder.fault(PART, (*where, "organisation"), f"not in organisations.yaml: {office.organisation}")
        elif law := _nobody(catalog, book, office.role, place.level if place else None):
            yield holder.fault(PART, (*where, "role"), law)
    if verified := verification_of(catalog, book):
        holder, verification = verified
        if listed and verification.under and listed.get(verification.under) is None:
            law = f"not in organisations.yaml: {verification.under}"
            yield holder.fault(PART, ("verification", "under"), law)
        for name, desk in (("review", verification.review), ("in_person", verification.in_person)):
            if law := _nobody(catalog, book, desk.role, desk.level):
                yield holder.fault(PART, ("verification", name, "role"), law)


def _nobody(catalog: Catalog, book: Book, role: str, level: str | None) -> str | None:
    """Why nobody can hold a role at a level; `None`: at any."""
    assert book.head is not None
    given = given_by_identity(catalog)
    if given:
        known = given.roles.get(role)
        holds = known is not None and (level is None or level in known.levels)
    else:
        holds = any(each.id == role and each.level in (None, level) for each in book.head.roles)
    return None if holds else f"nobody can be {role}" + (f" at a {level}" if level else "")
