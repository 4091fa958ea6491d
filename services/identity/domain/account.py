"""账号 a candidate's account, from the first step of registration (SD-09) to its erasure.

`handlers.py` loads its events, calls `decide`, and appends what comes back. A wrong SMS code is an event and not a
refusal: the count must survive. Personal values are carried by the states; `decide` may compare them, `evolve` never.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, assert_never

from services.identity.domain import rules
from services.identity.domain.commands import (
    AbandonRegistration,
    AccountCommand,
    AskMobileReplacement,
    ChoosePassword,
    EndSession,
    ErasePerson,
    LockAccount,
    PersonCommand,
    ProveMobile,
    RecordKeyDestroyed,
    RegisterAccount,
    ReplaceMobile,
    ReplaceMobileInPerson,
    ReplacePassword,
    ResetPassword,
    SendCodeAgain,
    SendResetCode,
    SignIn,
    StartRegistration,
)
from services.identity.domain.scheme import IdentityScheme
from services.identity.domain.sms_code import Asked, IssuedCode
from shared.events.identity import (
    AccountEvent,
    AccountLocked,
    AccountRegistered,
    KeyDestroyed,
    MobileProved,
    MobileReplaced,
    PasswordChosen,
    PersonErased,
    RegistrationStarted,
    SessionEnded,
    SignedIn,
    SmsCodeIssued,
    SmsCodeMistyped,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused

REGISTER, RESET, REPLACE_MOBILE = "register", "reset_password", "replace_mobile"
NOT_FINISHED = "registration_not_finished"


@dataclass(frozen=True)
class NotStarted:
    state_title: ClassVar[str] = "未注册"


@dataclass(frozen=True)
class ProvingMobile:
    """Step 1."""

    state_title: ClassVar[str] = "验证手机号码"
    mobile: str
    expires_at: datetime
    code: IssuedCode | None


@dataclass(frozen=True)
class ChoosingPassword:
    """Step 2."""

    state_title: ClassVar[str] = "填写账号信息"
    mobile: str
    expires_at: datetime


@dataclass(frozen=True)
class GivingIdentity:
    """Step 3; one may go back and choose another password (SD-13)."""

    state_title: ClassVar[str] = "验证身份"
    mobile: str
    expires_at: datetime
    password_hash: str


Registering = ProvingMobile | ChoosingPassword | GivingIdentity


@dataclass(frozen=True)
class Registered:
    """Step 4, done (完成): an account. `password_hash` is empty where it is set only after verification."""

    state_title: ClassVar[str] = "已注册"
    mobile: str
    name: str
    id_number: str
    ticket_number: str
    password_hash: str
    code: IssuedCode | None = None
    locked_until: datetime | None = None


@dataclass(frozen=True)
class Erased:
    state_title: ClassVar[str] = "已注销"
    key_destroyed: bool


Account = NotStarted | Registering | Registered | Erased


@dataclass(frozen=True)
class AccountContext:
    """What a decision may know besides the past."""

    now: datetime
    scheme: IdentityScheme
    actor: str
    roles: rules.Roles = ()
    code_digest: str = ""  # keyed hash of the code in the command, bound to the person
    new_session: str = ""
    password_later: bool = False  # the route chosen sets it after verification (SX-E-42)
    verified: bool = False

    @property
    def code(self) -> Asked:
        return Asked(self.scheme.sms_code, self.now, self.code_digest)


Command = AccountCommand | PersonCommand


def decide(command: Command, state: Account, context: AccountContext) -> list[AccountEvent]:  # noqa: C901 - a table
    match command:
        case StartRegistration():
            return _start(command, state, context)
        case SendCodeAgain():
            proving = _proving(state, context)
            return [context.code.issued(proving.mobile, command.code, REGISTER)]
        case ProveMobile():
            return [*context.code.typed(_proving(state, context).code, REGISTER)] or [MobileProved()]
        case ChoosePassword():
            _may_choose_password(state, context)
            return [PasswordChosen(password_hash=command.password_hash, purpose="register")]
        case RegisterAccount():
            return _register(command, state, context)
        case SendResetCode():
            return [context.code.issued(_account(state).mobile, command.code, RESET)]
        case ResetPassword():
            return _reset(command, _account(state), context)
        case AskMobileReplacement():
            return _ask_mobile(command, _account(state), context)
        case ReplaceMobile():
            return _replace_mobile(_account(state), context)
        case ReplaceMobileInPerson():
            return _replace_mobile_in_person(command, _account(state), context)
        case AbandonRegistration():
            over = isinstance(state, Registering) and context.now >= state.expires_at
            return [PersonErased(ground=NOT_FINISHED)] if over else []
        case SignIn() | EndSession() | LockAccount() | ReplacePassword():
            return _session(command, _account(state), context)
        case ErasePerson() | RecordKeyDestroyed():
            return _erase(command, state, context)
        case _:
            assert_never(command)


def _start(command: StartRegistration, state: Account, context: AccountContext) -> list[AccountEvent]:
    if not isinstance(state, NotStarted):
        raise Refused("identity.already_registered")
    expires_at = context.now + timedelta(seconds=context.scheme.sessions.registration_seconds)
    return [
        RegistrationStarted(mobile=command.mobile, expires_at=expires_at),
        context.code.issued(command.mobile, command.code, REGISTER),
    ]


def _register(command: RegisterAccount, state: Account, context: AccountContext) -> list[AccountEvent]:
    past = _past_mobile(state, context)
    if isinstance(past, ChoosingPassword) and not context.password_later:
        raise Refused("identity.step_missing", step="password")
    return [
        AccountRegistered(
            mobile=past.mobile,
            name_of_person=command.name,
            id_number=command.id_number,
            ticket_number=command.ticket_number,
        )
    ]


def _reset(command: ResetPassword, account: Registered, context: AccountContext) -> list[AccountEvent]:
    """The code and the ID number are one question with one answer, so that neither can be tried alone."""
    code = account.code
    if code is None or not account.password_hash or not context.code.holds(code, RESET):
        raise Refused("identity.reset_refused")
    known = command.id_number in (account.id_number, account.id_number[-6:])
    if not (context.code.is_right(code) and known):
        return [SmsCodeMistyped(purpose=RESET, attempts_left=code.attempts_left - 1)]
    if command.password_is_personal:
        raise Refused("identity.password_is_personal")
    return [PasswordChosen(password_hash=command.password_hash, purpose="reset")]


def _ask_mobile(command: AskMobileReplacement, account: Registered, context: AccountContext) -> list[AccountEvent]:
    if command.mobile == account.mobile:
        raise Refused("identity.mobile_is_yours")
    return [context.code.issued(command.mobile, command.code, REPLACE_MOBILE)]


def _replace_mobile(account: Registered, context: AccountContext) -> list[AccountEvent]:
    if mistyped := context.code.typed(account.code, REPLACE_MOBILE):
        return [*mistyped]
    assert account.code is not None
    return [MobileReplaced(mobile=account.code.mobile, previous=account.mobile, checked_by=None, evidence="")]


def _replace_mobile_in_person(
    command: ReplaceMobileInPerson, account: Registered, context: AccountContext
) -> list[AccountEvent]:
    rules.clerk_must_be_allowed(context.roles, context.scheme)
    if command.mobile == account.mobile:
        raise Refused("identity.mobile_is_yours")
    return [
        MobileReplaced(
            mobile=command.mobile, previous=account.mobile, checked_by=context.actor, evidence=command.evidence
        )
    ]


def _session(
    command: SignIn | EndSession | LockAccount | ReplacePassword, account: Registered, context: AccountContext
) -> list[AccountEvent]:
    match command:
        case SignIn():
            if account.locked_until is not None and context.now < account.locked_until:
                raise Refused("identity.login_wrong")
            expires_at = context.now + timedelta(seconds=context.scheme.sessions.refresh_seconds)
            return [SignedIn(session=context.new_session, expires_at=expires_at, second_factor_step=None)]
        case EndSession():
            return [SessionEnded(session=command.session, reason=command.reason)]
        case LockAccount():
            return [AccountLocked(until=command.until, failures=command.failures)]
        case ReplacePassword():
            return [PasswordChosen(password_hash=command.password_hash, purpose="replace")]
        case _:
            assert_never(command)


def _erase(command: ErasePerson | RecordKeyDestroyed, state: Account, context: AccountContext) -> list[AccountEvent]:
    match command, state:
        case RecordKeyDestroyed(), Erased(key_destroyed=False):
            return [KeyDestroyed()]
        case RecordKeyDestroyed(), _:
            return []
        case ErasePerson(), NotStarted() | Erased():
            raise Refused("identity.no_account")
        case ErasePerson(), _:
            rules.eraser_must_be_allowed(context.roles, context.scheme)
            if command.ground not in context.scheme.erasure_grounds:
                raise Refused("identity.no_such_ground", ground=command.ground)
            return [PersonErased(ground=command.ground)]


# --- what must be so


def _registering(state: Account, context: AccountContext) -> Registering:
    match state:
        case ProvingMobile() | ChoosingPassword() | GivingIdentity():
            if context.now >= state.expires_at:
                raise Refused("identity.registration_expired")
            return state
        case Registered():
            raise Refused("identity.already_registered")
        case NotStarted() | Erased():
            raise Refused("identity.no_registration")
        case _:
            assert_never(state)


def _proving(state: Account, context: AccountContext) -> ProvingMobile:
    registering = _registering(state, context)
    if not isinstance(registering, ProvingMobile):
        raise Refused("identity.mobile_already_proved")
    return registering


def _past_mobile(state: Account, context: AccountContext) -> ChoosingPassword | GivingIdentity:
    registering = _registering(state, context)
    if isinstance(registering, ProvingMobile):
        raise Refused("identity.step_missing", step="mobile")
    return registering


def _may_choose_password(state: Account, context: AccountContext) -> None:
    """A step of registration; or, where the route says so, the last one, after the person was verified."""
    if isinstance(state, Registered) and not state.password_hash:
        if not context.verified:
            raise Refused("identity.not_verified_yet")
    else:
        _past_mobile(state, context)


def _account(state: Account) -> Registered:
    if not isinstance(state, Registered):
        raise Refused("identity.no_account")
    return state


# --- the past


def evolve(state: Account, event: AccountEvent) -> Account:
    """The past is never refused, and asks neither the clock nor the book."""
    match event:
        case RegistrationStarted():
            return ProvingMobile(event.mobile, event.expires_at, None)
        case SmsCodeIssued():
            assert isinstance(state, ProvingMobile | Registered)
            code = IssuedCode(event.mobile, event.digest, event.purpose, event.expires_at, event.attempts)
            return replace(state, code=code)
        case SmsCodeMistyped():
            assert isinstance(state, ProvingMobile | Registered)
            assert state.code is not None
            return replace(state, code=replace(state.code, attempts_left=event.attempts_left))
        case MobileProved():
            assert isinstance(state, ProvingMobile)
            return ChoosingPassword(state.mobile, state.expires_at)
        case PasswordChosen():
            return _with_password(state, event)
        case AccountRegistered():
            assert isinstance(state, ChoosingPassword | GivingIdentity)
            password = state.password_hash if isinstance(state, GivingIdentity) else ""
            return Registered(event.mobile, event.name_of_person, event.id_number, event.ticket_number, password)
        case MobileReplaced():
            assert isinstance(state, Registered)
            return replace(state, mobile=event.mobile, code=None)
        case SignedIn() | SessionEnded():
            return state
        case AccountLocked():
            assert isinstance(state, Registered)
            return replace(state, locked_until=event.until)
        case PersonErased():
            return Erased(key_destroyed=False)
        case KeyDestroyed():
            return Erased(key_destroyed=True)
        case _:
            assert_never(event)


def _with_password(state: Account, event: PasswordChosen) -> Account:
    match state:
        case ChoosingPassword() | GivingIdentity():
            return GivingIdentity(state.mobile, state.expires_at, event.password_hash)
        case Registered():
            # choosing a new one used the code up, and proves the person better than the lock did
            return replace(state, password_hash=event.password_hash, code=None, locked_until=None)
        case NotStarted() | ProvingMobile() | Erased():
            raise AssertionError(state)
        case _:
            assert_never(state)


ACCOUNT: Decider[Command, Account, AccountEvent, AccountContext] = Decider("account", NotStarted(), decide, evolve)
