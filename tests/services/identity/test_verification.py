"""身份认证: who may do what about a person's verification, in sentences. Every person here is invented."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from services.identity.domain.commands import (
    FailVerification,
    PassVerification,
    VerificationCommand,
    VerifyInPerson,
)
from services.identity.domain.verification import (
    VERIFICATION,
    Collecting,
    Failed,
    VerificationContext,
    Verified,
    Waiting,
)
from shared.events.identity import (
    ManualVerificationOpened,
    PersonVerified,
    PhotographRefused,
    PhotographsSubmitted,
    PhotographViewed,
    VerificationEvent,
    VerificationFailed,
    VerificationStarted,
)
from shared.kernel.errors import Refused
from shared.testing.given import given
from tests.services.identity.past import ME, NOW
from tests.services.identity.photographed import (
    ALL_SAME,
    BOOK,
    CLERK,
    COMPLETE,
    COUNTY,
    FAIL,
    FAILED,
    IN_PERSON,
    OTHER_COUNTY,
    OWN,
    PAIRS,
    PASS,
    RULES,
    STARTED,
    SUBMIT,
    SUBMITTED,
    THREE,
    VERIFIED,
    VIEW,
    WAITING,
    accepted,
    context,
    received,
    start,
    started,
)

# --- the way that most go


def test_a_new_candidate_hands_in_three_photographs_and_is_verified_by_the_clerk_of_the_office_chosen() -> None:
    so_far = given(VERIFICATION).and_then(start(binding=True), OWN)
    for slot in THREE:
        so_far = so_far.and_then(received(slot), OWN)
    outcome = so_far.and_then(SUBMIT, OWN).when(PASS, context())
    (verified,) = outcome.happened()
    assert isinstance(verified, PersonVerified)
    assert (verified.jurisdiction, verified.level, verified.verified_by) == ("sx", "photographs", CLERK)
    assert verified.pairs == ALL_SAME
    assert isinstance(outcome.state, Verified)


def test_what_is_handed_in_waits_for_a_role_at_the_office_within_five_days() -> None:
    (submitted,) = given(VERIFICATION, *COMPLETE).when(SUBMIT, OWN).happened()
    assert isinstance(submitted, PhotographsSubmitted)
    assert (submitted.role, submitted.organisation) == ("authority_clerk", COUNTY)
    assert submitted.due_at == NOW + timedelta(days=5)
    assert submitted.photographs == {slot: f"digest of {slot}" for slot in THREE}


def test_an_enrolled_candidate_is_asked_for_two_photographs_which_are_one_pair() -> None:
    past = (started("enrolled_candidate"), accepted("id_front"), accepted("holding_id", "p2"))
    (submitted,) = given(VERIFICATION, *past).when(SUBMIT, OWN).happened()
    assert isinstance(submitted, PhotographsSubmitted)
    assert submitted.pairs == ("holding_id+id_front",)


# --- routes


def test_an_enrolled_candidate_needs_a_ticket_number_and_a_new_one_does_not() -> None:
    without = replace(OWN, has_ticket_number=False)
    given(VERIFICATION).when(start("enrolled_candidate"), without).refused("identity.ticket_number_missing")
    given(VERIFICATION).when(start("new_candidate"), without).then_kinds(VerificationStarted)


def test_a_route_that_the_book_does_not_have_is_refused_with_those_it_has() -> None:
    outcome = given(VERIFICATION).when(start("by_horse"), OWN)
    outcome.refused("identity.no_such_route", routes=["new_candidate", "enrolled_candidate"])


@pytest.mark.parametrize(
    ("organisation", "code"),
    [
        ("nowhere", "identity.no_such_organisation"),
        ("closed-county", "identity.organisation_closed"),
        ("county-elsewhere", "identity.does_not_decide_here"),
        ("sx-prov", "identity.does_not_decide_here"),
    ],
)
def test_an_office_that_does_not_decide_cannot_be_chosen(organisation: str, code: str) -> None:
    given(VERIFICATION).when(start(organisation=organisation), OWN).refused(code)


def test_where_people_must_be_seen_photographs_are_not_taken() -> None:
    onsite = RULES.onsite_confirmation.model_copy(update={"kind": "only"})
    only = replace(OWN, rules=RULES.model_copy(update={"onsite_confirmation": onsite}))
    given(VERIFICATION).when(start(), only).refused("identity.only_in_person")


def test_whoever_begins_anew_on_another_route_keeps_the_photographs_that_it_asks_for_and_stays_bound() -> None:
    again = given(VERIFICATION, *COMPLETE).and_then(start("enrolled_candidate"), OWN)
    state = again.state
    assert isinstance(state, Collecting)
    assert set(state.photographs) == {"id_front", "holding_id"}
    assert state.binding


# --- photographs


def test_another_photograph_for_the_same_place_takes_its_place() -> None:
    again = given(VERIFICATION, *COMPLETE).and_then(received("portrait", picture="better"), OWN)
    (submitted,) = again.when(SUBMIT, OWN).happened()
    assert isinstance(submitted, PhotographsSubmitted)
    assert submitted.photographs["portrait"] == "digest of better"


def test_a_photograph_that_is_not_asked_for_is_refused_with_those_that_are() -> None:
    given(VERIFICATION, *STARTED).when(received("passport"), OWN).refused(
        "identity.no_such_photograph", slots=list(THREE)
    )


def test_nothing_can_be_handed_in_before_every_photograph_is_there() -> None:
    outcome = given(VERIFICATION, *STARTED, accepted("portrait")).when(SUBMIT, OWN)
    outcome.refused(
        "identity.photographs_missing", photographs=["考生身份证照片（人像面）", "考生手持身份证照（半身）"]
    )


def test_what_was_handed_in_cannot_be_exchanged_before_it_is_decided() -> None:
    waiting = given(VERIFICATION, *WAITING)
    waiting.when(received("portrait", picture="another"), OWN).refused("identity.verification_waiting")
    waiting.when(start("enrolled_candidate"), OWN).refused("identity.verification_waiting")
    waiting.when(SUBMIT, OWN).refused("identity.verification_waiting")


def test_so_many_refused_photographs_open_the_manual_way_once() -> None:
    assert RULES.by_hand is not None
    so_far = given(VERIFICATION, *STARTED, accepted("portrait"), accepted("id_front", "p2"))
    bad = received("holding_id", accepted=False)
    for _ in range(RULES.by_hand.refused_photos - 1):
        so_far.when(bad, OWN).then_kinds(PhotographRefused)
        so_far = so_far.and_then(bad, OWN)
    outcome = so_far.when(bad, OWN).then_kinds(PhotographRefused, ManualVerificationOpened)
    opened = outcome.state
    assert isinstance(opened, Collecting)
    assert opened.by_hand
    assert set(opened.photographs) == {"id_front"}  # what was good stays; the portrait is not asked for any more
    so_far.and_then(bad, OWN).when(bad, OWN).then_kinds(PhotographRefused)


def test_by_hand_both_sides_of_the_card_are_asked_for_and_its_back_is_compared_with_nobody() -> None:
    opened = ManualVerificationOpened(refused=5, slots=("id_front", "id_back", "holding_id"), clause="c")
    past = (*STARTED, opened, accepted("id_front"), accepted("holding_id", "p2"))
    given(VERIFICATION, *past).when(SUBMIT, OWN).refused("identity.photographs_missing")
    (submitted,) = given(VERIFICATION, *past, accepted("id_back", "p3")).when(SUBMIT, OWN).happened()
    assert isinstance(submitted, PhotographsSubmitted)
    assert submitted.pairs == ("holding_id+id_front",)


# --- the decision


def test_every_pair_is_a_question_of_its_own() -> None:
    two = dict.fromkeys(PAIRS[:2], True)
    waiting = given(VERIFICATION, *WAITING)
    waiting.when(PassVerification(person=ME, attempt=1, pairs=two), context()).refused(
        "identity.pairs_unanswered", pairs=[PAIRS[2]]
    )
    differ = PassVerification(person=ME, attempt=1, pairs={**ALL_SAME, PAIRS[1]: False})
    waiting.when(differ, context()).refused("identity.pairs_differ", pairs=[PAIRS[1]])
    strange = PassVerification(person=ME, attempt=1, pairs={**ALL_SAME, "id_front+moon": True})
    waiting.when(strange, context()).refused("identity.no_such_pair", count=1)


def test_a_failure_says_why_which_pair_differs_and_in_the_clerks_words() -> None:
    (failed,) = given(VERIFICATION, *WAITING).when(replace_note(FAIL, "左边的不是同一人"), context()).happened()
    assert isinstance(failed, VerificationFailed)
    assert (failed.reason_code, failed.note, failed.pairs) == (
        "not_one_person",
        "左边的不是同一人",
        {PAIRS[0]: False},
    )


def replace_note(command: FailVerification, note: str) -> FailVerification:
    return FailVerification(
        person=command.person, attempt=command.attempt, reason_code=command.reason_code, note=note, pairs=command.pairs
    )


def test_a_reason_that_the_book_does_not_have_is_refused() -> None:
    strange = FailVerification(person=ME, attempt=1, reason_code="dislike", note="", pairs={})
    given(VERIFICATION, *WAITING).when(strange, context()).refused("identity.no_such_reason")


def test_after_a_failure_another_try_is_open_once_something_new_was_uploaded() -> None:
    failed = given(VERIFICATION, *FAILED)
    assert isinstance(failed.state, Failed)
    failed.when(SUBMIT, OWN).refused("identity.nothing_new_to_verify")
    (submitted,) = failed.and_then(received("id_front", picture="new"), OWN).when(SUBMIT, OWN).happened()
    assert isinstance(submitted, PhotographsSubmitted)
    assert submitted.attempt == 2
    assert submitted.photographs["portrait"] == "digest of portrait"  # what was good need not come again


def test_a_decision_about_what_was_handed_in_before_is_refused() -> None:
    second = replace_attempt(SUBMITTED, 2)
    given(VERIFICATION, *FAILED, accepted("id_front", "new"), second).when(PASS, context()).refused(
        "identity.submitted_again", attempt=2
    )


def replace_attempt(event: PhotographsSubmitted, attempt: int) -> PhotographsSubmitted:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return PhotographsSubmitted(**{**fields, "attempt": attempt})


@pytest.mark.parametrize("command", [PASS, FAIL, VIEW])
@pytest.mark.parametrize(
    "who",
    [
        context(at=OTHER_COUNTY),
        context(at="sx-prov"),
        context(role="university_admin"),
        context(role="administrator", at="*"),
        replace(context(), roles=()),
        context(actor=ME),
    ],
    ids=["another county", "the province", "another role", "an administrator", "no role", "the person themselves"],
)
def test_only_a_clerk_of_that_office_decides_or_looks_and_nobody_about_themselves(
    command: VerificationCommand, who: VerificationContext
) -> None:
    given(VERIFICATION, *WAITING).when(command, who).refused("access.not_allowed")


def test_a_role_held_everywhere_is_held_at_that_office() -> None:
    given(VERIFICATION, *WAITING).when(PASS, context(at="*")).then_kinds(PersonVerified)
    given(VERIFICATION, *WAITING).when(VIEW, context()).then(PhotographViewed(attempt=1, slot="portrait", viewer=CLERK))


# --- in person


@pytest.mark.parametrize("past", [(), STARTED, WAITING, FAILED], ids=["nothing", "begun", "waiting", "failed"])
def test_who_was_seen_with_papers_is_verified_whatever_the_photographs_came_to(
    past: tuple[VerificationEvent, ...],
) -> None:
    (verified,) = given(VERIFICATION, *past).when(IN_PERSON, context()).happened()
    assert isinstance(verified, PersonVerified)
    assert (verified.level, verified.documents) == ("in_person", ("id_card",))
    assert verified.evidence == "本人到场，查验身份证原件"
    assert verified.verified_by == CLERK


def test_in_person_the_papers_that_were_seen_must_be_named() -> None:
    for documents in ((), ("id_card", "library_card")):
        command = VerifyInPerson(person=ME, book=BOOK, organisation=COUNTY, documents=documents, evidence="见本人")
        given(VERIFICATION).when(command, context()).refused("identity.no_such_document")


def test_in_person_only_the_office_chosen_vouches_and_nobody_for_themselves() -> None:
    elsewhere = VerifyInPerson(
        person=ME, book=BOOK, organisation=OTHER_COUNTY, documents=("id_card",), evidence="见本人"
    )
    given(VERIFICATION, *STARTED).when(elsewhere, context(at=OTHER_COUNTY)).refused("access.not_allowed")
    given(VERIFICATION).when(elsewhere, context(at=OTHER_COUNTY)).then_kinds(PersonVerified)
    given(VERIFICATION).when(IN_PERSON, context(at=OTHER_COUNTY)).refused("access.not_allowed")
    given(VERIFICATION).when(IN_PERSON, context(actor=ME)).refused("access.not_allowed")


# --- every state x command

COMMANDS: list[VerificationCommand] = [start(), received("portrait"), SUBMIT, VIEW, PASS, FAIL, IN_PERSON]
NOT_BEGUN, WAITS, DONE = (
    "identity.verification_not_started",
    "identity.verification_waiting",
    "identity.already_verified",
)
NONE, IDLE, NEW = "access.not_found", "identity.not_waiting", "identity.nothing_new_to_verify"
# fmt: off
CELLS = {
    #             start  upload     submit                          view  pass  fail  in person
    "nothing":   ("ok",  NOT_BEGUN, NOT_BEGUN,                      NONE, NONE, NONE, "ok"),
    "started":   ("ok",  "ok",      "identity.photographs_missing", IDLE, IDLE, IDLE, "ok"),
    "complete":  ("ok",  "ok",      "ok",                           IDLE, IDLE, IDLE, "ok"),
    "waiting":   (WAITS, WAITS,     WAITS,                          "ok", "ok", "ok", "ok"),
    "failed":    ("ok",  "ok",      NEW,                            IDLE, IDLE, IDLE, "ok"),
    "verified":  (DONE,  DONE,      DONE,                           IDLE, IDLE, IDLE, DONE),
}
# fmt: on
PASTS = {
    "nothing": (),
    "started": STARTED,
    "complete": COMPLETE,
    "waiting": WAITING,
    "failed": FAILED,
    "verified": VERIFIED,
}


@pytest.mark.parametrize("state", CELLS)
def test_every_command_in_every_state(state: str) -> None:
    def cell(command: VerificationCommand) -> str:
        try:
            return "ok" if VERIFICATION.decide(command, VERIFICATION.replay(PASTS[state]), context()) else "-"
        except Refused as refused:
            return refused.code

    assert tuple(cell(command) for command in COMMANDS) == CELLS[state]


def test_the_table_leaves_out_no_command() -> None:
    assert {type(command) for command in COMMANDS} == {*get_args(VerificationCommand)}


def test_a_waiting_verification_knows_what_it_waits_for() -> None:
    state = given(VERIFICATION, *WAITING).state
    assert isinstance(state, Waiting)
    assert (state.attempt, state.pairs) == (1, PAIRS)
