"""Windows of one cycle that contradict each other: none is opened so, and none extended so (SD-41, HB-03, HB-07)."""

from datetime import date, timedelta

import pytest

from services.exemption.domain.commands import ExtendWindow, WindowAsked
from services.exemption.domain.cycle import CYCLE
from shared.events.exemption import WindowExtended
from shared.testing.given import given
from tests.services.exemption.claims_story import REEF, WINDOWS
from tests.services.exemption.test_cycle import guild, opened_guild, reef, season


def extending(purpose: str, days: int) -> ExtendWindow:
    """From the last day of handing in."""
    last = WINDOWS[REEF.ref]["apply"].to_day
    return ExtendWindow(cycle="c", purpose=purpose, to_day=last + timedelta(days=days), reason="系统维护")


@pytest.mark.parametrize("purpose", ["correct", "confirm", "use"])
def test_what_follows_handing_in_is_not_over_before_it(purpose: str) -> None:
    """SD-41, HB-07: else what is sent back is dead, and what is approved expires in the same breath."""
    last = WINDOWS[REEF.ref]["apply"].to_day
    until = {days: WindowAsked(last - timedelta(days=20), last + timedelta(days=days)) for days in (-1, 0)}
    early = given(CYCLE).when(season(**{purpose: until[-1]}), reef())
    early.refused("exemption.impossible_window", purpose=purpose, faults=["over_before_handing_in_is"])
    given(CYCLE).and_then(season(**{purpose: until[0]}), reef())


def test_handing_in_is_not_extended_beyond_what_is_sent_back() -> None:
    """Days on site may be added afterwards: until then what is handed in waits for them."""
    last = WINDOWS[REEF.ref]["apply"].to_day
    query = WindowAsked(last + timedelta(days=5), last + timedelta(days=9))
    past = given(CYCLE).and_then(season(results=query), reef())
    refused = past.when(extending("apply", 3), reef())
    refused.refused("exemption.impossible_window", purpose="correct", faults=["over_before_handing_in_is"])
    longer = past.and_then(extending("correct", 3), reef())
    longer.when(extending("apply", 3), reef()).then_kinds(WindowExtended)


def test_a_diploma_is_taken_before_handing_in_is_over() -> None:
    """HB-03."""
    first, late = (WindowAsked(date(2026, 3, day), date(2026, 3, 30)) for day in (20, 21))
    refused = given(CYCLE).when(opened_guild(prior_education=late), guild())
    why = ["prior_education_after_handing_in_is_over"]
    refused.refused("exemption.impossible_window", purpose="prior_education", faults=why)
    given(CYCLE).and_then(opened_guild(prior_education=first), guild())
