"""A layout and its data become a PDF, in memory: nothing of a person touches the disk.

Called by the modules that have a layout (`record_table.py`, `registration_form.py` and others), off the event loop.
The same data prints the same bytes.
"""

import io
import json
import unicodedata
from base64 import b64encode
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import typst
from PIL import Image

from shared.documents.fonts import Font, chinese_font, missing_glyphs
from shared.kernel.errors import Refused


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


def refuse_what_cannot_be_printed(texts: Iterable[tuple[str, str]]) -> None:
    """For papers on which a number in place of a character will not do. `texts` are names of fields and their texts."""
    font, fields, lacking = chinese_font(), [], ""
    for name, text in texts:
        unseen = "".join(char for char in text if unicodedata.category(char)[0] == "C" and char != "\n")
        if missing := missing_glyphs(text, font) + unseen:
            fields.append(name)
            lacking += missing
    if lacking:
        characters = [f"U+{ord(char):04X}" for char in dict.fromkeys(lacking)]
        raise Refused("documents.characters_not_printable", fields=list(dict.fromkeys(fields)), characters=characters)


def numbered(char: str) -> str:
    return f"〔U+{ord(char):04X}〕"


def drawing_of(picture: bytes) -> bytes:
    """typst takes files in memory only as text, so a photograph (JPEG) travels inside a drawing of its size."""
    with Image.open(io.BytesIO(picture), formats=("JPEG",)) as opened:
        width, height = opened.size
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">'
        f'<image width="{width}" height="{height}" href="data:image/jpeg;base64,{b64encode(picture).decode()}"/></svg>'
    ).encode()
