"""For everybody, before any login: the books, courses and majors, the cycles, and where one can apply."""

from typing import Annotated

from fastapi import APIRouter, Query

from services.exemption.api.answers import cycle_shown, scheme_shown
from services.exemption.api.asking import BooksDep, Id
from services.exemption.api.shapes import CourseFound, CycleShown, Listed, MajorShown, Place, SchemeShown, SchemeTitle
from services.exemption.views.cycles import find_cycles
from services.exemption.views.organisations import find_below
from shared.kernel.errors import Refused
from shared.runtime.access import ServiceDep
from shared.runtime.problems import refuses

router = APIRouter()


@router.get("/schemes")
async def schemes(
    books: BooksDep,
    q: Annotated[str, Query(max_length=60, description="A name of the matter, or a part of one.")] = "",
) -> Listed[SchemeTitle]:
    """What one can apply for. SD-07, SD-48: found under each of its spellings, told by the one it is searched for."""
    return Listed(items=[_titled(books, ref) for ref in books.refs() if any(q in name for name in _names(books, ref))])


def _names(books: BooksDep, ref: str) -> list[str]:
    head = books.head(ref)
    return [head.title.text, *([head.entrance.item or "", *head.entrance.aliases] if head.entrance else [])]


def _titled(books: BooksDep, ref: str) -> SchemeTitle:
    head = books.head(ref)
    item = head.entrance.item if head.entrance else None
    return SchemeTitle(ref=ref, title=head.title.text, item=item or head.title.text)


@router.get("/schemes/{ref:path}", response_model_exclude_none=True, openapi_extra=refuses("exemption.no_such_scheme"))
async def scheme(ref: str, books: BooksDep) -> SchemeShown:
    """All a page needs: fields, hints, photo rules, states with explanations, texts, contacts."""
    rules = books.rules(ref)
    return scheme_shown(books.catalog.get(ref), rules)


@router.get("/courses")
async def courses(
    books: BooksDep,
    q: Annotated[str, Query(min_length=1, max_length=60, description="A code or name, or a part of one.")],
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> Listed[CourseFound]:
    """SD-32: courses by code, official name or another name, the best match first. To be chosen from, not typed."""
    found = books.catalog.reference.courses.find(q)[:limit]
    return Listed(
        items=[
            CourseFound(**each.course.model_dump(exclude={"source"}), found_by=each.by, matched=each.matched)
            for each in found
        ]
    )


@router.get("/majors", openapi_extra=refuses("exemption.no_majors_listed"))
async def majors(
    books: BooksDep,
    jurisdiction: Annotated[str, Query(max_length=40, description="The first part of a scheme's name.")],
) -> Listed[MajorShown]:
    """SX-E-22: the majors of a jurisdiction, in the order of its lists."""
    listed = books.catalog.reference.majors.get(jurisdiction)
    if listed is None:
        raise Refused("exemption.no_majors_listed")
    return Listed(
        items=[
            MajorShown(**each.model_dump(exclude={"source"}), heading=listed.heading(each.level))
            for each in listed.majors
        ]
    )


@router.get("/cycles")
async def cycles(
    service: ServiceDep, books: BooksDep, scheme: Annotated[str | None, Query(max_length=100)] = None
) -> Listed[CycleShown]:
    """批次, the newest first."""
    async with service.reading() as connection:
        rows = await find_cycles(connection, scheme=scheme)
    return Listed(items=[cycle_shown(row, books.rules(row.scheme), service.clock()) for row in rows])


@router.get("/cycles/{cycle}")
async def cycle(cycle: Id, service: ServiceDep, books: BooksDep) -> CycleShown:
    async with service.reading() as connection:
        rows = await find_cycles(connection, cycle=cycle)
    if not rows:
        raise Refused("access.not_found")
    return cycle_shown(rows[0], books.rules(rows[0].scheme), service.clock())


@router.get("/cycles/{cycle}/organisations")
async def organisations(cycle: Id, service: ServiceDep, books: BooksDep) -> Listed[Place]:
    """SW-43: the organisations through which one applies in this cycle, with their telephone numbers."""
    async with service.reading() as connection:
        rows = await find_cycles(connection, cycle=cycle)
        if not rows:
            raise Refused("access.not_found")
        field = books.rules(rows[0].scheme).book.field_of("organisation")
        level = field.level if field else None
        found = await find_below(connection, rows[0].organisation, level or "")
    return Listed(items=[Place(id=each.id, title=each.title, phones=each.phones) for each in found])
