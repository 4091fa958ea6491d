"""What an authority asks of a photograph, and the report of what it has. Plain data, no pictures.

The schemes' books are read into `PhotoRules`; `images.py` judges by them; pages show `PhotoReport` to the candidate.
"""

import re
from dataclasses import dataclass

Value = int | float | str | tuple[int, ...] | tuple[str, ...] | None
Corners = tuple[tuple[float, float], ...]  # shares of the picture's width and height, clockwise from the top left

MAX_BYTES = 25 * 1024 * 1024  # beyond this, and beyond MAX_PIXELS, a file is not decoded at all, whatever a book says
MAX_PIXELS = 64_000_000

BACKGROUNDS = {"white": "#ffffff", "white_grey": "#e4e6e8", "light_blue": "#a8d0f0", "blue": "#438edb"}
"""Background colours by the names the books use; a book may also give #rrggbb."""

MENDED_BY_CROPPING = frozenset({"photo.wrong_aspect", "photo.too_large", "photo.too_many_bytes"})
"""Rules that a picture keeps once it is cut and made smaller (`cropping.py`)."""


@dataclass(frozen=True)
class PhotoRules:
    """What an authority asks of a photograph. Filled from the book; what is not given is not asked.

    CMYK is refused unless `cmyk_allowed`: phones and scanners never make it, print software does, and without its
    profile the colours (a background, a seal) would be ours, not the document's.
    """

    formats: tuple[str, ...] = ("JPEG", "PNG")
    min_bytes: int | None = None
    max_bytes: int | None = MAX_BYTES
    bytes_inclusive: bool = True
    min_width: int | None = None
    min_height: int | None = None
    max_width: int | None = None
    max_height: int | None = None
    pixels_inclusive: bool = True
    either_orientation: bool = False  # width and height may change places
    aspect: tuple[int, int] | None = None  # width : height
    aspect_tolerance: float = 0.01
    cmyk_allowed: bool = False
    min_sharpness: float | None = None
    glare_hint_share: float | None = 0.02
    backgrounds: tuple[str, ...] = ()
    background_tolerance: float = 20.0  # CIE76 distance: 2 is just visible, 20 another shade of the same colour
    min_background_share: float = 0.8
    crop_to_document: bool = False
    min_document_share: float | None = None

    def __post_init__(self) -> None:
        """A book that asks for what nobody can measure fails when it is read, not when a candidate uploads."""
        if not self.formats or not {"JPEG", "PNG"}.issuperset(self.formats):
            raise ValueError(f"formats are JPEG and PNG, not {self.formats}")
        for name in self.backgrounds:
            if name not in BACKGROUNDS and not re.fullmatch("#[0-9a-fA-F]{6}", name):
                raise ValueError(f"backgrounds are {', '.join(BACKGROUNDS)} or #rrggbb, not {name}")


def cut_to(width: int, height: int, aspect: tuple[int, int]) -> tuple[int, int]:
    """The largest part of this shape that a picture has."""
    across, down = aspect
    if width * down > height * across:
        return max(1, height * across // down), height
    return width, max(1, width * down // across)


@dataclass(frozen=True)
class RuleResult:
    """One rule: what it asks (`limit`) and what the photograph has (`measured`)."""

    code: str
    passed: bool
    measured: Value
    limit: Value


@dataclass(frozen=True)
class PhotoReport:
    """Every rule that could be measured; `hints` never refuse. Sizes are those of the upright original."""

    results: tuple[RuleResult, ...]
    hints: tuple[RuleResult, ...] = ()
    format: str = "unknown"
    bytes: int = 0
    width: int = 0
    height: int = 0
    sharpness: float | None = None
    glare_share: float | None = None
    document_share: float | None = None
    corners: Corners | None = None  # of the proposed crop

    @property
    def accepted(self) -> bool:
        return all(result.passed for result in self.results)

    @property
    def failures(self) -> tuple[RuleResult, ...]:
        return tuple(result for result in self.results if not result.passed)


@dataclass(frozen=True)
class PreparedPhoto:
    """The report and, when every rule passed, the picture to keep: an upright JPEG without metadata."""

    report: PhotoReport
    picture: bytes | None
    cropped: bool = False
