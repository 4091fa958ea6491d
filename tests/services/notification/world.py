"""Notification at work in a test: real store, the sandbox, and two sources that say what the test wants said.

Time stands still until the test moves it; timers fire when the test asks. People and numbers are made up.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import APIRouter

from services.notification.gateways import SmsGateway
from services.notification.main import notification
from shared.events.exemption import (
    ApplicationRefused,
    ApplicationReturned,
    ApplicationSubmitted,
    ExemptionGranted,
    StagePassed,
    TicketReleased,
)
from shared.events.identity import AccountRegistered, MobileReplaced, SmsCodeIssued
from shared.events.notification import MessageRequested
from shared.kernel.decider import Decider
from shared.kernel.messages import Command, Event, Fact, Meta, Receipt
from shared.kernel.time import Clock
from shared.runtime.consumer import Consumer
from shared.runtime.event_store import Work
from shared.runtime.feed import Envelope
from shared.runtime.rows import Connection
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service, ServiceDefinition, Timer
from shared.runtime.timers import Timers
from shared.schemes.catalog import Catalog
from shared.testing.stores import KEK, LocalFeed, pool_of
from tests.sandbox.serving import MovableClock, Sandbox

Gateways = Mapping[str, SmsGateway]
CALL_SECONDS = 0.4
"""So long books wait for a provider where a test lets it be too slow."""
_numbers = count(1)


class Say(Command):
    """Record these facts, whatever they are: the sources' own rules are not what is tested here."""

    subject: str
    person: str
    case: str | None
    events: tuple[Event, ...]


SAID: Decider[Say, int, Event, None] = Decider("said", 0, lambda say, _, __: say.events, lambda said, _: said + 1)


async def _say(work: Work, say: Say) -> Receipt:
    return await work.execute(SAID, say.subject, say, None, person=say.person, case=say.case)


def source(name: str) -> ServiceDefinition:
    return ServiceDefinition(
        name=name, handlers={Say: _say}, views=(), router=APIRouter(), refusals={}, schema=Path(__file__)
    )


@dataclass(frozen=True)
class Somebody:
    """A made-up candidate with one case."""

    person: str
    case: str
    mobile: str


@dataclass
class World:
    sources: Mapping[str, Service]
    sequencers: Mapping[str, Sequencer]
    service: Service
    consumer: Consumer
    feed: LocalFeed
    sandbox: Sandbox
    clock: MovableClock

    async def somebody(self) -> Somebody:
        number = next(_numbers)
        who = Somebody(f"person-{uuid4()}", f"case-{uuid4()}", f"139{number:08d}")
        await self.sources["identity"].keyring.create(who.person)
        return who

    async def say(self, name: str, who: Somebody, *events: Event) -> list[Envelope]:
        """The source records the facts; nobody is told yet."""
        origin = self.sources[name]
        head = await origin.feed_head()
        meta = Meta(command_id=uuid4(), actor="tester", at=self.clock())
        case = who.case if name == "exemption" else None
        await origin.handle(Say(subject=who.case, person=who.person, case=case, events=events), meta)
        while await self.sequencers[name].give():
            pass
        return await origin.feed(head, 100)

    async def hear(self) -> None:
        """Everything said so far arrives."""
        for name in self.sources:
            await self.consumer.catch_up(name)

    async def told(self, name: str, who: Somebody, *events: Event) -> str:
        """Said and heard; the message that came of the last fact."""
        await self.say(name, who, *events)
        await self.hear()
        return (await self.messages(who))[-1]

    async def messages(self, who: Somebody) -> list[str]:
        return [
            row["id"]
            for row in await self.service.pool.fetch(
                "select m.id from messages as m join events as e on e.stream = 'message-' || m.id and e.version = 1 "
                "where m.person = $1 order by e.seq",
                who.person,
            )
        ]

    async def due(self, **forward: float) -> None:
        """Time passes, and what is due happens, one after another."""
        self.clock.forward(**forward)
        while await Timers(self.service).fire_due():
            pass

    async def fire(self, timer: Timer, by: Service | None = None) -> None:
        """What one replica does with a timer it holds."""
        await self.service.definition.timers[timer.kind](by or self.service, timer)

    async def next_timer(self, message: str) -> Timer | None:
        row = await self.service.pool.fetchrow(
            "select kind, stream, key, due_at from timers where stream = $1 order by due_at", f"message-{message}"
        )
        return Timer(*row) if row else None

    async def run_on(self, message: str, steps: int = 50) -> None:
        """Time jumps from timer to timer until the message has none left."""
        for _ in range(steps):
            timer = await self.next_timer(message)
            if timer is None:
                return
            self.clock.now = max(self.clock.now, timer.due_at)
            await self.due()
        raise AssertionError(f"still has a timer after {steps} steps: {await self.history(message)}")

    async def history(self, message: str) -> list[Fact[Any]]:
        async with self.service.reading() as connection:
            return await self.service.history(connection, f"message-{message}")

    async def kinds(self, message: str) -> list[str]:
        return [type(fact.event).__name__ for fact in await self.history(message)]

    async def requested(self, message: str) -> MessageRequested:
        event: MessageRequested = (await self.history(message))[0].event
        return event

    async def state(self, message: str) -> tuple[str, str]:
        row = await self.service.pool.fetchrow("select sms_state, code from messages where id = $1", message)
        assert row is not None
        return row["sms_state"], row["code"]


