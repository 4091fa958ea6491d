"""For reviewers: the work list by role and organisation, the decisions, and the record table."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import Field, StrictBool

from services.exemption.api.answers import work_shown
from services.exemption.api.asking import Body, BooksDep, Done, Id, readable_case
from services.exemption.api.comparing import photos_of
from services.exemption.api.shapes import Paged, WorkLine
from services.exemption.domain import export, scheme
from services.exemption.domain.access import Context, may_print
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application, Case
from services.exemption.domain.commands import (
    PassStage,
    PrintRecordTable,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    RevokeExemption,
    UnlockReapplication,
)
from services.exemption.domain.evidence import diplomas
from services.exemption.domain.followed import Organisation
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import Rules
from services.exemption.domain.worded import ClaimTold, claims_told, course_worded
from services.exemption.gateways import names_of_staff
from services.exemption.handlers import Books, organisation_names
from services.exemption.views.applications import find_work
from services.exemption.views.organisations import find_named
from services.exemption.views.uploads import find_uploads
from shared.documents.record_table import Claim, Decision, Picture, RecordTable, render
from shared.events.exemption import StagePassed
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact, stream_name
from shared.kernel.time import microseconds, spoken
from shared.runtime.access import CommandMeta, IfMatch, ServiceDep, StaffDep
from shared.runtime.rows import Connection
from shared.runtime.service import Service

router = APIRouter()


class Pass(Body):
    """通过: every item of the checklist answered."""

    stage: str = Field(max_length=40)
    checklist: dict[Annotated[str, Field(max_length=40)], StrictBool] = Field(max_length=50)
    opinion: str = Field("", max_length=500)


class Return(Body):
    """驳回: a reason of the book and free text."""

    stage: str = Field(max_length=40)
    reason_code: str = Field(max_length=40)
    note: str = Field(min_length=1, max_length=500)
    document: str | None = Field(None, max_length=40)


class Revoke(Body):
    """撤销: a reason of the book and free text."""

    reason_code: str = Field(max_length=40)
    note: str = Field(min_length=1, max_length=500)


class Refuse(Revoke):
    """不予通过."""

    stage: str = Field(max_length=40)


class FaceToFace(Revoke):
    """退回重新申请, 释放准考证号: everything that the book asks for was seen."""

    seen: dict[Annotated[str, Field(max_length=40)], StrictBool] = Field(max_length=20)


@router.get("/work")
async def work(
    service: ServiceDep,
    books: BooksDep,
    caller: StaffDep,
    done: bool = False,
    after: Annotated[str | None, Query(max_length=100)] = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
) -> Paged[WorkLine]:
    """SW-23, SW-28: what waits for the caller's roles at their organisations, the oldest first; or what was decided."""
    async with service.reading() as connection:
        rows = await find_work(connection, caller.roles, done=done, after=_place(after), limit=limit)
        refs = [(stream_name(APPLICATION.kind, row.application.id), row.application.form_version or 1) for row in rows]
        forms = await service.facts(connection, refs)
    items = []
    for row, fact in zip(rows, forms, strict=True):
        book = books.rules(row.application.scheme).book
        name = value_of(book, "name", fact.event.form) if hasattr(fact.event, "form") else None
        items.append(work_shown(row, name, book))
    last = rows[-1] if len(rows) == limit else None
    at = (last.decided_at if done else last.opened_at) if last else None
    return Paged(items=items, next=f"{microseconds(at)}.{last.application.id}" if last and at else None)


def _place(after: str | None) -> tuple[datetime, str] | None:
    if after is None:
        return None
    moment, _, application = after.partition(".")
    if not moment.isdecimal() or len(moment) > 17:
        raise Refused("request.invalid", fields=[{"field": "after", "problem": "not_a_cursor"}])
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(moment)), application


