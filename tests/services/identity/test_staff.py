"""工作人员 and 机构: activation, second factor, roles and the tree, in sentences."""

from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from services.identity.domain.commands import (
    ActivateStaff,
    AddOrganisation,
    AddStaff,
    CloseOrganisation,
    ConfirmSecondFactor,
    GrantRole,
    RenewActivation,
    RevokeRole,
    SignIn,
)
from services.identity.domain.organisation import ORGANISATION
from services.identity.domain.staff import STAFF, Working
from services.identity.second_factor import activation_code, new_secret, otpauth_uri, same_code, step_of
from shared.events.identity import (
    ActivationRenewed,
    OrganisationAdded,
    RoleGranted,
    RoleRevoked,
    SecondFactorConfirmed,
    SignedIn,
)
from shared.testing.given import given
from tests.services.identity import past
from tests.services.identity.past import ADMIN, DAY, ME, NOW, organisation, staff

ACTIVATE = ActivateStaff(person=ME, activation_code="CODE", password_hash="hash-1", totp_secret="SECRET")
CONFIRM = ConfirmSecondFactor(person=ME, activation_code="CODE", one_time_code="123456")
SIGN_IN = SignIn(person=ME, one_time_code="123456")
OF_THE_UNIVERSITY = frozenset({("administrator", "university")})


def test_an_activation_code_is_refused_when_wrong_or_late() -> None:
    added = given(STAFF, *past.ADDED)
    added.when(ACTIVATE, staff(code_is_right=False)).refused("identity.activation_refused")
    added.when(ACTIVATE, staff(now=NOW + DAY)).refused("identity.activation_refused")


def test_an_account_works_only_after_its_first_one_time_code() -> None:
    given(STAFF, *past.ENROLLING).when(SIGN_IN, staff()).refused("identity.login_wrong")
    given(STAFF, *past.ENROLLING).when(CONFIRM, staff(step=None)).refused("identity.one_time_code_wrong")
    given(STAFF, *past.ENROLLING).when(CONFIRM, staff()).then(SecondFactorConfirmed(step=101))


def test_a_one_time_code_is_good_for_one_use() -> None:
    working = given(STAFF, *past.WORKING)
    working.when(SIGN_IN, staff(step=100)).refused("identity.login_wrong")
    once = working.and_then(SIGN_IN, staff(step=101))
    once.when(SIGN_IN, staff(step=101)).refused("identity.login_wrong")
    once.when(SIGN_IN, staff(step=102)).then_kinds(SignedIn)


def test_staff_without_a_right_code_does_not_sign_in() -> None:
    given(STAFF, *past.WORKING).when(SIGN_IN, staff(step=None)).refused("identity.login_wrong")


def test_a_new_activation_code_ends_password_and_second_factor() -> None:
    renewed = given(STAFF, *past.REVIEWER).and_then(RenewActivation(person=ME), staff())
    assert renewed.past[-1] == ActivationRenewed(activation=2, expires_at=NOW + timedelta(days=7))
    renewed.when(SIGN_IN, staff()).refused("identity.login_wrong")
    again = renewed.and_then(ACTIVATE, staff()).and_then(CONFIRM, staff(step=7)).state
    assert isinstance(again, Working)
    assert again.roles == {("teaching_point_admin", "point-1")}


def test_nobody_takes_over_an_account_that_may_do_more_than_they_may() -> None:
    """A new activation code is a way into the account: it takes an administrator of all the account can reach."""
    wide = given(STAFF, *past.WORKING, RoleGranted(role="administrator", organisation="*"))
    wide.when(RenewActivation(person=ME), staff(OF_THE_UNIVERSITY)).refused("access.not_allowed")
    narrow = given(STAFF, *past.REVIEWER)
    narrow.when(RenewActivation(person=ME), staff(OF_THE_UNIVERSITY)).then_kinds(ActivationRenewed)


def test_the_same_person_gets_a_further_role_and_loses_it_again() -> None:
    """SW-22: an existing account, one role more."""
    grant = GrantRole(person=ME, role="university_admin", organisation="university")
    granted = given(STAFF, *past.REVIEWER).and_then(grant, staff())
    revoke = RevokeRole(person=ME, role="university_admin", organisation="university")
    granted.when(revoke, staff()).then(RoleRevoked(role="university_admin", organisation="university"))


