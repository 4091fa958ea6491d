"""免考课程及依据: the claims of an application: kept as typed in a draft, judged when handed in. Pure.

A claim rests on one basis of the book and names the courses that need not be sat. `hand_in.py` judges it here and asks
`evidence.py` what it proves and `limits.py` how much may be claimed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from services.exemption.domain.bases import MODULE, Basis
from services.exemption.domain.followed import Account, Education
from services.exemption.domain.form import (
    Surroundings,
    judged_fields,
    judged_photos,
    kept_form,
    photographs_must_be_own,
    slots_must_be_known,
    value_in,
)
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.verdict import Findings
from shared.kernel.errors import Refused
from shared.kernel.values import kept_text, parse_text, squeezed

UNCHOSEN = ""
"""The basis of a row that is only begun: a draft keeps it, and it cannot be handed in."""
_BASIS, _COURSE_NAME = "免考依据", "课程名称"
_LONGEST_CODE, _LONGEST_NAME = 40, 100
MOST_IN_A_DRAFT = 40
"""A draft keeps more claims than may be handed in, so that nothing typed is lost; but not without end."""


@dataclass(frozen=True)
class ClaimedCourse:
    """A course, and what is asked of it."""

    code: str
    name: str = ""
    form: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Claim:
    """One claim, as typed or as checked."""

    basis: str
    form: Mapping[str, Any] = field(default_factory=dict)
    photos: Mapping[str, str] = field(default_factory=dict)
    courses: tuple[ClaimedCourse, ...] = ()

    def as_said(self) -> dict[str, Any]:
        """As it stands in events and answers."""
        courses = [{"code": each.code, "name": each.name, "form": dict(each.form)} for each in self.courses]
        return {"basis": self.basis, "form": dict(self.form), "photos": dict(self.photos), "courses": courses}


def claim_of(said: Mapping[str, Any]) -> Claim:
    courses = tuple(ClaimedCourse(each["code"], each["name"], each["form"]) for each in said["courses"])
    return Claim(said["basis"], said["form"], said["photos"], courses)


def kept_claims(book: ExemptionScheme, claims: Sequence[Claim]) -> tuple[Claim, ...]:
    """The claims as a draft may keep them: of bases that there are or not chosen yet, with known fields, plain text."""
    if len(claims) > MOST_IN_A_DRAFT:
        raise Refused("exemption.draft_too_long", most=MOST_IN_A_DRAFT)
    return tuple(_kept(book, each) for each in claims)


def _kept(book: ExemptionScheme, claim: Claim) -> Claim:
    basis = book.basis(claim.basis)
    if basis is None and claim.basis != UNCHOSEN:
        raise Refused("exemption.unknown_basis", basis=claim.basis[:40])
    slots_must_be_known(book.claim_photos(basis) if basis else (), claim.photos)
    bases = [basis] if basis else book.bases
    details = {each.name: each for each_basis in bases for entry in each_basis.details for each in entry.fields}
    courses = tuple(
        ClaimedCourse(
            kept_text(each.code, "code", _LONGEST_CODE),
            kept_text(each.name, "name", _LONGEST_NAME, label=_COURSE_NAME),
            kept_form(details.values(), each.form),
        )
        for each in claim.courses[:MOST_IN_A_DRAFT]
    )
    return Claim(claim.basis, kept_form(basis.asked_fields() if basis else (), claim.form), dict(claim.photos), courses)


@dataclass(frozen=True)
class Judge:
    """What claims are judged by: the rules, what is around, and which major is the candidate's own."""

    findings: Findings
    rules: Rules
    around: Surroundings
    own_major: str | None

    def claims(self, claims: Sequence[Claim]) -> list[Claim]:
        """Each in canonical form, as far as it could be read."""
        return [self._claim(place, each) for place, each in enumerate(claims)]

    def _claim(self, place: int, claim: Claim) -> Claim:
        basis, where = self.rules.book.basis(claim.basis), f"claims[{place}]."
        mine = self.findings.under(self.rules.clause("bases", source=self.rules.book.bases[0].source))
        if claim.basis == UNCHOSEN:
            mine.ask(
                basis_must_be_chosen, rule="basis_must_be_chosen", about=where + "basis", label=_BASIS, in_form=True
            )
            return claim
        if basis is None:
            mine.refuse(
                "exemption.unknown_basis", rule="basis_must_be_known", about=where + "basis", basis=claim.basis[:40]
            )
            return claim
        records = records_for(basis, self.around.account)
        lists = {**self.rules.choices(basis), "prior_education": records.keys()}
        asked = basis.asked_fields()
        form = judged_fields(self.findings, self.rules, asked, claim.form, self.around, lists, where, basis.said_of)
        self._module(basis, form.get(MODULE, ""), where)
        slots = self.rules.book.claim_photos(basis)
        judged_photos(self.findings, self.rules, slots, claim.photos, where, basis.id)
        findings = self._of(basis)
        findings.ask(
            lambda: photographs_must_be_own(claim.photos, self.around, f"{basis.id}."),
            rule="photographs_must_be_own",
            about=where + "photos",
        )
        record = records.get(value_in(basis.fields, "prior_education", form) or "")
        courses = self._courses(basis, claim, where, offered(basis, self.own_major, record))
        return Claim(claim.basis, form, claim.photos, courses)

    def _module(self, basis: Basis, chosen: str, where: str) -> None:
        """SX-E-26: one besides those that must all be there; what an open list does not have is pointed out."""
        if (modules := basis.modules) is None or not chosen:
            return
        clause = self.rules.clause(*basis.said_of(MODULE), source=modules.number.source)
        for law, rule, warns in (
            (lambda: module_must_be_another(chosen, modules.all_of), "module_must_be_another", False),
            (lambda: module_should_be_listed(chosen, (*modules.all_of, *modules.any_of)), "module_is_listed", True),
        ):
            self.findings.under(clause).ask(
                law, rule=rule, about=where + MODULE, label=basis.title, in_form=True, warns=warns
            )

    def _of(self, basis: Basis) -> Findings:
        return self.findings.under(self.rules.clause(f"bases[{basis.id}]", source=basis.source))

    def _courses(
        self, basis: Basis, claim: Claim, where: str, offers: frozenset[str] | None
    ) -> tuple[ClaimedCourse, ...]:
        findings = self.findings.under(self.rules.clause(f"bases[{basis.id}]", "courses", source=basis.courses.source))
        if not claim.courses:
            findings.refuse("exemption.no_courses", rule="claim_must_have_courses", about=where + "courses")
        read = [self._course(basis, each, f"{where}courses[{n}].", offers) for n, each in enumerate(claim.courses)]
        known = tuple(each for each in read if each is not None)
        if basis.courses.choose == "all" and offers and claim.courses:
            findings.ask(
                lambda: all_must_be_chosen({each.code for each in known}, offers),
                rule="all_must_be_chosen",
                about=where + "courses",
                label=basis.title,
                offered=sorted(offers),
            )
        return known

    def _course(
        self, basis: Basis, claimed: ClaimedCourse, where: str, offers: frozenset[str] | None
    ) -> ClaimedCourse | None:
        names = self.rules.book.course_names
        said = ("course_names",) if names else (f"bases[{basis.id}]", "courses")
        source = names.source if names else basis.courses.source
        course = self.findings.under(self.rules.clause(*said, source=source)).ask(
            lambda: named_course(self.rules, claimed),
            rule="course_must_be_named_right",
            about=where + "code",
            label=claimed.name or claimed.code,
            in_form=True,
            code=claimed.code,
            name=claimed.name,
        )
        if course is None:
            return None
        if offers is not None:
            self._of(basis).ask(
                lambda: course_must_be_offered(course[0], offers),
                rule="course_must_be_offered",
                about=where + "code",
                label=course[1],
                in_form=True,
                offered=sorted(offers),
            )
        asked = basis.details_of(course[0])
        lists = self.rules.choices(basis)
        form = judged_fields(
            self.findings,
            self.rules,
            asked,
            claimed.form,
            self.around,
            lists,
            where,
            lambda name: basis.said_of(name, course[0]),
        )
        return ClaimedCourse(course[0], course[1], form)


