"""前置学历管理: a candidate's records of prior education with CHSI's feedback, and where CHSI itself calls us.

Called by the portal (HB-03 to HB-08, HB-33) and by CHSI (学信网), which signs what it says.
"""

from dataclasses import dataclass
from datetime import date, datetime, time
from hashlib import sha256
from typing import Annotated, Any, cast

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.identity.api.parts import Body, Done, NowDep
from services.identity.domain.commands import (
    RecordChsiAnswer,
    SavePriorEducation,
    StartPriorEducation,
    SubmitPriorEducation,
    TakeBackPriorEducation,
)
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import NotEffective, NotStarted
from services.identity.domain.education_rules import DRAFT, NOT_EFFECTIVE, UNRESOLVED, shown_to_candidate
from services.identity.domain.followed import CYCLE_FOLLOWED, Unknown
from services.identity.education import Books
from services.identity.education_views import EducationRow, find_own_record, find_records
from services.identity.gateways import read_answer
from services.identity.signing import Account
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta, command_id, stream_name
from shared.runtime import telemetry
from shared.runtime.access import CandidateDep, CommandMeta, IfMatch, ServiceDep
from shared.runtime.problems import refuses
from shared.schemes.forms import FormField

router = APIRouter(prefix="/v1", tags=["prior education"])

Word = Annotated[str, Field(max_length=40)]
Id = Annotated[str, Field(max_length=100)]


@dataclass(frozen=True)
class EducationParts:
    """What these routes have besides the service; made in `main.py`. `account` None: CHSI is not connected."""

    books: Books
    account: Account | None


async def _parts(request: Request) -> EducationParts:
    return cast(EducationParts, request.app.state.education)


PartsDep = Annotated[EducationParts, Depends(_parts)]


class Entry(BaseModel):
    id: str
    title: str


class WindowShown(BaseModel):
    title: str
    from_day: date
    to_day: date
    daily: tuple[tuple[time, time], ...]
    open: bool
    closes: datetime | None
    opens: datetime | None


class CommitmentShown(BaseModel):
    version: int
    text: str
    agree: str


class FormShown(BaseModel):
    """What a record asks, the letter before it, and until when."""

    cycle: str
    cycle_title: str
    start_action: str
    window: WindowShown
    commitment: CommitmentShown
    fields: list[FormField]
    lists: dict[str, list[Entry]]


class Doubtful(BaseModel):
    """A field that is not as CHSI has it: which characters of what was typed to look at again, from 1."""

    field: str
    label: str
    positions: list[int]


class Line(BaseModel):
    """A record without what was typed."""

    id: str
    cycle: str
    state: str
    title: str = Field(description="the official name of the state")
    feedback: str = Field(description="学信网验反馈信息")
    submissions: int
    editable: bool
    can_be_taken_back: bool
    started_at: datetime
    changed_at: datetime
    version: int


class RecordShown(Line):
    form: dict[str, str]
    reason: str | None = Field(description="why it did not take effect: a code")
    what_to_do: str | None = Field(description="the reason in words, and the way to correct it")
    differences: list[Doubtful] = Field(description="nothing where the name on CHSI's record is somebody else's")


class Lines(BaseModel):
    items: list[Line]
    next: str | None = Field(description="give it back as `after` for the next page")


class Start(Body):
    cycle: Id
    commitment: int | None = Field(default=None, description="the version of the letter that was ticked")


class Draft(Body):
    """The whole form as typed so far."""

    form: dict[Word, Annotated[str, Field(max_length=4000)]] = Field(max_length=30)


@router.get(
    "/prior-education-cycles/{cycle}",
    openapi_extra=refuses("identity.no_such_cycle", "identity.no_prior_education"),
)
async def form(cycle: Id, service: ServiceDep, parts: PartsDep, _caller: CandidateDep, now: NowDep) -> FormShown:
    """HB-03 to HB-06: the deadline, the letter of commitment and the form."""
    async with service.reading() as connection:
        known = CYCLE_FOLLOWED.replay(fact.event for fact in await service.history(connection, f"cycle-{cycle}"))
    if isinstance(known, Unknown):
        raise Refused("identity.no_such_cycle")
    book = parts.books.rules(known.scheme).book
    window = known.windows.get(book.window.id)
    if window is None:
        raise Refused("identity.no_prior_education")
    shown = WindowShown(
        title=book.window.title,
        from_day=window.from_day,
        to_day=window.to_day,
        daily=window.daily,
        open=not known.closed and window.holds(now),
        closes=window.closing(now),
        opens=None if known.closed else window.next_opening(now),
    )
    letter = book.commitment
    return FormShown(
        cycle=cycle,
        cycle_title=known.title,
        start_action=book.start_action.text,
        window=shown,
        commitment=CommitmentShown(version=letter.version, text=letter.text, agree=letter.agree),
        fields=list(book.fields),
        lists={name: [Entry(id=e.id, title=e.title) for e in entries] for name, entries in book.lists.items()},
    )


