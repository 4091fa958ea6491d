"""Blobs: photographs and files, each sealed under its person's key, in a folder or in S3 (same code).

Services put and get by person and id; the event keeps the `BlobRef`. What no event refers to is swept after a day.
Destroying a person's key makes every blob of theirs unreadable, wherever copies are.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import msgspec
import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, ObjectStore, from_url

from shared.kernel.errors import Refused

_ID = re.compile(r"[0-9a-f]{32}")
_MAGIC = b"ZKB1"
_OWNER_BYTES = 16


class Cipher(Protocol):
    def seal(self, plain: bytes, bound_to: bytes) -> bytes: ...

    def open(self, sealed: bytes, bound_to: bytes) -> bytes: ...


class Ciphers(Protocol):
    """The keyring, as far as blobs need it. An erased person raises its `Erased`."""

    async def cipher(self, person: str) -> Cipher: ...


class BlobsAway(ConnectionError):
    """The folder is full, or the storage does not answer: an outage as much as a lost connection."""


@contextmanager
def _storage() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        raise BlobsAway(type(error).__name__) from error


class BlobRef(msgspec.Struct, frozen=True, kw_only=True):
    """What an event keeps about a blob. `digest` is the sha256 of the plain content."""

    id: str
    digest: str
    size: int
    content_type: str


class Blobs:
    """`url`: a folder, or s3://bucket/prefix with the usual AWS_* environment."""

    def __init__(self, url: str, keyring: Ciphers) -> None:
        self._keyring = keyring
        self._store = _store(url)

    async def put(self, person: str, data: bytes, content_type: str) -> BlobRef:
        ref = BlobRef(id=token_hex(16), digest=sha256(data).hexdigest(), size=len(data), content_type=content_type)
        cipher = await self._keyring.cipher(person)
        sealed = _MAGIC + _owner(person) + cipher.seal(data, _place(person, ref.id))
        with _storage():
            await obstore.put_async(self._store, _path(ref.id), sealed, mode="create", use_multipart=False)
            if isinstance(self._store, LocalStore) and self._store.prefix:
                await asyncio.to_thread(_made_durable, self._store.prefix, _path(ref.id))
        return ref

    async def get(self, person: str, blob: str) -> bytes:
        """Somebody else's id is answered like one that does not exist."""
        stored = await self._read(blob)
        head = len(_MAGIC) + _OWNER_BYTES
        if stored[:head] != _MAGIC + _owner(person):
            raise Refused("access.not_found")
        cipher = await self._keyring.cipher(person)
        return cipher.open(stored[head:], _place(person, blob))

    async def delete(self, blob: str) -> None:
        """Does nothing if it is gone already."""
        with _storage(), suppress(FileNotFoundError):
            await obstore.delete_async(self._store, _path(blob))

    async def list_older_than(self, when: datetime) -> AsyncIterator[str]:
        """Ids of the blobs stored before `when`; the sweeper deletes those that no event refers to."""
        with _storage():
            async for batch in obstore.list(self._store, chunk_size=1000):
                for meta in batch:
                    name = meta["path"].rpartition("/")[2]
                    if meta["last_modified"] < when and _ID.fullmatch(name):
                        yield name

    async def _read(self, blob: str) -> bytes:
        with _storage():
            try:
                answer = await obstore.get_async(self._store, _path(blob))
            except FileNotFoundError:
                raise Refused("access.not_found") from None
            return bytes(await answer.bytes_async())


def _store(url: str) -> ObjectStore:
    if "://" in url:
        return from_url(url)
    folder = Path(url).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # whatever the umask is, nobody else gets past this folder
    return LocalStore(prefix=folder)


def _made_durable(folder: Path, path: str) -> None:
    """The store leaves it to the kernel when a file reaches the disk; an event that names it would be there sooner."""
    file = folder / path
    for each in (file, *file.parents[: path.count("/") + 1]):
        descriptor = os.open(each, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _path(blob: str) -> str:
    """Two levels of folders, so that none grows too large. Only our own ids ever become a path."""
    if not _ID.fullmatch(blob):
        raise Refused("access.not_found")
    return f"{blob[:2]}/{blob[2:4]}/{blob}"


def _owner(person: str) -> bytes:
    return sha256(b"zikao blob owner\x1f" + person.encode()).digest()[:_OWNER_BYTES]


def _place(person: str, blob: str) -> bytes:
    return f"blob|{person}|{blob}".encode()
