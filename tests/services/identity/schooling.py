"""Prior education in tests: a cycle that takes it, a form, CHSI's stand-in beside a running identity. All invented."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from msgspec import structs
from pydantic import HttpUrl

from services.identity.checking import Checker
from services.identity.domain.commands import (
    BeginCheck,
    FollowCycle,
    FollowExtension,
    FollowWindow,
    RecordChsiAnswer,
    SavePriorEducation,
    StartPriorEducation,
    SubmitPriorEducation,
)
from services.identity.education import Books
from services.identity.education_views import CHECK
from services.identity.gateways import chsi_of
from services.identity.main import BOOKS, identity, resources
from services.identity.settings import ChsiSettings
from shared.events.identity import EducationCheckAttempted
from shared.kernel.messages import Fact, Meta
from shared.runtime.service import Service, Timer
from shared.testing.documents import DOCUMENTS
from shared.testing.services import Web, running
from tests.sandbox.serving import SETTINGS, Sandbox
from tests.services.identity import people

SCHEME = "hb/recognition@1"
PURPOSE = "prior_education"
FROM_DAY, TO_DAY = date(2026, 3, 1), date(2026, 3, 23)
RULES = Books(BOOKS.parts).rules(SCHEME)
CALLBACK = "/v1/chsi/answers"
_numbers = count(1)


def number() -> str:
    return f"1052412018060{next(_numbers):05}"


def form(certificate_number: str = "105241201806000001", holder: str = "𠮷田样本", **other: str) -> dict[str, str]:
    return {
        "holder": holder,
        "certificate_number": certificate_number,
        "school": "样例学院",
        "major": "园林",
        "level": "31",
        "category": "ordinary",
        "graduated_on": "2018-06-30",
        **other,
    }


ON_RECORD = {name: value for name, value in form().items() if name != "certificate_number"}
FOUND = {"result": "found", "on_record": ON_RECORD}
NOT_FOUND = {"result": "not_found"}


async def open_cycle(service: Service, to_day: date = TO_DAY, scheme: str = SCHEME) -> str:
    """As if exemption had told of it."""
    cycle = str(uuid4())
    await service.handle(FollowCycle(cycle=cycle, scheme=scheme, title="样本批次"), _meta(service))
    window = FollowWindow(
        cycle=cycle, purpose=PURPOSE, from_day=FROM_DAY, to_day=to_day, daily=(), excluded=(), close_inclusive=False
    )
    await service.handle(window, _meta(service))
    return cycle


async def checking(service: Service, person: str, certificate_number: str = "") -> str:
    """A record of the person that was handed in and is being asked about; nobody is called."""
    meta = structs.replace(_meta(service), actor=person)
    start = StartPriorEducation(cycle=await open_cycle(service, date(2026, 12, 31)), commitment=1)
    record = (await service.handle(start, meta)).stream.removeprefix("education-")
    for command in (
        SavePriorEducation(record=record, form=form(certificate_number or number())),
        SubmitPriorEducation(record=record),
        BeginCheck(record=record, due_at=meta.at),
    ):
        await service.handle(command, structs.replace(meta, command_id=uuid4()))
    return record


async def contradicted(service: Service, person: str) -> tuple[str, str]:
    """A record about which CHSI said first yes and then no, and under which request."""
    record = await checking(service, person)
    return record, await _answered(service, record, FOUND, NOT_FOUND)


async def in_effect(service: Service, person: str, certificate_number: str) -> str:
    """A record of the person that CHSI has confirmed."""
    record = await checking(service, person, certificate_number)
    await _answered(service, record, FOUND)
    return record


async def _answered(service: Service, record: str, *answers: Mapping[str, Any]) -> str:
    """What CHSI said, one after the other, and under which request."""
    async with service.reading() as connection:
        attempt = (await service.history(connection, f"education-{record}"))[-1].event
    assert isinstance(attempt, EducationCheckAttempted)
    for answer in answers:
        await service.handle(RecordChsiAnswer(request=attempt.request, answer=dict(answer)), _meta(service))
    return attempt.request


async def extend(service: Service, cycle: str, to_day: date) -> None:
    await service.handle(FollowExtension(cycle=cycle, purpose=PURPOSE, to_day=to_day), _meta(service))


def _meta(service: Service) -> Meta:
    return Meta(command_id=uuid4(), actor="exemption", at=service.clock())


@dataclass
class World:
    """Identity with CHSI's stand-in beside it. Time stands still until it is moved; timers fire when asked."""

    web: Web
    office: people.Office
    sandbox: Sandbox
    checker: Checker

    @property
    def service(self) -> Service:
        return self.web.service

    @property
    def now(self) -> datetime:
        return self.office.clock.now

    def move_to(self, now: datetime) -> None:
        self.office.clock.now = self.sandbox.clock.now = now

    def move(self, **by: float) -> None:
        self.move_to(self.now + timedelta(**by))

    # --- a candidate

    async def somebody(self) -> str:
        return await self.office.registered(people.Person())

    async def ask(self, person: str, method: str, path: str, body: Any = None, **headers: str) -> httpx.Response:
        sent = {**self.web.as_candidate(person), **headers}
        return await self.web.client.request(method, f"/v1{path}", headers=sent, json=body)

    async def started(self, person: str, cycle: str) -> str:
        answer = await self.ask(person, "post", "/prior-educations", {"cycle": cycle, "commitment": 1})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["stream"]).removeprefix("education-")

    async def drafted(self, person: str, cycle: str, typed: Mapping[str, str]) -> str:
        record = await self.started(person, cycle)
        answer = await self.ask(person, "put", f"/prior-educations/{record}", {"form": typed})
        assert answer.status_code == 200, answer.text
        return record

    async def submitted(self, person: str, cycle: str, typed: Mapping[str, str]) -> str:
        record = await self.drafted(person, cycle, typed)
        answer = await self.ask(person, "post", f"/prior-educations/{record}/submit")
        assert answer.status_code == 200, answer.text
        return record

    async def shown(self, person: str, record: str) -> dict[str, Any]:
        answer = await self.ask(person, "get", f"/prior-educations/{record}")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    # --- a clerk

    async def clerk(self, method: str, path: str, role: tuple[str, str], body: Any = None) -> httpx.Response:
        headers = self.web.as_staff(f"clerk-{role[0]}-{len(role[1])}", role)
        return await self.web.client.request(method, f"/v1{path}", headers=headers, json=body)

    async def disputed(self, record: str, role: tuple[str, str]) -> dict[str, Any]:
        """The case as the clerk sees it, who found it among what waits."""
        waiting = (await self.clerk("get", "/contradicted-educations", role)).json()["records"]
        assert record in {each["record"] for each in waiting}
        case: dict[str, Any] = (await self.clerk("get", f"/contradicted-educations/{record}", role)).json()
        return case

    async def settled(self, record: str, role: tuple[str, str], said: Mapping[str, Any]) -> httpx.Response:
        return await self.clerk("post", f"/contradicted-educations/{record}/settlement", role, said)

    # --- CHSI

    async def call(self, request: str, answer: Mapping[str, Any], at: datetime | None = None) -> httpx.Response:
        """What CHSI says of itself, signed at `at`."""
        signed_at, self.sandbox.clock.now = self.sandbox.clock.now, at or self.now
        said = {"request_id": request, "answer": answer, "path": CALLBACK}
        signed = (await self.sandbox.client.post("/_control/chsi/callbacks", json=said)).json()
        self.sandbox.clock.now = signed_at
        headers = {**signed["headers"], "Content-Type": "application/json"}
        return await self.web.client.post(CALLBACK, content=signed["body"].encode(), headers=headers)

    async def requests(self, record: str) -> list[str]:
        rows = await self.service.pool.fetch(
            "select request from education_checks where record = $1 order by attempt", record
        )
        return [row["request"] for row in rows]

    # --- timers

    async def next_timer(self, record: str) -> Timer | None:
        row = await self.service.pool.fetchrow(
            "select kind, stream, key, due_at from timers where stream = $1 and kind = $2", f"education-{record}", CHECK
        )
        return Timer(*row) if row else None

    async def due(self, record: str) -> None:
        """What is due now happens."""
        timer = await self.next_timer(record)
        if timer is not None and timer.due_at <= self.now:
            await self.checker.check(self.service, timer)

    async def run_on(self, record: str, steps: int = 60) -> None:
        """Time jumps from timer to timer until the record has none left."""
        for _ in range(steps):
            timer = await self.next_timer(record)
            if timer is None:
                return
            self.move_to(max(self.now, timer.due_at))
            await self.due(record)
        raise AssertionError(f"still has a timer after {steps} steps: {await self.kinds(record)}")

    async def begin_and_die(self, record: str) -> None:
        """A process that ends between the recorded attempt and the call."""
        timer = await self.next_timer(record)
        assert timer is not None
        begin = BeginCheck(record=record, due_at=timer.due_at)
        receipt = await self.service.handle(begin, Meta(command_id=uuid4(), actor="timer", at=self.now))
        assert receipt.events == (EducationCheckAttempted.name,)

    # --- what is stored

    async def history(self, record: str) -> list[Fact[Any]]:
        async with self.service.reading() as connection:
            return await self.service.history(connection, f"education-{record}")

    async def kinds(self, record: str) -> list[str]:
        return [type(fact.event).__name__ for fact in await self.history(record)]

    async def row(self, record: str) -> dict[str, Any]:
        found = await self.service.pool.fetchrow("select * from education_records where id = $1", record)
        assert found is not None
        return dict(found)


@asynccontextmanager
async def world(database: str, folder: Path, sandbox: Sandbox, **around: Any) -> AsyncIterator[World]:
    """The timers of the node are taken out, so that nothing happens but when a test asks. `around`: bus and feed."""
    clock = people.Clock(datetime(2026, 3, 2, 1, 0, tzinfo=UTC))
    assert SETTINGS.chsi_secret is not None
    chsi = ChsiSettings(url=HttpUrl(f"{sandbox.url}/chsi"), secret=SETTINGS.chsi_secret)
    async with httpx.AsyncClient() as client:
        gateway = chsi_of(chsi, client, clock)
        definition = identity(people.EASY_PICTURES)
        made = resources(people.EASY_PICTURES, people.SETTINGS, chsi=chsi, documents=DOCUMENTS)
        still = replace(definition, timers={})
        async with running(still, database, folder, clock=clock, resources=made, **around) as web:
            checker = Checker(lambda: gateway, Books(BOOKS.parts))
            there = World(web, people.Office(web, clock), sandbox, checker)
            there.move_to(clock.now)
            yield there
