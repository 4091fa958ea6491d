"""What a person may say about a parked fact, in every service that follows others."""

from dataclasses import replace
from importlib import import_module
from typing import Any

import pytest
from msgspec import structs

from ops.words import Words
from shared import events
from shared.kernel.decider import Decider
from shared.kernel.parking import LONGEST_NOTE, REASONS, ResolveParked, Waiting
from shared.runtime.trail import Trail
from shared.testing.given import given

DECIDERS = [import_module(f"services.{service}.domain.parking").PARKING for service in events.FOLLOWS]
every_follower = pytest.mark.parametrize("decider", DECIDERS, ids=events.FOLLOWS)

POISON = Waiting(version=3, type="identity.account_registered.v1", fault="KeyError", early=False, person="person-1")
EARLY = replace(POISON, fault="not_yet", early=True)
ASKED = ResolveParked(source="identity", stream="account-1", version=3, reason="done_by_hand")
AnyDecider = Decider[Any, Any, Any, Any]


def asked(**changes: Any) -> ResolveParked:
    return structs.replace(ASKED, **changes)  # type: ignore[type-var]


@every_follower
def test_exactly_the_fact_that_was_looked_at_is_passed_over_and_words_are_apart(decider: AnyDecider) -> None:
    (resolved,) = given(decider).when(ASKED, POISON).happened()
    assert (resolved.source, resolved.stream, resolved.version) == ("identity", "account-1", 3)
    assert (resolved.type, resolved.fault, resolved.reason) == (POISON.type, "KeyError", "done_by_hand")
    _, explained = given(decider).when(asked(note="  told by telephone "), POISON).happened()
    assert explained.note == "told by telephone"
    assert given(decider).when(asked(note="x"), POISON).state.state_title == "已跳过第3条"


@every_follower
@pytest.mark.parametrize(
    ("command", "waiting", "code"),
    [
        (ASKED, None, "parking.not_parked"),
        (asked(version=2), POISON, "parking.other_version"),
        (asked(version=4), POISON, "parking.other_version"),
        (ASKED, EARLY, "parking.waits_for_a_fact"),
        (asked(reason=""), POISON, "parking.no_such_reason"),
        (asked(reason="because"), POISON, "parking.no_such_reason"),
        (asked(note="words"), replace(POISON, person=None), "parking.note_without_person"),
        (asked(note=" "), POISON, "request.text_length"),
        (asked(note="字" * (LONGEST_NOTE + 1)), POISON, "request.text_length"),
        (asked(note="\x00"), POISON, "request.text_has_control_characters"),
    ],
)
def test_what_is_not_exact_is_refused(
    decider: AnyDecider, command: ResolveParked, waiting: Waiting | None, code: str
) -> None:
    given(decider).when(command, waiting).refused(code)


@every_follower
def test_what_only_waits_for_another_fact_is_passed_over_only_if_that_is_said(decider: AnyDecider) -> None:
    (resolved,) = given(decider).when(asked(even_early=True), EARLY).happened()
    assert resolved.fault == "not_yet"


def test_an_official_reads_a_word_for_every_reason() -> None:
    words = Words(Trail("case", None, (), False, (), {}, ()))
    assert all("\u4e00" <= words.said("reason", code)[0] <= "\u9fff" for code in REASONS)
