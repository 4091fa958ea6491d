"""A client that asks until it is answered, and writes both down before it goes on. The stories speak through it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from itertools import count
from typing import Any

import httpx

from shared.kernel.time import utc_now
from soak.journal import Answered, Asked, Journal, Unknown
from soak.people import Person

ANSWER_WITHIN = 6.0
"""Seconds; longer than a healthy service needs, so that a frozen one is noticed."""
PAUSE = (0.2, 1.0)
"""Before an unknown outcome is asked again: at first, and at most."""
_TAKEN_BACK = frozenset({408, 425, 429})
"""Answers of 4xx that say "later", not "no"."""


class Refusal(Exception):
    """A service said no."""

    def __init__(self, asked: str, code: str) -> None:
        super().__init__(f"{asked} {code}")
        self.code = code


class Stopped(Exception):
    """Nothing more is asked: the load has been told to end."""


class Client:
    """Asks until there is an answer, and writes both down."""

    def __init__(self, base_urls: Mapping[str, str], journal: Journal, stopping: threading.Event) -> None:
        self._base_urls = base_urls
        self._journal = journal
        self._numbers = count(1)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_WITHIN, connect=2.0), trust_env=False)
        self._stopping = stopping
        self.in_flight = 0
        self.counted: Counter[str] = Counter()

    async def close(self) -> None:
        await self._http.aclose()

    async def command(
        self, story: str, person: Person, service: str, method: str, path: str, key: str, **sent: Any
    ) -> dict[str, Any]:
        """`sent` are httpx's own (json, data, files, timeout). Raises `Refusal` for a no, `Stopped` at the end."""
        if self._stopping.is_set():
            raise Stopped
        asked = Asked(
            number=next(self._numbers),
            at=_now(),
            story=story,
            service=service,
            method=method,
            path=path,
            actor=person.id,
            key=key,
        )
        await asyncio.to_thread(self._journal.write, asked)
        self.in_flight += 1
        try:
            answered = await self._until_answered(asked, person, sent)
        finally:
            self.in_flight -= 1
        self.counted["acknowledged" if answered.acknowledged else "refused"] += 1
        if not answered.acknowledged:
            raise Refusal(f"{story}: {method} {path}: {answered.status}", str(answered.answer.get("code")))
        return answered.answer

    async def _until_answered(self, asked: Asked, person: Person, sent: Mapping[str, Any]) -> Answered:
        headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": asked.key}
        pause = PAUSE[0]
        while True:
            try:
                response = await self._http.request(
                    asked.method, self._base_urls[asked.service] + asked.path, headers=headers, **sent
                )
                if response.status_code < 500 and response.status_code not in _TAKEN_BACK:
                    answer = response.json() if response.content else {}
                    answered = Answered(asked.number, _now(), response.status_code, answer)
                    await asyncio.to_thread(self._journal.write, answered)
                    return answered
                why = str(response.status_code)
            except (httpx.TransportError, ValueError) as error:
                why = type(error).__name__
            self.counted["unknown"] += 1
            await asyncio.to_thread(self._journal.write, Unknown(asked.number, _now(), why))
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, PAUSE[1])

    async def look(self, person: Person, service: str, path: str) -> dict[str, Any] | None:
        """A question without a trace; None when it got no answer."""
        try:
            response = await self._http.get(
                self._base_urls[service] + path, headers={"Authorization": f"Bearer {person.token}"}
            )
        except httpx.TransportError:
            return None
        return response.json() if response.is_success else None


def _now() -> str:
    return utc_now().isoformat()