@asynccontextmanager
async def world(database: str, sandbox: Sandbox, gateways: Gateways, catalog: Catalog) -> AsyncIterator[World]:
    """On a prepared database that nobody else uses; the sources' past so far counts as before our deployment."""
    clock = sandbox.clock
    definition = notification(catalog, lambda: gateways)
    async with AsyncExitStack() as stack:
        sources = {}
        for name in ("identity", "exemption"):
            sources[name] = Service(
                source(name), await stack.enter_async_context(pool_of(database, name)), KEK, clock, None
            )
        sequencers = {name: Sequencer(each.pool, name, None) for name, each in sources.items()}
        for sequencer in sequencers.values():
            await sequencer.lead()
        pool = await stack.enter_async_context(pool_of(database, "notification"))
        service = Service(definition, pool, KEK, clock, None)
        feed = LocalFeed(*sources.values())
        yield World(sources, sequencers, service, Consumer(service, feed), feed, sandbox, clock)


# --- what the sources say


def registered(who: Somebody) -> AccountRegistered:
    return AccountRegistered(mobile=who.mobile, name_of_person="试验甲", id_number="x", ticket_number="")


def replaced(who: Somebody, mobile: str) -> MobileReplaced:
    return MobileReplaced(mobile=mobile, previous=who.mobile, checked_by=None, evidence="")


def code_issued(who: Somebody, clock: Clock, code: str = "424242") -> SmsCodeIssued:
    return SmsCodeIssued(
        mobile=who.mobile,
        code=code,
        digest="d",
        purpose="register",
        expires_at=clock() + timedelta(minutes=5),
        attempts=5,
    )


def submitted(
    who: Somebody, point: str = "point-a", scheme: str = "swust/1x@1", mobile: str | None = None
) -> ApplicationSubmitted:
    """`mobile`: what the form has, where it is another number than the account's."""
    return ApplicationSubmitted(
        scheme=scheme,
        cycle="c",
        submission=1,
        title="已提交",
        form={"name": "试验甲"},
        mobile=who.mobile if mobile is None else mobile,
        photos={},
        bases=("x",),
        papers=({"type": "certificate", "number": "X1"},),
        course_codes=(),
        organisations={"teaching_point": point, "university": "uni"},
        clause="",
    )


RETURNED = ApplicationReturned(
    stage="初审",
    title="已驳回",
    reviewer="staff-1",
    role="teaching_point_admin",
    organisation="o",
    reason_code="id_front_unclear",
    reason="身份证正面照片不清晰或不完整",
    document="id_front",
    note="请在光线充足处重拍",
    reopens=("初审",),
    clause="",
)
PASSED = StagePassed(
    stage="初审", title="已初审", reviewer="r", role="x", organisation="o", checklist=(), opinion="", clause=""
)
GRANTED = ExemptionGranted(course_codes=(), title="已复核", clause="")
REFUSED = ApplicationRefused(
    stage="审核",
    title="审核不通过",
    reviewer="staff-1",
    role="authority_clerk",
    organisation="o",
    reason_code="not_eligible",
    reason="不符合免考实施细则",
    note="见文件",
    may_submit_again=True,
    clause="",
)

RELEASED = TicketReleased(
    released_by="staff-1",
    role="authority_clerk",
    organisation="o",
    seen=("id_card", "ticket"),
    reason_code="not_theirs",
    reason="该准考证号属于他人",
    note="见准考证原件",
    clause="",
)


class HeldUp:
    """A gateway whose calls wait, nobody knows where, until `goes_on`; questions are answered at once."""

    def __init__(self, gateway: SmsGateway) -> None:
        self._gateway = gateway
        self.under_way = asyncio.Event()
        self.goes_on = asyncio.Event()

    async def send(self, sms: Any, within: timedelta) -> Any:
        self.under_way.set()
        await self.goes_on.wait()
        return await self._gateway.send(sms, within)

    async def ask(self, attempt: Any, within: timedelta) -> Any:
        return await self._gateway.ask(attempt, within)


class StoppedBefore(Service):
    """A replica that stands still before it reads for the second time, until `goes_on`."""

    def stops(self) -> "StoppedBefore":
        self.readings, self.stopped, self.goes_on = 0, asyncio.Event(), asyncio.Event()
        return self

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        self.readings += 1
        if self.readings == 2:
            self.stopped.set()
            await self.goes_on.wait()
        async with super().reading() as connection:
            yield connection


class Patience:
    """A gateway that notes how long each call would have been waited for."""

    def __init__(self, gateway: SmsGateway) -> None:
        self._gateway = gateway
        self.waited: list[timedelta] = []

    async def send(self, sms: Any, within: timedelta) -> Any:
        self.waited.append(within)
        return await self._gateway.send(sms, within)

    async def ask(self, attempt: Any, within: timedelta) -> Any:
        return await self._gateway.ask(attempt, within)


class SlowBy:
    """A gateway whose every call takes `seconds` of the clock (nobody waits for them)."""

    def __init__(self, gateway: SmsGateway, clock: MovableClock, seconds: float) -> None:
        self._gateway = gateway
        self._clock = clock
        self._seconds = seconds

    async def send(self, sms: Any, within: timedelta) -> Any:
        self._clock.forward(seconds=self._seconds)
        return await self._gateway.send(sms, within)

    async def ask(self, attempt: Any, within: timedelta) -> Any:
        return await self._gateway.ask(attempt, within)
