"""Uploaded archives: how much may come out of one, and that one zip has no two readings."""

import struct
import tracemalloc
import zipfile
from collections.abc import Callable

from shared.documents.archive_rules import MB, Limits
from shared.documents.archives import inspect
from tests.shared.documents.rars import File, packed_by_repeating, rar5
from tests.shared.documents.test_archives import JPEG, code, makers, zipped

# --- how much


@makers
def test_a_thousand_files_are_refused_before_one_is_unpacked(make: Callable[..., bytes]) -> None:
    assert code(make(*((f"{number}.jpg", b"") for number in range(1000)))) == "too_many_files"
    assert code(make(*((f"{number}.jpg", JPEG) for number in range(4))), Limits(most_files=3)) == "too_many_files"
    assert inspect(make(*((f"{number}.jpg", JPEG) for number in range(3))), Limits(most_files=3)).accepted


def test_a_hundred_thousand_entries_are_not_even_read() -> None:
    assert code(b"PK\x03\x04" + b"PK\x01\x02" * 100_000) == "too_many_files"


def test_an_archive_over_its_bytes_is_refused() -> None:
    assert code(zipped(("a.jpg", bytes(MB)), packed=zipfile.ZIP_STORED), Limits(most_bytes=MB)) == "too_many_bytes"


def test_ten_declared_gigabytes_are_refused_before_one_is_unpacked() -> None:
    packed, _ = packed_by_repeating(10)
    assert code(rar5(File("a.jpg", size=10 << 30, crc=0, packed=packed))) == "unpacked_too_large"
    assert code(zipped(*((f"{number}.jpg", bytes(30 * MB)) for number in range(4)))) == "unpacked_too_large"


def test_much_from_little_is_refused() -> None:
    assert code(zipped(("a.jpg", bytes(30 * MB)))) == "ratio_too_high"


def _lying(blob: bytes, size: int) -> bytes:
    """Both headers of the one file say that it is so large."""
    lied = bytearray(blob)
    struct.pack_into("<I", lied, 22, size)
    struct.pack_into("<I", lied, blob.index(b"PK\x01\x02") + 24, size)
    return bytes(lied)


def test_a_zip_that_lies_about_its_size_is_stopped_while_it_is_unpacked() -> None:
    bomb = _lying(zipped(("a.jpg", bytes(150 * MB))), 1000)
    tracemalloc.start()
    try:
        assert code(bomb, Limits(most_unpacked=20 * MB)) == "unpacked_too_large"
        assert tracemalloc.get_traced_memory()[1] < 45 * MB
    finally:
        tracemalloc.stop()
    assert code(_lying(zipped(("a.jpg", JPEG)), 1000)) == "size_untrue"


def test_a_rar_bomb_of_twenty_five_kilobytes_is_stopped_while_it_is_unpacked() -> None:
    packed, count = packed_by_repeating(200_000)
    assert len(packed) < 26_000
    assert count > 800 * MB // 1.05
    limits = Limits(most_unpacked=20 * MB, most_ratio=10_000)
    assert code(rar5(File("a.jpg", size=19 * MB, crc=0, packed=packed)), limits) in ("damaged", "unpacked_too_large")
    assert code(rar5(File("a.jpg", size=100, crc=0, packed=packed))) == "damaged"  # UnRAR ends at the declared size
    assert code(rar5(File("a.jpg", b"hello", size=9))) == "size_untrue"


# --- two readings of one zip


def test_files_that_lie_over_each_other_are_refused() -> None:
    blob = zipped(("a.jpg", JPEG), ("b.jpg", JPEG), packed=zipfile.ZIP_STORED)
    directory = bytearray(blob)
    second = blob.index(b"PK\x01\x02", blob.index(b"PK\x01\x02") + 4)
    struct.pack_into("<I", directory, second + 42, 0)
    assert code(bytes(directory)) in ("overlaps", "damaged")
    one = zipped(("a.jpg", JPEG), packed=zipfile.ZIP_STORED)
    grown = bytearray(one)
    struct.pack_into("<I", grown, one.index(b"PK\x01\x02") + 20, len(JPEG) + 40)
    grown[6] |= 8  # the sizes are said to come later, so only the directory tells them
    grown[one.index(b"PK\x01\x02") + 8] |= 8
    assert code(bytes(grown)) == "overlaps"


def test_a_file_that_the_directory_does_not_list_is_refused() -> None:
    seen, hidden = zipped(("a.jpg", JPEG)), zipped(("b.exe", b"MZ" + bytes(100)))
    inner = hidden[: hidden.index(b"PK\x01\x02")]
    at = seen.index(b"PK\x01\x02")
    moved = bytearray(seen[:at] + inner + seen[at:])
    end = moved.rindex(b"PK\x05\x06")
    struct.pack_into("<I", moved, end + 16, at + len(inner))
    assert code(bytes(moved)) == "hides_content"


def test_another_name_before_the_file_than_in_the_directory_is_refused() -> None:
    blob = zipped(("a.jpg", JPEG))
    assert code(blob.replace(b"a.jpg", b"a.exe", 1)) == "damaged"
