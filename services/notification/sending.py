"""What happens when a timer of a message is due: try, or ask what became of the last try, or ask for the receipt.

Intent, recorded attempt, call, result: each a fact of its own. Whoever finds an attempt without a result (a crash,
a time-out) asks the provider; nobody calls twice for one attempt.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

from opentelemetry.trace import SpanKind

from services.notification.domain.answers import Finding, Receipt
from services.notification.domain.commands import BeginAttempt, RecordAnswer, RecordReceipt
from services.notification.domain.message import MESSAGE, Requested, Taken, Waiting
from services.notification.domain.message import Sending as Trying
from services.notification.domain.scheme import Sending as Policy
from services.notification.domain.texts import parameters
from services.notification.gateways import Attempt, Sms, SmsGateway
from shared.events.notification import SendingAttempted
from shared.kernel.answers import Accepted, InDoubt
from shared.kernel.messages import ERASED, Command, Fact, Meta
from shared.runtime.points import reached
from shared.runtime.service import Service, Timer
from shared.runtime.telemetry import span_from


@dataclass(frozen=True)
class _Message:
    """A message as its events tell it at this moment."""

    service: Service
    id: str
    state: Requested
    last: Fact[Any]

    async def tell(self, command: Command) -> tuple[str, ...]:
        """A fresh id each time, on purpose: of two replicas that begin one attempt only one may be granted it, and
        the other must not be handed its receipt. The state of the message makes every repetition harmless."""
        meta = Meta(
            command_id=uuid4(),
            actor=self.service.name,
            at=self.service.clock(),
            causation=self.last.id,
            correlation=self.last.meta.correlation,
            traceparent=self.last.meta.traceparent,
        )
        return (await self.service.handle(command, meta)).events

    def sms(self, provider: str, out_id: str) -> Sms:
        template = next(t for t in self.state.letter.templates if t.provider == provider)
        return Sms(
            mobile=self.state.mobile,
            out_id=out_id,
            sign_name=template.sign_name,
            template_code=template.template_code,
            parameters=parameters(template, self.state.letter.facts),
        )


@dataclass(frozen=True)
class Sender:
    gateways: Callable[[], Mapping[str, SmsGateway]]
    policy: Policy

    async def send(self, service: Service, timer: Timer) -> None:
        """Timer `send`: try when it is time; where a try has no result, ask about it instead."""
        message = await _read(service, timer.stream)
        match message.state.sms:
            case Waiting(due_at=due_at):
                if SendingAttempted.name in await message.tell(BeginAttempt(message=message.id, due_at=due_at)):
                    await self._call(await _read(service, timer.stream), message.state.attempts + 1)
            case Trying(ask_at=ask_at) as trying if ask_at == timer.due_at:
                await self._ask(message, trying)
            case _:  # its timer was moved or taken away while this one was under way: a call may be, too
                pass

    async def receipt(self, service: Service, timer: Timer) -> None:
        """Timer `receipt`: ask until the network has told, or it has been long enough."""
        message = await _read(service, timer.stream)
        sms = message.state.sms
        if not isinstance(sms, Taken):
            return
        finding = await self._asked(message, sms.provider, sms.out_id, sms.tried_at, sms.provider_id)
        told = finding if isinstance(finding, Receipt) else Receipt("waiting")
        await message.tell(RecordReceipt(message=message.id, attempt=message.state.attempts, receipt=told))

    async def _call(self, message: _Message, granted: int) -> None:
        """A process that was stopped between the record and the call comes too late: others ask by then, and may have
        begun another attempt, which is theirs to call. Whenever a call begins, it is over before anybody asks."""
        trying = message.state.sms
        if not isinstance(trying, Trying) or message.state.attempts != granted or message.state.mobile == ERASED:
            return
        sms = message.sms(trying.provider, trying.out_id)
        with span_from(message.last.meta.traceparent, "send SMS", kind=SpanKind.CLIENT):
            reached("sms.before")
            started = message.service.clock()  # as late as can be: nothing is waited for between here and the call
            within = min(self.policy.call_timeout, trying.tried_at + self.policy.call_timeout - started)
            if within <= timedelta():
                return
            answer = await self.gateways()[trying.provider].send(sms, within)
            reached("sms.after")
        took_ms = (message.service.clock() - started) // timedelta(milliseconds=1)
        await message.tell(
            RecordAnswer(message=message.id, attempt=message.state.attempts, answer=answer, took_ms=took_ms)
        )

    async def _ask(self, message: _Message, trying: Trying) -> None:
        finding = await self._asked(message, trying.provider, trying.out_id, trying.tried_at, None)
        answer = Accepted(None) if isinstance(finding, Receipt) else finding
        attempt = message.state.attempts
        await message.tell(RecordAnswer(message=message.id, attempt=attempt, answer=answer, question=trying.asked))

    async def _asked(
        self, message: _Message, provider: str, out_id: str, tried_at: datetime, provider_id: str | None
    ) -> Finding:
        if message.state.mobile == ERASED:  # there is no number left to ask about: it ends as unresolved
            return InDoubt("erased")
        attempt = Attempt(message.state.mobile, out_id, tried_at, provider_id)
        return await self.gateways()[provider].ask(attempt, self.policy.call_timeout)


async def _read(service: Service, stream: str) -> _Message:
    async with service.reading() as connection:
        history = await service.history(connection, stream)
    state = MESSAGE.replay(fact.event for fact in history)
    assert isinstance(state, Requested)
    return _Message(service, history[-1].subject, state, history[-1])
