"""A perfect application under any book, and the invented candidate who makes it. Pure; used by `proofs.py`
and, for the people of stories, by `ops/schemes/casting.py`.

Where a book has claims, a major, a prior diploma and courses are looked for that go together; when there are none, the
book refuses everybody, and says in its own words why.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from itertools import chain, islice, product, repeat
from typing import Any

from services.exemption.domain.bases import MODULE, Basis
from services.exemption.domain.claims import Claim, ClaimedCourse, offered
from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.followed import Account, Education
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import Rules
from shared.kernel.time import SHANGHAI
from shared.kernel.values import id_check_digit
from shared.schemes.forms import LONG_TERM, FormField

NOON = datetime.combine(date(2026, 1, 2), time(12), SHANGHAI)
APPLICATION, CANDIDATE = "sample", "sample-candidate"
_RECORD = "sample-record"
_ID = "110101199003070" + "01"
_LIMITING = frozenset({"plan_version", "candidate_kind"})
HOLDER, ID_NUMBER, MOBILE, TICKET = "样本", _ID + id_check_digit(_ID), "13800138000", "800000000001"


@dataclass(frozen=True)
class Sample:
    """One attempt at a perfect application: what is saved, and who saves it."""

    draft: SaveDraft
    account: Account
    photographs: Mapping[str, Photograph]


@dataclass(frozen=True)
class _Person:
    """An invented candidate: their account, and what of themselves decides what they may claim."""

    account: Account
    majors: tuple[str, ...] = ()  # those applied for, their own first
    kinds: Mapping[str, str] = field(default_factory=dict)  # kind of field -> its entry, where limits differ by it

    @property
    def own_major(self) -> str | None:
        return self.majors[0] if self.majors else None


def samples(rules: Rules, only: Basis | None = None, own_major: str | None = None) -> Iterator[Sample]:
    """What could be a perfect application: with as few claims as may be, the first on `only`; by one of `own_major`."""
    if not rules.book.bases:
        yield _sample(rules, (), _Person(_account(rules, None, None), kinds=next(_kinds(rules))))
        return
    for basis in (only,) if only else rules.book.bases:
        for kinds, majors in product(_kinds(rules), _majors(rules, own_major)):
            for prior in dict.fromkeys([*(each for offer in basis.courses.offers for each in offer.prior_majors), ""]):
                person = _Person(_account(rules, basis, prior), majors, kinds)
                for bases in _together(rules, basis):
                    yield _sample(rules, bases, person)


def _kinds(rules: Rules) -> Iterator[dict[str, str]]:
    """Every kind of candidate, under every version of the plan: caps may leave nothing to some."""
    lists = rules.choices()
    asked = {each.kind: sorted(lists[each.chosen_from]) for each in rules.book.fields if each.kind in _LIMITING}
    return (dict(zip(asked, entries, strict=True)) for entries in product(*asked.values()))


def _majors(rules: Rules, only: str | None) -> Iterator[tuple[str, ...]]:
    """As few as the book wants, else where courses must be of one of them as many as it takes.

    The candidate's own first; one that closes is only for those whose own it is.
    """
    known = rules.known.majors
    if known is None:
        yield ()
        return
    going_on = [f"{each.level} {each.code}" for each in known.majors if not each.closing]
    closing = [f"{each.level} {each.code}" for each in known.majors if each.closing]
    planned = {each.major for each in rules.book.plans}
    wanted = rules.book.majors
    few = max(1, wanted.least) if wanted else 1
    ways = [(few, going_on)]
    if wanted and wanted.cover and wanted.most > few:  # one major may have too few courses, all of them together enough
        ways.append((wanted.most, sorted(going_on, key=lambda each: each not in planned)))
    for number, others in ways:
        for own in (each for each in (*going_on, *closing) if only in {None, each}):
            yield (own, *islice((each for each in others if each != own), number - 1))


def _together(rules: Rules, basis: Basis) -> Iterator[tuple[Basis, ...]]:
    """The bases of one application: this one alone if that is enough, else others besides."""
    yield (basis,)
    if any(limit and limit.least > 1 for limit in (rules.book.claims, rules.book.courses)):
        yield (basis, *(each for each in rules.book.bases if each != basis))


def _account(rules: Rules, basis: Basis | None, prior_major: str | None) -> Account:
    asked, condition = basis.diploma if basis else None, rules.book.conditions.prior_education
    categories = (asked.categories if asked else ()) or (condition.categories if condition else ()) or ("ordinary",)
    level = asked.levels[0] if asked and asked.levels else "31"
    education = Education("effective", level, categories[0], "D10000001", "样例学院", prior_major or "样例")
    verified = {rules.jurisdiction: "photographs"}
    typed = rules.book.field_of("ticket_number")
    ticket = (typed.example if typed else None) or TICKET  # one as the book has them
    return Account(HOLDER, ID_NUMBER, MOBILE, ticket, verified, {_RECORD: education})


def _sample(rules: Rules, bases: Sequence[Basis], person: _Person) -> Sample:
    book, lists = rules.book, rules.choices()
    values = {each.name: value_for(each, lists, person.account, person.own_major) for each in book.fields}
    form = values | {each.name: person.kinds[each.kind] for each in book.fields if each.kind in person.kinds}
    claims = _claims(rules, bases, person) if bases else []
    uploads = {each.slot: each.slot for each in book.photos}
    for claim in claims:
        uploads |= {upload: f"{claim.basis}.{slot}" for slot, upload in claim.photos.items()}
    draft = SaveDraft(
        application=APPLICATION,
        form=form,
        photos={each.slot: each.slot for each in book.photos},
        claims=tuple(claim.as_said() for claim in claims),
        majors=person.majors if book.majors else (),
    )
    return Sample(draft, person.account, {each: Photograph(CANDIDATE, APPLICATION, of) for each, of in uploads.items()})


def _claims(rules: Rules, bases: Sequence[Basis], person: _Person) -> list[Claim]:
    """As few claims, and courses in them, as may be; none of a course that another has."""
    limit, courses = rules.book.claims, rules.book.courses
    assert limit is not None  # it comes with bases
    least, wanted = max(1, limit.least), max(1, courses.least if courses else 1)
    claims: list[Claim] = []
    taken: set[str] = set()
    for basis in chain.from_iterable(repeat(bases, limit.most)):
        if len(claims) == limit.most or (len(claims) >= least and len(taken) >= wanted):
            break
        share = max(1, wanted - len(taken) - max(0, least - len(claims) - 1))
        codes = _codes(rules, basis, person, share, taken)
        if codes or not claims:  # the first one is asked about, whatever is left to it
            claims.append(_claim(rules, basis, person.own_major, person.account, codes, len(claims)))
            taken |= set(codes)
    return claims


def claim_on(rules: Rules, basis: Basis, major: str | None, account: Account) -> Claim:
    """A perfect claim on one basis, with as few courses as may be."""
    person = _Person(account, (major,) if major else ())
    courses = rules.book.courses
    codes = _codes(rules, basis, person, max(1, courses.least if courses else 1), ())
    return _claim(rules, basis, major, account, codes)


def _claim(
    rules: Rules, basis: Basis, major: str | None, account: Account, codes: Sequence[str], place: int = 0
) -> Claim:
    """`place`: before it stand so many others; each has papers and photographs of its own."""
    lists = rules.choices(basis)
    levels = rules.known.levels_of(basis.certificate.type) if basis.certificate else ()
    asked = basis.asked_fields()
    form = {each.name: value_for(each, lists, account, major) for each in asked}
    form |= {each.name: levels[-1] for each in basis.fields if each.kind == "certificate_level" and levels}
    form |= {each.name: _another(form[each.name], place) for each in asked if each.kind == "certificate_number"}
    if basis.modules:
        numbers = basis.modules.numbers()
        form |= {
            each.name: _another(form[each.name], place * len(numbers) + nth) for nth, each in enumerate(numbers, 1)
        }
        form |= {MODULE: basis.modules.any_of[0]} if basis.modules.any_of else {}
    again = f".{place}" if place else ""
    photos = {each.slot: f"{basis.id}.{each.slot}{again}" for each in rules.book.claim_photos(basis)}
    courses = [
        ClaimedCourse(code, _name(rules, code), details_of(rules, basis, code, account, major)) for code in codes
    ]
    return Claim(basis.id, form, photos, tuple(courses))


def _another(number: str, nth: int) -> str:
    """A number that fits as this one does; the same with 0."""
    return f"{number[: -len(str(nth))]}{nth}" if nth else number


def _codes(rules: Rules, basis: Basis, person: _Person, most: int, taken: Collection[str]) -> list[str]:
    """So many, or all where the basis wants all; none where others have some of those."""
    offers = offered(basis, person.own_major, person.account.education[_RECORD])
    codes = sorted(each.code for each in rules.known.courses.courses) if offers is None else sorted(offers)
    if basis.courses.choose == "all":
        return [] if set(codes) & set(taken) else codes
    version = person.kinds.get("plan_version")
    plans = [each for each in rules.book.plans if each.major in person.majors and version in (None, each.version)]
    if rules.book.majors and rules.book.majors.cover:
        covering = {code for plan in plans for code in plan.codes()}
        codes = [code for code in codes if code in covering]
    professional = {code for plan in plans for code in plan.professional()}  # the more the sooner a cap is reached
    free = [code for code in codes if code not in taken]
    return sorted(free, key=lambda code: code in professional)[:most]


def _name(rules: Rules, code: str) -> str:
    course = rules.known.courses.get(code)
    return course.name if course else ""


def details_of(rules: Rules, basis: Basis, code: str, account: Account, major: str | None) -> dict[str, str]:
    """What is asked of one course, filled in."""
    lists = rules.choices(basis)
    return {each.name: value_for(each, lists, account, major) for each in basis.details_of(code)}


def value_for(  # noqa: C901 - one case for each kind
    each: FormField, lists: Mapping[str, Any], account: Account, major: str | None
) -> str:
    """What passes in one field."""
    match each.kind:
        case "name":
            return account.holder
        case "id_number":
            return account.id_number
        case "mobile":
            return account.mobile
        case "ticket_number":
            return account.ticket_number
        case "date":
            return NOON.date().isoformat()
        case "month":
            return each.example or f"{NOON:%Y-%m}"
        case "valid_until":
            return LONG_TERM
        case "landline":
            return "010-12345678"
        case "number":
            return str(each.highest)
        case "numbers":
            return (each.separator or "").join([str(each.highest)] * (each.count or 0))
        case "organisation":
            return each.level or ""
        case "major":
            return major or ""
        case "prior_education":
            return _RECORD
        case "text" | "certificate_number":
            return each.example or "8" * each.least
        case _:
            return str(min(lists[each.chosen_from]))
