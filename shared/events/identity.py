"""Facts of identity (身份核验): accounts, staff, organisations, prior education. Recorded by services/identity.

Streams: `account-<person>` (账号, from the first step of registration on), `staff-<person>` (工作人员 and their 角色),
`organisation-<code>` (机构), `verification-<person>` (身份认证), `education-<id>` (前置学历), `cycle-<id>` and
`parking-<source>-<stream>` (learnt from exemption).
Followed by exemption (organisations, prior education) and notification (mobiles, codes to send).
"""

from datetime import date, datetime, time
from typing import Any, ClassVar, Literal

from shared.kernel.messages import Event, Personal

# --- registration, step by step


class RegistrationStarted(Event):
    """开始注册: somebody gave a mobile number (验证手机号码); unfinished, it is erased at `expires_at`."""

    name: ClassVar[str] = "identity.registration_started.v1"
    mobile: Personal[str]
    expires_at: datetime


class SmsCodeIssued(Event):
    """签发短信验证码（{purpose}）: to be sent to `mobile`, for register, reset_password or replace_mobile."""

    name: ClassVar[str] = "identity.sms_code_issued.v1"
    mobile: Personal[str]
    code: Personal[str]
    digest: str  # keyed hash bound to the person: what a typed code is compared with
    purpose: str
    expires_at: datetime
    attempts: int  # how often it may be typed


class SmsCodeMistyped(Event):
    """验证码输入错误（{purpose}）: a wrong code was typed: a fact, so that the count survives a restart."""

    name: ClassVar[str] = "identity.sms_code_mistyped.v1"
    purpose: str
    attempts_left: int


class MobileProved(Event):
    """手机号码验证通过: the code sent to the mobile came back: it is the person's."""

    name: ClassVar[str] = "identity.mobile_proved.v1"


class PasswordChosen(Event):
    """设置密码（{purpose}）: for a new account (register), a forgotten one (reset) or another (replace)."""

    name: ClassVar[str] = "identity.password_chosen.v1"
    password_hash: Personal[str]
    purpose: str


class AccountRegistered(Event):
    """注册完成: after 验证身份 there is an account. `ticket_number` is empty for those who have none yet."""

    name: ClassVar[str] = "identity.account_registered.v1"
    mobile: Personal[str]
    name_of_person: Personal[str]
    id_number: Personal[str]
    ticket_number: Personal[str]


# --- what happens to an account, of a candidate or of staff


class MobileReplaced(Event):
    """更换手机号码: proved by a code, or seen in person by the staff member `checked_by` on `evidence`."""

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
    """结束登录（{reason}）: by the person (退出登录) or by us; `reason` is signed_out or refresh_token_reused."""

    name: ClassVar[str] = "identity.session_ended.v1"
    session: str
    reason: str


class AccountLocked(Event):
    """暂停登录: too many wrong passwords or codes: nobody signs in before `until`."""

    name: ClassVar[str] = "identity.account_locked.v1"
    until: datetime
    failures: int


class PersonErased(Event):
    """注销（{ground}）: nobody signs in any more, claims are released, and the key is to be destroyed.

    `ground` is a code of the book, or registration_not_finished.
    """

    name: ClassVar[str] = "identity.person_erased.v1"
    ground: str


class KeyDestroyed(Event):
    """销毁个人密钥: the person's key is gone: what it sealed can never be read again."""

    name: ClassVar[str] = "identity.key_destroyed.v1"


# --- staff


class FirstAdministratorMade(Event):
    """设立首位管理员: once ever: the one-time command made this staff member the first administrator."""

    name: ClassVar[str] = "identity.first_administrator_made.v1"


class StaffAdded(Event):
    """添加工作人员: an administrator made an account for a person who works at `organisation`; `login` signs in."""

    name: ClassVar[str] = "identity.staff_added.v1"
    login: Personal[str]
    name_of_person: Personal[str]
    organisation: str
    activation: int  # which activation code is valid: each new one ends the one before
    expires_at: datetime


