"""What exemption has learnt from identity, as streams of its own: organisations and account holders. Pure.

Fed by `reactions.py`; so a case can be judged while identity is away, and a rebuild needs only our own events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from services.exemption.domain.commands import (
    AccountCommand,
    FollowClosing,
    FollowOrganisation,
    FollowRenaming,
    ForgetPerson,
    OrganisationCommand,
)
from shared.events.exemption import AccountFollowed, OrganisationFollowed, PersonEvent, PersonForgotten
from shared.kernel.decider import Decider


@dataclass(frozen=True)
class Organisation:
    """An organisation and its place in the tree."""

    id: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...] = ()
    closed: bool = False


Organisations = Mapping[str, Organisation]


def upwards(start: str, organisations: Organisations) -> Iterator[Organisation]:
    """`start` and everything above it, as far as it is known. A ring in the data ends it."""
    seen: set[str] = set()
    step: str | None = start
    while step is not None and step in organisations and step not in seen:
        seen.add(step)
        yield organisations[step]
        step = organisations[step].parent


def at_level(start: str, level: str, organisations: Organisations) -> str | None:
    """The organisation of `level` that is `start` or above it."""
    return next((each.id for each in upwards(start, organisations) if each.level == level), None)


def _follow_organisation(
    command: OrganisationCommand, state: OrganisationFollowed | None, _: None
) -> Sequence[OrganisationFollowed]:
    learnt = _learnt(command, state)
    return [] if learnt is None or learnt == state else [learnt]


def _learnt(command: OrganisationCommand, state: OrganisationFollowed | None) -> OrganisationFollowed | None:
    if isinstance(command, FollowOrganisation):
        return OrganisationFollowed(
            title=command.title, level=command.level, parent=command.parent, phones=command.phones, closed=False
        )
    if state is None:  # identity's first word about an organisation is always that it was added
        return None
    title, phones = (
        (command.title, command.phones) if isinstance(command, FollowRenaming) else (state.title, state.phones)
    )
    closed = state.closed or isinstance(command, FollowClosing)
    return OrganisationFollowed(title=title, level=state.level, parent=state.parent, phones=phones, closed=closed)


def _organisation_is(_: OrganisationFollowed | None, event: OrganisationFollowed) -> OrganisationFollowed | None:
    return event


ORGANISATION_FOLLOWED: Decider[OrganisationCommand, OrganisationFollowed | None, OrganisationFollowed, None] = Decider(
    "organisation", None, _follow_organisation, _organisation_is
)


@dataclass(frozen=True)
class Account:
    """Who a candidate's account was verified to be."""

    state_title: ClassVar[str] = "已获知"
    holder: str
    id_number: str
    mobile: str


def _follow_account(command: AccountCommand, state: Account | None, _: None) -> Sequence[PersonEvent]:
    if isinstance(command, ForgetPerson):
        return [PersonForgotten()]
    known = state or Account("", "", "")
    learnt = Account(
        known.holder if command.holder is None else command.holder,
        known.id_number if command.id_number is None else command.id_number,
        known.mobile if command.mobile is None else command.mobile,
    )
    if learnt == state:
        return []
    return [AccountFollowed(holder=learnt.holder, id_number=learnt.id_number, mobile=learnt.mobile)]


def _account_is(_: Account | None, event: PersonEvent) -> Account | None:
    if isinstance(event, PersonForgotten):
        return None
    return Account(event.holder, event.id_number, event.mobile)


ACCOUNT_FOLLOWED: Decider[AccountCommand, Account | None, PersonEvent, None] = Decider(
    "person", None, _follow_account, _account_is
)
