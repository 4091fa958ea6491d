"""Synthetic papers as a phone would photograph them, and the bad files people upload.

Called by the tests, the demo and the benches. Every person is made up and every paper carries 样张 SPECIMEN.
A picture is the same for the same arguments, byte for byte.
"""

import io
import math
import struct
import zlib
from dataclasses import dataclass
from datetime import date
from functools import cache, lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from shared.documents.fonts import chinese_font

Pixels = NDArray[np.uint8]

TWELVE_MEGAPIXELS = (4032, 3024)  # as the sensor lies: width, height
_MARK = "样张 SPECIMEN"
_INK = (30, 30, 34)
_LABEL = (40, 90, 150)


@dataclass(frozen=True)
class IdCard:
    """居民身份证 of somebody who does not exist."""

    name: str = "李晓明"
    sex: str = "男"
    ethnicity: str = "汉"
    born: date = date(1999, 3, 7)
    address: str = "样张市样张区示例路一号样张花园二栋三零四室"
    number: str = "899999199903070014"
    issuer: str = "样张市公安局样张分局"
    valid_from: date = date(2019, 6, 1)
    valid_until: date | None = date(2039, 6, 1)  # None: 长期


@dataclass(frozen=True)
class SkillCertificate:
    """1+X 职业技能等级证书 of somebody who does not exist."""

    name: str = "李晓明"
    id_number: str = "899999199903070014"
    title: str = "网店运营推广"
    level: str = "中级"
    number: str = "99900120230000001234"
    issued: date = date(2023, 6, 30)
    valid_until: date = date(2028, 6, 29)
    issuer: str = "样张评价组织有限公司"


@dataclass(frozen=True)
class Shot:
    """How the phone was held."""

    orientation: int = 6  # the EXIF value: 1 upright, 3 upside down, 6 and 8 portrait
    size: tuple[int, int] = TWELVE_MEGAPIXELS
    share: float = 0.38  # of the picture that the paper fills
    tilt: float = 0.015  # how far the corners lie off, as a share of the paper's width
    blur: float = 0.0  # pixels of the lens out of focus
    glare: float = 0.0  # radius of the lamp's reflection, as a share of the paper's width
    noise: float = 3.0
    quality: int = 90
    seed: int = 1


# --- the papers themselves, flat -------------------------------------


@lru_cache(maxsize=8)
def id_front(card: IdCard = IdCard()) -> Pixels:
    """人像面, 30 pixels a millimetre."""
    page = _page((2568, 1620), top=(226, 238, 246), bottom=(244, 236, 228))
    draw = ImageDraw.Draw(page)
    rows = [
        ((190, 190), "姓名", card.name, 96),
        ((190, 370), "性别", card.sex, 84),
        ((760, 370), "民族", card.ethnicity, 84),
    ]
    for (left, top), label, value, size in rows:
        _labelled(draw, (left, top), label, value, size)
    left = 190
    for value, unit in ((f"{card.born.year}", "年"), (f"{card.born.month}", "月"), (f"{card.born.day}", "日")):
        if left == 190:
            _text(draw, (190, 540), "出生", 68, _LABEL)
            left = 420
        left = _text(draw, (left, 530), value, 84, _INK) + 24
        left = _text(draw, (left, 540), unit, 68, _LABEL) + 24
    _text(draw, (190, 720), "住址", 68, _LABEL)
    for line, start in enumerate(range(0, len(card.address), 12)):
        _text(draw, (420, 710 + 110 * line), card.address[start : start + 12], 84, _INK)
    _text(draw, (190, 1340), "公民身份号码", 68, _LABEL)
    _text(draw, (860, 1320), card.number, 104, _INK)
    _face(draw, (1790, 200), 1.0)
    _text(draw, (2250, 1530), _MARK, 36, (150, 110, 110))
    return _rounded(page, 90)


@lru_cache(maxsize=8)
def id_back(card: IdCard = IdCard()) -> Pixels:
    """国徽面, with a plain wreath where the emblem would be."""
    page = _page((2568, 1620), top=(244, 232, 226), bottom=(228, 238, 244))
    draw = ImageDraw.Draw(page)
    for turn in range(24):
        angle = 2 * math.pi * turn / 24
        x, y = 420 + 190 * math.cos(angle), 400 + 190 * math.sin(angle)
        draw.ellipse((x - 34, y - 34, x + 34, y + 34), fill=(196, 70, 60))
    draw.ellipse((300, 280, 540, 520), outline=(196, 70, 60), width=16)
    _text(draw, (860, 220), "中华人民共和国", 150, _INK)
    _text(draw, (860, 460), "居 民 身 份 证", 190, _INK)
    _text(draw, (560, 1130), "签发机关", 68, _LABEL)
    _text(draw, (900, 1120), card.issuer, 84, _INK)
    until = f"{card.valid_until:%Y.%m.%d}" if card.valid_until else "长期"
    _text(draw, (560, 1320), "有效期限", 68, _LABEL)
    _text(draw, (900, 1310), f"{card.valid_from:%Y.%m.%d}-{until}", 84, _INK)
    _text(draw, (2250, 1530), _MARK, 36, (150, 110, 110))
    return _rounded(page, 90)


