"""同一证书多人生效 for clerks: diplomas that are in effect for more than one person, and what each of them typed.

Called by the portal. Only whom the record's book names sees such a diploma; the candidates learn nothing of it.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.identity.api.education import EducationParts, PartsDep
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import NotStarted
from services.identity.domain.rules import office_must_be_held
from services.identity.education_views import EducationRow, find_shared
from shared.kernel.errors import Refused
from shared.kernel.messages import stream_name
from shared.runtime.access import Caller, ServiceDep, StaffDep
from shared.runtime.problems import refuses

router = APIRouter(prefix="/v1", tags=["prior education"])

_MOST = 500
"""So many records are looked through for those that are the caller's; diplomas of two people are few."""


class Holding(BaseModel):
    """One record by which the diploma is in effect."""

    record: str
    person: str
    cycle: str
    scheme: str
    changed_at: datetime


class Shared(BaseModel):
    """One diploma; `record` is the one by which its details are asked for."""

    record: str
    holdings: list[Holding]


class SharedList(BaseModel):
    diplomas: list[Shared]


class HoldingShown(Holding):
    labels: dict[str, str]
    form: dict[str, str] = Field(description="as it was handed in last")


class SharedShown(BaseModel):
    holdings: list[HoldingShown]


@router.get("/shared-diplomas")
async def work_list(
    service: ServiceDep, parts: PartsDep, caller: StaffDep, limit: Annotated[int, Query(ge=1, le=200)] = 100
) -> SharedList:
    """F-15: what waits for the caller; where it is in effect for one person only any more, it is gone from here."""
    async with service.reading() as connection:
        found = await find_shared(connection, _MOST)
    mine = [(own[0], rows) for rows in found if (own := [row for row in rows if _is_mine(row, parts, caller)])]
    shown = [Shared(record=own.id, holdings=[_holding(row) for row in rows]) for own, rows in mine[:limit]]
    return SharedList(diplomas=shown)


@router.get("/shared-diplomas/{record}", openapi_extra=refuses("access.not_found"))
async def detail(
    record: Annotated[str, Field(max_length=100)], service: ServiceDep, parts: PartsDep, caller: StaffDep
) -> SharedShown:
    """What each of them typed, side by side; of a record elsewhere nobody is told whether there is one."""
    async with service.reading() as connection:
        found = await find_shared(connection, _MOST, record)
        rows = [row for several in found for row in several]
        if not any(row.id == record and _is_mine(row, parts, caller) for row in rows):
            raise Refused("access.not_found")
        pasts = [await service.history(connection, stream_name(EDUCATION.kind, row.id)) for row in rows]
    shown = []
    for row, past in zip(rows, pasts, strict=True):
        state = EDUCATION.replay(fact.event for fact in past)
        assert not isinstance(state, NotStarted)  # it has a row
        labels = {each.name: each.label for each in parts.books.rules(row.scheme).book.fields}
        shown.append(HoldingShown(**_holding(row).model_dump(), labels=labels, form=dict(state.record.handed_in)))
    return SharedShown(holdings=shown)


def _holding(row: EducationRow) -> Holding:
    return Holding(record=row.id, person=row.person, cycle=row.cycle, scheme=row.scheme, changed_at=row.changed_at)


def _is_mine(row: EducationRow, parts: EducationParts, caller: Caller) -> bool:
    office = parts.books.rules(row.scheme).book.contradictions
    try:
        office_must_be_held(office.role, office.organisation, caller.roles)
    except Refused:
        return False
    return row.person != caller.id
