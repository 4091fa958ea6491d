"""What exemption has learnt from identity, as streams of its own: organisations and account holders. Pure.

Fed by `reactions.py`; so a case can be judged while identity is away, and a rebuild needs only our own events.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal, assert_never

from services.exemption.domain.commands import (
    AccountCommand,
    FollowAccount,
    FollowClosing,
    FollowEducation,
    FollowOrganisation,
    FollowRenaming,
    FollowVerification,
    ForgetPerson,
    OrganisationCommand,
)
from shared.events.exemption import (
    AccountFollowed,
    EducationFollowed,
    OrganisationFollowed,
    PersonEvent,
    PersonForgotten,
    VerificationFollowed,
)
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
class Education:
    """One record of prior education."""

    standing: Literal["submitted", "taken_back", "effective", "not_effective"]
    level: str
    category: str
    certificate_number: str
    school: str
    major: str
    graduated_on: str = ""


EDUCATION_LEVELS = "gbt4658"
"""The code list of `Education.level`."""


@dataclass(frozen=True)
class Account:
    """Who a candidate's account was verified to be, and what identity knows of them besides."""

    state_title: ClassVar[str] = "已获知"
    holder: str
    id_number: str
    mobile: str
    ticket_number: str = ""
    verified: Mapping[str, str] = field(default_factory=dict)  # jurisdiction -> how
    education: Mapping[str, Education] = field(default_factory=dict)  # by record
    forgotten: bool = False


_UNKNOWN = Account("", "", "")
"""Facts about a person may come before the account itself."""
_FORGOTTEN = replace(_UNKNOWN, forgotten=True)
"""Facts about a person may come after their end too: their streams are carried by queues of their own."""


def _follow_account(command: AccountCommand, state: Account | None, _: None) -> Sequence[PersonEvent]:
    known = state or _UNKNOWN
    if known.forgotten:
        return []
    match command:
        case ForgetPerson():
            return [PersonForgotten()]
        case FollowAccount():
            return _learnt_of_account(command, known)
        case FollowVerification():
            if known.verified.get(command.jurisdiction) == command.level:
                return []
            return [VerificationFollowed(jurisdiction=command.jurisdiction, level=command.level)]
        case FollowEducation():
            return _learnt_of_education(command, known)
        case _:
            assert_never(command)


def _learnt_of_account(command: FollowAccount, known: Account) -> Sequence[PersonEvent]:
    learnt = AccountFollowed(
        holder=known.holder if command.holder is None else command.holder,
        id_number=known.id_number if command.id_number is None else command.id_number,
        mobile=known.mobile if command.mobile is None else command.mobile,
        ticket_number=known.ticket_number if command.ticket_number is None else command.ticket_number,
    )
    return [] if _with_account(known, learnt) == known else [learnt]


_OF_A_DIPLOMA = ("level", "category", "certificate_number", "school", "major", "graduated_on")


def _learnt_of_education(command: FollowEducation, known: Account) -> Sequence[PersonEvent]:
    before = known.education.get(command.record, Education(command.standing, "", "", "", "", ""))
    told = {name: getattr(command, name) for name in _OF_A_DIPLOMA}
    kept = {name: getattr(before, name) if value is None else value for name, value in told.items()}
    learnt = EducationFollowed(record=command.record, standing=command.standing, **kept)
    return [] if _with_education(known, learnt) == known else [learnt]


def _with_account(known: Account, event: AccountFollowed) -> Account:
    return replace(
        known,
        holder=event.holder,
        id_number=event.id_number,
        mobile=event.mobile,
        ticket_number=event.ticket_number,
    )


def _with_education(known: Account, event: EducationFollowed) -> Account:
    record = Education(event.standing, **{name: getattr(event, name) for name in _OF_A_DIPLOMA})
    return replace(known, education={**known.education, event.record: record})


def _account_is(state: Account | None, event: PersonEvent) -> Account | None:
    known = state or _UNKNOWN
    match event:
        case PersonForgotten():
            return _FORGOTTEN
        case AccountFollowed():
            return _with_account(known, event)
        case VerificationFollowed():
            return replace(known, verified={**known.verified, event.jurisdiction: event.level})
        case EducationFollowed():
            return _with_education(known, event)
        case _:
            assert_never(event)


ACCOUNT_FOLLOWED: Decider[AccountCommand, Account | None, PersonEvent, None] = Decider(
    "person", None, _follow_account, _account_is
)
