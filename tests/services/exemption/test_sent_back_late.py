"""退回 after the days to put something right are over: it lapses in the same breath, and an extension gives it back.

By the made-up book, with days to correct after which things lapse. Without a server; Hubei's whole is in test_hb.py.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from services.exemption.domain.access import Context, available_actions
from services.exemption.domain.afterwards import cannot_be_put_right
from services.exemption.domain.case import Lapsed, Returned
from services.exemption.domain.commands import ReturnApplication, ReviveApplication
from services.exemption.domain.cycle import CYCLE
from services.exemption.domain.scheme import Deadline, ExemptionScheme
from services.exemption.domain.uniqueness import EndHead, settled_by
from services.notification.domain.scheme import NotificationScheme
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationReturned,
    ApplicationRevived,
    ApplicationSubmitted,
    StageOpened,
    WindowExtended,
    WindowReopened,
)
from shared.schemes.catalog import Catalog
from shared.testing.given import given
from tests.services.exemption.claims_story import (
    CANDIDATE,
    CASE,
    LATER,
    NOON,
    REEF,
    SUBMIT,
    WINDOWS,
    at,
    passing,
    submitted,
)
from tests.services.exemption.story import Past
from tests.services.exemption.test_cycle import ending, reef, season, windows_of
from tests.services.exemption.test_reviving import LONGER

LAPSES = Deadline(window="correct", lapses=True, source="TT-50")
BOOK = replace(REEF, book=REEF.book.model_copy(update={"resubmit": LAPSES}))
OVER = WINDOWS[REEF.ref]["correct"].over_at()
RETURN = ReturnApplication(application=CASE, stage="审核", reason_code="unclear", note="看不清", document="tide")
REVIVE = ReviveApplication(application=CASE, purpose="correct")


def by(actor: str, now: datetime, **more: Any) -> Context:
    return at(actor, now, REEF, rules=BOOK, **more)


def confirmed() -> Past:
    """At the second stage, which has no window of its own."""
    return submitted(by=REEF).and_then(passing("现场确认", REEF), at("master", by=REEF))


def late() -> Past:
    return confirmed().and_then(RETURN, by("mate", LATER))


def longer() -> Context:
    """The days to put it right were extended."""
    context = by(CANDIDATE, LATER)
    to_day = LATER.date() + timedelta(days=5)
    windows = {**context.cycle.windows, "correct": replace(context.cycle.windows["correct"], to_day=to_day)}
    return replace(context, cycle=replace(context.cycle, windows=windows))


def test_what_can_still_be_put_right_is_only_sent_back() -> None:
    (returned,) = confirmed().when(RETURN, by("mate", NOON)).happened()
    assert isinstance(returned, ApplicationReturned)
    assert not cannot_be_put_right(by("mate", NOON))


def test_what_can_be_put_right_no_more_lapses_as_it_is_sent_back() -> None:
    """HB-07, HB-22: else it could neither be handed in nor lapse, since that window ends once."""
    assert cannot_be_put_right(by("mate", LATER))
    assert "return" in available_actions(confirmed().state, by("mate", LATER))
    returned, lapsed = confirmed().when(RETURN, by("mate", LATER)).happened()
    assert isinstance(returned, ApplicationReturned)
    assert returned.reason == "不清"
    assert isinstance(lapsed, ApplicationLapsed)
    assert (lapsed.purpose, lapsed.ended_at) == ("correct", OVER)
    assert lapsed.clause.endswith("exemption.windows[correct] TT-50")
    assert isinstance(late().state, Lapsed)
    assert available_actions(late().state, by(CANDIDATE, LATER)) == []
    assert settled_by(late().state, CASE) == EndHead(cycle="cycle-1", application=CASE)


def test_where_the_book_says_nothing_of_lapsing_nothing_lapses() -> None:
    confirmed().when(RETURN, at("mate", LATER, REEF)).then_kinds(ApplicationReturned)


def test_so_it_is_in_a_cycle_that_was_closed_by_hand() -> None:
    """Its window ended with it, days before its last day; and nothing extends it."""
    cycle = replace(by("mate", NOON).cycle, closed=True, ended=frozenset({"apply", "correct", "confirm"}))
    _, lapsed = confirmed().when(RETURN, by("mate", NOON, cycle=cycle)).happened()
    assert isinstance(lapsed, ApplicationLapsed)
    assert lapsed.ended_at == NOON


def test_an_extension_gives_it_back_to_be_put_right() -> None:
    late().when(REVIVE, by("timer", LATER)).then()  # its days are over
    revived = late().and_then(REVIVE, longer())
    event = revived.past[-1]
    assert isinstance(event, ApplicationRevived)
    assert (event.becomes, event.title) == ("returned", "退回更正")
    assert isinstance(revived.state, Returned)
    assert revived.state == confirmed().and_then(RETURN, by("mate", NOON)).state
    revived.when(SUBMIT, longer()).then_kinds(ApplicationSubmitted, StageOpened)


def test_an_extension_is_told_to_what_ended_also_before_the_end_was_recorded() -> None:
    """A clerk sends back and another one extends in the seconds before the timer comes."""
    past = given(CYCLE).and_then(season(), reef())
    over = windows_of(past)["confirm"].over_at()
    assert over
    _, reopened = past.when(LONGER, reef(over)).happened()
    assert reopened == WindowReopened(purpose="confirm", reopened_at=over)
    past.and_then(LONGER, reef(over)).when(ending(over, "confirm"), reef(over)).then()  # that end is no end any more
    past.when(LONGER, reef(over - timedelta(seconds=1))).then_kinds(WindowExtended)


def test_nobody_is_promised_to_put_right_what_is_sent_back_too_late() -> None:
    """HB-07: then both are told at once, the return and that it lapsed."""
    shown = Catalog.load().get("hb/recognition@1")
    book, notices = shown.part("exemption", ExemptionScheme), shown.part("notification", NotificationScheme)
    returned, lapsed = notices.moments["exemption.returned"], notices.moments["exemption.lapsed"]
    assert all("如仍在补正时间内" in text for text in returned.texts()[1:])
    assert all("补正时间已截止" in text and "本次申请已失效" in text for text in lapsed.texts()[1:])
    assert "或退回时补正时间已截止" in book.state("lapsed").explanation
