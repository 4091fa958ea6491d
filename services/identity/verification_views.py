"""Read models of 身份认证: who is being verified and where it waits, and which photographs are kept for it.

Projections run in the transaction of the event; `find_x` are for handlers and `api/`. No row holds a personal value.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

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
from shared.runtime.event_store import Connection, Tx, View


async def _start(tx: Tx, fact: Fact[VerificationStarted]) -> None:
    await tx.connection.execute(
        "insert into verifications (person, book, state, binding, organisation, version) "
        "values ($1, $2, 'collecting', $3, $4, $5) on conflict (person) do update set book = excluded.book, "
        "state = excluded.state, binding = excluded.binding, organisation = excluded.organisation, "
        "version = excluded.version",
        fact.subject,
        fact.event.book,
        fact.event.binding,
        fact.event.organisation,
        fact.version,
    )


async def _collect(tx: Tx, fact: Fact[PhotographAccepted]) -> None:
    event = fact.event
    await tx.connection.execute(
        "insert into verification_photographs (picture, original, person, version) values ($1, $2, $3, $4)",
        event.picture,
        event.original,
        fact.subject,
        fact.version,
    )
    await tx.connection.execute(
        "update verifications set state = 'collecting', version = $2 where person = $1", fact.subject, fact.version
    )


async def _submit(tx: Tx, fact: Fact[PhotographsSubmitted]) -> None:
    event = fact.event
    await tx.connection.execute(
        "update verifications set state = 'waiting', attempt = $2, role = $3, submitted_at = $4, due_at = $5, "
        "version = $6 where person = $1",
        fact.subject,
        event.attempt,
        event.role,
        fact.meta.at,
        event.due_at,
        fact.version,
    )


async def _fail(tx: Tx, fact: Fact[VerificationFailed]) -> None:
    await tx.connection.execute(
        "update verifications set state = 'failed', version = $2 where person = $1", fact.subject, fact.version
    )


async def _verify(tx: Tx, fact: Fact[PersonVerified]) -> None:
    """Also of somebody who never began to be verified by photographs."""
    event = fact.event
    await tx.connection.execute(
        "insert into verifications (person, book, state, binding, organisation, version) "
        "values ($1, $2, 'verified', false, $3, $4) on conflict (person) do update set state = excluded.state, "
        "version = excluded.version",
        fact.subject,
        event.book,
        event.organisation,
        fact.version,
    )


async def _forget(tx: Tx, fact: Fact[PersonErased]) -> None:
    """Nothing is left to decide, and the photographs are swept."""
    await tx.connection.execute("delete from verifications where person = $1", fact.subject)
    await tx.connection.execute("delete from verification_photographs where person = $1", fact.subject)


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
