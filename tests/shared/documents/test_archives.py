"""Uploaded archives: listed as they are, and refused by what is in them and not by what they say of themselves."""

import io
import random
import stat
import struct
import zipfile
import zlib
from collections.abc import Callable

import pytest
from PIL import Image

from shared.documents.archive_rules import Limits
from shared.documents.archives import inspect, opened
from shared.documents.photo_rules import PhotoRules
from shared.documents.pool import DocumentWorkers
from shared.kernel.errors import Refused
from tests.shared.documents.rars import (
    RAR5,
    File,
    packed_by_repeating,
    rar4,
    rar5,
    rar5_with_encrypted_headers,
)

PDF = b"%PDF-1.7\n%made up\n"


def picture(kind: str = "JPEG", size: tuple[int, int] = (400, 300)) -> bytes:
    made = io.BytesIO()
    Image.effect_noise(size, 60).convert("RGB").save(made, kind)
    return made.getvalue()


JPEG, PNG = picture(), picture("PNG")


def zipped(*files: tuple[str | zipfile.ZipInfo, bytes], packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as archive:
        for name, data in files:
            archive.writestr(name, data, packed)
    return made.getvalue()


def rar_4(*files: tuple[str, bytes]) -> bytes:
    return rar4(*(File(name, data) for name, data in files))


def rar_5(*files: tuple[str, bytes]) -> bytes:
    return rar5(*(File(name, data) for name, data in files))


MAKERS: dict[str, Callable[..., bytes]] = {"zip": zipped, "rar4": rar_4, "rar5": rar_5}
makers = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS.keys())


def code(blob: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Refused) as refused:
        inspect(blob, limits or Limits())
    return refused.value.code.removeprefix("documents.archive_")


# --- what is good


@makers
def test_every_file_is_listed_with_name_size_and_kind_by_content(make: Callable[..., bytes]) -> None:
    listing = inspect(make(("合格证/红卡.jpg", JPEG), ("实践考核卡.png", PNG), ("说明.pdf", PDF)))
    assert [(entry.place, entry.name, entry.bytes, entry.kind) for entry in listing.entries] == [
        (1, "合格证/红卡.jpg", len(JPEG), "JPEG"),
        (2, "实践考核卡.png", len(PNG), "PNG"),
        (3, "说明.pdf", len(PDF), "PDF"),
    ]
    assert listing.accepted
    assert listing.format in ("ZIP", "RAR")
    assert listing.unpacked == len(JPEG) + len(PNG) + len(PDF)


@makers
def test_one_file_is_taken_out_by_its_place(make: Callable[..., bytes]) -> None:
    blob = make(("a.jpg", JPEG), ("b.png", PNG))
    assert (opened(blob, 1), opened(blob, 2)) == (JPEG, PNG)
    with pytest.raises(Refused) as refused:
        opened(blob, 3)
    assert refused.value.code == "documents.archive_no_such_file"


@makers
def test_a_kind_is_read_from_the_content_and_not_from_the_name(make: Callable[..., bytes]) -> None:
    assert [entry.kind for entry in inspect(make(("a.png", JPEG))).entries] == ["JPEG"]


def test_a_stored_zip_is_read_too() -> None:
    assert inspect(zipped(("a.jpg", JPEG), packed=zipfile.ZIP_STORED)).accepted


def test_a_rar_that_really_packs_is_unpacked() -> None:
    packed, count = packed_by_repeating(10)
    with pytest.raises(Refused) as refused:
        inspect(rar5(File("a.txt", b"A" * count, packed=packed)))
    assert refused.value.facts == {"place": 1, "kind": "unknown", "allowed": ("JPEG", "PNG", "PDF")}  # came out whole
    assert opened(rar5(File("a.txt", b"A" * count, packed=packed)), 1) == b"A" * count


@makers
def test_each_picture_is_judged_by_the_rules_of_every_upload(make: Callable[..., bytes]) -> None:
    rules = Limits(pictures=PhotoRules(min_width=800, min_height=600))
    listing = inspect(make(("small.jpg", JPEG), ("large.jpg", picture(size=(800, 600)))), rules)
    assert not listing.accepted
    assert [entry.name for entry in listing.failures] == ["small.jpg"]
    assert listing.failures[0].report is not None
    assert [result.code for result in listing.failures[0].report.failures] == ["photo.too_small"]


