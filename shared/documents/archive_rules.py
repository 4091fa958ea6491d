"""What an uploaded archive may be, and what is told of one: the plain types of `archives.py`.

Services name these without loading what their workers need (OpenCV, UnRAR).
"""

from dataclasses import dataclass

from shared.documents.photo_rules import PhotoReport, PhotoRules

MB = 1 << 20

_ANY_PICTURE = PhotoRules()


@dataclass(frozen=True)
class Limits:
    """What an archive may be. `pictures` are the rules of each picture in it."""

    formats: tuple[str, ...] = ("ZIP", "RAR")
    kinds: tuple[str, ...] = ("JPEG", "PNG", "PDF")
    most_bytes: int = 20 * MB
    most_files: int = 60
    most_unpacked: int = 100 * MB
    most_ratio: int = 100
    pictures: PhotoRules = _ANY_PICTURE


@dataclass(frozen=True)
class Entry:
    """One file, as the reviewer sees it listed. `place` finds it again."""

    place: int
    name: str
    bytes: int
    kind: str  # by content
    report: PhotoReport | None  # of a picture


@dataclass(frozen=True)
class Listing:
    """What is in an archive that was not refused."""

    format: str
    entries: tuple[Entry, ...]
    unpacked: int

    @property
    def accepted(self) -> bool:
        return not self.failures

    @property
    def failures(self) -> tuple[Entry, ...]:
        return tuple(entry for entry in self.entries if entry.report is not None and not entry.report.accepted)
