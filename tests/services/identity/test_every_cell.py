"""Tables without gaps: every state x command of the three deciders, and every administrator x organisation.

A cell is `ok` (events), `-` (nothing to do) or the code of the refusal. A forgotten guard shows as a changed cell.
"""
# ruff: noqa: E501 - tables are read by column

from contextlib import suppress
from datetime import timedelta
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.domain.account import ACCOUNT
from services.identity.domain.commands import (
    AbandonRegistration,
    AccountCommand,
    ActivateStaff,
    AddFirstAdministrator,
    AddOrganisation,
    AddStaff,
    AskMobileReplacement,
    ChoosePassword,
    CloseOrganisation,
    ConfirmSecondFactor,
    EndSession,
    ErasePerson,
    GrantRole,
    LockAccount,
    OrganisationCommand,
    PersonCommand,
    ProveMobile,
    RecordKeyDestroyed,
    RegisterAccount,
    RenameOrganisation,
    RenewActivation,
    ReplaceMobile,
    ReplaceMobileInPerson,
    ReplacePassword,
    ResetPassword,
    RevokeRole,
    SendCodeAgain,
    SendResetCode,
    SignIn,
    StaffCommand,
    StartRegistration,
)
from services.identity.domain.organisation import ORGANISATION
from services.identity.domain.staff import STAFF
from shared.events.identity import ActivationRenewed, SignedIn
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Command
from tests.services.identity import past
from tests.services.identity.past import ADMIN, EVERYTHING, ID_NUMBER, ME, MOBILE, NOW, OTHER_MOBILE

OF_PERSONS: list[Command] = [
    SignIn(person=ME, one_time_code="123456"),
    EndSession(person=ME, session="session-1", reason="signed_out"),
    LockAccount(person=ME, until=NOW, failures=5),
    ReplacePassword(person=ME, password_hash="hash-2"),
    ErasePerson(person=ME, ground="asked_by_person"),
    RecordKeyDestroyed(person=ME),
]
OF_ACCOUNTS: list[Command] = [
    StartRegistration(person=ME, mobile=MOBILE, code="123456"),
    SendCodeAgain(person=ME, code="123456"),
    ProveMobile(person=ME, code="123456"),
    ChoosePassword(person=ME, password_hash="hash-1"),
    RegisterAccount(person=ME, name="样本甲", id_number=ID_NUMBER, ticket_number=""),
    SendResetCode(person=ME, code="123456"),
    ResetPassword(person=ME, code="123456", id_number=ID_NUMBER, password_hash="hash-2", password_is_personal=False),
    AskMobileReplacement(person=ME, mobile=OTHER_MOBILE, code="123456"),
    ReplaceMobile(person=ME, code="123456"),
    ReplaceMobileInPerson(person=ME, mobile=OTHER_MOBILE, evidence="身份证原件"),
    AbandonRegistration(person=ME),
    *OF_PERSONS,
]
OF_STAFF: list[Command] = [
    AddFirstAdministrator(person=ME, login="li.lei", name="样本乙"),
    AddStaff(person=ME, login="li.lei", name="样本乙", organisation="point-1"),
    RenewActivation(person=ME),
    ActivateStaff(person=ME, activation_code="CODE", password_hash="hash-1", totp_secret="SECRET"),
    ConfirmSecondFactor(person=ME, activation_code="CODE", one_time_code="123456"),
    GrantRole(person=ME, role="teaching_point_admin", organisation="point-1"),
    RevokeRole(person=ME, role="teaching_point_admin", organisation="point-1"),
    *OF_PERSONS,
]
OF_ORGANISATIONS: list[Command] = [
    AddOrganisation(organisation="university", title="样本大学", level="university", parent=None, phones=()),
    RenameOrganisation(organisation="other-university", title="样本大学", phones=()),
    CloseOrganisation(organisation="other-university"),
]

DONE, NONE, GONE = "identity.already_registered", "identity.no_account", "identity.no_registration"
MISSING, PROVED, STALE = "identity.step_missing", "identity.mobile_already_proved", "identity.sms_code_expired"
RESET = "identity.reset_refused"

