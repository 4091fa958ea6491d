"""The load: made-up candidates, reviewers and an administrator at work over HTTP, many at once, whatever breaks.

`running.py` and the journey of the worst moments run it. Every story is alone with its application, in order, so a
refusal is as wrong as a lost answer.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from random import Random

from ops.stack.stack import Stack
from shared import events
from soak.client import Client, Refusal, Stopped
from soak.journal import Journal
from soak.people import People
from soak.stories import Applying, Registry, Story


class Load:
    """Runs in a thread with a loop of its own, so that faults may block. `in_flight` tells what is under way now."""

    def __init__(self, stack: Stack, people: People, journal: Journal, seed: str) -> None:
        self._base_urls = {name: stack.base_url(name) for name in events.SERVICES}
        self._journal = journal
        self._people = people
        self._seed = seed
        self._stopping = threading.Event()
        self._client: Client | None = None
        self._thread = threading.Thread(target=self._work, name="load", daemon=True)
        self._cancel: Callable[[], object] = self._stopping.set
        self.refusals: list[str] = []
        self.fault: Exception | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self, within: float) -> bool:
        """No new requests; whether all that were under way got their answer in time. The others are given up."""
        self._stopping.set()
        self._thread.join(within)
        in_time = not self._thread.is_alive()
        self._cancel()
        self._thread.join()
        return in_time

    @property
    def in_flight(self) -> int:
        return self._client.in_flight if self._client else 0

    @property
    def counted(self) -> Counter[str]:
        return self._client.counted if self._client else Counter()

    def _work(self) -> None:
        with suppress(asyncio.CancelledError):
            asyncio.run(self._run())

    async def _run(self) -> None:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None  # we run in one
        self._cancel = lambda: loop.is_closed() or loop.call_soon_threadsafe(task.cancel)
        self._client = client = Client(self._base_urls, self._journal, self._stopping)
        try:
            async with asyncio.TaskGroup() as stories:
                for applicant in self._people.applicants:
                    stories.create_task(self._again_and_again(Applying(client, self._people, applicant)))
                stories.create_task(self._again_and_again(Registry(client, self._people)))
        except Exception as error:  # noqa: BLE001 - a thread has nobody to raise it to; `running.py` tells it
            self.fault = error
        finally:
            await client.close()

    async def _again_and_again(self, story: Story) -> None:
        random = Random(f"{self._seed}/{story.name}")  # noqa: S311 - the seed is the point
        while not self._stopping.is_set():
            try:
                await story.step(random)
            except Refusal as refusal:
                self.refusals.append(str(refusal))
                return
            except Stopped:  # in the middle of a step
                return
            await asyncio.sleep(random.uniform(0.0, 0.2))
