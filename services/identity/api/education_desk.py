"""核定学信网反馈 for clerks: records of prior education about which CHSI said two things, and which of them counts.

Called by the portal. Only whom the record's book names sees such a record; a settlement names the answers that were
looked at, so what CHSI says meanwhile must be looked at again.
"""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.identity.api.education import EducationParts, PartsDep
from services.identity.api.parts import Body, Done
from services.identity.domain.chsi_answers import must_be_in_dispute
from services.identity.domain.commands import SettleContradiction
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import Education, EducationContext, Effective, NotStarted
from services.identity.domain.education_rules import EFFECTIVE, NOT_EFFECTIVE, difference
from services.identity.domain.rules import office_must_be_held
from services.identity.education_views import EducationRow, find_contradicted
from shared.kernel.errors import Refused
from shared.kernel.messages import stream_name
from shared.kernel.values import parse_text
from shared.runtime.access import Caller, CommandMeta, ServiceDep, StaffDep
from shared.runtime.problems import refuses
from shared.runtime.service import Service

router = APIRouter(prefix="/v1", tags=["prior education"])

_MOST = 500
"""So many are looked through for those that are the caller's; contradictions are few."""


class Waiting(BaseModel):
    record: str
    cycle: str
    state: str
    title: str
    changed_at: datetime


class WorkList(BaseModel):
    records: list[Waiting]


class Change(BaseModel):
    """`typed` stands at `position` (from 0) of what was typed, `read` in its place on CHSI's record."""

    position: int
    typed: str
    read: str


class Difference(BaseModel):
    field: str
    label: str
    typed: str
    read: str
    changes: list[Change]


class Answer(BaseModel):
    """One thing that CHSI said, the first being 1, and where it is not what was typed."""

    number: int
    result: str
    on_record: dict[str, Any]
    differences: list[Difference]


class CaseShown(BaseModel):
    record: str
    state: str
    title: str
    action: str
    labels: dict[str, str]
    form: dict[str, str]
    request: str
    answers: list[Answer]


class Settlement(Body):
    """`counts`: the number of the answer that counts."""

    request: Annotated[str, Field(max_length=100)]
    seen: int = Field(ge=1, le=100, description="how many answers were looked at")
    counts: int = Field(ge=1, le=100)
    note: str = Field(max_length=1000, description="why, in the clerk's words")


@router.get("/contradicted-educations")
async def work_list(
    service: ServiceDep, parts: PartsDep, caller: StaffDep, limit: Annotated[int, Query(ge=1, le=200)] = 100
) -> WorkList:
    """What waits for the caller; what is settled makes room for the next."""
    async with service.reading() as connection:
        rows = await find_contradicted(connection, _MOST)
    mine = [row for row in rows if _is_mine(row, parts, caller)]
    return WorkList(
        records=[
            Waiting(
                record=row.id,
                cycle=row.cycle,
                state=row.state,
                title=parts.books.rules(row.scheme).book.state(row.state).title,
                changed_at=row.changed_at,
            )
            for row in mine[:limit]
        ]
    )


def _is_mine(row: EducationRow, parts: EducationParts, caller: Caller) -> bool:
    office = parts.books.rules(row.scheme).book.contradictions
    try:
        office_must_be_held(office.role, office.organisation, caller.roles)
    except Refused:
        return False
    return row.person != caller.id


_READING = refuses("access.not_found", "identity.nothing_to_settle")


@router.get("/contradicted-educations/{record}", openapi_extra=_READING)
async def case(
    record: Annotated[str, Field(max_length=100)], service: ServiceDep, parts: PartsDep, caller: StaffDep
) -> CaseShown:
    """What was typed beside everything that CHSI said about it, character by character."""
    state = await _state_of(service, record)
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    rules = parts.books.rules(state.record.scheme)
    context = EducationContext(service.clock(), caller.id, rules, roles=caller.roles)
    found, request = must_be_in_dispute(state, context)
    book, form = rules.book, found.record.form
    shown = book.state(EFFECTIVE if isinstance(found, Effective) else NOT_EFFECTIVE)
    return CaseShown(
        record=record,
        state=shown.id,
        title=shown.title,
        action=book.contradictions.action,
        labels={each.name: each.label for each in book.fields},
        form=dict(form),
        request=request,
        answers=[
            Answer(
                number=number,
                result=said["result"],
                on_record=dict(said.get("on_record", {})),
                differences=[
                    Difference(field=name, label=book.field(name).label, **told)
                    for name, told in (difference(book, form, said["on_record"]) if "on_record" in said else {}).items()
                ],
            )
            for number, said in enumerate(found.record.answers[request], start=1)
        ],
    )


async def _state_of(service: Service, record: str) -> Education:
    async with service.reading() as connection:
        past = await service.history(connection, stream_name(EDUCATION.kind, record))
    return EDUCATION.replay(fact.event for fact in past)


@router.post("/contradicted-educations/{record}/settlement")
async def settle(
    record: Annotated[str, Field(max_length=100)],
    body: Settlement,
    service: ServiceDep,
    caller: StaffDep,
    meta: CommandMeta,
) -> Done:
    """The answer that counts judges the record anew; those who follow prior education hear of it as ever."""
    command = SettleContradiction(
        record=record,
        request=body.request,
        seen=body.seen,
        counts=body.counts,
        note=parse_text(body.note, "note", most=500, least=2),
    )
    return Done.of(await service.handle(command, meta, caller=caller))
