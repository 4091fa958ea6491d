"""消息 one message to one person: requested, tried, accepted, received; or failed, given up, unresolved.

`handlers.py` runs it for the API and for the timers of `sending.py`. The rule everything hangs on: an attempt is
written down before the provider is called, and while its outcome is in doubt nothing is sent again.

    Waiting -> Sending -> Taken -> Delivered | Undelivered | Unresolved (no receipt)
       ^         |  |`--> Unresolved (nobody can tell whether it was sent)
       `---------'  `---> GivenUp (the number is refused, tries used up, code expired)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, assert_never

from services.notification.domain import rules
from services.notification.domain.commands import (
    BeginAttempt,
    MessageCommand,
    ReadMessage,
    RecordAnswer,
    RecordReceipt,
    RequestMessage,
    ResendMessage,
)
from services.notification.domain.scheme import Sending as Policy
from services.notification.domain.texts import Letter
from shared.events.notification import (
    AttemptFailed,
    MessageAccepted,
    MessageDelivered,
    MessageEvent,
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
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import ERASED

# --- where the SMS stands


@dataclass(frozen=True)
class NoSms:
    """A message for the inbox alone."""

    state_title: ClassVar[str] = "已入收件箱"


@dataclass(frozen=True)
class Waiting:
    """To be tried at `due_at`."""

    state_title: ClassVar[str] = "待发送"
    due_at: datetime


@dataclass(frozen=True)
class Sending:
    """An attempt is written down and has no result: being called, or in doubt."""

    state_title: ClassVar[str] = "发送中"
    provider: str
    out_id: str
    tried_at: datetime
    ask_at: datetime
    asked: int = 0
    absent: int = 0


@dataclass(frozen=True)
class Taken:
    """The provider has it; the network's receipt is awaited."""

    state_title: ClassVar[str] = "待回执"
    provider: str
    out_id: str
    tried_at: datetime
    provider_id: str | None
    asked: int = 0


@dataclass(frozen=True)
class Unresolved:
    state_title: ClassVar[str] = "未决"
    reason: str


@dataclass(frozen=True)
class Delivered:
    state_title: ClassVar[str] = "已送达"


@dataclass(frozen=True)
class Undelivered:
    state_title: ClassVar[str] = "未送达"
    code: str


@dataclass(frozen=True)
class GivenUp:
    state_title: ClassVar[str] = "不再发送"
    reason: str


Sms = NoSms | Waiting | Sending | Taken | Unresolved | Delivered | Undelivered | GivenUp


@dataclass(frozen=True)
class NotRequested:
    state_title: ClassVar[str] = "未生成"


@dataclass(frozen=True)
class Requested:
    letter: MessageRequested
    mobile: str
    asked_for_at: datetime
    """When it was requested or last asked for again."""
    sms: Sms
    attempts: int = 0
    """Over all resends: it numbers the attempts at the providers."""
    failed: tuple[str, ...] = ()
    """The provider of each failed attempt since the message was last asked for."""
    resends: int = 0
    read: bool = False

    @property
    def state_title(self) -> str:
        return f"{self.sms.state_title}，已读" if self.read else self.sms.state_title


Message = NotRequested | Requested


@dataclass(frozen=True)
class Context:
    """What a decision may know besides the past."""

    now: datetime
    message: str
    policy: Policy
    person: str | None = None
    """Who is told, or who asks."""
    case: str | None = None
    letter: Letter | None = None
    """The words, when a message is requested."""
    mobile: str | None = None
    """The number to send to, when a message is requested or sent again."""
    ailing: frozenset[str] = frozenset()
    """Providers that were slow or failed too often of late."""


def decide(command: MessageCommand, state: Message, context: Context) -> Sequence[MessageEvent]:
    match command:
        case RequestMessage():
            return _request(command, state, context)
        case BeginAttempt():
            return _begin(command, state, context)
        case RecordAnswer():
            return _record_answer(command, state, context)
        case RecordReceipt():
            return _record_receipt(command, state, context)
        case ResendMessage():
            return _resend(state, context)
        case ReadMessage():
            return _read(state, context)
        case _:
            assert_never(command)


