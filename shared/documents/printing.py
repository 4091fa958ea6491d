"""A layout and its data become a PDF, in memory: nothing of a person touches the disk.

Called by `record_table.py` and `receipt.py`, off the event loop. The same data prints the same bytes.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst

from shared.documents.fonts import Font, chinese_font, missing_glyphs


def printed(layout: Path, data: Mapping[str, Any], at: datetime, files: Mapping[str, bytes] | None = None) -> bytes:
    """`layout` finds the data in `sys.inputs.data`; `at` is the date of the document; `files` by name."""
    font = chinese_font()
    sources: dict[str, Any] = {"main.typ": layout.read_bytes(), **(files or {})}
    said = {**data, "font": font.at(12).getname()[0]}
    compile_files: Any = typst.compile  # takes files by name, which its stub does not know
    made: bytes = compile_files(
        sources,
        font_paths=[str(font.path.parent)],
        ignore_system_fonts=True,
        sys_inputs={"data": _printable(json.dumps(said, ensure_ascii=False, default=str), font)},
        pdf_standards=["a-2b"],
        timestamp=at.replace(microsecond=0),
    )
    return made


def _printable(text: str, font: Font) -> str:
    """A character that the font lacks (a rare name, an emoji) would vanish silently: its number is printed instead."""
    for char in missing_glyphs(text, font):
        text = text.replace(char, numbered(char))
    return text


def numbered(char: str) -> str:
    return f"〔U+{ord(char):04X}〕"
