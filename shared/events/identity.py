"""Facts of identity (身份核验): candidate accounts, staff accounts, organisations. Recorded by services/identity.

Streams: `account-<person>` (账号, from the first step of registration on), `staff-<person>` (工作人员 and their 角色),
`organisation-<code>` (机构). Followed by exemption (organisations) and notification (mobiles, codes to send).
"""

from datetime import datetime
from typing import ClassVar

from shared.kernel.messages import Event, Personal

# --- registration, step by step


class RegistrationStarted(Event):
    """Step 1, 验证手机号码: somebody gave a mobile number; unfinished, it is erased at `expires_at`."""

    name: ClassVar[str] = "identity.registration_started.v1"
    mobile: Personal[str]
    expires_at: datetime


class SmsCodeIssued(Event):
    """A code is to be sent to `mobile`; `purpose` is register, reset_password or replace_mobile."""

    name: ClassVar[str] = "identity.sms_code_issued.v1"
    mobile: Personal[str]
    code: Personal[str]
    digest: str  # keyed hash bound to the person: what a typed code is compared with
    purpose: str
    expires_at: datetime
    attempts: int  # how often it may be typed


class SmsCodeMistyped(Event):
    """A wrong code was typed: a fact, so that the count survives a restart."""

    name: ClassVar[str] = "identity.sms_code_mistyped.v1"
    purpose: str
    attempts_left: int


class MobileProved(Event):
    """The code sent to the mobile came back: it is the person's."""

    name: ClassVar[str] = "identity.mobile_proved.v1"


class PasswordChosen(Event):
    """填写账号信息, a forgotten or a replaced password; `purpose` is register, reset or replace."""

    name: ClassVar[str] = "identity.password_chosen.v1"
    password_hash: Personal[str]
    purpose: str


class AccountRegistered(Event):
    """验证身份 and 完成: there is an account now. `ticket_number` is empty for those who have none yet."""

    name: ClassVar[str] = "identity.account_registered.v1"
    mobile: Personal[str]
    name_of_person: Personal[str]
    id_number: Personal[str]
    ticket_number: Personal[str]


# --- what happens to an account, of a candidate or of staff


class MobileReplaced(Event):
    """A new mobile, proved by a code, or seen in person by the staff member `checked_by` on `evidence`."""

    name: ClassVar[str] = "identity.mobile_replaced.v1"
    mobile: Personal[str]
    previous: Personal[str]
    checked_by: str | None
    evidence: Personal[str]


class SignedIn(Event):
    """登录: a session began. `second_factor_step` is the time step of the one-time code that staff used."""

    name: ClassVar[str] = "identity.signed_in.v1"
    session: str
    expires_at: datetime
    second_factor_step: int | None


class SessionEnded(Event):
    """退出登录, or ended by us: `reason` is signed_out or refresh_token_reused."""

    name: ClassVar[str] = "identity.session_ended.v1"
    session: str
    reason: str


class AccountLocked(Event):
    """Too many wrong passwords or codes: nobody signs in before `until`."""

    name: ClassVar[str] = "identity.account_locked.v1"
    until: datetime
    failures: int


class PersonErased(Event):
    """注销: nobody signs in any more, claims are released, and the key is to be destroyed.

    `ground` is a code of the book, or registration_not_finished.
    """

    name: ClassVar[str] = "identity.person_erased.v1"
    ground: str


class KeyDestroyed(Event):
    """The person's key is gone: what it sealed can never be read again."""

    name: ClassVar[str] = "identity.key_destroyed.v1"


# --- staff


class FirstAdministratorMade(Event):
    """Once ever: the one-time command made this staff member the first administrator."""

    name: ClassVar[str] = "identity.first_administrator_made.v1"


class StaffAdded(Event):
    """An administrator made an account for a person who works at `organisation`; `login` is what they sign in with."""

    name: ClassVar[str] = "identity.staff_added.v1"
    login: Personal[str]
    name_of_person: Personal[str]
    organisation: str
    activation: int  # which activation code is valid: each new one ends the one before
    expires_at: datetime


class ActivationRenewed(Event):
    """A new activation code, for one that was lost or has expired, or for a lost second factor."""

    name: ClassVar[str] = "identity.activation_renewed.v1"
    activation: int
    expires_at: datetime


class StaffActivated(Event):
    """The staff member used the activation code and holds a second factor, which is still to be proved once."""

    name: ClassVar[str] = "identity.staff_activated.v1"
    password_hash: Personal[str]
    totp_secret: Personal[str]


class SecondFactorConfirmed(Event):
    """The first one-time code was right; `step` is its time step, which is used up."""

    name: ClassVar[str] = "identity.second_factor_confirmed.v1"
    step: int


class RoleGranted(Event):
    """`role` at `organisation` and what is below it; `*` is everywhere. Who granted it is the event's actor."""

    name: ClassVar[str] = "identity.role_granted.v1"
    role: str
    organisation: str


class RoleRevoked(Event):
    """The role ends; tokens that still carry it end within five minutes."""

    name: ClassVar[str] = "identity.role_revoked.v1"
    role: str
    organisation: str


# --- organisations


class OrganisationAdded(Event):
    """机构: a university, a teaching point, an authority. `parent` is None for a root of the tree."""

    name: ClassVar[str] = "identity.organisation_added.v1"
    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]


class OrganisationRenamed(Event):
    """A new title or new telephone numbers; `title` and `phones` are the whole new values."""

    name: ClassVar[str] = "identity.organisation_renamed.v1"
    title: str
    phones: tuple[str, ...]


class OrganisationClosed(Event):
    """撤销: roles at it no longer count, nothing new is put under it."""

    name: ClassVar[str] = "identity.organisation_closed.v1"


AccountEvent = (
    RegistrationStarted
    | SmsCodeIssued
    | SmsCodeMistyped
    | MobileProved
    | PasswordChosen
    | AccountRegistered
    | MobileReplaced
    | SignedIn
    | SessionEnded
    | AccountLocked
    | PersonErased
    | KeyDestroyed
)
StaffEvent = (
    FirstAdministratorMade
    | StaffAdded
    | ActivationRenewed
    | StaffActivated
    | SecondFactorConfirmed
    | PasswordChosen
    | RoleGranted
    | RoleRevoked
    | SignedIn
    | SessionEnded
    | AccountLocked
    | PersonErased
    | KeyDestroyed
)
OrganisationEvent = OrganisationAdded | OrganisationRenamed | OrganisationClosed
