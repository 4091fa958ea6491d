"""证件照片: received, checked, kept sealed, and shown to those who may read the case.

The check and the reading run in worker processes; what is heavy or may fail happens before the command.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, File, Form, Response, UploadFile

from services.exemption.api.asking import ID, BooksDep, DocumentsDep, Id, looking, readable_case
from services.exemption.api.comparing import found_in, photos_of
from services.exemption.api.shapes import Uploaded
from services.exemption.domain.commands import ReceivePhotograph, ViewDocuments
from services.exemption.domain.export import file_name
from services.exemption.domain.scheme import ExemptionScheme
from services.exemption.domain.upload import UploadContext, may_upload
from services.exemption.views.uploads import count_received, find_uploads
from shared.documents import hints
from shared.documents.photo_rules import MENDED_BY_CROPPING, PhotoRules, cut_to
from shared.documents.pool import DocumentWorkers
from shared.events.exemption import PhotographRefused
from shared.kernel.errors import Refused
from shared.runtime.access import CandidateDep, CommandMeta, PersonDep, ServiceDep
from shared.runtime.edge import UPLOAD_BYTES
from shared.runtime.event_store import receipt_of
from shared.runtime.photographs import failed, judge, keep
from shared.schemes.forms import PhotoSlot, Readable

router = APIRouter()

_READERS: Mapping[Readable, Callable[[hints.Reading], hints.Found | None]] = {
    "id_number": hints.id_number,
    "name": hints.name,
    "certificate_number": hints.certificate_number,
    "certificate": hints.certificate_title,
    "valid_until": hints.valid_until,
}


@router.post("/uploads", status_code=201, max_body_size=UPLOAD_BYTES)
async def upload(
    application: Annotated[str, Form(pattern=ID)],
    slot: Annotated[str, Form(max_length=81, pattern=r"^[\w.]*$")],  # no NUL: the edge finds those in JSON only
    file: Annotated[UploadFile, File()],
    service: ServiceDep,
    books: BooksDep,
    documents: DocumentsDep,
    caller: CandidateDep,
    meta: CommandMeta,
) -> Uploaded:
    """SW-06, SW-10, SW-46: checked by content, cropped, re-encoded; every failed rule with its measured value."""
    data = await file.read()
    request = {"application": application, "slot": slot, "content": sha256(data).hexdigest()}
    async with service.reading() as connection:
        case, context, _ = await readable_case(service, connection, books, application, caller)
        book = context.rules.book
        receipt = await receipt_of(connection, meta.command_id, service.digest(request))
        received = await count_received(connection, caller.id, slot, context.now)
    if receipt is None:  # asked before the work, so that the same upload again costs nothing, nor one too many
        said = may_upload(slot, UploadContext(context.now, caller.id, context.rules, case, received))
        command = await _checked(data, slot, said, service, documents, caller.id, application)
        receipt = await service.handle(command, meta, caller=caller, request=request)
    async with service.reading() as connection:
        (fact,) = await service.facts(connection, [(receipt.stream, receipt.version)])
    if isinstance(fact.event, PhotographRefused):
        wrong = failed(fact.event.results)
        raise Refused(
            "exemption.photo_refused",
            slot=slot,
            count=len(wrong),
            failed=wrong,
            hint=_hint(book, slot),
            crop_offered=_can_be_cropped(book, slot, fact.event.results),
        )
    return Uploaded(id=fact.subject, slot=slot, **found_in(book, case, fact))


@router.post("/uploads/crop", response_class=Response, max_body_size=UPLOAD_BYTES)
async def crop(
    application: Annotated[str, Form(pattern=ID)],
    slot: Annotated[str, Form(max_length=81, pattern=r"^[\w.]*$")],
    file: Annotated[UploadFile, File()],
    service: ServiceDep,
    books: BooksDep,
    documents: DocumentsDep,
    caller: CandidateDep,
) -> Response:
    """SD-28: the picture cut to the shape and size that the slot asks for, to look at and upload. Nothing is kept."""
    data = await file.read()
    async with service.reading() as connection:
        case, context, _ = await readable_case(service, connection, books, application, caller)
        received = await count_received(connection, caller.id, slot, context.now)
    said = may_upload(slot, UploadContext(context.now, caller.id, context.rules, case, received))
    made = await documents.offer(data, PhotoRules(**said.photo.asked()))
    if made is None:
        raise Refused("exemption.nothing_to_crop", hint=said.capture_hint.text)
    return Response(made, media_type="image/jpeg", headers={"Content-Disposition": f'inline; filename="{slot}.jpg"'})


def _can_be_cropped(book: ExemptionScheme, slot: str, results: Sequence[Mapping[str, Any]]) -> bool:
    """Whether cutting can mend something of what is wrong, and leaves enough; `/uploads/crop` then does it."""
    said = book.slot(slot)
    wrong = {each["code"] for each in results if not each["passed"]}
    sizes = [each["measured"] for each in results if each["code"] in {"photo.too_small", "photo.too_large"}]
    if said is None or said.photo.aspect is None or not sizes or not wrong & MENDED_BY_CROPPING:
        return False
    measured_width, measured_height = sizes[0]
    width, height = cut_to(measured_width, measured_height, said.photo.aspect)
    enough = width >= (said.photo.min_width or 0) and height >= (said.photo.min_height or 0)
    return enough and "photo.unreadable" not in wrong


def _hint(book: ExemptionScheme, slot: str) -> str:
    """SW-09: what to do about it."""
    said = book.slot(slot)
    assert said is not None  # a photograph was received for it
    return said.background_hint.text if said.background_hint else said.capture_hint.text


async def _checked(
    data: bytes, slot: str, said: PhotoSlot, service: Any, documents: DocumentWorkers, person: str, application: str
) -> ReceivePhotograph:
    """`slot` is what was asked for: of a claim `<basis>.<slot>`, where the book's own is the second part alone."""
    judged = await judge(data, said.photo, documents)
    if judged.picture is None:
        return ReceivePhotograph(
            application=application, slot=slot, accepted=False, results=judged.results, hints=judged.hints
        )
    found = await reading(judged.picture, said, documents)
    original, picture = await keep(service.blobs, person, data, judged.content_type, judged.picture)
    return ReceivePhotograph(
        application=application,
        slot=slot,
        accepted=True,
        results=judged.results,
        hints=judged.hints,
        original=original.id,
        original_type=original.content_type,
        original_digest=original.digest,
        picture=picture.id,
        picture_digest=picture.digest,
        cropped=judged.cropped,
        reading=found,
    )


