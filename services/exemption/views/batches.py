"""上报批次: what was handed off to an examinations authority, and what came back."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.exemption.views.roles import apart, held_at
from shared.events.exemption import BatchAcknowledged, BatchHandedOff
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx
from shared.schemes.procedure import REVOKED


async def _handed_off(tx: Tx, fact: Fact[BatchHandedOff]) -> None:
    event = fact.event
    await tx.insert(
        "batches",
        id=fact.subject,
        scheme=event.scheme,
        cycle=event.cycle,
        organisation=event.organisation,
        sender_role=event.sender_role,
        receiver=event.receiver,
        receiver_role=event.receiver_role,
        applications=list(event.applications),
        digest=event.digest,
        handed_off_at=fact.meta.at,
        version=fact.version,
    )


async def _acknowledged(tx: Tx, fact: Fact[BatchAcknowledged]) -> None:
    await tx.change(
        "batches",
        {"id": fact.subject},
        reference=fact.event.reference,
        acknowledged_at=fact.meta.at,
        version=fact.version,
    )


BATCHES = View("batches", ("batches",), {BatchHandedOff: _handed_off, BatchAcknowledged: _acknowledged})


@dataclass(frozen=True)
class BatchRow:
    """A batch without its rows."""

    id: str
    scheme: str
    cycle: str
    organisation: str
    receiver: str
    applications: Sequence[str]
    digest: str
    handed_off_at: datetime
    reference: str | None
    acknowledged_at: datetime | None
    version: int
    taken_back: Sequence[str]


async def find_batches(connection: Connection, roles: Iterable[tuple[str, str]]) -> list[BatchRow]:
    """The batches that those who hold these roles sent or received, the newest first."""
    rows = await connection.fetch(
        "select id, scheme, cycle, organisation, receiver, applications, digest, handed_off_at, reference, "  # noqa: S608
        "acknowledged_at, version, array(select applications.id from applications "
        f"where applications.id = any(batches.applications) and applications.state = '{REVOKED}' order by 1) "
        "from batches "
        f"where {held_at('sender_role', 'organisation', 1)} or {held_at('receiver_role', 'receiver', 1)} "
        "order by handed_off_at desc, id limit 200",
        *apart(roles),
    )
    return [BatchRow(*row) for row in rows]
