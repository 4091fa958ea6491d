"""What a form and its claims say, in words that people read: one way for pages, papers and what goes to others. Pure.

Called by `export.py` and by the API. A draft may hold anything: what is on no list is shown as it was typed.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from services.exemption.domain.bases import Basis
from services.exemption.domain.case import Case
from services.exemption.domain.claims import Claim, claim_of
from services.exemption.domain.followed import EDUCATION_LEVELS, Education
from services.exemption.domain.scheme import Rules
from shared.schemes.forms import FormField

Told = Sequence[tuple[str, str]]
"""Label and value."""

_STANDINGS = {"submitted": "待学信网核验", "taken_back": "已撤回", "effective": "生效", "not_effective": "未生效"}
_OF_A_DIPLOMA = ("毕业院校", "所学专业", "学历层次", "毕业证书编号", "毕业日期", "前置学历状态")


@dataclass(frozen=True)
class CourseTold:
    """A claimed course, and what the claim says of it."""

    code: str
    name: str
    told: Told


@dataclass(frozen=True)
class ClaimTold:
    """One claim: on which basis, what the paper says, which courses."""

    basis: str
    told: Told
    courses: Sequence[CourseTold]


def worded(rules: Rules, field: FormField, value: str, names: Mapping[str, str], basis: Basis | None = None) -> str:
    """One value; `names` are titles of organisations, `basis` is that of the claim that says it."""
    match field.kind:
        case "choice" | "plan_version" | "candidate_kind":
            entries = {each.id: each.title for each in rules.book.lists.get(field.list or "", ())}
            return _placed(rules, field.code_list, value) if field.code_list else entries.get(value, value)
        case "organisation":
            return names.get(value, value)
        case "certificate":
            return next((each.name for each in rules.book.certificates if each.id == value), value)
        case "certificate_level":
            return _level(rules, basis, value)
        case "major":
            return major_worded(rules, value)
        case "month":
            found = re.fullmatch(r"(\d{4})-(\d{2})", value, re.ASCII)
            return f"{found[1]}年{found[2]}月" if found else value
        case _:
            return value


def major_worded(rules: Rules, major: str) -> str:
    """会计学（本科）."""
    listed = rules.known.majors.majors if rules.known.majors else ()
    return next((f"{each.name}（{each.level}）" for each in listed if f"{each.level} {each.code}" == major), major)


def _level(rules: Rules, basis: Basis | None, value: str) -> str:
    known = rules.known.certificates.get(basis.certificate.type) if basis and basis.certificate else None
    levels = {each.id: each.title for each in (known.levels if known else rules.book.levels)}
    return levels.get(value, value)


def _placed(rules: Rules, name: str, code: str) -> str:
    """With everything above it: the province, the city, the district."""
    listed = rules.known.code_lists.get(name)
    said: list[str] = []
    while listed and code in listed.entries:
        said.insert(0, listed.entries[code])
        code = listed.above(code) or ""
    return " ".join(said) or code


def basis_worded(basis: Basis) -> str:
    """As its list shows it: 4、全国计算机应用技术证书(NIT)."""
    return f"{basis.number}、{basis.title}" if basis.number else basis.title


def course_worded(rules: Rules, code: str) -> str:
    """Code and official name."""
    known = rules.known.courses.get(code)
    return f"{code} {known.name}" if known else code


# --- claims


def claims_told(rules: Rules, case: Case, records: Mapping[str, Education]) -> list[ClaimTold]:
    """Every claim; `records` are those of prior education that they may rest on."""
    return [_claim(rules, claim_of(claim), records) for claim in case.claims]


def _claim(rules: Rules, claim: Claim, records: Mapping[str, Education]) -> ClaimTold:
    basis = rules.book.basis(claim.basis)
    if basis is None:  # a row that is only begun
        return ClaimTold("", (), tuple(CourseTold(each.code, each.name, ()) for each in claim.courses))
    told = [pair for each in basis.asked_fields() for pair in _said(rules, each, claim, basis, records)]
    courses = tuple(
        CourseTold(each.code, each.name, _filled(rules, basis.details_of(each.code), each.form, basis))
        for each in claim.courses
    )
    return ClaimTold(basis_worded(basis), told, courses)


def _said(
    rules: Rules, field: FormField, claim: Claim, basis: Basis, records: Mapping[str, Education]
) -> Iterator[tuple[str, str]]:
    value = str(claim.form.get(field.name, ""))
    if field.kind == "prior_education" and value in records:
        yield from diploma_told(rules, records[value])
    elif value:
        yield field.label, worded(rules, field, value, {}, basis)


def _filled(rules: Rules, fields: Sequence[FormField], form: Mapping[str, str], basis: Basis) -> Told:
    said = ((each, str(form.get(each.name, ""))) for each in fields)
    return [(field.label, worded(rules, field, value, {}, basis)) for field, value in said if value]


def diploma_told(rules: Rules, record: Education) -> Told:
    """前置学历: what stands on the diploma, and whether it is in effect."""
    level = _placed(rules, EDUCATION_LEVELS, record.level)
    standing = _STANDINGS[record.standing]
    values = (record.school, record.major, level, record.certificate_number, record.graduated_on, standing)
    return [(label, value) for label, value in zip(_OF_A_DIPLOMA, values, strict=True) if value]


def labels_of_claims(rules: Rules) -> tuple[list[str], list[str]]:
    """Every label that claims under this book can have, and every one of their courses: as columns of a table."""
    asked = [field for basis in rules.book.bases for field in basis.asked_fields()]
    claims = [label for each in asked for label in (_OF_A_DIPLOMA if each.kind == "prior_education" else (each.label,))]
    courses = [field.label for basis in rules.book.bases for entry in basis.details for field in entry.fields]
    return list(dict.fromkeys(claims)), list(dict.fromkeys(courses))
