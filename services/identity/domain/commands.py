"""What people may ask of identity. Built by `api/` (values parsed, passwords hashed), carried out by `handlers.py`."""

from datetime import date, datetime, time
from typing import Any

from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.messages import Command

# --- 账号 a candidate's account


class StartRegistration(Command):
    person: str
    mobile: str
    code: str


class SendCodeAgain(Command):
    """Of a registration: the first message did not arrive, or has expired."""

    person: str
    code: str


class ProveMobile(Command):
    person: str
    code: str


class ChoosePassword(Command):
    person: str
    password_hash: str


class RegisterAccount(Command):
    """With a `book`, the account is made on one of its routes, and its holder is to be verified there."""

    person: str
    name: str
    id_number: str
    ticket_number: str
    book: str = ""
    route: str = ""
    organisation: str = ""


class SendResetCode(Command):
    person: str
    code: str


class ResetPassword(Command):
    """`id_number` is the whole number or its last six characters."""

    person: str
    code: str
    id_number: str
    password_hash: str
    password_is_personal: bool  # it holds the person's own numbers: told only to who proved to be the person


class AskMobileReplacement(Command):
    person: str
    mobile: str
    code: str


class ReplaceMobile(Command):
    person: str
    code: str


class ReplaceMobileInPerson(Command):
    """F-10: the old mobile is gone; a clerk has seen the person and says on what evidence."""

    person: str
    mobile: str
    evidence: str


class AbandonRegistration(Command):
    person: str


AccountCommand = (
    StartRegistration
    | SendCodeAgain
    | ProveMobile
    | ChoosePassword
    | RegisterAccount
    | SendResetCode
    | ResetPassword
    | AskMobileReplacement
    | ReplaceMobile
    | ReplaceMobileInPerson
    | AbandonRegistration
)

# --- of candidates and staff alike


class SignIn(Command):
    """The password was right. `one_time_code` is what staff typed besides; candidates have none."""

    person: str
    one_time_code: str


class EndSession(Command):
    person: str
    session: str
    reason: str


class LockAccount(Command):
    person: str
    until: datetime
    failures: int


class ReplacePassword(Command):
    person: str
    password_hash: str


class ErasePerson(Command):
    person: str
    ground: str


class RecordKeyDestroyed(Command):
    person: str


PersonCommand = SignIn | EndSession | LockAccount | ReplacePassword | ErasePerson | RecordKeyDestroyed

# --- 工作人员 staff and 角色 roles


class AddFirstAdministrator(Command):
    person: str
    login: str
    name: str


class AddStaff(Command):
    person: str
    login: str
    name: str
    organisation: str


class RenewActivation(Command):
    person: str


class ActivateStaff(Command):
    person: str
    activation_code: str
    password_hash: str
    totp_secret: str


class ConfirmSecondFactor(Command):
    person: str
    activation_code: str
    one_time_code: str


class GrantRole(Command):
    person: str
    role: str
    organisation: str


class RevokeRole(Command):
    person: str
    role: str
    organisation: str


StaffCommand = (
    AddFirstAdministrator | AddStaff | RenewActivation | ActivateStaff | ConfirmSecondFactor | GrantRole | RevokeRole
)

# --- 机构 organisations


class AddOrganisation(Command):
    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]


class RenameOrganisation(Command):
    organisation: str
    title: str
    phones: tuple[str, ...]


class CloseOrganisation(Command):
    organisation: str


OrganisationCommand = AddOrganisation | RenameOrganisation | CloseOrganisation

# --- 前置学历 a record of prior education


class StartPriorEducation(Command):
    """`commitment`: the version of the letter that was ticked, None where it was not."""

    cycle: str
    commitment: int | None


class SavePriorEducation(Command):
    record: str
    form: dict[str, Any]
    expected: int | None = None


class SubmitPriorEducation(Command):
    record: str
    expected: int | None = None


class TakeBackPriorEducation(Command):
    record: str


class BeginCheck(Command):
    """The time has come to ask CHSI; `due_at` is the instant the timer was set for, so a stale timer does nothing."""

    record: str
    due_at: datetime


class RecordCall(Command):
    """What came of a call about `request`, or of a question about it, before which `question` had been asked: two who
    ask the same one have asked once. Accepted: no answer yet."""

    record: str
    request: str
    result: Accepted | Declined | InDoubt | Absent
    question: int | None = None


class RecordChsiAnswer(Command):
    """What CHSI has on record, by its callback or when asked; `record` is None where only the request is known."""

    request: str
    answer: dict[str, Any]
    record: str | None = None


class SettleContradiction(Command):
    """Which of the `seen` answers of CHSI under `request`, the first being 1, counts: by a clerk who says why."""

    record: str
    request: str
    seen: int
    counts: int
    note: str


EducationCommand = (
    StartPriorEducation
    | SavePriorEducation
    | SubmitPriorEducation
    | TakeBackPriorEducation
    | BeginCheck
    | RecordCall
    | RecordChsiAnswer
    | SettleContradiction
)

# --- 批次 what exemption says about its cycles


class FollowCycle(Command):
    cycle: str
    scheme: str
    title: str


class FollowWindow(Command):
    cycle: str
    purpose: str
    from_day: date
    to_day: date
    daily: tuple[tuple[time, time], ...]
    excluded: tuple[date, ...]
    close_inclusive: bool


class FollowDaysExcluded(Command):
    cycle: str
    purpose: str
    days: tuple[date, ...]


class FollowExtension(Command):
    cycle: str
    purpose: str
    to_day: date


class FollowCycleClosing(Command):
    cycle: str


CycleCommand = FollowCycle | FollowWindow | FollowDaysExcluded | FollowExtension | FollowCycleClosing

# --- 身份认证 verification of a person


class StartVerification(Command):
    """`binding`: the account is made on this route, and serves nothing else before it is verified."""

    person: str
    book: str
    route: str
    organisation: str
    binding: bool = False


class ReceivePersonPhotograph(Command):
    """A photograph that has been checked: every rule with its measured value, and what was kept of it."""

    person: str
    slot: str
    accepted: bool
    results: tuple[dict[str, Any], ...]
    hints: tuple[dict[str, Any], ...] = ()
    original: str = ""
    original_type: str = ""
    original_digest: str = ""
    picture: str = ""
    picture_digest: str = ""


class SubmitPhotographs(Command):
    person: str


class ViewPhotograph(Command):
    """Somebody who decides looks at a photograph; that they did is a fact."""

    person: str
    slot: str


class PassVerification(Command):
    """`pairs`: of every two photographs, whether they show one person. `attempt`: which submission was looked at."""

    person: str
    attempt: int
    pairs: dict[str, bool]


class FailVerification(Command):
    person: str
    attempt: int
    reason_code: str
    note: str
    pairs: dict[str, bool]


class VerifyInPerson(Command):
    """The clerk has seen the person: on which `documents`, and in their own words."""

    person: str
    book: str
    organisation: str
    documents: tuple[str, ...]
    evidence: str


class SaveProfile(Command):
    """What a jurisdiction's personal centre asks besides the account."""

    person: str
    book: str
    form: dict[str, str]


VerificationCommand = (
    StartVerification
    | ReceivePersonPhotograph
    | SubmitPhotographs
    | ViewPhotograph
    | PassVerification
    | FailVerification
    | VerifyInPerson
)
