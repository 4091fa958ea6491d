"""Documents for the candidate: the form as a Word file to keep, and the receipt to print. Neither changes anything."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter, Response
from fastapi.concurrency import run_in_threadpool

from services.exemption.api import wording
from services.exemption.api.asking import BooksDep, Id, readable_case
from services.exemption.domain.case import Case
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import Rules
from services.exemption.handlers import organisation_names
from services.exemption.views.organisations import find_named
from services.exemption.views.uploads import find_uploads
from shared.documents import receipt as receipts
from shared.documents import word_form
from shared.events.exemption import ApplicationSubmitted, DraftSaved
from shared.kernel.messages import Fact
from shared.runtime.access import CandidateDep, ServiceDep
from shared.runtime.problems import refuses
from shared.runtime.rows import Connection
from shared.runtime.service import Service

router = APIRouter()

_WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@router.get(
    "/applications/{application}/form-document",
    response_class=Response,
    openapi_extra=refuses("exemption.no_form_document"),
)
async def form_document(application: Id, service: ServiceDep, books: BooksDep, caller: CandidateDep) -> Response:
    """SD-35 导出申请表: what is saved so far, right or wrong, as a Word document. It hands nothing in (SD-36)."""
    async with service.reading() as connection:
        case, context, past = await readable_case(service, connection, books, application, caller)
        names = await organisation_names(connection, context.rules, [case])
        made = wording.form_document(context.rules, case, names, _handed_in_at(past), context.now)
        portrait = await _portrait(service, connection, context.rules, case)
    written = await run_in_threadpool(word_form.write, made, portrait)
    return Response(written, media_type=_WORD, headers=_named(f"{made.title}.docx", "attachment"))


def _handed_in_at(past: Sequence[Fact[Any]]) -> Any:
    """When it was handed in; None while something is being changed since."""
    last = next((fact for fact in reversed(past) if isinstance(fact.event, ApplicationSubmitted | DraftSaved)), None)
    return last.meta.at if last and isinstance(last.event, ApplicationSubmitted) else None


async def _portrait(service: Service, connection: Connection, rules: Rules, case: Case) -> bytes | None:
    """The first photograph of the form, if it is there already."""
    slot = next((each.slot for each in rules.book.photos), "")
    upload = case.photos.get(slot)
    if upload is None:
        return None
    return await service.blobs.get(case.candidate, (await find_uploads(connection, [upload]))[upload].picture)


@router.get(
    "/applications/{application}/receipt-document",
    response_class=Response,
    openapi_extra=refuses("exemption.no_receipt"),
)
async def receipt_document(application: Id, service: ServiceDep, books: BooksDep, caller: CandidateDep) -> Response:
    """SD-38 申报告知单 as a PDF to print: number, time, and what was handed in."""
    async with service.reading() as connection:
        case, context, past = await readable_case(service, connection, books, application, caller)
        handed = wording.handed_in(past)
        point = value_of(context.rules.book, "organisation", handed.case.form) if handed else None
        named = await find_named(connection, [point] if point else [])
    made = wording.receipt_document(context.rules, books.head(case.scheme), handed, named)
    printed = await run_in_threadpool(receipts.render, made)
    return Response(printed, media_type="application/pdf", headers=_named(f"{made.title}.pdf", "inline"))


def _named(name: str, how: str) -> dict[str, str]:
    return {"Content-Disposition": f"{how}; filename*=UTF-8''{quote(name)}"}
