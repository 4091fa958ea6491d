"""Checks of an uploaded photograph and the picture that is kept of it (SW-06, SW-09, SW-10, SW-46, F-05, F-23).

Called by the upload routes of exemption, identity and graduation, in a worker of `pool.py`. Pure CPU: bytes in, frozen
result out. The content decides what a file is, never its name; every rule is reported with what was measured, not only
the first that failed; what is kept is always drawn anew, so nothing but the picture survives (no EXIF, place, ICC
profile, thumbnail or trailing bytes). The caller keeps the original for the reviewers.

Work is bounded by size and pixels here, and by time in the pool: a small progressive JPEG of very many scans is cheap
to send and slow to decode.
"""

import io
import struct
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import cv2
import numpy as np
from PIL import Image

from shared.documents.outline import Outline, Pixels, find_outline, straighten
from shared.documents.photo_rules import (
    BACKGROUNDS,
    MAX_BYTES,
    MAX_PIXELS,
    PhotoReport,
    PhotoRules,
    PreparedPhoto,
    RuleResult,
    Value,
)

LONG_SIDE = 2400  # of the kept picture: readable at twice the width of a screen, and OCR and storage stay small
_DECODED_LONG_SIDE = 2000  # JPEG is decoded at 1/2, 1/4, 1/8 while the long side stays above this: a third of the time
_MEASURED_LONG_SIDE = 1000  # sharpness at one size, so that a large blurred picture does not pass for a sharp one
_QUALITY = 88

Image.MAX_IMAGE_PIXELS = MAX_PIXELS  # Pillow's own guard, before anything is decoded

_DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    EOFError,
    ArithmeticError,
    struct.error,
    zlib.error,
)
"""What Pillow raises on files that are not what they say; there is no common ancestor."""

_MIRRORED = frozenset({2, 4, 5, 7})  # EXIF orientations: mirrored first,
_TURNS = {  # then turned
    3: cv2.ROTATE_180,
    4: cv2.ROTATE_180,
    5: cv2.ROTATE_90_COUNTERCLOCKWISE,
    6: cv2.ROTATE_90_CLOCKWISE,
    7: cv2.ROTATE_90_CLOCKWISE,
    8: cv2.ROTATE_90_COUNTERCLOCKWISE,
}

