"""身份认证: commands -> gather what the decision needs -> execute. Used by `handlers.py`, which makes accounts too."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from services.identity import views
from services.identity.domain.account import ACCOUNT, Registered
from services.identity.domain.commands import (
    RegisterAccount,
    StartVerification,
    VerificationCommand,
    VerifyInPerson,
)
from services.identity.domain.routes import VerificationRules
from services.identity.domain.scheme import Books
from services.identity.domain.verification import (
    VERIFICATION,
    Begun,
    Verification,
    VerificationContext,
    Verified,
    route_must_be_known,
)
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Receipt
from shared.runtime.event_store import Work
from shared.runtime.service import Handler


async def one_at_a_time(work: Work, person: str) -> None:
    """Erasing a person and verifying them append one after the other, so that a replay meets them in that order."""
    key = int.from_bytes(work.tx.hashed("verification", person)[:8], "big", signed=True)
    await (await work.tx.open()).execute("select pg_advisory_xact_lock($1)", key)


def rules_of(book: str, books: Books) -> VerificationRules:
    found = books.verification(book)
    if found is None:
        raise Refused("identity.no_verification_there")
    return found


@dataclass(frozen=True)
class Verifying:
    """The handlers, with the books at hand."""

    books: Books

    def by_command(self) -> Mapping[type[Command], Handler]:
        return dict.fromkeys(get_args(VerificationCommand), self.on_verification)

    def password_later(self, command: RegisterAccount) -> bool:
        """SX-E-42: whether the route chosen sets the password after verification."""
        if not command.book:
            return False
        route = route_must_be_known(command.route, rules_of(command.book, self.books))
        return route.password_step != "before_photos"  # noqa: S105 - when, and no password

    async def is_verified(self, work: Work, person: str) -> bool:
        state, _ = await work.load(VERIFICATION, person)
        return isinstance(state, Verified)

    async def start(self, work: Work, command: RegisterAccount) -> None:
        """The account has just been made on a route."""
        starting = StartVerification(
            person=command.person,
            book=command.book,
            route=command.route,
            organisation=command.organisation,
            binding=True,
        )
        await self.on_verification(work, starting)

    async def on_verification(self, work: Work, command: VerificationCommand) -> Receipt:
        await one_at_a_time(work, command.person)
        account, _ = await work.load(ACCOUNT, command.person)
        if not isinstance(account, Registered):
            raise Refused("identity.no_account")
        state, _ = await work.load(VERIFICATION, command.person)
        book = _book(command, state)
        named = [command.organisation] if isinstance(command, StartVerification | VerifyInPerson) else []
        context = VerificationContext(
            now=work.meta.at,
            actor=work.meta.actor,
            book=book,
            rules=rules_of(book, self.books),
            roles=work.caller.roles if work.caller else (),
            places=await views.find_places(work.tx.connection, named),
            has_ticket_number=bool(account.ticket_number),
        )
        return await work.execute(VERIFICATION, command.person, command, context, person=command.person)


def _book(command: VerificationCommand, state: Verification) -> str:
    """A verification keeps the book it was begun by; until it begins anew."""
    match command, state:
        case StartVerification(), _:
            return command.book
        case _, Begun() | Verified():
            return state.book
        case VerifyInPerson(), _:
            return command.book
        case _:
            raise Refused("identity.verification_not_started")
