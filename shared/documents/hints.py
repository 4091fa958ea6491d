"""Values picked out of what OCR read, and whether they agree with what was typed (SW-11, SW-25, SW-27). Pure.

Called by the services after `pool.py` has read a document. Nothing here decides (识别结果仅供核对): a hint tells the
candidate and the reviewer where to look again, and what cannot be read is no fault.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from difflib import SequenceMatcher
from typing import Literal

from shared.kernel.values import id_check_digit

Box = tuple[tuple[float, float], ...]

LONG_TERM = "长期"

_READABLE = 0.6  # below this a value is reported as unreadable rather than as different


@dataclass(frozen=True)
class Line:
    """One line of print, where it stands and how sure the reader is of it."""

    text: str
    confidence: float
    box: Box

    @property
    def middle(self) -> tuple[float, float]:
        return sum(x for x, _ in self.box) / len(self.box), sum(y for _, y in self.box) / len(self.box)


@dataclass(frozen=True)
class Reading:
    """Everything that could be read, from top to bottom. A hint."""

    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Found:
    """A value picked out of a reading. A hint, never a fact."""

    value: str
    confidence: float


@dataclass(frozen=True)
class Difference:
    """`typed` stands at `position` of what was typed, `read` in its place on the document; either may be empty."""

    position: int
    typed: str
    read: str


@dataclass(frozen=True)
class Agreement:
    """What is shown beside a field. A hint: `differs` asks for a second look and refuses nothing."""

    verdict: Literal["agrees", "differs", "unreadable"]
    read: str | None = None
    differences: tuple[Difference, ...] = ()


# --- picking values out (pure) ----------------------------------------

_HAN = r"\u3400-\u9fff\U00020000-\U000323af·"
_OTHER_LABELS = "性别|民族|出生|住址|证件|身份证|公民|证书|职业|等级|学校|院校|专业|发证|颁发|有效"
_NAME = re.compile(rf"姓名:?([{_HAN}]{{2,20}}?)(?={_OTHER_LABELS}|[^{_HAN}]|$)")
_ID_NUMBER = re.compile(r"(?<![0-9A-Za-z])[1-8][0-9]{16}[0-9Xx](?![0-9A-Za-z])")
_CERTIFICATE_NUMBER = re.compile(r"(?:证书编号|证书号码|证书号|编号):?([0-9A-Za-z][0-9A-Za-z\-/]{4,39})")
_CERTIFICATE_TITLE = re.compile(r"(?:证书名称|职业技能名称):?(.{2,40}?)(?=证书等级|职业技能等级|等级|级别|证书编号|$)")
_TITLE_IN_HEADING = re.compile(rf"([{_HAN}]{{2,30}})职业技能等级")
_DATE = r"(\d{4})[.年/\-](\d{1,2})[.月/\-](\d{1,2})日?"
_PERIOD = re.compile(rf"{_DATE}[-—–~至到]+(?:{_DATE}|(长期))")
_UNTIL = re.compile(rf"有效(?:期限|日期|期)?[至到]?:?[至到]?(?:{_DATE}(?![-—–~至到\d])|(长期))")


def id_number(reading: Reading) -> Found | None:
    """公民身份号码 whose check digit is right; a line that says it is the document holder's comes first."""
    candidates = [
        Found(match[0].upper(), confidence)
        for text, confidence in sorted(_rows(reading), key=lambda row: not re.search("身份|证件|公民", row[0]))
        if not _CERTIFICATE_NUMBER.search(text)
        for match in _ID_NUMBER.finditer(text)
    ]
    return next((found for found in candidates if _is_id_number(found.value)), None)


def name(reading: Reading) -> Found | None:
    """姓名, whether label and value stand apart or run together."""
    return _first(_NAME, reading)


def certificate_number(reading: Reading) -> Found | None:
    """证书编号."""
    return _first(_CERTIFICATE_NUMBER, reading)


def certificate_title(reading: Reading) -> Found | None:
    """证书名称, else what stands before 职业技能等级 in the heading."""
    return _first(_CERTIFICATE_TITLE, reading) or _first(_TITLE_IN_HEADING, reading)


def valid_until(reading: Reading) -> Found | None:
    """The last day of validity as YYYY-MM-DD, or 长期: of an ID card's back (有效期限) or a certificate (有效期至)."""
    for pattern in (_PERIOD, _UNTIL):
        for text, confidence in _rows(reading):
            match = pattern.search(text)
            until = _day(*match.groups()[-4:]) if match else None
            if until:
                return Found(until, confidence)
    return None


def _first(pattern: re.Pattern[str], reading: Reading) -> Found | None:
    for text, confidence in _rows(reading):
        match = pattern.search(text)
        if match:
            return Found(match[1], confidence)
    return None


def _rows(reading: Reading) -> Iterator[tuple[str, float]]:
    """Lines that stand side by side, as one text without blanks: a label and its value are often two lines."""
    rows: list[list[Line]] = []
    for line in sorted(reading.lines, key=lambda line: line.middle[1]):
        if rows and abs(line.middle[1] - rows[-1][0].middle[1]) < 0.5 * min(_height(line), _height(rows[-1][0])):
            rows[-1].append(line)
        else:
            rows.append([line])
    for row in rows:
        row.sort(key=lambda line: line.middle[0])
        yield plain("".join(line.text for line in row)), min(line.confidence for line in row)


def _height(line: Line) -> float:
    return max(y for _, y in line.box) - min(y for _, y in line.box)


def plain(text: str) -> str:
    """Full-width forms as ASCII, no blanks. Han characters are left alone: NFKC would replace rare ones."""
    narrow = "".join(unicodedata.normalize("NFKC", char) if "！" <= char <= "～" else char for char in text)
    return re.sub(r"\s", "", narrow).replace("×", "X").replace("•", "·").replace("・", "·")


def _is_id_number(number: str) -> bool:
    return _day(number[6:10], number[10:12], number[12:14], None) is not None and (
        id_check_digit(number[:17]) == number[17]
    )


def _day(year: str | None, month: str | None, day: str | None, long_term: str | None) -> str | None:
    if long_term or year is None or month is None or day is None:
        return LONG_TERM if long_term else None
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        return None  # misread digits: not a day, so nothing was found


# --- comparing (pure) -------------------------------------------------


def agreement(typed: str, read: Found | None) -> Agreement:
    """Whether what was typed stands on the document, and where it differs, character by character. A hint."""
    if read is None or read.confidence < _READABLE:
        return Agreement("unreadable")
    ours, theirs = plain(typed).upper(), plain(read.value).upper()
    if ours == theirs:
        return Agreement("agrees", read.value)
    changes = SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes()
    differences = tuple(Difference(i, ours[i:j], theirs[k:m]) for kind, i, j, k, m in changes if kind != "equal")
    return Agreement("differs", read.value, differences)
