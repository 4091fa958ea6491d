"""机构 an organisation in the tree: a university, a teaching point, an authority.

`handlers.py` loads its events, gathers the places asked about, calls `decide`, and appends what comes back.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from services.identity.domain import rules
from services.identity.domain.commands import (
    AddOrganisation,
    CloseOrganisation,
    OrganisationCommand,
    RenameOrganisation,
)
from services.identity.domain.scheme import IdentityScheme
from shared.events.identity import OrganisationAdded, OrganisationClosed, OrganisationEvent, OrganisationRenamed
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused


@dataclass(frozen=True)
class NotAdded:
    state_title: ClassVar[str] = "未设立"


@dataclass(frozen=True)
class Open:
    state_title: ClassVar[str] = "已设立"
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]


@dataclass(frozen=True)
class Closed:
    state_title: ClassVar[str] = "已撤销"


Organisation = NotAdded | Open | Closed


@dataclass(frozen=True)
class OrganisationContext:
    """What a decision may know besides the past."""

    scheme: IdentityScheme
    roles: rules.Roles
    places: rules.Places


def decide(command: OrganisationCommand, state: Organisation, context: OrganisationContext) -> list[OrganisationEvent]:
    match command:
        case AddOrganisation():
            return _add(command, state, context)
        case RenameOrganisation():
            _open(command.organisation, state, context)
            return [OrganisationRenamed(title=command.title, phones=command.phones)]
        case CloseOrganisation():
            place = _open(command.organisation, state, context)
            if place.open_children:
                raise Refused("identity.organisation_has_children", children=place.open_children)
            return [OrganisationClosed()]
        case _:
            assert_never(command)


def _add(command: AddOrganisation, state: Organisation, context: OrganisationContext) -> list[OrganisationEvent]:
    above = command.parent or rules.EVERYWHERE
    place = rules.administrator_must_reach(above, context.roles, context.places, context.scheme)
    if not isinstance(state, NotAdded):
        raise Refused("identity.organisation_exists", organisation=command.organisation)
    rules.place_must_be_open(place, above)
    rules.level_must_fit_under(command.level, place if command.parent else None, context.scheme)
    return [
        OrganisationAdded(
            organisation=command.organisation,
            title=command.title,
            level=command.level,
            parent=command.parent,
            phones=command.phones,
        )
    ]


def _open(organisation: str, state: Organisation, context: OrganisationContext) -> rules.Place:
    match state:
        case NotAdded():
            raise Refused("identity.no_such_organisation", organisation=organisation)
        case Open():
            return rules.administrator_must_reach(organisation, context.roles, context.places, context.scheme)
        case Closed():
            raise Refused("identity.organisation_closed", organisation=organisation)
        case _:
            assert_never(state)


def evolve(state: Organisation, event: OrganisationEvent) -> Organisation:
    match event:
        case OrganisationAdded():
            return Open(event.title, event.level, event.parent, event.phones)
        case OrganisationRenamed():
            assert isinstance(state, Open)
            return replace(state, title=event.title, phones=event.phones)
        case OrganisationClosed():
            return Closed()
        case _:
            assert_never(event)


ORGANISATION: Decider[OrganisationCommand, Organisation, OrganisationEvent, OrganisationContext] = Decider(
    "organisation", NotAdded(), decide, evolve
)