_STRANGERS = {b"GIF8": "GIF", b"%PDF": "PDF", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF", b"PK": "ZIP"}


@dataclass
class _Seen:
    """What is learned of one file on the way, rule by rule."""

    rules: PhotoRules
    results: list[RuleResult] = field(default_factory=list)

    def judge(self, code: str, passed: bool, measured: Value, limit: Value) -> bool:
        self.results.append(RuleResult(f"photo.{code}", passed, measured, limit))
        return passed


def ready() -> None:
    """What a worker does before its first job: one OpenCV thread, as the pool gives each picture a process."""
    cv2.setNumThreads(1)


def inspect(data: bytes, rules: PhotoRules) -> PhotoReport:
    """Which rules the photograph keeps and which it breaks, each with the measured value."""
    return _examine(data, rules)[0]


def prepare(data: bytes, rules: PhotoRules) -> PreparedPhoto:
    """The report and the picture to keep: upright, cropped to the document where it was found, drawn anew."""
    report, page = _examine(data, rules)
    if page is None or not report.accepted:
        return PreparedPhoto(report, None)
    held = io.BytesIO()
    Image.fromarray(_limited(page, LONG_SIDE)).save(held, "JPEG", quality=_QUALITY)
    return PreparedPhoto(report, held.getvalue(), cropped=report.corners is not None)


def upright(data: bytes) -> Pixels | None:
    """The picture itself, as it is meant to be seen; None where it cannot be read."""
    return _examine(data, PhotoRules(cmyk_allowed=True))[1]


def _examine(data: bytes, rules: PhotoRules) -> tuple[PhotoReport, Pixels | None]:
    seen = _Seen(rules)
    _judge_bytes(seen, len(data))
    kind = _stranger(data)
    if not data or len(data) > MAX_BYTES:
        return PhotoReport(tuple(seen.results), format=kind, bytes=len(data)), None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow grumbles about odd metadata, which is dropped anyway
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
                return _examine_open(seen, image, len(data))
    except (Image.DecompressionBombWarning, Image.DecompressionBombError) as bomb:
        pixels = next((int(word) for word in str(bomb).replace("(", "").split() if word.isdigit()), None)
        seen.judge("too_many_pixels", False, pixels, MAX_PIXELS)
    except _DAMAGED:
        # A file that begins like a picture and is none is damaged; anything else is of another kind.
        if kind in ("JPEG", "PNG"):
            seen.judge("unreadable", False, kind, None)
        else:
            seen.judge("wrong_format", False, kind, rules.formats)
    return PhotoReport(tuple(seen.results), format=kind, bytes=len(data)), None


def _examine_open(seen: _Seen, image: Image.Image, size: int) -> tuple[PhotoReport, Pixels | None]:
    rules = seen.rules
    # MPO is a JPEG with more pictures behind it: portrait modes of phones write it. The first picture counts.
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    seen.judge("wrong_format", kind in rules.formats, kind, rules.formats)
    seen.judge("wrong_colours", image.mode != "CMYK" or rules.cmyk_allowed, image.mode, "RGB")
    width, height = _upright_size(image)
    _judge_pixels(seen, width, height)
    try:
        picture = _decoded(image)
    except _DAMAGED:
        seen.judge("unreadable", False, kind, None)
        return PhotoReport(tuple(seen.results), format=kind, bytes=size, width=width, height=height), None
    outline = find_outline(picture) if rules.crop_to_document or rules.min_document_share is not None else None
    corners = outline.corners if outline and rules.crop_to_document else None
    page = straighten(picture, corners) if corners else picture
    small = _limited(page, _MEASURED_LONG_SIDE)
    sharpness, glare = _sharpness(small), _glare_share(small)
    _judge_content(seen, picture, outline, sharpness)
    report = PhotoReport(
        tuple(seen.results),
        tuple(_hints(rules, glare)),
        format=kind,
        bytes=size,
        width=width,
        height=height,
        sharpness=sharpness,
        glare_share=glare,
        document_share=round(outline.share, 3) if outline else None,
        corners=corners,
    )
    return report, page


# --- reading the file -------------------------------------------------


def _stranger(data: bytes) -> str:
    """What the first bytes promise, to tell a candidate more than "wrong format". Never decides that a file is good."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data[4:8] == b"ftyp":
        return "HEIC" if data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc") else "video"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[:512].lstrip().lower().startswith((b"<!doctype", b"<html", b"<svg", b"<?xml")):
        return "HTML"
    return next((name for head, name in _STRANGERS.items() if data.startswith(head)), "unknown")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    return image.size[::-1] if _orientation(image) >= 5 else image.size


def _orientation(image: Image.Image) -> int:
    try:
        found = image.getexif().get(0x0112, 1)
    except _DAMAGED:
        return 1  # a broken EXIF block must not cost the candidate a good photograph: it is taken as it lies
    return found if isinstance(found, int) and 1 <= found <= 8 else 1


def _decoded(image: Image.Image) -> Pixels:
    """Fully read (a cut-off file shows itself only then), upright, RGB."""
    long = max(image.size)
    orientation = _orientation(image)
    image.draft("RGB", (image.width * _DECODED_LONG_SIDE // long, image.height * _DECODED_LONG_SIDE // long))
    image.load()
    pixels = np.asarray(_rgb(image))
    # What ImageOps.exif_transpose does, five times faster, and no odd tag can stop it.
    if orientation in _MIRRORED:
        pixels = np.asarray(cv2.flip(pixels, 1), dtype=np.uint8)
    turn = _TURNS.get(orientation)
    return pixels if turn is None else np.asarray(cv2.rotate(pixels, turn), dtype=np.uint8)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode == "RGB" and not image.has_transparency_data:
        return image
    if image.mode.startswith("I"):  # 16-bit grey: convert() would clip instead of scale
        grey = np.asarray(image).astype(np.int64)
        return Image.fromarray((grey >> 8).clip(0, 255).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, "white")
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


# --- the rules --------------------------------------------------------


def _judge_bytes(seen: _Seen, size: int) -> None:
    rules, edge = seen.rules, 0 if seen.rules.bytes_inclusive else 1
    if not seen.judge("empty", size > 0, size, 1):
        return
    if rules.min_bytes is not None:
        seen.judge("too_few_bytes", size >= rules.min_bytes + edge, size, rules.min_bytes)
    most = MAX_BYTES if rules.max_bytes is None else min(rules.max_bytes, MAX_BYTES)
    seen.judge("too_many_bytes", size <= most - edge, size, most)


def _judge_pixels(seen: _Seen, width: int, height: int) -> None:
    rules, edge = seen.rules, 0 if seen.rules.pixels_inclusive else 1
    least = (rules.min_width or 0, rules.min_height or 0)
    most = (rules.max_width or MAX_PIXELS, rules.max_height or MAX_PIXELS)
    ways = [(width, height), (height, width)] if rules.either_orientation else [(width, height)]
    if any(least):
        # A bound that was not given asks nothing, so the exclusive edge is not added to it.
        wanted = tuple(side + edge if side else 0 for side in least)
        enough = any(w >= wanted[0] and h >= wanted[1] for w, h in ways)
        seen.judge("too_small", enough, (width, height), least)
    if rules.max_width is not None or rules.max_height is not None:
        fits = any(w <= most[0] - edge and h <= most[1] - edge for w, h in ways)
        limit = tuple(0 if side == MAX_PIXELS else side for side in most)
        seen.judge("too_large", fits, (width, height), limit)
    if rules.aspect is not None:
        wanted_ratio = rules.aspect[0] / rules.aspect[1]
        near = any(abs(w / h - wanted_ratio) <= rules.aspect_tolerance for w, h in ways)
        limit_text = f"{rules.aspect[0]}:{rules.aspect[1]} ±{rules.aspect_tolerance:g}"
        seen.judge("wrong_aspect", near, round(width / height, 3), limit_text)


def _judge_content(seen: _Seen, picture: Pixels, outline: Outline | None, sharpness: float) -> None:
    rules, sharp = seen.rules, True
    if rules.min_sharpness is not None:
        sharp = seen.judge("too_blurred", sharpness >= rules.min_sharpness, sharpness, rules.min_sharpness)
    # Without an outline the share is measured by the edges, and a blurred picture has none to measure.
    if rules.min_document_share is not None and outline and (sharp or outline.corners):
        share = round(outline.share, 3)
        seen.judge("mostly_background", share >= rules.min_document_share, share, rules.min_document_share)
    if rules.backgrounds:
        share = _background_share(picture, rules)
        seen.judge("wrong_background", share >= rules.min_background_share, share, rules.backgrounds)


def _hints(rules: PhotoRules, glare: float) -> Iterator[RuleResult]:
    # Above one half it is not the lamp but a scan on pure white.
    if rules.glare_hint_share is not None:
        yield RuleResult("photo.glare", not rules.glare_hint_share < glare < 0.5, glare, rules.glare_hint_share)


# --- measuring --------------------------------------------------------


def _sharpness(small: Pixels) -> float:
    """Variance of the Laplacian: high where there are crisp strokes, low where they run into each other."""
    return round(float(cv2.Laplacian(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), cv2.CV_32F).var()), 1)


def _glare_share(small: Pixels) -> float:
    """The share of burnt-out pixels: a lamp's reflection hides what is printed under it."""
    burnt = cv2.inRange(small, np.array([252, 252, 252]), np.array([255, 255, 255]))
    return round(cv2.countNonZero(burnt) / burnt.size, 4)


def _background_share(picture: Pixels, rules: PhotoRules) -> float:
    """How much of the rim left, right and above the head has one of the colours asked for (shoulders are below)."""
    small = _limited(picture, 400)
    lab = cv2.cvtColor(small.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    rim = max(1, small.shape[1] // 12)
    upper = lab[: max(1, small.shape[0] // 2)]
    around = np.concatenate([part.reshape(-1, 3) for part in (lab[:rim], upper[:, :rim], upper[:, -rim:])])
    near = np.zeros(len(around), dtype=bool)
    for name in rules.backgrounds:
        asked = np.frombuffer(bytes.fromhex(BACKGROUNDS.get(name, name).lstrip("#")), np.uint8).reshape(1, 1, 3)
        colour = cv2.cvtColor(asked.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)[0, 0]
        near |= np.linalg.norm(around - colour, axis=1) <= rules.background_tolerance
    return round(float(near.mean()), 3)


def _limited(picture: Pixels, long_side: int) -> Pixels:
    """Made smaller where it is larger; never enlarged."""
    height, width = picture.shape[:2]
    if max(height, width) <= long_side:
        return picture
    scale = long_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
