"""What becomes of an application: refused, unlocked, superseded, lapsed, expired, revoked; what is seen of it."""

from dataclasses import replace
from typing import Any

import pytest

from services.exemption.domain.access import available_actions, results_are_visible
from services.exemption.domain.case import InReview, Returned
from services.exemption.domain.commands import (
    ExpireExemption,
    HandOffRecord,
    LapseApplication,
    ReturnApplication,
    RevokeExemption,
    SaveDraft,
    SupersedeApplication,
)
from services.exemption.domain.scheme import Rules
from services.exemption.domain.uniqueness import HEAD, HeadContext, Heads, ReleaseHead, TakeHead
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationSubmitted,
    ApplicationSuperseded,
    ExemptionExpired,
    ExemptionGranted,
    ExemptionRevoked,
    HeadReleased,
    HeadTaken,
    ReapplicationUnlocked,
    StageOpened,
    StagePassed,
)
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    ACCOUNT,
    CANDIDATE,
    CASE,
    DIPLOMA,
    ISLE,
    LATER,
    MUCH_LATER,
    NOON,
    RECORD,
    REEF,
    REEF_GOOD,
    SUBMIT,
    UNLOCK,
    WINDOWS,
    at,
    codes,
    course,
    diploma,
    draft,
    me,
    passing,
    refusing,
    save,
    submitted,
    tide,
    window,
)
from tests.services.exemption.claims_story import GOOD as ISLE_GOOD
from tests.services.exemption.story import Past

ENDED = WINDOWS[REEF.ref]["use"].over_at()
assert ENDED is not None
RETURN = ReturnApplication(application=CASE, stage="现场确认", reason_code="wrong_course", note="更正")
REVOKE = RevokeExemption(application=CASE, reason_code="not_in_plan", note="见文件")


def unlocked() -> Past:
    return submitted().and_then(UNLOCK, at("clerk"))


