"""账号: what an account may do, in sentences."""

from datetime import timedelta

import pytest

from services.identity.domain.account import ACCOUNT, Registered
from services.identity.domain.commands import (
    AbandonRegistration,
    AskMobileReplacement,
    ChoosePassword,
    LockAccount,
    ProveMobile,
    RegisterAccount,
    ReplaceMobile,
    ReplaceMobileInPerson,
    ResetPassword,
    SendCodeAgain,
    SignIn,
)
from shared.events.identity import (
    AccountEvent,
    AccountLocked,
    AccountRegistered,
    MobileProved,
    MobileReplaced,
    PasswordChosen,
    PersonErased,
    SessionEnded,
    SignedIn,
    SmsCodeIssued,
    SmsCodeMistyped,
)
from shared.kernel.messages import ERASED, personal_fields
from shared.testing.given import given
from tests.services.identity import past
from tests.services.identity.past import (
    DAY,
    ID_NUMBER,
    ME,
    MOBILE,
    NOW,
    OTHER_MOBILE,
    WRONG,
    account,
    issued,
)

PROVE = ProveMobile(person=ME, code="123456")
SIGN_IN = SignIn(person=ME, one_time_code="")


def reset(id_number: str = ID_NUMBER, *, personal: bool = False) -> ResetPassword:
    return ResetPassword(
        person=ME, code="123456", id_number=id_number, password_hash="hash-2", password_is_personal=personal
    )


def test_the_code_that_was_sent_proves_the_mobile() -> None:
    given(ACCOUNT, *past.STARTED).when(PROVE, account()).then(MobileProved())


def test_a_wrong_code_is_written_down_so_that_the_count_survives() -> None:
    outcome = given(ACCOUNT, *past.STARTED).when(PROVE, account(digest=WRONG))
    outcome.then(SmsCodeMistyped(purpose="register", attempts_left=4))


def test_after_five_wrong_codes_the_right_one_is_too_late() -> None:
    tries = given(ACCOUNT, *past.STARTED)
    for _ in range(5):
        tries = tries.and_then(PROVE, account(digest=WRONG))
    tries.when(PROVE, account()).refused("identity.sms_code_expired")


def test_a_code_is_good_until_the_last_microsecond_of_its_five_minutes() -> None:
    five = timedelta(minutes=5)
    started = given(ACCOUNT, *past.STARTED)
    started.when(PROVE, account(NOW + five - timedelta(microseconds=1))).then(MobileProved())
    started.when(PROVE, account(NOW + five)).refused("identity.sms_code_expired")


def test_a_code_does_not_live_an_hour_longer_because_the_clock_was_set_back() -> None:
    started = given(ACCOUNT, *past.STARTED)
    started.when(PROVE, account(NOW - timedelta(seconds=30))).then(MobileProved())
    started.when(PROVE, account(NOW - timedelta(hours=1))).refused("identity.sms_code_expired")


def test_a_new_code_ends_the_one_before_and_may_be_typed_five_times() -> None:
    tries = given(ACCOUNT, *past.STARTED).and_then(PROVE, account(digest=WRONG))
    tries = tries.and_then(SendCodeAgain(person=ME, code="654321"), account(digest="digest of the new code"))
    tries.when(PROVE, account()).then(SmsCodeMistyped(purpose="register", attempts_left=4))
    tries.when(PROVE, account(digest="digest of the new code")).then(MobileProved())


def test_a_code_sent_for_one_purpose_serves_no_other() -> None:
    given(ACCOUNT, *past.REPLACING).when(reset(), account()).refused("identity.reset_refused")
    replace = ReplaceMobile(person=ME, code="123456")
    given(ACCOUNT, *past.RESETTING).when(replace, account()).refused("identity.sms_code_expired")


def test_one_may_go_back_and_choose_another_password_until_the_last_step() -> None:
    again = ChoosePassword(person=ME, password_hash="hash-2")
    given(ACCOUNT, *past.CHOSEN).when(again, account()).then(PasswordChosen(password_hash="hash-2", purpose="register"))


def test_the_last_step_makes_the_account_with_the_proved_mobile() -> None:
    register = RegisterAccount(person=ME, name="𠮷田样本", id_number=ID_NUMBER, ticket_number="010123456789")
    given(ACCOUNT, *past.CHOSEN).when(register, account()).then(
        AccountRegistered(mobile=MOBILE, name_of_person="𠮷田样本", id_number=ID_NUMBER, ticket_number="010123456789")
    )


def test_a_registration_left_for_a_day_cannot_be_resumed_and_is_erased() -> None:
    later = account(NOW + DAY)
    given(ACCOUNT, *past.PROVED).when(ChoosePassword(person=ME, password_hash="hash-1"), later).refused(
        "identity.registration_expired"
    )
    abandon = AbandonRegistration(person=ME)
    given(ACCOUNT, *past.PROVED).when(abandon, later).then(PersonErased(ground="registration_not_finished"))
    given(ACCOUNT, *past.PROVED).when(abandon, account(NOW + DAY - timedelta(seconds=1))).then()
    given(ACCOUNT, *past.REGISTERED).when(abandon, later).then()


