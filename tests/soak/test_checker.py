"""The checker on evidence that is made up: it says yes to what fits together, and notices each thing that does not."""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4, uuid5

import pytest

from shared.events.notification import MessageAccepted, MessageRequested, ResendRequested, SendingAttempted
from shared.kernel.messages import Event, command_id
from soak.checker import Effect, Evidence, Receipt, Request, Store, Stored, Wish, check
from soak.evidence import requests_of, wishes_of
from soak.journal import Answered, Asked, Journal, Unknown

SUBMIT, RETURN = uuid4(), uuid4()
FACTS = (uuid4(), uuid4())
SUBMITTED, RETURNED = ("exemption", "application-1", 1), ("exemption", "application-1", 2)
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
    refused={},
    of_erased=frozenset(),
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
    refused={},
    of_erased=frozenset(),
    parked=(),
    published=None,
    effects=tuple(
        Effect("exemption", "application-1", number, 0, TOLD[number - 1], FACTS[number - 1]) for number in (1, 2)
    ),
)
WHOLE = Evidence(
    requests=(request(SUBMIT, 1, "submitted"), request(RETURN, 2, "returned")),
    stores={"exemption": EXEMPTION, "notification": NOTIFICATION},
    wishes=(
        Wish("message-1", "delivered", False, {"out-1": 1}),
        Wish("message-2", "in_doubt", True, {"out-2": 1}),
    ),
    strangers=(),
    rebuilt={"exemption": (5, 0), "notification": (3, 0)},
    audit=(),
    leaks=(),
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
            refused={RETURNED: "notification.cannot_be_told"},
        )
    )
    assert verdict.good
    assert verdict.counted["refused as notification.cannot_be_told"] == 1


@pytest.mark.parametrize("code", ["access.person_erased", "exemption.person_erased", "service.unavailable"])
def test_a_refusal_that_no_rule_can_have_meant_is_a_difference_and_not_a_thing_done(code: str) -> None:
    verdict = check(with_store("notification", refused={RETURNED: code}))
    assert verdict.differences == [f"notification took exemption application-1 2 for done: refused as {code}"]


def test_what_was_refused_because_its_person_is_erased_is_explained_by_that() -> None:
    refused = {RETURNED: "access.person_erased"}
    assert check(with_store("notification", refused=refused, of_erased=frozenset({RETURNED}))).good
    assert not check(with_store("notification", refused=refused, of_erased=frozenset({SUBMITTED}))).good


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
    ("wish", "kind"),
    [
        (Wish("message-1", "delivered", False, {"out-1": 2}), "twice"),
        (Wish("message-1", "delivered", False, {"out-1": 1, "out-2": 1}), "twice"),
        (Wish("message-1", "in_doubt", True, {"out-1": 1, "out-2": 1}), "twice"),
        (Wish("message-1", "accepted", True, {"out-1": 0}), "lost"),
        (Wish("message-1", "waiting", False, {}), "lost"),
        (Wish("message-1", "sending", False, {"out-1": 1}), "lost"),
    ],
)
def test_an_sms_that_came_twice_or_never_or_that_nobody_goes_on_with_is_noticed(wish: Wish, kind: str) -> None:
    verdict = check(replace(WHOLE, wishes=(wish,)))
    assert [name for name in ("lost", "twice", "differences") if getattr(verdict, name)] == [kind]


def told(kind: type[Event], number: int = 0) -> dict[str, str]:
    """An event of one message, as its row stands in the store."""
    body = {"channels": ["sms", "inbox"], "out_id": f"out-{number}"}
    return {"stream": "message-1", "type": kind.name, "body": json.dumps(body)}


WISHED_TWICE = [
    told(MessageRequested),
    told(SendingAttempted, 1),
    told(MessageAccepted),
    told(ResendRequested),
    told(SendingAttempted, 2),
    told(MessageAccepted),
]


@pytest.mark.parametrize(
    ("received", "lost", "twice"),
    [
        ({"out-1": 1, "out-2": 1}, [], []),
        ({"out-1": 1}, ["message-1, wish 2"], []),
        ({"out-2": 1}, ["message-1, wish 1"], []),
        ({"out-1": 2}, ["message-1, wish 2"], ["message-1, wish 1"]),
    ],
)
def test_an_sms_that_was_asked_for_again_comes_once_for_each_time(
    received: dict[str, int], lost: list[str], twice: list[str]
) -> None:
    verdict = check(replace(WHOLE, wishes=wishes_of(WISHED_TWICE, {"message-1"}, received)))
    assert [each.split(" counts")[0] for each in verdict.lost] == lost
    assert [each.split(" was")[0] for each in verdict.twice] == twice
    assert not verdict.differences


def test_a_wish_that_nobody_tried_to_fulfil_is_lost_also_when_it_is_not_the_first() -> None:
    wishes = wishes_of(WISHED_TWICE[:4], (), {"out-1": 1})
    assert check(replace(WHOLE, wishes=wishes)).lost == ["message-1, wish 2 is waiting, and nothing will go on with it"]


def test_an_sms_that_a_timer_will_send_is_counted_and_not_lost() -> None:
    verdict = check(replace(WHOLE, wishes=(Wish("message-1", "waiting", True, {}),)))
    assert verdict.good
    assert verdict.counted["SMS still to send"] == 1


def test_an_sms_that_no_attempt_tells_of_is_noticed() -> None:
    assert check(replace(WHOLE, strangers=("out-9",))).twice


def test_a_row_that_differs_from_a_rebuild_is_a_difference_and_so_is_nothing_to_compare() -> None:
    assert check(replace(WHOLE, rebuilt={"exemption": (5, 1)})).differences
    assert check(replace(WHOLE, rebuilt={"exemption": (0, 0)})).differences


def test_what_is_personal_and_stands_in_a_log_is_a_difference() -> None:
    assert check(replace(WHOLE, leaks=("identity.log: a mobile number",))).differences == [
        "identity.log: a mobile number"
    ]


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
