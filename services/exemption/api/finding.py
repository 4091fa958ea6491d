"""For a clerk with a candidate before them: an application by the number on its printed page, or on the ID card."""

from contextlib import suppress
from typing import cast

from fastapi import APIRouter
from pydantic import Field

from services.exemption.api.answers import line_of
from services.exemption.api.asking import Body, BooksDep, readable_case
from services.exemption.api.shapes import FoundLine, Listed
from services.exemption.domain.access import available_actions
from services.exemption.domain.case import Application
from services.exemption.domain.form import value_of
from services.exemption.views.people import find_by_number
from shared.kernel.errors import Refused
from shared.runtime.access import ServiceDep, StaffDep

router = APIRouter()


class Find(Body):
    """The application's number, the admission ticket number (the candidate's, or typed in the form) or the
    candidate's ID number, whole."""

    number: str = Field(min_length=4, max_length=40)


@router.post("/applications/find")
async def find(body: Find, service: ServiceDep, books: BooksDep, caller: StaffDep) -> Listed[FoundLine]:
    """SX-E-35, SX-E-36: what was handed in at the caller's organisations, and what they could do with it now.

    A number is sent in the body, since addresses are kept in logs; elsewhere there is nothing to be found.
    """
    items = []
    async with service.reading() as connection:
        jurisdictions = sorted({ref.split("/")[0] for ref in books.refs()})
        for row in await find_by_number(connection, service.keyring, body.number, jurisdictions):
            with suppress(Refused):
                case, context, _ = await readable_case(service, connection, books, row.id, caller)
                actions = available_actions(cast(Application, case), context)
                name = value_of(context.rules.book, "name", case.form)
                items.append(FoundLine(**line_of(row, context.rules.book), name=name, actions=actions))
    return Listed(items=items)
