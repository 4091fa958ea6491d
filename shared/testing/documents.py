"""The workers for pictures and OCR that all services of a test run share: `resources(..., documents=DOCUMENTS)`."""

from typing import Self

from shared.documents.archive_rules import Limits, Listing
from shared.documents.hints import Reading
from shared.documents.photo_rules import PhotoRules, PreparedPhoto
from shared.documents.pool import DocumentWorkers, Pool


class SharedDocuments(DocumentWorkers):
    """Started by the first photograph, and not by each service that a test opens: that is two processes, one of which
    loads its models for two seconds of CPU. They end with the run, when their pipe does."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def prepare(self, data: bytes, rules: PhotoRules) -> PreparedPhoto:
        self._begun(self._images)
        return await super().prepare(data, rules)

    async def offer(self, data: bytes, rules: PhotoRules) -> bytes | None:
        self._begun(self._images)
        return await super().offer(data, rules)

    async def list_archive(self, data: bytes, limits: Limits) -> Listing:
        self._begun(self._images)
        return await super().list_archive(data, limits)

    async def open_archive(self, data: bytes, place: int, limits: Limits) -> bytes:
        self._begun(self._images)
        return await super().open_archive(data, place, limits)

    async def read(self, picture: bytes) -> Reading:
        assert self._ocr is not None
        self._begun(self._ocr)
        return await super().read(picture)

    def _begun(self, pool: Pool) -> None:
        if not pool.started:
            pool.start()


DOCUMENTS = SharedDocuments()
