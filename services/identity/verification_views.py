"""Read models of 身份认证: who is being verified and where it waits, and which photographs are kept for it.

Projections run in the transaction of the event; `find_x` are for handlers and `api/`. No row holds a personal value.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.identity.domain.rules import EVERYWHERE
from shared.events.identity import (
    PersonErased,
    PersonVerified,
    PhotographAccepted,
    PhotographsSubmitted,
    VerificationFailed,
    VerificationStarted,
)
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx


async def _start(tx: Tx, fact: Fact[VerificationStarted]) -> None:
    event = fact.event
    await tx.put(
        "verifications",
        ("person",),
        person=fact.subject,
        book=event.book,
        state="collecting",
        binding=event.binding,
        organisation=event.organisation,
        version=fact.version,
    )


async def _collect(tx: Tx, fact: Fact[PhotographAccepted]) -> None:
    event = fact.event
    await tx.insert(
        "verification_photographs",
        picture=event.picture,
        original=event.original,
        person=fact.subject,
        version=fact.version,
    )
    await _moved(tx, fact, "collecting")


async def _submit(tx: Tx, fact: Fact[PhotographsSubmitted]) -> None:
    event = fact.event
    await _moved(
        tx, fact, "waiting", attempt=event.attempt, role=event.role, submitted_at=fact.meta.at, due_at=event.due_at
    )


async def _fail(tx: Tx, fact: Fact[VerificationFailed]) -> None:
    await _moved(tx, fact, "failed")


async def _verify(tx: Tx, fact: Fact[PersonVerified]) -> None:
    """Also of somebody who never began to be verified by photographs."""
    if await tx.find("verifications", person=fact.subject):
        await _moved(tx, fact, "verified")
        return
    await tx.insert(
        "verifications",
        person=fact.subject,
        book=fact.event.book,
        state="verified",
        binding=False,
        organisation=fact.event.organisation,
        version=fact.version,
    )


async def _moved(tx: Tx, fact: Fact[Any], state: str, **changed: Any) -> None:
    await tx.change("verifications", {"person": fact.subject}, state=state, version=fact.version, **changed)


async def _forget(tx: Tx, fact: Fact[PersonErased]) -> None:
    """Nothing is left to decide, and the photographs are swept."""
    await tx.remove("verifications", person=fact.subject)
    await tx.remove("verification_photographs", person=fact.subject)


VERIFICATIONS = View(
    "verifications",
    ("verifications", "verification_photographs"),
    {
        VerificationStarted: _start,
        PhotographAccepted: _collect,
        PhotographsSubmitted: _submit,
        VerificationFailed: _fail,
        PersonVerified: _verify,
        PersonErased: _forget,
    },
)


@dataclass(frozen=True)
class WaitingRow:
    """One verification that waits for a clerk."""

    person: str
    book: str
    organisation: str
    role: str
    attempt: int
    submitted_at: datetime
    due_at: datetime


async def find_waiting(connection: Connection, roles: Collection[tuple[str, str]], most: int) -> list[WaitingRow]:
    """What waits for somebody with these roles, the most urgent first."""
    rows = await connection.fetch(
        "select person, book, organisation, role, attempt, submitted_at, due_at from verifications as v "
        "where state = 'waiting' and exists (select from unnest($1::text[], $2::text[]) as held (role, place) "
        "where held.role = v.role and held.place in (v.organisation, $3)) order by due_at, person limit $4",
        [role for role, _ in roles],
        [place for _, place in roles],
        EVERYWHERE,
        most,
    )
    return [WaitingRow(*row) for row in rows]


async def find_bound(connection: Connection, person: str) -> bool:
    """Whether the account was made on a route and is not verified yet: then it serves nothing else."""
    bound: bool = await connection.fetchval(
        "select exists (select from verifications where person = $1 and binding and state <> 'verified')", person
    )
    return bound


async def kept_blobs(connection: Connection, blobs: Sequence[str]) -> set[str]:
    """Which of these belong to an accepted photograph; the others may be swept."""
    rows = await connection.fetch(
        "select unnest(array[picture, original]) as blob from verification_photographs "
        "where picture = any($1::text[]) or original = any($1::text[])",
        list(blobs),
    )
    return {row["blob"] for row in rows} & set(blobs)