# fmt: off
ACCOUNT_CELLS = {
    #              start  again   prove   choose   register send  reset  ask   new    person abandon in    end   lock  pw    erase destroyed
    "nothing":    ("ok",  GONE,   GONE,   GONE,    GONE,    NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, NONE, "-"),
    "started":    (DONE,  "ok",   "ok",   MISSING, MISSING, NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, "ok", "-"),
    "proved":     (DONE,  PROVED, PROVED, "ok",    MISSING, NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, "ok", "-"),
    "chosen":     (DONE,  PROVED, PROVED, "ok",    "ok",    NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, "ok", "-"),
    "registered": (DONE,  DONE,   DONE,   DONE,    DONE,    "ok", RESET, "ok", STALE, "ok",  "-",    "ok", "ok", "ok", "ok", "ok", "-"),
    "resetting":  (DONE,  DONE,   DONE,   DONE,    DONE,    "ok", "ok",  "ok", STALE, "ok",  "-",    "ok", "ok", "ok", "ok", "ok", "-"),
    "replacing":  (DONE,  DONE,   DONE,   DONE,    DONE,    "ok", RESET, "ok", "ok",  "ok",  "-",    "ok", "ok", "ok", "ok", "ok", "-"),
    "erased":     (DONE,  GONE,   GONE,   GONE,    GONE,    NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, NONE, "ok"),
    "destroyed":  (DONE,  GONE,   GONE,   GONE,    GONE,    NONE, NONE,  NONE, NONE,  NONE,  "-",    NONE, NONE, NONE, NONE, NONE, "-"),
}
THERE, REFUSED, WRONG = "identity.already_staff", "identity.activation_refused", "identity.login_wrong"
NOT_HELD, HELD = "identity.role_not_held", "identity.role_already_held"
STAFF_CELLS = {
    #             first  add    renew  activate confirm  grant revoke    in     end   lock  pw    erase destroyed
    "nothing":   ("ok",  "ok",  NONE,  REFUSED, REFUSED, NONE, NONE,     WRONG, NONE, NONE, NONE, NONE, "-"),
    "added":     (THERE, THERE, "ok",  "ok",    MISSING, "ok", NOT_HELD, WRONG, NONE, NONE, NONE, "ok", "-"),
    "enrolling": (THERE, THERE, "ok",  "ok",    "ok",    "ok", NOT_HELD, WRONG, NONE, NONE, NONE, "ok", "-"),
    "working":   (THERE, THERE, "ok",  REFUSED, REFUSED, "ok", NOT_HELD, "ok",  "ok", "ok", "ok", "ok", "-"),
    "reviewer":  (THERE, THERE, "ok",  REFUSED, REFUSED, HELD, "ok",     "ok",  "ok", "ok", "ok", "ok", "-"),
    "erased":    (THERE, THERE, NONE,  REFUSED, REFUSED, NONE, NONE,     WRONG, NONE, NONE, NONE, NONE, "ok"),
}
UNKNOWN, EXISTS, SHUT = "identity.no_such_organisation", "identity.organisation_exists", "identity.organisation_closed"
ORGANISATION_CELLS = {
    #           add     rename   close
    "nothing": ("ok",   UNKNOWN, UNKNOWN),
    "open":    (EXISTS, "ok",    "ok"),
    "closed":  (EXISTS, SHUT,    SHUT),
}
# fmt: on

ACCOUNTS = {
    "nothing": (),
    "started": past.STARTED,
    "proved": past.PROVED,
    "chosen": past.CHOSEN,
    "registered": past.REGISTERED,
    "resetting": past.RESETTING,
    "replacing": past.REPLACING,
    "erased": past.ERASED,
    "destroyed": past.DESTROYED,
}
STAFF_PASTS = {
    "nothing": (),
    "added": past.ADDED,
    "enrolling": past.ENROLLING,
    "working": past.WORKING,
    "reviewer": past.REVIEWER,
    "erased": past.STAFF_ERASED,
}
ORGANISATIONS = {"nothing": (), "open": past.UNIVERSITY, "closed": past.CLOSED}


def cell(decider: Decider[Any, Any, Any, Any], events: Any, command: Command, context: Any) -> str:
    try:
        return "ok" if decider.decide(command, decider.replay(events), context) else "-"
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize("state", ACCOUNT_CELLS)
def test_every_command_on_an_account_in_every_state(state: str) -> None:
    context = past.account(roles=EVERYTHING | {("authority_clerk", "*")})
    row = tuple(cell(ACCOUNT, ACCOUNTS[state], command, context) for command in OF_ACCOUNTS)
    assert row == ACCOUNT_CELLS[state]


@pytest.mark.parametrize("state", STAFF_CELLS)
def test_every_command_on_staff_in_every_state(state: str) -> None:
    row = tuple(cell(STAFF, STAFF_PASTS[state], command, past.staff()) for command in OF_STAFF)
    assert row == STAFF_CELLS[state]


@pytest.mark.parametrize("state", ORGANISATION_CELLS)
def test_every_command_on_an_organisation_in_every_state(state: str) -> None:
    row = tuple(cell(ORGANISATION, ORGANISATIONS[state], command, past.organisation()) for command in OF_ORGANISATIONS)
    assert row == ORGANISATION_CELLS[state]


