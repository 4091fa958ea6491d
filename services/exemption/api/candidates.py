"""For candidates: start, fill in, hand in and follow an application. The detail page is shared with reviewers."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from services.exemption.api.answers import candidates_line, case_shown
from services.exemption.api.asking import Body, BooksDep, Done, Id, IdInBody, asking, cycle_of, looking, readable_case
from services.exemption.api.comparing import photos_of
from services.exemption.api.contacts import ContactShown, contacts_shown
from services.exemption.api.shapes import CaseShown, Line, Listed, ReceiptShown, VerdictShown
from services.exemption.api.verdicts import receipt_shown, verdict_shown
from services.exemption.domain.access import Context
from services.exemption.domain.case import Case
from services.exemption.domain.commands import (
    DiscardDraft,
    SaveDraft,
    StartApplication,
    SubmitApplication,
    ViewDocuments,
)
from services.exemption.domain.flagging import FLAGS
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, Education
from services.exemption.domain.upload import UPLOAD
from services.exemption.handlers import Books
from services.exemption.submitting import where_it_goes, with_what_is_known
from services.exemption.views.applications import find_own
from services.exemption.views.elsewhere import find_duplicates
from services.exemption.views.organisations import find_named, find_upwards
from services.exemption.views.uploads import find_uploads
from shared.kernel.messages import Fact, stream_name
from shared.runtime.access import CandidateDep, CommandMeta, IfMatch, PersonDep, ServiceDep
from shared.runtime.problems import refuses
from shared.runtime.rows import Connection
from shared.runtime.service import Service

router = APIRouter()

Word = Annotated[str, Field(max_length=40)]
Typed = dict[Word, Annotated[str, Field(max_length=4000)]]


class Start(Body):
    cycle: IdInBody


class CourseInBody(Body):
    """A claimed course: its code, its name if the book asks for it, and what it asks besides."""

    code: Annotated[str, Field(max_length=40)]
    name: Annotated[str, Field(max_length=100)] = ""
    form: Typed = Field(default_factory=dict, max_length=20)


class ClaimInBody(Body):
    """One claim on a basis of the book."""

    basis: Word
    form: Typed = Field(default_factory=dict, max_length=40)
    photos: dict[Word, IdInBody] = Field(default_factory=dict, max_length=20)
    courses: list[CourseInBody] = Field(default_factory=list, max_length=40)


class MajorInBody(Body):
    """A major is its level and code."""

    level: Annotated[str, Field(min_length=1, max_length=20)]
    code: Annotated[str, Field(min_length=1, max_length=10)]


class Draft(Body):
    """Everything as typed so far: the form, the photographs by slot, the claims and the majors."""

    form: Typed = Field(max_length=60)
    photos: dict[Word, IdInBody] = Field(default_factory=dict, max_length=20)
    claims: list[ClaimInBody] = Field(default_factory=list, max_length=40)
    majors: list[MajorInBody] = Field(default_factory=list, max_length=20)


@router.post("/applications", status_code=201)
async def start(body: Start, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """待提交: open an application in a cycle."""
    return Done.of(await service.handle(StartApplication(cycle=body.cycle), meta, caller=caller))


@router.get("/applications")
async def own(service: ServiceDep, books: BooksDep, caller: CandidateDep) -> Listed[Line]:
    """SW-16: the candidate's own records."""
    async with service.reading() as connection:
        rows = await find_own(connection, caller.id)
        cycles = {cycle: await cycle_of(service, connection, cycle) for cycle in {row.cycle for row in rows}}
    now = service.clock()
    contexts = (
        Context(now, caller.id, caller.roles, row.id, row.cycle, books.rules(row.scheme), cycles[row.cycle])
        for row in rows
    )
    return Listed(items=[candidates_line(row, context) for row, context in zip(rows, contexts, strict=True)])