@lru_cache(maxsize=8)
def certificate(paper: SkillCertificate = SkillCertificate()) -> Pixels:
    """A 1+X certificate, A4 across, 8 pixels a millimetre."""
    rows = (
        ("姓名", paper.name),
        ("证件号码", paper.id_number),
        ("证书名称", paper.title),
        ("证书等级", paper.level),
        ("证书编号", paper.number),
        ("发证日期", f"{paper.issued:%Y年%m月%d日}"),
        ("有效期至", f"{paper.valid_until:%Y年%m月%d日}"),
    )
    return sheet("职业技能等级证书", rows, paper.issuer)


@lru_cache(maxsize=8)
def sheet(heading: str, rows: tuple[tuple[str, str], ...], issuer: str = "样张评价组织有限公司") -> Pixels:
    """Any paper with a heading, up to seven lines and a seal: certificates, diplomas, transcripts."""
    page = _page((2376, 1680), top=(252, 250, 240), bottom=(248, 244, 230))
    draw = ImageDraw.Draw(page)
    draw.rectangle((70, 70, 2306, 1610), outline=(170, 130, 60), width=14)
    draw.rectangle((100, 100, 2276, 1580), outline=(200, 170, 110), width=4)
    _text(draw, (660, 190), heading, 132, (150, 30, 30))
    for line, (label, value) in enumerate(rows):
        end = _text(draw, (260, 450 + 128 * line), f"{label}：", 66, _LABEL)
        _text(draw, (end + 10, 450 + 128 * line), value, 66, _INK)
    _face(draw, (1800, 440), 0.62)
    _text(draw, (1300, 1420), issuer, 60, _INK)
    draw.ellipse((1560, 1230, 1840, 1510), outline=(200, 60, 60), width=10)
    _text(draw, (1960, 1525), _MARK, 32, (150, 110, 110))
    return np.asarray(page.convert("RGBA"))


@lru_cache(maxsize=8)
def holding_id(card: IdCard = IdCard()) -> Pixels:
    """手持身份证照: half a cartoon, with the card in front of it."""
    page = _page((1500, 1900), top=(214, 220, 226), bottom=(190, 198, 206))
    draw = ImageDraw.Draw(page)
    draw.pieslice((60, 690, 1440, 2900), 180, 360, fill=(60, 80, 120))
    _cartoon(draw, (390, 60), 1.2)
    held = Image.fromarray(id_front(card)).resize((900, 568), Image.Resampling.LANCZOS)
    page.paste(held, (300, 1230), held)
    for hand in (240, 1140):
        draw.ellipse((hand, 1440, hand + 120, 1640), fill=(238, 204, 176))
    return np.asarray(page.convert("RGBA"))