def test_the_tables_leave_out_no_command() -> None:
    assert {type(command) for command in OF_ACCOUNTS} == {*get_args(AccountCommand), *get_args(PersonCommand)}
    assert {type(command) for command in OF_STAFF} == {*get_args(StaffCommand), *get_args(PersonCommand)}
    assert {type(command) for command in OF_ORGANISATIONS} == {*get_args(OrganisationCommand)}


MOMENTS = st.integers(0, 30 * 3600).map(lambda seconds: NOW + timedelta(seconds=seconds))


@given(st.lists(st.tuples(st.sampled_from(OF_ACCOUNTS), MOMENTS, st.sampled_from([past.CODE, "wrong"])), max_size=25))
def test_an_account_answers_any_run_of_commands_with_events_or_a_code(run: list[Any]) -> None:
    events: list[Any] = []
    for command, now, digest in run:
        context = past.account(now, digest, EVERYTHING | {("authority_clerk", "*")})
        with suppress(Refused):
            events += ACCOUNT.decide(command, ACCOUNT.replay(events), context)
    ACCOUNT.replay(events)


@given(st.lists(st.tuples(st.sampled_from(OF_STAFF), MOMENTS, st.integers(98, 104)), max_size=25))
def test_staff_answers_any_run_of_commands_with_events_or_a_code_and_no_step_serves_twice(run: list[Any]) -> None:
    events: list[Any] = []
    for command, now, step in run:
        with suppress(Refused):
            events += STAFF.decide(command, STAFF.replay(events), past.staff(now=now, step=step))
    STAFF.replay(events)
    used = [event.second_factor_step or 0 for event in events if isinstance(event, SignedIn)]
    if not any(isinstance(event, ActivationRenewed) for event in events):  # which brings a new secret
        assert used == sorted(set(used))


NO = "access.not_allowed"
WHO = {
    "nobody": frozenset[tuple[str, str]](),
    "administrator of everything": EVERYTHING,
    "administrator of the university": frozenset({("administrator", "university")}),
    "administrator of the point": frozenset({("administrator", "point-1")}),
    "administrator of another university": frozenset({("administrator", "other-university")}),
    "university admin": frozenset({("university_admin", "university")}),
    "teaching point admin": frozenset({("teaching_point_admin", "point-1")}),
    "auditor of everything": frozenset({("auditor", "*")}),
    "clerk of everything": frozenset({("authority_clerk", "*")}),
}
# fmt: off
REACH = {
    #                                       grant *   university  point-1  other  |  add staff at point-1 | child of university | root | erase
    "nobody":                              (NO,       NO,         NO,      NO,       NO,                     NO,                   NO,    NO),
    "administrator of everything":         ("ok",     "ok",       "ok",    "ok",     "ok",                   "ok",                 "ok",  "ok"),
    "administrator of the university":     (NO,       "ok",       "ok",    NO,       "ok",                   "ok",                 NO,    NO),
    "administrator of the point":          (NO,       NO,         "ok",    NO,       "ok",                   NO,                   NO,    NO),
    "administrator of another university": (NO,       NO,         NO,      "ok",     NO,                     NO,                   NO,    NO),
    "university admin":                    (NO,       NO,         NO,      NO,       NO,                     NO,                   NO,    NO),
    "teaching point admin":                (NO,       NO,         NO,      NO,       NO,                     NO,                   NO,    NO),
    "auditor of everything":               (NO,       NO,         NO,      NO,       NO,                     NO,                   NO,    NO),
    "clerk of everything":                 (NO,       NO,         NO,      NO,       NO,                     NO,                   NO,    NO),
}
# fmt: on


@pytest.mark.parametrize("who", WHO)
def test_an_administrator_reaches_their_organisation_and_what_is_below_it_and_nothing_else(who: str) -> None:
    roles = WHO[who]
    context = past.staff(roles, actor="somebody")
    grants = [
        cell(STAFF, past.WORKING, GrantRole(person=ME, role="administrator", organisation=at), context)
        for at in ("*", "university", "point-1", "other-university")
    ]
    add = AddStaff(person=ME, login="li.lei", name="样本乙", organisation="point-1")
    added = cell(STAFF, (), add, context)
    placed = [
        cell(ORGANISATION, (), _organisation(level, parent), past.organisation(roles))
        for level, parent in (("teaching_point", "university"), ("province", None))
    ]
    erased = cell(STAFF, past.WORKING, ErasePerson(person=ME, ground="asked_by_person"), context)
    assert (*grants, added, *placed, erased) == REACH[who]


def _organisation(level: str, parent: str | None) -> AddOrganisation:
    return AddOrganisation(organisation="new", title="新机构", level=level, parent=parent, phones=())


def test_nobody_grants_to_themselves_however_high() -> None:
    mine = GrantRole(person=ADMIN, role="auditor", organisation="*")
    assert cell(STAFF, past.WORKING, mine, past.staff(actor=ADMIN)) == "identity.not_your_own_roles"
