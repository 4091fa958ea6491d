"""The vocabulary of forms and photographs, and the checks of one typed value. Pure.

A field's `kind` comes from a closed list; the kinds that mean something to a procedure (an ID number, a certificate's
number) stand at most once in a form, so rules find them by kind, whatever a book calls the field.
"""

import re
import unicodedata
from collections.abc import Collection, Mapping
from datetime import date
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from shared.kernel.errors import Refused
from shared.kernel.values import parse_id_number, parse_mobile, parse_name, parse_text
from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text

LONG_TERM = "长期"

Kind = Literal[
    "text",
    "choice",
    "date",
    "name",
    "id_number",
    "mobile",
    "organisation",
    "certificate",
    "certificate_number",
    "certificate_level",
    "valid_until",
]
_REPEATABLE = {"text", "choice", "date"}
_CHOSEN = {"choice", "certificate", "certificate_level", "organisation"}
_TYPED = {"text", "certificate_number"}

AccountFact = Literal["holder", "id_number", "mobile"]


class FormField(Sourced):
    """One thing that a form asks."""

    name: Id
    label: Text
    kind: Kind
    required: bool = True
    hint: Text | None = None
    example: str | None = Field(None, description="A value that passes; needed beside a pattern.")
    list: Id | None = Field(None, description="For a choice: the list of the book to choose from.")
    level: Id | None = Field(None, description="For an organisation: its level.")
    least: int = Field(1, ge=1, le=4000, description="Fewest characters.")
    most: int = Field(60, ge=1, le=4000, description="Most characters.")
    pattern: str | None = Field(None, max_length=200, description="Regular expression for the whole value.")
    same_as_account: AccountFact | None = Field(None, description="Must be what the account was verified with.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "FormField":
        if self.least > self.most:
            raise ValueError("least is more than most")
        if (self.kind == "choice") != (self.list is not None):
            raise ValueError("a choice, and nothing else, names its list")
        if (self.kind == "organisation") != (self.level is not None):
            raise ValueError("an organisation, and nothing else, names its level")
        if self.pattern is not None:
            _pattern_must_fit(self)
        return self


def _pattern_must_fit(field: FormField) -> None:
    if field.kind not in _TYPED:
        raise ValueError(f"a pattern is for typed text, not for {field.kind}")
    try:
        fits = field.example is not None and re.fullmatch(field.pattern or "", field.example)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if not fits:
        raise ValueError("a pattern needs an example that fits it")


def fields_must_have_one_meaning(fields: Collection[FormField]) -> None:
    """Kinds that rules look for stand at most once in a form."""
    for kind in get_args(Kind):
        named = [field.name for field in fields if field.kind == kind]
        if kind not in _REPEATABLE and len(named) > 1:
            raise ValueError(f"two fields of kind {kind}: {', '.join(named)}")


def read_value(field: FormField, typed: str, today: date, lists: Mapping[str, Collection[str]]) -> str:
    """The canonical form of what was typed into one field; Refused when it cannot be that. Not for empty values."""
    match field.kind:
        case "name":
            return parse_name(typed, field.name)
        case "id_number":
            return parse_id_number(typed, today)
        case "mobile":
            return parse_mobile(typed)
        case "date":
            return _read_date(field, typed).isoformat()
        case "valid_until":
            return LONG_TERM if typed.strip() == LONG_TERM else _read_date(field, typed).isoformat()
        case "choice" | "certificate" | "certificate_level" | "organisation":
            if typed not in lists[field.list or field.kind]:
                raise Refused("exemption.not_on_the_list", field=field.name)
            return typed
        case "certificate_number":
            return _fitting(field, certificate_number(parse_text(typed, field.name, field.most, field.least)))
        case "text":
            return _fitting(field, parse_text(typed, field.name, field.most, field.least))


def certificate_number(typed: str) -> str:
    """One spelling for one number: full-width letters, spaces and case do not make another certificate."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", typed)).upper()


def certificate_key(typed: str) -> str:
    """By which numbers are compared: hyphens only group what is printed, and are typed or left out."""
    return certificate_number(typed).replace("-", "")


def _fitting(field: FormField, text: str) -> str:
    if field.pattern and not re.fullmatch(field.pattern, text):
        raise Refused("exemption.does_not_fit_the_pattern", field=field.name, example=field.example or "")
    return text


def _read_date(field: FormField, typed: str) -> date:
    found = re.fullmatch(r"(\d{4})[-./年](\d{1,2})[-./月](\d{1,2})日?", typed.strip(), re.ASCII)
    if found:
        try:
            return date(int(found[1]), int(found[2]), int(found[3]))
        except ValueError:
            raise Refused("exemption.not_a_date", field=field.name) from None
    raise Refused("exemption.not_a_date", field=field.name)


# --- photographs -------------------------------------------------------------------------------------------------

Pixels = Annotated[int, Field(ge=1, le=20_000)]
Share = Annotated[float, Field(ge=0, le=1)]
Colour = Annotated[str, StringConstraints(pattern=r"^([a-z_]+|#[0-9a-f]{6})$")]


class Photo(Clause):
    """What a photograph must be. The words are those of `shared.documents.images.PhotoRules`; not given = not asked."""

    formats: tuple[Literal["JPEG", "PNG"], ...] | None = Field(None, description="By content, never by name.")
    min_bytes: int | None = Field(None, ge=1)
    max_bytes: int | None = Field(None, ge=1, le=25 * 1024 * 1024)
    bytes_inclusive: bool | None = Field(None, description="false: 'less than' instead of 'at most'.")
    min_width: Pixels | None = None
    min_height: Pixels | None = None
    max_width: Pixels | None = None
    max_height: Pixels | None = None
    pixels_inclusive: bool | None = Field(None, description="false: 'more than' instead of 'at least'.")
    either_orientation: bool | None = Field(None, description="Width and height may change places.")
    aspect: tuple[int, int] | None = Field(None, description="Width : height.")
    aspect_tolerance: float | None = Field(None, ge=0, le=1)
    cmyk_allowed: bool | None = None
    min_sharpness: float | None = Field(None, ge=0, description="Variance of the Laplacian at a long side of 1000.")
    glare_hint_share: Share | None = None
    backgrounds: tuple[Colour, ...] | None = None
    background_tolerance: float | None = Field(None, ge=0, description="CIE76 distance.")
    min_background_share: Share | None = None
    crop_to_document: bool | None = Field(None, description="Find the document in the picture and cut to it.")
    min_document_share: Share | None = Field(None, description="Below this the picture is mostly background.")

    def asked(self) -> dict[str, Any]:
        """Only what the book says, as keyword arguments of `PhotoRules`."""
        return self.model_dump(exclude_none=True)


class PhotoSlot(Sourced):
    """One photograph that must be handed in."""

    slot: Id
    label: Text
    required: bool = True
    capture_hint: Sentence = Field(description="What to do when taking it.")
    background_hint: Sentence | None = Field(None, description="Said when the picture is mostly background.")
    photo: Photo
    reads: tuple[Kind, ...] = Field((), description="The kinds of field whose value OCR looks for in it, as a hint.")
