"""申请记录表 (SW-31): the table of one approved application as a PDF for printing and the archive.

Called by the exemption service, off the event loop. The layout is `record_table.typ`; this module only hands it the
data, in memory: nothing of a person touches the disk. The same data prints the same bytes.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import typst

from shared.documents.fonts import chinese_font, missing_glyphs
from shared.kernel.errors import Refused

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
class RecordTable:
    """Everything that is printed. The pictures themselves are given to `render` in the same order."""

    title: str
    number: str
    fields: tuple[tuple[str, str], ...]
    courses: tuple[str, ...]
    decisions: tuple[Decision, ...]
    pictures: tuple[Picture, ...]
    note: str
    footer: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of everything that is printed, the pictures included: the trail keeps it."""
        return f"sha256:{sha256(self._said().encode()).hexdigest()}"

    def _said(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def render(table: RecordTable, pictures: Sequence[bytes]) -> bytes:
    """The PDF. A character that no font here has would vanish silently, so it is refused by name."""
    font = chinese_font()
    said = json.dumps(asdict(table), ensure_ascii=False)
    if missing := missing_glyphs(said, font):
        raise Refused("documents.missing_glyphs", characters=missing)
    files: dict[str, Any] = {"main.typ": _LAYOUT.read_bytes()}
    files |= {f"picture-{place}.jpg": data for place, data in enumerate(pictures)}
    data = {**asdict(table), "digest": table.digest, "font": font.at(12).getname()[0]}
    compile_files: Any = typst.compile  # takes files by name, which its stub does not know
    printed: bytes = compile_files(
        files,
        font_paths=[str(font.path.parent)],
        ignore_system_fonts=True,
        sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
        pdf_standards=["a-2b"],
        timestamp=0,
    )
    return printed
