"""SD-46: whose a ticket number is, for how long, and how it gets back to whom it is of. Pure, by the made-up book."""

from dataclasses import replace
from typing import Any

import pytest

from services.exemption.api.reviewers import FaceToFace, Pass
from services.exemption.domain.access import available_actions
from services.exemption.domain.case import Revoked
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ExpireExemption,
    HandOffRecord,
    ReleaseTicket,
    ReviveApplication,
    RevokeExemption,
)
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.terms import Uniqueness
from services.exemption.domain.uniqueness import (
    HEAD,
    EndHead,
    HeadCommand,
    HeadContext,
    Heads,
    ReleaseHead,
    TakeHead,
    WithdrawHead,
    settled_by,
)
from shared.events.exemption import (
    ApplicationSubmitted,
    ExemptionRevoked,
    HeadEnded,
    HeadReleased,
    HeadTaken,
    HeadWithdrawn,
    StageOpened,
    TicketReleased,
)
from shared.testing.given import Given, given
from tests.services.exemption.claims_story import (
    ACCOUNT,
    CANDIDATE,
    CASE,
    MUCH_LATER,
    REEF,
    REEF_GOOD,
    SUBMIT,
    at,
    codes,
    draft,
    me,
    passing,
    save,
    submitted,
)
from tests.services.exemption.test_outcomes import RETURN, granted

OWNER, OTHERS = "candidate-owner", "application-of-the-owner"
TAKEN = "exemption.ticket_of_another_account"
SECOND = "exemption.already_submitted_in_this_cycle"
RELEASE = ReleaseTicket(application=CASE, seen={"ticket": True}, reason_code="not_theirs", note="见准考证原件")


def take(application: str = CASE, cycle: str = "cycle-1") -> TakeHead:
    return TakeHead(cycle=cycle, application=application, value="lagoon/ticket_number/990000000001")


def by(actor: str, rule: str = "last_submission_wins", *, known: bool = False) -> HeadContext:
    return HeadContext(actor, with_rule(rule), known_of_actor=known)


def with_rule(rule: str) -> Rules:
    unique = Uniqueness.model_validate({"by": "ticket_number", "rule": rule, "text": "一次", "source": "TT-51"})
    return replace(REEF, book=REEF.book.model_copy(update={"uniqueness": unique}))


def held(*then: HeadCommand, rule: str = "last_submission_wins") -> Given[Any, Heads, Any, HeadContext]:
    past = given(HEAD).and_then(take(), by(CANDIDATE, rule))
    for command in then:
        past = past.and_then(command, by("office", rule))
    return past


# --- for how long it is held


def test_while_an_application_counts_its_ticket_number_is_nobody_elses() -> None:
    held().when(take(OTHERS), by(OWNER)).refused(TAKEN)
    held().when(take(OTHERS, "cycle-2"), by(OWNER)).refused(TAKEN)


@pytest.mark.parametrize("rule", ["last_submission_wins", "once", "edit_after_return"])
def test_what_came_to_its_end_holds_it_no_longer(rule: str) -> None:
    ended = held(EndHead(cycle="cycle-1", application=CASE), rule=rule)
    (event,) = ended.when(take(OTHERS), by(OWNER, rule)).happened()
    assert isinstance(event, HeadTaken)
    assert (event.candidate, event.replaced) == (OWNER, None)
    ended.when(take(OTHERS, "cycle-2"), by(OWNER, rule)).then_kinds(HeadTaken)


def test_but_it_stays_the_one_application_of_its_candidate_in_that_cycle() -> None:
    ended = held(EndHead(cycle="cycle-1", application=CASE), rule="once")
    ended.when(take("again"), by(CANDIDATE, "once")).refused(SECOND)
    ended.when(take("again", "cycle-2"), by(CANDIDATE, "once")).then_kinds(HeadTaken)
    ended.when(take(), by(CANDIDATE, "once")).then_kinds(HeadTaken)  # the same one, where something revives it
    released = held(ReleaseHead(cycle="cycle-1", application=CASE), rule="once")
    released.when(take("again"), by(CANDIDATE, "once")).then_kinds(HeadTaken)


def test_what_still_counts_in_another_cycle_goes_on_holding_it() -> None:
    two = held().and_then(take("in-2", "cycle-2"), by(CANDIDATE))
    one_left = two.and_then(EndHead(cycle="cycle-1", application=CASE), by("timer"))
    one_left.when(take(OTHERS), by(OWNER)).refused(TAKEN)
    none_left = one_left.and_then(EndHead(cycle="cycle-2", application="in-2"), by("timer"))
    none_left.when(take(OTHERS), by(OWNER)).then_kinds(HeadTaken)


