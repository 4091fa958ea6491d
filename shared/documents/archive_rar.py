"""Rar archives (4 and 5) as bytes, unpacked by the UnRAR library of their inventor. Called by `archives.py`.

The library opens files by name: it is given one that lies in memory only. It only tests (`RAR_TEST`), which unpacks
and compares the checksum and hands over what comes out; nothing is written anywhere. Since it is C++ at work on what
strangers send, it belongs into a worker of `pool.py`.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from unrar.cffi import unrarlib

from shared.documents.archive_parts import Part, Room, decoded, path_of
from shared.kernel.errors import Refused

START = b"Rar!\x1a\x07"
_ENDS = {  # the last block, without which the archive was cut off
    b"Rar!\x1a\x07\x01\x00": b"\x1d\x77\x56\x51\x03\x05\x04\x00",
    b"Rar!\x1a\x07\x00": b"\xc4\x3d\x7b\x00\x40\x07\x00",
}
_NULL = unrarlib.ffi.NULL

MOST_MEMORY = 64  # MB of what was unpacked last that the archive may ask to be kept; WinRAR's default is 32

# UnRAR's own numbers (dll.hpp), as far as the binding does not name them.
_IS_VOLUME, _HEADERS_ENCRYPTED = 0x1, 0x80  # of an archive
_SPLIT, _ENCRYPTED, _FOLDER = 0x1 | 0x2, 0x4, 0x20  # of a part
_UNIX = 3  # the system whose attributes are a mode
_NO_MORE, _NO_MEMORY, _LARGE_MEMORY = 10, 11, 25  # answers
_GO_ON, _STOP = 1, -1
_UNMAPPED = "\ufffe"  # stands in a name whose bytes UnRAR could not read; then U+E080 to U+E0FF are such bytes


class Rar:
    """One archive: what it declares (`parts`), and what is in it."""

    def __init__(self, blob: bytes, most_parts: int) -> None:
        self._blob = blob
        end = next((end for start, end in _ENDS.items() if blob.startswith(start)), None)
        if end is None:
            raise Refused("documents.archive_damaged")
        found: list[Part] = []
        with _opened(blob) as archive:
            for header in _headers(archive):
                found.append(_part(len(found) + 1, header))
                if len(found) > most_parts:
                    raise Refused("documents.archive_too_many_files", count=len(found), limit=most_parts)
                _answered(unrarlib.RARProcessFileW(archive, unrarlib.C_RAR_SKIP, _NULL, _NULL))
        if end not in blob:  # asked last, as other things that are wrong say more
            raise Refused("documents.archive_damaged")
        self.parts = tuple(found)

    def check(self) -> None:
        """Blocks follow one another, so none can lie in another, and UnRAR reads no two ways."""

    def contents(self, room: Room) -> Iterator[bytes]:
        """Of each part that is no folder, in order."""
        with _opened(self._blob) as archive:
            for part, _ in zip(self.parts, _headers(archive), strict=False):
                data = _tested(archive, room)
                if len(data) != part.bytes:
                    raise Refused("documents.archive_size_untrue", place=part.place)
                if not part.folder:
                    yield data


@contextmanager
def _opened(blob: bytes) -> Iterator[Any]:
    file = os.memfd_create("rar", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(file), "wb") as written:
            written.write(blob)
        asked = unrarlib.RAROpenArchiveDataEx(f"/proc/self/fd/{file}", unrarlib.C_RAR_OM_EXTRACT)
        asked.value.CmtBufW, asked.value.CmtBufSize = _NULL, 0  # nobody asks for a comment
        archive = unrarlib.RAROpenArchiveEx(asked.value)
        _answered(asked.value.OpenResult)
        try:
            if asked.value.Flags & _HEADERS_ENCRYPTED:
                raise Refused("documents.archive_encrypted")
            if asked.value.Flags & _IS_VOLUME:
                raise Refused("documents.archive_in_volumes")
            yield archive
        finally:
            unrarlib.RARCloseArchive(archive)
    finally:
        os.close(file)


def _headers(archive: Any) -> Iterator[Any]:
    while True:
        header = unrarlib.RARHeaderDataEx()
        answer = unrarlib.RARReadHeaderEx(archive, header)
        if answer == _NO_MORE:
            return
        _answered(answer)
        if header.Flags & _SPLIT:
            raise Refused("documents.archive_in_volumes")
        if header.DictSize > MOST_MEMORY << 10:
            raise Refused("documents.archive_needs_memory", limit=MOST_MEMORY)
        yield header


def _part(place: int, header: Any) -> Part:
    odd = header.HostOS == _UNIX and stat.S_IFMT(header.FileAttr) not in (0, stat.S_IFREG, stat.S_IFDIR)
    return Part(
        place,
        path_of(_name(place, unrarlib.ffi.string(header.FileNameW)), place),
        folder=bool(header.Flags & _FOLDER),
        link=bool(header.RedirType) or odd,
        encrypted=bool(header.Flags & _ENCRYPTED),
        bytes=header.UnpSize | header.UnpSizeHigh << 32,
        packed=header.PackSize | header.PackSizeHigh << 32,
    )


def _name(place: int, told: str) -> str:
    """Old archives do not say how a name is written; what UnRAR made of its bytes is undone."""
    if _UNMAPPED not in told:
        return told
    chars = told.replace(_UNMAPPED, "")
    raw = b"".join(bytes((ord(char) & 0xFF,)) if 0xE080 <= ord(char) <= 0xE0FF else char.encode() for char in chars)
    return decoded(raw, place)


def _tested(archive: Any, room: Room) -> bytes:
    """What comes out of the part that was read last. An exception cannot pass through C++, so it is carried round."""
    steps: list[bytes] = []
    refused: list[Refused] = []

    def taken(message: int, address: int, count: int) -> int:
        if message != unrarlib.UCM_PROCESSDATA:
            return _STOP  # it asks for a password, another volume, more memory
        try:
            room.take(count)
        except Refused as error:
            refused.append(error)
            return _STOP
        steps.append(bytes(unrarlib.ffi.buffer(unrarlib.ffi.cast("char *", address), count)))
        return _GO_ON

    kept = unrarlib.ffi.new_handle(taken)  # lives as long as it may be called
    unrarlib.RARSetCallbackPtr(archive, unrarlib.PyUNRARCALLBACKStub, kept)
    answer = unrarlib.RARProcessFileW(archive, unrarlib.C_RAR_TEST, _NULL, _NULL)
    unrarlib.RARSetCallbackPtr(archive, _NULL, _NULL)
    if refused:
        raise refused[0]
    _answered(answer)
    return b"".join(steps)


def _answered(answer: int) -> None:
    if answer in (unrarlib.FLAGS_MISSING_PASSWORD, unrarlib.FLAGS_BAD_PASSWORD):
        raise Refused("documents.archive_encrypted")
    if answer in (_NO_MEMORY, _LARGE_MEMORY):
        raise Refused("documents.archive_needs_memory", limit=MOST_MEMORY)
    if answer != unrarlib.FLAGS_SUCCESS:
        raise Refused("documents.archive_damaged")
