"""Command -> gather what the decision needs -> execute. The service's write path calls these; and its timers.

What is slow or random (hashing a password, drawing a code) happened in `api/` already.
"""

from collections.abc import Iterable, Mapping
from typing import get_args

from services.identity import second_factor, views
from services.identity.domain import account, staff
from services.identity.domain.account import ACCOUNT, AccountContext
from services.identity.domain.commands import (
    AbandonRegistration,
    AccountCommand,
    ActivateStaff,
    AddFirstAdministrator,
    AddOrganisation,
    AddStaff,
    AskMobileReplacement,
    ChoosePassword,
    ConfirmSecondFactor,
    ErasePerson,
    GrantRole,
    OrganisationCommand,
    PersonCommand,
    ProveMobile,
    RecordKeyDestroyed,
    RegisterAccount,
    RenewActivation,
    ReplaceMobile,
    ReplaceMobileInPerson,
    ResetPassword,
    RevokeRole,
    SendCodeAgain,
    SendResetCode,
    SignIn,
    StaffCommand,
    StartRegistration,
)
from services.identity.domain.organisation import ORGANISATION, OrganisationContext
from services.identity.domain.rules import EVERYWHERE, Roles
from services.identity.domain.scheme import IdentityScheme
from services.identity.domain.sms_code import IssuedCode
from services.identity.domain.staff import STAFF, StaffContext
from services.identity.verifying import Verifying, one_at_a_time
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Meta, Receipt, command_id
from shared.runtime.event_store import Work
from shared.runtime.service import Handler, Service, Timer, TimerHandler

_TAKEN = {
    "mobile": "identity.mobile_has_account",
    "id_number": "identity.id_number_has_account",
    "ticket_number": "identity.ticket_number_has_account",
    views.STAFF_LOGIN: "identity.staff_login_has_account",
    "first_administrator": "identity.first_administrator_exists",
}


def handlers(scheme: IdentityScheme, verifying: Verifying) -> Mapping[type[Command], Handler]:
    """Each command's handler, with the book at hand."""

    async def on_account(work: Work, command: account.Command) -> Receipt:
        state, _ = await work.load(ACCOUNT, command.person)
        context = AccountContext(
            now=work.meta.at,
            scheme=scheme,
            actor=work.meta.actor,
            roles=_roles(work),
            code_digest=_code_digest(work, command),
            new_session=work.new_id("session"),
            password_later=isinstance(command, RegisterAccount) and verifying.password_later(command),
            verified=isinstance(command, ChoosePassword) and await verifying.is_verified(work, command.person),
        )
        # an erased person has no key, and nothing more to seal
        person = None if isinstance(state, account.Erased) else command.person
        if isinstance(command, ErasePerson):
            await one_at_a_time(work, command.person)
        await _take_turns(work, _numbers_asked(command, state))
        with _Taken():
            receipt = await work.execute(ACCOUNT, command.person, command, context, person=person)
        if isinstance(command, RegisterAccount) and command.book:
            await verifying.start(work, command)
        return receipt

    async def on_staff(work: Work, command: staff.Command) -> Receipt:
        state, _ = await work.load(STAFF, command.person)
        context = StaffContext(
            now=work.meta.at,
            scheme=scheme,
            actor=work.meta.actor,
            roles=_roles(work),
            places=await views.find_places(work.tx.connection, list(_asked_about(command, state))),
            activation_code_is_right=_is_right(work, command, state),
            step=_step(work, command, state),
            new_session=work.new_id("session"),
        )
        person = None if isinstance(state, staff.Erased) else command.person
        if isinstance(command, AddFirstAdministrator | AddStaff | ErasePerson):
            login = state.login if isinstance(state, staff.Person) else getattr(command, "login", "")
            await _take_turns(work, [(views.STAFF_LOGIN, login)])
        with _Taken():
            return await work.execute(STAFF, command.person, command, context, person=person)

    async def on_person(work: Work, command: PersonCommand) -> Receipt:
        """What candidates and staff have in common goes to the stream that this person has."""
        match await views.find_kind(work.tx.connection, command.person):
            case "candidate":
                return await on_account(work, command)
            case "staff":
                return await on_staff(work, command)
            case _:
                raise Refused("identity.no_account")

    async def on_organisation(work: Work, command: OrganisationCommand) -> Receipt:
        above = command.parent or EVERYWHERE if isinstance(command, AddOrganisation) else command.organisation
        places = await views.find_places(work.tx.connection, [above])
        context = OrganisationContext(scheme=scheme, roles=_roles(work), places=places)
        return await work.execute(ORGANISATION, command.organisation, command, context)

    return {
        **dict.fromkeys(get_args(AccountCommand), on_account),
        **dict.fromkeys(get_args(StaffCommand), on_staff),
        **dict.fromkeys(get_args(PersonCommand), on_person),
        **dict.fromkeys(get_args(OrganisationCommand), on_organisation),
        **verifying.by_command(),
    }


