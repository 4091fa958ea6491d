"""The stories of the demonstration, as they are written: every word of them is one that the books and steps know."""

import inspect
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import pytest
from pydantic import ValidationError

from ops.demo.candidate import Candidate
from ops.demo.script import Script, Today, filled, scripts, shelf
from ops.demo.story import CERTIFICATE, STEPS
from ops.demo.today import passes, until_there_is_room, windows_for_today
from services.exemption.domain.scheme import ExemptionScheme
from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Window, hours_of

EVERY = pytest.mark.parametrize("script", scripts().values(), ids=scripts().keys())
MORNING = datetime(2026, 3, 2, 3, 0, 7, 500, tzinfo=SHANGHAI)
"""Outside the hours of every book."""
SHORT = {"apply": Today(seconds=30), "results": Today(after="apply", pause=10)}


def rules_of(script: Script) -> ExemptionScheme:
    return shelf().get(script.scheme).part("exemption", ExemptionScheme)


def test_there_is_one_story_for_each_book_of_exemption_and_the_first_is_the_one_that_journeys_tell() -> None:
    exempting = {ref for ref in shelf().refs() if "exemption" in shelf().get(ref).sheets}
    assert {script.scheme for script in scripts().values()} == exempting
    assert next(iter(scripts())) == CERTIFICATE


@EVERY
def test_every_step_is_one_that_there_is_with_what_it_needs(script: Script) -> None:
    for name, said in script.steps:
        inspect.signature(STEPS[name]).bind(None, **said)


@EVERY
def test_every_person_has_a_role_of_the_book_at_an_organisation_of_the_story(script: Script) -> None:
    head = shelf().get(script.scheme).head
    assert head
    roles = {role.id for role in head.roles}
    places = {each.code for each in script.organisations}
    for person in script.people:
        assert {role for role, _ in person.roles} <= roles
        assert {place for _, place in person.roles} | {person.organisation} <= places


@EVERY
def test_no_two_stories_have_people_or_organisations_in_common(script: Script) -> None:
    others = [each for each in scripts().values() if each is not script]
    assert not {each.login for each in script.people} & {each.login for other in others for each in other.people}
    assert "样例" in script.cycle.title or script.book.endswith("1x")
    assert all("样例" in each.title for each in script.organisations)


@EVERY
def test_the_windows_of_a_story_are_those_of_its_book(script: Script) -> None:
    assert script.cycle.windows.keys() <= {window.id for window in rules_of(script).windows}


@EVERY
def test_a_cycle_for_today_can_be_handed_in_to_at_any_time_of_day(script: Script) -> None:
    book = rules_of(script)
    purposes = [window.id for window in book.windows]
    for hour in range(24):
        now = MORNING.replace(hour=hour)
        asked = windows_for_today(purposes, script.cycle.windows, now)
        assert asked.keys() == set(purposes)
        assert window_of(asked[book.submit.window]).holds(now)


def window_of(asked: Mapping[str, object]) -> Window:
    """As exemption takes it."""
    first, last = (date.fromisoformat(str(asked[name])) for name in ("from_day", "to_day"))
    daily = asked["daily"]
    assert isinstance(daily, list)
    return Window(first, last, tuple(hours_of("-".join(each)) for each in daily))


def test_one_window_follows_the_other_after_a_pause() -> None:
    asked = windows_for_today(["apply", "results"], SHORT, MORNING)
    apply, results = window_of(asked["apply"]), window_of(asked["results"])
    second = timedelta(seconds=1)
    assert apply.holds(MORNING + 29 * second)
    assert apply.phase(MORNING + 30 * second) == "closed"
    assert results.phase(MORNING + 39 * second) == "not_yet"
    assert results.phase(MORNING + 40 * second) == "open"


@pytest.mark.parametrize(
    ("at", "pause"),
    [("12:00:00", 0), ("23:59:00", 0), ("23:59:20", 40), ("23:59:59", 1)],
)
def test_windows_of_seconds_wait_for_midnight_rather_than_run_over_it(at: str, pause: int) -> None:
    now = datetime.fromisoformat(f"2026-03-02T{at}+08:00")
    assert until_there_is_room(SHORT, now) == timedelta(seconds=pause)
    assert until_there_is_room({}, now) == timedelta()
    assert (passes(SHORT), passes({})) == (True, False)


def test_a_fact_that_nobody_knows_is_no_value() -> None:
    facts = Candidate(number=1).facts()
    assert filled({"a": ["{name}", 3]}, facts) == {"a": [facts["name"], 3]}
    with pytest.raises(KeyError):
        filled("{shoe_size}", facts)


def test_a_story_with_an_unknown_word_is_refused() -> None:
    with pytest.raises(ValidationError, match="weather"):
        Today.model_validate({"seconds": 30, "weather": "fine"})