def _request(command: RequestMessage, state: Message, context: Context) -> list[MessageEvent]:
    if isinstance(state, Requested):
        return []
    letter = context.letter
    assert letter is not None
    assert context.person is not None
    return [
        MessageRequested(
            person=context.person,
            case=context.case,
            moment=letter.moment,
            scheme=letter.scheme,
            channels=letter.channels,
            title=letter.title,
            inbox_text=letter.inbox_text,
            facts=dict(letter.facts),
            mobile=context.mobile or "",
            templates=letter.templates,
            due_at=context.now,
            expires_at=command.expires_at,
        )
    ]


def _begin(command: BeginAttempt, state: Message, context: Context) -> list[MessageEvent]:
    """Refused unless it is this call's turn: who is refused must not call the provider."""
    if not isinstance(state, Requested) or not isinstance(state.sms, Waiting):
        raise Refused("notification.not_due")
    if command.due_at != state.sms.due_at or context.now < state.sms.due_at:
        raise Refused("notification.not_due")
    if not state.mobile or state.mobile == ERASED:
        return [SendingGivenUp(reason="erased" if state.mobile else "no_number", code="")]
    if rules.has_expired(state.letter, context.now):
        return [SendingGivenUp(reason="expired", code="")]
    attempt = state.attempts + 1
    return [
        SendingAttempted(
            attempt=attempt,
            provider=rules.provider_for_next(state.letter, state.failed, context.ailing),
            out_id=f"{context.message}.{attempt}",
            tried_at=context.now,
            ask_at=context.now + context.policy.call_timeout + context.policy.doubt_wait(0),
        )
    ]


def _record_answer(command: RecordAnswer, state: Message, context: Context) -> list[MessageEvent]:
    """A late answer to an attempt that has its result already changes nothing; silence counts once a question."""
    if not isinstance(state, Requested) or not isinstance(state.sms, Sending) or state.attempts != command.attempt:
        return []
    match command.answer:
        case Absent() | InDoubt() if command.question not in (None, state.sms.asked):
            return []
        case Accepted(provider_id=provider_id):
            return [
                MessageAccepted(
                    attempt=command.attempt,
                    provider=state.sms.provider,
                    provider_id=provider_id,
                    took_ms=command.took_ms,
                    ask_at=context.now + context.policy.receipt_wait(0),
                )
            ]
        case Declined():
            return _failed(command.answer, command.took_ms, state, state.sms, context)
        case Absent():
            return _absent(state, state.sms, context)
        case InDoubt(reason=reason):
            return _in_doubt(reason, command.question is not None, state, state.sms, context)


def _failed(
    answer: Declined, took_ms: int | None, state: Requested, sms: Sending, context: Context
) -> list[MessageEvent]:
    failed = (*state.failed, sms.provider)
    next_try = context.now + rules.wait_after(state.letter, failed, context.policy)
    why = rules.why_no_further_try(state.letter, len(failed), answer.hopeless, next_try, context.policy)
    attempt = AttemptFailed(
        attempt=state.attempts,
        provider=sms.provider,
        code=answer.code,
        took_ms=took_ms,
        next_try_at=None if why else next_try,
    )
    return [attempt, SendingGivenUp(reason=why, code=answer.code)] if why else [attempt]


def _absent(state: Requested, sms: Sending, context: Context) -> list[MessageEvent]:
    """Once may be too early: the request may still be on its way. Said often enough, it counts as not sent."""
    absent = sms.absent + 1
    if absent >= context.policy.doubt.absences_needed:
        return _failed(Declined("not_received"), None, state, sms, context)
    return _in_doubt("absent", True, state, replace(sms, absent=absent), context)


def _in_doubt(reason: str, asked: bool, state: Requested, sms: Sending, context: Context) -> list[MessageEvent]:
    questions = sms.asked + (1 if asked else 0)
    if questions >= len(context.policy.doubt.ask_after_seconds):
        return [OutcomeUnresolved(attempt=state.attempts, provider=sms.provider, reason="no_answer")]
    return [
        OutcomeInDoubt(
            attempt=state.attempts,
            provider=sms.provider,
            reason=reason,
            asked=questions,
            absent=sms.absent,
            ask_at=context.now + context.policy.doubt_wait(questions),
        )
    ]