def portrait(size: tuple[int, int] = (295, 413), colour: str = "#a8d0f0") -> bytes:
    """证件照, of nobody: a cartoon before one colour."""
    page = Image.new("RGB", (size[0] * 4, size[1] * 4), colour)
    draw, across = ImageDraw.Draw(page), page.width
    shoulders = (across * 0.06, page.height * 0.66, across * 0.94, page.height * 1.4)
    draw.pieslice(shoulders, 180, 360, fill=(60, 80, 120))
    _cartoon(draw, (round(across * 0.04), round(page.height * 0.08)), across / 650)
    _text(draw, (round(across * 0.36), page.height - 230), "样张", across // 7, (230, 230, 236))
    return jpeg(np.asarray(page.resize(size, Image.Resampling.LANCZOS)))


def _page(size: tuple[int, int], top: tuple[int, int, int], bottom: tuple[int, int, int]) -> Image.Image:
    down = np.linspace(0, 1, size[1])[:, None, None]
    shade = np.asarray(top) * (1 - down) + np.asarray(bottom) * down
    return Image.fromarray(np.broadcast_to(shade, (size[1], size[0], 3)).astype(np.uint8))


def _text(draw: ImageDraw.ImageDraw, at: tuple[int, int], text: str, size: int, ink: tuple[int, int, int]) -> int:
    """Writes and tells where the writing ends."""
    font = chinese_font().at(size)
    draw.text(at, text, font=font, fill=ink)
    return at[0] + math.ceil(font.getlength(text))


def _labelled(draw: ImageDraw.ImageDraw, at: tuple[int, int], label: str, value: str, size: int) -> None:
    _text(draw, (at[0], at[1] + 8), label, 68, _LABEL)
    _text(draw, (at[0] + 230, at[1]), value, size, _INK)


Box = tuple[float, float, float, float]


def _face(draw: ImageDraw.ImageDraw, at: tuple[int, int], scale: float) -> None:
    """The photograph on a paper."""
    draw.rectangle(_box(at, scale, (0, 0, 600, 740)), fill=(232, 238, 244))
    draw.pieslice(_box(at, scale, (20, 480, 580, 1000)), 180, 360, fill=(60, 80, 120))
    _cartoon(draw, at, scale)


def _box(at: tuple[int, int], scale: float, box: Box) -> Box:
    left, top, right, bottom = box
    return (at[0] + left * scale, at[1] + top * scale, at[0] + right * scale, at[1] + bottom * scale)


def _cartoon(draw: ImageDraw.ImageDraw, at: tuple[int, int], scale: float) -> None:
    """A head that nobody takes for a person."""
    draw.ellipse(_box(at, scale, (150, 110, 450, 560)), fill=(238, 204, 176))
    draw.chord(_box(at, scale, (140, 80, 460, 420)), 180, 360, fill=(34, 28, 26))
    for eye in (225, 335):
        draw.ellipse(_box(at, scale, (eye, 310, eye + 40, 336)), fill=(30, 30, 30))
    nose = _box(at, scale, (300, 340, 286, 410))
    draw.line(nose, fill=(200, 150, 120), width=max(1, round(8 * scale)))
    mouth = _box(at, scale, (240, 420, 360, 480))
    draw.arc(mouth, 20, 160, fill=(170, 70, 70), width=max(1, round(12 * scale)))


def _rounded(page: Image.Image, radius: int) -> Pixels:
    """A card has round corners: the table shows through them."""
    mask = Image.new("L", page.size, 0)
    ImageDraw.Draw(mask).rounded_rectangle((0, 0, page.width - 1, page.height - 1), radius, fill=255)
    page.putalpha(mask)
    return np.asarray(page)


# --- the photograph --------------------------------------------------


def photograph(paper: Pixels, shot: Shot = Shot()) -> bytes:
    """The paper on a table, slightly askew, as a phone's JPEG: stored as the sensor lay, turned by EXIF."""
    random = np.random.default_rng(shot.seed)
    width, height = shot.size if shot.orientation in (1, 3) else shot.size[::-1]
    scene = _table(width, height, shot.seed).copy()
    corners = _laid_out(paper, shot, width, height, random)
    matrix = cv2.getPerspectiveTransform(_outline_of(paper), corners)
    left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 2
    shift = np.array([[1, 0, -left], [0, 1, -top], [0, 0, 1]], dtype=np.float64)
    laid = cv2.warpPerspective(paper, shift @ matrix, (int(right - left), int(bottom - top)), flags=cv2.INTER_AREA)
    part = scene[top:bottom, left:right]
    laid = laid[: part.shape[0], : part.shape[1]]
    cv2.copyTo(laid[:, :, :3], laid[:, :, 3], part)
    if shot.glare:
        _shine(scene, corners, shot.glare)
    if shot.blur:
        scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), shot.blur), dtype=np.uint8)
    if shot.noise:
        scene = _noisy(scene, shot.noise, shot.seed)
    return jpeg(_as_the_sensor_lay(scene, shot.orientation), quality=shot.quality, orientation=shot.orientation)


def paper_alone(paper: Pixels, size: tuple[int, int] = (1600, 1008), *, noise: float = 2.0, blur: float = 0.0) -> bytes:
    """The paper filling the frame, as a scanning app leaves it."""
    flat = Image.new("RGB", (paper.shape[1], paper.shape[0]), (240, 236, 232))
    flat.paste(Image.fromarray(paper), mask=Image.fromarray(paper[:, :, 3]))
    pixels = cv2.resize(np.asarray(flat), size, interpolation=cv2.INTER_AREA).astype(np.uint8)
    if blur:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), blur), dtype=np.uint8)
    return jpeg(_noisy(pixels, noise, 1) if noise else pixels)


def jpeg(pixels: Pixels, *, quality: int = 90, orientation: int | None = None) -> bytes:
    """The file a phone would write: with `orientation` it also carries a maker, a time and a (made-up) place."""
    exif = Image.Exif()
    if orientation is not None:
        exif[0x0112] = orientation
        exif[0x010F] = "Specimen Phone"
        exif[0x0132] = "2026:01:02 03:04:05"
        exif.get_ifd(0x8825)[1] = "N"
        exif.get_ifd(0x8825)[2] = (1.0, 2.0, 3.0)
    held = io.BytesIO()
    Image.fromarray(pixels).save(held, "JPEG", quality=quality, exif=exif)
    return held.getvalue()


