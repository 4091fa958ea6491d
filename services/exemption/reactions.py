"""What identity says -> our own copies: organisations, and who account holders were verified to be. Pure.

From the beginning of identity's history: a case needs them whenever they were made. And what payment says of orders
-> the fees of applications; there is no such service yet, so nothing comes (`TO_COME` in `shared/events/__init__.py`).
"""

from collections.abc import Sequence
from typing import Any

from services.exemption.domain.commands import (
    FollowAccount,
    FollowClosing,
    FollowEducation,
    FollowOrganisation,
    FollowRenaming,
    FollowVerification,
    ForgetPerson,
    NoteRefund,
    SettleFee,
)
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
from shared.events.payment import OrderRefunded, OrderSettled
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
        FollowAccount(
            person=fact.subject,
            holder=event.name_of_person,
            id_number=event.id_number,
            mobile=event.mobile,
            ticket_number=event.ticket_number,
        )
    ]


def on_mobile_replaced(fact: Fact[MobileReplaced]) -> Sequence[Command]:
    if fact.event.mobile == ERASED:
        return []
    return [FollowAccount(person=fact.subject, mobile=fact.event.mobile)]


def on_person_verified(fact: Fact[PersonVerified]) -> Sequence[Command]:
    """SX-E-10."""
    if fact.meta.person is None or fact.event.evidence == ERASED:
        return []
    event = fact.event
    return [FollowVerification(person=fact.meta.person, jurisdiction=event.jurisdiction, level=event.level)]


def on_prior_education_submitted(fact: Fact[PriorEducationSubmitted]) -> Sequence[Command]:
    """HB-38: handed in in time, so far."""
    if fact.meta.person is None or not fact.event.form:
        return []
    form = fact.event.form
    return [
        FollowEducation(
            person=fact.meta.person,
            record=fact.subject,
            standing="submitted",
            level=form["level"],
            category=form["category"],
            certificate_number=form["certificate_number"],
            school=form["school"],
            major=form["major"],
            graduated_on=form["graduated_on"],
        )
    ]


def on_prior_education_confirmed(fact: Fact[PriorEducationConfirmed]) -> Sequence[Command]:
    """HB-08 生效."""
    event = fact.event
    if event.certificate_number == ERASED:
        return []
    return [
        FollowEducation(
            person=event.candidate,
            record=fact.subject,
            standing="effective",
            level=event.level,
            category=event.category,
            certificate_number=event.certificate_number,
            school=event.school,
            major=event.major,
            graduated_on=event.graduated_on,
        )
    ]


def on_prior_education_not_confirmed(fact: Fact[PriorEducationNotConfirmed]) -> Sequence[Command]:
    if fact.meta.person is None:
        return []
    return [FollowEducation(person=fact.meta.person, record=fact.subject, standing="not_effective")]


def on_prior_education_taken_back(fact: Fact[PriorEducationTakenBack]) -> Sequence[Command]:
    """A draft again: what was handed in with it no longer stands."""
    if fact.meta.person is None:
        return []
    return [FollowEducation(person=fact.meta.person, record=fact.subject, standing="taken_back")]


def on_person_erased(fact: Fact[PersonErased]) -> Sequence[Command]:
    return [ForgetPerson(person=fact.subject)]


_OURS = "exemption"
"""What payment calls us in the facts about our fees."""


def on_order_settled(fact: Fact[OrderSettled]) -> Sequence[Command]:
    event = fact.event
    if event.asked_by != _OURS:
        return []
    return [SettleFee(application=event.case, order=event.order, fen=event.fen, paid_at=event.paid_at)]


def on_order_refunded(fact: Fact[OrderRefunded]) -> Sequence[Command]:
    event = fact.event
    if event.asked_by != _OURS:
        return []
    return [NoteRefund(application=event.case, order=event.order, fen=event.fen, refunded_at=event.refunded_at)]


_FOLLOWED: tuple[tuple[Any, Any], ...] = (
    (OrganisationAdded, on_organisation_added),
    (OrganisationRenamed, on_organisation_renamed),
    (OrganisationClosed, on_organisation_closed),
    (AccountRegistered, on_account_registered),
    (MobileReplaced, on_mobile_replaced),
    (PersonVerified, on_person_verified),
    (PriorEducationSubmitted, on_prior_education_submitted),
    (PriorEducationConfirmed, on_prior_education_confirmed),
    (PriorEducationNotConfirmed, on_prior_education_not_confirmed),
    (PriorEducationTakenBack, on_prior_education_taken_back),
    (PersonErased, on_person_erased),
    (OrderSettled, on_order_settled),
    (OrderRefunded, on_order_refunded),
)
REACTIONS = tuple(Reaction(event, react, "beginning") for event, react in _FOLLOWED)
