"""What zip and rar have in common: what an archive says of one part of it, how much may come out of it, and what a
file is by its content. Used by `archives.py`, `archive_zip.py` and `archive_rar.py`.
"""

import re
import unicodedata
from dataclasses import dataclass
from pathlib import PurePosixPath

from shared.documents.archive_rules import MB
from shared.kernel.errors import Refused


@dataclass(frozen=True)
class Part:
    """One entry as the archive declares it; nothing of it is believed before it is unpacked."""

    place: int  # from 1, as people count
    name: str  # with `/` between its parts
    folder: bool
    link: bool
    encrypted: bool
    bytes: int
    packed: int


class Room:
    """How much may still come out, counted while it comes: what an archive declares is only its word."""

    def __init__(self, most: int) -> None:
        self._most = self._left = most

    def take(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            raise Refused("documents.archive_unpacked_too_large", limit=self._most // MB)


# --- names

_ENCODINGS = ("utf-8", "gb18030")  # of names that do not say: new archivers write the first, Chinese Windows the second


def decoded(raw: bytes, place: int) -> str:
    """A name that does not say how it is written."""
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise Refused("documents.archive_name_unreadable", place=place)


def path_of(name: str, place: int) -> str:
    """The name with `/` between its parts; refused where it leads out of the archive or cannot be shown as it is."""
    path = unicodedata.normalize("NFC", name.replace("\\", "/"))
    if path.startswith("/") or ".." in path.split("/") or _DRIVE.match(path):
        raise Refused("documents.archive_path_escapes", place=place)
    # Also characters that turn the direction of writing: a name would read as another one than it is.
    if not path.strip("/ .") or len(path) > 255 or any(unicodedata.category(char)[0] == "C" for char in path):
        raise Refused("documents.archive_name_unreadable", place=place)
    return path


_DRIVE = re.compile("[A-Za-z]:")


# --- content

_PICTURES = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG"}
_OTHERS = {b"%PDF-": "PDF", b"GIF8": "GIF", b"BM": "BMP", b"II*\x00": "TIFF", b"MM\x00*": "TIFF"}
_ARCHIVES = {
    b"PK\x03\x04": "ZIP",  # Office documents and jars too
    b"PK\x05\x06": "ZIP",
    b"Rar!\x1a\x07": "RAR",
    b"7z\xbc\xaf\x27\x1c": "7Z",
    b"\x1f\x8b": "GZIP",
    b"BZh": "BZIP2",
    b"\xfd7zXZ\x00": "XZ",
    b"\x28\xb5\x2f\xfd": "ZSTD",
    b"MSCF": "CAB",
    b"\x60\xea": "ARJ",
}
_PROGRAMS = {
    b"MZ": "EXE",
    b"\x7fELF": "ELF",
    b"\xfe\xed\xfa\xce": "Mach-O",
    b"\xfe\xed\xfa\xcf": "Mach-O",
    b"\xcf\xfa\xed\xfe": "Mach-O",
    b"\xce\xfa\xed\xfe": "Mach-O",
    b"\xca\xfe\xba\xbe": "Java",
    b"L\x00\x00\x00\x01\x14\x02\x00": "LNK",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "OLE",  # MSI, and old Office documents, which carry macros
    b"#!": "script",
    b"dex\n": "Dalvik",
    b"\x00asm": "WASM",
}
_MARKUP = (b"<!doctype", b"<html", b"<svg", b"<?xml", b"<script", b"<?php", b"@echo")

ARCHIVES, PROGRAMS = frozenset(_ARCHIVES.values()) | {"TAR", "LZH", "ISO"}, frozenset(_PROGRAMS.values())

_RUN = (
    "apk app appx bat bin class cmd com cpl dll dmg elf exe gadget hta htm html inf ins jar js jse lnk mjs msc msi msp"
    " pif php pkg ps1 psm1 py pyc reg scf scr sct sh svg swf sys url vb vbe vbs ws wsc wsf wsh xhtml"
)
"""What a double click would run, by the last part of its name."""

_PACK = "7z ace apk arj bz2 cab gz iso jar lzh rar tar tgz xz z zip zipx zst"


def kind_of(data: bytes) -> str:
    """What the content is, by its first bytes; "unknown" where they say nothing."""
    for table in (_PICTURES, _ARCHIVES, _PROGRAMS, _OTHERS):
        for head, kind in table.items():
            if data.startswith(head):
                return kind
    if data[257:262] == b"ustar":
        return "TAR"
    if data[2:5] == b"-lh" and data[6:7] == b"-":
        return "LZH"
    if data[0x8001:0x8006] == b"CD001":
        return "ISO"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return "HEIC" if data[8:12] in (b"heic", b"heix", b"mif1", b"msf1", b"hevc") else "video"
    return "HTML" if data[:512].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_MARKUP) else "unknown"


def runs(path: str) -> bool:
    """Whether its name makes it a program. Windows drops dots and blanks at the end of a name."""
    return _ending(path) in _RUN.split()


def packs(path: str) -> bool:
    return _ending(path) in _PACK.split()


def _ending(path: str) -> str:
    return PurePosixPath(path.rstrip(". ")).suffix.removeprefix(".").strip().casefold()


def added_by_a_system(path: str) -> bool:
    """What a computer adds by itself: not shown, and of no kind, but unpacked and judged all the same."""
    parts = PurePosixPath(path).parts
    return parts[0] == "__MACOSX" or parts[-1].casefold() in (".ds_store", "thumbs.db", "desktop.ini")
