"""通知 What happened to the messages a person is sent. Owner: `services/notification`.

Streams: `contact-<person>` (how a person is reached), `message-<id>` (one message, from the wish to the receipt) and
`parking-<source>-<stream>` (what was passed over of another service's stream).
"""

from datetime import datetime
from typing import Any, ClassVar

import msgspec

from shared.kernel.messages import Event, Personal


class SmsTemplate(msgspec.Struct, frozen=True, kw_only=True):
    """One provider's registered text: what is sent is its code and its parameters, never free text."""

    provider: str
    sign_name: str
    template_code: str
    parameters: tuple[str, ...]
    """Names of the facts, in the order of the provider's placeholders."""
    longest_parameter: int


class ContactLearned(Event):
    """记录联系手机: the number a person gave last, for an account, a new number or an application."""

    name: ClassVar[str] = "notification.contact_learned.v1"
    mobile: Personal[str]
    given_at: datetime
    origin: str
    """account, replaced or application."""


class CaseLearned(Event):
    """记录适用规则: which book's texts a case is told in."""

    name: ClassVar[str] = "notification.case_learned.v1"
    case: str
    scheme: str


class CaseReviewersLearned(Event):
    """记录审核机构: the organisations that review a case now, and so may see whether its candidate was reached."""

    name: ClassVar[str] = "notification.case_reviewers_learned.v1"
    case: str
    organisations: tuple[str, ...]


class MessageRequested(Event):
    """通知：{title}: a message to one person, already in words; no book is asked again."""

    name: ClassVar[str] = "notification.message_requested.v1"
    person: str
    case: str | None
    moment: str
    scheme: str
    channels: tuple[str, ...]
    title: str
    inbox_text: Personal[str]
    facts: Personal[dict[str, Any]]
    mobile: Personal[str]
    templates: tuple[SmsTemplate, ...]
    due_at: datetime
    expires_at: datetime | None
    """A verification code is not sent after this instant."""


class SendingAttempted(Event):
    """发送短信（第{attempt}次，{provider}）: written BEFORE the call; after a crash it is asked about, not repeated."""

    name: ClassVar[str] = "notification.sending_attempted.v1"
    attempt: int
    provider: str
    out_id: str
    """Our own number of this attempt at the provider."""
    tried_at: datetime
    ask_at: datetime


class MessageAccepted(Event):
    """短信已由{provider}受理: the provider took the message; whether it arrived is told by the receipt."""

    name: ClassVar[str] = "notification.message_accepted.v1"
    attempt: int
    provider: str
    provider_id: str | None
    """None where only our own number is known (the answer was lost, the provider told when asked)."""
    took_ms: int | None
    ask_at: datetime


class AttemptFailed(Event):
    """短信未能发出（{provider}）: certainly not taken. `next_try_at` is None when no further try follows."""

    name: ClassVar[str] = "notification.attempt_failed.v1"
    attempt: int
    provider: str
    code: str
    took_ms: int | None
    next_try_at: datetime | None


class OutcomeInDoubt(Event):
    """短信结果待查（{provider}）: no answer (slow, a fault, a crash); the provider is asked before another try."""

    name: ClassVar[str] = "notification.outcome_in_doubt.v1"
    attempt: int
    provider: str
    reason: str
    asked: int
    absent: int
    """How often the provider said it knows nothing of it."""
    ask_at: datetime


class OutcomeUnresolved(Event):
    """短信结果未决: nobody can tell whether it was sent (`no_answer`) or arrived (`no_receipt`)."""

    name: ClassVar[str] = "notification.outcome_unresolved.v1"
    attempt: int
    provider: str
    reason: str


class SendingGivenUp(Event):
    """不再发送短信（{reason}）: none will come of this: number_refused, attempts_used_up, expired or erased."""

    name: ClassVar[str] = "notification.sending_given_up.v1"
    reason: str
    code: str


class ReceiptAwaited(Event):
    """等待短信回执: asked for the receipt; the network has not told yet."""

    name: ClassVar[str] = "notification.receipt_awaited.v1"
    attempt: int
    asked: int
    ask_at: datetime


class MessageDelivered(Event):
    """短信已送达: the network's receipt."""

    name: ClassVar[str] = "notification.message_delivered.v1"
    attempt: int
    provider: str
    received_at: datetime | None
    code: str


class MessageUndelivered(Event):
    """短信未送达: the network could not hand it over."""

    name: ClassVar[str] = "notification.message_undelivered.v1"
    attempt: int
    provider: str
    code: str


class ResendRequested(Event):
    """要求重发短信（第{resend}次）: the candidate asked for it again; it goes to the number they gave last."""

    name: ClassVar[str] = "notification.resend_requested.v1"
    resend: int
    mobile: Personal[str]
    due_at: datetime


class MessageRead(Event):
    """查看通知: opened in the inbox."""

    name: ClassVar[str] = "notification.message_read.v1"


ContactEvent = ContactLearned | CaseLearned | CaseReviewersLearned
MessageEvent = (
    MessageRequested
    | SendingAttempted
    | MessageAccepted
    | AttemptFailed
    | OutcomeInDoubt
    | OutcomeUnresolved
    | SendingGivenUp
    | ReceiptAwaited
    | MessageDelivered
    | MessageUndelivered
    | ResendRequested
    | MessageRead
)


class ParkedFactResolved(Event):
    """跳过{source}的滞留记录: a fact of another service could not be handled here; somebody said to go on without."""

    name: ClassVar[str] = "notification.parked_fact_resolved.v1"
    source: str
    stream: str
    version: int
    type: str
    fault: str
    """What it waited for: not_yet, or the kind of error."""
    reason: str
    """A code of `shared/kernel/parking.py`."""


class ResolutionExplained(Event):
    """说明跳过的缘由: what the person said about it; only where there is somebody whose key can seal it."""

    name: ClassVar[str] = "notification.resolution_explained.v1"
    note: Personal[str]


ParkingEvent = ParkedFactResolved | ResolutionExplained
