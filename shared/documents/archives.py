"""Uploaded archives (SX-G-11, 13, 66): zip or rar, by content and never by name, listed for the reviewer.

Called in a worker of `pool.py` for the upload route of graduation: pure CPU, bytes in, frozen result out (see
`archive_rules.py`), nothing is written anywhere. What is wrong with the archive is refused with a code; what is wrong
with a picture in it is told picture by picture, by the rules of every other upload. `opened` takes one file out for
showing it.
"""

from collections import Counter
from collections.abc import Iterator

from shared.documents import archive_rar, archive_zip, images
from shared.documents.archive_parts import (
    ARCHIVES,
    PROGRAMS,
    Part,
    Room,
    added_by_a_system,
    kind_of,
    packs,
    runs,
)
from shared.documents.archive_rules import MB, Entry, Limits, Listing
from shared.kernel.errors import Refused

_PICTURES = ("JPEG", "PNG")
_RATIO_COUNTS_FROM = 5 * MB  # unpacked: below it a white page may be a thousand times smaller
_STANDARD = Limits()


def inspect(blob: bytes, limits: Limits = _STANDARD) -> Listing:
    """Everything in it, unpacked and judged; or the first thing that is wrong, as a refusal."""
    kind, archive = _archive(blob, limits)
    entries = []
    for part, data in _files(archive, limits):
        found = kind_of(data)
        _may_be_inside(part, found)
        if added_by_a_system(part.name):
            continue
        if found not in limits.kinds:
            raise Refused("documents.archive_holds_other_kind", place=part.place, kind=found, allowed=limits.kinds)
        report = images.inspect(data, limits.pictures) if found in _PICTURES else None
        entries.append(Entry(part.place, part.name, len(data), found, report))
    if not entries:
        raise Refused("documents.archive_empty")
    return Listing(kind, tuple(entries), sum(part.bytes for part in archive.parts))


def opened(blob: bytes, place: int, limits: Limits = _STANDARD) -> bytes:
    """The content of one entry of an archive that `inspect` has listed."""
    _, archive = _archive(blob, limits)
    for part, data in _files(archive, limits):
        if part.place == place:
            return data
    raise Refused("documents.archive_no_such_file", place=place)


_STARTS = {archive_zip.START: "ZIP", archive_zip.EMPTY: "ZIP", archive_rar.START: "RAR"}


def _archive(blob: bytes, limits: Limits) -> tuple[str, archive_zip.Zip | archive_rar.Rar]:
    if len(blob) > limits.most_bytes:
        raise Refused("documents.archive_too_many_bytes", megabytes=len(blob) // MB, limit=limits.most_bytes // MB)
    kind = next((name for start, name in _STARTS.items() if blob.startswith(start)), None)
    if kind is None or kind not in limits.formats:
        raise Refused("documents.archive_wrong_format", kind=kind or kind_of(blob), allowed=limits.formats)
    most = 2 * limits.most_files  # folders, and what systems add
    archive = archive_zip.Zip(blob, most) if kind == "ZIP" else archive_rar.Rar(blob, most)
    _judge_what_is_declared(archive.parts, len(blob), limits)
    archive.check()
    return kind, archive


def _judge_what_is_declared(parts: tuple[Part, ...], size: int, limits: Limits) -> None:
    """Cheap, so before anything is unpacked."""
    files = [part for part in parts if not part.folder]
    if len(files) > limits.most_files or len(parts) > 2 * limits.most_files:
        raise Refused("documents.archive_too_many_files", count=len(parts), limit=limits.most_files)
    if any(part.encrypted for part in parts):
        raise Refused("documents.archive_encrypted")
    names: Counter[str] = Counter()
    for part in parts:
        same = part.name.rstrip("/").casefold()  # as Windows sees it
        names[same] += 1
        if names[same] > 1:
            raise Refused("documents.archive_duplicate_names", place=part.place)
        if part.link:
            raise Refused("documents.archive_holds_links", place=part.place)
        if not part.folder and packs(part.name):
            raise Refused("documents.archive_nested", place=part.place)
        if not part.folder and runs(part.name):
            raise Refused("documents.archive_holds_program", place=part.place)
    unpacked = sum(part.bytes for part in parts)
    if unpacked > limits.most_unpacked:
        raise Refused("documents.archive_unpacked_too_large", limit=limits.most_unpacked // MB)
    if unpacked > max(_RATIO_COUNTS_FROM, limits.most_ratio * size):
        raise Refused("documents.archive_ratio_too_high", limit=limits.most_ratio)


def _files(archive: archive_zip.Zip | archive_rar.Rar, limits: Limits) -> Iterator[tuple[Part, bytes]]:
    files = [part for part in archive.parts if not part.folder]
    return zip(files, archive.contents(Room(limits.most_unpacked)), strict=True)


def _may_be_inside(part: Part, kind: str) -> None:
    if kind in PROGRAMS:
        raise Refused("documents.archive_holds_program", place=part.place)
    if kind in ARCHIVES:
        raise Refused("documents.archive_nested", place=part.place)
