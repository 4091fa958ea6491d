"""工作人员 a staff account and the 角色 roles it holds, each at an organisation.

`handlers.py` loads its events, gathers the places asked about, calls `decide`, and appends what comes back. An
administrator makes it, the person activates it with a code given once, a password and a second factor.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, assert_never

from services.identity.domain import rules
from services.identity.domain.commands import (
    ActivateStaff,
    AddFirstAdministrator,
    AddStaff,
    ConfirmSecondFactor,
    EndSession,
    ErasePerson,
    GrantRole,
    LockAccount,
    PersonCommand,
    RecordKeyDestroyed,
    RenewActivation,
    ReplacePassword,
    RevokeRole,
    SignIn,
    StaffCommand,
)
from services.identity.domain.scheme import IdentityScheme
from shared.events.identity import (
    AccountLocked,
    ActivationRenewed,
    FirstAdministratorMade,
    KeyDestroyed,
    PasswordChosen,
    PersonErased,
    RoleGranted,
    RoleRevoked,
    SecondFactorConfirmed,
    SessionEnded,
    SignedIn,
    StaffActivated,
    StaffAdded,
    StaffEvent,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused


@dataclass(frozen=True)
class NotAdded:
    state_title: ClassVar[str] = "未添加"


@dataclass(frozen=True)
class Person:
    """What every living staff account has."""

    login: str
    name: str
    organisation: str
    roles: frozenset[tuple[str, str]]
    activation: int


@dataclass(frozen=True)
class Invited(Person):
    """Added, and waiting for the activation code."""

    state_title: ClassVar[str] = "待激活"
    expires_at: datetime


@dataclass(frozen=True)
class Enrolling(Person):
    """Holds a password and a second factor that was not proved yet; the code may be used once more until then."""

    state_title: ClassVar[str] = "待确认动态口令"
    expires_at: datetime
    password_hash: str
    totp_secret: str


@dataclass(frozen=True)
class Working(Person):
    state_title: ClassVar[str] = "已启用"
    password_hash: str
    totp_secret: str
    last_step: int
    locked_until: datetime | None = None


@dataclass(frozen=True)
class Erased:
    state_title: ClassVar[str] = "已注销"
    key_destroyed: bool


Staff = NotAdded | Invited | Enrolling | Working | Erased


@dataclass(frozen=True)
class StaffContext:
    """What a decision may know besides the past."""

    now: datetime
    scheme: IdentityScheme
    actor: str
    roles: rules.Roles = ()
    places: rules.Places = field(default_factory=dict)
    activation_code_is_right: bool = False
    step: int | None = None  # the time step whose one-time code was typed
    new_session: str = ""


Command = StaffCommand | PersonCommand


def decide(command: Command, state: Staff, context: StaffContext) -> list[StaffEvent]:
    match command:
        case AddFirstAdministrator() | AddStaff():
            return _add(command, state, context)
        case RenewActivation():
            person = _person(state)
            # or five minutes with somebody's token would become their password and their second factor
            rules.nobody_may_change_their_own_access(context.actor, command.person)
            _must_reach_all(person, context)
            return [ActivationRenewed(activation=person.activation + 1, expires_at=_code_expiry(context))]
        case ActivateStaff():
            _awaiting(state, context)
            return [StaffActivated(password_hash=command.password_hash, totp_secret=command.totp_secret)]
        case ConfirmSecondFactor():
            return _confirm(_awaiting(state, context), context)
        case GrantRole() | RevokeRole():
            return _roles(command, _person(state), context)
        case SignIn() | EndSession() | LockAccount() | ReplacePassword():
            return _session(command, state, context)
        case ErasePerson() | RecordKeyDestroyed():
            return _erase(command, state, context)
        case _:
            assert_never(command)


def _add(command: AddFirstAdministrator | AddStaff, state: Staff, context: StaffContext) -> list[StaffEvent]:
    if not isinstance(state, NotAdded):
        raise Refused("identity.already_staff")
    organisation = command.organisation if isinstance(command, AddStaff) else rules.EVERYWHERE
    added = StaffAdded(
        login=command.login,
        name_of_person=command.name,
        organisation=organisation,
        activation=1,
        expires_at=_code_expiry(context),
    )
    match command:
        case AddFirstAdministrator():
            # who holds the bootstrap secret asks; that it happens once ever is a claim (views.py)
            role = RoleGranted(role=context.scheme.administrator, organisation=rules.EVERYWHERE)
            return [added, role, FirstAdministratorMade()]
        case AddStaff():
            place = rules.administrator_must_reach(organisation, context.roles, context.places, context.scheme)
            rules.place_must_be_open(place, organisation)
            return [added]
        case _:
            assert_never(command)


def _confirm(state: Invited | Enrolling, context: StaffContext) -> list[StaffEvent]:
    if isinstance(state, Invited):
        raise Refused("identity.step_missing", step="activation")
    if context.step is None:
        raise Refused("identity.one_time_code_wrong")
    return [SecondFactorConfirmed(step=context.step)]


def _roles(command: GrantRole | RevokeRole, person: Person, context: StaffContext) -> list[StaffEvent]:
    rules.nobody_may_change_their_own_access(context.actor, command.person)
    place = rules.administrator_must_reach(command.organisation, context.roles, context.places, context.scheme)
    held = (command.role, command.organisation) in person.roles
    match command:
        case GrantRole():
            rules.place_must_be_open(place, command.organisation)
            rules.role_must_fit(command.role, place, context.scheme)
            if held:
                raise Refused("identity.role_already_held", role=command.role)
            return [RoleGranted(role=command.role, organisation=command.organisation)]
        case RevokeRole():
            if not held:
                raise Refused("identity.role_not_held", role=command.role)
            return [RoleRevoked(role=command.role, organisation=command.organisation)]
        case _:
            assert_never(command)


def _session(
    command: SignIn | EndSession | LockAccount | ReplacePassword, state: Staff, context: StaffContext
) -> list[StaffEvent]:
    if not isinstance(state, Working):
        raise Refused("identity.login_wrong" if isinstance(command, SignIn) else "identity.no_account")
    match command:
        case SignIn():
            locked = state.locked_until is not None and context.now < state.locked_until
            if locked or context.step is None or context.step <= state.last_step:
                raise Refused("identity.login_wrong")
            expires_at = context.now + timedelta(seconds=context.scheme.sessions.refresh_seconds)
            return [SignedIn(session=context.new_session, expires_at=expires_at, second_factor_step=context.step)]
        case EndSession():
            return [SessionEnded(session=command.session, reason=command.reason)]
        case LockAccount():
            return [AccountLocked(until=command.until, failures=command.failures)]
        case ReplacePassword():
            return [PasswordChosen(password_hash=command.password_hash, purpose="replace")]
        case _:
            assert_never(command)


def _erase(command: ErasePerson | RecordKeyDestroyed, state: Staff, context: StaffContext) -> list[StaffEvent]:
    match command, state:
        case RecordKeyDestroyed(), Erased(key_destroyed=False):
            return [KeyDestroyed()]
        case RecordKeyDestroyed(), _:
            return []
        case ErasePerson(), NotAdded() | Erased():
            raise Refused("identity.no_account")
        case ErasePerson(), _:
            rules.eraser_must_be_allowed(context.roles, context.scheme)
            rules.nobody_may_change_their_own_access(context.actor, command.person)
            if command.ground not in context.scheme.erasure_grounds:
                raise Refused("identity.no_such_ground", ground=command.ground)
            return [PersonErased(ground=command.ground)]


# --- what must be so


def _person(state: Staff) -> Person:
    if not isinstance(state, Person):
        raise Refused("identity.no_account")
    return state


def _awaiting(state: Staff, context: StaffContext) -> Invited | Enrolling:
    """One answer for every reason, so that a code cannot be used to find out whose account is in which state."""
    waits = isinstance(state, Invited | Enrolling) and context.now < state.expires_at
    if not (waits and context.activation_code_is_right):
        raise Refused("identity.activation_refused")
    assert isinstance(state, Invited | Enrolling)
    return state


def _must_reach_all(person: Person, context: StaffContext) -> None:
    """A new activation code takes the account over, so it takes an administrator of all that the account may do."""
    for organisation in asked_about(person):
        rules.administrator_must_reach(organisation, context.roles, context.places, context.scheme)


def asked_about(person: Person) -> Iterable[str]:
    return sorted({person.organisation, *(organisation for _, organisation in person.roles)})


def _code_expiry(context: StaffContext) -> datetime:
    return context.now + timedelta(seconds=context.scheme.sessions.activation_seconds)


# --- the past


def evolve(state: Staff, event: StaffEvent) -> Staff:
    """The past is never refused, and asks neither the clock nor the book."""
    match event:
        case StaffAdded():
            return Invited(
                event.login, event.name_of_person, event.organisation, frozenset(), event.activation, event.expires_at
            )
        case PersonErased():
            return Erased(key_destroyed=False)
        case KeyDestroyed():
            return Erased(key_destroyed=True)
        case FirstAdministratorMade() | SessionEnded():
            return state
        case _:
            assert isinstance(state, Person)
            return _evolved(state, event)


def _evolved(
    state: Person,
    event: ActivationRenewed
    | StaffActivated
    | SecondFactorConfirmed
    | PasswordChosen
    | RoleGranted
    | RoleRevoked
    | SignedIn
    | AccountLocked,
) -> Staff:
    assert isinstance(state, Invited | Enrolling | Working)
    who = (state.login, state.name, state.organisation, state.roles)
    match event:
        case RoleGranted():
            return replace(state, roles=state.roles | {(event.role, event.organisation)})
        case RoleRevoked():
            return replace(state, roles=state.roles - {(event.role, event.organisation)})
        case ActivationRenewed():
            return Invited(*who, event.activation, event.expires_at)
        case StaffActivated():
            assert isinstance(state, Invited | Enrolling)
            return Enrolling(*who, state.activation, state.expires_at, event.password_hash, event.totp_secret)
        case SecondFactorConfirmed():
            assert isinstance(state, Enrolling)
            return Working(*who, state.activation, state.password_hash, state.totp_secret, event.step)
        case PasswordChosen() | SignedIn() | AccountLocked():
            assert isinstance(state, Working)
            return _at_work(state, event)
        case _:
            assert_never(event)


def _at_work(state: Working, event: PasswordChosen | SignedIn | AccountLocked) -> Working:
    match event:
        case PasswordChosen():
            return replace(state, password_hash=event.password_hash)
        case SignedIn():
            assert event.second_factor_step is not None
            return replace(state, last_step=event.second_factor_step)
        case AccountLocked():
            return replace(state, locked_until=event.until)
        case _:
            assert_never(event)


STAFF: Decider[Command, Staff, StaffEvent, StaffContext] = Decider("staff", NotAdded(), decide, evolve)
