"""免考申请: what happens to one application, told step by step (state machine 5, SW-12..SW-38)."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_all
from hypothesis import strategies as st

from services.exemption.domain.access import available_actions
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Case, Draft, Granted, HandedOff, InReview, Returned
from services.exemption.domain.commands import AcknowledgeRecord, DiscardDraft, SaveDraft
from services.exemption.domain.flagging import FLAGS, FlagCertificates
from services.exemption.domain.form import Photograph
from shared.events.exemption import (
    ApplicationReturned,
    ApplicationStarted,
    ApplicationSubmitted,
    CertificateSeenElsewhere,
    ExemptionGranted,
    HandOffAcknowledged,
    StageOpened,
    StagePassed,
)
from shared.kernel.time import SHANGHAI
from shared.testing.given import given
from tests.services.exemption.story import (
    CANDIDATE,
    CASE,
    GUILD,
    HAND_OFF,
    NOON,
    PHOTOS,
    PRINT,
    START,
    SUBMIT,
    SWUST,
    at,
    draft,
    first_passed,
    granted,
    guild_submitted,
    handed_off,
    me,
    nothing,
    passing,
    returned_by_first,
    returned_by_second,
    returning,
    save,
    submitted,
)

CLOSING = datetime(2026, 4, 1, tzinfo=SHANGHAI)  # the window's last day is 31 March


# --- the way of an application -------------------------------------------------------------------------------------


def test_an_application_starts_as_a_draft_under_the_scheme_that_judges_it_for_ever() -> None:
    started = ApplicationStarted(
        scheme="swust/1x@1", cycle="cycle-1", candidate=CANDIDATE, title="待提交",
        clause="swust/1x@1 exemption.submit SW-13",
    )  # fmt: skip
    nothing().when(START, me()).then(started)


def test_a_draft_can_be_saved_again_and_again_even_when_wrong() -> None:
    state = draft().and_then(save(id_number="not yet", mobile="1"), me()).state
    assert isinstance(state, Draft)
    assert state.form["mobile"] == "1"


def test_submitting_canonises_the_form_and_opens_the_first_review_at_the_own_teaching_point() -> None:
    outcome = draft().when(SUBMIT, me())
    first, opened = outcome.happened()
    assert isinstance(first, ApplicationSubmitted)
    assert (first.title, first.submission, first.course_codes) == ("已提交", 1, ("00900",))
    assert first.form["id_number"] == "11010119900307109X"
    assert first.form["mobile"] == "13800138000"
    assert first.form["certificate_number"] == "X20230000000001"
    assert first.form["valid_until"] == "2026-06-30"
    assert "remark" not in first.form
    assert first.organisations == {"teaching_point": "point-a", "university": "uni"}
    assert opened == StageOpened(
        stage="初审", role="teaching_point_admin", organisation="point-a", due_at=None,
        clause="swust/1x@1 exemption.stages[初审] SW-25, SW-26",
    )  # fmt: skip


def test_a_submitted_application_cannot_be_edited() -> None:
    submitted().when(save(remark="还想改"), me()).refused("exemption.already_submitted")
    submitted().when(SUBMIT, me()).refused("exemption.already_submitted")


def test_the_first_review_passes_it_on_to_the_university() -> None:
    passed, opened = submitted().when(passing("初审", opinion="材料完整"), at("li")).happened()
    assert isinstance(passed, StagePassed)
    assert (passed.title, passed.reviewer, passed.opinion, len(passed.checklist)) == ("已初审", "li", "材料完整", 4)
    assert isinstance(opened, StageOpened)
    assert (opened.stage, opened.role, opened.organisation) == ("复核", "university_admin", "uni")


def test_the_final_review_grants_the_courses_of_the_certificate() -> None:
    passed, won = first_passed().when(passing("复核"), at("wang")).happened()
    assert isinstance(passed, StagePassed)
    assert passed.title == "已复核"
    assert isinstance(won, ExemptionGranted)
    assert won.course_codes == ("00900",)


def test_a_return_needs_a_reason_of_the_book_and_free_text_and_says_what_it_is_about() -> None:
    (sent_back,) = submitted().when(returning("初审"), at("li")).happened()
    assert isinstance(sent_back, ApplicationReturned)
    assert (sent_back.title, sent_back.document) == ("已驳回", "id_front")
    assert sent_back.reason == "身份证正面照片不清晰或不完整"
    assert sent_back.clause == "swust/1x@1 exemption.stages[初审].reasons[id_front_unclear] SW-12, SW-25"
    submitted().when(returning("初审", reason="because"), at("li")).refused("exemption.no_such_reason")
    submitted().when(returning("初审", note=" "), at("li")).refused("request.text_length")
    first_passed().when(returning("复核", note=""), at("wang")).refused("request.text_length")


def test_a_returned_application_is_edited_and_submitted_again_without_a_limit() -> None:
    past = submitted()
    for count in range(2, 6):
        past = past.and_then(returning("初审"), at("li")).and_then(save(remark=str(count)), me())
        assert isinstance(past.state, Returned)
        past = past.and_then(SUBMIT, me())
        assert isinstance(past.state, InReview)
        assert past.state.submissions == count


def test_returned_by_the_university_it_starts_again_at_the_teaching_point() -> None:
    again = returned_by_second().and_then(SUBMIT, me())
    assert isinstance(again.state, InReview)
    assert again.state.title == "已提交"
    assert again.state.desk.stage == "初审"
    assert again.state.passed == {}


def test_where_the_book_says_same_a_correction_goes_back_to_the_stage_that_returned_it() -> None:
    past = guild_submitted().and_then(passing("受理", GUILD), at("clerk", rules=GUILD))
    past = past.and_then(returning("审查", "doubtful"), at("examiner", rules=GUILD)).and_then(SUBMIT, me(rules=GUILD))
    assert isinstance(past.state, InReview)
    assert past.state.desk.stage == "审查"
    assert past.state.passed == {"受理": "clerk"}


def test_three_stages_are_three_stages() -> None:
    past = guild_submitted()
    for stage, who in (("受理", "clerk"), ("审查", "examiner"), ("批准", "elder")):
        assert not isinstance(past.state, Granted)
        past = past.and_then(passing(stage, GUILD), at(who, rules=GUILD))
    assert isinstance(past.state, Granted)


def test_a_stage_with_a_time_limit_says_when_it_is_due() -> None:
    state = guild_submitted().state
    assert isinstance(state, InReview)
    assert state.due_at == NOON - timedelta(hours=1) + timedelta(days=5)


# --- SW-13: the window ---------------------------------------------------------------------------------------------


def test_one_second_before_closing_is_in_time_and_the_closing_instant_is_not() -> None:
    draft().when(SUBMIT, me(CLOSING - timedelta(seconds=1))).then_kinds(ApplicationSubmitted, StageOpened)
    draft().when(SUBMIT, me(CLOSING)).refused("exemption.window_closed", ended="2026-04-01 00:00:00")
    nothing().when(START, me(CLOSING)).refused("exemption.window_closed")


def test_before_the_opening_the_refusal_says_when_it_opens() -> None:
    early = datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai
    nothing().when(START, me(early)).refused("exemption.window_not_open_yet", opens="2026-03-01 00:00:00")
    nothing().when(START, me(early + timedelta(seconds=1))).then_kinds(ApplicationStarted)


def test_a_correction_after_the_window_is_too_late_as_well() -> None:
    returned_by_first().when(SUBMIT, me(CLOSING)).refused("exemption.window_closed")


def test_a_draft_may_be_saved_while_the_window_is_shut() -> None:
    draft().when(save(), me(CLOSING)).happened()


def test_a_closed_cycle_takes_no_submission() -> None:
    context = me()
    closed = me(cycle=type(context.cycle)(context.cycle.scheme, "uni", "测试批次", context.cycle.windows, closed=True))
    draft().when(SUBMIT, closed).refused("exemption.cycle_closed")


# --- who ------------------------------------------------------------------------------------------------------------


def test_the_university_sees_nothing_before_the_first_review_has_passed() -> None:
    submitted().when(passing("复核"), at("wang")).refused("access.not_found")
    first_passed().when(passing("复核"), at("wang")).then_kinds(StagePassed, ExemptionGranted)


def test_after_a_return_and_a_new_submission_the_university_sees_nothing_again() -> None:
    returned_by_second().and_then(SUBMIT, me()).when(passing("初审"), at("wang")).refused("access.not_found")


def test_another_teaching_point_is_told_that_there_is_nothing() -> None:
    stranger = at("li", roles=frozenset({("teaching_point_admin", "point-b")}))
    submitted().when(passing("初审"), stranger).refused("access.not_found")
    submitted().when(returning("初审"), stranger).refused("access.not_found")


def test_another_candidate_is_told_that_there_is_nothing() -> None:
    for command in (save(), SUBMIT, DiscardDraft(application=CASE)):
        draft().when(command, at("somebody-else")).refused("access.not_found")


def test_a_stage_that_is_not_yours_is_refused() -> None:
    first_passed().when(passing("复核"), at("li")).refused("exemption.not_your_stage")


def test_the_right_role_at_another_organisation_does_not_help() -> None:
    elsewhere = at("li", roles=frozenset({("teaching_point_admin", "point-a"), ("university_admin", "other-uni")}))
    first_passed().when(passing("复核"), elsewhere).refused("exemption.not_your_stage", role="university_admin")


def test_a_first_reviewer_cannot_pass_the_final_review_even_after_a_return() -> None:
    both = at("li", roles=frozenset({("teaching_point_admin", "point-a"), ("university_admin", "uni")}))
    first_passed().when(passing("复核"), both).refused("exemption.already_reviewed_by_you")
    again = returned_by_second().and_then(SUBMIT, me())
    again = again.and_then(passing("初审"), at("chen", roles=frozenset({("teaching_point_admin", "point-a")})))
    again.when(passing("复核"), both).refused("exemption.already_reviewed_by_you")
    again.when(passing("复核"), at("wang")).happened()


def test_where_the_book_does_not_ask_it_one_person_may_decide_two_stages() -> None:
    everything = frozenset({("clerk", "shop"), ("examiner", "hall"), ("elder", "hall")})
    past = guild_submitted().and_then(passing("受理", GUILD), at("clerk", rules=GUILD))
    past.when(passing("审查", GUILD), at("clerk", rules=GUILD, roles=everything)).refused(
        "exemption.already_reviewed_by_you"
    )
    past = past.and_then(passing("审查", GUILD), at("examiner", rules=GUILD))
    past.when(passing("批准", GUILD), at("examiner", rules=GUILD, roles=everything)).happened()


def test_nobody_reviews_their_own_application() -> None:
    with_a_role = me(roles=frozenset({("teaching_point_admin", "point-a")}))
    submitted().when(passing("初审"), with_a_role).refused("exemption.your_own_application")
    submitted().when(returning("初审"), with_a_role).refused("exemption.your_own_application")


# --- checklists, validity, duplicates ------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "who", "items"), [("初审", "li", 4), ("复核", "wang", 5)])
def test_passing_needs_every_item_of_the_checklist_answered_with_yes(stage: str, who: str, items: int) -> None:
    past = submitted() if stage == "初审" else first_passed()
    whole = passing(stage).checklist
    assert len(whole) == items
    for item in whole:
        less = {each: yes for each, yes in whole.items() if each != item}
        no = {**whole, item: False}
        command = type(passing(stage))
        past.when(command(application=CASE, stage=stage, checklist=less), at(who)).refused(
            "exemption.checklist_incomplete", items=[item]
        )
        past.when(command(application=CASE, stage=stage, checklist=no), at(who)).refused(
            "exemption.checklist_failed", items=[item]
        )
    extra = {**whole, "friend_of_mine": True}
    past.when(type(passing(stage))(application=CASE, stage=stage, checklist=extra), at(who)).refused(
        "exemption.checklist_unknown"
    )


def test_a_certificate_that_expires_between_the_stages_cannot_be_passed_any_more() -> None:
    last_day = datetime(2026, 6, 30, 23, 59, 59, tzinfo=SHANGHAI)
    first_passed().when(passing("复核"), at("wang", last_day)).happened()
    first_passed().when(passing("复核"), at("wang", last_day + timedelta(seconds=1))).refused(
        "exemption.certificate_expired", today="2026-07-01"
    )
    first_passed().when(returning("复核", "certificate_expired"), at("wang", last_day + timedelta(days=1))).happened()


def test_a_certificate_number_used_by_two_people_is_flagged_and_not_refused() -> None:
    """The flag stands beside the application, whose events are those of any other."""
    draft().when(SUBMIT, me(seen_elsewhere=("application-b",))).then_kinds(ApplicationSubmitted, StageOpened)
    clause = "swust/1x@1 exemption.certificate_seen_elsewhere SW-38"
    flag = FlagCertificates(applications=("application-b",))
    flagged = (
        given(FLAGS).when(flag, SWUST).then(CertificateSeenElsewhere(applications=("application-b",), clause=clause))
    )
    assert flagged.state.applications == ("application-b",)


def test_a_flag_in_an_application_of_before_they_had_a_stream_changes_nothing_of_it() -> None:
    submission, opened = submitted().past[-2:]
    flag = CertificateSeenElsewhere(applications=("application-b",), clause="")
    old = given(APPLICATION, *submitted().past[:-2], submission, flag, opened)
    assert old.state == submitted().state


def test_one_person_has_one_open_application_for_one_certificate() -> None:
    draft().when(SUBMIT, me(own_other="application-b")).refused(
        "exemption.certificate_in_another_application", application="application-b"
    )


# --- afterwards ----------------------------------------------------------------------------------------------------


def test_the_record_table_is_printed_only_when_finally_approved() -> None:
    for past in (first_passed(), returned_by_second()):
        past.when(PRINT, at("wang")).refused("exemption.not_granted")
    granted().when(PRINT, at("li")).refused("access.not_allowed")
    granted().when(PRINT, at("wang")).happened()
    handed_off().when(PRINT, at("wang")).happened()


def test_only_approved_records_are_handed_off_and_only_once() -> None:
    first_passed().when(HAND_OFF, at("wang")).refused("exemption.not_granted")
    granted().when(HAND_OFF, at("li")).refused("access.not_allowed")
    assert isinstance(handed_off().state, HandedOff)
    handed_off().when(HAND_OFF, at("wang")).refused("exemption.not_granted")


def test_the_authority_acknowledges_what_it_was_given_once() -> None:
    yes = AcknowledgeRecord(batch="batch-1", reference="川考2026-7")
    handed_off().when(yes, at("wang")).refused("access.not_found")
    handed_off().when(AcknowledgeRecord(batch="batch-2", reference="1"), at("zhao")).refused("access.not_found")
    past = handed_off().and_then(yes, at("zhao"))
    assert isinstance(past.past[-1], HandOffAcknowledged)
    past.when(yes, at("zhao")).refused("exemption.already_acknowledged")


def test_only_a_never_submitted_draft_can_be_given_up() -> None:
    gone = draft().and_then(DiscardDraft(application=CASE), me())
    assert isinstance(gone.state, Case)
    assert gone.state.title == "已放弃"
    gone.when(save(), me()).refused("exemption.ended")
    returned_by_first().when(DiscardDraft(application=CASE), me()).refused("exemption.not_a_draft")


def test_the_available_actions_are_those_that_succeed() -> None:
    assert available_actions(draft().state, me()) == ["save", "submit", "discard"]
    assert available_actions(draft().state, me(CLOSING)) == ["save", "discard"]
    assert available_actions(submitted().state, me()) == []
    assert available_actions(submitted().state, at("li")) == ["pass", "return"]
    assert available_actions(submitted().state, at("wang")) == []
    assert available_actions(returned_by_first().state, me()) == ["save", "submit"]
    assert available_actions(granted().state, at("wang")) == ["print", "hand_off"]
    assert available_actions(handed_off().state, at("wang")) == ["print"]


def test_photographs_of_others_and_invented_ones_are_refused_alike() -> None:
    strange = {**me().photographs, "u-theirs": Photograph("candidate-li", CASE, "id_front")}
    outcomes = [
        draft().when(
            SaveDraft(application=CASE, form={}, photos={**PHOTOS, "id_front": upload}), me(photographs=strange)
        )
        for upload in ("u-theirs", "u-never-was", "u-back")
    ]
    for outcome in outcomes:
        outcome.refused("exemption.no_such_photograph", slot="id_front")
    assert len({str(outcome.refusal) for outcome in outcomes}) == 1


@for_all(st.dictionaries(st.sampled_from(sorted(["name", "id_number", "mobile", "remark"])), st.text(max_size=30)))
def test_what_is_typed_never_changes_where_an_application_goes(typed: dict[str, str]) -> None:
    """evolve carries personal values and never branches on them: an erased form leads through the same states."""
    for past in (draft(), submitted(), returned_by_second(), granted(), handed_off()):
        erased = [
            type(event)(**{**{name: getattr(event, name) for name in event.__struct_fields__}, "form": typed})
            if hasattr(event, "form")
            else event
            for event in past.past
        ]
        with_form, without = past.state, APPLICATION.replay(erased)
        assert type(with_form) is type(without)
        assert isinstance(with_form, Case)
        assert isinstance(without, Case)
        assert (with_form.title, with_form.desks, with_form.decided) == (without.title, without.desks, without.decided)