def _laid_out(paper: Pixels, shot: Shot, width: int, height: int, random: np.random.Generator) -> NDArray[np.float32]:
    """Where the paper's corners come to lie: `share` of the picture, as far as it fits."""
    aspect = paper.shape[1] / paper.shape[0]
    wide = min(math.sqrt(shot.share * width * height * aspect), 0.95 * width, 0.95 * height * aspect)
    half = (
        np.array([[-wide, -wide / aspect], [wide, -wide / aspect], [wide, wide / aspect], [-wide, wide / aspect]]) / 2
    )
    room = np.array([width - wide, height - wide / aspect]) / 2
    centre = np.array([width, height]) / 2 + random.uniform(-0.3, 0.3, 2) * room
    askew = random.uniform(-1, 1, (4, 2)) * shot.tilt * wide
    return np.asarray(np.clip(half + centre + askew, 1, [width - 2, height - 2]), dtype=np.float32)


def _outline_of(paper: Pixels) -> NDArray[np.float32]:
    height, width = paper.shape[:2]
    return np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)


@lru_cache(maxsize=3)
def _table(width: int, height: int, seed: int) -> Pixels:
    """Brown boards, with the light falling off to one side."""
    random = np.random.default_rng(seed)
    few = np.clip(random.normal(0, 7, (max(8, height // 24), 6)), -50, 50).astype(np.float32)
    grain = cv2.resize(few, (width, height))
    light = np.linspace(1.12, 0.82, width, dtype=np.float32)
    table = np.empty((height, width, 3), np.uint8)
    for colour, strength in enumerate((112, 84, 62)):  # one after the other: of all at once 150 MB would be moved
        np.add(np.float32(strength) * light, grain, out=table[:, :, colour], casting="unsafe")
    return table


@cache
def _grain(seed: int) -> NDArray[np.int8]:
    return np.clip(np.random.default_rng(seed).normal(0, 32, (512, 512, 3)), -127, 127).astype(np.int8)


def _noisy(pixels: Pixels, noise: float, seed: int) -> Pixels:
    """Sensor noise out of one small tile, laid again and again: drawing 36 million random numbers takes a second."""
    tile = np.round(_grain(seed) * (noise / 32)).astype(np.int16)
    height, width = pixels.shape[:2]
    out = np.empty_like(pixels)
    for top in range(0, height, 512):
        for left in range(0, width, 512):
            part = pixels[top : top + 512, left : left + 512]
            grain = tile[: part.shape[0], : part.shape[1]]
            out[top : top + 512, left : left + 512] = np.clip(part + grain, 0, 255)
    return out


def _shine(scene: Pixels, corners: NDArray[np.float32], glare: float) -> None:
    centre = corners.mean(axis=0)
    radius = round(glare * float(np.linalg.norm(corners[1] - corners[0])))
    cv2.circle(scene, (round(float(centre[0])), round(float(centre[1]))), radius, (255, 255, 255), -1)


def _as_the_sensor_lay(upright: Pixels, orientation: int) -> Pixels:
    turns = {
        3: cv2.ROTATE_180,
        6: cv2.ROTATE_90_COUNTERCLOCKWISE,
        8: cv2.ROTATE_90_CLOCKWISE,
    }
    turn = turns.get(orientation)
    return upright if turn is None else np.asarray(cv2.rotate(upright, turn), dtype=np.uint8)


# --- the bad ones ----------------------------------------------------


def plain(size: tuple[int, int] = (64, 48), mode: str = "RGB", form: str = "JPEG", colour: str = "#7a6a5a") -> bytes:
    """A picture of nothing in any mode and format: a GIF, a CMYK JPEG, a PNG to be named .jpg."""
    held = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(held, form)
    return held.getvalue()


def truncated(whole: bytes, kept: float = 0.6) -> bytes:
    """The upload broke off."""
    return whole[: int(len(whole) * kept)]


def html_with_jpeg_head() -> bytes:
    """A page that begins as a JPEG does."""
    return b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00<html><script>alert(1)</script></html>"


@cache
def bomb_png(side: int = 20_000) -> bytes:
    """One colour, `side` x `side`, in about 50 KB: 1.2 GB once decoded as RGB."""
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    row = bytes(1 + (side + 7) // 8)
    squeeze = zlib.compressobj(9)
    body = b"".join(squeeze.compress(row) for _ in range(side)) + squeeze.flush()
    chunks = ((b"IHDR", header), (b"IDAT", body), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
