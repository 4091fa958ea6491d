"""What happens when the timer of a record of prior education is due: ask CHSI, or look what became of it.

Intent, recorded attempt, call, result: each a fact of its own. Whoever finds an attempt without a result (a crash, a
time-out) looks it up; nobody calls twice for one attempt. A callback (`api/education.py`) may be faster, or never come.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from opentelemetry.trace import SpanKind

from services.identity.domain.account import ACCOUNT, Account, Registered
from services.identity.domain.commands import BeginCheck, RecordCall, RecordChsiAnswer
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import Checking, Education, Submitted
from services.identity.education import Books
from services.identity.gateways import Answered, ChsiGateway, Query
from shared.events.identity import EducationCheckAttempted
from shared.kernel.answers import InDoubt
from shared.kernel.messages import Command, Fact, Meta, stream_name
from shared.runtime.service import Service, Timer
from shared.runtime.telemetry import span_from


@dataclass(frozen=True)
class _Record:
    """A record as its events tell it at this moment."""

    service: Service
    id: str
    state: Education
    last: Fact[Any]

    async def tell(self, command: Command) -> tuple[str, ...]:
        """A fresh id each time, on purpose: of two replicas that begin one attempt only one may be granted it, and
        the other must not be handed its receipt. The state of the record makes every repetition harmless."""
        meta = Meta(
            command_id=uuid4(),
            actor="timer",
            at=self.service.clock(),
            causation=self.last.id,
            correlation=self.last.meta.correlation,
            traceparent=self.last.meta.traceparent,
        )
        return (await self.service.handle(command, meta)).events


@dataclass(frozen=True)
class Checker:
    """`gateway` gives None where no account at CHSI is configured: the timer comes again."""

    gateway: Callable[[], ChsiGateway | None]
    books: Books

    async def check(self, service: Service, timer: Timer) -> None:
        gateway = self.gateway()
        if gateway is None:
            return
        record = await _read(service, timer.stream)
        match record.state:
            case Submitted(due_at=due_at):
                begun = await record.tell(BeginCheck(record=record.id, due_at=due_at))
                if EducationCheckAttempted.name in begun:
                    await self._ask(
                        await _read(service, timer.stream), gateway, granted=record.state.record.attempts + 1
                    )
            case Checking(ask_at=ask_at) as checking if ask_at == timer.due_at:
                await self._look(record, checking, gateway)
            case _:  # its timer was moved or taken away while this one was under way: a call may be, too
                pass

    async def _ask(self, record: _Record, gateway: ChsiGateway, granted: int) -> None:
        """A process that was stopped between the record and the call comes too late: others look by then, and may
        have begun another attempt, which is theirs to call. Whenever a call begins, it ends at the same time."""
        checking = record.state
        if not isinstance(checking, Checking) or checking.record.attempts != granted or checking.record.erased:
            return
        account = await _account(record.service, checking.record.candidate)
        if not isinstance(account, Registered):
            return
        longest = self.books.rules(checking.record.scheme).book.check.call_timeout
        with span_from(record.last.meta.traceparent, "ask CHSI", kind=SpanKind.CLIENT):
            within = min(longest, checking.tried_at + longest - record.service.clock())
            if within <= timedelta():
                return
            query = Query(checking.request, checking.record.form, account.id_number)
            result = await gateway.ask(query, within)
        await record.tell(RecordCall(record=record.id, request=checking.request, result=result))

    async def _look(self, record: _Record, checking: Checking, gateway: ChsiGateway) -> None:
        if checking.record.erased:  # nothing left to be judged: it ends
            found: Any = InDoubt("erased")
        else:
            within = self.books.rules(checking.record.scheme).book.check.call_timeout
            found = await gateway.look(checking.request, within)
        if isinstance(found, Answered):
            await record.tell(RecordChsiAnswer(record=record.id, request=checking.request, answer=found.answer))
        else:
            question = checking.asked
            await record.tell(RecordCall(record=record.id, request=checking.request, result=found, question=question))


async def _account(service: Service, person: str) -> Account:
    async with service.reading() as connection:
        return ACCOUNT.replay(
            fact.event for fact in await service.history(connection, stream_name(ACCOUNT.kind, person))
        )


async def _read(service: Service, stream: str) -> _Record:
    async with service.reading() as connection:
        history = await service.history(connection, stream)
    return _Record(service, history[-1].subject, EDUCATION.replay(fact.event for fact in history), history[-1])