def granted() -> Past:
    confirmed = submitted(by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    return confirmed.and_then(passing("审核", REEF), at("mate", by=REEF))


# --- stages -------------------------------------------------------------------------------------------------------


def test_a_stage_waits_until_the_window_is_over() -> None:
    """Until then another application may count."""
    past = submitted()
    past.when(passing("审核"), at("master")).refused("exemption.stage_not_begun", stage="审核")
    past.when(refusing("审核", "not_genuine"), at("master")).refused("exemption.stage_not_begun")
    past.when(passing("审核"), at("master", LATER)).then_kinds(StagePassed, ExemptionGranted)


def test_a_refusal_is_final_and_has_a_reason_of_the_book() -> None:
    past = submitted()
    past.when(refusing("审核", "bad_mood"), at("master", LATER)).refused("exemption.no_such_reason")
    outcome = past.when(refusing("审核", "not_genuine"), at("master", LATER)).then_kinds(ApplicationRefused)
    assert outcome.state.state_title == "未通过"
    ended = past.and_then(refusing("审核", "not_genuine"), at("master", LATER))
    open_results = me(LATER)
    ended.when(save(*ISLE_GOOD), open_results).refused("exemption.ended")
    ended.when(passing("审核"), at("master", LATER)).refused("exemption.stage_not_open")


def test_a_stage_ends_only_as_the_book_says() -> None:
    back = ReturnApplication(application=CASE, stage="审核", reason_code="x", note="y")
    submitted().when(back, at("master", LATER)).refused("exemption.no_such_outcome", stage="审核")
    assert available_actions(submitted().state, at("master", LATER)) == ["pass", "refuse"]


def test_what_is_sent_back_is_about_something_of_the_application() -> None:
    """Else a candidate is told to mend a certificate that they never claimed on."""
    past = submitted(REEF_GOOD[0], by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    for document, named in ((None, "tide"), ("tide", "tide"), ("knots_open.paper_1", "knots_open.paper_1")):
        back = ReturnApplication(application=CASE, stage="审核", reason_code="unclear", note="不清", document=document)
        past.when(back, at("mate", by=REEF)).refused("exemption.no_such_document", document=named)
    for own in ("passed_before", "passed_before.transcript", "passed_before.original", "portrait", "plan", "courses"):
        back = ReturnApplication(application=CASE, stage="审核", reason_code="unclear", note="不清", document=own)
        past.when(back, at("mate", by=REEF)).then_kinds(ApplicationReturned)
    both = submitted(by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    about_both = ReturnApplication(application=CASE, stage="审核", reason_code="unclear", note="不清")
    both.when(about_both, at("mate", by=REEF)).then_kinds(ApplicationReturned)


def test_what_may_become_effective_later_must_be_so_at_the_decision() -> None:
    """HB-38."""
    waiting = replace(ACCOUNT, education={RECORD: replace(DIPLOMA, standing="submitted")})
    past = draft(tide({"code": "90001", "name": "", "form": {}})).and_then(SUBMIT, me(account=waiting))
    decide = passing("审核")
    past.when(decide, at("master", LATER, account=waiting)).refused("exemption.prior_education_not_there")
    past.when(decide, at("master", LATER)).then_kinds(StagePassed, ExemptionGranted)


def test_another_diploma_in_effect_does_not_stand_in_for_the_one_that_was_claimed() -> None:
    """HB-38."""
    both = {RECORD: DIPLOMA, "record-2": replace(DIPLOMA, certificate_number="D-2")}
    had = replace(ACCOUNT, education=both)
    past = draft(diploma(course("90004"))).and_then(SUBMIT, me(account=had))
    void = replace(ACCOUNT, education={**both, RECORD: replace(DIPLOMA, standing="not_effective")})
    decide = passing("审核")
    past.when(decide, at("master", LATER, account=void)).refused("exemption.prior_education_not_there")
    other = replace(ACCOUNT, education={**both, "record-2": replace(DIPLOMA, standing="not_effective")})
    past.when(decide, at("master", LATER, account=other)).then_kinds(StagePassed, ExemptionGranted)


def test_an_on_site_stage_is_decided_in_its_window_and_lapses_with_it() -> None:
    past = submitted(by=REEF)
    past.when(passing("现场确认", REEF), at("master", LATER, REEF)).refused("exemption.window_closed")
    over = WINDOWS[REEF.ref]["confirm"].over_at()
    assert over is not None
    lapse = LapseApplication(application=CASE, purpose="confirm", due_at=over)
    past.when(lapse, at("timer", NOON, REEF)).then()
    past.when(lapse, at("timer", LATER, REEF)).then_kinds(ApplicationLapsed)
    confirmed = past.and_then(passing("现场确认", REEF), at("master", by=REEF))
    confirmed.when(lapse, at("timer", LATER, REEF)).then()


def test_the_certificate_of_a_claim_must_still_be_valid_at_the_last_stage() -> None:
    rows = ({"code": "90001", "name": "海图绘制", "form": {}},)
    form = {"number": "T-1", "valid_until": "2026-04-01", "obtained_on": "2019-03-02"}
    said = {"basis": "tide", "form": form, "photos": {}, "courses": list(rows)}
    confirmed = submitted(said, by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    confirmed.when(passing("审核", REEF), at("mate", LATER, REEF)).refused("exemption.certificate_expired")


# --- once and again ------------------------------------------------------------------------------------------------


def test_a_clerk_unlocks_after_seeing_the_candidate_and_what_the_book_asks_for() -> None:
    """SX-E-35, SX-E-36, SX-E-37."""
    past = submitted()
    (event,) = past.when(UNLOCK, at("clerk")).happened()
    assert isinstance(event, ReapplicationUnlocked)
    assert (event.seen, event.reason, event.organisation) == (("id_card", "printed_details"), "材料选填有误", "jetty")
    assert unlocked().state.state_title == "被退回"
    less = UNLOCK.__class__(application=CASE, seen={"id_card": True}, reason_code="wrong_material", note="x")
    past.when(less, at("clerk")).refused("exemption.not_everything_seen", items=["printed_details"])
    past.when(UNLOCK, at("clerk", LATER)).refused("exemption.window_closed")
    past.when(UNLOCK, at("clerk", roles=frozenset({("jetty_clerk", "jetty-2")}))).refused("access.not_found")
    past.when(UNLOCK, at("master")).refused("access.not_allowed")
    assert available_actions(past.state, at("clerk")) == ["unlock"]


def test_reapplication_is_once_and_only_after_it_was_unlocked() -> None:
    """SX-E-19: the second time is refused."""
    submitted().when(SUBMIT, me()).refused("exemption.already_submitted")
    again = unlocked().and_then(SUBMIT, me())
    (event, *_) = again.past[-2:]
    assert isinstance(event, ApplicationSubmitted)
    assert event.submission == 2
    again.when(UNLOCK, at("clerk")).refused("exemption.unlocked_often_enough", times=1)
    again.when(SUBMIT, me()).refused("exemption.already_submitted")


def test_what_the_book_keeps_cannot_be_changed_when_handing_in_again() -> None:
    """SX-E-51."""
    moved = unlocked().and_then(save(*ISLE_GOOD, jetty="jetty-2"), me())
    assert codes(moved) == {"": "exemption.must_stay_as_it_was"}
    fewer = unlocked().and_then(save(ISLE_GOOD[0]), me())
    fewer.when(SUBMIT, me()).then_kinds(ApplicationSubmitted, StageOpened)


def test_what_was_unlocked_and_not_handed_in_again_lapses() -> None:
    over = WINDOWS[ISLE.ref]["apply"].over_at()
    assert over is not None
    lapse = LapseApplication(application=CASE, purpose="apply", due_at=over)
    unlocked().when(lapse, at("timer", LATER)).then_kinds(ApplicationLapsed)
    unlocked().when(lapse, at("timer", NOON)).then()
    submitted().when(lapse, at("timer", LATER)).then()


@pytest.mark.parametrize("rule", ["once", "edit_after_return", "once_and_again"])
def test_but_for_the_last_submission_there_is_one_application_in_a_cycle(rule: str) -> None:
    heads = Heads(CANDIDATE, {"cycle-1": "application-before"})
    past = given(HEAD, HeadTaken(cycle="cycle-1", application="before", candidate=CANDIDATE, replaced=None, value="v", clause=""))  # noqa: E501  # fmt: skip
    take = TakeHead(cycle="cycle-1", application=CASE, value="v")
    past.when(take, HeadContext(CANDIDATE, with_rule(rule))).refused("exemption.already_submitted_in_this_cycle")
    assert codes(draft(), me(heads=heads, rules=with_rule(rule))) == {"": "exemption.already_submitted_in_this_cycle"}
    assert codes(draft(), me(heads=Heads(CANDIDATE, {"cycle-1": CASE}), rules=with_rule(rule))) == {}
    assert codes(draft(), me(heads=Heads(CANDIDATE, {"cycle-0": "before"}), rules=with_rule(rule))) == {}


def with_rule(rule: str) -> Rules:
    assert ISLE.book.uniqueness is not None
    unique = ISLE.book.uniqueness.model_copy(update={"rule": rule})
    return replace(ISLE, book=ISLE.book.model_copy(update={"uniqueness": unique}))


# --- the last submission wins ---------------------------------------------------------------------------------------


TAKE = TakeHead(cycle="cycle-1", application=CASE, value="lagoon/ticket_number/990000000001")


def test_the_later_submission_takes_the_place_of_the_earlier() -> None:
    """SD-19."""
    first = given(HEAD).and_then(TAKE, HeadContext(CANDIDATE, REEF))
    second = TakeHead(cycle="cycle-1", application="application-d", value=TAKE.value)
    (event,) = first.when(second, HeadContext(CANDIDATE, REEF)).happened()
    assert isinstance(event, HeadTaken)
    assert event.replaced == CASE
    assert first.and_then(second, HeadContext(CANDIDATE, REEF)).state.by_cycle == {"cycle-1": "application-d"}
    first.when(TAKE, HeadContext(CANDIDATE, REEF)).then()


def test_one_ticket_number_used_by_two_accounts_is_refused() -> None:
    """SD-46."""
    first = given(HEAD).and_then(TAKE, HeadContext(CANDIDATE, REEF))
    first.when(TAKE, HeadContext("candidate-other", REEF)).refused("exemption.ticket_of_another_account")
    heads = Heads("candidate-other", {"cycle-0": "before"})
    unknown = replace(ACCOUNT, ticket_number="")  # else identity says whose it is
    refused = codes(draft(by=REEF), me(by=REEF, heads=heads, account=unknown))
    assert refused == {"": "exemption.ticket_of_another_account"}


@pytest.mark.parametrize("begun", [False, True])
def test_a_submission_is_superseded_also_when_its_review_has_begun(begun: bool) -> None:
    past = submitted(by=REEF)
    if begun:
        past = past.and_then(passing("现场确认", REEF), at("master", by=REEF))
    command = SupersedeApplication(by="application-d")
    past.when(command, me(by=REEF)).then_kinds(ApplicationSuperseded)
    over = past.and_then(command, me(by=REEF))
    over.when(command, me(by=REEF)).then()
    over.when(passing("审核", REEF), at("mate", by=REEF)).refused("exemption.stage_not_open")
    assert over.state.state_title == "被后一次提交取代"


def test_what_was_handed_off_is_not_superseded() -> None:
    handed = granted().and_then(HandOffRecord(batch="b", receiver="harbour"), at("master", by=REEF))
    handed.when(SupersedeApplication(by="application-d"), me(by=REEF)).refused("exemption.already_handed_off")


def test_a_refused_candidate_may_take_the_place_again_where_the_book_says_so() -> None:
    past = given(HEAD).and_then(TAKE, HeadContext(CANDIDATE, REEF))
    release = ReleaseHead(cycle="cycle-1", application=CASE)
    past.when(release, HeadContext("master", REEF)).then(HeadReleased(cycle="cycle-1", application=CASE))
    past.and_then(release, HeadContext("master", REEF)).when(release, HeadContext("master", REEF)).then()
    confirmed = submitted(by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    (event,) = confirmed.when(refusing("审核", "not_covered"), at("mate", by=REEF)).happened()
    assert isinstance(event, ApplicationRefused)
    assert event.may_submit_again


def test_what_was_sent_back_keeps_its_number() -> None:
    back = submitted(by=REEF).and_then(RETURN, at("master", by=REEF))
    assert isinstance(back.state, Returned)
    event, _ = back.when(SUBMIT, me(by=REEF, number="RF20260310-0099")).happened()
    assert isinstance(event, ApplicationSubmitted)
    assert (event.number, event.submission) == ("RF20260310-0001", 2)


# --- afterwards ----------------------------------------------------------------------------------------------------


def test_an_exemption_expires_when_its_window_is_over_unless_it_was_handed_off() -> None:
    """SD-41."""
    assert ENDED is not None
    expire = ExpireExemption(application=CASE, purpose="use", due_at=ENDED)
    granted().when(expire, at("timer", LATER, REEF)).then()
    granted().when(expire, at("timer", MUCH_LATER, REEF)).then_kinds(ExemptionExpired)
    assert granted().and_then(expire, at("timer", MUCH_LATER, REEF)).state.state_title == "过期不予保留"
    handed = granted().and_then(HandOffRecord(batch="b", receiver="harbour"), at("master", by=REEF))
    handed.when(expire, at("timer", MUCH_LATER, REEF)).then()
    submitted(by=REEF).when(expire, at("timer", MUCH_LATER, REEF)).then()
    other = ExpireExemption(application=CASE, purpose="apply", due_at=ENDED)
    granted().when(other, at("timer", MUCH_LATER, REEF)).then()


def test_an_extended_window_expires_nothing() -> None:
    assert ENDED is not None
    longer = {**WINDOWS[REEF.ref], "use": replace(WINDOWS[REEF.ref]["use"], to_day=window(30, 30, 6).to_day)}
    context = at("timer", MUCH_LATER, REEF)
    context = replace(context, cycle=replace(context.cycle, windows=longer))
    granted().when(ExpireExemption(application=CASE, purpose="use", due_at=ENDED), context).then()


def test_what_is_approved_after_its_validity_is_over_expires_in_the_same_breath() -> None:
    """SD-41."""
    late = at("mate", MUCH_LATER, REEF)
    confirmed = submitted(by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))
    outcome = confirmed.when(passing("审核", REEF), late).then_kinds(StagePassed, ExemptionGranted, ExemptionExpired)
    expired = outcome.events[-1]
    assert isinstance(expired, ExemptionExpired)
    assert (expired.purpose, expired.ended_at) == ("use", late.cycle.windows["use"].over_at())


def test_an_approved_exemption_is_revoked_by_the_role_of_the_book_for_a_reason() -> None:
    """SD-42."""
    granted().when(REVOKE, at("master", by=REEF)).then_kinds(ExemptionRevoked)
    granted().when(REVOKE, at("clerk", by=REEF)).refused("access.not_found")
    submitted(by=REEF).when(REVOKE, at("master", by=REEF)).refused("exemption.not_granted")
    submitted().when(REVOKE, at("master")).refused("exemption.no_revocation")
    strange = RevokeExemption(application=CASE, reason_code="mood", note="x")
    granted().when(strange, at("master", by=REEF)).refused("exemption.no_such_reason")


def test_results_are_visible_only_while_their_window_is_open_or_after_it_too() -> None:
    """SX-E-39."""
    assert not results_are_visible(me(NOON))
    assert results_are_visible(me(LATER))
    assert not results_are_visible(me(MUCH_LATER))
    assert results_are_visible(me(MUCH_LATER, REEF))
    passed = submitted().and_then(passing("审核"), at("master", LATER))
    before = me(MUCH_LATER)  # the window is over, so what was decided is hidden again
    passed.when(save(*ISLE_GOOD), before).refused("exemption.already_submitted")


def test_of_an_erased_person_nothing_is_decided() -> None:
    past = submitted(by=REEF)
    kept = past.past[:-2]
    event = past.past[-2]
    assert isinstance(event, ApplicationSubmitted)
    blank: dict[str, Any] = {name: getattr(event, name) for name in event.__struct_fields__}
    erased = ApplicationSubmitted(**{**blank, "form": {}, "claims": (), "papers": ()})
    gone = given(past.decider, *kept, erased, past.past[-1])
    assert isinstance(gone.state, InReview)
    gone.when(passing("现场确认", REEF), at("master", by=REEF)).refused("exemption.person_erased")
    gone.when(RETURN, at("master", by=REEF)).refused("exemption.person_erased")


def test_a_draft_of_what_was_unlocked_keeps_everything_typed() -> None:
    strange = SaveDraft(application=CASE, form={"jetty": "nowhere"}, photos={}, claims=(), majors=("本科 990101",) * 3)
    state = unlocked().and_then(strange, me()).state
    assert isinstance(state, Returned)
    assert state.majors == ("本科 990101",) * 3
    assert state.handed_in.majors == ("本科 990101",)