class ActivationRenewed(Event):
    """重发激活码: for one that was lost or has expired, or for a lost second factor."""

    name: ClassVar[str] = "identity.activation_renewed.v1"
    activation: int
    expires_at: datetime


class StaffActivated(Event):
    """激活账号: the code was used; the second factor that was handed out is still to be proved once."""

    name: ClassVar[str] = "identity.staff_activated.v1"
    password_hash: Personal[str]
    totp_secret: Personal[str]


class SecondFactorConfirmed(Event):
    """确认动态口令: the first one-time code was right; `step` is its time step, which is used up."""

    name: ClassVar[str] = "identity.second_factor_confirmed.v1"
    step: int


class RoleGranted(Event):
    """授予角色（{role}）: at `organisation` and below, `*` being everywhere. Who granted it is the event's actor."""

    name: ClassVar[str] = "identity.role_granted.v1"
    role: str
    organisation: str


class RoleRevoked(Event):
    """撤销角色（{role}）: it ends; tokens that still carry it end within five minutes."""

    name: ClassVar[str] = "identity.role_revoked.v1"
    role: str
    organisation: str


# --- organisations


class OrganisationAdded(Event):
    """设立机构: a university, a teaching point, an authority. `parent` is None for a root of the tree."""

    name: ClassVar[str] = "identity.organisation_added.v1"
    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]


class OrganisationRenamed(Event):
    """变更机构信息: a new title or new telephone numbers; `title` and `phones` are the whole new values."""

    name: ClassVar[str] = "identity.organisation_renamed.v1"
    title: str
    phones: tuple[str, ...]


class OrganisationClosed(Event):
    """撤销机构: roles at it no longer count, nothing new is put under it."""

    name: ClassVar[str] = "identity.organisation_closed.v1"


# --- education-<id>: one record of prior education (前置学历)


class PriorEducationStarted(Event):
    """开始填写前置学历: after the letter (申请承诺书) in this version was agreed to; `scheme` judges it for ever."""

    name: ClassVar[str] = "identity.prior_education_started.v1"
    candidate: str
    cycle: str
    scheme: str
    commitment: int
    agreed_at: datetime
    clause: str


class EducationDraftSaved(Event):
    """保存前置学历: the whole form as typed so far, right or wrong."""

    name: ClassVar[str] = "identity.education_draft_saved.v1"
    form: Personal[dict[str, str]]


class PriorEducationSubmitted(Event):
    """提交前置学历（第{submission}次）: in canonical form; nobody edits it until CHSI (学信网) has answered."""

    name: ClassVar[str] = "identity.prior_education_submitted.v1"
    submission: int
    form: Personal[dict[str, str]]
    check_at: datetime
    clause: str


class EducationCheckAttempted(Event):
    """向学信网发起核验（第{attempt}次）: to be asked under `request`; with no result by `ask_at` we look."""

    name: ClassVar[str] = "identity.education_check_attempted.v1"
    attempt: int
    request: str
    tried_at: datetime
    ask_at: datetime


class EducationCheckAccepted(Event):
    """学信网已受理: CHSI has the query and answers later; we look for the answer at `ask_at` ourselves."""

    name: ClassVar[str] = "identity.education_check_accepted.v1"
    request: str
    ask_at: datetime


class EducationCheckDoubted(Event):
    """学信网是否受理待查: the call broke off (`reason`) or nothing is known of it; asked again at `ask_at`."""

    name: ClassVar[str] = "identity.education_check_doubted.v1"
    request: str
    reason: str
    asked: int
    absent: int
    ask_at: datetime


class EducationCheckFailed(Event):
    """学信网未受理（{code}）: certainly not taken; tried anew at `next_try_at`, None when tries are used up."""

    name: ClassVar[str] = "identity.education_check_failed.v1"
    request: str
    code: str
    next_try_at: datetime | None


class EducationAnswerAwaited(Event):
    """等待学信网反馈: asked for the answer for the `looked`th time; there is none yet."""

    name: ClassVar[str] = "identity.education_answer_awaited.v1"
    request: str
    looked: int
    ask_at: datetime