@pytest.mark.parametrize(
    ("role", "at", "code"),
    [
        ("university_admin", "point-1", "identity.role_does_not_fit"),
        ("teaching_point_admin", "university", "identity.role_does_not_fit"),
        ("teaching_point_admin", "*", "identity.role_does_not_fit"),
        ("emperor", "university", "identity.no_such_role"),
        ("university_admin", "nowhere", "identity.no_such_organisation"),
        ("teaching_point_admin", "closed-point", "identity.organisation_closed"),
    ],
)
def test_a_role_that_does_not_fit_its_organisation_is_refused(role: str, at: str, code: str) -> None:
    given(STAFF, *past.WORKING).when(GrantRole(person=ME, role=role, organisation=at), staff()).refused(code)


def test_a_role_at_a_closed_organisation_can_still_be_revoked() -> None:
    held = RoleGranted(role="teaching_point_admin", organisation="closed-point")
    revoke = RevokeRole(person=ME, role="teaching_point_admin", organisation="closed-point")
    given(STAFF, *past.WORKING, held).when(revoke, staff()).then_kinds(RoleRevoked)


def test_nobody_changes_their_own_roles() -> None:
    mine = RevokeRole(person=ADMIN, role="administrator", organisation="*")
    given(STAFF, *past.FIRST).when(mine, staff(actor=ADMIN)).refused("identity.not_your_own_roles")


def test_nobody_is_added_to_a_closed_organisation() -> None:
    add = AddStaff(person=ME, login="li.lei", name="样本乙", organisation="closed-point")
    given(STAFF).when(add, staff()).refused("identity.organisation_closed")


@pytest.mark.parametrize(
    ("level", "parent", "code"),
    [
        ("teaching_point", None, "identity.level_does_not_fit"),
        ("university", "point-1", "identity.level_does_not_fit"),
        ("kingdom", None, "identity.no_such_level"),
        ("teaching_point", "nowhere", "identity.no_such_organisation"),
        ("teaching_point", "closed-point", "identity.organisation_closed"),
    ],
)
def test_an_organisation_stands_only_where_its_level_may(level: str, parent: str | None, code: str) -> None:
    add = AddOrganisation(organisation="new", title="新机构", level=level, parent=parent, phones=())
    given(ORGANISATION).when(add, organisation()).refused(code)


def test_an_organisation_with_open_ones_below_it_is_not_closed() -> None:
    close = CloseOrganisation(organisation="university")
    given(ORGANISATION, *past.UNIVERSITY).when(close, organisation()).refused(
        "identity.organisation_has_children", children=1
    )


def test_a_teaching_point_is_added_under_its_university() -> None:
    add = AddOrganisation(
        organisation="point-9",
        title="样本助学点",
        level="teaching_point",
        parent="university",
        phones=("0816-1234567",),
    )
    given(ORGANISATION).when(add, organisation(OF_THE_UNIVERSITY)).then(
        OrganisationAdded(
            organisation="point-9",
            title="样本助学点",
            level="teaching_point",
            parent="university",
            phones=("0816-1234567",),
        )
    )


# --- what staff hold

RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"  # RFC 6238: "12345678901234567890"


def test_a_code_of_the_step_before_or_after_is_accepted_and_says_which_step_it_was() -> None:
    secret = new_secret()
    step = int(NOW.timestamp()) // 30
    for around in (-1, 0, 1):
        assert step_of(secret, pyotp.TOTP(secret).at((step + around) * 30), NOW) == step + around
    for far in (-2, 2):
        assert step_of(secret, pyotp.TOTP(secret).at((step + far) * 30), NOW) is None


def test_the_vector_of_rfc_6238_gives_its_step() -> None:
    assert step_of(RFC_SECRET, "287082", datetime.fromtimestamp(59, UTC)) == 1


@pytest.mark.parametrize("typed", ["", "12345", "abcdef", "１２３４５６", "123456\x00"])
def test_text_that_is_no_one_time_code_is_only_wrong(typed: str) -> None:
    assert step_of(RFC_SECRET, typed, NOW) is None


def test_an_activation_code_is_typed_with_or_without_hyphens_and_in_small_letters() -> None:
    code = activation_code(lambda kind, value: (kind + value).encode().ljust(32), ME, 1)
    assert same_code(code, code.replace("-", "").lower())
    assert not same_code(code, code[:-1])
    assert code != activation_code(lambda kind, value: (kind + value).encode()[::-1].ljust(32), ME, 2)


def test_the_authenticator_is_told_who_and_where() -> None:
    uri = otpauth_uri(RFC_SECRET, "li.lei")
    assert uri == f"otpauth://totp/Zikao:li.lei?secret={RFC_SECRET}&issuer=Zikao"
