"""Blobs that no event names go after a day; the others stay."""

import os
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from shared.kernel.errors import Refused
from shared.runtime.blobs import Blobs
from shared.runtime.rows import Connection
from shared.runtime.service import Service
from shared.runtime.sweeper import Sweeper
from shared.testing.stores import KEK
from tests.shared.runtime.toy import DEFINITION

pytestmark = pytest.mark.servers


def let_two_days_pass(folder: Path, now: datetime, but_not_for: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.name != but_not_for:
            os.utime(path, ((now - timedelta(days=2)).timestamp(),) * 2)


async def test_a_blob_no_event_names_is_swept_after_a_day_and_a_named_one_stays(toy: Service, tmp_path: Path) -> None:
    named: set[str] = set()

    async def kept(connection: Connection, blobs: Sequence[str]) -> set[str]:
        return named & set(blobs)

    now = datetime.now(UTC)
    service = Service(replace(DEFINITION, blobs_kept=kept), toy.pool, KEK, lambda: now, None)
    service.blobs = Blobs(str(tmp_path), service.keyring)
    await service.keyring.create("person-blobs")
    first, second, young = [
        (await service.blobs.put("person-blobs", text, "text/plain")).id for text in (b"1", b"2", b"3")
    ]
    let_two_days_pass(tmp_path, now, young)
    named.add(first)
    assert await Sweeper(service).sweep() == 1
    assert await service.blobs.get("person-blobs", first) == b"1"
    assert await service.blobs.get("person-blobs", young) == b"3"
    with pytest.raises(Refused, match=r"access\.not_found"):
        await service.blobs.get("person-blobs", second)
