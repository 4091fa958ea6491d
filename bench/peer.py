"""`eventsourcing`, the library that others would take for a store like ours, doing the same work on the same server.

Its cases are left out where it is not installed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from bench import material
from bench.rounds import Reading
from bench.workplace import Workplace

NAME = "eventsourcing"
_POOL = 16
_PAGE = 2000


class Library:
    """An application of it, and aggregates whose events hold what ours hold. It blocks, so it works in threads.

    Nothing of it has a type here, since it may be missing.
    """

    def __init__(self, application: Any, upload: Callable[[dict[str, Any]], Any]) -> None:
        self._application = application
        self._upload = upload
        self._data: dict[str, Any] = msgspec.to_builtins(material.event())

    def _save(self, events: int) -> UUID:
        upload = self._upload(self._data)
        for _ in range(events - 1):
            upload.refuse_again(self._data)
        self._application.save(upload)
        made: UUID = upload.id
        return made

    async def saving(self, seconds: float, callers: int, events: int) -> Reading:
        """New aggregates of `events` events each, one transaction each."""

        def repeat(ends: float) -> int:
            saved = 0
            while time.perf_counter() < ends:
                self._save(events)
                saved += events
            return saved

        def all_of_them() -> Reading:
            self._save(events)
            with ThreadPoolExecutor(callers) as threads:
                began = time.perf_counter()
                saved = sum(threads.map(repeat, [began + seconds] * callers))
                return Reading(saved / (time.perf_counter() - began))

        return await asyncio.to_thread(all_of_them)

    async def fill(self, streams: int, events: int) -> list[UUID]:
        return await asyncio.to_thread(lambda: [self._save(events) for _ in range(streams)])

    async def reading_all(self) -> Reading:
        """Every event in order, decoded to an object; nothing is made of them."""

        def read() -> Reading:
            count, start, began = 0, 1, time.perf_counter()
            while page := self._application.recorder.select_notifications(start=start, limit=_PAGE):
                for notification in page:
                    self._application.mapper.to_domain_event(notification)
                count += len(page)
                start = page[-1].id + 1
            return Reading(count / (time.perf_counter() - began))

        return await asyncio.to_thread(read)

    async def loading(self, streams: list[UUID], events: int) -> Reading:
        def load() -> Reading:
            began = time.perf_counter()
            for stream in streams:
                self._application.repository.get(stream)
            return Reading(len(streams) * events / (time.perf_counter() - began))

        return await asyncio.to_thread(load)


@asynccontextmanager
async def opened(workplace: Workplace) -> AsyncIterator[Library | None]:
    """On an empty database of its own, set up as its manual says; None where it is not installed."""
    if find_spec(NAME) is None:
        yield None
        return
    async with workplace.empty() as url:
        server = urlsplit(url)
        application = import_module(f"{NAME}.application").Application(
            env={
                "PERSISTENCE_MODULE": "eventsourcing.postgres",
                "POSTGRES_DBNAME": server.path.removeprefix("/"),
                "POSTGRES_HOST": str(server.hostname),
                "POSTGRES_PORT": str(server.port),
                "POSTGRES_USER": str(server.username),
                "POSTGRES_PASSWORD": unquote(str(server.password)),
                "POSTGRES_POOL_SIZE": str(_POOL),
                "POSTGRES_MAX_OVERFLOW": "4",
            }
        )
        try:
            yield Library(application, import_module("bench.peer_upload").Upload)
        finally:
            await asyncio.to_thread(application.close)
