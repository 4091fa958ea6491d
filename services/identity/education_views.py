"""Read models of prior education: records with their state, and what CHSI was asked. The timers of checks are set here.

No row holds a personal value: the form stands in the events, which the API reads for its owner.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from services.identity.domain.education_rules import (
    CHECKING,
    DRAFT,
    EFFECTIVE,
    NOT_EFFECTIVE,
    SUBMITTED,
    UNRESOLVED,
)
from shared.events.identity import (
    EducationAnswerAwaited,
    EducationAnswered,
    EducationCheckAccepted,
    EducationCheckAttempted,
    EducationCheckDoubted,
    EducationCheckFailed,
    EducationCheckUnresolved,
    EducationContradictionSettled,
    EducationDraftSaved,
    PersonErased,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationStarted,
    PriorEducationSubmitted,
    PriorEducationTakenBack,
)
from shared.kernel.messages import ERASED, Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx
from shared.schemes.reading import certificate_key

CHECK = "check_education"


async def _started(tx: Tx, fact: Fact[PriorEducationStarted]) -> None:
    event = fact.event
    await tx.insert(
        "education_records",
        id=fact.subject,
        person=event.candidate,
        cycle=event.cycle,
        scheme=event.scheme,
        state=DRAFT,
        started_at=fact.meta.at,
        changed_at=fact.meta.at,
        version=fact.version,
    )


async def _saved(tx: Tx, fact: Fact[EducationDraftSaved]) -> None:
    await _moved(tx, fact, DRAFT, flagged=False)


async def _submitted(tx: Tx, fact: Fact[PriorEducationSubmitted]) -> None:
    await _moved(tx, fact, SUBMITTED, submissions=fact.event.submission, flagged=False)
    await tx.schedule(CHECK, fact.stream, fact.event.check_at)


async def _attempted(tx: Tx, fact: Fact[EducationCheckAttempted]) -> None:
    event = fact.event
    await _moved(tx, fact, CHECKING)
    await tx.insert(
        "education_checks",
        request=event.request,
        record=fact.subject,
        attempt=event.attempt,
        tried_at=event.tried_at,
    )
    await tx.schedule(CHECK, fact.stream, event.ask_at)


async def _waiting(tx: Tx, fact: Fact[EducationCheckAccepted | EducationCheckDoubted | EducationAnswerAwaited]) -> None:
    await _moved(tx, fact, CHECKING)
    await tx.schedule(CHECK, fact.stream, fact.event.ask_at)


async def _failed(tx: Tx, fact: Fact[EducationCheckFailed]) -> None:
    if fact.event.next_try_at is not None:
        await _moved(tx, fact, SUBMITTED)
        await tx.schedule(CHECK, fact.stream, fact.event.next_try_at)


async def _unresolved(tx: Tx, fact: Fact[EducationCheckUnresolved]) -> None:
    await _moved(tx, fact, UNRESOLVED, reason=fact.event.reason)
    await tx.unschedule(CHECK, fact.stream)


async def _answered(tx: Tx, fact: Fact[EducationAnswered]) -> None:
    """An answer that does not decide is for a clerk to look at."""
    flagged = {"flagged": True} if fact.event.standing == "contradicts" else {}
    await tx.change("education_records", {"id": fact.subject}, version=fact.version, **flagged)
    if fact.event.standing == "decides":
        await tx.unschedule(CHECK, fact.stream)


async def _settled(tx: Tx, fact: Fact[EducationContradictionSettled]) -> None:
    await tx.change("education_records", {"id": fact.subject}, version=fact.version, flagged=False)


async def _confirmed(tx: Tx, fact: Fact[PriorEducationConfirmed]) -> None:
    await _moved(tx, fact, EFFECTIVE)
    if (number := fact.event.certificate_number) != ERASED:
        await tx.put(
            "diploma_numbers",
            ("record",),
            record=fact.subject,
            person=fact.event.candidate,
            hash=diploma_key(tx, number),
            version=fact.version,
        )


def diploma_key(tx: Tx, number: str) -> bytes:
    """By which one diploma is found again in other people's records."""
    return tx.hashed("diploma", certificate_key(number))


