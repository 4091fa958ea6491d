"""What identity says becomes our own commands, and an erased person teaches us nothing."""

import re
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from services.exemption.domain.commands import (
    FollowAccount,
    FollowClosing,
    FollowEducation,
    FollowOrganisation,
    FollowRenaming,
    FollowVerification,
    ForgetPerson,
)
from services.exemption.domain.followed import ACCOUNT_FOLLOWED, Account
from services.exemption.domain.rules import prior_education_must_be_there
from services.exemption.domain.terms import PriorEducationNeeded
from services.exemption.reactions import REACTIONS
from shared.events.identity import (
    AccountRegistered,
    MobileReplaced,
    OrganisationAdded,
    OrganisationClosed,
    OrganisationRenamed,
    PersonErased,
    PersonVerified,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationSubmitted,
    PriorEducationTakenBack,
)
from shared.kernel.errors import Refused
from shared.kernel.messages import ERASED, Event, Fact, Meta


def told(stream: str, event: Event, person: str | None = None) -> list[Any]:
    meta = Meta(uuid4(), "a", datetime(2026, 1, 1, tzinfo=UTC), person=person)
    fact = Fact("identity", stream, 1, event, uuid4(), meta)
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


DIPLOMA = {
    "certificate_number": "X-1",
    "school": "样例学院",
    "major": "园林",
    "level": "31",
    "category": "ordinary",
    "graduated_on": "2018-06-30",
}
SUBMITTED = PriorEducationSubmitted(
    submission=1, form={**DIPLOMA, "holder": "样本"}, check_at=datetime(2026, 1, 1, tzinfo=UTC), clause=""
)
CONFIRMED = PriorEducationConfirmed(candidate="x", cycle="c", scheme="isle/reef@1", clause="", **DIPLOMA)
NOT_CONFIRMED = PriorEducationNotConfirmed(reason="not_found", differences={}, clause="")


def test_prior_education_is_followed_from_handing_in_to_its_effect_and_out_of_it() -> None:
    """HB-08, HB-38; twice told is once learnt, and a record keeps what it was about."""
    state: Account | None = ACCOUNT_FOLLOWED.initial
    standings = []
    for event in (SUBMITTED, SUBMITTED, NOT_CONFIRMED, SUBMITTED, CONFIRMED, CONFIRMED, NOT_CONFIRMED):
        for command in told("education-r1", event, person="x"):
            assert isinstance(command, FollowEducation)
            assert (command.person, command.record) == ("x", "r1")
            for learnt in ACCOUNT_FOLLOWED.decide(command, state, None):
                state = ACCOUNT_FOLLOWED.evolve(state, learnt)
                assert state
                standings.append(state.education["r1"].standing)
    assert standings == ["submitted", "not_effective", "submitted", "effective", "not_effective"]
    assert state
    assert asdict(state.education["r1"]) == {**DIPLOMA, "standing": "not_effective"}


def test_what_was_taken_back_is_no_longer_handed_in_and_keeps_what_it_was_about() -> None:
    """HB-38: so it opens nothing, until it is handed in again."""
    state: Account | None = ACCOUNT_FOLLOWED.initial
    for event in (SUBMITTED, PriorEducationTakenBack()):
        for command in told("education-r1", event, person="x"):
            for learnt in ACCOUNT_FOLLOWED.decide(command, state, None):
                state = ACCOUNT_FOLLOWED.evolve(state, learnt)
    assert state
    assert (state.education["r1"].standing, state.education["r1"].major) == ("taken_back", "园林")
    asked = PriorEducationNeeded(
        text="请先完成前置学历", when="submitted", categories=("ordinary",), source="assumption"
    )
    with pytest.raises(Refused, match=re.escape("exemption.prior_education_not_there")):
        prior_education_must_be_there(state, asked, "submitted")
    assert told("education-r1", PriorEducationTakenBack()) == []


def test_prior_education_of_an_erased_person_is_not_followed() -> None:
    gone = PriorEducationSubmitted(submission=1, form={}, check_at=datetime(2026, 1, 1, tzinfo=UTC), clause="")
    hidden = dict.fromkeys(("certificate_number", "school", "major", "graduated_on"), ERASED)
    confirmed = PriorEducationConfirmed(
        candidate="x", cycle="c", scheme="isle/reef@1", level="31", category="ordinary", clause="", **hidden
    )
    assert told("education-r1", gone, person="x") == []
    assert told("education-r1", confirmed, person="x") == []
    assert told("education-r1", NOT_CONFIRMED) == []


def test_whom_identity_verified_for_a_jurisdiction_is_known_here() -> None:
    """SX-E-10: by photographs or in person alike."""
    verified = PersonVerified(
        jurisdiction="sx",
        book="sx/exemption@1",
        level="photographs",
        organisation="sx-xiaodian",
        verified_by="clerk",
        pairs={"holding_id+id_front": True},
        documents=(),
        evidence="",
        clause="",
    )
    assert told("verification-x", verified, person="x") == [
        FollowVerification(person="x", jurisdiction="sx", level="photographs")
    ]
    assert told("verification-x", structs.replace(verified, evidence=ERASED), person="x") == []  # type: ignore[type-var]
    assert told("verification-x", verified) == []


def test_what_was_erased_before_we_heard_of_it_is_not_followed() -> None:
    registered = AccountRegistered(mobile=ERASED, name_of_person=ERASED, id_number=ERASED, ticket_number=ERASED)
    replaced = MobileReplaced(mobile=ERASED, previous=ERASED, checked_by=None, evidence=ERASED)
    assert told("account-x", registered) == []
    assert told("account-x", replaced) == []


def test_history_teaches_from_its_beginning() -> None:
    assert {each.since for each in REACTIONS} == {"beginning"}
