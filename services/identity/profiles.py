"""个人信息: the command -> the book and the account -> execute. Called by the service's write path."""

from dataclasses import dataclass

from services.identity.domain.account import ACCOUNT, Registered
from services.identity.domain.commands import SaveProfile
from services.identity.domain.profile import PROFILE, ProfileContext
from services.identity.domain.profile_rules import PersonalCentre
from services.identity.domain.scheme import Books
from shared.kernel.errors import Refused
from shared.kernel.messages import Receipt
from shared.runtime.event_store import Work


def centre_of(book: str | None, books: Books) -> PersonalCentre:
    found = books.centre(book) if book else None
    if found is None:
        raise Refused("identity.no_personal_centre")
    return found


@dataclass(frozen=True)
class Profiles:
    """The handler, with the books at hand."""

    books: Books

    async def save(self, work: Work, command: SaveProfile) -> Receipt:
        account, _ = await work.load(ACCOUNT, command.person)
        if not isinstance(account, Registered):
            raise Refused("identity.no_account")
        context = ProfileContext(work.meta.at, centre_of(command.book, self.books), self.books.code_lists)
        return await work.execute(PROFILE, command.person, command, context, person=command.person)
