"""Command -> gather the words, the number and the providers' health -> execute. Wired up in `main.py`."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.notification.domain.commands import (
    BeginAttempt,
    LearnContact,
    ReadMessage,
    RecordAnswer,
    RecordReceipt,
    RequestMessage,
    ResendMessage,
)
from services.notification.domain.contact import CONTACT
from services.notification.domain.message import MESSAGE, Context, Requested
from services.notification.domain.scheme import NotificationScheme, PlatformNotification, Sending
from services.notification.domain.texts import written
from services.notification.views import ailing_providers
from shared.kernel.errors import NotYet, Refused
from shared.kernel.messages import ERASED, Command, Receipt
from shared.runtime.event_store import Work
from shared.runtime.service import Handler
from shared.schemes.catalog import Catalog

PLATFORM = "platform"
_OF_PLATFORM = "identity."
"""Moments that belong to no jurisdiction are told in the platform's words."""


@dataclass(frozen=True)
class Books:
    """What the books say to notification."""

    catalog: Catalog

    @property
    def sending(self) -> Sending:
        return self.catalog.get(PLATFORM).part("notification", PlatformNotification).sending

    def scheme(self, ref: str) -> NotificationScheme | None:
        """None where a book has no notices: it tells nobody anything."""
        book, model = self.catalog.get(ref), PlatformNotification if ref == PLATFORM else NotificationScheme
        return book.part("notification", model) if "notification" in book.parts() else None


@dataclass(frozen=True)
class Handlers:
    books: Books

    async def learn_contact(self, work: Work, command: LearnContact) -> Receipt:
        person = _person(work)
        return await work.execute(CONTACT, person, command, None, case=work.meta.case, person=person)

    async def request_message(self, work: Work, command: RequestMessage) -> Receipt:
        person, case = _person(work), work.meta.case
        contact, _ = await work.load(CONTACT, person)
        ref = PLATFORM if command.moment.startswith(_OF_PLATFORM) else contact.schemes.get(case or "")
        if ref is None:
            await work.must_not_be_erased(person)
            raise NotYet(f"the book of case {case} is not known")
        if (said := self.books.scheme(ref)) is None:
            raise Refused("notification.nothing_to_say", moment=command.moment)
        message = work.new_id()
        letter = written(command.moment, ref, said, self.books.sending, command.facts)
        context = Context(
            now=work.meta.at,
            message=message,
            policy=self.books.sending,
            person=person,
            case=case,
            letter=letter,
            mobile=command.mobile or contact.mobile,
        )
        return await work.execute(MESSAGE, message, command, context, case=case, person=person)

    async def begin_attempt(self, work: Work, command: BeginAttempt) -> Receipt:
        switching = self.books.sending.switching
        ailing = await ailing_providers(
            work.tx.connection,
            since=work.meta.at - timedelta(seconds=switching.window_seconds),
            slower_than=timedelta(seconds=switching.slow_after_seconds),
            bad_tries=switching.bad_tries,
        )
        return await self._on(work, command, command.message, ailing=ailing)

    async def record_answer(self, work: Work, command: RecordAnswer) -> Receipt:
        return await self._on(work, command, command.message)

    async def record_receipt(self, work: Work, command: RecordReceipt) -> Receipt:
        return await self._on(work, command, command.message)

    async def resend_message(self, work: Work, command: ResendMessage) -> Receipt:
        contact, _ = await work.load(CONTACT, work.meta.actor)
        return await self._on(work, command, command.message, person=work.meta.actor, mobile=contact.mobile)

    async def read_message(self, work: Work, command: ReadMessage) -> Receipt:
        return await self._on(work, command, command.message, person=work.meta.actor)

    async def _on(self, work: Work, command: Any, message: str, **known: Any) -> Receipt:
        """A command to a message that exists: its events keep the case and the person of the message.

        An erased person has no key any more, and nothing left that would need one.
        """
        state, _ = await work.load(MESSAGE, message)
        letter = state.letter if isinstance(state, Requested) else None
        sealed_for = letter.person if letter and letter.inbox_text != ERASED and letter.mobile != ERASED else None
        context = Context(now=work.meta.at, message=message, policy=self.books.sending, **known)
        case = letter.case if letter else None
        return await work.execute(MESSAGE, message, command, context, case=case, person=sealed_for)

    def by_command(self) -> Mapping[type[Command], Handler]:
        return {
            LearnContact: self.learn_contact,
            RequestMessage: self.request_message,
            BeginAttempt: self.begin_attempt,
            RecordAnswer: self.record_answer,
            RecordReceipt: self.record_receipt,
            ResendMessage: self.resend_message,
            ReadMessage: self.read_message,
        }


def _person(work: Work) -> str:
    if work.meta.person is None:
        raise TypeError("a fact without a person cannot be told to anybody")
    return work.meta.person