class EducationCheckUnresolved(Event):
    """学信网核验无结果（{reason}）: no longer asked; an answer that comes all the same still counts."""

    name: ClassVar[str] = "identity.education_check_unresolved.v1"
    reason: str


class EducationAnswered(Event):
    """学信网反馈（{standing}）: what CHSI said under `request`.

    `standing`: it decides, came late, or contradicts an earlier one and is left to a clerk.
    """

    name: ClassVar[str] = "identity.education_answered.v1"
    request: str
    standing: Literal["decides", "late", "contradicts"]
    answer: Personal[dict[str, Any]]


class EducationContradictionSettled(Event):
    """核定学信网反馈（第{counts}次反馈为准）: of what CHSI said under `request`, by a clerk who says why."""

    name: ClassVar[str] = "identity.education_contradiction_settled.v1"
    request: str
    counts: int
    note: Personal[str]
    role: str
    organisation: str
    clause: str


class PriorEducationConfirmed(Event):
    """前置学历生效: CHSI has the diploma as it was typed; the guard of what needs a prior education."""

    name: ClassVar[str] = "identity.prior_education_confirmed.v1"
    candidate: str
    cycle: str
    scheme: str
    level: str  # of GB/T 4658
    category: str
    certificate_number: Personal[str]
    school: Personal[str]
    major: Personal[str]
    graduated_on: Personal[str]
    clause: str


class PriorEducationNotConfirmed(Event):
    """前置学历未生效（{reason}）: to be corrected; `differences` has field by field what CHSI has instead."""

    name: ClassVar[str] = "identity.prior_education_not_confirmed.v1"
    reason: str
    differences: Personal[dict[str, Any]]
    clause: str


class PriorEducationTakenBack(Event):
    """撤回前置学历: by the candidate, after CHSI did not answer; a draft again."""

    name: ClassVar[str] = "identity.prior_education_taken_back.v1"


# --- diploma-<record>: a diploma that is in effect for more than one person


class DiplomaSeenElsewhere(Event):
    """同一毕业证书在多人名下生效: the record took effect while `others`, records of other people, are in effect."""

    name: ClassVar[str] = "identity.diploma_seen_elsewhere.v1"
    others: tuple[str, ...]
    clause: str


DiplomaEvent = DiplomaSeenElsewhere

# --- cycle-<id>: what this service learnt from exemption; parking-<source>-<stream>: what was passed over of it


class CycleFollowed(Event):
    """获知批次: exemption opened a cycle."""

    name: ClassVar[str] = "identity.cycle_followed.v1"
    scheme: str
    title: str


class WindowFollowed(Event):
    """获知办理时间（{purpose}）: a window of the cycle as it is now."""

    name: ClassVar[str] = "identity.window_followed.v1"
    purpose: str
    from_day: date
    to_day: date
    daily: tuple[tuple[time, time], ...]
    excluded: tuple[date, ...]
    close_inclusive: bool


class CycleClosingFollowed(Event):
    """获知批次结束: exemption closed the cycle by hand."""

    name: ClassVar[str] = "identity.cycle_closing_followed.v1"


class ParkedFactResolved(Event):
    """跳过{source}的滞留记录: a fact of another service could not be handled here; somebody said to go on without."""

    name: ClassVar[str] = "identity.parked_fact_resolved.v1"
    source: str
    stream: str
    version: int
    type: str
    fault: str
    reason: str


class ResolutionExplained(Event):
    """说明跳过的缘由: what the person said about it; only where there is somebody whose key can seal it."""

    name: ClassVar[str] = "identity.resolution_explained.v1"
    note: Personal[str]


# --- 身份认证 verification of the person


class VerificationStarted(Event):
    """开始身份认证: on a route of a jurisdiction's book; `organisation` is the office where it will be decided.

    `binding`: the account was made on this route, so until it is verified it serves nothing else.
    """

    name: ClassVar[str] = "identity.verification_started.v1"
    book: str
    route: str
    slots: tuple[str, ...]  # the photographs that are asked for
    organisation: str
    binding: bool
    clause: str


