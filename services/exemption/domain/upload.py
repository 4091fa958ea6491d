"""证件照片 one uploaded photograph: accepted with what is kept of it, or refused with every failed rule. Pure.

The picture itself is checked before, off the event loop; here it becomes a fact, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, assert_never

from services.exemption.domain import rules
from services.exemption.domain.case import Application, Case, Draft, Returned
from services.exemption.domain.commands import ReceivePhotograph
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import Rules
from shared.events.exemption import PhotographAccepted, PhotographRefused, UploadEvent
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.schemes.forms import PhotoSlot


@dataclass(frozen=True)
class NotUploaded:
    """There is no such upload."""

    state_title: ClassVar[str] = "未上传"


@dataclass(frozen=True)
class Accepted(Photograph):
    """Kept, and usable in its application."""

    state_title: ClassVar[str] = "合格"


@dataclass(frozen=True)
class NotAccepted(Photograph):
    """Checked and refused."""

    state_title: ClassVar[str] = "不合格"


Upload = NotUploaded | Accepted | NotAccepted


@dataclass(frozen=True)
class UploadContext:
    """What a decision may know besides the past."""

    now: datetime
    actor: str
    rules: Rules
    application: Application | Case
    received_today: int  # of this candidate for this slot


def may_upload(slot: str, context: UploadContext) -> PhotoSlot:
    """SW-06, SW-14: by the candidate, while the application may be edited, for a known slot, not without end."""
    if not isinstance(context.application, Case) or context.application.candidate != context.actor:
        raise Refused("access.not_found")
    if not isinstance(context.application, Draft | Returned):
        raise Refused("exemption.already_submitted")
    book = context.rules.book
    said = book.slot(slot)
    if said is None:
        raise Refused("exemption.unknown_slot", slots=[slot[:40]], count=1)
    rules.photographs_must_be_few(slot, context.received_today, book.photos_a_day.most, context.now)
    return said


def decide(command: ReceivePhotograph, state: Upload, context: UploadContext) -> Sequence[UploadEvent]:
    slot = may_upload(command.slot, context)
    if not isinstance(state, NotUploaded):
        raise Refused("request.key_reused")
    clause = context.rules.clause(*context.rules.book.said_of(command.slot), source=slot.source)
    if not command.accepted:
        return [
            PhotographRefused(
                owner=context.actor,
                application=command.application,
                slot=command.slot,
                results=command.results,
                clause=clause,
            )
        ]
    return [
        PhotographAccepted(
            owner=context.actor,
            application=command.application,
            slot=command.slot,
            original=command.original,
            original_type=command.original_type,
            original_digest=command.original_digest,
            picture=command.picture,
            picture_digest=command.picture_digest,
            cropped=command.cropped,
            results=command.results,
            hints=command.hints,
            reading=command.reading,
            clause=clause,
        )
    ]


def evolve(_: Upload, event: UploadEvent) -> Upload:
    """The past is never refused."""
    match event:
        case PhotographAccepted():
            return Accepted(event.owner, event.application, event.slot, digest=event.original_digest)
        case PhotographRefused():
            return NotAccepted(event.owner, event.application, event.slot)
        case _:
            assert_never(event)


UPLOAD: Decider[ReceivePhotograph, Upload, UploadEvent, UploadContext] = Decider(
    "upload", NotUploaded(), decide, evolve
)