class _Taken:
    """Says which of a person's numbers another account has."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if isinstance(error, Refused) and error.code == "claim.taken":
            raise Refused(_TAKEN[error.facts["kind"]]) from None


async def _take_turns(work: Work, numbers: Iterable[tuple[str, str]]) -> None:
    """Who frees a number and who takes it next append in that order too, so that a replay meets them in it."""
    keys = {int.from_bytes(work.tx.hashed(kind, value)[:8], "big", signed=True) for kind, value in numbers if value}
    if keys:
        connection = await work.tx.open()
        await connection.execute("select pg_advisory_xact_lock(k) from unnest($1::bigint[]) as k", sorted(keys))


def _numbers_asked(command: account.Command, state: account.Account) -> Iterable[tuple[str, str]]:
    """The numbers that the command will claim or release."""
    match command, state:
        case RegisterAccount(), account.ChoosingPassword() | account.GivingIdentity():
            yield from (("mobile", state.mobile), ("id_number", command.id_number))
            yield ("ticket_number", command.ticket_number)
        case ReplaceMobile(), account.Registered(code=IssuedCode() as code):
            yield from (("mobile", state.mobile), ("mobile", code.mobile))
        case ReplaceMobileInPerson(), account.Registered():
            yield from (("mobile", state.mobile), ("mobile", command.mobile))
        case ErasePerson(), account.Registered():
            yield from (("mobile", state.mobile), ("id_number", state.id_number))
            yield ("ticket_number", state.ticket_number)
        case _:
            return


def _roles(work: Work) -> Roles:
    return work.caller.roles if work.caller else ()


def _code_digest(work: Work, command: account.Command) -> str:
    match command:
        case (
            StartRegistration()
            | SendCodeAgain()
            | ProveMobile()
            | SendResetCode()
            | ResetPassword()
            | AskMobileReplacement()
            | ReplaceMobile()
        ):
            return work.tx.hashed("sms_code", f"{command.person}:{command.code}").hex()
        case _:
            return ""


def _asked_about(command: staff.Command, state: staff.Staff) -> Iterable[str]:
    match command:
        case AddStaff() | GrantRole() | RevokeRole():
            return [command.organisation]
        case RenewActivation() if isinstance(state, staff.Person):
            return staff.asked_about(state)
        case AddFirstAdministrator():
            return [EVERYWHERE]
        case _:
            return []


def _step(work: Work, command: staff.Command, state: staff.Staff) -> int | None:
    match command, state:
        case SignIn() | ConfirmSecondFactor(), staff.Enrolling() | staff.Working():
            return second_factor.step_of(state.totp_secret, command.one_time_code, work.meta.at)
        case _:
            return None


def _is_right(work: Work, command: staff.Command, state: staff.Staff) -> bool:
    match command, state:
        case ActivateStaff() | ConfirmSecondFactor(), staff.Invited() | staff.Enrolling():
            right = second_factor.activation_code(work.tx.hashed, command.person, state.activation)
            return second_factor.same_code(right, command.activation_code)
        case _:
            return False


# --- timers


async def abandon_registration(service: Service, timer: Timer) -> None:
    """A registration that nobody finished in time: what was typed is erased."""
    person = timer.stream.split("-", 1)[1]
    await service.handle(AbandonRegistration(person=person), _timer_meta(service, timer))


async def destroy_key(service: Service, timer: Timer) -> None:
    """The erasure is decided and written down: destroy the key, then say so. Doing it twice does no harm."""
    person = timer.stream.split("-", 1)[1]
    await service.keyring.erase(person)
    await service.handle(RecordKeyDestroyed(person=person), _timer_meta(service, timer))


def _timer_meta(service: Service, timer: Timer) -> Meta:
    return Meta(
        command_id=command_id("timer", timer.kind, timer.stream, timer.due_at.isoformat()),
        actor="timer",
        at=service.clock(),
    )


TIMERS: dict[str, TimerHandler] = {
    views.ABANDON_REGISTRATION: abandon_registration,
    views.DESTROY_KEY: destroy_key,
}
