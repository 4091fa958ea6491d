"""A synthetic story over three stores, told event by event: a returned, resubmitted and granted application.

The states are those of the real services; only the deciding is left out, since the events are given.
"""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid5

from fastapi import APIRouter

from services.exemption.domain import case as exemption
from services.identity.domain import account as identity
from services.identity.domain.organisation import ORGANISATION
from services.notification.domain import message as notification
from shared.events.exemption import (
    ApplicationReturned,
    ApplicationStarted,
    ApplicationSubmitted,
    DraftSaved,
    ExemptionGranted,
    StageOpened,
    StagePassed,
)
from shared.events.identity import MobileProved, OrganisationAdded, PasswordChosen, RegistrationStarted, SmsCodeIssued
from shared.events.notification import MessageRead, MessageRequested
from shared.kernel.decider import Decider
from shared.kernel.messages import Command, Event, Meta, Receipt
from shared.kernel.time import SHANGHAI, utc_now
from shared.runtime.event_store import Work
from shared.runtime.service import Service, ServiceDefinition
from shared.runtime.trail import Deciders
from shared.testing.stores import KEK, pool_of

PERSON = "3f2a91bc-52aa-4a3b-9d52-8f0c6f6f0a01"
CASE = "8d1e77c0-7c5e-4b3e-8a52-0d6c2b7e9f02"
START = datetime(2026, 3, 1, 8, 55, tzinfo=SHANGHAI)
NOTE = "〔合成〕证书照片右下角被手指遮挡，请重新拍摄。"
_IDS = UUID("0d3c7f4e-95a5-5e0c-9a55-2f5d8f1a7c11")


class Tell(Command):
    """Append these events."""

    kind: str
    subject: str
    events: tuple[Any, ...]
    case: str | None
    person: str | None


def decide(command: Tell, state: object, context: None) -> Sequence[Event]:
    return list(command.events)


def _told(decider: Decider[Any, Any, Any, Any]) -> Decider[Any, Any, Any, Any]:
    return Decider(decider.kind, decider.initial, decide, decider.evolve)


DECIDERS: Deciders = {
    ("identity", "account"): identity.ACCOUNT,
    ("identity", "organisation"): ORGANISATION,
    ("exemption", "application"): Decider("application", exemption.NotStarted(), decide, exemption.evolve),
    ("notification", "message"): notification.MESSAGE,
}


def _definition(name: str) -> ServiceDefinition:
    async def tell(work: Work, command: Tell) -> Receipt:
        decider = _told(DECIDERS[name, command.kind])
        return await work.execute(decider, command.subject, command, None, case=command.case, person=command.person)

    return ServiceDefinition(
        name=name, handlers={Tell: tell}, views=(), router=APIRouter(), refusals={}, schema=Path(__file__)
    )


class Teller:
    """Tells one thing after the other, a minute apart unless said otherwise."""

    def __init__(self, services: dict[str, Service]) -> None:
        self.services = services
        self.now = START
        self._told = 0

    async def tell(
        self,
        stream: str,
        *events: Event,
        actor: str = PERSON,
        after: timedelta = timedelta(minutes=1),
        case: str | None = None,
        causation: UUID | None = None,
        person: str | None = PERSON,
    ) -> UUID:
        """The id of the last event. `stream` is `<service> <kind>-<subject>`."""
        source, name = stream.split(" ")
        kind, subject = name.split("-", 1)
        self.now += after
        self._told += 1
        meta = Meta(command_id=uuid5(_IDS, f"{stream}{self._told}"), actor=actor, at=self.now, causation=causation)
        command = Tell(kind=kind, subject=subject, events=events, case=case, person=person)
        receipt = await self.services[source].handle(command, meta)
        return uuid5(meta.command_id, f"{receipt.stream}/{receipt.version}")


def started(**changes: Any) -> ApplicationStarted:
    plain = {
        "scheme": "swust/1x@1",
        "cycle": "c",
        "candidate": PERSON,
        "title": "待提交",
        "clause": _by("submit SW-13"),
    }
    return ApplicationStarted(**plain | changes)


def submitted(submission: int) -> ApplicationSubmitted:
    return ApplicationSubmitted(
        scheme="swust/1x@1",
        cycle="c",
        submission=submission,
        title="已提交",
        form={"name": "〔合成〕张三"},
        mobile="",
        photos={"certificate": "u1"},
        bases=("web_front_end",),
        papers=({"type": "certificate", "number": "SYNTHETIC0001"},),
        course_codes=("00900",),
        organisations={"teaching_point": "tp-01", "university": "u-01"},
        clause=_by("certificates[web_front_end] SW-45, assumption"),
    )


