"""What notification can be asked: by reactions, by its timers, by the API."""

from datetime import datetime
from typing import Any

from services.notification.domain.answers import Receipt
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.messages import Command


class LearnContact(Command):
    """A person gave a number, or began a case: then its book, and who reviews it."""

    given_at: datetime
    origin: str
    mobile: str | None = None
    case: str | None = None
    scheme: str | None = None
    organisations: tuple[str, ...] = ()


class RequestMessage(Command):
    """Tell the person of the fact. `mobile` is None where the number they gave last is meant."""

    moment: str
    facts: dict[str, Any]
    mobile: str | None = None
    expires_at: datetime | None = None


class BeginAttempt(Command):
    """The time has come to try; `due_at` is the instant the timer was set for, so a stale timer does nothing."""

    message: str
    due_at: datetime


class RecordAnswer(Command):
    """What the provider said to the call, or to a question about it later, of those before which `question` had been
    asked: two who ask the same one at the same time have asked once."""

    message: str
    attempt: int
    answer: Accepted | Declined | InDoubt | Absent
    took_ms: int | None = None
    question: int | None = None


class RecordReceipt(Command):
    message: str
    attempt: int
    receipt: Receipt


class ResendMessage(Command):
    message: str


class ReadMessage(Command):
    message: str


ContactCommand = LearnContact
MessageCommand = RequestMessage | BeginAttempt | RecordAnswer | RecordReceipt | ResendMessage | ReadMessage
