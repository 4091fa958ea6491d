"""Finds the card or certificate in a photograph taken on a table (SW-46), and straightens it.

Called by `images.py` with a reduced copy; pure array work. What it finds is a proposal: when in doubt it finds nothing,
and the picture stays whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from shared.documents.photo_rules import Corners

Pixels = NDArray[np.uint8]
Quad = NDArray[np.float32]  # four points, clockwise from the top left

FILLS_THE_FRAME = 0.80  # a paper covering this much is left as it is: cropping could only lose its edge

_LONG_SIDE = 640  # enough to place an edge within a thousandth, small enough to take milliseconds
_SMALLEST = 0.04  # of the picture; anything smaller is a thing on the table, not the paper
_MARGIN = 1.006  # a hair of table is kept around the paper rather than a hair of paper lost
_CONTENT_INSIDE = 0.85  # of all edges: a paper holds what there is to read, the picture on a card does not
_EDGE_SEEN = 0.6  # of the outline must really be an edge
_STRONG = 24.0  # grey levels a pixel: writing and paper edges are above, wood grain and noise below


@dataclass(frozen=True)
class Outline:
    """Where the paper lies; `corners` is None when it fills the frame or no outline is sure."""

    corners: Corners | None
    share: float  # of the picture that is paper or, without an outline, that has anything on it


def find_outline(picture: Pixels) -> Outline:
    """The paper's four corners in an upright RGB picture, and how much of the picture it fills."""
    small = _reduced(picture)
    edges = _edge_strength(small)
    # The looks go from sure to unsure, each made only when the one before showed no paper.
    found = (max(quads, key=cv2.contourArea) for mask in _masks(small, edges) if (quads := _plausible(mask, edges)))
    best = next(found, None)
    height, width = edges.shape
    if best is None:
        return Outline(None, _share_with_content(edges))
    share = float(cv2.contourArea(best)) / (width * height)
    if share >= FILLS_THE_FRAME:
        return Outline(None, share)
    roomy = best.mean(axis=0) + (best - best.mean(axis=0)) * _MARGIN
    within = np.clip(roomy / np.array([width, height]), 0, 1)
    return Outline(tuple((float(x), float(y)) for x, y in within), share)


