"""支付凭证 (SX-G-40, 41): the order and what was paid, on one page of A5 (or A4) to print and keep.

Called by the payment service, off the event loop. The layout is `payment_receipt.typ`. The same data prints the same
bytes. It is no invoice: that one comes from the tax office's system, and `notes` says so.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

from shared.documents.printing import printed, refuse_what_cannot_be_printed
from shared.kernel.time import spoken

_LAYOUT = Path(__file__).with_name("payment_receipt.typ")

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿")


@dataclass(frozen=True)
class Refund:
    """Money that went back."""

    number: str
    fen: int
    at: str


@dataclass(frozen=True)
class PaymentReceipt:
    """Everything that is printed."""

    title: str
    authority: str
    item: str  # what was paid for
    number: str  # 订单编号
    person: tuple[tuple[str, str], ...]
    fen: int
    state: str
    way: str
    transaction: str  # the provider's number
    made_at: datetime  # the date of the document
    paid_at: str  # as people read it
    refunds: tuple[Refund, ...] = ()
    notes: tuple[str, ...] = ()
    paper: Literal["a5", "a4"] = "a5"


def render(receipt: PaymentReceipt) -> bytes:
    """The PDF."""
    refuse_what_cannot_be_printed([*receipt.person, ("事项", receipt.item), ("说明", "".join(receipt.notes))])
    refunds = [{**asdict(each), "yuan": yuan(each.fen)} for each in receipt.refunds]
    told = {
        "yuan": yuan(receipt.fen),
        "in_words": in_words(receipt.fen),
        "refunds": refunds,
        "made_on": spoken(receipt.made_at)[:10],
    }
    return printed(_LAYOUT, {**asdict(receipt), **told}, receipt.made_at)


def yuan(fen: int) -> str:
    """1234567 fen are 12,345.67."""
    return f"{fen // 100:,}.{fen % 100:02d}"


def in_words(fen: int) -> str:
    """The amount in the characters that cannot be altered (大写), by the rules for bills: 12050 is 壹佰贰拾元伍角整."""
    if fen < 0:
        raise ValueError("a receipt says what was paid, which is never less than nothing")
    whole, jiao, rest = fen // 100, fen // 10 % 10, fen % 10
    said = f"{_integer(whole)}元" if whole or not fen else ""
    if jiao:
        said += f"{_DIGITS[jiao]}角"
    elif rest and whole:
        said += "零"
    return said + (f"{_DIGITS[rest]}分" if rest else "整")


def _integer(number: int) -> str:
    if number == 0:
        return _DIGITS[0]
    groups = [number // 10 ** (4 * at) % 10_000 for at in range((len(str(number)) + 3) // 4)]
    said = ""
    for at in reversed(range(len(groups))):
        # 零 stands once for all zeros between two digits, also over the border of two groups
        if said and groups[at] and (groups[at] < 1000 or groups[at + 1] == 0):
            said += _DIGITS[0]
        said += _group(groups[at]) + (_GROUPS[at] if groups[at] else "")
    return said


def _group(number: int) -> str:
    said, zero = "", False
    for at in reversed(range(4)):
        digit = number // 10**at % 10
        if digit:
            said += (_DIGITS[0] if zero and said else "") + _DIGITS[digit] + _PLACES[at]
        zero = not digit
    return said
