"""申免记录 and 待办: applications as they stand, the desks they lie on, and certificate numbers by keyed hash.

Fed by the application streams; the deciders never read them, except for duplicates, which only flag.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.exemption.views.roles import apart, held_at
from shared.events.exemption import (
    ApplicationHandedOff,
    ApplicationReturned,
    ApplicationStarted,
    ApplicationSubmitted,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionGranted,
    HandOffAcknowledged,
    PersonForgotten,
    RecordTablePrinted,
    StageOpened,
    StagePassed,
)
from shared.kernel.messages import ERASED, Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx
from shared.schemes.reading import certificate_key


async def _started(tx: Tx, fact: Fact[ApplicationStarted]) -> None:
    event = fact.event
    await tx.insert(
        "applications",
        id=fact.subject,
        person=event.candidate,
        scheme=event.scheme,
        cycle=event.cycle,
        state="draft",
        title=event.title,
        started_at=fact.meta.at,
        changed_at=fact.meta.at,
        version=fact.version,
    )


async def _moved(tx: Tx, fact: Fact[Any], **changed: Any) -> None:
    """The row follows its stream; `changed` are columns."""
    await tx.change("applications", {"id": fact.subject}, changed_at=fact.meta.at, version=fact.version, **changed)


async def _saved(tx: Tx, fact: Fact[DraftSaved]) -> None:
    await _moved(tx, fact, form_version=fact.version)


async def _discarded(tx: Tx, fact: Fact[DraftDiscarded]) -> None:
    await _moved(tx, fact, state="discarded", title=fact.event.title)


async def _submitted(tx: Tx, fact: Fact[ApplicationSubmitted]) -> None:
    event = fact.event
    await _moved(
        tx,
        fact,
        state="in_review",
        title=event.title,
        submissions=event.submission,
        certificate=event.certificate,
        course_codes=list(event.course_codes),
        form_version=fact.version,
    )
    if event.certificate_number != ERASED:
        await tx.put(
            "certificate_numbers",
            ("application",),
            application=fact.subject,
            person=fact.meta.person,
            hash=tx.hashed("certificate", certificate_key(event.certificate_number)),
            version=fact.version,
        )


async def _opened(tx: Tx, fact: Fact[StageOpened]) -> None:
    event = fact.event
    await _moved(tx, fact)
    await tx.insert(
        "desks",
        application=fact.subject,
        person=fact.meta.person,
        opened_in=fact.version,
        stage=event.stage,
        role=event.role,
        organisation=event.organisation,
        opened_at=fact.meta.at,
        due_at=event.due_at,
        version=fact.version,
    )


async def _decided(tx: Tx, fact: Fact[Any], stage: str, outcome: str) -> None:
    waiting = {"application": fact.subject, "stage": stage, "outcome": "open"}
    await tx.change("desks", waiting, outcome=outcome, decided_at=fact.meta.at, version=fact.version)


async def _passed(tx: Tx, fact: Fact[StagePassed]) -> None:
    await _moved(tx, fact, title=fact.event.title)
    await _decided(tx, fact, fact.event.stage, "passed")


async def _returned(tx: Tx, fact: Fact[ApplicationReturned]) -> None:
    await _moved(tx, fact, state="returned", title=fact.event.title)
    await _decided(tx, fact, fact.event.stage, "returned")


async def _granted(tx: Tx, fact: Fact[ExemptionGranted]) -> None:
    await _moved(tx, fact, state="granted", title=fact.event.title)


async def _handed_off(tx: Tx, fact: Fact[ApplicationHandedOff]) -> None:
    await _moved(tx, fact, state="handed_off", title=fact.event.title, batch=fact.event.batch)


async def _noted(tx: Tx, fact: Fact[Any]) -> None:
    await _moved(tx, fact)


async def _forgotten(tx: Tx, fact: Fact[PersonForgotten]) -> None:
    """An erased person is found by nothing, and waits on no desk: there is nothing left to decide about."""
    await tx.remove("certificate_numbers", person=fact.subject)
    await tx.change("desks", {"person": fact.subject, "outcome": "open"}, outcome="erased", decided_at=fact.meta.at)


APPLICATIONS = View(
    "applications",
    ("applications", "desks", "certificate_numbers"),
    {
        ApplicationStarted: _started,
        DraftSaved: _saved,
        DraftDiscarded: _discarded,
        ApplicationSubmitted: _submitted,
        CertificateSeenElsewhere: _noted,
        StageOpened: _opened,
        StagePassed: _passed,
        ApplicationReturned: _returned,
        ExemptionGranted: _granted,
        RecordTablePrinted: _noted,
        ApplicationHandedOff: _handed_off,
        HandOffAcknowledged: _noted,
        PersonForgotten: _forgotten,
    },
)


@dataclass(frozen=True)
class ApplicationRow:
    """One application as it stands, without anything personal."""

    id: str
    person: str
    scheme: str
    cycle: str
    state: str
    title: str
    submissions: int
    certificate: str
    course_codes: Sequence[str]
    form_version: int | None
    started_at: datetime
    changed_at: datetime
    version: int


_COLUMNS = (
    "a.id, a.person, a.scheme, a.cycle, a.state, a.title, a.submissions, a.certificate, a.course_codes, "
    "a.form_version, a.started_at, a.changed_at, a.version"
)


async def find_own(connection: Connection, person: str) -> list[ApplicationRow]:
    """SW-16: all of a candidate's applications, the newest first."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from applications a where person = $1 order by started_at desc, id",  # noqa: S608
        person,
    )
    return [ApplicationRow(*row) for row in rows]