@makers
def test_a_picture_that_is_cut_off_is_told_as_damaged(make: Callable[..., bytes]) -> None:
    [entry] = inspect(make(("a.jpg", JPEG[: len(JPEG) // 2]))).failures
    assert entry.report is not None
    assert [result.code for result in entry.report.failures] == ["photo.unreadable"]


def test_what_a_computer_adds_by_itself_is_not_listed_but_judged() -> None:
    added = (("__MACOSX/._a.jpg", b"\x00\x05\x16\x07"), ("证/.DS_Store", b"\x00\x00\x00\x01Bud1"))
    assert [entry.name for entry in inspect(zipped(("a.jpg", JPEG), *added)).entries] == ["a.jpg"]
    assert code(zipped(("a.jpg", JPEG), ("__MACOSX/._a.jpg", b"MZ\x90"))) == "holds_program"
    assert code(zipped(("__MACOSX/a.exe", JPEG))) == "holds_program"


def test_folders_are_no_files() -> None:
    assert [entry.name for entry in inspect(zipped(("证/", b""), ("证/a.jpg", JPEG))).entries] == ["证/a.jpg"]
    assert [entry.name for entry in inspect(rar5(File("证", folder=True), File("证/a.jpg", JPEG))).entries] == [
        "证/a.jpg"
    ]
    assert [entry.name for entry in inspect(rar4(File("t", folder=True), File("a.jpg", JPEG))).entries] == ["a.jpg"]


# --- names


def test_names_that_chinese_windows_wrote_are_shown_right() -> None:
    blob = zipped(("##-##-##.jpg", JPEG)).replace(b"##-##-##", "合格证书".encode("gb18030"))
    assert inspect(blob).entries[0].name == "合格证书.jpg"
    assert inspect(rar4(File("合格证书.jpg".encode("gb18030"), JPEG))).entries[0].name == "合格证书.jpg"


def test_names_in_utf_8_that_do_not_say_so_are_shown_right() -> None:
    blob = zipped(("######.jpg", JPEG)).replace(b"######", "证书".encode())
    assert inspect(blob).entries[0].name == "证书.jpg"
    assert inspect(rar4(File("证书.jpg", JPEG))).entries[0].name == "证书.jpg"


def test_the_unicode_name_in_the_extra_field_counts_when_it_belongs_to_the_other() -> None:
    def with_path(of: bytes) -> bytes:
        info = zipfile.ZipInfo("name.jpg")
        path = struct.pack("<BI", 1, zlib.crc32(of)) + "证书.jpg".encode()
        info.extra = struct.pack("<HH", 0x7075, len(path)) + path
        return zipped((info, JPEG))

    assert inspect(with_path(b"name.jpg")).entries[0].name == "证书.jpg"
    assert inspect(with_path(b"other.jpg")).entries[0].name == "name.jpg"


def test_a_name_in_no_encoding_is_refused() -> None:
    assert code(zipped(("####.jpg", JPEG)).replace(b"####", b"\xff\xff\xff\xff")) == "name_unreadable"
    assert code(rar4(File(b"\xff\xff\xff.jpg", JPEG))) == "name_unreadable"


@makers
@pytest.mark.parametrize("name", ["a\u202egpj.jpg", "a\x07.jpg", "x" * 256 + ".jpg", " .", "a\u200b.jpg"])
def test_a_name_that_does_not_show_what_it_is_is_refused(make: Callable[..., bytes], name: str) -> None:
    assert code(make((name, JPEG))) == "name_unreadable"


@makers
@pytest.mark.parametrize("name", ["../a.jpg", "b/../../a.jpg", "/etc/a.jpg", "..", "b/.."])
def test_a_path_that_leads_out_is_refused(make: Callable[..., bytes], name: str) -> None:
    assert code(make((name, JPEG))) == "path_escapes"


@pytest.mark.parametrize("name", ["..\\a.jpg", "C:\\a.jpg", "c:a.jpg", "\\\\server\\a.jpg"])
def test_a_path_of_windows_that_leads_out_is_refused(name: str) -> None:
    assert code(zipped((name, JPEG))) == "path_escapes"


@makers
def test_two_files_of_one_name_are_refused_also_when_only_windows_mixes_them_up(make: Callable[..., bytes]) -> None:
    assert code(make(("A.jpg", JPEG), ("a.JPG", PNG))) == "duplicate_names"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_the_very_same_name_twice_is_refused() -> None:
    assert code(zipped(("a.jpg", JPEG), ("a.jpg", PNG))) == "duplicate_names"


# --- what does not belong there


@makers
@pytest.mark.parametrize(
    "name", ["a.exe", "a.jpg.exe", "a.exe. .", "a.BAT", "a.js", "a.lnk", "a.vbs", "a.svg", "a.html"]
)
def test_a_program_is_refused_by_its_name(make: Callable[..., bytes], name: str) -> None:
    assert code(make((name, JPEG))) == "holds_program"


@makers
@pytest.mark.parametrize("data", [b"MZ\x90\x00", b"\x7fELF\x02", b"#!/bin/sh\n", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_program_is_refused_by_its_content(make: Callable[..., bytes], data: bytes) -> None:
    assert code(make(("a.jpg", data))) == "holds_program"


@makers
def test_an_archive_in_the_archive_is_refused_by_name_and_by_content(make: Callable[..., bytes]) -> None:
    assert code(make(("a.zip", JPEG))) == "nested"
    for inner in (zipped(("a.jpg", JPEG)), rar_5(("a.jpg", JPEG)), b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08"):
        assert code(make(("a.jpg", inner))) == "nested"


@makers
@pytest.mark.parametrize(
    ("data", "kind"), [(b"<html>", "HTML"), (b"GIF89a", "GIF"), (b"hello", "unknown"), (b"", "unknown")]
)
def test_another_kind_is_refused_and_named(make: Callable[..., bytes], data: bytes, kind: str) -> None:
    with pytest.raises(Refused) as refused:
        inspect(make(("a.jpg", data)))
    assert refused.value.code == "documents.archive_holds_other_kind"
    assert refused.value.facts["kind"] == kind


def test_links_are_refused() -> None:
    info = zipfile.ZipInfo("a.jpg")
    info.create_system, info.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    assert code(zipped((info, b"/etc/passwd"))) == "holds_links"
    assert code(rar5(File("a.jpg", link_to="/etc/passwd"))) == "holds_links"
    assert code(rar4(File("a.jpg", b"/etc/passwd", mode=stat.S_IFLNK | 0o777))) == "holds_links"


@makers
def test_an_archive_of_nothing_is_refused(make: Callable[..., bytes]) -> None:
    assert code(make()) == "empty"


# --- the file itself


@pytest.mark.parametrize("blob", [b"", b"hello", JPEG, b"MZ" + zipped(("a.jpg", JPEG)), b"7z\xbc\xaf\x27\x1c"])
def test_what_is_no_zip_or_rar_by_content_is_refused(blob: bytes) -> None:
    assert code(blob) == "wrong_format"


def test_a_book_may_ask_for_one_of_the_two() -> None:
    assert code(rar_5(("a.jpg", JPEG)), Limits(formats=("ZIP",))) == "wrong_format"


@makers
def test_an_archive_that_was_cut_off_anywhere_is_refused(make: Callable[..., bytes]) -> None:
    blob = make(("a.jpg", JPEG), ("b.jpg", JPEG))
    for length in (*range(8, len(blob), len(blob) // 23), len(blob) - 1):
        assert code(blob[:length]) in ("damaged", "wrong_format"), length


@makers
def test_a_changed_byte_in_the_content_is_noticed(make: Callable[..., bytes]) -> None:
    blob = make(("a.jpg", JPEG))
    at = blob.index(b"a.jpg") + len(JPEG) // 2
    assert code(blob[:at] + bytes((blob[at] ^ 1,)) + blob[at + 1 :]) in ("damaged", "size_untrue", "hides_content")


def test_encrypted_archives_are_refused() -> None:
    blob = bytearray(zipped(("a.jpg", JPEG)))
    blob[blob.index(b"PK\x01\x02") + 8] |= 1
    blob[6] |= 1
    assert code(bytes(blob)) == "encrypted"
    assert code(rar5(File("a.jpg", JPEG, encrypted=True))) == "encrypted"
    assert code(rar4(File("a.jpg", JPEG, encrypted=True))) == "encrypted"
    assert code(rar5_with_encrypted_headers()) == "encrypted"


def test_one_of_several_volumes_is_refused() -> None:
    assert code(rar5(File("a.jpg", JPEG), volume=True)) == "in_volumes"
    assert code(rar5(File("a.jpg", JPEG, split=True))) == "in_volumes"
    assert code(rar4(File("a.jpg", JPEG, split=True))) == "in_volumes"


def test_a_rar_that_asks_for_four_gigabytes_of_memory_is_refused() -> None:
    assert code(rar5(File("a.jpg", JPEG, dictionary=15))) == "needs_memory"


def test_packing_that_hardly_anybody_uses_is_refused_by_name() -> None:
    assert code(zipped(("a.jpg", JPEG), packed=zipfile.ZIP_LZMA)) == "method_unknown"


def test_rubbish_after_the_right_beginning_is_damaged() -> None:
    assert code(b"PK\x03\x04" + bytes(200)) == "damaged"
    assert code(RAR5 + bytes(200)) == "damaged"
    assert code(rar5(File("a.jpg", JPEG), end=b"")) == "damaged"
    assert code(rar4(File("a.jpg", JPEG), end=b"")) == "damaged"


# --- where it is done


async def test_an_archive_is_listed_and_opened_in_a_worker() -> None:
    async with DocumentWorkers(reads=False) as documents:
        blob = rar_5(("a.jpg", JPEG), ("b.png", PNG))
        assert await documents.list_archive(blob, Limits()) == inspect(blob)
        assert await documents.open_archive(blob, 2, Limits()) == PNG
        with pytest.raises(Refused, match=r"documents\.archive_encrypted"):
            await documents.list_archive(rar5_with_encrypted_headers(), Limits())


@makers
def test_whatever_is_broken_is_answered_with_a_code(make: Callable[..., bytes]) -> None:
    """A few hundred of the ways; anything but a listing or a refusal would be a fault of ours."""
    chance = random.Random(5)
    whole = make(("证.jpg", picture(size=(16, 12))), ("b.pdf", PDF))
    codes = set()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(broken))
            broken[at : at + chance.choice((0, 1, 1, 9))] = chance.randbytes(chance.choice((0, 1, 1, 9)))
        try:
            inspect(bytes(broken))
        except Refused as refused:
            codes.add(refused.code)
    assert "documents.archive_damaged" in codes
