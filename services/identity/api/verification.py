"""身份认证 for candidates: the routes there are, one's own photographs, and what came of them. Called by the portal.

Checked by content before they are kept; every rule that failed is told with what was measured. Nobody but the clerk
says whether two photographs show one person.
"""

from hashlib import sha256
from typing import Annotated, cast

from fastapi import APIRouter, Depends, File, Form, Path, Query, Request, Response, UploadFile
from pydantic import BaseModel

from services.identity.api.parts import Body, Done, PartsDep, Typed
from services.identity.attempts import Attempts
from services.identity.domain.commands import ReceivePersonPhotograph, StartVerification, SubmitPhotographs
from services.identity.domain.routes import VerificationRules
from services.identity.domain.scheme import Books
from services.identity.domain.verification import (
    VERIFICATION,
    Begun,
    Kept,
    Verification,
    Verified,
    slot_to_upload,
)
from services.identity.verifying import rules_of
from shared.documents.pool import DocumentWorkers
from shared.events.identity import PhotographRefused
from shared.kernel.errors import Refused
from shared.kernel.messages import stream_name
from shared.runtime.access import CandidateDep, CommandMeta, ServiceDep
from shared.runtime.edge import UPLOAD_BYTES
from shared.runtime.event_store import receipt_of
from shared.runtime.photographs import failed, judge, keep
from shared.runtime.problems import refuses
from shared.runtime.service import Service
from shared.schemes.forms import PhotoSlot

router = APIRouter(prefix="/v1", tags=["verification"])

Slot = Annotated[str, Path(pattern=r"^[a-z][a-z0-9_]{0,39}$")]


async def _books(request: Request) -> Books:
    return cast(Books, request.app.state.books)


async def _documents(request: Request) -> DocumentWorkers:
    return cast(DocumentWorkers, request.app.state.documents)


BooksDep = Annotated[Books, Depends(_books)]
DocumentsDep = Annotated[DocumentWorkers, Depends(_documents)]


class PhotographAsked(BaseModel):
    slot: str
    label: str
    hint: str
    background_hint: str | None
    required: bool

    @classmethod
    def of(cls, slot: PhotoSlot) -> "PhotographAsked":
        background = slot.background_hint.text if slot.background_hint else None
        return cls(
            slot=slot.slot,
            label=slot.label,
            hint=slot.capture_hint.text,
            background_hint=background,
            required=slot.required,
        )


class RouteShown(BaseModel):
    id: str
    title: str
    audience: str
    action: str
    photos_called: str
    photographs: list[PhotographAsked]
    steps: tuple[str, ...]
    password_step: str
    asks_ticket_number: bool


class RoutesShown(BaseModel):
    """The page of registration (考生注册). `level` and `under`: of which organisations one is chosen."""

    title: str
    routes: list[RouteShown]
    same_person: str
    in_person: str
    level: str
    under: str | None


class PhotographShown(PhotographAsked):
    uploaded: bool


class VerificationShown(BaseModel):
    """`reason`, `note`: why the last try failed. `in_person`: where to go when photographs will not do."""

    state: str
    title: str
    route: str | None = None
    organisation: str | None = None
    level: str | None = None
    attempt: int = 0
    refused: int = 0
    by_hand: str | None = None
    photographs: list[PhotographShown] = []
    same_person: str | None = None
    reason_code: str | None = None
    reason: str | None = None
    note: str | None = None
    in_person: str | None = None


class Start(Body):
    jurisdiction: Typed
    route: Typed
    organisation: Typed


class Uploaded(BaseModel):
    slot: str
    results: tuple[dict[str, object], ...]
    hints: tuple[dict[str, object], ...]


@router.get("/verification-routes", openapi_extra=refuses("identity.no_verification_there"))
async def routes(books: BooksDep, jurisdiction: Annotated[str, Query(max_length=40)]) -> RoutesShown:
    """SX-E-41: every route with its own button, text, photographs and flow."""
    rules = rules_of(book_of(jurisdiction, books), books)
    return RoutesShown(
        title=rules.page_title.text,
        routes=[
            RouteShown(
                id=each.id,
                title=each.title,
                audience=each.audience,
                action=each.action,
                photos_called=each.photos_called,
                photographs=[PhotographAsked.of(slot) for slot in rules.slots(each.id, by_hand=False)],
                steps=each.steps,
                password_step=each.password_step,
                asks_ticket_number=each.asks_ticket_number,
            )
            for each in rules.routes
        ],
        same_person=rules.same_person.text,
        in_person=rules.in_person.text.text,
        level=rules.review.level,
        under=rules.under,
    )


def book_of(jurisdiction: str, books: Books) -> str:
    book = books.of_jurisdiction(jurisdiction)
    if book is None:
        raise Refused("identity.no_verification_there")
    return book


async def verification_of(service: Service, person: str) -> Verification:
    async with service.reading() as connection:
        facts = await service.history(connection, stream_name(VERIFICATION.kind, person))
    return VERIFICATION.replay(fact.event for fact in facts)