def opened(stage: str, role: str, organisation: str) -> StageOpened:
    clause = _by(f"stages[{stage}] SW-26")
    return StageOpened(stage=stage, role=role, organisation=organisation, due_at=None, clause=clause)


def passed(stage: str, title: str, reviewer: str, role: str, organisation: str) -> StagePassed:
    return StagePassed(
        stage=stage,
        title=title,
        reviewer=reviewer,
        role=role,
        organisation=organisation,
        checklist=("photo_clear", "number_agrees"),
        opinion="〔合成〕材料齐全",
        clause=_by(f"stages[{stage}] SW-26"),
    )


def returned(reviewer: str) -> ApplicationReturned:
    return ApplicationReturned(
        stage="初审",
        title="已驳回",
        reviewer=reviewer,
        role="teaching_point_admin",
        organisation="tp-01",
        reason_code="photo_unclear",
        reason="证书照片不清晰",
        document="certificate",
        note=NOTE,
        reopens=("初审",),
        clause=_by("stages[初审].reasons[photo_unclear] SW-30"),
    )


def message(moment: str, title: str, at: datetime) -> MessageRequested:
    return MessageRequested(
        person=PERSON,
        case=CASE,
        moment=moment,
        scheme="swust/1x@1",
        channels=("inbox",),
        title=title,
        inbox_text="〔合成〕您的申请被驳回。",
        facts={},
        mobile="13900000001",
        templates=(),
        due_at=at,
        expires_at=None,
    )


def _by(clause: str) -> str:
    return f"swust/1x@1 exemption.{clause}"


async def told(url: str) -> None:
    """The whole story, in the prepared database at `url`."""
    async with AsyncExitStack() as stack:
        services = {
            name: Service(_definition(name), await stack.enter_async_context(pool_of(url, name)), KEK, utc_now, None)
            for name in ("identity", "exemption", "notification")
        }
        await services["identity"].keyring.create(PERSON)
        teller = Teller(services)
        await _university(teller)
        await _account(teller)
        await _application(teller)
        for service in services.values():
            await service.sequencer.lead()
            await service.sequencer.give()


async def _university(teller: Teller) -> None:
    added = OrganisationAdded(organisation="u-01", title="样例大学", level="university", parent=None, phones=())
    await teller.tell("identity organisation-u-01", added, actor="root", after=timedelta(days=-9), person=None)
    teller.now = START


async def _account(teller: Teller) -> None:
    account = f"identity account-{PERSON}"
    expires = START + timedelta(hours=1)
    code = SmsCodeIssued(
        mobile="13900000001", code="246810", digest="d", purpose="register", expires_at=expires, attempts=5
    )
    begun = RegistrationStarted(mobile="13900000001", expires_at=expires)
    await teller.tell(account, begun, code, actor="anonymous")
    await teller.tell(account, MobileProved(), actor="anonymous")
    await teller.tell(account, PasswordChosen(password_hash="h", purpose="register"))


async def _application(teller: Teller) -> None:
    application = f"exemption application-{CASE}"
    first, second = "staff-li", "b8c1d2e3-1111-4222-8333-444455556666"
    point, university = ("teaching_point_admin", "tp-01"), ("university_admin", "u-01")
    await teller.tell(application, started(), case=CASE)
    await teller.tell(application, DraftSaved(form={"name": "〔合成〕张三"}, photos={"certificate": "u1"}), case=CASE)
    await teller.tell(application, submitted(1), opened("初审", *point), case=CASE)
    day = timedelta(days=1, hours=1, minutes=12)
    cause = await teller.tell(application, returned(first), actor=first, after=day, case=CASE)
    notice = f"notification message-{cause}"
    asked = message("exemption.returned", "申请被驳回", teller.now)
    # the other machine's clock is behind: the effect bears an earlier time than its cause
    behind = timedelta(seconds=-2)
    await teller.tell(notice, asked, actor="notification", after=behind, causation=cause, person=PERSON)
    await teller.tell(notice, MessageRead(), after=timedelta(minutes=40), person=None)
    await teller.tell(application, submitted(2), opened("初审", *point), case=CASE)
    title = "已初审"
    await teller.tell(
        application,
        passed("初审", title, first, *point),
        opened("复核", *university),
        actor=first,
        after=timedelta(hours=3),
        case=CASE,
    )
    granted = ExemptionGranted(course_codes=("00900",), title="已复核", clause=_by("stages[复核] SW-26"))
    review = passed("复核", "已复核", second, *university)
    await teller.tell(application, review, granted, actor=second, after=day, case=CASE)
