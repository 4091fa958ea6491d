"""Organisations (机构): a list that everybody may read, changed by administrators. Called by portal and console."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.identity import views
from services.identity.api.parts import Body, Done, Typed
from services.identity.domain import rules
from services.identity.domain.commands import AddOrganisation, CloseOrganisation, RenameOrganisation
from shared.kernel.values import parse_text
from shared.runtime.access import CommandMeta, ServiceDep, StaffDep

router = APIRouter(prefix="/v1/organisations", tags=["organisations"])

Phones = Annotated[tuple[Typed, ...], Field(max_length=10)]


class Add(Body):
    organisation: Typed
    title: Typed
    level: Typed
    parent: Typed | None = None
    phones: Phones = ()


class Rename(Body):
    title: Typed
    phones: Phones = ()


class Shown(BaseModel):
    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]
    version: int


class Listed(BaseModel):
    organisations: list[Shown]
    next: str | None


@router.get("")
async def list_organisations(
    service: ServiceDep,
    level: Annotated[str | None, Query(max_length=40)] = None,
    parent: Annotated[str | None, Query(max_length=40)] = None,
    after: Annotated[str, Query(max_length=40)] = "",
    limit: Annotated[int, Query(ge=1, le=200)] = 100,
) -> Listed:
    """Open organisations by code; `next` is the `after` of the next page."""
    async with service.reading() as connection:
        rows = await views.find_organisations(connection, level=level, parent=parent, after=after, most=limit)
    shown = [Shown.model_validate(row, from_attributes=True) for row in rows]
    return Listed(organisations=shown, next=rows[-1].organisation if len(rows) == limit else None)


@router.post("", status_code=201)
async def add(body: Add, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """Under a parent, by an administrator of it; a root of the tree, by one of everything."""
    command = AddOrganisation(
        organisation=rules.parse_organisation(body.organisation),
        title=parse_text(body.title, "title", most=100, least=2),
        level=body.level,
        parent=body.parent,
        phones=rules.parse_phones(body.phones),
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/{organisation}/title")
async def rename(organisation: str, body: Rename, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """A new title, new telephone numbers."""
    command = RenameOrganisation(
        organisation=organisation,
        title=parse_text(body.title, "title", most=100, least=2),
        phones=rules.parse_phones(body.phones),
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/{organisation}/closure")
async def close(organisation: str, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """撤销: only when nothing open is below it."""
    return Done.of(await service.handle(CloseOrganisation(organisation=organisation), meta, caller=caller))