async def find_ready(connection: Connection, cycle: str, role: str, roles: Iterable[tuple[str, str]]) -> list[str]:
    """Approved applications of a cycle that are not handed off, of desks where `role` is held, the oldest first."""
    rows = await connection.fetch(
        "select distinct a.id, a.changed_at from applications a join desks d on d.application = a.id "  # noqa: S608
        f"where a.cycle = $1 and a.state = 'granted' and d.role = $2 and {held_at('d.role', 'd.organisation', 3)} "
        "order by a.changed_at, a.id",
        cycle,
        role,
        *apart(roles),
    )
    return [row["id"] for row in rows]


@dataclass(frozen=True)
class WorkRow:
    """One application on a reviewer's desk."""

    application: ApplicationRow
    stage: str
    role: str
    organisation: str
    opened_at: datetime
    due_at: datetime | None
    outcome: str
    decided_at: datetime | None
    duplicates: int


async def find_work(
    connection: Connection,
    roles: Iterable[tuple[str, str]],
    *,
    done: bool,
    after: tuple[datetime, str] | None,
    limit: int,
) -> list[WorkRow]:
    """待办 (the oldest first) or what was decided: SW-28, only at desks of these roles at these organisations."""
    moment, lies = ("d.decided_at", "<> 'open'") if done else ("d.opened_at", "= 'open'")
    rows = await connection.fetch(
        f"select {_COLUMNS}, d.stage, d.role, d.organisation, d.opened_at, d.due_at, d.outcome, d.decided_at, "  # noqa: S608
        "(select count(*) from certificate_numbers m join certificate_numbers o on o.hash = m.hash "
        " and o.person <> m.person where m.application = a.id) "
        "from desks d join applications a on a.id = d.application "
        f"where {held_at('d.role', 'd.organisation', 1)} "
        f"and d.outcome {lies} and ({moment}, d.application) > ($3, $4) order by {moment}, d.application limit $5",
        *apart(roles),
        after[0] if after else datetime.fromisoformat("0001-01-01T00:00:00+00:00"),
        after[1] if after else "",
        limit,
    )
    width = 13
    return [WorkRow(ApplicationRow(*row[:width]), *row[width:]) for row in map(tuple, rows)]


async def find_others_with_number(connection: Connection, person: str, number_hash: bytes) -> list[str]:
    """Applications of other people that carry a certificate number."""
    rows = await connection.fetch(
        "select application from certificate_numbers where hash = $1 and person <> $2 order by application",
        number_hash,
        person,
    )
    return [row["application"] for row in rows]


async def find_own_other(connection: Connection, person: str, application: str, number_hash: bytes) -> str | None:
    """Another application of the same person with the same certificate number, in review or approved.

    One that was sent back does not count: its cycle may be over. Handed in again, it meets the newer one here.
    """
    found: str | None = await connection.fetchval(
        "select m.application from certificate_numbers m join applications a on a.id = m.application "
        "where m.hash = $1 and m.person = $2 and m.application <> $3 and a.state <> 'returned' "
        "order by m.application limit 1",
        number_hash,
        person,
        application,
    )
    return found


async def find_duplicates(connection: Connection, application: str) -> list[ApplicationRow]:
    """SW-38: applications of other people with the certificate number of this one, as it stands now."""
    rows = await connection.fetch(
        f"select {_COLUMNS} from certificate_numbers m "  # noqa: S608
        "join certificate_numbers o on o.hash = m.hash and o.person <> m.person "
        "join applications a on a.id = o.application where m.application = $1 order by a.id",
        application,
    )
    return [ApplicationRow(*row) for row in rows]