@router.put("/applications/{application}/draft")
async def save(
    application: Id, body: Draft, service: ServiceDep, caller: CandidateDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """Kept as typed, right or wrong; checked when handed in."""
    command = SaveDraft(
        application=application,
        form=dict(body.form),
        photos=dict(body.photos),
        claims=tuple(each.model_dump() for each in body.claims),
        majors=tuple(f"{each.level} {each.code}" for each in body.majors),
        expected=version,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/submit")
async def submit(
    application: Id, service: ServiceDep, caller: CandidateDep, meta: CommandMeta, version: IfMatch
) -> Done:
    """SW-07 确认提交: hand in what was saved last; with If-Match, exactly what was looked at."""
    command = SubmitApplication(application=application, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/applications/{application}/verdict")
async def verdict(application: Id, service: ServiceDep, books: BooksDep, caller: CandidateDep) -> VerdictShown:
    """Whether what was saved last would be taken now: every rule with what it looked at, by the rules that decide."""
    async with service.reading() as connection, connection.transaction(readonly=True):
        case, context, _ = await readable_case(service, connection, books, application, caller)
        known = await with_what_is_known(asking(service, connection, looking(service, caller)), case, context)
    return verdict_shown(case, known)


@router.get("/applications/{application}/receipt", openapi_extra=refuses("exemption.no_receipt"))
async def receipt(application: Id, service: ServiceDep, books: BooksDep, caller: CandidateDep) -> ReceiptShown:
    """SD-38 申报告知单."""
    async with service.reading() as connection:
        _, context, past = await readable_case(service, connection, books, application, caller)
    return receipt_shown(context.rules, past)


@router.post("/applications/{application}/discard")
async def discard(
    application: Id, service: ServiceDep, caller: CandidateDep, meta: CommandMeta, version: IfMatch
) -> Done:
    command = DiscardDraft(application=application, expected=version)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get("/applications/{application}", response_model_exclude_unset=True)
async def detail(application: Id, service: ServiceDep, books: BooksDep, caller: PersonDep) -> CaseShown:
    """SW-20: the form, the photographs, the state and 经办记录; a reviewer's look is recorded."""
    reviewing = caller.kind == "staff"
    if reviewing:
        look = ViewDocuments(application=application, documents=("form", "history"))
        await service.handle(look, looking(service, caller), caller=caller)
    async with service.reading() as connection:
        case, context, past = await readable_case(service, connection, books, application, caller)
        named = {getattr(fact.event, "organisation", "") for fact in past} | set(case.organisations.values())
        names = await find_named(connection, sorted(named))
        photographs = await _photographs(service, connection, case)
        duplicates = await find_duplicates(connection, application) if reviewing else None
        flags = await service.history(connection, stream_name(FLAGS.kind, application)) if reviewing else ()
        records = await _education(service, connection, case) if case.claims else {}
        contacts = None if reviewing else await _contacts(connection, books, case, context)
    shown = case_shown(application, case, context, past, photographs, names, duplicates, records, flags)
    return shown if contacts is None else shown.model_copy(update={"contacts": contacts})


async def _contacts(connection: Connection, books: Books, case: Case, context: Context) -> list[ContactShown]:
    start = where_it_goes(case, context)
    listed = books.catalog.reference.organisations.get(context.rules.jurisdiction)
    return contacts_shown(books.head(case.scheme), start, await find_upwards(connection, start), listed)


async def _education(service: Service, connection: Connection, case: Case) -> Mapping[str, Education]:
    """What identity told of the candidate's prior education, as it is now."""
    told = await service.history(connection, stream_name(ACCOUNT_FOLLOWED.kind, case.candidate))
    account = ACCOUNT_FOLLOWED.replay(fact.event for fact in told)
    return account.education if account else {}


async def _photographs(service: Service, connection: Connection, case: Case) -> dict[str, Fact[Any]]:
    known = await find_uploads(connection, [upload for _, upload in photos_of(case)])
    facts = await service.facts(connection, [(stream_name(UPLOAD.kind, upload), 1) for upload in known])
    return {fact.subject: fact for fact in facts}
