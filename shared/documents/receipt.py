"""申报告知单 (SD-38): one page that says what was handed in, when and under which number, to print and keep.

Called by the exemption service, off the event loop. The layout is `receipt.typ`.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from shared.documents.printing import printed

_LAYOUT = Path(__file__).with_name("receipt.typ")


@dataclass(frozen=True)
class Receipt:
    """Everything that is printed."""

    title: str
    item: str
    authority: str
    number: str
    submission: int
    submitted_at: datetime
    at: str  # the same instant as people read it
    person: tuple[tuple[str, str], ...]
    columns: tuple[str, str, str]
    items: tuple[tuple[str, str, str], ...]  # basis, what was typed of it, course
    notes: tuple[str, ...]
    contacts: tuple[str, ...]


def render(receipt: Receipt) -> bytes:
    """The PDF."""
    return printed(_LAYOUT, asdict(receipt), receipt.submitted_at)
