"""The load: made-up candidates, reviewers and an administrator at work over HTTP, many at once, whatever breaks.

`main.py` and the journey of the kill points run it. Every story is alone with its application, in order, so a refusal
is as wrong as a lost answer. What is not answered is asked again with the same Idempotency-Key until it is.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from itertools import count
from random import Random
from typing import Any
from uuid import UUID

import httpx

from ops.demo.story import TEACHING_POINT
from ops.stack.stack import Stack
from shared.kernel.time import utc_now
from soak.journal import Answered, Asked, Journal, Unknown
from soak.people import Applicant, People, Person

ANSWER_WITHIN = 6.0
"""Seconds; longer than a healthy service needs, so that a frozen one is noticed."""
PAUSE = (0.2, 1.0)
"""Before an unknown outcome is asked again: at first, and at most."""
_TAKEN_BACK = frozenset({408, 425, 429})
"""Answers of 4xx that say "later", not "no"."""


class Refusal(Exception):
    """A service said no to what its story was entitled to."""


class Client:
    """Asks until there is an answer, and writes both down."""

    def __init__(self, base_urls: Mapping[str, str], journal: Journal) -> None:
        self._base_urls = base_urls
        self._journal = journal
        self._numbers = count(1)
        self._http = httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_WITHIN, connect=2.0), trust_env=False)
        self.in_flight = 0
        self.counted: Counter[str] = Counter()

    async def close(self) -> None:
        await self._http.aclose()

    async def command(
        self, story: str, person: Person, service: str, method: str, path: str, key: str, body: Any = None
    ) -> dict[str, Any]:
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
            answered = await self._until_answered(asked, person, body)
        finally:
            self.in_flight -= 1
        self.counted["acknowledged" if answered.acknowledged else "refused"] += 1
        if not answered.acknowledged:
            raise Refusal(f"{story}: {method} {path}: {answered.status} {answered.answer.get('code')}")
        return answered.answer

    async def _until_answered(self, asked: Asked, person: Person, body: Any) -> Answered:
        headers = {"Authorization": f"Bearer {person.token}", "Idempotency-Key": asked.key}
        pause = PAUSE[0]
        while True:
            try:
                response = await self._http.request(
                    asked.method, self._base_urls[asked.service] + asked.path, headers=headers, json=body
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


class Load:
    """Runs in a thread with a loop of its own, so that faults may block. `in_flight` tells what is under way now."""

    def __init__(self, stack: Stack, people: People, journal: Journal, seed: str) -> None:
        self._base_urls = {name: stack.base_url(name) for name in stack.programs}
        self._journal = journal
        self._people = people
        self._seed = seed
        self._stopping = threading.Event()
        self._client: Client | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), name="load", daemon=True)
        self.refusals: list[str] = []
        self.fault: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self, within: float) -> bool:
        """No new requests; whether all that were under way got their answer in time."""
        self._stopping.set()
        self._thread.join(within)
        return not self._thread.is_alive()

    @property
    def in_flight(self) -> int:
        return self._client.in_flight if self._client else 0

    @property
    def counted(self) -> Counter[str]:
        return self._client.counted if self._client else Counter()

    async def _run(self) -> None:
        self._client = client = Client(self._base_urls, self._journal)
        try:
            async with asyncio.TaskGroup() as stories:
                for applicant in self._people.applicants:
                    stories.create_task(self._again_and_again(_Application(client, self._people, applicant)))
                stories.create_task(self._again_and_again(_Registry(client, self._people)))
        except BaseException as error:
            self.fault = error
            raise
        finally:
            await client.close()

    async def _again_and_again(self, story: _Story) -> None:
        random = Random(f"{self._seed}/{story.name}")  # noqa: S311 - the seed is the point
        while not self._stopping.is_set():
            try:
                await story.step(random)
            except Refusal as refusal:
                self.refusals.append(str(refusal))
                return
            await asyncio.sleep(random.uniform(0.0, 0.1))


class _Story:
    """What one person goes through; each `step` is a few commands that belong together."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self._keys = count(1)
        self.name = name

    async def step(self, random: Random) -> None:
        raise NotImplementedError

    async def _command(
        self, person: Person, service: str, method: str, path: str, random: Random, body: Any = None
    ) -> Any:
        key = str(UUID(int=random.getrandbits(128), version=4))
        return await self._client.command(self.name, person, service, method, path, key, body)


class _Application(_Story):
    """Saved, submitted, reviewed, sent back, saved again: without end, since no stage is passed for the last time."""

    def __init__(self, client: Client, people: People, applicant: Applicant) -> None:
        super().__init__(client, f"application {applicant.number}")
        self._people = people
        self._applicant = applicant
        self._at = f"/v1/applications/{applicant.application}"

    async def step(self, random: Random) -> None:
        applicant = self._applicant
        for turn in range(random.randint(1, 3)):
            draft = {"form": {**applicant.form, "remark": f"第{turn + 1}稿"}, "photos": dict(applicant.photos)}
            await self._command(applicant.person, "exemption", "PUT", f"{self._at}/draft", random, draft)
        await self._command(applicant.person, "exemption", "POST", f"{self._at}/submit", random)
        if random.random() < 0.4:
            await self._pass(random)
            await self._return(self._people.final_reviewer, "复核", random)
        else:
            await self._return(self._people.first_reviewer, "初审", random)
        if random.random() < 0.3:
            await self._begin_and_discard(random)
        if random.random() < 0.3:
            await self._read_something(random)

    async def _pass(self, random: Random) -> None:
        reviewer = self._people.first_reviewer
        items = ("basic_information", "id_photos", "certificate_photo", "name_and_number")
        body = {"stage": "初审", "checklist": dict.fromkeys(items, True), "opinion": "材料真实有效。"}
        await self._command(reviewer, "exemption", "POST", f"{self._at}/pass", random, body)

    async def _return(self, reviewer: Person, stage: str, random: Random) -> None:
        body = {"stage": stage, "reason_code": "id_front_unclear", "note": "请重新拍摄。"}
        await self._command(reviewer, "exemption", "POST", f"{self._at}/return", random, body)

    async def _begin_and_discard(self, random: Random) -> None:
        person = self._applicant.person
        begun = await self._command(
            person, "exemption", "POST", "/v1/applications", random, {"cycle": self._people.cycle}
        )
        await self._command(person, "exemption", "POST", f"/v1/applications/{begun['id']}/discard", random)

    async def _read_something(self, random: Random) -> None:
        person = self._applicant.person
        inbox = await self._client.look(person, "notification", "/v1/inbox?limit=20")
        unread = [item["id"] for item in inbox["items"] if item["read_at"] is None] if inbox else []
        if unread:
            await self._command(person, "notification", "POST", f"/v1/inbox/{unread[0]}/read", random)


class _Registry(_Story):
    """The administrator renames an organisation again and again, and two other services follow."""

    def __init__(self, client: Client, people: People) -> None:
        super().__init__(client, "registry")
        self._administrator = people.administrator

    async def step(self, random: Random) -> None:
        body = {"title": f"样例助学点{next(self._keys)}", "phones": []}
        at = f"/v1/organisations/{TEACHING_POINT.code}/title"
        await self._command(self._administrator, "identity", "POST", at, random, body)
        await asyncio.sleep(random.uniform(0.1, 0.5))
