"""For everybody, before any login: the books, the cycles, and where one can apply."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.exemption.api.answers import Answer, cycle_answer, scheme_answer
from services.exemption.api.asking import BooksDep, Id
from services.exemption.views.cycles import find_cycles
from services.exemption.views.organisations import find_below
from shared.kernel.errors import Refused
from shared.runtime.access import ServiceDep
from shared.runtime.problems import refuses

router = APIRouter()


@router.get("/schemes")
async def schemes(books: BooksDep) -> dict[str, Any]:
    """What one can apply for."""
    items = [{"ref": ref, "title": books.head(ref).title.text} for ref in books.refs()]
    return {"items": items}


@router.get("/schemes/{ref:path}", openapi_extra=refuses("exemption.no_such_scheme"))
async def scheme(ref: str, books: BooksDep) -> Answer:
    """All a page needs: fields, hints, photo rules, states with explanations, texts, contacts."""
    rules = books.rules(ref)
    return scheme_answer(books.catalog.get(ref), rules)


@router.get("/cycles")
async def cycles(
    service: ServiceDep, books: BooksDep, scheme: Annotated[str | None, Query(max_length=100)] = None
) -> dict[str, Any]:
    """批次, the newest first."""
    async with service.reading() as connection:
        rows = await find_cycles(connection, scheme=scheme)
    return {"items": [cycle_answer(row, books.rules(row.scheme), service.clock()) for row in rows]}


@router.get("/cycles/{cycle}")
async def cycle(cycle: Id, service: ServiceDep, books: BooksDep) -> Answer:
    async with service.reading() as connection:
        rows = await find_cycles(connection, cycle=cycle)
    if not rows:
        raise Refused("access.not_found")
    return cycle_answer(rows[0], books.rules(rows[0].scheme), service.clock())


@router.get("/cycles/{cycle}/organisations")
async def organisations(cycle: Id, service: ServiceDep, books: BooksDep) -> dict[str, Any]:
    """SW-43: the organisations through which one applies in this cycle, with their telephone numbers."""
    async with service.reading() as connection:
        rows = await find_cycles(connection, cycle=cycle)
        if not rows:
            raise Refused("access.not_found")
        field = books.rules(rows[0].scheme).book.field_of("organisation")
        level = field.level if field else None
        found = await find_below(connection, rows[0].organisation, level or "")
    return {"items": [{"id": each.id, "title": each.title, "phones": list(each.phones)} for each in found]}
