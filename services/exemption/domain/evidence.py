"""证明材料 what an application rests on, one item for each paper: of the form, or of the claims. Pure.

Both kinds of book come to the same items here, so level, validity and double use are one law each. Called by
`hand_in.py`, and by `handlers.py` for the numbers that are looked up before a decision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from services.exemption.domain.bases import Basis
from services.exemption.domain.claims import Claim, records_for
from services.exemption.domain.followed import Account, Education
from services.exemption.domain.form import value_in, value_of
from services.exemption.domain.scheme import Rules
from shared.schemes.forms import FormField
from shared.schemes.reading import certificate_key

OF_THE_FORM = "certificate"
"""The type of a certificate that the form itself asks for."""


@dataclass(frozen=True)
class Evidence:
    """One paper: what it is and what is written on it; None where the book does not ask."""

    about: str
    basis: str
    label: str
    clause: str
    type: str = ""
    number: str | None = None
    level: str | None = None
    lowest: str | None = None
    ladder: Mapping[str, str] = field(default_factory=dict)  # level -> title, the lowest first
    valid_until: str | None = None
    record: tuple[str, Education] | None = None  # of prior education, by its id

    def as_said(self) -> dict[str, Any]:
        """By which it is found again, without the book; and what identity knew of a diploma then."""
        said = {"type": self.type, "number": self.number or ""}
        return {**said, "record": self.record[0], **asdict(self.record[1])} if self.record else said


def diplomas(papers: Sequence[Mapping[str, Any]]) -> dict[str, Education]:
    """The records of prior education among papers that were handed in, as they were then."""
    names = [each.name for each in fields(Education)]
    found = [each for each in papers if "record" in each]
    return {each["record"]: Education(**{name: each[name] for name in names}) for each in found}


def paper_key(type_: str, number: str) -> str:
    """By which one paper is found again in other applications."""
    key = certificate_key(number)
    return key if type_ == OF_THE_FORM else f"{type_}/{key}"


def evidence_of(
    rules: Rules, form: Mapping[str, Any], claims: Sequence[Claim], account: Account | None
) -> tuple[Evidence, ...]:
    """Every paper, as far as the form and the claims say what it is."""
    found = [_of_form(rules, form)] if rules.book.certificates else []
    for place, claim in enumerate(claims):
        basis = rules.book.basis(claim.basis)
        if basis is not None:
            found += _of_claim(rules, basis, claim, f"claims[{place}].", account)
    return tuple(each for each in found if each is not None)


def _of_form(rules: Rules, form: Mapping[str, Any]) -> Evidence | None:
    book = rules.book
    chosen = value_of(book, "certificate", form)
    certificate = next((each for each in book.certificates if each.id == chosen), None)
    if certificate is None:
        return None
    return Evidence(
        about="certificate",
        basis=certificate.id,
        label=certificate.name,
        clause=rules.clause(f"certificates[{certificate.id}]", source=certificate.source),
        type=OF_THE_FORM,
        number=value_of(book, "certificate_number", form),
        level=value_of(book, "certificate_level", form),
        lowest=certificate.lowest_level,
        ladder={each.id: each.title for each in book.levels},
        valid_until=value_of(book, "valid_until", form),
    )


def _of_claim(rules: Rules, basis: Basis, claim: Claim, where: str, account: Account | None) -> Iterator[Evidence]:
    asked, said = basis.asked_fields(), basis.certificate
    chosen = value_in(asked, "prior_education", claim.form) or ""
    record = records_for(basis, account).get(chosen)
    numbers = [record.certificate_number] if record else _numbers(asked, claim.form)
    for number in numbers or [None]:
        yield Evidence(
            about=where + "basis",
            basis=basis.id,
            label=basis.title,
            clause=rules.clause(f"bases[{basis.id}]", source=basis.source),
            type=said.type if said else "diploma" if basis.diploma else basis.id,
            number=number,
            level=value_in(asked, "certificate_level", claim.form),
            lowest=said.lowest if said else None,
            ladder=rules.known.ladder_of(said.type) if said else {},
            valid_until=value_in(asked, "valid_until", claim.form),
            record=(chosen, record) if record else None,
        )


def _numbers(fields: Sequence[FormField], form: Mapping[str, Any]) -> list[str | None]:
    """SX-E-26: a pair of certificates has two."""
    return [form[each.name] for each in fields if each.kind == "certificate_number" and form.get(each.name)]
