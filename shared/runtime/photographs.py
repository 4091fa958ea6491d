"""An uploaded photograph: judged by its content in a worker, and kept sealed under its owner's key.

Called by the upload routes of services, before the command that records what came of it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from shared.documents.photo_rules import PhotoRules, RuleResult
from shared.documents.pool import DocumentWorkers
from shared.documents.refusals import explain
from shared.runtime.blobs import BlobRef, Blobs
from shared.schemes.forms import Photo

_TYPES = {"JPEG": "image/jpeg", "PNG": "image/png"}


@dataclass(frozen=True)
class Judged:
    """Every rule with what was measured, as events keep it; `picture` is None when at least one failed."""

    results: tuple[dict[str, Any], ...]
    hints: tuple[dict[str, Any], ...]
    picture: bytes | None
    cropped: bool
    content_type: str  # of the original


async def judge(data: bytes, rules: Photo, documents: DocumentWorkers) -> Judged:
    prepared = await documents.prepare(data, PhotoRules(**rules.asked()))
    report = prepared.report
    return Judged(
        results=tuple(_result(each) for each in report.results),
        hints=tuple(_result(each) for each in report.hints if not each.passed),
        picture=prepared.picture,
        cropped=prepared.cropped,
        content_type=_TYPES.get(report.format, "application/octet-stream"),
    )


async def keep(blobs: Blobs, person: str, data: bytes, content_type: str, picture: bytes) -> tuple[BlobRef, BlobRef]:
    """The original as it came, and the picture drawn anew."""
    original = await blobs.put(person, data, content_type)
    return original, await blobs.put(person, picture, "image/jpeg")


def failed(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return [result for result in results if not result["passed"]]


def _result(result: RuleResult) -> dict[str, Any]:
    zh, en = explain(result)
    return {**asdict(result), "zh": zh, "en": en}
