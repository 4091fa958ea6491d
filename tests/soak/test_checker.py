"""The checker on evidence that is made up: it says yes to what fits together, and notices each thing that does not."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from shared.kernel.messages import command_id
from soak.checker import Effect, Evidence, Message, Receipt, Request, Store, Stored, check
from soak.evidence import requests_of
from soak.journal import Answered, Asked, Journal, Unknown

SUBMIT, RETURN = uuid4(), uuid4()
FACTS = (uuid4(), uuid4())
TOLD = tuple(command_id("notification", str(fact), "0") for fact in FACTS)


def stored(seq: int, stream: str, version: int, kind: str, command: UUID, **more: Any) -> Stored:
    known = {"event_id": uuid4(), "causation": None, "actor": "somebody", "position": seq, **more}
    return Stored(seq=seq, stream=stream, version=version, type=kind, command=command, **known)


def request(command: UUID, version: int, event: str) -> Request:
    answer = {"version": version, "events": [event]}
    return Request(service="exemption", what=event, command=command, status=200, answer=answer)


EXEMPTION = Store(
    service="exemption",
    events=(
        stored(1, "application-1", 1, "submitted", SUBMIT, event_id=FACTS[0]),
        stored(2, "application-1", 2, "returned", RETURN, event_id=FACTS[1]),
    ),
    commands={
        SUBMIT: Receipt("application-1", 1, ("submitted",)),
        RETURN: Receipt("application-1", 2, ("returned",)),
    },
    inbox={},
    followed_to={},
    refused=frozenset(),
    parked=(),
    published=2,
    effects=(),
)
NOTIFICATION = Store(
    service="notification",
    events=tuple(
        stored(
            number, "contact-1", number, "learned", TOLD[number - 1], causation=FACTS[number - 1], actor="notification"
        )
        for number in (1, 2)
    ),
    commands={TOLD[number - 1]: Receipt("contact-1", number, ("learned",)) for number in (1, 2)},
    inbox={("exemption", "application-1"): 2},
    followed_to={"exemption": 2},
    refused=frozenset(),
    parked=(),
    published=None,
    effects=tuple(
        Effect("exemption", "application-1", number, 0, TOLD[number - 1], FACTS[number - 1]) for number in (1, 2)
    ),
)
WHOLE = Evidence(
    requests=(request(SUBMIT, 1, "submitted"), request(RETURN, 2, "returned")),
    stores={"exemption": EXEMPTION, "notification": NOTIFICATION},
    messages=(
        Message("message-1", "delivered", False, 1, {"out-1": 1}),
        Message("message-2", "in_doubt", True, 1, {"out-2": 1}),
    ),
    strangers=(),
    rebuilt={"exemption": (5, 0), "notification": (3, 0)},
    audit=(),
)


def with_store(service: str, **changed: Any) -> Evidence:
    return replace(WHOLE, stores={**WHOLE.stores, service: replace(WHOLE.stores[service], **changed)})


def without(commands: Mapping[UUID, Receipt], command: UUID) -> dict[UUID, Receipt]:
    return {known: receipt for known, receipt in commands.items() if known != command}


def test_what_fits_together_is_good_and_counted() -> None:
    verdict = check(WHOLE)
    assert verdict.line == "soak: 2 acknowledged, 0 lost, 0 twice, 0 differences"
    assert verdict.good
    assert verdict.counted["effects"] == 2
    assert verdict.counted["SMS received"] == 2
    assert verdict.counted["SMS in doubt"] == 1
    assert verdict.counted["rows compared"] == 8


def test_nothing_acknowledged_proves_nothing() -> None:
    assert not check(replace(WHOLE, requests=())).good


def test_an_acknowledged_command_that_is_not_in_the_store_is_lost() -> None:
    doctored = with_store(
        "exemption", events=EXEMPTION.events[:1], commands=without(EXEMPTION.commands, RETURN), published=1
    )
    verdict = check(doctored)
    assert "returned was acknowledged, and is in no store" in verdict.lost
    assert not verdict.good


def test_a_command_whose_event_is_missing_is_lost() -> None:
    assert check(with_store("exemption", events=EXEMPTION.events[:1], published=1)).lost


def test_a_command_whose_events_stand_there_twice_is_noticed() -> None:
    again = stored(3, "application-1", 3, "returned", RETURN)
    verdict = check(with_store("exemption", events=(*EXEMPTION.events, again), published=3))
    assert len(verdict.twice) == 1


def test_an_effect_that_was_never_done_is_lost() -> None:
    verdict = check(
        with_store("notification", events=NOTIFICATION.events[:1], commands=without(NOTIFICATION.commands, TOLD[1]))
    )
    assert verdict.lost == ["notification never did what exemption application-1 2 asks (0)"]


def test_an_effect_that_our_own_rules_refused_is_not_lost() -> None:
    verdict = check(
        with_store(
            "notification",
            events=NOTIFICATION.events[:1],
            commands=without(NOTIFICATION.commands, TOLD[1]),
            refused=frozenset({("exemption", "application-1", 2)}),
        )
    )
    assert verdict.good


def test_a_doubled_effect_is_noticed() -> None:
    other = uuid4()
    doubled = stored(3, "contact-1", 3, "learned", other, causation=FACTS[1], actor="notification")
    commands = {**NOTIFICATION.commands, other: Receipt("contact-1", 3, ("learned",))}
    verdict = check(with_store("notification", events=(*NOTIFICATION.events, doubled), commands=commands))
    assert len(verdict.twice) == 1


def test_the_second_stream_that_one_effect_moves_is_no_second_effect() -> None:
    part = uuid5(TOLD[1], "1")
    moved = stored(3, "cases-1", 1, "learned", part, causation=FACTS[1], actor="notification")
    commands = {**NOTIFICATION.commands, part: Receipt("cases-1", 1, ("learned",))}
    assert check(with_store("notification", events=(*NOTIFICATION.events, moved), commands=commands)).good


def test_effects_out_of_the_order_of_their_facts_are_noticed() -> None:
    first, second = NOTIFICATION.effects
    swapped = (replace(first, command=TOLD[1]), replace(second, command=TOLD[0]))
    verdict = check(with_store("notification", effects=swapped))
    assert verdict.differences == ["notification: contact-1 1 is an effect out of its order"]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"inbox": {("exemption", "application-1"): 1}}, "handled exemption application-1 up to 1 of 2"),
        ({"inbox": {}}, "up to 0 of 2"),
    ],
)
def test_a_followed_stream_that_was_not_handled_to_its_end_is_lost(changed: dict[str, Any], complaint: str) -> None:
    assert any(complaint in each for each in check(with_store("notification", **changed)).lost)


@pytest.mark.parametrize(
    "changed", [{"followed_to": {"exemption": 1}}, {"parked": ("exemption application-1 2 KeyError",)}]
)
def test_what_waits_at_the_end_is_a_difference(changed: dict[str, Any]) -> None:
    assert len(check(with_store("notification", **changed)).differences) == 1


def test_a_position_that_is_missing_skipped_or_given_twice_is_noticed() -> None:
    first, second = EXEMPTION.events
    assert check(with_store("exemption", events=(first, replace(second, position=None)))).lost
    assert check(with_store("exemption", events=(first, replace(second, position=3)), published=3)).differences
    assert check(with_store("exemption", events=(first, replace(second, position=1)), published=1)).twice


def test_what_was_not_published_is_a_difference() -> None:
    assert check(with_store("exemption", published=1)).differences == ["exemption: published up to 1 of 2"]


def test_an_answer_that_is_not_the_receipt_is_a_difference() -> None:
    told = replace(WHOLE.requests[1], answer={"version": 3, "events": ["returned"]})
    assert check(replace(WHOLE, requests=(WHOLE.requests[0], told))).differences


def test_acknowledgements_in_another_order_than_the_stream_are_a_difference() -> None:
    assert check(replace(WHOLE, requests=WHOLE.requests[::-1])).differences


def test_a_refusal_that_was_recorded_and_a_request_without_an_answer_are_differences() -> None:
    refused = replace(WHOLE.requests[1], status=409)
    silent = replace(WHOLE.requests[1], status=None)
    assert check(replace(WHOLE, requests=(WHOLE.requests[0], refused))).differences
    assert check(replace(WHOLE, requests=(WHOLE.requests[0], silent))).differences


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (Message("message-1", "delivered", False, 1, {"out-1": 2}), "twice"),
        (Message("message-1", "delivered", False, 1, {"out-1": 1, "out-2": 1}), "twice"),
        (Message("message-1", "in_doubt", True, 1, {"out-1": 1, "out-2": 1}), "twice"),
        (Message("message-1", "accepted", True, 1, {"out-1": 0}), "lost"),
        (Message("message-1", "waiting", False, 1, {}), "lost"),
        (Message("message-1", "sending", False, 1, {"out-1": 1}), "lost"),
    ],
)
def test_an_sms_that_came_twice_or_never_or_that_nobody_goes_on_with_is_noticed(message: Message, kind: str) -> None:
    verdict = check(replace(WHOLE, messages=(message,)))
    assert [name for name in ("lost", "twice", "differences") if getattr(verdict, name)] == [kind]


def test_an_sms_that_was_asked_for_again_may_come_again() -> None:
    again = Message("message-1", "delivered", False, 2, {"out-1": 1, "out-2": 1})
    assert check(replace(WHOLE, messages=(again,))).good


def test_an_sms_that_a_timer_will_send_is_counted_and_not_lost() -> None:
    verdict = check(replace(WHOLE, messages=(Message("message-1", "waiting", True, 1, {}),)))
    assert verdict.good
    assert verdict.counted["SMS still to send"] == 1


def test_an_sms_that_no_attempt_tells_of_is_noticed() -> None:
    assert check(replace(WHOLE, strangers=("out-9",))).twice


def test_a_row_that_differs_from_a_rebuild_is_a_difference_and_so_is_nothing_to_compare() -> None:
    assert check(replace(WHOLE, rebuilt={"exemption": (5, 1)})).differences
    assert check(replace(WHOLE, rebuilt={"exemption": (0, 0)})).differences


def test_what_the_audit_finds_is_a_difference() -> None:
    assert check(replace(WHOLE, audit=("version 3 is missing",))).differences == ["version 3 is missing"]


def test_the_journal_is_read_as_it_was_written(tmp_path: Path) -> None:
    """In the order of the answers; a request asked again is one, and one without an answer comes last."""
    journal = Journal(tmp_path / "journal.jsonl")
    at = "2026-01-01T00:00:00+00:00"
    for number in (1, 2, 3):
        path = f"/v1/things/{number}"
        journal.write(Asked(number, at, "a story", "exemption", "POST", path, "somebody", f"key-{number}"))
    journal.write(Unknown(1, at, "ReadTimeout"))
    journal.write(Answered(3, at, 200, {"version": 1}))
    journal.write(Answered(1, at, 409, {}))
    journal.close()
    requests = requests_of(journal.file)
    assert [(each.status, each.asked_again) for each in requests] == [(200, 0), (409, 1), (None, 0)]
    assert requests[0].command == command_id("somebody", "POST /v1/things/3", "key-3")
