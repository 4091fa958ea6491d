"""What was typed into one field, in canonical form: checked by the field's kind. Pure.

Called where a form is handed in, and of the examples of books; the vocabulary of fields is `forms.py`. What a person
typed is never guessed at: a full-width separator, a date that does not exist, a score out of bounds is refused with an
example.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from datetime import date
from decimal import Decimal

from shared.kernel.errors import Refused
from shared.kernel.values import half_width, parse_id_number, parse_mobile, parse_name, parse_text, squeezed
from shared.schemes.forms import LONG_TERM, FormField

_EARLIEST = date(1950, 1, 1)
"""No paper of anybody who applies is older: an earlier year is a slip."""

_ANY_DAY = date(2026, 1, 1)
"""An example that has passed by then has passed for good."""

_TYPED = frozenset(
    {
        *("name", "id_number", "ticket_number", "mobile", "landline", "certificate_number"),
        *("text", "date", "month", "number", "numbers", "valid_until"),
    }
)
"""Kinds that are typed; what is chosen is a matter of its list."""


def read_value(  # noqa: C901 - one case for each kind
    field: FormField, typed: str, today: date, lists: Mapping[str, Collection[str]]
) -> str:
    """The canonical form of what was typed into one field; Refused when it cannot be that. Not for empty values."""
    match field.kind:
        case "name":
            return parse_name(typed, field.name, label=field.label)
        case "id_number":
            return parse_id_number(typed, today)
        case "mobile":
            return parse_mobile(typed)
        case "landline":
            return _read_landline(field, typed)
        case "date":
            return _thinkable(field, _read_date(field, typed), today).isoformat()
        case "month":
            return _read_month(field, typed, today)
        case "valid_until":
            return LONG_TERM if typed.strip() == LONG_TERM else _read_date(field, typed).isoformat()
        case "number":
            return str(_read_number(field, typed.strip()))
        case "numbers":
            return _read_numbers(field, typed)
        case "certificate_number" | "ticket_number":
            return _fitting(field, certificate_number(_text(field, typed)))
        case "text":
            return _fitting(field, _text(field, typed))
        case _:
            if typed not in lists[field.chosen_from]:
                raise Refused("exemption.not_on_the_list", field=field.name)
            return typed


def examples_must_pass(fields: Iterable[FormField]) -> None:
    """A law of every form: who typed something else is shown the example, and types that."""
    for field in fields:
        if field.example is None or field.kind not in _TYPED:
            continue
        try:
            read_value(field, field.example, _ANY_DAY, {})
        except Refused as refused:
            raise ValueError(f"fields: {field.name}: its example is refused: {refused.code}") from None


def certificate_number(typed: str) -> str:
    """One spelling for one number: full-width letters, spaces and case do not make another certificate."""
    return re.sub(r"\s", "", half_width(typed)).upper()


def certificate_key(typed: str) -> str:
    """By which numbers are compared: hyphens and brackets only group what is printed, and are typed or left out."""
    return squeezed(typed)


def _text(field: FormField, typed: str) -> str:
    return parse_text(typed, field.name, field.most, field.least, label=field.label)


def _fitting(field: FormField, text: str) -> str:
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise Refused("exemption.does_not_fit_the_pattern", field=field.name, example=field.example or "")
    return text


def _read_landline(field: FormField, typed: str) -> str:
    """区号-号码, as notices print it."""
    digits = re.sub(r"\s", "", half_width(typed))
    if not re.fullmatch(r"0[0-9]{2,3}-?[0-9]{7,8}", digits, re.ASCII):
        raise Refused("exemption.does_not_fit_the_pattern", field=field.name, example=field.example or "010-12345678")
    area = 3 if digits[1] in "12" else 4
    return digits if "-" in digits else f"{digits[:area]}-{digits[area:]}"


def _read_date(field: FormField, typed: str) -> date:
    found = re.fullmatch(r"(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?", typed.strip(), re.ASCII)
    if found:
        try:
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            raise Refused("exemption.not_a_date", field=field.name) from None
    raise Refused("exemption.not_a_date", field=field.name)


def _thinkable(field: FormField, read: date, today: date) -> date:
    if read < _EARLIEST:
        raise Refused("exemption.too_long_ago", field=field.name, earliest=_EARLIEST.year)
    if field.past and read > today:
        raise Refused("exemption.in_the_future", field=field.name, today=today.isoformat())
    return read


def _read_month(field: FormField, typed: str, today: date) -> str:
    """2019年03月, 2019-03: a month has no day."""
    found = re.fullmatch(r"(\d{4})[-./年](\d{1,2})月?", typed.strip(), re.ASCII)
    try:
        first = date(int(found[1]), int(found[2]), 1) if found else None
    except ValueError:
        first = None
    if first is None:
        raise Refused("exemption.not_a_month", field=field.name)
    return _thinkable(field, first, today).isoformat()[:7]


def _read_number(field: FormField, typed: str) -> Decimal:
    """Plain ASCII digits without a nought before them, within what there is, and enough to count."""
    places = rf"(\.[0-9]{{1,{field.decimals}}})?" if field.decimals else ""
    if not re.fullmatch(rf"(0|[1-9][0-9]{{0,8}}){places}", typed, re.ASCII):
        raise Refused("exemption.not_a_number", field=field.name, example=field.example or str(field.highest))
    number = Decimal(typed)
    number = number.quantize(Decimal(1)) if number == number.to_integral_value() else number.normalize()
    if not (field.lowest or 0) <= number <= (field.highest or 0):
        raise Refused("exemption.number_out_of_bounds", field=field.name, lowest=field.lowest, highest=field.highest)
    if field.passing is not None and number < field.passing:
        raise Refused("exemption.number_not_passing", field=field.name, passing=field.passing)
    return number


def _read_numbers(field: FormField, typed: str) -> str:
    """HB-18: exactly so many, with the separator between them and nothing else: 60;65;70."""
    separator = field.separator or ""
    parts = typed.strip().split(separator)
    example = field.example or separator.join([str(field.passing or field.highest)] * (field.count or 0))
    if len(parts) != field.count or not all(re.fullmatch(r"[0-9]+(\.[0-9]+)?", part, re.ASCII) for part in parts):
        raise Refused("exemption.not_so_many_numbers", field=field.name, count=field.count, example=example)
    return separator.join(str(_read_number(field, part)) for part in parts)
