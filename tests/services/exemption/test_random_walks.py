"""Whatever people try, in whatever order: only facts and coded refusals come of it, and the laws hold."""

from datetime import timedelta

from hypothesis import event as seen
from hypothesis import given as for_all
from hypothesis import settings
from hypothesis import strategies as st

from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Case, Granted, HandedOff, InReview
from services.exemption.domain.commands import AcknowledgeRecord, ApplicationCommand, DiscardDraft
from services.exemption.domain.refusals import REFUSALS
from shared.events.exemption import ApplicationEvent, ApplicationSubmitted, DraftSaved, StagePassed
from shared.kernel.errors import COMMON, Refused
from tests.services.exemption.story import (
    CANDIDATE,
    CASE,
    HAND_OFF,
    NOON,
    PRINT,
    ROLES,
    START,
    SUBMIT,
    at,
    draft,
    passing,
    returning,
    save,
)

COMMANDS: list[ApplicationCommand] = [
    START, save(), save(remark="改"), SUBMIT, DiscardDraft(application=CASE), passing("初审"), passing("复核"),
    returning("初审"), returning("复核"), PRINT, HAND_OFF, AcknowledgeRecord(batch="batch-1", reference="1"),
]  # fmt: skip
ACTORS = {
    CANDIDATE: frozenset[tuple[str, str]](),
    "li": frozenset({ROLES["li"]}),
    "wang": frozenset({ROLES["wang"]}),
    "both": frozenset({ROLES["li"], ROLES["wang"]}),
    "zhao": frozenset({ROLES["zhao"]}),
}
RIGHT: list[tuple[ApplicationCommand, str]] = [
    (save(), CANDIDATE), (SUBMIT, CANDIDATE), (passing("初审"), "li"), (passing("初审"), "both"),
    (passing("复核"), "wang"), (passing("复核"), "both"), (returning("复核"), "wang"), (HAND_OFF, "wang"),
    (AcknowledgeRecord(batch="batch-1", reference="1"), "zhao"),
]  # fmt: skip
"""Steps that lead onward, so that a walk gets somewhere; the others try everything by everybody."""

STEP = st.one_of(st.sampled_from(RIGHT), st.tuples(st.sampled_from(COMMANDS), st.sampled_from(sorted(ACTORS))))
BEGUN: list[ApplicationEvent] = list(draft().past)


@settings(max_examples=100)
@for_all(st.lists(st.tuples(STEP, st.integers(0, 30)), min_size=40, max_size=80))
def test_no_order_of_steps_breaks_a_law(steps: list[tuple[tuple[ApplicationCommand, str], int]]) -> None:
    past = list(BEGUN)
    for (command, actor), days in steps:
        before = APPLICATION.replay(past)
        try:
            events = APPLICATION.decide(command, before, at(actor, NOON + timedelta(days=days), roles=ACTORS[actor]))
        except Refused as refused:
            assert refused.code in REFUSALS or refused.code in COMMON  # noqa: PT017 - every answer has its texts
            continue
        for event in events:
            if isinstance(event, DraftSaved | ApplicationSubmitted):
                assert not isinstance(before, InReview | Granted | HandedOff)
            if isinstance(event, StagePassed):
                assert isinstance(before, InReview)
                assert before.desk.stage == event.stage
                assert actor not in {who for stage, who in before.decided if stage != event.stage}
        past += events
    after = APPLICATION.replay(past)
    seen(type(after).__name__)
    if isinstance(after, Granted | HandedOff):
        assert len(set(after.passed.values())) == len(after.passed) == 2
    if isinstance(after, Case):
        assert after.submissions == sum(isinstance(event, ApplicationSubmitted) for event in past)


@settings(max_examples=100)
@for_all(st.lists(STEP, min_size=30, max_size=60))
def test_the_same_past_always_amounts_to_the_same(steps: list[tuple[ApplicationCommand, str]]) -> None:
    """Replaying in one go and step by step agree, so a projection may follow as events come."""
    past = list(BEGUN)
    followed = APPLICATION.replay(past)
    for command, actor in steps:
        try:
            events = APPLICATION.decide(command, followed, at(actor, roles=ACTORS[actor]))
        except Refused:
            continue
        for event in events:
            followed = APPLICATION.evolve(followed, event)
        past += events
    assert APPLICATION.replay(past) == followed
