"""Passwords (argon2id, RFC 9106): hashed in a thread, few at a time, an unknown account as slowly as a known one.

Called by `api/`, before the command is handed to the service: a transaction must not wait for 100 ms of hashing.
"""

import asyncio
import secrets
from collections.abc import Callable
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from services.identity.settings import IdentitySettings
from shared.kernel.errors import Refused

T = TypeVar("T")
_WAITING_AT_MOST = 64


class Passwords:
    def __init__(self, settings: IdentitySettings) -> None:
        self._hasher = PasswordHasher(time_cost=settings.argon2_time_cost, memory_cost=settings.argon2_memory_kib)
        self._free = asyncio.Semaphore(settings.argon2_at_once)
        self._at_work = 0
        self._nobodys = self._hasher.hash(secrets.token_hex())

    async def hashed(self, password: str) -> str:
        return await self._in_turn(self._hasher.hash, password)

    async def is_right(self, password_hash: str | None, password: str) -> bool:
        """None (no such account) is wrong, but takes as long."""
        right = await self._in_turn(self._verified, password_hash or self._nobodys, password)
        return right and password_hash is not None

    def _verified(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _in_turn(self, work: Callable[..., T], *given: str) -> T:
        """So many at once, so many waiting; more than that is an overload, said at once."""
        if self._at_work >= _WAITING_AT_MOST:
            raise Refused("service.unavailable")
        self._at_work += 1
        try:
            async with self._free:
                return await asyncio.to_thread(work, *given)
        finally:
            self._at_work -= 1