@pytest.mark.parametrize(("command", "event"), [(EndHead, HeadEnded), (ReleaseHead, HeadReleased)])
def test_an_end_is_said_once_and_only_of_what_counts(command: type[Any], event: type[Any]) -> None:
    end = command(cycle="cycle-1", application=CASE)
    held().when(end, by("timer")).then_kinds(event)
    held(end).when(end, by("timer")).then()
    held().when(command(cycle="cycle-1", application="another"), by("timer")).then()


# --- whose it is


def test_whom_identity_knows_it_of_need_not_wait_for_whoever_was_first() -> None:
    (event,) = held().when(take(OTHERS), by(OWNER, known=True)).happened()
    assert isinstance(event, HeadTaken)
    assert event.replaced == CASE
    theirs = held().and_then(take(OTHERS), by(OWNER, known=True))
    theirs.when(take("again"), by(CANDIDATE)).refused(TAKEN)
    held(rule="once").when(take(OTHERS), by(OWNER, "once", known=True)).then_kinds(HeadTaken)


def test_the_verdict_says_the_same() -> None:
    heads = Heads("candidate-other", {"cycle-1": "before"})
    assert ACCOUNT.ticket_number == "990000000001"
    assert codes(draft(by=REEF), me(by=REEF, heads=heads)) == {}
    unknown = replace(ACCOUNT, ticket_number="")
    assert codes(draft(by=REEF), me(by=REEF, heads=heads, account=unknown)) == {"": TAKEN}


# --- an office takes it from whom it is not of


WITHDRAW = WithdrawHead(cycle="cycle-1", application=CASE)


def test_what_an_office_takes_is_its_owners_and_not_taken_again() -> None:
    held().when(WITHDRAW, by("office")).then(HeadWithdrawn(cycle="cycle-1", application=CASE))
    freed = held(WITHDRAW)
    freed.when(take("again"), by(CANDIDATE)).refused(TAKEN)
    freed.when(take(OTHERS), by(OWNER)).then_kinds(HeadTaken)
    ended = freed.and_then(take(OTHERS), by(OWNER)).and_then(EndHead(cycle="cycle-1", application=OTHERS), by("timer"))
    ended.when(take("again"), by(CANDIDATE)).refused(TAKEN)


def test_a_mistake_of_the_office_is_put_right_the_same_way() -> None:
    theirs = held(WITHDRAW).and_then(take(OTHERS), by(OWNER))
    back = theirs.and_then(WithdrawHead(cycle="cycle-1", application=OTHERS), by("office"))
    back.when(take("again"), by(CANDIDATE)).then_kinds(HeadTaken)
    back.when(take(OTHERS), by(OWNER)).refused(TAKEN)


def test_a_clerk_takes_it_after_seeing_whose_it_is_for_a_reason_of_the_book() -> None:
    past = submitted(by=REEF)
    (event,) = past.when(RELEASE, at("master", by=REEF)).happened()
    assert isinstance(event, TicketReleased)
    assert (event.seen, event.reason, event.organisation) == (("ticket",), "准考证号属于他人", "harbour")
    assert event.clause.endswith("exemption.uniqueness.release TT-51")
    unseen = ReleaseTicket(application=CASE, seen={}, reason_code="not_theirs", note="x")
    past.when(unseen, at("master", by=REEF)).refused("exemption.not_everything_seen", items=["ticket"])
    mood = ReleaseTicket(application=CASE, seen={"ticket": True}, reason_code="mood", note="x")
    past.when(mood, at("master", by=REEF)).refused("exemption.no_such_reason")
    past.when(RELEASE, at("clerk", by=REEF)).refused("access.not_found")
    past.when(RELEASE, me(by=REEF)).refused("access.not_allowed")
    submitted().when(RELEASE, at("master")).refused("exemption.no_ticket_release")


def test_it_is_taken_only_from_what_keeps_it_and_once() -> None:
    master = at("master", by=REEF)
    for past in (submitted(by=REEF), submitted(by=REEF).and_then(RETURN, master), granted()):
        assert "release_ticket" in available_actions(past.state, master)
        released = past.and_then(RELEASE, master)
        assert "release_ticket" not in available_actions(released.state, master)
        released.when(RELEASE, master).refused("exemption.holds_no_ticket")
    revoked = granted().and_then(RevokeExemption(application=CASE, reason_code="not_in_plan", note="x"), master)
    revoked.when(RELEASE, master).refused("exemption.holds_no_ticket")
    draft(by=REEF).when(RELEASE, master).refused("access.not_found")