@router.get("/me/verification", openapi_extra=refuses("identity.no_verification_there"))
async def show(service: ServiceDep, books: BooksDep, caller: CandidateDep) -> VerificationShown:
    """How far one's own verification is, what is still to be done, and why the last try failed."""
    state = await verification_of(service, caller.id)
    match state:
        case Begun():
            return _begun_shown(state, rules_of(state.book, books))
        case Verified():
            return VerificationShown(state="verified", title=state.state_title, level=state.level)
        case _:
            return VerificationShown(state="not_started", title=state.state_title)


def _begun_shown(state: Begun, rules: VerificationRules) -> VerificationShown:
    asked = rules.slots(state.route, by_hand=state.by_hand)
    reason = rules.reason(state.reason_code)
    return VerificationShown(
        state=type(state).__name__.lower(),
        title=str(getattr(state, "state_title", "")),
        route=state.route,
        organisation=state.organisation,
        attempt=state.attempt,
        refused=state.refused,
        by_hand=rules.by_hand.text.text if state.by_hand and rules.by_hand else None,
        photographs=[
            PhotographShown(**PhotographAsked.of(each).model_dump(), uploaded=each.slot in state.photographs)
            for each in asked
        ],
        same_person=rules.same_person.text,
        reason_code=reason.code if reason else None,
        reason=reason.text if reason else None,
        note=state.note or None,
        in_person=rules.in_person.text.text,
    )


@router.post("/me/verification", status_code=201)
async def start(body: Start, service: ServiceDep, books: BooksDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """SX-E-10: somebody who has an account begins; or begins anew on another route or at another office."""
    command = StartVerification(
        person=caller.id,
        book=book_of(body.jurisdiction, books),
        route=body.route,
        organisation=body.organisation,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/me/verification/photographs", status_code=201, max_body_size=UPLOAD_BYTES)
async def upload(
    slot: Annotated[str, Form(max_length=40, pattern=r"^\w*$")],
    file: Annotated[UploadFile, File()],
    service: ServiceDep,
    parts: PartsDep,
    books: BooksDep,
    documents: DocumentsDep,
    caller: CandidateDep,
    meta: CommandMeta,
) -> Uploaded:
    """SX-E-05, SX-E-07: one photograph; another one for the same place takes its place."""
    data = await file.read()
    request = {"slot": slot, "content": sha256(data).hexdigest()}
    state = await verification_of(service, caller.id)
    async with service.reading() as connection:
        receipt = await receipt_of(connection, meta.command_id, service.digest(request))
    if receipt is None:  # asked before the work, so that the same upload again costs nothing
        if not isinstance(state, Begun):
            raise Refused(
                "identity.already_verified" if isinstance(state, Verified) else "identity.verification_not_started"
            )
        said = slot_to_upload(slot, state, rules_of(state.book, books))
        limit = parts.scheme.limits.photos_per_person
        await Attempts(service).spend_or_refuse("verification_photo", caller.id, limit, meta.at)
        command = await _judged(data, said, service, documents, caller.id)
        receipt = await service.handle(command, meta, caller=caller, request=request)
    async with service.reading() as connection:
        first = receipt.version - len(receipt.events) + 1
        (fact,) = await service.facts(connection, [(receipt.stream, first)])
    if isinstance(fact.event, PhotographRefused):
        wrong = failed(fact.event.results)
        raise Refused(
            "identity.photo_refused", slot=slot, count=len(wrong), failed=wrong, by_hand=len(receipt.events) > 1
        )
    return Uploaded(slot=fact.event.slot, results=fact.event.results, hints=fact.event.hints)


async def _judged(
    data: bytes, said: PhotoSlot, service: Service, documents: DocumentWorkers, person: str
) -> ReceivePersonPhotograph:
    judged = await judge(data, said.photo, documents)
    if judged.picture is None:
        return ReceivePersonPhotograph(
            person=person, slot=said.slot, accepted=False, results=judged.results, hints=judged.hints
        )
    original, picture = await keep(service.blobs, person, data, judged.content_type, judged.picture)
    return ReceivePersonPhotograph(
        person=person,
        slot=said.slot,
        accepted=True,
        results=judged.results,
        hints=judged.hints,
        original=original.id,
        original_type=original.content_type,
        original_digest=original.digest,
        picture=picture.id,
        picture_digest=picture.digest,
    )


@router.post("/me/verification/submit")
async def submit(service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """To the clerk; until the decision nothing can be exchanged."""
    return Done.of(await service.handle(SubmitPhotographs(person=caller.id), meta, caller=caller))


@router.get("/me/verification/photographs/{slot}", response_class=Response)
async def picture(slot: Slot, service: ServiceDep, caller: CandidateDep) -> Response:
    state = await verification_of(service, caller.id)
    kept = state.photographs.get(slot) if isinstance(state, Begun) else None
    return await picture_of(service, caller.id, slot, kept)


async def picture_of(service: Service, person: str, slot: str, kept: Kept | None, original: bool = False) -> Response:
    if kept is None:
        raise Refused("access.not_found")
    data = await service.blobs.get(person, kept.original if original else kept.picture)
    return Response(
        data,
        media_type=kept.original_type if original else "image/jpeg",
        headers={"Content-Disposition": f'inline; filename="{slot}"'},
    )
