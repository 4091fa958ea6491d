"""Values of the field that check themselves: ID numbers, mobile numbers, names, free text, money in fen.

Each parser takes what a person typed and returns the canonical form or raises `Refused`.
"""

import re
import unicodedata
from datetime import date
from typing import NewType

from shared.kernel.errors import Refused

Fen = NewType("Fen", int)
IdNumber = NewType("IdNumber", str)
Mobile = NewType("Mobile", str)

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_NOT_KEPT = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
_CONTROL = re.compile(rf"[{_NOT_KEPT}\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_NO_TEXT = re.compile(f"[{_NOT_KEPT}]")

_CALLED = {
    "code": "课程代码",
    "evidence": "凭据",
    "majors": "专业",
    "name": "姓名",
    "note": "说明",
    "opinion": "审核意见",
    "password": "密码",
    "phones": "电话",
    "reason": "原因",
    "reference": "回执编号",
    "title": "名称",
}
"""What people call the fields of our own requests; a field of a book has its label."""

_BLANK = frozenset("\u115f\u1160\u3164\uffa0")
"""Letters by their category that nobody sees: fillers of Hangul."""

_HALF_WIDTH = {0x3000: " ", **{wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}}


def half_width(text: str) -> str:
    """Full-width letters, digits and signs as plain ones. Nothing else is taken for what it looks like: ① is no 1."""
    return text.translate(_HALF_WIDTH)


def id_check_digit(first17: str) -> str:
    """GB 11643: weighted sum of 17 digits modulo 11."""
    return _CHECK[sum(int(digit) * weight for digit, weight in zip(first17, _WEIGHTS, strict=True)) % 11]


def parse_id_number(typed: str, today: date) -> IdNumber:
    """公民身份号码 and 港澳台居民居住证 (areas 81, 82, 83): GB 11643. Lower-case x is accepted, X is kept.

    Retired area codes stay valid, so the area is not looked up.
    """
    number = half_width(typed).strip().upper()
    if re.fullmatch(r"[0-9]{15}", number):
        raise Refused("identity.id_number_15_digits")
    if not re.fullmatch(r"[1-8][0-9]{16}[0-9X]", number, re.ASCII):
        raise Refused("identity.id_number_malformed", length=len(number))
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise Refused("identity.id_number_impossible_date", digits="7-14") from None
    if born > today or born.year < 1900:
        raise Refused("identity.id_number_impossible_date", digits="7-14")
    if id_check_digit(number[:17]) != number[17]:
        raise Refused("identity.id_number_wrong_check_digit")
    return IdNumber(number)


def parse_mobile(typed: str) -> Mobile:
    """Mainland mobile number, 11 digits; spaces, hyphens and +86 are taken off."""
    digits = re.sub(r"[\s-]", "", half_width(typed))
    digits = digits.removeprefix("+86")
    if not re.fullmatch(r"1[3-9][0-9]{9}", digits, re.ASCII):
        raise Refused("identity.mobile_malformed")
    return Mobile(digits)


def yuan(fen: int) -> str:
    """12.50, as a bill has it."""
    return f"{fen // 100}.{fen % 100:02}"


def masked_mobile(number: str) -> str:
    return f"{number[:3]}****{number[-4:]}"


def parse_text(typed: str, field: str, most: int, least: int = 0, *, label: str = "") -> str:
    """Free text: NFC, no control or invisible characters, trimmed, counted in characters (𠮷 is one).

    What has to be there (`least`) says something: a letter or digit that people see.
    """
    called = {"field": label or _CALLED.get(field, field)}
    if _CONTROL.search(typed):
        raise Refused("request.text_has_control_characters", field=field, said=called)
    text = unicodedata.normalize("NFC", typed).strip()
    if not least <= len(text) <= most:
        raise Refused("request.text_length", field=field, length=len(text), least=least, most=most, said=called)
    if least and not squeezed(text):
        raise Refused("request.text_says_nothing", field=field, said=called)
    return text


def kept_text(typed: str, field: str, most: int, *, label: str = "") -> str:
    """Text of a draft: right or wrong, what was pasted with invisible characters too; only not what no store keeps."""
    called = {"field": label or _CALLED.get(field, field)}
    if _NO_TEXT.search(typed):
        raise Refused("request.text_has_control_characters", field=field, said=called)
    text = unicodedata.normalize("NFC", typed).strip()
    if len(text) > most:
        raise Refused("request.text_length", field=field, length=len(text), least=0, most=most, said=called)
    return text


def squeezed(text: str) -> str:
    """Its letters and digits only: two ways to write one thing are the same by them; without any, nothing is said."""
    plain = unicodedata.normalize("NFKC", text)
    return "".join(each for each in plain if unicodedata.category(each)[0] in "LN" and each not in _BLANK).upper()


def parse_name(typed: str, field: str = "name", *, label: str = "") -> str:
    """A person's name: letters of any script, the middle dot of minority names, spaces and hyphens between words."""
    name = parse_text(typed, field, most=60, least=1, label=label).replace("•", "·").replace("・", "·")
    if not all((unicodedata.category(char)[0] in "LM" and char not in _BLANK) or char in "·. -'’" for char in name):
        raise Refused("identity.name_malformed", field=field)
    return name