def records_for(basis: Basis, account: Account | None) -> dict[str, Education]:
    """HB-10: the candidate's records of prior education that a basis takes; only effective ones are offered."""
    asked = basis.diploma
    if asked is None or account is None:
        return {}
    return {
        record: each
        for record, each in account.education.items()
        if each.standing == "effective"
        and each.category in asked.categories
        and (not asked.levels or each.level in asked.levels)
    }


def offered(basis: Basis, own_major: str | None, record: Education | None) -> frozenset[str] | None:
    """Which courses may be claimed; None: any of the catalogue."""
    if basis.courses.any:
        return None
    fitting = (
        offer
        for offer in basis.courses.offers
        if (not offer.majors or own_major in offer.majors)
        and (not offer.prior_majors or (record is not None and record.major in offer.prior_majors))
    )
    return frozenset(code for offer in fitting for code in offer.courses)


def named_course(rules: Rules, claimed: ClaimedCourse) -> tuple[str, str]:
    """SD-32, HB-25: code and official name of what was meant."""
    names = rules.book.course_names
    code = parse_text(claimed.code, "code", _LONGEST_CODE)
    name = parse_text(claimed.name, "name", _LONGEST_NAME, label=_COURSE_NAME)
    if not code:
        raise Refused("exemption.missing", label="课程代码")
    if not name:
        if names and names.typed:
            raise Refused("exemption.missing", label=_COURSE_NAME)
        course = rules.known.courses.course(code)
    else:
        course = rules.known.courses.canonical(code, name, code_wins=bool(names and names.code_wins))
    return course.code, course.name


def basis_must_be_chosen() -> None:
    raise Refused("exemption.missing", label=_BASIS)


def module_must_be_another(chosen: str, all_of: Sequence[str]) -> None:
    if squeezed(chosen) in map(squeezed, all_of):
        raise Refused("exemption.module_is_there_already", module=chosen)


def module_should_be_listed(chosen: str, listed: Sequence[str]) -> None:
    if squeezed(chosen) not in map(squeezed, listed):
        raise Refused("exemption.module_not_listed", module=chosen)


def course_must_be_offered(code: str, offers: frozenset[str]) -> None:
    if code not in offers:
        raise Refused("exemption.course_not_offered", code=code)


def all_must_be_chosen(chosen: set[str], offers: frozenset[str]) -> None:
    if missing := sorted(offers - chosen):
        raise Refused("exemption.all_courses_needed", missing=missing)
