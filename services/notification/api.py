"""The HTTP face: a candidate's inbox, resending, and whether the messages of a case arrived (for staff).

Bodies become commands, rows become answers; personal values come from the events, for their owner alone.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.notification.domain.commands import ReadMessage, ResendMessage
from services.notification.domain.message import MESSAGE
from services.notification.views import MessageRow, find_inbox, find_messages_of_case, is_reviewed_at
from shared.kernel.errors import Refused
from shared.kernel.messages import stream_name
from shared.kernel.time import microseconds
from shared.runtime.access import AnyoneDep, CandidateDep, CommandMeta, ServiceDep

router = APIRouter(prefix="/v1", tags=["notification"])


class SmsStatus(BaseModel):
    state: str = Field(
        description="none, waiting, sending, in_doubt, accepted, delivered, undelivered, unresolved, given_up"
    )
    provider: str | None
    code: str = Field(description="the provider's, the network's or our code for the state")
    attempts: int
    resends: int
    changed_at: datetime


class MessageStatus(BaseModel):
    """A message without its words."""

    id: str
    moment: str
    title: str
    requested_at: datetime
    read_at: datetime | None
    sms: SmsStatus


class InboxItem(MessageStatus):
    case: str | None
    text: str


class Inbox(BaseModel):
    items: list[InboxItem]
    next: str | None = Field(description="give it back as `after` for the next page")


class CaseMessages(BaseModel):
    items: list[MessageStatus]


class Done(BaseModel):
    """What the command did; the same request again gets the same answer."""

    events: list[str]
    version: int


@router.get("/inbox")
async def inbox(
    service: ServiceDep,
    caller: CandidateDep,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Inbox:
    """收件箱: everything the candidate was told, the newest first, whether or not its SMS arrived."""
    async with service.reading() as connection:
        rows = await find_inbox(connection, caller.id, _place(after), limit)
        facts = await service.facts(connection, [(stream_name(MESSAGE.kind, row.id), 1) for row in rows])
    items = [
        InboxItem(**_status(row), case=row.case_id, text=fact.event.inbox_text)
        for row, fact in zip(rows, facts, strict=True)
    ]
    last = rows[-1] if len(rows) == limit else None
    return Inbox(items=items, next=f"{microseconds(last.requested_at)}.{last.id}" if last else None)


@router.post("/inbox/{message}/read")
async def read(message: str, service: ServiceDep, _caller: CandidateDep, meta: CommandMeta) -> Done:
    receipt = await service.handle(ReadMessage(message=message), meta)
    return Done(events=list(receipt.events), version=receipt.version)


@router.post("/messages/{message}/resend")
async def resend(message: str, service: ServiceDep, _caller: CandidateDep, meta: CommandMeta) -> Done:
    """The SMS once more, to the number given last; with a pause in between, and not for ever."""
    receipt = await service.handle(ResendMessage(message=message), meta)
    return Done(events=list(receipt.events), version=receipt.version)


@router.get("/cases/{case}/messages")
async def messages_of_case(case: str, service: ServiceDep, caller: AnyoneDep) -> CaseMessages:
    """送达情况 for those who review the case: whether its candidate was reached, not what was written nor where.

    To staff of other organisations there is no such case.
    """
    if caller.kind == "candidate":
        raise Refused("access.not_allowed")
    async with service.reading() as connection:
        held = {organisation for _, organisation in caller.roles}
        if caller.kind == "staff" and not await is_reviewed_at(connection, case, held):
            raise Refused("access.not_found")
        rows = await find_messages_of_case(connection, case)
    return CaseMessages(items=[MessageStatus(**_status(row)) for row in rows])


def _status(row: MessageRow) -> dict[str, Any]:
    sms = SmsStatus(
        state=row.sms_state,
        provider=row.provider,
        code=row.code,
        attempts=row.attempts,
        resends=row.resends,
        changed_at=row.changed_at,
    )
    return {
        "id": row.id,
        "moment": row.moment,
        "title": row.title,
        "requested_at": row.requested_at,
        "read_at": row.read_at,
        "sms": sms,
    }


def _place(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    at, dot, message = after.partition(".")
    if not (dot and at.isascii() and at.isdecimal() and len(at) <= 17):
        raise Refused("request.invalid", fields=[{"field": "after", "problem": "not_a_place"}])
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(at)), message