def _record_receipt(command: RecordReceipt, state: Message, context: Context) -> list[MessageEvent]:
    if not isinstance(state, Requested) or not isinstance(state.sms, Taken) or state.attempts != command.attempt:
        return []
    receipt, attempt, provider = command.receipt, command.attempt, state.sms.provider
    match receipt.status:
        case "delivered":
            received_at = receipt.received_at
            return [MessageDelivered(attempt=attempt, provider=provider, received_at=received_at, code=receipt.code)]
        case "undelivered":
            return [MessageUndelivered(attempt=attempt, provider=provider, code=receipt.code)]
        case "waiting":
            return [_still_waiting(attempt, state.sms, context)]
        case _:
            assert_never(receipt.status)


def _still_waiting(attempt: int, sms: Taken, context: Context) -> MessageEvent:
    if context.now >= sms.tried_at + timedelta(hours=context.policy.receipts.give_up_after_hours):
        return OutcomeUnresolved(attempt=attempt, provider=sms.provider, reason="no_receipt")
    asked = sms.asked + 1
    return ReceiptAwaited(attempt=attempt, asked=asked, ask_at=context.now + context.policy.receipt_wait(asked))


def _resend(state: Message, context: Context) -> list[MessageEvent]:
    message = _own(state, context)
    if ERASED in (message.mobile, context.mobile):
        raise Refused("access.person_erased")
    if isinstance(message.sms, NoSms) or message.letter.expires_at is not None:
        raise Refused("notification.cannot_be_resent")
    if isinstance(message.sms, Waiting | Sending):
        raise Refused("notification.still_sending")
    rules.cooldown_must_be_over(message.asked_for_at, context.now, context.policy.resending)
    rules.resends_must_be_left(message.resends, context.policy.resending)
    mobile = context.mobile or message.mobile
    return [ResendRequested(resend=message.resends + 1, mobile=mobile, due_at=context.now)]


def _read(state: Message, context: Context) -> list[MessageEvent]:
    message = _own(state, context)
    if "inbox" not in message.letter.channels:
        raise Refused("access.not_found")
    return [] if message.read else [MessageRead()]


def _own(state: Message, context: Context) -> Requested:
    """Somebody else's message looks like none."""
    if not isinstance(state, Requested) or state.letter.person != context.person:
        raise Refused("access.not_found")
    return state


def evolve(state: Message, event: MessageEvent) -> Message:
    """The past is never refused, and asks neither the clock nor the book."""
    if isinstance(event, MessageRequested):
        first: Sms = Waiting(event.due_at) if "sms" in event.channels else NoSms()
        return Requested(event, event.mobile, event.due_at, first)
    assert isinstance(state, Requested)
    match event:
        case MessageRead():
            return replace(state, read=True)
        case ResendRequested():
            waiting = Waiting(event.due_at)
            return replace(
                state, mobile=event.mobile, asked_for_at=event.due_at, sms=waiting, failed=(), resends=event.resend
            )
        case SendingAttempted():
            sending = Sending(event.provider, event.out_id, event.tried_at, event.ask_at)
            return replace(state, sms=sending, attempts=event.attempt)
        case AttemptFailed():
            sms = Waiting(event.next_try_at) if event.next_try_at else state.sms
            return replace(state, sms=sms, failed=(*state.failed, event.provider))
        case _:
            return replace(state, sms=_moved_on(state.sms, event))


def _moved_on(
    sms: Sms,
    event: MessageAccepted
    | OutcomeInDoubt
    | OutcomeUnresolved
    | SendingGivenUp
    | ReceiptAwaited
    | MessageDelivered
    | MessageUndelivered,
) -> Sms:
    match event:
        case MessageAccepted():
            assert isinstance(sms, Sending)
            return Taken(sms.provider, sms.out_id, sms.tried_at, event.provider_id)
        case OutcomeInDoubt():
            assert isinstance(sms, Sending)
            return replace(sms, ask_at=event.ask_at, asked=event.asked, absent=event.absent)
        case ReceiptAwaited():
            assert isinstance(sms, Taken)
            return replace(sms, asked=event.asked)
        case OutcomeUnresolved():
            return Unresolved(event.reason)
        case SendingGivenUp():
            return GivenUp(event.reason)
        case MessageDelivered():
            return Delivered()
        case MessageUndelivered():
            return Undelivered(event.code)
        case _:
            assert_never(event)


MESSAGE: Decider[MessageCommand, Message, MessageEvent, Context] = Decider("message", NotRequested(), decide, evolve)
