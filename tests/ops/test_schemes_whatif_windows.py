"""`./zikao schemes whatif` and windows: days left out, what ends with them, and what of a draft no replay shows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any

from ops.schemes.refitting import days_not_known, under
from ops.schemes.replaying import Replay
from services.exemption.domain.commands import LapseApplication
from services.exemption.domain.cycle import Cycle, without
from services.exemption.domain.scheme import Rules
from shared.events.exemption import CycleWindowEnded, WindowSettled
from shared.kernel.messages import Event
from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Window
from tests.ops.test_schemes_whatif import around, changed, changes, fact, granted
from tests.services.exemption import claims_story as story
from tests.services.exemption.story import Past

SATURDAY = datetime(2026, 3, 14, 11, 0, tzinfo=SHANGHAI)
OVER = datetime(2026, 4, 1, 0, 0, tzinfo=SHANGHAI)
JUNE = datetime(2026, 6, 1, 0, 0, tzinfo=SHANGHAI)
Later = Sequence[tuple[Event, datetime, str]]


def replayed(old: Rules, draft: Rules, past: Sequence[Event], *later: tuple[str, Later]) -> Replay:
    """What was handed in on a Saturday, and then what happened to the application and to its cycle."""
    replay = Replay.of(old, draft)
    for each in around(old):
        replay.take(each)
    facts = [(f"application-{story.CASE}", event, SATURDAY, story.CANDIDATE) for event in past]
    facts += [(stream, *each) for stream, several in later for each in several]
    for version, (stream, event, at, who) in enumerate(facts, 1):
        replay.take(fact(stream, version, event, at, who))
    assert replay.not_reproduced == set()
    return replay


def window_of(rules: Rules, purpose: str, **changed: Any) -> tuple[Any, ...]:
    return tuple(each.model_copy(update=changed) if each.id == purpose else each for each in rules.book.windows)


def ended(purpose: str, at: datetime, *, settles: bool) -> tuple[str, Later]:
    over: list[tuple[Event, datetime, str]] = [
        (CycleWindowEnded(purpose=purpose, ended_at=at, settles=settles), at, "timer")
    ]
    return "cycle-cycle-1", [*over, *([(WindowSettled(purpose=purpose, ended_at=at), at, "timer")] if settles else [])]


def test_days_that_a_draft_leaves_out_refuse_who_handed_in_on_them() -> None:
    past = story.submitted().past
    replay = replayed(story.ISLE, changed(windows=window_of(story.ISLE, "apply", skip=("weekends",))), past)
    (change,) = replay.changes.values()
    assert (change.would_be, change.why[0].code) == ("", "exemption.window_not_open_yet")
    other = replayed(story.ISLE, changed(windows=window_of(story.ISLE, "apply", skip=("holidays",))), past)
    assert (other.changes, other.beyond) == ({}, {})


def test_days_that_the_book_left_out_are_open_again_under_a_draft_that_does_not() -> None:
    day = SATURDAY.date()
    skipping = changed(windows=window_of(story.ISLE, "apply", skip=("weekends",)))
    opened = replace(
        Cycle(skipping.ref, "harbour", "测试批次", story.WINDOWS[skipping.ref]), skips={"apply": ("weekends",)}
    )
    opened = replace(opened, windows={**opened.windows, "apply": without(opened.windows["apply"], (day,))})
    assert day in under(opened, skipping, skipping).windows["apply"].excluded
    assert day not in under(opened, skipping, story.ISLE).windows["apply"].excluded
    by_hand = replace(opened, skips={})
    assert day in under(by_hand, skipping, story.ISLE).windows["apply"].excluded


def test_a_year_whose_holidays_nobody_knows_is_named_and_not_passed_over() -> None:
    far = {"apply": Window(date(2096, 3, 1), date(2096, 3, 31))}
    draft = changed(windows=window_of(story.ISLE, "apply", skip=("weekends",)))
    (said,) = days_not_known(Cycle(story.ISLE.ref, "harbour", "测试批次", far), story.ISLE, draft)
    assert said.endswith("〔免考申请〕：不办理的日期（节假日未公布）")


def unlocked() -> tuple[Past, tuple[str, Later]]:
    past = story.submitted()
    events = past.when(story.UNLOCK, story.at("clerk", SATURDAY)).happened()
    return past, (f"application-{story.CASE}", [(each, SATURDAY, "clerk") for each in events])


def test_what_lapsed_and_would_not_under_the_draft_is_another_outcome() -> None:
    past, back = unlocked()
    lapse = LapseApplication(application=story.CASE, purpose="apply", due_at=OVER)
    lapsed = past.and_then(story.UNLOCK, story.at("clerk", SATURDAY)).when(lapse, story.at("timer", OVER)).happened()
    then = (f"application-{story.CASE}", [(each, OVER, "timer") for each in lapsed])
    assert story.ISLE.book.resubmit is not None
    lasting = changed(resubmit=story.ISLE.book.resubmit.model_copy(update={"lapses": False}))
    end = ended("apply", OVER, settles=True)
    replay = replayed(story.ISLE, lasting, past.past, back, (end[0], end[1][:1]), then, (end[0], end[1][1:]))
    (change,) = replay.changes.values()
    assert (change.step, change.was, change.would_be) == ("到期", "逾期失效", "仍为“被退回”")
    assert replay.decisions == 3
    same = replayed(story.ISLE, story.ISLE, past.past, back, (end[0], end[1][:1]), then, (end[0], end[1][1:]))
    assert (same.changes, same.decisions) == ({}, 3)


def test_what_did_not_lapse_and_would_under_the_draft_is_another_outcome() -> None:
    assert story.ISLE.book.resubmit is not None
    lasting = changed(resubmit=story.ISLE.book.resubmit.model_copy(update={"lapses": False}))
    past, back = unlocked()
    replay = replayed(lasting, story.ISLE, past.past, back, ended("apply", OVER, settles=False))
    (change,) = replay.changes.values()
    assert (change.step, change.was, change.would_be) == ("到期", "仍为“被退回”", "逾期失效")
    assert change.why[0].clause.startswith("lagoon/isle@1 exemption.windows[apply]")


def test_what_was_approved_for_good_and_would_expire_under_the_draft_is_another_outcome() -> None:
    past = story.submitted()
    passed = past.when(story.passing("审核"), story.at("master", story.LATER)).happened()
    granted_ = (f"application-{story.CASE}", [(each, story.LATER, "master") for each in passed])
    validity = story.REEF.book.validity
    assert validity is not None
    expired = next(each for each in story.REEF.book.states if each.id == "expired")
    draft = changed(
        validity=validity.model_copy(update={"window": "results"}), states=(*story.ISLE.book.states, expired)
    )
    replay = replayed(story.ISLE, draft, past.past, granted_, ended("results", JUNE, settles=False))
    (change,) = replay.changes.values()
    assert (change.step, change.would_be) == ("到期", "免考过期")


def test_what_no_replay_shows_is_said_by_name() -> None:
    drafts = story.ISLE.book.photos_a_day.model_copy(update={"most": 3})
    _, lines = changes(changed(drafts=drafts, hand_off=story.REEF.book.hand_off), *granted())
    assert any(line.startswith("草案还改动了以下内容，重放不出其后果：免考规则 › ") for line in lines)
