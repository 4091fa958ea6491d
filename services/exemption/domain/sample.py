"""A perfect application under any book, and the invented candidate who makes it. Pure; used by `proofs.py`
and, for the people of stories, by `ops/schemes/casting.py`.

Where a book has claims, a major, a prior diploma and courses are looked for that go together; when there are none, the
book refuses everybody, and says in its own words why.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
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
HOLDER, ID_NUMBER, MOBILE, TICKET = "样本", _ID + id_check_digit(_ID), "13800138000", "800000000001"


@dataclass(frozen=True)
class Sample:
    """One attempt at a perfect application: what is saved, and who saves it."""

    draft: SaveDraft
    account: Account
    photographs: Mapping[str, Photograph]


def samples(rules: Rules, only: Basis | None = None) -> Iterator[Sample]:
    """What could be a perfect application, each with one claim (on `only`) if the book has claims."""
    if not rules.book.bases:
        yield _sample(rules, None, None, _account(rules, None, None))
        return
    for basis in (only,) if only else rules.book.bases:
        for major in _majors(rules):
            for prior in dict.fromkeys([*(each for offer in basis.courses.offers for each in offer.prior_majors), ""]):
                yield _sample(rules, basis, major, _account(rules, basis, prior))


def _majors(rules: Rules) -> list[str | None]:
    known = rules.known.majors
    return [f"{each.level} {each.code}" for each in known.majors if not each.closing] if known else [None]


def _account(rules: Rules, basis: Basis | None, prior_major: str | None) -> Account:
    asked, condition = basis.diploma if basis else None, rules.book.conditions.prior_education
    categories = (asked.categories if asked else ()) or (condition.categories if condition else ()) or ("ordinary",)
    level = asked.levels[0] if asked and asked.levels else "31"
    education = Education("effective", level, categories[0], "D10000001", "样例学院", prior_major or "样例")
    verified = {rules.jurisdiction: "photographs"}
    typed = rules.book.field_of("ticket_number")
    ticket = (typed.example if typed else None) or TICKET  # one as the book has them
    return Account(HOLDER, ID_NUMBER, MOBILE, ticket, verified, {_RECORD: education})


def _sample(rules: Rules, basis: Basis | None, major: str | None, account: Account) -> Sample:
    book = rules.book
    lists: Mapping[str, Any] = rules.choices()
    form = {each.name: value_for(each, lists, account, major) for each in book.fields}
    slots = [*(each.slot for each in book.photos)]
    claims: tuple[dict[str, Any], ...] = ()
    if basis:
        claims = (claim_on(rules, basis, major, account).as_said(),)
        slots += [f"{basis.id}.{each.slot}" for each in book.claim_photos(basis)]
    draft = SaveDraft(
        application=APPLICATION,
        form=form,
        photos={each.slot: each.slot for each in book.photos},
        claims=claims,
        majors=(major,) if book.majors and major else (),
    )
    return Sample(draft, account, {slot: Photograph(CANDIDATE, APPLICATION, slot) for slot in slots})


def claim_on(rules: Rules, basis: Basis, major: str | None, account: Account) -> Claim:
    """A perfect claim on one basis, with as few courses as may be."""
    lists = rules.choices(basis)
    levels = rules.known.levels_of(basis.certificate.type) if basis.certificate else ()
    form = {each.name: value_for(each, lists, account, major) for each in basis.asked_fields()}
    form |= {each.name: levels[-1] for each in basis.fields if each.kind == "certificate_level" and levels}
    if basis.modules:
        form |= {each.name: form[each.name][:-1] + str(n) for n, each in enumerate(basis.modules.numbers(), 1)}
        form |= {MODULE: basis.modules.any_of[0]} if basis.modules.any_of else {}
    photos = {each.slot: f"{basis.id}.{each.slot}" for each in rules.book.claim_photos(basis)}
    courses = [
        ClaimedCourse(code, _name(rules, code), details_of(rules, basis, code, account, major))
        for code in _codes(rules, basis, major, account.education[_RECORD])
    ]
    return Claim(basis.id, form, photos, tuple(courses))


def _codes(rules: Rules, basis: Basis, major: str | None, record: Education) -> list[str]:
    """As few as may be: one, or all where the book wants all."""
    offers = offered(basis, major, record)
    codes = sorted(each.code for each in rules.known.courses.courses) if offers is None else sorted(offers)
    if basis.courses.choose == "all":
        return codes
    covering = {code for plan in rules.book.plans if plan.major == major for code in plan.codes()}
    least = max(1, rules.book.courses.least if rules.book.courses else 1)
    inside = [code for code in codes if code in covering] if rules.book.majors and rules.book.majors.cover else codes
    return inside[:least]


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
            return str(min(lists[each.list or each.code_list or each.kind]))