def test_under_a_number_that_is_another_ones_nothing_passes_until_it_is_put_right() -> None:
    master = at("master", by=REEF)
    released = submitted(by=REEF).and_then(RELEASE, master)
    released.when(passing("现场确认", REEF), master).refused("exemption.ticket_released")
    assert "pass" not in available_actions(released.state, master)
    assert "return" in available_actions(released.state, master)
    back = released.and_then(RETURN, master)
    mine = replace(ACCOUNT, ticket_number="")
    heads = Heads(not_of=CANDIDATE)
    assert codes(back, me(by=REEF, heads=heads, account=mine)) == {"": TAKEN}
    corrected = back.and_then(save(*REEF_GOOD, by=REEF, ticket="990000000002"), me(by=REEF))
    again = corrected.and_then(SUBMIT, me(by=REEF, account=mine))
    assert [type(event) for event in again.past[-2:]] == [ApplicationSubmitted, StageOpened]
    assert "pass" in available_actions(again.state, master)


def test_what_was_approved_under_it_is_taken_back_for_the_reason_of_the_release_and_stays_so() -> None:
    """SD-19, SD-46: else two would be approved under one number, its owner's and the stranger's."""
    master = at("master", by=REEF)
    released, revoked = granted().when(RELEASE, master).happened()
    assert isinstance(released, TicketReleased)
    assert isinstance(revoked, ExemptionRevoked)
    for said in ("role", "organisation", "reason_code", "reason", "note", "clause"):
        assert getattr(revoked, said) == getattr(released, said)
    after = granted().and_then(RELEASE, master)
    assert isinstance(after.state, Revoked)
    assert after.state.title == REEF.book.state("revoked").title
    assert settled_by(after.state, CASE) == WITHDRAW
    late = at("timer", MUCH_LATER, REEF)
    after.when(ExpireExemption(application=CASE, purpose="use", due_at=MUCH_LATER), late).then()
    after.when(ReviveApplication(application=CASE, purpose="use"), at("timer", by=REEF)).then()
    after.when(RevokeExemption(application=CASE, reason_code="not_in_plan", note="x"), master).refused(
        "exemption.not_granted"
    )


def test_what_was_handed_off_under_it_is_taken_back_too_and_keeps_nobody_from_acknowledging_the_batch() -> None:
    """It counts still, and keeps the number from its owner; the others of its batch are none the worse for it."""
    master = at("master", by=REEF)
    handed = granted().and_then(HandOffRecord(batch="b", receiver="harbour"), master)
    assert "release_ticket" in available_actions(handed.state, master)
    handed.when(RELEASE, master).then_kinds(TicketReleased, ExemptionRevoked)
    after = handed.and_then(RELEASE, master)
    assert isinstance(after.state, Revoked)
    assert settled_by(after.state, CASE) == WITHDRAW
    after.when(RELEASE, master).refused("exemption.holds_no_ticket")
    after.when(AcknowledgeRecord(batch="b", reference="R-1"), master).then()
    revoke = RevokeExemption(application=CASE, reason_code="not_in_plan", note="x")
    revoked = handed.and_then(revoke, master)
    revoked.when(AcknowledgeRecord(batch="b", reference="R-1"), master).then()
    granted().when(AcknowledgeRecord(batch="b", reference="R-1"), master).refused("access.not_found")


def test_a_book_with_a_release_says_what_a_revoked_exemption_is_called() -> None:
    said = REEF.book.model_dump(mode="json", exclude={"revocation"}, exclude_unset=True)
    assert ExemptionScheme.model_validate(said).revocation is None
    said["states"] = [each for each in said["states"] if each["id"] != "revoked"]
    with pytest.raises(ValueError, match="states: missing: revoked"):
        ExemptionScheme.model_validate(said)


def test_only_a_ticket_number_can_be_another_ones() -> None:
    said = REEF.book.uniqueness
    assert said
    with pytest.raises(ValueError, match="release: only a ticket number"):
        Uniqueness.model_validate({**said.model_dump(), "by": "person"})


# --- what is recorded as seen


@pytest.mark.parametrize("answer", [1, "yes", "true", "1", None])
def test_only_true_and_false_say_that_something_was_seen_or_checked(answer: Any) -> None:
    with pytest.raises(ValueError, match="boolean"):
        FaceToFace.model_validate({"seen": {"id_card": answer}, "reason_code": "x", "note": "x"})
    with pytest.raises(ValueError, match="boolean"):
        Pass.model_validate({"stage": "审核", "checklist": {"genuine": answer}})
