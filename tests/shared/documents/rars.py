"""Rar files made by hand, since no free program writes any: blocks by the published formats, content stored as it is
or packed by the few symbols that a bomb needs. UnRAR itself reads them in the tests.
"""

import struct
from dataclasses import dataclass
from zlib import crc32

RAR4, RAR5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"
END4, END5 = b"\xc4\x3d\x7b\x00\x40\x07\x00", b"\x1d\x77\x56\x51\x03\x05\x04\x00"
WINDOWS, UNIX = 0, 1


@dataclass(frozen=True)
class File:
    """One file of a rar; what it declares may be untrue."""

    name: str | bytes
    data: bytes = b""
    size: int | None = None  # declared
    crc: int | None = None
    packed: bytes | None = None  # by `packed_by_repeating`
    folder: bool = False
    link_to: str | None = None
    encrypted: bool = False
    dictionary: int = 0  # 128 kB shifted by it
    split: bool = False
    mode: int | None = None  # as Unix has it

    @property
    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    @property
    def stored(self) -> bytes:
        return self.data if self.packed is None else self.packed

    @property
    def told(self) -> tuple[int, int]:
        return (
            len(self.data) if self.size is None else self.size,
            crc32(self.data) if self.crc is None else self.crc,
        )


def rar5(*files: File, volume: bool = False, end: bytes = END5) -> bytes:
    return RAR5 + _block5(1, 0, _vint(1 if volume else 0)) + b"".join(map(_file5, files)) + end


def rar5_with_encrypted_headers() -> bytes:
    return RAR5 + _block5(4, 0, _vint(0) + _vint(0) + b"\x0f" + bytes(16)) + bytes(64) + END5


def _file5(file: File) -> bytes:
    size, crc = file.told
    extra = b""
    if file.link_to is not None:
        target = file.link_to.encode()
        extra += _record(_vint(5) + _vint(1) + _vint(0) + _vint(len(target)) + target)
    if file.encrypted:
        extra += _record(_vint(1) + _vint(0) + _vint(0) + b"\x0f" + bytes(32))
    packing = (0 if file.packed is None else 3 << 7) | file.dictionary << 10
    body = b"".join(
        (
            _vint(0x4 | (0x1 if file.folder else 0)),
            _vint(size),
            _vint(file.mode or 0),
            struct.pack("<I", crc),
            _vint(packing),
            _vint(WINDOWS if file.mode is None else UNIX),
            _vint(len(file.raw)),
            file.raw,
            extra,
        )
    )
    flags = 0x2 | (0x1 if extra else 0) | (0x10 if file.split else 0)
    sizes = (_vint(len(extra)) if extra else b"") + _vint(len(file.stored))
    return _block5(2, flags, sizes + body) + file.stored


def _block5(kind: int, flags: int, body: bytes) -> bytes:
    told = _vint(kind) + _vint(flags) + body
    told = _vint(len(told)) + told
    return struct.pack("<I", crc32(told)) + told


def _record(body: bytes) -> bytes:
    return _vint(len(body)) + body


def _vint(number: int) -> bytes:
    made = bytearray()
    while number > 0x7F:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*made, number))


def rar4(*files: File, end: bytes = END4) -> bytes:
    return RAR4 + _block4(0x73, 0, bytes(6)) + b"".join(map(_file4, files)) + end


def _file4(file: File) -> bytes:
    size, crc = file.told
    flags = 0x8000 | (0xE0 if file.folder else 0) | (0x4 if file.encrypted else 0) | (0x2 if file.split else 0)
    host, mode = (2, 0x20) if file.mode is None else (3, file.mode)
    told = struct.pack("<IIBIIBBHI", len(file.stored), size, host, crc, 0x5A21_0000, 20, 0x30, len(file.raw), mode)
    return _block4(0x74, flags, told + file.raw) + file.stored


def _block4(kind: int, flags: int, body: bytes) -> bytes:
    told = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", crc32(told) & 0xFFFF) + told


def packed_by_repeating(times: int) -> tuple[bytes, int]:
    """ "A", then one match of 4097 bytes, then `times` more by one bit each: rar 5 packs 32,000 to 1 with ease."""
    lengths = [0] * (306 + 64 + 16 + 44)
    lengths[ord("A")], lengths[_AGAIN], lengths[_LONGEST], lengths[306] = 2, 1, 2, 1
    bits = "".join(f"{2 if symbol in (1, 2, 18, 19) else 0:04b}" for symbol in range(20)) + _run_lengths(lengths)
    # canonical codes: again 0, A 10, longest 11 (then nine more bits of its length, and the distance 1)
    bits += "10" + "11" + "1" * 9 + "0" + "0" * times
    told = bits + "0" * (-len(bits) % 8)
    content = int(told, 2).to_bytes(len(told) // 8, "big")
    flags = (7 - (-len(bits) % 8)) | 2 << 3 | 0x40 | 0x80
    size = len(content).to_bytes(3, "little")
    head = bytes((flags, 0x5A ^ flags ^ size[0] ^ size[1] ^ size[2])) + size
    return head + content, 1 + 4097 * (1 + times)


_AGAIN, _LONGEST = 257, 305
_TOLD = {1: "00", 2: "01", 18: "10", 19: "11"}


def _run_lengths(lengths: list[int]) -> str:
    bits, at = "", 0
    while at < len(lengths):
        if lengths[at]:
            bits += _TOLD[lengths[at]]
            at += 1
            continue
        run = 1
        while at + run < len(lengths) and not lengths[at + run] and run < 138:
            run += 1
        assert run >= 3
        bits += _TOLD[19] + f"{run - 11:07b}" if run >= 11 else _TOLD[18] + f"{run - 3:03b}"
        at += run
    return bits
