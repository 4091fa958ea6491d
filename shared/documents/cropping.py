"""裁剪: a picture of the wrong shape or size, cut and made smaller until it keeps the rules (SD-28, F-05).

Called by upload routes, in a worker of `pool.py`. It is only offered: the candidate looks at it and uploads it or
another one, and that is judged like any other. Nothing is made larger than it was, and nothing else is changed.
"""

import io
from collections.abc import Iterator
from math import gcd

import cv2
import numpy as np
from PIL import Image

from shared.documents.images import inspect, upright
from shared.documents.outline import Pixels
from shared.documents.photo_rules import MENDED_BY_CROPPING, PhotoRules, cut_to

_ABOVE = 0.25  # of what is cut off a tall picture: a head is nearer to the top
_SHAPE = MENDED_BY_CROPPING | {"photo.too_small"}
_QUALITIES = (92, 85, 75, 65)


def offered(data: bytes, rules: PhotoRules) -> bytes | None:
    """The picture cut to the shape asked for, the largest that fits; None where no cutting helps."""
    picture = upright(data)
    if picture is None or rules.aspect is None:
        return None
    cut = _cut(picture, rules.aspect)
    for size in _sizes(cut, rules):
        small = cut if size == cut.shape[1::-1] else cv2.resize(cut, size, interpolation=cv2.INTER_AREA)
        for quality in _QUALITIES:
            held = io.BytesIO()
            Image.fromarray(np.asarray(small, dtype=np.uint8)).save(held, "JPEG", quality=quality)
            if not _SHAPE & {each.code for each in inspect(held.getvalue(), rules).failures}:
                return held.getvalue()
    return None


def _cut(picture: Pixels, aspect: tuple[int, int]) -> Pixels:
    """The largest part of this shape: the middle, and more of the top than of the bottom."""
    height, width = picture.shape[:2]
    across, down = cut_to(width, height, aspect)
    left, top = (width - across) // 2, round((height - down) * _ABOVE)
    return picture[top : top + down, left : left + across]


def _sizes(cut: Pixels, rules: PhotoRules) -> Iterator[tuple[int, int]]:
    """Sizes of exactly the shape, from the largest that fits down to the smallest that is asked for; then as it is."""
    assert rules.aspect is not None
    common = gcd(*rules.aspect)
    across, down = rules.aspect[0] // common, rules.aspect[1] // common
    height, width = cut.shape[:2]
    edge = 0 if rules.pixels_inclusive else 1
    most = min(
        min(width, (rules.max_width or width + edge) - edge) // across,
        min(height, (rules.max_height or height + edge) - edge) // down,
    )
    step = max(1, most // 12)
    for times in range(most, 0, -step):
        if times * across < (rules.min_width or 0) + edge or times * down < (rules.min_height or 0) + edge:
            break
        yield times * across, times * down
    yield width, height
