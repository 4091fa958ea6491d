"""What identity says -> our own copies: organisations, and who account holders were verified to be. Pure.

From the beginning of identity's history: a case needs them whenever they were made.
"""

from collections.abc import Sequence
from typing import Any

from services.exemption.domain.commands import (
    FollowAccount,
    FollowClosing,
    FollowOrganisation,
    FollowRenaming,
    ForgetPerson,
)
from shared.events.identity import (
    AccountRegistered,
    MobileReplaced,
    OrganisationAdded,
    OrganisationClosed,
    OrganisationRenamed,
    PersonErased,
)
from shared.kernel.messages import ERASED, Command, Fact
from shared.runtime.service import Reaction


def on_organisation_added(fact: Fact[OrganisationAdded]) -> Sequence[Command]:
    event = fact.event
    return [
        FollowOrganisation(
            organisation=fact.subject, title=event.title, level=event.level, parent=event.parent, phones=event.phones
        )
    ]


def on_organisation_renamed(fact: Fact[OrganisationRenamed]) -> Sequence[Command]:
    return [FollowRenaming(organisation=fact.subject, title=fact.event.title, phones=fact.event.phones)]


def on_organisation_closed(fact: Fact[OrganisationClosed]) -> Sequence[Command]:
    return [FollowClosing(organisation=fact.subject)]


def on_account_registered(fact: Fact[AccountRegistered]) -> Sequence[Command]:
    event = fact.event
    if event.id_number == ERASED:
        return []
    return [
        FollowAccount(person=fact.subject, holder=event.name_of_person, id_number=event.id_number, mobile=event.mobile)
    ]


def on_mobile_replaced(fact: Fact[MobileReplaced]) -> Sequence[Command]:
    if fact.event.mobile == ERASED:
        return []
    return [FollowAccount(person=fact.subject, mobile=fact.event.mobile)]


def on_person_erased(fact: Fact[PersonErased]) -> Sequence[Command]:
    return [ForgetPerson(person=fact.subject)]


_FOLLOWED: tuple[tuple[Any, Any], ...] = (
    (OrganisationAdded, on_organisation_added),
    (OrganisationRenamed, on_organisation_renamed),
    (OrganisationClosed, on_organisation_closed),
    (AccountRegistered, on_account_registered),
    (MobileReplaced, on_mobile_replaced),
    (PersonErased, on_person_erased),
)
REACTIONS = tuple(Reaction(event, react, "beginning") for event, react in _FOLLOWED)
