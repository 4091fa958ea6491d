"""证件照片: accepted photographs, to whom they belong and where they are kept; and how many were sent in a day."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.exemption.domain.rules import today
from shared.events.exemption import PhotographAccepted, PhotographRefused
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx


async def _received(tx: Tx, fact: Fact[PhotographAccepted] | Fact[PhotographRefused]) -> None:
    day = {"person": fact.event.owner, "slot": fact.event.slot, "day": today(fact.meta.at)}
    await tx.add("photograph_days", day, received=1)


async def _accepted(tx: Tx, fact: Fact[PhotographAccepted]) -> None:
    event = fact.event
    await _received(tx, fact)
    await tx.insert(
        "uploads",
        id=fact.subject,
        application=event.application,
        owner=event.owner,
        slot=event.slot,
        picture=event.picture,
        picture_digest=event.picture_digest,
        original=event.original,
        original_type=event.original_type,
        version=fact.version,
    )


UPLOADS = View("uploads", ("uploads", "photograph_days"), {PhotographAccepted: _accepted, PhotographRefused: _received})


@dataclass(frozen=True)
class UploadRow:
    """One accepted photograph."""

    id: str
    application: str
    owner: str
    slot: str
    picture: str
    picture_digest: str
    original: str
    original_type: str


async def find_uploads(connection: Connection, ids: Iterable[str]) -> dict[str, UploadRow]:
    rows = await connection.fetch(
        "select id, application, owner, slot, picture, picture_digest, original, original_type from uploads "
        "where id = any($1::text[])",
        list(ids),
    )
    return {row["id"]: UploadRow(*row) for row in rows}


async def count_received(connection: Connection, person: str, slot: str, now: datetime) -> int:
    """How many photographs a candidate has sent today for a slot."""
    received: int | None = await connection.fetchval(
        "select received from photograph_days where person = $1 and slot = $2 and day = $3", person, slot, today(now)
    )
    return received or 0


async def kept_blobs(connection: Connection, blobs: Sequence[str]) -> set[str]:
    """Which of these an accepted photograph still refers to; the others may be swept."""
    rows = await connection.fetch(
        "select unnest(array[picture, original]) as blob from uploads "
        "where picture = any($1::text[]) or original = any($1::text[])",
        list(blobs),
    )
    return {row["blob"] for row in rows} & set(blobs)
