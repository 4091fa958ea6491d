"""What identity says becomes our own commands, and an erased person teaches us nothing."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from services.exemption.domain.commands import (
    FollowAccount,
    FollowClosing,
    FollowOrganisation,
    FollowRenaming,
    ForgetPerson,
)
from services.exemption.reactions import REACTIONS
from shared.events.identity import (
    AccountRegistered,
    MobileReplaced,
    OrganisationAdded,
    OrganisationClosed,
    OrganisationRenamed,
    PersonErased,
)
from shared.kernel.messages import ERASED, Event, Fact, Meta


def told(stream: str, event: Event) -> list[Any]:
    fact = Fact("identity", stream, 1, event, uuid4(), Meta(uuid4(), "a", datetime(2026, 1, 1, tzinfo=UTC)))
    return [command for each in REACTIONS if each.event is type(event) for command in each.react(fact)]


def test_organisations_are_followed_through_their_life() -> None:
    added = OrganisationAdded(
        organisation="p", title="甲", level="teaching_point", parent="u", phones=("0816-6000000",)
    )
    assert told("organisation-p", added) == [
        FollowOrganisation(organisation="p", title="甲", level="teaching_point", parent="u", phones=("0816-6000000",))
    ]
    assert told("organisation-p", OrganisationRenamed(title="乙", phones=())) == [
        FollowRenaming(organisation="p", title="乙", phones=())
    ]
    assert told("organisation-p", OrganisationClosed()) == [FollowClosing(organisation="p")]


def test_account_holders_are_followed_until_they_are_erased() -> None:
    registered = AccountRegistered(mobile="1", name_of_person="样本", id_number="2", ticket_number="9")
    assert told("account-x", registered) == [
        FollowAccount(person="x", holder="样本", id_number="2", mobile="1", ticket_number="9")
    ]
    replaced = MobileReplaced(mobile="3", previous="1", checked_by=None, evidence="")
    assert told("account-x", replaced) == [FollowAccount(person="x", mobile="3")]
    assert told("account-x", PersonErased(ground="asked")) == [ForgetPerson(person="x")]


def test_what_was_erased_before_we_heard_of_it_is_not_followed() -> None:
    registered = AccountRegistered(mobile=ERASED, name_of_person=ERASED, id_number=ERASED, ticket_number=ERASED)
    replaced = MobileReplaced(mobile=ERASED, previous=ERASED, checked_by=None, evidence=ERASED)
    assert told("account-x", registered) == []
    assert told("account-x", replaced) == []


def test_history_teaches_from_its_beginning() -> None:
    assert {each.since for each in REACTIONS} == {"beginning"}