def test_a_locked_account_signs_nobody_in_and_says_no_more_than_a_wrong_password() -> None:
    until = NOW + timedelta(minutes=15)
    locked = given(ACCOUNT, *past.REGISTERED).and_then(LockAccount(person=ME, until=until, failures=5), account())
    locked.when(SIGN_IN, account(until - timedelta(seconds=1))).refused("identity.login_wrong")
    locked.when(SIGN_IN, account(until)).then_kinds(SignedIn)


def test_a_new_password_ends_the_lock_and_uses_the_code_up() -> None:
    locked = AccountLocked(until=NOW + DAY, failures=5)
    chosen = given(ACCOUNT, *past.RESETTING, locked).and_then(reset(), account())
    chosen.when(SIGN_IN, account()).then_kinds(SignedIn)
    chosen.when(reset(), account()).refused("identity.reset_refused")


@pytest.mark.parametrize("shown", [ID_NUMBER, ID_NUMBER[-6:]])
def test_a_forgotten_password_takes_the_code_and_the_id_number_or_its_last_six(shown: str) -> None:
    given(ACCOUNT, *past.RESETTING).when(reset(shown), account()).then(
        PasswordChosen(password_hash="hash-2", purpose="reset")
    )


@pytest.mark.parametrize(("shown", "digest"), [("999999", past.CODE), (ID_NUMBER, WRONG), ("", past.CODE)])
def test_the_right_code_with_a_wrong_id_number_counts_like_a_wrong_code(shown: str, digest: str) -> None:
    given(ACCOUNT, *past.RESETTING).when(reset(shown), account(digest=digest)).then(
        SmsCodeMistyped(purpose="reset_password", attempts_left=4)
    )


def test_only_who_proved_to_be_the_person_hears_that_the_new_password_is_personal() -> None:
    resetting = given(ACCOUNT, *past.RESETTING)
    resetting.when(reset(personal=True), account()).refused("identity.password_is_personal")
    resetting.when(reset(personal=True), account(digest=WRONG)).then_kinds(SmsCodeMistyped)


def test_a_new_mobile_is_proved_by_a_code_sent_to_it() -> None:
    asked = given(ACCOUNT, *past.REGISTERED).and_then(
        AskMobileReplacement(person=ME, mobile=OTHER_MOBILE, code="123456"), account()
    )
    assert asked.past[-1] == issued("replace_mobile", OTHER_MOBILE)
    asked.when(ReplaceMobile(person=ME, code="123456"), account()).then(
        MobileReplaced(mobile=OTHER_MOBILE, previous=MOBILE, checked_by=None, evidence="")
    )


def test_a_clerk_replaces_a_lost_mobile_by_name_and_on_evidence() -> None:
    command = ReplaceMobileInPerson(person=ME, mobile=OTHER_MOBILE, evidence="身份证原件，本人到场")
    clerk = account(roles=frozenset({("teaching_point_admin", "point-1")}), actor="staff-7")
    given(ACCOUNT, *past.REGISTERED).when(command, clerk).then(
        MobileReplaced(mobile=OTHER_MOBILE, previous=MOBILE, checked_by="staff-7", evidence="身份证原件，本人到场")
    )
    given(ACCOUNT, *past.REGISTERED).when(command, account()).refused("access.not_allowed")


WHOLE_LIFE: tuple[AccountEvent, ...] = (
    *past.CHOSEN[:2],
    SmsCodeMistyped(purpose="register", attempts_left=4),
    *past.REGISTERED[2:],
    SignedIn(session="session-1", expires_at=NOW + DAY, second_factor_step=None),
    SessionEnded(session="session-1", reason="signed_out"),
    AccountLocked(until=NOW + DAY, failures=5),
    issued("replace_mobile", OTHER_MOBILE),
    MobileReplaced(mobile=OTHER_MOBILE, previous=MOBILE, checked_by=None, evidence=""),
    issued("reset_password", OTHER_MOBILE),
    PasswordChosen(password_hash="hash-2", purpose="reset"),
)


def test_replay_takes_the_same_way_when_every_personal_value_is_gone() -> None:
    """`evolve` never branches on personal values, so an erased person's past still replays."""
    for count in range(len(WHOLE_LIFE) + 1):
        whole = ACCOUNT.replay(WHOLE_LIFE[:count])
        bare = ACCOUNT.replay(_bare(event) for event in WHOLE_LIFE[:count])
        assert type(whole) is type(bare)
        if isinstance(whole, Registered) and isinstance(bare, Registered):
            assert whole.locked_until == bare.locked_until
            assert (whole.code is None) == (bare.code is None)
            assert bare.mobile == bare.id_number == bare.name == bare.password_hash == ERASED


def _bare(event: AccountEvent) -> AccountEvent:
    kept = {field: getattr(event, field) for field in event.__struct_fields__}
    return type(event)(**{**kept, **dict.fromkeys(personal_fields(type(event)), ERASED)})


def test_codes_mobiles_names_numbers_and_hashes_are_personal() -> None:
    assert set(personal_fields(SmsCodeIssued)) == {"mobile", "code"}
    assert set(personal_fields(AccountRegistered)) == {"mobile", "name_of_person", "id_number", "ticket_number"}
    assert set(personal_fields(PasswordChosen)) == {"password_hash"}
    assert set(personal_fields(MobileReplaced)) == {"mobile", "previous", "evidence"}
