"""Zip archives as bytes. Called by `archives.py`.

The directory at the end is read by Python's `zipfile`; the content is inflated here, since `zipfile` stops where the
directory says that a file ends, so that a lie would not be seen.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator, Sequence

from shared.documents.archive_parts import Part, Room, decoded, path_of
from shared.kernel.errors import Refused

START = b"PK\x03\x04"
EMPTY = b"PK\x05\x06"  # an archive of nothing

_ENTRY = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s2xHH8xII2H")  # the mark, flags, method, sizes, lengths of name and extra field
_DESCRIPTOR = 24  # the most that may stand behind a file, where its sizes were not known before it
_STEP = 1 << 16
_ENCRYPTED = 0x1 | 0x40 | 0x2000
_UTF8 = 0x800
_UNICODE_PATH = 0x7075


class Zip:
    """One archive: what it declares (`parts`), and what is in it."""

    def __init__(self, blob: bytes, most_parts: int) -> None:
        self._blob = blob
        # Before they are read: each costs a hundred times its bytes.
        if (marks := blob.count(_ENTRY)) > 50 * most_parts:
            raise Refused("documents.archive_too_many_files", count=marks, limit=most_parts)
        try:
            with zipfile.ZipFile(io.BytesIO(blob)) as opened:
                self._infos, self._end = opened.infolist(), opened.start_dir
        except UnicodeDecodeError as error:
            raise Refused("documents.archive_name_unreadable", place=0) from error
        except (zipfile.BadZipFile, NotImplementedError, struct.error, ValueError, OSError, EOFError) as error:
            raise Refused("documents.archive_damaged") from error
        self.parts = tuple(_part(place, info) for place, info in enumerate(self._infos, start=1))
        self._starts: Sequence[int] = ()

    def check(self) -> None:
        """Every byte before the directory belongs to one file of it, and to no other."""
        starts = [self._start(place, info) for place, info in enumerate(self._infos, start=1)]
        after = 0
        for info, start in sorted(zip(self._infos, starts, strict=True), key=lambda each: each[0].header_offset):
            if info.header_offset < after:
                raise Refused("documents.archive_overlaps")
            if info.header_offset > after + _DESCRIPTOR:
                raise Refused("documents.archive_hides_content")
            after = start + info.compress_size
        if after > self._end:
            raise Refused("documents.archive_overlaps")
        if self._end > after + _DESCRIPTOR:
            raise Refused("documents.archive_hides_content")
        self._starts = starts

    def contents(self, room: Room) -> Iterator[bytes]:
        """Of each part that is no folder, in order."""
        for part, info, start in zip(self.parts, self._infos, self._starts, strict=True):
            packed = memoryview(self._blob)[start : start + info.compress_size]
            match info.compress_type:
                case _ if part.folder:
                    continue
                case zipfile.ZIP_STORED:
                    room.take(len(packed))
                    data = bytes(packed)
                case zipfile.ZIP_DEFLATED:
                    data = b"".join(_inflated(packed, room))
                case _:
                    raise Refused("documents.archive_method_unknown")
            if len(data) != info.file_size:
                raise Refused("documents.archive_size_untrue", place=part.place)
            if zlib.crc32(data) != info.CRC:
                raise Refused("documents.archive_damaged")
            yield data

    def _start(self, place: int, info: zipfile.ZipInfo) -> int:
        """Where its content begins. Other programs believe what stands there, so it must say the same."""
        head = self._blob[info.header_offset : info.header_offset + _LOCAL.size]
        if len(head) < _LOCAL.size:
            raise Refused("documents.archive_damaged")
        mark, flags, method, packed, size, name_length, extra_length = _LOCAL.unpack(head)
        name_at = info.header_offset + _LOCAL.size
        name = self._blob[name_at : name_at + name_length]
        if mark != START or name != _raw(info) or method != info.compress_type or flags & _ENCRYPTED:
            raise Refused("documents.archive_damaged")
        later = 0xFFFFFFFF  # in the extra field, in very large archives
        known = not flags & 0x8 and later not in (packed, size)
        if known and (packed, size) != (info.compress_size, info.file_size):
            raise Refused("documents.archive_size_untrue", place=place)
        return int(name_at + name_length + extra_length)


def _part(place: int, info: zipfile.ZipInfo) -> Part:
    mode = info.external_attr >> 16
    return Part(
        place,
        path_of(_name(place, info), place),
        folder=info.is_dir() or info.orig_filename.endswith("\\"),
        link=stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR),
        encrypted=bool(info.flag_bits & _ENCRYPTED),
        bytes=info.file_size,
        packed=info.compress_size,
    )


def _raw(info: zipfile.ZipInfo) -> bytes:
    return info.orig_filename.encode("utf-8" if info.flag_bits & _UTF8 else "cp437")


def _name(place: int, info: zipfile.ZipInfo) -> str:
    if info.flag_bits & _UTF8:
        return info.orig_filename
    raw = _raw(info)
    return _unicode_path(info.extra, raw) or decoded(raw, place)


def _unicode_path(extra: bytes, raw: bytes) -> str | None:
    """The name that some archivers write a second time, when it belongs to the first."""
    at = 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        field = extra[at + 4 : at + 4 + length]
        if kind == _UNICODE_PATH and len(field) > 5 and struct.unpack_from("<I", field, 1)[0] == zlib.crc32(raw):
            try:
                return field[5:].decode()
            except UnicodeDecodeError:
                return None
        at += 4 + length
    return None


def _inflated(packed: memoryview, room: Room) -> Iterator[bytes]:
    inflating = zlib.decompressobj(-zlib.MAX_WBITS)
    rest: bytes | memoryview = packed
    try:
        while not inflating.eof:
            step = inflating.decompress(rest, _STEP)
            rest = inflating.unconsumed_tail
            if not step and not rest and not inflating.eof:
                raise Refused("documents.archive_damaged")
            room.take(len(step))
            yield step
    except zlib.error as error:
        raise Refused("documents.archive_damaged") from error
    if inflating.unused_data:
        raise Refused("documents.archive_hides_content")
