"""The vocabulary of forms and photographs, and the checks of one typed value. Pure.

A field's `kind` comes from a closed list; the kinds that mean something to a procedure (an ID number, a certificate's
number) stand at most once in a form, so rules find them by kind, whatever a book calls the field. The typed value of a
field is read in `reading.py`.
"""

import re
from collections.abc import Collection
from string import Formatter
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, StringConstraints, model_validator

from shared.schemes.patterns import is_quick
from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text

LONG_TERM = "长期"
SEPARATORS = ";,/ "

Kind = Literal[
    "text",
    "choice",
    "date",
    "month",
    "number",
    "numbers",
    "landline",
    "name",
    "id_number",
    "ticket_number",
    "mobile",
    "organisation",
    "major",
    "plan_version",
    "candidate_kind",
    "prior_education",
    "certificate",
    "certificate_number",
    "certificate_level",
    "valid_until",
]
"""What a field means. text, choice, date, month (a day of no month), number, numbers (several in one field), landline;
and once in a form: who (name, id_number, ticket_number, mobile), where (organisation: who reviews), what they study
(major, plan_version), which candidates they are (candidate_kind), what proves it (prior_education, certificate ...)."""
_REPEATABLE = {"text", "choice", "date", "month", "number", "numbers", "landline"}
_WITH_LIST = {"choice", "plan_version", "candidate_kind"}
_TYPED = {"text", "certificate_number", "ticket_number"}
_COUNTED = {"number", "numbers"}

Readable = Literal["name", "id_number", "certificate", "certificate_number", "valid_until"]
"""The kinds whose value OCR can look for on a paper."""

AccountFact = Literal["holder", "id_number", "mobile", "ticket_number"]


class FormField(Sourced):
    """One thing that a form asks."""

    name: Id
    label: Text
    kind: Kind
    required: bool = True
    hint: Text | None = None
    example: str | None = Field(None, description="A value that passes; needed beside a pattern.")
    list: Id | None = Field(
        None, description="For choice, plan_version, candidate_kind: the list of the book to choose from."
    )
    code_list: Id | None = Field(None, description="For a choice: the national code list to choose from.")
    deepest: bool = Field(False, description="For a code list in a tree: only an entry that has nothing below it.")
    level: Id | None = Field(None, description="For an organisation: its level.")
    least: int = Field(1, ge=1, le=4000, description="Fewest characters.")
    most: int = Field(60, ge=1, le=4000, description="Most characters.")
    pattern: str | None = Field(None, max_length=200, description="Regular expression for the whole value.")
    same_as_account: AccountFact | None = Field(None, description="Must be what the account was verified with.")
    past: bool = Field(False, description="For a date or month: not in the future.")
    lowest: int | None = Field(None, ge=0, description="For number and numbers: the lowest there is.")
    highest: int | None = Field(None, ge=0, description="For number and numbers: the highest there is.")
    passing: int | None = Field(None, ge=0, description="For number and numbers: each must reach it to count.")
    decimals: int = Field(0, ge=0, le=2, description="For number and numbers: most digits after the point.")
    count: int | None = Field(None, ge=2, le=20, description="For numbers: exactly so many.")
    separator: str | None = Field(None, min_length=1, max_length=1, description="For numbers: between them, e.g. ;")
    suggestions: tuple[Text, ...] = Field((), description="For text: what is offered; anything else may be typed.")

    @property
    def chosen_from(self) -> str:
        """What the closed list of this field is called where lists are looked up."""
        return deepest(self.code_list or "") if self.deepest else self.list or self.code_list or self.kind

    @model_validator(mode="after")
    def _makes_sense(self) -> "FormField":
        if self.least > self.most:
            raise ValueError("least is more than most")
        if (self.kind in _WITH_LIST) != (self.list is not None or self.code_list is not None):
            raise ValueError("a choice, and nothing else, names its list")
        if self.code_list is not None and (self.kind != "choice" or self.list is not None):
            raise ValueError("only a choice, and only one without a list of the book, names a code list")
        if self.deepest and self.code_list is None:
            raise ValueError("deepest is for a code list")
        if (self.kind == "organisation") != (self.level is not None):
            raise ValueError("an organisation, and nothing else, names its level")
        if self.past and self.kind not in {"date", "month"}:
            raise ValueError(f"past is for a date or month, not for {self.kind}")
        if self.model_fields_set & {"least", "most"} and self.kind not in _TYPED:
            raise ValueError(f"least and most are for typed text, not for {self.kind}")
        if self.suggestions and self.kind != "text":
            raise ValueError(f"suggestions are for text, not for {self.kind}")
        _numbers_must_make_sense(self)
        if self.pattern is not None:
            _pattern_must_fit(self)
        return self


def deepest(code_list: str) -> str:
    """What the entries of a code list with nothing below them are called, where lists are looked up."""
    return f"{code_list}/deepest"


def _numbers_must_make_sense(field: FormField) -> None:
    bounds = [each for each in (field.lowest, field.passing, field.highest) if each is not None]
    if field.kind in _COUNTED and (field.lowest is None or field.highest is None):
        raise ValueError("numbers need their lowest and highest")
    if field.kind not in _COUNTED and (bounds or field.decimals):
        raise ValueError(f"lowest, highest, passing and decimals are for numbers, not for {field.kind}")
    if bounds != sorted(bounds):
        raise ValueError("lowest, passing and highest must rise")
    if (field.kind == "numbers") != (field.count is not None and field.separator is not None):
        raise ValueError("numbers, and nothing else, say their count and separator")
    if field.separator is not None and field.separator not in SEPARATORS:
        raise ValueError(f"a separator is one of {SEPARATORS!r}")


