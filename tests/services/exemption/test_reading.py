"""What OCR reads is a hint: an upload does not wait for it longer than people do."""

import asyncio

from services.exemption.api.photographs import reading
from services.exemption.domain.scheme import ExemptionScheme
from shared.documents.hints import Reading
from shared.documents.pool import DocumentWorkers
from shared.schemes.catalog import Catalog


class NeverDone(DocumentWorkers):
    """A reader that is far too busy."""

    async def read(self, picture: bytes) -> Reading:
        await asyncio.Event().wait()
        raise AssertionError


async def test_an_upload_goes_on_without_a_hint_when_the_reader_takes_too_long() -> None:
    slot = Catalog.load().get("swust/1x@1").part("exemption", ExemptionScheme).slot("id_front")
    assert slot is not None
    assert await reading(b"", slot, NeverDone(), within=0.01) == {"name": None, "id_number": None}
