"""Blobs: sealed per person, unreadable to others, in a folder nobody else may enter."""

import hashlib
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kernel.errors import Refused
from shared.runtime.blobs import Blobs
from shared.runtime.event_store import OUTAGE
from shared.runtime.keyring import Cipher, Erased, Unreadable
from tests.full_disk import our_files_at_most

PHOTO = b"\xff\xd8 a photograph of a made-up person \xff\xd9" * 100


class Keys:
    """A keyring in memory, with the real cipher."""

    def __init__(self) -> None:
        self.erased: set[str] = set()

    async def cipher(self, person: str) -> Cipher:
        if person in self.erased:
            raise Erased
        return Cipher(hashlib.sha256(person.encode()).digest())


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def blobs(tmp_path: Path, keys: Keys) -> Iterator[Blobs]:
    before = os.umask(0o077)  # as `app.run` sets it
    yield Blobs(str(tmp_path / "blobs"), keys)
    os.umask(before)


def files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


async def test_what_was_put_is_got_back(blobs: Blobs) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    assert (ref.size, ref.content_type) == (len(PHOTO), "image/jpeg")
    assert ref.digest == hashlib.sha256(PHOTO).hexdigest()
    assert await blobs.get("wang", ref.id) == PHOTO


async def test_the_same_content_twice_is_two_blobs(blobs: Blobs) -> None:
    assert (await blobs.put("wang", PHOTO, "image/jpeg")).id != (await blobs.put("wang", PHOTO, "image/jpeg")).id


async def test_on_disk_it_is_sealed_and_only_the_owner_may_read_it(blobs: Blobs, tmp_path: Path) -> None:
    await blobs.put("wang", PHOTO, "image/jpeg")
    (file,) = files(tmp_path)
    assert b"photograph" not in file.read_bytes()
    assert file.stat().st_mode & 0o077 == 0
    for folder in (tmp_path / "blobs", file.parent, file.parent.parent):
        assert folder.stat().st_mode & 0o077 == 0


async def test_another_persons_blob_is_not_found(blobs: Blobs) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    with pytest.raises(Refused, match=r"access\.not_found"):
        await blobs.get("li", ref.id)


async def test_an_erased_persons_blob_is_erased(blobs: Blobs, keys: Keys) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    keys.erased.add("wang")
    with pytest.raises(Erased):
        await blobs.get("wang", ref.id)
    with pytest.raises(Erased):
        await blobs.put("wang", PHOTO, "image/jpeg")


async def test_a_flipped_byte_is_seen(blobs: Blobs, tmp_path: Path) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    (file,) = files(tmp_path)
    sealed = bytearray(file.read_bytes())
    sealed[-1] ^= 1
    file.write_bytes(bytes(sealed))
    with pytest.raises(Unreadable):
        await blobs.get("wang", ref.id)


async def test_a_blob_moved_under_another_id_is_seen(blobs: Blobs, tmp_path: Path) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    (file,) = files(tmp_path)
    other = ref.id[:4] + "0" * 28
    file.rename(file.with_name(other))
    with pytest.raises(Unreadable):
        await blobs.get("wang", other)


@given(st.text(max_size=40) | st.from_regex(r"(\.\./)+[a-z]{3}") | st.from_regex(r"\A[0-9a-f]{32}\n\Z"))
async def test_an_id_that_is_none_of_ours_never_becomes_a_path(typed: str) -> None:
    blobs = Blobs("memory://", Keys())
    for use in (blobs.get("wang", typed), blobs.delete(typed)):
        with pytest.raises(Refused, match=r"access\.not_found"):
            await use


async def test_deleting_is_done_once_and_harmless_twice(blobs: Blobs, tmp_path: Path) -> None:
    ref = await blobs.put("wang", PHOTO, "image/jpeg")
    await blobs.delete(ref.id)
    await blobs.delete(ref.id)
    assert files(tmp_path) == []
    with pytest.raises(Refused, match=r"access\.not_found"):
        await blobs.get("wang", ref.id)


async def test_what_is_older_is_listed_for_the_sweeper(blobs: Blobs, tmp_path: Path) -> None:
    old, new = [await blobs.put("wang", PHOTO, "image/jpeg") for _ in range(2)]
    yesterday = datetime.now(UTC) - timedelta(days=1)
    (file,) = [path for path in files(tmp_path) if path.name == old.id]
    os.utime(file, (yesterday.timestamp() - 1, yesterday.timestamp() - 1))
    assert [blob async for blob in blobs.list_older_than(yesterday)] == [old.id]
    assert {blob async for blob in blobs.list_older_than(datetime.now(UTC) + timedelta(minutes=1))} == {old.id, new.id}


async def test_a_full_disk_is_told_as_an_outage_and_leaves_no_half_of_a_blob(blobs: Blobs, tmp_path: Path) -> None:
    with our_files_at_most(1000):
        with pytest.raises(OUTAGE):
            await blobs.put("wang", PHOTO, "image/jpeg")
        assert files(tmp_path) == []
        small = await blobs.put("wang", b"small", "image/jpeg")
    assert await blobs.get("wang", (await blobs.put("wang", PHOTO, "image/jpeg")).id) == PHOTO
    assert await blobs.get("wang", small.id) == b"small"
