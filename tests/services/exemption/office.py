"""A running exemption with invented people and organisations, as its server tests use it over HTTP."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from services.exemption.domain.commands import FollowAccount, FollowOrganisation, ReceivePhotograph
from services.exemption.main import BOOKS, exemption, resources
from shared.kernel.messages import Command, Meta, Receipt
from shared.kernel.time import SHANGHAI
from shared.kernel.values import id_check_digit
from shared.runtime.access import Caller
from shared.runtime.keyring import Keyring
from shared.testing.documents import DOCUMENTS
from shared.testing.pictures import plain
from shared.testing.services import Web, running
from shared.testing.stores import KEK, pool_of

SCHEME = "swust/1x@1"
CLERK = ("teaching_point_admin", "point-a")
DEAN = ("university_admin", "swust")
RECEIVER = ("authority_clerk", "authority")
NOBODY = "http://127.0.0.1:1"  # identity is away in these tests: what exemption must know, it has learnt
_numbers = count(1)


@dataclass
class Clock:
    """Time that goes on only when told to."""

    now: datetime = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(milliseconds=1)
        return self.now


@dataclass(frozen=True)
class Person:
    """A candidate who does not exist."""

    id: str
    holder: str
    id_number: str
    mobile: str
    certificate_number: str

    def form(self, **changes: str) -> dict[str, str]:
        return {
            "teaching_point": "point-a",
            "name": self.holder,
            "id_number": self.id_number,
            "mobile": self.mobile,
            "certificate": "online_shop_operation",
            "certificate_level": "中级",
            "certificate_number": self.certificate_number,
            "valid_until": "2028-06-29",
            **changes,
        }


@dataclass
class Office:
    """What a test can do; every call is a real request."""

    web: Web
    clock: Clock
    keyring: Keyring
    codes: list[str] = field(default_factory=list)

    async def somebody(self, holder: str = "样本某", **changes: str) -> Person:
        number = next(_numbers)
        first17 = f"89999919990307{number:03}"
        person = Person(
            str(uuid4()),
            holder,
            changes.get("id_number", first17 + id_check_digit(first17)),
            f"199{number:08}",
            changes.get("certificate_number", f"9990012023{number:010}"),
        )
        await self.keyring.create(person.id)
        await self.tell(
            FollowAccount(person=person.id, holder=holder, id_number=person.id_number, mobile=person.mobile)
        )
        return person

    async def tell(self, command: Command, caller: Caller | None = None) -> Receipt:
        """A command that does not come over HTTP."""
        meta = Meta(command_id=uuid4(), actor=caller.id if caller else "identity", at=self.clock())
        return await self.web.service.handle(command, meta, caller=caller)

    async def open_cycle(self, days: int = 20) -> str:
        day = self.clock.now.astimezone(SHANGHAI).date()
        body = {
            "scheme": SCHEME,
            "organisation": "swust",
            "title": "测试批次",
            "windows": {"apply": {"from_day": f"{day}", "to_day": f"{day + timedelta(days=days)}"}},
        }
        answer = await self.staff("post", "/v1/cycles", DEAN, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def me(self, who: Person, method: str, path: str, **more: Any) -> httpx.Response:
        headers = {**self.web.as_candidate(who.id), **more.pop("headers", {})}
        return await self.web.client.request(method, path, headers=headers, **more)

    async def staff(
        self, method: str, path: str, *roles: tuple[str, str], who: str | None = None, **more: Any
    ) -> httpx.Response:
        name = who or "staff-" + "-".join(f"{role}-at-{organisation}" for role, organisation in roles)
        headers = {**self.web.as_staff(name, *roles), **more.pop("headers", {})}
        return await self.web.client.request(method, path, headers=headers, **more)

    async def photograph(self, who: Person, application: str, slot: str, data: bytes | None = None) -> str:
        """An accepted photograph without the workers: what the upload route does after its check."""
        picture = data or plain((320, 200))
        blob = await self.web.service.blobs.put(who.id, picture, "image/jpeg")
        command = ReceivePhotograph(
            application=application,
            slot=slot,
            accepted=True,
            results=({"code": "photo.too_small", "passed": True, "measured": [320, 200], "limit": [1, 1]},),
            original=blob.id,
            original_type="image/jpeg",
            original_digest=sha256(picture).hexdigest(),
            picture=blob.id,
            picture_digest=blob.digest,
            reading={"id_number": {"value": who.id_number, "confidence": 0.9}} if slot == "id_front" else {},
        )
        receipt = await self.tell(command, Caller(who.id, "candidate"))
        return receipt.stream.split("-", 1)[1]

    async def draft(self, who: Person, cycle: str, **changes: str) -> str:
        answer = await self.me(who, "post", "/v1/applications", json={"cycle": cycle})
        assert answer.status_code == 201, answer.text
        application = str(answer.json()["id"])
        photos = {slot: await self.photograph(who, application, slot) for slot in slots()}
        body = {"form": who.form(**changes), "photos": photos}
        saved = await self.me(who, "put", f"/v1/applications/{application}/draft", json=body)
        assert saved.status_code == 200, saved.text
        return application

    async def submitted(self, who: Person, cycle: str, **changes: str) -> str:
        application = await self.draft(who, cycle, **changes)
        answer = await self.me(who, "post", f"/v1/applications/{application}/submit")
        assert answer.status_code == 200, answer.text
        return application

    async def passed(self, application: str, stage: str, role: tuple[str, str]) -> httpx.Response:
        body = {"stage": stage, "checklist": checklist(stage), "opinion": "材料完整"}
        return await self.staff("post", f"/v1/applications/{application}/pass", role, json=body)

    async def granted(self, who: Person, cycle: str, **changes: str) -> str:
        application = await self.submitted(who, cycle, **changes)
        assert (await self.passed(application, "初审", CLERK)).status_code == 200
        assert (await self.passed(application, "复核", DEAN)).status_code == 200
        return application


def code(answer: httpx.Response, status: int) -> str:
    """The code of a refusal, which has this status and says what is wrong in two languages."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["detail"]
    assert body["detail_en"]
    return str(body["code"])


def slots() -> list[str]:
    return [slot.slot for slot in BOOKS.rules(SCHEME).book.photos]


def checklist(stage: str) -> Mapping[str, bool]:
    return {item.id: True for item in BOOKS.rules(SCHEME).book.stage(stage).checklist}


ORGANISATIONS = (
    ("authority", "测试考试院", "province", None, ()),
    ("swust", "测试大学", "university", "authority", ()),
    ("point-a", "甲助学点", "teaching_point", "swust", ("0816-6000001",)),
    ("point-b", "乙助学点", "teaching_point", "swust", ()),
)


@asynccontextmanager
async def open_office(
    database: str, folder: Path, *, timers: bool = True, now: datetime | None = None, **around: Any
) -> AsyncIterator[Office]:
    """Without `timers` nothing happens by itself, however far the clock goes on. `around`: bus and feed."""
    clock = Clock(now) if now else Clock()
    definition = exemption(BOOKS) if timers else replace(exemption(BOOKS), timers={})
    async with (
        pool_of(database, "identity", 2) as identity,
        running(
            definition,
            database,
            folder,
            clock=clock,
            resources=resources(BOOKS, DOCUMENTS),
            peers={"identity": NOBODY},
            **around,
        ) as web,
    ):
        office = Office(web, clock, Keyring(identity, KEK))
        for organisation, title, level, parent, phones in ORGANISATIONS:
            await office.tell(
                FollowOrganisation(organisation=organisation, title=title, level=level, parent=parent, phones=phones)
            )
        yield office