@router.post("/applications/{application}/pass")
async def pass_stage(
    application: Id, body: Pass, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SW-26 通过初审, SW-30 通过终审."""
    command = PassStage(
        application=application,
        stage=body.stage,
        checklist=dict(body.checklist),
        opinion=body.opinion,
        expected=version,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/return")
async def return_application(
    application: Id, body: Return, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SW-26, SW-30 驳回申请: the reason goes to the candidate."""
    command = ReturnApplication(
        application=application,
        stage=body.stage,
        reason_code=body.reason_code,
        note=body.note,
        document=body.document,
        expected=version,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/refuse")
async def refuse(
    application: Id, body: Refuse, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """不予通过: for good, where the stage can end so."""
    command = RefuseApplication(
        application=application, stage=body.stage, reason_code=body.reason_code, note=body.note, expected=version
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/unlock")
async def unlock(
    application: Id, body: FaceToFace, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SX-E-35 退回重新申请: after seeing the candidate and what the book asks for."""
    command = UnlockReapplication(
        application=application,
        seen=dict(body.seen),
        reason_code=body.reason_code,
        note=body.note,
        expected=version,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/release-ticket")
async def release_ticket(
    application: Id, body: FaceToFace, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SD-46 释放准考证号: it is not of the account that handed in with it; whose it is may hand in from now on."""
    command = ReleaseTicket(
        application=application,
        seen=dict(body.seen),
        reason_code=body.reason_code,
        note=body.note,
        expected=version,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/revoke")
async def revoke(
    application: Id, body: Revoke, service: ServiceDep, caller: StaffDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SD-42: an approved exemption is taken back."""
    command = RevokeExemption(application=application, reason_code=body.reason_code, note=body.note, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/record-table", response_class=Response)
async def record_table(
    application: Id, service: ServiceDep, books: BooksDep, caller: StaffDep, meta: CommandMeta
) -> Response:
    """SW-31 打印申请记录: a PDF with everything, only when finally approved. What could be printed is recorded."""
    async with service.reading() as connection:
        case, context, past = await readable_case(service, connection, books, application, caller)
        said, _ = may_print(cast(Application, case), context)
        table = await _table(connection, application, case, context, past, books, said)
        uploads = await find_uploads(connection, [upload for _, upload in photos_of(case)])
    table = await _signed(table, service)
    pictures = [await service.blobs.get(case.candidate, uploads[each].picture) for _, each in photos_of(case)]
    printed = await run_in_threadpool(render, table, pictures)
    await service.handle(PrintRecordTable(application=application, digest=table.digest), meta, caller=caller)
    return Response(
        printed,
        media_type="application/pdf",
        headers={"Content-Disposition": f'inline; filename="{application}.pdf"'},
    )


async def _table(
    connection: Connection,
    application: str,
    case: Case,
    context: Context,
    past: list[Fact[Any]],
    books: Books,
    said: scheme.RecordTable,
) -> RecordTable:
    rules = context.rules
    names = await organisation_names(connection, rules, [case])
    uploads = await find_uploads(connection, [upload for _, upload in photos_of(case)])
    passed = [fact for fact in past if isinstance(fact.event, StagePassed) and fact.event.stage in case.passed]
    latest = {fact.event.stage: fact for fact in passed}  # of several submissions, the last word counts
    places = await find_named(connection, [fact.event.organisation for fact in latest.values()])
    return RecordTable(
        title=said.title,
        number=application,
        approved_at=past[-1].meta.at if not latest else max(fact.meta.at for fact in latest.values()),
        fields=tuple((label, value or "—") for label, value in export.fields_told(rules, case, names)),
        courses=tuple(course_worded(rules, code) for code in case.course_codes),
        claims=tuple(_printed(claim) for claim in claims_told(rules, case, diplomas(case.papers))),
        decisions=tuple(_decision(fact, context, places) for fact in latest.values()),
        pictures=tuple(Picture(label, uploads[upload].picture_digest) for label, upload in _labelled(rules, case)),
        note=said.note.text,
        footer=tuple(each.text for each in books.head(case.scheme).footer),
    )


def _printed(claim: ClaimTold) -> Claim:
    courses = tuple((f"{each.code} {each.name}".strip(), tuple(each.told)) for each in claim.courses)
    return Claim(claim.basis, tuple(claim.told), courses)


def _labelled(rules: Rules, case: Case) -> list[tuple[str, str]]:
    """The photographs of `photos_of`, each by its name; those of claims say of which one."""
    slots = rules.book.slots()
    own = [(slots[slot].label, upload) for slot, upload in case.photos.items()]
    claimed = [
        (f"依据 {place}　{slots[claim['basis'] + '.' + slot].label}", upload)
        for place, claim in enumerate(case.claims, 1)
        for slot, upload in claim["photos"].items()
    ]
    return [*own, *claimed]


async def _signed(table: RecordTable, service: Service) -> RecordTable:
    """Reviewers by name; by id while identity does not say it."""
    names = await names_of_staff(service.peers, [each.reviewer for each in table.decisions])
    return replace(
        table, decisions=tuple(replace(d, reviewer=names.get(d.reviewer, d.reviewer)) for d in table.decisions)
    )


def _decision(fact: Fact[StagePassed], context: Context, places: Mapping[str, Organisation]) -> Decision:
    event = fact.event
    items = {item.id: item.text for item in context.rules.book.stage(event.stage).checklist}
    return Decision(
        stage=event.stage,
        result=event.title,
        organisation=places[event.organisation].title if event.organisation in places else event.organisation,
        reviewer=event.reviewer,
        at=spoken(fact.meta.at),
        checked=tuple(items.get(item, item) for item in event.checklist),
        opinion=event.opinion,
    )
