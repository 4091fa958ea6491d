"""Pasts of accounts, staff and organisations for the pure tests. Every person here is invented."""

from datetime import UTC, datetime, timedelta

from services.identity.domain.account import AccountContext
from services.identity.domain.organisation import OrganisationContext
from services.identity.domain.rules import EVERYWHERE_PLACE, Place
from services.identity.domain.scheme import IdentityScheme
from services.identity.domain.staff import StaffContext
from shared.events.identity import (
    AccountEvent,
    AccountRegistered,
    FirstAdministratorMade,
    KeyDestroyed,
    MobileProved,
    OrganisationAdded,
    OrganisationClosed,
    OrganisationEvent,
    PasswordChosen,
    PersonErased,
    RegistrationStarted,
    RoleGranted,
    SecondFactorConfirmed,
    SmsCodeIssued,
    StaffActivated,
    StaffAdded,
    StaffEvent,
)
from shared.schemes.catalog import Catalog

SCHEME = Catalog.load().get("platform").part("identity", IdentityScheme)
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
DAY = timedelta(days=1)
MOBILE, OTHER_MOBILE = "13900000001", "13900000002"
ID_NUMBER = "110101202311012176"
CODE, WRONG = "digest of the code", "digest of something else"
ME, ADMIN = "person-1", "staff-admin"
EVERYTHING = frozenset({("administrator", "*")})


def issued(purpose: str, mobile: str = MOBILE, at: datetime = NOW, attempts: int = 5) -> SmsCodeIssued:
    return SmsCodeIssued(
        mobile=mobile,
        code="123456",
        digest=CODE,
        purpose=purpose,
        expires_at=at + timedelta(minutes=5),
        attempts=attempts,
    )


STARTED: tuple[AccountEvent, ...] = (RegistrationStarted(mobile=MOBILE, expires_at=NOW + DAY), issued("register"))
PROVED: tuple[AccountEvent, ...] = (*STARTED, MobileProved())
CHOSEN: tuple[AccountEvent, ...] = (*PROVED, PasswordChosen(password_hash="hash-1", purpose="register"))
REGISTERED: tuple[AccountEvent, ...] = (
    *CHOSEN,
    AccountRegistered(mobile=MOBILE, name_of_person="样本甲", id_number=ID_NUMBER, ticket_number=""),
)
RESETTING: tuple[AccountEvent, ...] = (*REGISTERED, issued("reset_password"))
REPLACING: tuple[AccountEvent, ...] = (*REGISTERED, issued("replace_mobile", OTHER_MOBILE))
ERASED: tuple[AccountEvent, ...] = (*REGISTERED, PersonErased(ground="asked_by_person"))
DESTROYED: tuple[AccountEvent, ...] = (*ERASED, KeyDestroyed())
HALF_ERASED: tuple[AccountEvent, ...] = (*STARTED, PersonErased(ground="registration_not_finished"))


def account(
    now: datetime = NOW, digest: str = CODE, roles: frozenset[tuple[str, str]] = frozenset(), actor: str = ADMIN
) -> AccountContext:
    return AccountContext(now=now, scheme=SCHEME, actor=actor, roles=roles, code_digest=digest, new_session="session-1")


ADDED: tuple[StaffEvent, ...] = (
    StaffAdded(
        login="li.lei",
        name_of_person="样本乙",
        organisation="point-1",
        activation=1,
        expires_at=NOW + DAY,
    ),
)
ENROLLING: tuple[StaffEvent, ...] = (*ADDED, StaffActivated(password_hash="hash-1", totp_secret="SECRET"))
WORKING: tuple[StaffEvent, ...] = (*ENROLLING, SecondFactorConfirmed(step=100))
REVIEWER: tuple[StaffEvent, ...] = (*WORKING, RoleGranted(role="teaching_point_admin", organisation="point-1"))
STAFF_ERASED: tuple[StaffEvent, ...] = (*WORKING, PersonErased(ground="asked_by_person"))
FIRST: tuple[StaffEvent, ...] = (
    StaffAdded(login="first", name_of_person="样本丙", organisation="*", activation=1, expires_at=NOW + DAY),
    RoleGranted(role="administrator", organisation="*"),
    FirstAdministratorMade(),
)

PLACES = {
    "*": EVERYWHERE_PLACE,
    "university": Place(("university", "*"), "university", True, 1),
    "point-1": Place(("point-1", "university", "*"), "teaching_point", True),
    "other-university": Place(("other-university", "*"), "university", True),
    "closed-point": Place(("closed-point", "university", "*"), "teaching_point", False),
}


def staff(
    roles: frozenset[tuple[str, str]] = EVERYTHING,
    *,
    now: datetime = NOW,
    actor: str = ADMIN,
    code_is_right: bool = True,
    step: int | None = 101,
) -> StaffContext:
    return StaffContext(
        now=now,
        scheme=SCHEME,
        actor=actor,
        roles=roles,
        places=PLACES,
        activation_code_is_right=code_is_right,
        step=step,
        new_session="session-1",
    )


UNIVERSITY: tuple[OrganisationEvent, ...] = (
    OrganisationAdded(organisation="university", title="样本大学", level="university", parent=None, phones=()),
)
CLOSED: tuple[OrganisationEvent, ...] = (*UNIVERSITY, OrganisationClosed())


def organisation(roles: frozenset[tuple[str, str]] = EVERYTHING) -> OrganisationContext:
    return OrganisationContext(scheme=SCHEME, roles=roles, places=PLACES)