class PhotographAccepted(Event):
    """上传认证照片：合格: every rule passed; the original and the re-encoded picture are kept, sealed."""

    name: ClassVar[str] = "identity.photograph_accepted.v1"
    slot: str
    original: str  # blob ids
    original_type: str
    original_digest: str
    picture: str
    picture_digest: str
    results: tuple[dict[str, Any], ...]  # every rule with what was measured and its limit
    hints: tuple[dict[str, Any], ...]
    clause: str


class PhotographRefused(Event):
    """上传认证照片：不合格: at least one rule failed; nothing of the file was kept."""

    name: ClassVar[str] = "identity.photograph_refused.v1"
    slot: str
    results: tuple[dict[str, Any], ...]
    clause: str


class ManualVerificationOpened(Event):
    """转人工认证: so many photographs were refused that from here on no automatic rule but size and format holds."""

    name: ClassVar[str] = "identity.manual_verification_opened.v1"
    refused: int
    slots: tuple[str, ...]  # the photographs that are asked for instead
    clause: str


class PhotographsSubmitted(Event):
    """提交认证照片（第{attempt}次）: they wait for a person of `organisation` in `role`, and cannot be exchanged."""

    name: ClassVar[str] = "identity.photographs_submitted.v1"
    attempt: int
    photographs: dict[str, str]  # slot -> digest of the picture that the decision will be about
    pairs: tuple[str, ...]  # each two of them that must show one person; none was compared by a machine
    role: str
    organisation: str
    due_at: datetime
    clause: str


class PhotographViewed(Event):
    """查阅认证照片: somebody who decides looked at one photograph of the `attempt`-th submission."""

    name: ClassVar[str] = "identity.photograph_viewed.v1"
    attempt: int
    slot: str
    viewer: str


class VerificationFailed(Event):
    """身份认证未通过（第{attempt}次）: the photographs do not show who the account says; another try is open."""

    name: ClassVar[str] = "identity.verification_failed.v1"
    attempt: int
    reason_code: str
    note: Personal[str]
    pairs: dict[str, bool]  # of the pairs that were judged: whether they show one person
    decided_by: str
    clause: str


class PersonVerified(Event):
    """身份认证通过: in `jurisdiction` this account is who it says, by `level`: photographs or in_person.

    In person a clerk saw `documents` and says in `evidence` what was seen.
    """

    name: ClassVar[str] = "identity.person_verified.v1"
    jurisdiction: str
    book: str
    level: str
    organisation: str
    verified_by: str
    pairs: dict[str, bool]
    documents: tuple[str, ...]
    evidence: Personal[str]
    clause: str


# --- profile-<person>: what personal centres (个人中心) ask besides the account


class ProfileSaved(Event):
    """填写个人信息: the whole form of a jurisdiction's personal centre, checked; what stays empty is left out."""

    name: ClassVar[str] = "identity.profile_saved.v1"
    jurisdiction: str
    form: Personal[dict[str, str]]
    clause: str


ProfileEvent = ProfileSaved
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
EducationEvent = (
    PriorEducationStarted
    | EducationDraftSaved
    | PriorEducationSubmitted
    | EducationCheckAttempted
    | EducationCheckAccepted
    | EducationCheckDoubted
    | EducationCheckFailed
    | EducationAnswerAwaited
    | EducationCheckUnresolved
    | EducationAnswered
    | EducationContradictionSettled
    | PriorEducationConfirmed
    | PriorEducationNotConfirmed
    | PriorEducationTakenBack
)
CycleEvent = CycleFollowed | WindowFollowed | CycleClosingFollowed
ParkingEvent = ParkedFactResolved | ResolutionExplained
VerificationEvent = (
    VerificationStarted
    | PhotographAccepted
    | PhotographRefused
    | ManualVerificationOpened
    | PhotographsSubmitted
    | PhotographViewed
    | VerificationFailed
    | PersonVerified
)