def _pattern_must_fit(field: FormField) -> None:
    if field.kind not in _TYPED:
        raise ValueError(f"a pattern is for typed text, not for {field.kind}")
    pattern = field.pattern or ""
    try:
        written = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from None
    if not is_quick(pattern, field.most):  # before anything is tried with it
        raise ValueError(f"a pattern that some text of {field.most} characters would keep us at for very long")
    if field.example is None or not written.fullmatch(field.example):
        raise ValueError("a pattern needs an example that fits it")


def fields_must_have_one_meaning(fields: Collection[FormField]) -> None:
    """Kinds that rules look for stand at most once in a form."""
    for kind in get_args(Kind):
        named = [field.name for field in fields if field.kind == kind]
        if kind not in _REPEATABLE and len(named) > 1:
            raise ValueError(f"two fields of kind {kind}: {', '.join(named)}")


# --- photographs -------------------------------------------------------------------------------------------------

_MOST_PIXELS = 20_000
_BLOCK = 8 * 8  # pixels that JPEG keeps together; of no photograph there is less than a byte for each
_ASPECT_TOLERANCE = 0.01  # as `shared.documents.photo_rules` has it where a book says nothing
Pixels = Annotated[int, Field(ge=1, le=_MOST_PIXELS)]
Share = Annotated[float, Field(ge=0, le=1)]
Colour = Annotated[str, StringConstraints(pattern=r"^([a-z_]+|#[0-9a-f]{6})$")]


class Photo(Clause):
    """What a photograph must be. The words are those of `shared.documents.images.PhotoRules`; not given = not asked."""

    formats: tuple[Literal["JPEG", "PNG"], ...] | None = Field(
        None, min_length=1, description="By content, never by name."
    )
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
    backgrounds: tuple[Colour, ...] | None = Field(None, min_length=1)
    background_tolerance: float | None = Field(None, ge=0, description="CIE76 distance.")
    min_background_share: Share | None = None
    crop_to_document: bool | None = Field(None, description="Find the document in the picture and cut to it.")
    min_document_share: Share | None = Field(None, description="Below this the picture is mostly background.")

    @model_validator(mode="after")
    def _can_be_taken(self) -> "Photo":
        for what, inclusive in (
            ("bytes", self.bytes_inclusive),
            ("width", self.pixels_inclusive),
            ("height", self.pixels_inclusive),
        ):
            low, high = getattr(self, f"min_{what}"), getattr(self, f"max_{what}")
            room = 2 if inclusive is False else 0  # neither bound itself
            if low is not None and high is not None and low + room > high:
                raise ValueError(f"min_{what} is above max_{what}: there is no such photograph")
        if self.max_bytes is not None and self.max_bytes * _BLOCK < (self.min_width or 1) * (self.min_height or 1):
            raise ValueError("max_bytes is too little for min_width and min_height: there is no such photograph")
        if self.aspect is not None:
            _shape_must_fit(self, self.aspect)
        return self

    def asked(self) -> dict[str, Any]:
        """Only what the book says, as keyword arguments of `PhotoRules`."""
        return self.model_dump(exclude_none=True)


def _shape_must_fit(photo: Photo, aspect: tuple[int, int]) -> None:
    """Bounds leave room for the shape, and are as upright, or as broad, as it is."""
    across, down = aspect
    if min(aspect) < 1:
        raise ValueError("aspect: a width and a height")
    narrowest = (photo.min_width or 1) / (photo.max_height or _MOST_PIXELS)
    broadest = (photo.max_width or _MOST_PIXELS) / (photo.min_height or 1)
    spare = _ASPECT_TOLERANCE if photo.aspect_tolerance is None else photo.aspect_tolerance
    shapes = [across / down, down / across] if photo.either_orientation else [across / down]
    if not any(narrowest - spare <= shape <= broadest + spare for shape in shapes):
        raise ValueError(f"aspect: nothing within the bounds is {across}:{down}")
    bounds = ((photo.min_width, photo.min_height), (photo.max_width, photo.max_height))
    sides = [(width, height) for width, height in bounds if width and height]
    if sides and not photo.either_orientation and all((w - h) * (across - down) < 0 for w, h in sides):
        raise ValueError(f"aspect: {across}:{down} lies across its bounds")


class PhotoSlot(Sourced):
    """One photograph that must be handed in."""

    slot: Id
    label: Text
    required: bool = True
    capture_hint: Sentence = Field(description="What to do when taking it.")
    background_hint: Sentence | None = Field(None, description="Said when the picture is mostly background.")
    photo: Photo
    reads: tuple[Readable, ...] = Field((), description="Kinds of field whose value OCR looks for in it, as a hint.")
    file_name: str | None = Field(
        None,
        max_length=200,
        description="How the file is called when it is taken out: text with {number}, {name}, {id_number}, "
        "{ticket_number}, {basis}, {label}.",
    )

    @model_validator(mode="after")
    def _file_name_can_be_filled(self) -> "PhotoSlot":
        if self.file_name is not None and (strange := placeholders(self.file_name) - FILE_FACTS):
            raise ValueError(f"file_name: no such fact: {', '.join(sorted(strange))}")
        return self


FILE_FACTS = frozenset({"number", "name", "id_number", "ticket_number", "basis", "label"})


def placeholders(pattern: str) -> set[str]:
    """The names in braces; ValueError when it is not such a text."""
    parts = list(Formatter().parse(pattern))
    if any(spec or conversion for _, _, spec, conversion in parts):
        raise ValueError("nothing but a name stands between braces")
    return {name for _, name, _, _ in parts if name is not None}
