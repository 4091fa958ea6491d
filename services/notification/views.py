"""Read models: every message as its state stands, every attempt at a provider, and who reviews a case.

No personal value is in them.

Texts and numbers stay in the events; the API reads them there. Timers are set here, by the events that cause them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from shared.events.notification import (
    AttemptFailed,
    CaseReviewersLearned,
    MessageAccepted,
    MessageDelivered,
    MessageRead,
    MessageRequested,
    MessageUndelivered,
    OutcomeInDoubt,
    OutcomeUnresolved,
    ReceiptAwaited,
    ResendRequested,
    SendingAttempted,
    SendingGivenUp,
)
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx

SEND = "send"
RECEIPT = "receipt"


async def _requested(tx: Tx, fact: Fact[MessageRequested]) -> None:
    event = fact.event
    by_sms = "sms" in event.channels
    await tx.insert(
        "messages",
        id=fact.subject,
        person=event.person,
        case_id=event.case,
        moment=event.moment,
        title=event.title,
        in_inbox="inbox" in event.channels,
        sms_state="waiting" if by_sms else "none",
        requested_at=fact.meta.at,
        changed_at=fact.meta.at,
        version=fact.version,
    )
    if by_sms:
        await tx.schedule(SEND, fact.stream, event.due_at)


async def _attempted(tx: Tx, fact: Fact[SendingAttempted]) -> None:
    event = fact.event
    await _moved(tx, fact, "sending", provider=event.provider, attempts=event.attempt)
    await tx.insert(
        "attempts",
        message=fact.subject,
        attempt=event.attempt,
        provider=event.provider,
        tried_at=event.tried_at,
        outcome="open",
    )
    await tx.schedule(SEND, fact.stream, event.ask_at)


async def _accepted(tx: Tx, fact: Fact[MessageAccepted]) -> None:
    event = fact.event
    await _moved(tx, fact, "accepted", provider=event.provider)
    await _ended(tx, fact, event.attempt, "accepted", took_ms=event.took_ms)
    await tx.unschedule(SEND, fact.stream)
    await tx.schedule(RECEIPT, fact.stream, event.ask_at)


async def _failed(tx: Tx, fact: Fact[AttemptFailed]) -> None:
    event = fact.event
    await _moved(tx, fact, "waiting", provider=event.provider, code=event.code)
    await _ended(tx, fact, event.attempt, "failed", code=event.code, took_ms=event.took_ms)
    if event.next_try_at is None:
        await tx.unschedule(SEND, fact.stream)
    else:
        await tx.schedule(SEND, fact.stream, event.next_try_at)


async def _in_doubt(tx: Tx, fact: Fact[OutcomeInDoubt]) -> None:
    event = fact.event
    await _moved(tx, fact, "in_doubt", provider=event.provider, code=event.reason)
    await _ended(tx, fact, event.attempt, "in_doubt", code=event.reason)
    await tx.schedule(SEND, fact.stream, event.ask_at)


async def _unresolved(tx: Tx, fact: Fact[OutcomeUnresolved]) -> None:
    await _moved(tx, fact, "unresolved", provider=fact.event.provider, code=fact.event.reason)
    await tx.unschedule(SEND, fact.stream)
    await tx.unschedule(RECEIPT, fact.stream)


async def _given_up(tx: Tx, fact: Fact[SendingGivenUp]) -> None:
    event = fact.event
    await _moved(tx, fact, "given_up", code=event.reason)
    if event.reason == "number_refused":  # tells of the number, nothing of the provider
        (message,) = await tx.find("messages", id=fact.subject)
        last = {"message": fact.subject, "attempt": message["attempts"]}
        await tx.change("attempts", last, outcome="number_refused")
    await tx.unschedule(SEND, fact.stream)


async def _awaited(tx: Tx, fact: Fact[ReceiptAwaited]) -> None:
    await tx.schedule(RECEIPT, fact.stream, fact.event.ask_at)


async def _delivered(tx: Tx, fact: Fact[MessageDelivered]) -> None:
    await _moved(tx, fact, "delivered", provider=fact.event.provider, code=fact.event.code)
    await tx.unschedule(RECEIPT, fact.stream)


async def _undelivered(tx: Tx, fact: Fact[MessageUndelivered]) -> None:
    await _moved(tx, fact, "undelivered", provider=fact.event.provider, code=fact.event.code)
    await tx.unschedule(RECEIPT, fact.stream)


async def _resent(tx: Tx, fact: Fact[ResendRequested]) -> None:
    await _moved(tx, fact, "waiting", resends=fact.event.resend)
    await tx.unschedule(RECEIPT, fact.stream)
    await tx.schedule(SEND, fact.stream, fact.event.due_at)


async def _read(tx: Tx, fact: Fact[MessageRead]) -> None:
    await tx.change("messages", {"id": fact.subject}, read_at=fact.meta.at, version=fact.version)


async def _moved(tx: Tx, fact: Fact[Any], state: str, *, code: str = "", **changed: Any) -> None:
    """The row follows its stream; `changed` are further columns."""
    await tx.change(
        "messages",
        {"id": fact.subject},
        sms_state=state,
        code=code,
        changed_at=fact.meta.at,
        version=fact.version,
        **changed,
    )


async def _ended(
    tx: Tx, fact: Fact[Any], attempt: int, outcome: str, *, code: str = "", took_ms: int | None = None
) -> None:
    measured = {} if took_ms is None else {"took_ms": took_ms}
    which = {"message": fact.subject, "attempt": attempt}
    await tx.change("attempts", which, outcome=outcome, code=code, ended_at=fact.meta.at, **measured)


MESSAGES = View(
    name="messages",
    tables=("messages", "attempts"),
    on={
        MessageRequested: _requested,
        SendingAttempted: _attempted,
        MessageAccepted: _accepted,
        AttemptFailed: _failed,
        OutcomeInDoubt: _in_doubt,
        OutcomeUnresolved: _unresolved,
        SendingGivenUp: _given_up,
        ReceiptAwaited: _awaited,
        MessageDelivered: _delivered,
        MessageUndelivered: _undelivered,
        ResendRequested: _resent,
        MessageRead: _read,
    },
)


async def _reviewers(tx: Tx, fact: Fact[CaseReviewersLearned]) -> None:
    await tx.remove("case_reviewers", case_id=fact.event.case)
    for organisation in fact.event.organisations:
        await tx.insert("case_reviewers", case_id=fact.event.case, organisation=organisation, version=fact.version)


REVIEWERS = View("reviewers of cases", ("case_reviewers",), {CaseReviewersLearned: _reviewers})


@dataclass(frozen=True)
class MessageRow:
    id: str
    case_id: str | None
    moment: str
    title: str
    sms_state: str
    provider: str | None
    code: str
    attempts: int
    resends: int
    requested_at: datetime
    changed_at: datetime
    read_at: datetime | None


_COLUMNS = "id, case_id, moment, title, sms_state, provider, code, attempts, resends, requested_at, changed_at, read_at"


async def find_inbox(
    connection: Connection, person: str, before: tuple[datetime, str] | None, limit: int
) -> Sequence[MessageRow]:
    """The newest first; `before` is where the last page ended."""
    at, message = before or (None, None)
    rows = await connection.fetch(
        f"select {_COLUMNS} from messages where person = $1 and in_inbox "  # noqa: S608 - columns of ours
        "and ($2::timestamptz is null or (requested_at, id) < ($2, $3)) order by requested_at desc, id desc limit $4",
        person,
        at,
        message,
        limit,
    )
    return [MessageRow(**row) for row in rows]


async def find_messages_of_case(connection: Connection, case: str) -> Sequence[MessageRow]:
    rows = await connection.fetch(
        f"select {_COLUMNS} from messages where case_id = $1 order by requested_at, id",  # noqa: S608 - columns of ours
        case,
    )
    return [MessageRow(**row) for row in rows]


async def is_reviewed_at(connection: Connection, case: str, organisations: Collection[str]) -> bool:
    """Whether the case lies with one of these organisations; `*` stands for all of them."""
    found: bool = await connection.fetchval(
        "select exists (select from case_reviewers where case_id = $1 "
        "and ('*' = any($2::text[]) or organisation = any($2)))",
        case,
        list(organisations),
    )
    return found


async def ailing_providers(
    connection: Connection, *, since: datetime, slower_than: timedelta, bad_tries: int
) -> frozenset[str]:
    """Who was slow, silent or failing too often of late."""
    rows = await connection.fetch(
        "select provider from attempts where ended_at > $1 and (outcome in ('failed', 'in_doubt') or took_ms > $2) "
        "group by provider having count(*) >= $3",
        since,
        slower_than // timedelta(milliseconds=1),
        bad_tries,
    )
    return frozenset(row["provider"] for row in rows)