@router.post("/prior-educations", status_code=201)
async def start(body: Start, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """学历证书申请: a new record, after the letter was ticked."""
    command = StartPriorEducation(cycle=body.cycle, commitment=body.commitment)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get("/prior-educations")
async def own(
    service: ServiceDep,
    parts: PartsDep,
    caller: CandidateDep,
    after: Annotated[str, Query(max_length=100)] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Lines:
    """HB-33: one's own records, each with its feedback."""
    async with service.reading() as connection:
        rows = await find_records(connection, caller.id, after, limit)
    items = [Line(**_line(row, parts)) for row in rows]
    return Lines(items=items, next=rows[-1].id if len(rows) == limit else None)


@router.get("/prior-educations/{record}", openapi_extra=refuses("access.not_found"))
async def detail(record: Id, service: ServiceDep, parts: PartsDep, caller: CandidateDep) -> RecordShown:
    """HB-08: what was typed, and where CHSI has it otherwise; what CHSI has instead may be of somebody else."""
    async with service.reading() as connection:
        row = await find_own_record(connection, caller.id, record)
        if row is None:
            raise Refused("access.not_found")
        past = await service.history(connection, stream_name(EDUCATION.kind, record))
    state = EDUCATION.replay(fact.event for fact in past)
    assert not isinstance(state, NotStarted)
    book = parts.books.rules(row.scheme).book
    judged = state if isinstance(state, NotEffective) else None
    return RecordShown(
        **_line(row, parts),
        form=dict(state.record.form),
        reason=judged.reason if judged else None,
        what_to_do=book.reason(judged.reason).title if judged else None,
        differences=[
            Doubtful(field=name, label=book.field(name).label, positions=positions)
            for name, positions in shown_to_candidate(judged.differences if judged else {}).items()
        ],
    )


def _line(row: EducationRow, parts: EducationParts) -> dict[str, Any]:
    shown = parts.books.rules(row.scheme).book.state(row.state)
    return {
        "id": row.id,
        "cycle": row.cycle,
        "state": row.state,
        "title": shown.title,
        "feedback": shown.feedback,
        "submissions": row.submissions,
        "editable": row.state in (DRAFT, NOT_EFFECTIVE),
        "can_be_taken_back": row.state == UNRESOLVED,
        "started_at": row.started_at,
        "changed_at": row.changed_at,
        "version": row.version,
    }


@router.put("/prior-educations/{record}")
async def save(
    record: Id, body: Draft, service: ServiceDep, caller: CandidateDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """保存: kept as typed, right or wrong; checked when handed in."""
    command = SavePriorEducation(record=record, form=dict(body.form), expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/prior-educations/{record}/submit")
async def submit(record: Id, service: ServiceDep, caller: CandidateDep, meta: CommandMeta, version: IfMatch) -> Done:
    """提交: hand in what was saved last; every fault is told at once, by field."""
    command = SubmitPriorEducation(record=record, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/prior-educations/{record}/take-back")
async def take_back(record: Id, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """撤回: only where CHSI has not answered for long."""
    return Done.of(await service.handle(TakeBackPriorEducation(record=record), meta, caller=caller))


# --- CHSI calls


class Callback(BaseModel):
    """Whatever more CHSI may say is let be."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    request_id: Id
    answer: dict[str, Any]


async def _signed(request: Request, parts: PartsDep, now: NowDep) -> None:
    """A callback is a hint until its signature is right and fresh. One that is sent again says nothing new."""
    body = await request.body()
    if parts.account is None:
        raise Refused("identity.chsi_signature_wrong")
    fault = parts.account.fault(request.method, request.scope["path"], body, request.headers, now)
    if fault == "signature_wrong":
        raise Refused("identity.chsi_signature_wrong")
    if fault == "call_expired":
        raise Refused("identity.chsi_call_expired")


@router.post("/chsi/answers", dependencies=[Depends(_signed)])
async def hear(body: Callback, service: ServiceDep, now: NowDep) -> Done:
    """学信网 tells what it found. The same said twice is one fact; what contradicts is kept, and changes nothing."""
    answer = read_answer(body.answer)
    if answer is None:
        raise Refused("identity.chsi_answer_unreadable")
    command = RecordChsiAnswer(request=body.request_id, answer=answer)
    meta = Meta(
        command_id=command_id("chsi", body.request_id, sha256(service.digest(command)).hexdigest()),
        actor="chsi",
        at=now,
        correlation=telemetry.correlation.get(),
        traceparent=telemetry.current_traceparent(),
    )
    return Done.of(await service.handle(command, meta))
