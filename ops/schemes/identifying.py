"""What an application needs of identity, compared with what identity's rules give: nobody is asked the impossible.

Called by `proving.py`. What candidates must have is one service's rules, how they come by it another's: neither model
knows the other.
"""

from collections.abc import Iterator

from services.exemption.domain.followed import Account
from services.exemption.domain.sample import HOLDER, ID_NUMBER, MOBILE, NOON, TICKET, value_for
from services.exemption.domain.scheme import ExemptionScheme
from services.identity.domain.education_rules import PriorEducation, checked_form
from services.identity.domain.routes import VerificationRules
from services.identity.domain.scheme import JurisdictionIdentity
from shared.kernel.errors import Refused
from shared.schemes.catalog import Book, Catalog
from shared.schemes.procedure import PRIOR_EDUCATION

Path = tuple[str | int, ...]
PART = "identity"


def education_of(catalog: Catalog, book: Book) -> tuple[Book, PriorEducation] | None:
    """The book whose rules records of prior education go by: this one, else what its jurisdiction says for all."""
    for each in (book, catalog.books.get(_jurisdiction(book))):
        if each and PART in each.parts() and (found := each.part(PART, JurisdictionIdentity).prior_education):
            return each, found
    return None


def verification_of(catalog: Catalog, book: Book) -> tuple[Book, VerificationRules] | None:
    """The book by which people are verified here: once for all books of a jurisdiction, whichever of them says how."""
    own = [each for each in catalog.with_part(PART) if _jurisdiction(each) == _jurisdiction(book)]
    for each in sorted(own, key=lambda each: each.ref != book.ref):
        if found := each.part(PART, JurisdictionIdentity).verification:
            return each, found
    return None


def _jurisdiction(book: Book) -> str:
    return book.ref.split("/")[0]


def faults_of_persons(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Verified, enrolled: conditions that identity's ways of verifying must be able to meet."""
    asked, found = rules.conditions, verification_of(catalog, book)
    if asked.person_verified and found is None:
        yield book.fault("exemption", ("conditions", "person_verified"), "identity.yaml verifies nobody")
    if asked.enrolled and found and not any(route.asks_ticket_number for route in found[1].routes):
        yield book.fault("exemption", ("conditions", "enrolled"), "no route of identity.yaml asks for a ticket number")


def faults_of_diplomas(catalog: Catalog, book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """Prior education: taken at all, in a window of these rules, of the categories and levels that count."""
    needing = list(_needing(rules))
    found = education_of(catalog, book)
    if found is None:
        for path in dict.fromkeys(path[:2] for path, _, _ in needing):
            yield book.fault("exemption", path, "identity.yaml takes no prior education")
        return
    holder, prior = found
    window = prior.window.id
    if needing and rules.purpose(window) is None:
        path = ("prior_education", "window", "id")
        yield holder.fault(PART, path, f"{book.files['exemption']} has no window {window}")
    if window != PRIOR_EDUCATION and rules.purpose(PRIOR_EDUCATION):
        place = next(place for place, each in enumerate(rules.windows) if each.id == PRIOR_EDUCATION)
        yield book.fault("exemption", ("windows", place), f"identity.yaml takes records in {window}, and none in this")
    for path, name, counting in needing:
        known = prior.choices().get(prior.field(name).list or "", frozenset())
        for strange in sorted(set(counting) - known):
            yield book.fault("exemption", path, f"no {name} that identity.yaml asks for: {strange}")


def _needing(rules: ExemptionScheme) -> Iterator[tuple[Path, str, tuple[str, ...]]]:
    """Where prior education is needed: the clause, the field of a record, and which of its entries count there."""
    if condition := rules.conditions.prior_education:
        yield ("conditions", "prior_education"), "category", condition.categories
    for place, basis in enumerate(rules.bases):
        if basis.diploma:
            yield ("bases", place, "diploma", "categories"), "category", basis.diploma.categories
            yield ("bases", place, "diploma", "levels"), "level", basis.diploma.levels


_LIKE_ANYBODYS = {"holder": HOLDER, "school": "样例职业技术学院", "major": "样例专业", "graduated_on": "2017-06-30"}
"""Of a diploma; the rest of the form is as the book has it."""


def faults_of_records(catalog: Catalog, book: Book, _: ExemptionScheme) -> Iterator[str]:
    """A record in which nothing is wrong is taken: else nobody comes as far as an application."""
    if (found := education_of(catalog, book)) is None:
        return
    holder, prior = found
    somebody, lists = Account(HOLDER, ID_NUMBER, MOBILE, TICKET), prior.choices()
    record = {
        each.name: _LIKE_ANYBODYS.get(each.name) or value_for(each, lists, somebody, None) for each in prior.fields
    }
    places = {each.name: place for place, each in enumerate(prior.fields)}
    try:
        checked_form(prior, record, HOLDER, NOON)
    except Refused as refused:
        for wrong in refused.facts["faults"]:
            law = f"a perfect record is refused: {wrong['label']}: {wrong['en']}"
            yield holder.fault(PART, ("prior_education", "fields", places[wrong["field"]]), law)


def faults_of_personal_centres(catalog: Catalog) -> Iterator[str]:
    """What the account is asked besides is chosen from code lists that there are."""
    for book in catalog.with_part(PART):
        centre = book.part(PART, JurisdictionIdentity).personal_centre if book.head else None
        for place, each in enumerate(centre.fields if centre else ()):
            if each.code_list and each.code_list not in catalog.reference.code_lists.lists:
                path = ("personal_centre", "fields", place, "code_list")
                yield book.fault(PART, path, f"no such code list: {each.code_list}")
