"""申免记录 and 待办: applications as they stand, the desks they lie on, and certificate numbers by keyed hash.

Fed by the application streams; the deciders never read them, except for duplicates, which only flag.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.exemption.domain.evidence import paper_key
from services.exemption.views.roles import apart, held_at
from shared.events.exemption import (
    ApplicationHandedOff,
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationRevived,
    ApplicationStarted,
    ApplicationSubmitted,
    ApplicationSuperseded,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionExpired,
    ExemptionGranted,
    ExemptionRevoked,
    FeeDue,
    FeePaid,
    FeeRefunded,
    FeeWithdrawn,
    HandOffAcknowledged,
    HeadTaken,
    PersonForgotten,
    ReapplicationUnlocked,
    RecordTablePrinted,
    RefundAsked,
    RevivalRefused,
    StageOpened,
    StagePassed,
    TicketReleased,
)
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx


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
        number=event.number,
        head=event.head,
        bases=list(event.bases),
        course_codes=list(event.course_codes),
        form_version=fact.version,
        handed_in_at=fact.meta.at,
    )
    if event.number and event.submission == 1:
        await tx.add("numbers_given", {"jurisdiction": event.scheme.split("/")[0]}, given=1)
    await tx.remove("certificate_numbers", application=fact.subject)
    for key in {paper_key(paper["type"], paper["number"]) for paper in event.papers}:
        await tx.insert(
            "certificate_numbers",
            application=fact.subject,
            person=fact.meta.person,
            hash=tx.hashed("certificate", key),
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


async def _refused(tx: Tx, fact: Fact[ApplicationRefused]) -> None:
    await _moved(tx, fact, state="refused", title=fact.event.title)
    await _decided(tx, fact, fact.event.stage, "refused")


async def _unlocked(tx: Tx, fact: Fact[ReapplicationUnlocked]) -> None:
    await _moved(tx, fact, state="returned", title=fact.event.title)
    await _cleared(tx, fact, "unlocked")


async def _superseded(tx: Tx, fact: Fact[ApplicationSuperseded]) -> None:
    await _moved(tx, fact, state="superseded", title=fact.event.title)
    await _cleared(tx, fact, "superseded")


async def _lapsed(tx: Tx, fact: Fact[ApplicationLapsed]) -> None:
    await _moved(tx, fact, state="lapsed", title=fact.event.title)
    await _cleared(tx, fact, "lapsed")


async def _expired(tx: Tx, fact: Fact[ExemptionExpired]) -> None:
    await _moved(tx, fact, state="expired", title=fact.event.title)


async def _revoked(tx: Tx, fact: Fact[ExemptionRevoked]) -> None:
    await _moved(tx, fact, state="revoked", title=fact.event.title)


async def _due(tx: Tx, fact: Fact[FeeDue]) -> None:
    """Where it lay on a desk, money that the review rested on is gone."""
    await _moved(tx, fact, state="unpaid", title=fact.event.title)
    await _cleared(tx, fact, "unpaid")


async def _paid(tx: Tx, fact: Fact[FeePaid]) -> None:
    await _moved(tx, fact, state="in_review", title=fact.event.title)


async def _cleared(tx: Tx, fact: Fact[Any], outcome: str) -> None:
    """Nobody has to decide about it any more, at whatever stage it lay."""
    waiting = {"application": fact.subject, "outcome": "open"}
    await tx.change("desks", waiting, outcome=outcome, decided_at=fact.meta.at, version=fact.version)


async def _head_taken(tx: Tx, fact: Fact[HeadTaken]) -> None:
    await tx.claim("head", fact.event.value, fact.stream)
    await tx.put("heads", ("id",), id=fact.subject, person=fact.event.candidate, version=fact.version)


async def _granted(tx: Tx, fact: Fact[ExemptionGranted]) -> None:
    await _moved(tx, fact, state="granted", title=fact.event.title)


async def _handed_off(tx: Tx, fact: Fact[ApplicationHandedOff]) -> None:
    await _moved(tx, fact, state="handed_off", title=fact.event.title, batch=fact.event.batch)


async def _revived(tx: Tx, fact: Fact[ApplicationRevived]) -> None:
    await _moved(tx, fact, state=fact.event.becomes, title=fact.event.title)


async def _flagged(tx: Tx, fact: Fact[CertificateSeenElsewhere]) -> None:
    """Only where it was written into the application itself, before there was a stream for it."""
    if fact.stream.startswith("application-"):
        await _moved(tx, fact)


async def _noted(tx: Tx, fact: Fact[Any]) -> None:
    await _moved(tx, fact)


async def _forgotten(tx: Tx, fact: Fact[PersonForgotten]) -> None:
    """An erased person is found by nothing, and waits on no desk: there is nothing left to decide about."""
    await tx.remove("certificate_numbers", person=fact.subject)
    for head in await tx.find("heads", person=fact.subject):
        await tx.release_all(f"head-{head['id']}")
    await tx.change("desks", {"person": fact.subject, "outcome": "open"}, outcome="erased", decided_at=fact.meta.at)


APPLICATIONS = View(
    "applications",
    ("applications", "desks", "certificate_numbers", "heads", "numbers_given"),
    {
        ApplicationStarted: _started,
        DraftSaved: _saved,
        DraftDiscarded: _discarded,
        ApplicationSubmitted: _submitted,
        CertificateSeenElsewhere: _flagged,
        StageOpened: _opened,
        StagePassed: _passed,
        ApplicationReturned: _returned,
        ApplicationRefused: _refused,
        ReapplicationUnlocked: _unlocked,
        TicketReleased: _noted,
        ApplicationSuperseded: _superseded,
        ApplicationLapsed: _lapsed,
        ExemptionExpired: _expired,
        ApplicationRevived: _revived,
        RevivalRefused: _noted,
        ExemptionRevoked: _revoked,
        HeadTaken: _head_taken,
        ExemptionGranted: _granted,
        RecordTablePrinted: _noted,
        ApplicationHandedOff: _handed_off,
        HandOffAcknowledged: _noted,
        FeeDue: _due,
        FeeWithdrawn: _noted,
        FeePaid: _paid,
        RefundAsked: _noted,
        FeeRefunded: _noted,
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
    number: str
    bases: Sequence[str]
    course_codes: Sequence[str]
    form_version: int | None
    started_at: datetime
    handed_in_at: datetime | None
    changed_at: datetime
    version: int


COLUMNS = (  # those of an ApplicationRow
    "a.id, a.person, a.scheme, a.cycle, a.state, a.title, a.submissions, a.number, a.bases, a.course_codes, "
    "a.form_version, a.started_at, a.handed_in_at, a.changed_at, a.version"
)


async def find_own(connection: Connection, person: str) -> list[ApplicationRow]:
    """SW-16: all of a candidate's applications, the newest first."""
    rows = await connection.fetch(
        f"select {COLUMNS} from applications a where person = $1 order by started_at desc, id",  # noqa: S608
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
        f"select {COLUMNS}, d.stage, d.role, d.organisation, d.opened_at, d.due_at, d.outcome, d.decided_at, "  # noqa: S608
        "(select count(distinct o.application) from certificate_numbers m "
        " join certificate_numbers o on o.hash = m.hash and o.person <> m.person where m.application = a.id) "
        "from desks d join applications a on a.id = d.application "
        f"where {held_at('d.role', 'd.organisation', 1)} "
        f"and d.outcome {lies} and ({moment}, d.application) > ($3, $4) order by {moment}, d.application limit $5",
        *apart(roles),
        after[0] if after else datetime.fromisoformat("0001-01-01T00:00:00+00:00"),
        after[1] if after else "",
        limit,
    )
    width = 15
    return [WorkRow(ApplicationRow(*row[:width]), *row[width:]) for row in map(tuple, rows)]


async def find_in_state(connection: Connection, cycle: str, states: Sequence[str], after: str, limit: int) -> list[str]:
    """Applications of a cycle that are in one of these states, by id."""
    rows = await connection.fetch(
        "select id from applications where cycle = $1 and state = any($2::text[]) and id > $3 order by id limit $4",
        cycle,
        list(states),
        after,
        limit,
    )
    return [row["id"] for row in rows]


async def find_head(connection: Connection, key: bytes) -> str | None:
    """The stream that says which application of a ticket number or person counts, by keyed hash."""
    stream: str | None = await connection.fetchval("select stream from claims where kind = 'head' and key = $1", key)
    return stream.split("-", 1)[1] if stream else None


async def count_numbers(connection: Connection, jurisdiction: str) -> int:
    query = "select given from numbers_given where jurisdiction = $1"
    given: int | None = await connection.fetchval(query, jurisdiction)
    return given or 0


async def count_drafts(connection: Connection, person: str, cycle: str) -> int:
    """How many applications somebody fills in at the same time."""
    query = "select count(*) from applications where person = $1 and cycle = $2 and state = 'draft'"
    found: int = await connection.fetchval(query, person, cycle)
    return found