async def reading(picture: bytes, said: PhotoSlot, documents: DocumentWorkers, within: float = 60) -> dict[str, Any]:
    """By kind of field, what stands on the paper. Only a hint: when the reader is busy, or takes longer than `within`
    seconds, the upload goes on without."""
    if not said.reads:
        return {}
    try:
        async with asyncio.timeout(within):
            read = await documents.read(picture)
    except (Refused, TimeoutError):
        return dict.fromkeys(said.reads)
    found = {kind: _READERS[kind](read) for kind in said.reads}
    return {kind: asdict(each) if each else None for kind, each in found.items()}


@router.get("/uploads/{upload}/picture", response_class=Response)
async def picture(
    upload: Id, service: ServiceDep, books: BooksDep, caller: PersonDep, original: bool = False
) -> Response:
    """SW-21: in full quality, for the owner and for those whose desk the case has reached; that look is recorded."""
    async with service.reading() as connection:
        row = (await find_uploads(connection, [upload])).get(upload)
        if row is None:
            raise Refused("access.not_found")
        case, context, _ = await readable_case(service, connection, books, row.application, caller)
        if row.owner != case.candidate or (caller.id != row.owner and upload not in dict(photos_of(case)).values()):
            raise Refused("access.not_found")
    if caller.id != row.owner:
        look = ViewDocuments(application=row.application, documents=(row.slot,))
        await service.handle(look, looking(service, caller), caller=caller)
    data = await service.blobs.get(row.owner, row.original if original else row.picture)
    called = quote(file_name(context.rules.book, case, row.slot))
    return Response(
        data,
        media_type=row.original_type if original else "image/jpeg",
        headers={"Content-Disposition": f"inline; filename*=UTF-8''{called}"},
    )
