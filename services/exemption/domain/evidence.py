"""证明材料 what an application rests on, one item for each paper: of the form, or of the claims. Pure.

Both kinds of book come to the same items here, so level, validity and double use are one law each. Called by
`hand_in.py`, and by `handlers.py` for the numbers that are looked up before a decision.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from services.exemption.domain.bases import Basis
from services.exemption.domain.claims import Claim, records_for
from services.exemption.domain.followed import Account
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
    ladder: tuple[str, ...] = ()
    valid_until: str | None = None

    def as_said(self) -> dict[str, Any]:
        """By which it is found again, without the book."""
        return {"type": self.type, "number": self.number or ""}


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
        ladder=tuple(each.id for each in book.levels),
        valid_until=value_of(book, "valid_until", form),
    )


def _of_claim(rules: Rules, basis: Basis, claim: Claim, where: str, account: Account | None) -> Iterator[Evidence]:
    fields, asked = basis.asked_fields(), basis.certificate
    record = records_for(basis, account).get(value_in(fields, "prior_education", claim.form) or "")
    numbers = [record.certificate_number] if record else _numbers(fields, claim.form)
    for number in numbers or [None]:
        yield Evidence(
            about=where + "basis",
            basis=basis.id,
            label=basis.title,
            clause=rules.clause(f"bases[{basis.id}]", source=basis.source),
            type=asked.type if asked else "diploma" if basis.diploma else basis.id,
            number=number,
            level=value_in(fields, "certificate_level", claim.form),
            lowest=asked.lowest if asked else None,
            ladder=rules.known.levels_of(asked.type) if asked else (),
            valid_until=value_in(fields, "valid_until", claim.form),
        )


def _numbers(fields: Sequence[FormField], form: Mapping[str, Any]) -> list[str | None]:
    """SX-E-26: a pair of certificates has two."""
    return [form[each.name] for each in fields if each.kind == "certificate_number" and form.get(each.name)]
