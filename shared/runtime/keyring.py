"""The keyring: each person's data key, wrapped by the key-encryption key; destroying it erases the person.

Called by the event store and the blobs. Only identity may create keys (the database role decides, not this code).
Only a tombstone reads as `Erased`; a missing key or a database that does not answer is a fault.
"""

import hmac
import os
from collections.abc import Iterable, Sequence
from itertools import takewhile
from time import monotonic

import asyncpg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.kernel.errors import Refused

KEPT_SECONDS = 60.0
_NONCE = 12


def lookup_key(kek: bytes) -> bytes:
    """What `looked_up` hashes with; the number at its end is the generation."""
    return HKDF(SHA256(), 32, None, b"zikao lookup 1").derive(kek)


def looked_up(key: bytes, kind: str, value: str) -> bytes:
    """Keyed hash for finding by ID number, ticket or mobile; the plain value is stored nowhere."""
    return hmac.digest(key, f"{kind}\x1f{value}".encode(), "sha256")


class Erased(Refused):
    """The person's key was destroyed: what it sealed can never be read again, and nothing more is sealed for them."""

    def __init__(self) -> None:
        super().__init__("access.person_erased")


class KeyMissing(Exception):
    """There is no key and no tombstone for this person: a fault, not an erasure."""


class KeyringAway(ConnectionError):
    """The keyring does not serve us now: an outage as much as a lost connection, and no word about anybody's key."""


class Unreadable(Exception):
    """The ciphertext does not open: it was changed, or it stands in another place than it was sealed for."""


class Cipher:
    """AES-256-GCM (NIST SP 800-38D) under one person's key.

    The nonce is a keyed hash of place and text: no counter to keep, no random collision, the same fact seals alike.
    """

    def __init__(self, key: bytes) -> None:
        self._aead = AESGCM(key)
        self._nonce_key = HKDF(SHA256(), 32, None, b"zikao nonce").derive(key)

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        place = len(bound_to).to_bytes(4, "big") + bound_to
        nonce = hmac.digest(self._nonce_key, place + plain, "sha256")[:_NONCE]
        return nonce + self._aead.encrypt(nonce, plain, bound_to)

    def open(self, sealed: bytes, bound_to: bytes) -> bytes:
        try:
            return self._aead.decrypt(sealed[:_NONCE], sealed[_NONCE:], bound_to)
        except (InvalidTag, ValueError) as error:
            raise Unreadable(bound_to.decode("utf-8", "replace")) from error


class Keyring:
    """Unwrapped keys are kept for at most a minute, so an erasure reaches every process within that time."""

    def __init__(self, pool: asyncpg.Pool, kek: bytes) -> None:
        self._pool = pool
        self._wrap = AESGCM(kek)
        self._kept: dict[str, tuple[float, Cipher | None]] = {}
        self._lookup_key = lookup_key(kek)

    def hashed(self, kind: str, value: str) -> bytes:
        return looked_up(self._lookup_key, kind, value)

    async def create(self, person: str) -> None:
        """Make the person's key; does nothing if there is one. Committed at once, before anything is sealed with it."""
        key = os.urandom(32)
        nonce = os.urandom(_NONCE)
        wrapped = nonce + self._wrap.encrypt(nonce, key, person.encode())
        if not await self._pool.fetchval("select keyring.create_key($1, $2)", person, wrapped):
            await self.cipher(person)

    async def erase(self, person: str) -> None:
        await self._pool.execute("select keyring.erase_key($1)", person)
        self._kept.pop(person, None)

    async def cipher(self, person: str) -> Cipher:
        cipher = (await self.ciphers([person]))[person]
        if cipher is None:
            raise Erased
        return cipher

    async def ciphers(self, persons: Iterable[str]) -> dict[str, Cipher | None]:
        """The cipher of each person; None for the erased."""
        wanted = set(persons)
        if not wanted:
            return {}
        fresh = monotonic() - KEPT_SECONDS
        found = {p: kept[1] for p in wanted if (kept := self._kept.get(p)) is not None and kept[0] > fresh}
        missing = sorted(wanted - found.keys())
        if missing:
            rows = await self._read(missing)
            for row in rows:
                found[row["person"]] = None if row["erased"] else self._unwrap(row["person"], row["wrapped"])
            self._remember({person: found[person] for person in missing if person in found})
            if absent := wanted - found.keys():
                raise KeyMissing(", ".join(sorted(absent)))
        return found

    async def _read(self, persons: Sequence[str]) -> list[asyncpg.Record]:
        try:
            return await self._pool.fetch("select * from keyring.read_keys($1)", persons)
        except asyncpg.InsufficientPrivilegeError as error:
            raise KeyringAway("the keyring lets nobody in") from error
        except (OSError, asyncpg.InterfaceError) as error:  # said to whoever would take these for a bug
            raise KeyringAway("the keyring cannot be reached") from error

    def _unwrap(self, person: str, wrapped: bytes) -> Cipher:
        try:
            return Cipher(self._wrap.decrypt(wrapped[:_NONCE], wrapped[_NONCE:], person.encode()))
        except InvalidTag as error:
            raise KeyMissing(f"{person}: wrapped under another key-encryption key") from error

    def _remember(self, ciphers: dict[str, Cipher | None]) -> None:
        now = monotonic()
        # the oldest stand first
        outdated = list(takewhile(lambda person: self._kept[person][0] <= now - KEPT_SECONDS, self._kept))
        for person in (*outdated, *ciphers):
            self._kept.pop(person, None)
        self._kept |= {person: (now, cipher) for person, cipher in ciphers.items()}
