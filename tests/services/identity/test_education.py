"""前置学历 as pure rules: every state x command, what a form may say, what an answer means, what a book may say."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, get_args
from uuid import UUID

import pytest
from pydantic import ValidationError

from services.identity.domain.commands import (
    BeginCheck,
    CycleCommand,
    EducationCommand,
    RecordCall,
    RecordChsiAnswer,
    SavePriorEducation,
    SettleContradiction,
    StartPriorEducation,
    SubmitPriorEducation,
    TakeBackPriorEducation,
)
from services.identity.domain.education import EDUCATION
from services.identity.domain.education_record import Checking, EducationContext, NotEffective
from services.identity.domain.education_rules import PriorEducation, Rules, checked_form
from services.identity.domain.followed import CYCLE_FOLLOWED, Cycle
from services.identity.reactions import REACTIONS
from shared.events import exemption
from shared.events.identity import (
    EducationAnswered,
    EducationCheckAccepted,
    EducationCheckAttempted,
    EducationCheckUnresolved,
    EducationDraftSaved,
    EducationEvent,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationStarted,
    PriorEducationSubmitted,
    PriorEducationTakenBack,
)
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.errors import Refused
from shared.kernel.messages import Event, Fact, Meta
from shared.schemes.procedure import Window
from shared.testing.given import given
from tests.services.identity.schooling import RULES, SCHEME, TO_DAY, form

NOW = datetime(2026, 3, 10, 2, 0, tzinfo=UTC)
ME, REQUEST, RECORD = "person-1", "request-1", "record-1"
NAME = "𠮷田样本"
CYCLE = Cycle(SCHEME, "样本批次", {"prior_education": Window(date(2026, 3, 1), TO_DAY)})
FOUND = {"result": "found", "on_record": form()}
NOT_FOUND = {"result": "not_found"}

STARTED: tuple[EducationEvent, ...] = (
    PriorEducationStarted(candidate=ME, cycle="cycle-1", scheme=SCHEME, commitment=1, agreed_at=NOW, clause=""),
)
SAVED: tuple[EducationEvent, ...] = (*STARTED, EducationDraftSaved(form=form()))
SUBMITTED: tuple[EducationEvent, ...] = (
    *SAVED,
    PriorEducationSubmitted(submission=1, form=form(), check_at=NOW, clause=""),
)
TRIED: tuple[EducationEvent, ...] = (
    *SUBMITTED,
    EducationCheckAttempted(attempt=1, request=REQUEST, tried_at=NOW, ask_at=NOW),
)
TAKEN: tuple[EducationEvent, ...] = (*TRIED, EducationCheckAccepted(request=REQUEST, ask_at=NOW))
UNRESOLVED: tuple[EducationEvent, ...] = (*TAKEN, EducationCheckUnresolved(reason="no_answer"))
TAKEN_BACK: tuple[EducationEvent, ...] = (*UNRESOLVED, PriorEducationTakenBack())


def decided(answer: dict[str, Any], outcome: EducationEvent) -> tuple[EducationEvent, ...]:
    return (*TAKEN, EducationAnswered(request=REQUEST, standing="decides", answer=answer), outcome)


EFFECTIVE = decided(
    FOUND,
    PriorEducationConfirmed(
        candidate=ME,
        cycle="cycle-1",
        scheme=SCHEME,
        level="31",
        category="ordinary",
        certificate_number="X",
        school="x",
        major="x",
        graduated_on="x",
        clause="",
    ),
)
NOT_EFFECTIVE = decided(NOT_FOUND, PriorEducationNotConfirmed(reason="not_found", differences={}, clause=""))


def context(**known: Any) -> EducationContext:
    usual: dict[str, Any] = {"now": NOW, "actor": ME, "rules": RULES, "cycle": CYCLE, "holder": NAME}
    return EducationContext(**usual | {"new_request": "request-2"} | known)


def with_rule(name: str, value: Any) -> Rules:
    rule = getattr(RULES.book, name).model_copy(update={"value": value})
    return replace(RULES, book=RULES.book.model_copy(update={name: rule}))


# --- every cell

COMMANDS: list[EducationCommand] = [
    StartPriorEducation(cycle="cycle-1", commitment=1),
    SavePriorEducation(record=RECORD, form=form()),
    SubmitPriorEducation(record=RECORD),
    TakeBackPriorEducation(record=RECORD),
    BeginCheck(record=RECORD, due_at=NOW),
    RecordCall(record=RECORD, request=REQUEST, result=Accepted(None)),
    RecordChsiAnswer(request=REQUEST, answer=NOT_FOUND),
    SettleContradiction(record=RECORD, request=REQUEST, seen=2, counts=2, note="样本：以第二次为准"),
]
THERE, NONE, ASKED = "identity.education_already_started", "access.not_found", "identity.no_such_check"
SENT, KEPT = "identity.education_submitted", "identity.education_in_effect"
BACK = "identity.education_cannot_be_taken_back"
CLERK, QUIET = "access.not_allowed", "identity.nothing_to_settle"
CELLS: dict[str, tuple[Sequence[EducationEvent], tuple[str, ...]]] = {
    # state: past, start, save, submit, take back, begin, call, answer, settle
    "nothing": ((), ("ok", NONE, NONE, NONE, "-", "-", ASKED, NONE)),
    "draft": (SAVED, (THERE, "ok", "ok", BACK, "-", "-", ASKED, CLERK)),
    "submitted": (SUBMITTED, (THERE, SENT, SENT, BACK, "ok", "-", ASKED, CLERK)),
    "tried": (TRIED, (THERE, SENT, SENT, BACK, "-", "ok", "ok", CLERK)),
    "taken": (TAKEN, (THERE, SENT, SENT, BACK, "-", "ok", "ok", CLERK)),
    "unresolved": (UNRESOLVED, (THERE, SENT, SENT, "ok", "-", "-", "ok", CLERK)),
    "taken back": (TAKEN_BACK, (THERE, "ok", "ok", BACK, "-", "-", "ok", CLERK)),
    "effective": (EFFECTIVE, (THERE, KEPT, KEPT, BACK, "-", "-", "ok", CLERK)),
    "not effective": (NOT_EFFECTIVE, (THERE, "ok", "ok", BACK, "-", "-", "-", CLERK)),
}


@pytest.mark.parametrize("state", CELLS)
def test_every_command_in_every_state(state: str) -> None:
    past, expected = CELLS[state]
    assert {type(command) for command in COMMANDS} == set(get_args(EducationCommand))
    found = []
    for command in COMMANDS:
        outcome = given(EDUCATION, *past).when(command, context())
        found.append(outcome.refusal.code if outcome.refusal else "ok" if outcome.events else "-")
    assert tuple(found) == expected


# --- what a clerk settles

OFFICE = frozenset({("authority_clerk", "hb-prov")})


def disputed(past: Sequence[EducationEvent], then: dict[str, Any]) -> tuple[EducationEvent, ...]:
    return (*past, EducationAnswered(request=REQUEST, standing="contradicts", answer=then))


@pytest.mark.parametrize(
    ("past", "then", "counts", "told"),
    [
        (EFFECTIVE, NOT_FOUND, 1, ["EducationContradictionSettled"]),
        (EFFECTIVE, NOT_FOUND, 2, ["EducationContradictionSettled", "PriorEducationNotConfirmed"]),
        (NOT_EFFECTIVE, FOUND, 1, ["EducationContradictionSettled"]),
        (NOT_EFFECTIVE, FOUND, 2, ["EducationContradictionSettled", "PriorEducationConfirmed"]),
    ],
    ids=["effective stays", "no longer effective", "stays out", "effective after all"],
)
def test_the_answer_that_a_clerk_lets_count_judges_the_record(
    past: tuple[EducationEvent, ...], then: dict[str, Any], counts: int, told: list[str]
) -> None:
    settle = SettleContradiction(record=RECORD, request=REQUEST, seen=2, counts=counts, note="样本")
    outcome = given(EDUCATION, *disputed(past, then)).when(settle, context(actor="clerk", roles=OFFICE))
    assert [type(event).__name__ for event in outcome.events] == told
    again = given(EDUCATION, *disputed(past, then), *outcome.events).when(settle, context(actor="clerk", roles=OFFICE))
    assert again.refusal
    assert again.refusal.code == QUIET


@pytest.mark.parametrize(
    ("changed", "known", "code"),
    [
        ({"counts": 3}, {}, "identity.no_such_answer"),
        ({"counts": 0}, {}, "identity.no_such_answer"),
        ({"seen": 1}, {}, "identity.answered_again"),
        ({"request": "request-9"}, {}, "identity.answered_again"),
        ({}, {"roles": frozenset({("authority_clerk", "sx-prov")})}, "access.not_allowed"),
        ({}, {"roles": frozenset({("auditor", "hb-prov")})}, "access.not_allowed"),
        ({}, {"actor": ME}, "access.not_allowed"),
    ],
)
def test_a_settlement_names_what_was_looked_at_and_is_the_office_s(
    changed: dict[str, Any], known: dict[str, Any], code: str
) -> None:
    said: dict[str, Any] = {"record": RECORD, "request": REQUEST, "seen": 2, "counts": 2, "note": "样本"}
    outcome = given(EDUCATION, *disputed(EFFECTIVE, NOT_FOUND)).when(
        SettleContradiction(**said | changed), context(**{"actor": "clerk", "roles": OFFICE} | known)
    )
    assert outcome.refusal
    assert outcome.refusal.code == code


def test_what_was_corrected_and_handed_in_again_has_nothing_left_to_settle() -> None:
    past = (*disputed(NOT_EFFECTIVE, FOUND), EducationDraftSaved(form=form()))
    settle = SettleContradiction(record=RECORD, request=REQUEST, seen=2, counts=2, note="样本")
    outcome = given(EDUCATION, *past).when(settle, context(actor="clerk", roles=OFFICE))
    assert outcome.refusal
    assert outcome.refusal.code == QUIET


@pytest.mark.parametrize(
    ("field", "typed", "code"),
    [
        ("graduated_on", "0000-00", "identity.not_a_date"),
        ("graduated_on", "2018-02-30", "identity.not_a_date"),
        ("graduated_on", "0017-06-30", "identity.too_long_ago"),
        ("graduated_on", "2026-03-11", "identity.date_in_the_future"),
        ("level", "大专", "identity.not_on_the_list"),
        ("category", "", "identity.field_missing"),
        ("certificate_number", "12", "request.text_length"),
        ("certificate_number", "第一号证书编号", "identity.does_not_fit_the_pattern"),
        ("school", "样\u200b例", "request.text_has_control_characters"),
        ("holder", "样本乙", "identity.holder_is_somebody_else"),
    ],
)
def test_what_cannot_be_is_refused_by_field(field: str, typed: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        checked_form(RULES.book, form(**{field: typed}), NAME, NOW)
    (fault,) = refused.value.facts["faults"]
    assert (fault["field"], fault["code"]) == (field, code)
    assert fault["zh"]


def test_a_name_that_is_not_the_accounts_is_told_by_place_and_not_by_name() -> None:
    with pytest.raises(Refused) as refused:
        checked_form(RULES.book, form(holder="𠮷田样木"), NAME, NOW)
    assert refused.value.facts["faults"][0]["facts"] == {"positions": [4]}
    assert "木" not in str(refused.value.facts)


def test_where_a_book_does_not_ask_for_the_accounts_name_any_may_stand() -> None:
    book = with_rule("holder_is_account_holder", False).book
    assert checked_form(book, form(holder="样本乙"), NAME, NOW)["holder"] == "样本乙"


def test_a_form_is_handed_in_in_canonical_spelling_today_being_shanghais() -> None:
    typed = form(certificate_number=" 10524 ａ2018 06 ", graduated_on="2026年3月11日")
    checked = checked_form(RULES.book, typed, NAME, datetime(2026, 3, 10, 16, 0, tzinfo=UTC))
    assert (checked["certificate_number"], checked["graduated_on"]) == ("10524A201806", "2026-03-11")


def test_an_unknown_field_is_refused_and_a_wrong_one_kept() -> None:
    save = SavePriorEducation(record=RECORD, form={"level": "幼儿园"})
    given(EDUCATION, *STARTED).when(save, context()).then(EducationDraftSaved(form={"level": "幼儿园"}))
    strange = SavePriorEducation(record=RECORD, form={"shoe_size": "42"})
    given(EDUCATION, *STARTED).when(strange, context()).refused("identity.unknown_field", fields=["shoe_size"])


# --- the deadline


def test_whether_a_record_may_be_repaired_after_the_deadline_is_the_books_word() -> None:
    late = datetime(2026, 3, 23, 16, 0, tzinfo=UTC)
    again = SubmitPriorEducation(record=RECORD)
    given(EDUCATION, *NOT_EFFECTIVE).when(again, context(now=late)).then_kinds(PriorEducationSubmitted)
    strict = context(now=late, rules=with_rule("repair_after_deadline", False))
    given(EDUCATION, *NOT_EFFECTIVE).when(again, strict).refused("identity.window_closed")
    given(EDUCATION, *SAVED).when(again, context(now=late)).refused("identity.window_closed")


def test_a_cycle_that_was_closed_by_hand_takes_nothing() -> None:
    closed = context(cycle=replace(CYCLE, closed=True))
    given(EDUCATION, *SAVED).when(SubmitPriorEducation(record=RECORD), closed).refused("identity.window_closed")


# --- checking


def test_only_one_of_two_that_begin_is_granted_the_attempt() -> None:
    begin = BeginCheck(record=RECORD, due_at=NOW)
    first = given(EDUCATION, *SUBMITTED).and_then(begin, context())
    assert first.when(begin, context(new_request="request-3")).happened() == ()
    stale = BeginCheck(record=RECORD, due_at=NOW - timedelta(seconds=1))
    given(EDUCATION, *SUBMITTED).when(stale, context()).then()
    given(EDUCATION, *SUBMITTED).when(begin, context(now=NOW - timedelta(seconds=1))).then()


def _told(result: Declined | Absent | InDoubt, question: int) -> RecordCall:
    return RecordCall(record=RECORD, request=REQUEST, result=result, question=question)


@pytest.mark.parametrize("result", [Declined("x"), Absent(), InDoubt("timeout")])
def test_what_chsi_has_taken_is_not_asked_again_whatever_looking_says(
    result: Declined | Absent | InDoubt,
) -> None:
    state = given(EDUCATION, *TAKEN).when(_told(result, 0), context()).state
    assert isinstance(state, Checking)
    assert (state.taken, state.looked) == (True, 1)


def test_two_who_asked_the_same_question_have_asked_once() -> None:
    past = given(EDUCATION, *TRIED).and_then(_told(Absent(), 0), context())
    for silence in (Absent(), InDoubt("timeout")):
        past.when(_told(silence, 0), context()).then()


def test_doubt_that_never_ends_is_said_to_be_unresolved() -> None:
    past = given(EDUCATION, *TRIED)
    for question, _ in enumerate(RULES.book.check.ask_again_after):
        past = past.and_then(_told(InDoubt("timeout"), question), context())
    past.when(_told(InDoubt("timeout"), question + 1), context()).then(EducationCheckUnresolved(reason="no_answer"))


def test_a_result_of_an_attempt_that_is_over_says_nothing() -> None:
    old = RecordCall(record=RECORD, request="request-0", result=Declined("x"))
    given(EDUCATION, *TRIED).when(old, context()).then()


def test_full_width_letters_and_case_are_no_difference_but_a_character_is() -> None:
    wide = {**form(), "school": "样例学院（ＡＢ）"}
    past = (*SAVED, PriorEducationSubmitted(submission=1, form=wide, check_at=NOW, clause=""), *TRIED[-1:])
    same = RecordChsiAnswer(
        request=REQUEST, answer={"result": "found", "on_record": {**wide, "school": "样例学院(ab)"}}
    )
    given(EDUCATION, *past).when(same, context()).then_kinds(EducationAnswered, PriorEducationConfirmed)
    other = RecordChsiAnswer(
        request=REQUEST, answer={"result": "found", "on_record": {**wide, "school": "样列学院(AB)"}}
    )
    state = given(EDUCATION, *past).when(other, context()).state
    assert isinstance(state, NotEffective)
    assert state.reason == "details_differ"
    assert state.differences["school"]["changes"] == [{"position": 1, "typed": "例", "read": "列"}]


# --- books


@pytest.mark.parametrize(
    ("part", "index", "fault"),
    [
        ("fields", 0, "required of this kind: holder"),
        ("states", 0, "states: must be"),
        ("reasons", 0, "reasons: must be"),
    ],
)
def test_a_book_that_leaves_something_out_is_refused(part: str, index: int, fault: str) -> None:
    said = RULES.book.model_dump(exclude_unset=True)
    said[part] = [each for number, each in enumerate(said[part]) if number != index]
    with pytest.raises(ValidationError, match=fault):
        PriorEducation.model_validate(said)


def test_a_book_that_compares_what_chsi_does_not_tell_or_names_no_list_is_refused() -> None:
    said = RULES.book.model_dump(exclude_unset=True)
    with pytest.raises(ValidationError, match="CHSI does not tell: shoe_size"):
        PriorEducation.model_validate({**said, "must_agree": {"fields": ["shoe_size"], "source": "assumption"}})
    with pytest.raises(ValidationError, match="no such list: categories"):
        PriorEducation.model_validate({**said, "lists": {"levels": said["lists"]["levels"]}})


# --- what exemption says about its cycles


def learnt(*facts: Event) -> Any:
    """Through the reactions and the decider, twice, as deliveries may come."""
    state: Any = CYCLE_FOLLOWED.initial
    meta = Meta(command_id=UUID(int=1), actor="x", at=NOW)
    reactions = {reaction.event: reaction.react for reaction in REACTIONS}
    for version, event in enumerate(facts, start=1):
        fact = Fact("exemption", "cycle-1", version, event, meta.command_id, meta)
        for command in (*reactions[type(event)](fact), *reactions[type(event)](fact)):
            assert isinstance(command, CycleCommand)
            for learned in CYCLE_FOLLOWED.decide(command, state, None):
                state = CYCLE_FOLLOWED.evolve(state, learned)
    return state


def test_a_cycle_is_learnt_with_its_windows_days_left_out_extensions_and_its_end() -> None:
    opened = exemption.CycleOpened(scheme=SCHEME, organisation="o", title="样本批次", opened_by="s", clause="")
    hours = ((time(9), time(17)),)
    window = exemption.WindowSet(
        purpose="prior_education",
        from_day=date(2026, 3, 1),
        to_day=TO_DAY,
        daily=hours,
        excluded=(),
        close_inclusive=True,
        clause="",
    )
    left_out = exemption.DaysExcluded(purpose="prior_education", lists=(), days=(date(2026, 3, 8),), clause="")
    longer = exemption.WindowExtended(purpose="prior_education", to_day=date(2026, 3, 30), reason="r", extended_by="s")
    state = learnt(opened, window, left_out, longer)
    assert state.windows == {
        "prior_education": Window(date(2026, 3, 1), date(2026, 3, 30), hours, (date(2026, 3, 8),), True)
    }
    assert not state.closed
    assert learnt(opened, window, exemption.CycleClosed(reason="r", closed_by="s")).closed


def said_of(typed: dict[str, str], school: str) -> RecordChsiAnswer:
    return RecordChsiAnswer(request=REQUEST, answer={"result": "found", "on_record": {**typed, "school": school}})
