"""申请记录表 (SW-31): the table of one approved application as a PDF for printing and the archive.

Called by the exemption service, off the event loop. The layout is `record_table.typ`; this module only hands it the
data, in memory: nothing of a person touches the disk. The same data prints the same bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from shared.documents.printing import drawing_of, printed

_LAYOUT = Path(__file__).with_name("record_table.typ")


@dataclass(frozen=True)
class Decision:
    """One review stage: what was decided, where, by whom and when."""

    stage: str
    result: str
    organisation: str
    reviewer: str
    at: str
    checked: tuple[str, ...]
    opinion: str


@dataclass(frozen=True)
class Picture:
    """One photograph: its name on the page and the digest of what was accepted."""

    label: str
    digest: str


@dataclass(frozen=True)
class Claim:
    """What courses rest on: the certificate or other paper, what stands on it, and each course with what was said."""

    basis: str
    told: tuple[tuple[str, str], ...]
    courses: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


@dataclass(frozen=True)
class RecordTable:
    """Everything that is printed. The pictures themselves are given to `render` in the same order.

    `courses` are all that need not be sat; where there are claims, each of them says its own again.
    """

    title: str
    number: str
    approved_at: datetime  # also the date of the document: the same data prints the same bytes
    fields: tuple[tuple[str, str], ...]
    courses: tuple[str, ...]
    claims: tuple[Claim, ...]
    decisions: tuple[Decision, ...]
    pictures: tuple[Picture, ...]
    note: str
    footer: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of everything that is printed, the pictures included: the trail keeps it."""
        return f"sha256:{sha256(self.said().encode()).hexdigest()}"

    def said(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"), default=str)


def render(table: RecordTable, pictures: Sequence[bytes]) -> bytes:
    """The PDF."""
    files = {f"picture-{place}.svg": drawing_of(data) for place, data in enumerate(pictures)}
    return printed(_LAYOUT, {**asdict(table), "digest": table.digest}, table.approved_at, files)