def straighten(picture: Pixels, corners: Corners) -> Pixels:
    """The paper alone, as if seen from straight above."""
    height, width = picture.shape[:2]
    quad = np.asarray(corners, dtype=np.float32) * np.array([width, height], dtype=np.float32)
    top, right, bottom, left = (float(np.linalg.norm(quad[(i + 1) % 4] - quad[i])) for i in range(4))
    wide, high = max(1, round(max(top, bottom))), max(1, round(max(left, right)))
    target = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], dtype=np.float32)
    matrix = cv2.getPerspectiveTransform(quad, target)
    return np.asarray(cv2.warpPerspective(picture, matrix, (wide, high), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _reduced(picture: Pixels) -> Pixels:
    """By a whole factor, which OpenCV does several times faster."""
    height, width = picture.shape[:2]
    factor = max(1, round(max(height, width) / _LONG_SIDE))
    size = (max(1, width // factor), max(1, height // factor))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _edge_strength(small: Pixels) -> NDArray[np.float32]:
    grey = cv2.GaussianBlur(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY), (0, 0), 1.0)
    across, down = (cv2.Sobel(grey, cv2.CV_32F, dx, 1 - dx, scale=0.25) for dx in (1, 0))
    return np.asarray(cv2.magnitude(across, down), dtype=np.float32)


def _plausible(mask: Pixels, edges: NDArray[np.float32]) -> list[Quad]:
    """The four-cornered things that could be the paper: they hold nearly all there is to see, inside a real edge."""
    energy = np.minimum(edges, 4 * _STRONG) ** 2 * (edges > _STRONG / 2)
    total = float(energy.sum())
    near = np.asarray(cv2.dilate(edges, np.ones((5, 5), np.uint8)), dtype=np.float32)

    def held(quad: Quad) -> float:
        inside = np.zeros(edges.shape, np.uint8)
        cv2.fillConvexPoly(inside, quad.astype(np.int32), 1)
        return float((energy * cv2.dilate(inside, np.ones((7, 7), np.uint8))).sum()) / max(total, 1.0)

    return [quad for quad in _quads(mask) if _edge_seen(quad, near) >= _EDGE_SEEN and held(quad) >= _CONTENT_INSIDE]


def _masks(small: Pixels, edges: NDArray[np.float32]) -> Iterator[Pixels]:
    """Three looks at the same picture: unlike its rim in colour, brighter or darker than the rest, closed by edges."""
    lab = cv2.cvtColor(cv2.GaussianBlur(small, (0, 0), 2.0), cv2.COLOR_RGB2LAB).astype(np.float32)
    rim = max(2, min(small.shape[:2]) // 40)
    around = np.concatenate([part.reshape(-1, 3) for part in (lab[:rim], lab[-rim:], lab[:, :rim], lab[:, -rim:])])
    apart = lab - np.median(around, axis=0)
    unlike = np.sqrt(np.einsum("ijk,ijk->ij", apart, apart))
    light = lab[:, :, 0]
    for grey in (unlike, light, 255 - light):
        _, mask = cv2.threshold(np.clip(grey, 0, 255).astype(np.uint8), 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        yield np.asarray(mask, dtype=np.uint8)
    yield np.asarray(cv2.dilate((edges > _STRONG / 2).astype(np.uint8) * 255, np.ones((3, 3), np.uint8)), np.uint8)


def _quads(mask: Pixels) -> Iterator[Quad]:
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
    contours, _ = cv2.findContours(closed, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    smallest = _SMALLEST * mask.size
    for contour in sorted(contours, key=len, reverse=True)[:3]:
        # A broken edge leaves a contour without an area of its own, so its hull is measured.
        hull = cv2.convexHull(contour)
        if cv2.contourArea(hull) < smallest:
            continue
        quad = _four_lines(
            contour.reshape(-1, 2).astype(np.float32),
            _clockwise(np.asarray(cv2.boxPoints(cv2.minAreaRect(hull)), np.float32)),
        )
        if quad is None or not cv2.isContourConvex(quad) or not _like_a_paper(quad):
            continue
        if 0.9 <= cv2.contourArea(hull) / cv2.contourArea(quad) <= 1.1:
            yield np.clip(quad, 0, np.array([mask.shape[1] - 1, mask.shape[0] - 1], dtype=np.float32))


def _four_lines(contour: NDArray[np.float32], box: Quad) -> Quad | None:
    """The paper's sides fitted to the middle part of the contour's four sides, so that round corners do not pull."""
    lines = []
    ends = np.roll(box, -1, axis=0)
    along = ends - box
    lengths = np.maximum(np.linalg.norm(along, axis=1), 1.0)
    offsets = contour[:, None, :] - box[None]
    far = np.abs(offsets[:, :, 0] * along[:, 1] - offsets[:, :, 1] * along[:, 0]) / lengths
    place = (offsets * along).sum(axis=2) / lengths**2
    nearest = far.argmin(axis=1)
    for side in range(4):
        points = contour[(nearest == side) & (place[:, side] > 0.15) & (place[:, side] < 0.85)]
        if len(points) < 8:
            return None
        lines.append(cv2.fitLine(points, cv2.DIST_HUBER, 0, 0.01, 0.01).ravel())
    corners = [_crossing(lines[side - 1], lines[side]) for side in range(4)]
    return None if None in corners else np.array(corners, dtype=np.float32)


def _crossing(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float] | None:
    """Where two lines (direction, then a point on it) meet."""
    (ax, ay, px, py), (bx, by, qx, qy) = one.tolist(), other.tolist()
    turn = ax * by - ay * bx
    if abs(turn) < 0.1:
        return None
    reach = ((qx - px) * by - (qy - py) * bx) / turn
    return (px + reach * ax, py + reach * ay)


def _clockwise(points: Quad) -> Quad:
    around = points - points.mean(axis=0)
    ordered = points[np.argsort(np.arctan2(around[:, 1], around[:, 0]))]
    return np.asarray(np.roll(ordered, -int(np.argmin(ordered.sum(axis=1))), axis=0), dtype=np.float32)


def _like_a_paper(quad: Quad) -> bool:
    """Corners within 30 degrees of square, sides within 1:3."""
    sides = np.roll(quad, -1, axis=0) - quad
    lengths = np.linalg.norm(sides, axis=1)
    if lengths.min() < 1:
        return False
    units = sides / lengths[:, None]
    slant = np.abs((units * np.roll(units, -1, axis=0)).sum(axis=1)).max()
    return float(slant) <= 0.5 and float(lengths.max() / lengths.min()) <= 3.0


def _edge_seen(quad: Quad, near: NDArray[np.float32]) -> float:
    """The share of the outline that lies on an edge; round corners are passed over."""
    along = np.linspace(0.1, 0.9, 40, dtype=np.float32)[:, None]
    points = np.concatenate([quad[i] * (1 - along) + quad[(i + 1) % 4] * along for i in range(4)]).round().astype(int)
    height, width = near.shape
    xs, ys = np.clip(points[:, 0], 0, width - 1), np.clip(points[:, 1], 0, height - 1)
    return float((near[ys, xs] > _STRONG / 2).mean())


def _share_with_content(edges: NDArray[np.float32]) -> float:
    """How much of the picture the things on it span: all for a page of writing, nearly nothing for a bare table."""
    ys, xs = np.nonzero(edges > _STRONG / 2)
    if len(xs) < 0.001 * edges.size:
        return 0.0
    left, right = np.percentile(xs, (0.5, 99.5))
    top, bottom = np.percentile(ys, (0.5, 99.5))
    return float((right - left) * (bottom - top)) / edges.size