async def _not_confirmed(tx: Tx, fact: Fact[PriorEducationNotConfirmed]) -> None:
    await _moved(tx, fact, NOT_EFFECTIVE, reason=fact.event.reason)
    await tx.remove("diploma_numbers", record=fact.subject)


async def _erased(tx: Tx, fact: Fact[PersonErased]) -> None:
    await tx.remove("diploma_numbers", person=fact.subject)


async def _taken_back(tx: Tx, fact: Fact[PriorEducationTakenBack]) -> None:
    await _moved(tx, fact, DRAFT)


async def _moved(tx: Tx, fact: Fact[Any], state: str, *, reason: str | None = None, **changed: Any) -> None:
    await tx.change(
        "education_records",
        {"id": fact.subject},
        state=state,
        reason=reason,
        changed_at=fact.meta.at,
        version=fact.version,
        **changed,
    )


EDUCATIONS = View(
    "prior education",
    ("education_records", "education_checks", "diploma_numbers"),
    {
        PriorEducationStarted: _started,
        EducationDraftSaved: _saved,
        PriorEducationSubmitted: _submitted,
        EducationCheckAttempted: _attempted,
        EducationCheckAccepted: _waiting,
        EducationCheckDoubted: _waiting,
        EducationAnswerAwaited: _waiting,
        EducationCheckFailed: _failed,
        EducationCheckUnresolved: _unresolved,
        EducationAnswered: _answered,
        EducationContradictionSettled: _settled,
        PriorEducationConfirmed: _confirmed,
        PriorEducationNotConfirmed: _not_confirmed,
        PriorEducationTakenBack: _taken_back,
        PersonErased: _erased,
    },
)


@dataclass(frozen=True)
class EducationRow:
    """A record without what was typed."""

    id: str
    person: str
    cycle: str
    scheme: str
    state: str
    reason: str | None
    flagged: bool
    submissions: int
    started_at: datetime
    changed_at: datetime
    version: int


_COLUMNS = (
    "id, education_records.person, cycle, scheme, state, reason, flagged, submissions, started_at, changed_at, "
    "education_records.version"
)


async def find_records(connection: Connection, person: str, after: str, most: int) -> Sequence[EducationRow]:
    """A candidate's own, by id; `after` is where the last page ended."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from education_records where person = $1 and id > $2 order by id limit $3",  # noqa: S608
        person,
        after,
        most,
    )
    return [EducationRow(**row) for row in rows]


async def find_own_record(connection: Connection, person: str, record: str) -> EducationRow | None:
    row = await connection.fetchrow(
        f"select {_COLUMNS} from education_records where person = $1 and id = $2",  # noqa: S608
        person,
        record,
    )
    return EducationRow(**row) if row else None


async def find_contradicted(connection: Connection, most: int) -> Sequence[EducationRow]:
    """Where CHSI contradicted itself and nobody has settled it; what waits longest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from education_records where flagged order by changed_at, id limit $1",  # noqa: S608
        most,
    )
    return [EducationRow(**row) for row in rows]


async def find_others_with_diploma(connection: Connection, person: str, key: bytes) -> tuple[str, ...]:
    """Records of other people that are in effect with this diploma."""
    rows = await connection.fetch(
        "select record from diploma_numbers where hash = $1 and person <> $2 order by record", key, person
    )
    return tuple(row["record"] for row in rows)


async def find_shared(connection: Connection, most: int, record: str | None = None) -> Sequence[Sequence[EducationRow]]:
    """Records in effect by diploma, where it is in effect for more than one person: all of them, or of one record."""
    rows = await connection.fetch(
        f"select {_COLUMNS}, d.hash from education_records join diploma_numbers d on d.record = id "  # noqa: S608
        "where exists (select from diploma_numbers o where o.hash = d.hash and o.person <> d.person) "
        "and ($1::text is null or d.hash = (select hash from diploma_numbers m where m.record = $1)) "
        "order by d.hash, changed_at, id limit $2",
        record,
        most,
    )
    by_diploma = groupby(rows, lambda row: row["hash"])
    return [[EducationRow(**_without_hash(dict(row))) for row in several] for _, several in by_diploma]


def _without_hash(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "hash"}


async def find_record_of(connection: Connection, request: str) -> str | None:
    """The record that CHSI was asked about under `request`."""
    record: str | None = await connection.fetchval("select record from education_checks where request = $1", request)
    return record
