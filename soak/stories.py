"""What the people of the soak go through, step by step, each with chances of its own. `load.py` runs them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from random import Random
from typing import Any
from uuid import UUID

from soak.client import Client
from soak.people import TEACHING_POINT, Applicant, People, Person

_ROUNDS = (15, 40)
"""How often an application goes through review before it is granted, so that its stream does not grow for ever."""
MOST_GRANTED = 25
"""Applications of one candidate that are granted; the one after them is sent back and handed in until the end. Each
begins with its photographs, of which the book takes a number a day, and a fast machine would come to more."""
_CHECKED_WITHIN = 60.0
"""Seconds for a photograph, which is slow work: who asks again too early only makes it slower."""


class Story(ABC):
    """Each `step` is a few commands that belong together; what it draws follows from its own `Random` alone."""

    def __init__(self, client: Client, name: str) -> None:
        self._client = client
        self.name = name

    @abstractmethod
    async def step(self, random: Random) -> None:
        """The next few commands."""

    async def _command(
        self, random: Random, person: Person, service: str, method: str, path: str, body: Any = None, **sent: Any
    ) -> Any:
        key = str(UUID(int=random.getrandbits(128), version=4))
        if body is not None:
            sent["json"] = body
        return await self._client.command(self.name, person, service, method, path, key, **sent)


class Applying(Story):
    """A candidate's applications, one after the other: begun, photographed, saved, handed in, sent back many times,
    granted, handed to the authority and acknowledged there."""

    def __init__(self, client: Client, people: People, applicant: Applicant) -> None:
        super().__init__(client, f"candidate {applicant.number}")
        self._people = people
        self._applicant = applicant
        self._at = ""
        self._id = ""
        self._photos: dict[str, str] = {}
        self._begun = 0
        self._rounds = 0

    async def step(self, random: Random) -> None:
        if not self._id:
            await self._begin(random)
        await self._hand_in(random)
        self._rounds -= 1
        if self._rounds <= 0 and self._begun <= MOST_GRANTED:
            await self._finish(random)
        elif random.random() < 0.4:
            await self._pass(self._people.first_reviewer, "初审", _FIRST, random)
            await self._return(self._people.final_reviewer, "复核", random)
        else:
            await self._return(self._people.first_reviewer, "初审", random)
        self._client.counted["rounds"] += 1
        if random.random() < 0.3:
            await self._begin_and_discard(random)
        if random.random() < 0.3:
            await self._read_something(random)

    async def _candidate(self, random: Random, method: str, path: str, body: Any = None, **sent: Any) -> Any:
        return await self._command(random, self._applicant.person, "exemption", method, path, body, **sent)

    async def _begin(self, random: Random) -> None:
        begun = await self._candidate(random, "POST", "/v1/applications", {"cycle": self._people.cycle})
        self._begun += 1
        self._rounds = random.randint(*_ROUNDS)
        for slot, picture in self._applicant.papers.items():
            self._photos[slot] = await self._photographed(random, begun["id"], slot, picture)
        self._id, self._at = begun["id"], f"/v1/applications/{begun['id']}"

    async def _photographed(self, random: Random, application: str, slot: str, picture: bytes) -> str:
        kept = await self._candidate(
            random,
            "POST",
            "/v1/uploads",
            data={"application": application, "slot": slot},
            files={"file": (f"{slot}.jpg", picture, "image/jpeg")},
            timeout=_CHECKED_WITHIN,
        )
        return str(kept["id"])

    async def _hand_in(self, random: Random) -> None:
        form = {**self._applicant.form, "certificate_number": f"{self._applicant.certificate}-{self._begun}"}
        for turn in range(random.randint(1, 3)):
            draft = {"form": {**form, "remark": f"第{turn + 1}稿"}, "photos": self._photos}
            await self._candidate(random, "PUT", f"{self._at}/draft", draft)
        await self._candidate(random, "POST", f"{self._at}/submit")

    async def _pass(self, reviewer: Person, stage: str, items: tuple[str, ...], random: Random) -> None:
        body = {"stage": stage, "checklist": dict.fromkeys(items, True), "opinion": "材料真实有效。"}
        await self._command(random, reviewer, "exemption", "POST", f"{self._at}/pass", body)

    async def _return(self, reviewer: Person, stage: str, random: Random) -> None:
        body = {"stage": stage, "reason_code": "id_front_unclear", "note": "请重新拍摄。"}
        await self._command(random, reviewer, "exemption", "POST", f"{self._at}/return", body)

    async def _finish(self, random: Random) -> None:
        people = self._people
        await self._pass(people.first_reviewer, "初审", _FIRST, random)
        await self._pass(people.final_reviewer, "复核", _FINAL, random)
        handed = {"cycle": people.cycle, "applications": [self._id]}
        batch = await self._command(random, people.final_reviewer, "exemption", "POST", "/v1/batches", handed)
        taken = {"reference": f"SOAK-{self._begun}"}
        await self._command(random, people.clerk, "exemption", "POST", f"/v1/batches/{batch['id']}/acknowledge", taken)
        self._id = ""

    async def _begin_and_discard(self, random: Random) -> None:
        begun = await self._candidate(random, "POST", "/v1/applications", {"cycle": self._people.cycle})
        await self._candidate(random, "POST", f"/v1/applications/{begun['id']}/discard")

    async def _read_something(self, random: Random) -> None:
        person = self._applicant.person
        inbox = await self._client.look(person, "notification", "/v1/inbox?limit=20")
        unread = [item["id"] for item in inbox["items"] if item["read_at"] is None] if inbox else []
        if unread:
            await self._command(random, person, "notification", "POST", f"/v1/inbox/{unread[0]}/read")


_FIRST = ("basic_information", "id_photos", "certificate_photo", "name_and_number")
_FINAL = ("completeness", "genuine", "identity", "conditions", "photo_quality")
"""The checklists of the two stages."""


class Registry(Story):
    """The administrator renames an organisation again and again, and another service follows."""

    def __init__(self, client: Client, people: People) -> None:
        super().__init__(client, "registry")
        self._administrator = people.administrator

    async def step(self, random: Random) -> None:
        body = {"title": f"样例助学点{random.randrange(1_000_000)}", "phones": []}
        at = f"/v1/organisations/{TEACHING_POINT.code}/title"
        await self._command(random, self._administrator, "identity", "POST", at, body)
