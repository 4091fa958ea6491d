"""The checker: what was acknowledged against what is there. Pure; `evidence.py` gathers, `main.py` prints the verdict.

Lost: acknowledged, or asked for by a fact, and not there. Twice: there more often than it was asked for. A difference:
anything else that does not fit together.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid5

Key = tuple[str, str]
"""(source, stream)"""
At = tuple[str, str, int]
"""(source, stream, version): a fact"""
_MOST_PARTS = 8
"""Streams that one command of ours ever moves."""


@dataclass(frozen=True)
class Request:
    """What the journal knows of one command. `status` None: nobody ever got an answer."""

    service: str
    what: str
    command: UUID
    status: int | None
    answer: Mapping[str, Any]
    asked_again: int = 0
    cut_off: int = 0
    """How often of these the connection broke off while the answer was being made."""


@dataclass(frozen=True)
class Receipt:
    stream: str
    version: int
    events: tuple[str, ...]


@dataclass(frozen=True)
class Stored:
    """An event as it stands in a store. `position` None: it was never given one."""

    seq: int
    stream: str
    version: int
    type: str
    event_id: UUID
    command: UUID
    causation: UUID | None
    actor: str
    position: int | None


@dataclass(frozen=True)
class Effect:
    """One command that a source's fact asks its follower for, worked out from the fact alone."""

    source: str
    stream: str
    version: int
    number: int
    command: UUID
    causation: UUID


@dataclass(frozen=True)
class Store:
    """What one service's schema holds, and what it should have done."""

    service: str
    events: Sequence[Stored]
    commands: Mapping[UUID, Receipt]
    inbox: Mapping[Key, int]
    followed_to: Mapping[str, int]
    refused: Mapping[At, str]
    """Facts whose reaction our own rules said no to, and the code of it."""
    of_erased: frozenset[At]
    """Facts of others about persons who are erased: they ask for less than they did, so no effect is expected."""
    parked: Sequence[str]
    published: int | None
    effects: Sequence[Effect]


@dataclass(frozen=True)
class Wish:
    """One wish for an SMS as notification's events tell it, and how often the sandbox received each of its attempts. A
    message that was asked for again is two of them, and each is to come once."""

    what: str
    state: str
    scheduled: bool
    """A timer stands that will go on with it, or nobody has to."""
    received: Mapping[str, int]


@dataclass(frozen=True)
class Evidence:
    requests: Sequence[Request]
    stores: Mapping[str, Store]
    wishes: Sequence[Wish]
    strangers: Sequence[str]
    """SMS that the sandbox received and no event tells of."""
    rebuilt: Mapping[str, tuple[int, int]]
    """Service -> rows compared with a rebuild, rows that differ."""
    audit: Sequence[str]
    leaks: Sequence[str]
    """Where something stands that is personal or secret, and should not."""
    story_faults: Sequence[str] = ()


@dataclass
class Verdict:
    counted: dict[str, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not (self.lost or self.twice or self.differences) and self.counted["acknowledged"] > 0

    @property
    def line(self) -> str:
        return (
            f"soak: {self.counted['acknowledged']} acknowledged, {len(self.lost)} lost, {len(self.twice)} twice, "
            f"{len(self.differences)} differences"
        )


def check(evidence: Evidence) -> Verdict:
    verdict = Verdict()
    _requests(evidence, verdict)
    for store in evidence.stores.values():
        _commands_have_their_events(store, verdict)
        _log(store, verdict)
        _inboxes(store, evidence.stores, verdict)
        _effects(store, verdict)
        _refusals(store, verdict)
    _wishes(evidence, verdict)
    verdict.counted["rows compared"] = sum(rows for rows, _ in evidence.rebuilt.values())
    for service, (rows, differing) in evidence.rebuilt.items():
        if differing or not rows:
            verdict.differences.append(f"{service}: {differing} of {rows} rows differ from a rebuild")
    verdict.differences += [*evidence.audit, *evidence.leaks, *evidence.story_faults]
    return verdict


def _requests(evidence: Evidence, verdict: Verdict) -> None:
    acknowledged = [each for each in evidence.requests if each.status is not None and each.status < 300]
    verdict.counted["acknowledged"] = len(acknowledged)
    verdict.counted["asked again"] = sum(each.asked_again for each in evidence.requests)
    verdict.counted["cut off half-way"] = sum(each.cut_off for each in evidence.requests)
    for request in evidence.requests:
        receipt = evidence.stores[request.service].commands.get(request.command)
        if request.status is None:
            verdict.differences.append(f"{request.what} was never answered")
        elif request.status >= 300:
            if receipt is not None:
                verdict.differences.append(f"{request.what} was refused, and stands in the store")
        elif receipt is None:
            verdict.lost.append(f"{request.what} was acknowledged, and is in no store")
        elif not _as_answered(receipt, request.answer):
            verdict.differences.append(f"{request.what} was answered otherwise than its receipt says")
    _in_the_order_acknowledged(acknowledged, evidence.stores, verdict)


def _as_answered(receipt: Receipt, answer: Mapping[str, Any]) -> bool:
    said = answer.get("version", receipt.version), tuple(answer.get("events", receipt.events))
    return said == (receipt.version, receipt.events)


def _in_the_order_acknowledged(acknowledged: Sequence[Request], stores: Mapping[str, Store], verdict: Verdict) -> None:
    """Each story asks one thing after the other, so the versions of a stream grow as the journal does."""
    reached: dict[Key, int] = {}
    for request in acknowledged:
        receipt = stores[request.service].commands.get(request.command)
        if receipt is None or not receipt.events:
            continue
        stream = request.service, receipt.stream
        if receipt.version <= reached.get(stream, 0):
            verdict.differences.append(f"{request.what} was acknowledged later, and stands earlier")
        reached[stream] = receipt.version


def _commands_have_their_events(store: Store, verdict: Verdict) -> None:
    """Each receipt's events once, at the end of its version; and no event of a command that is not recorded."""
    by_command: dict[UUID, list[Stored]] = defaultdict(list)
    for event in store.events:
        by_command[event.command].append(event)
    verdict.counted["commands"] = verdict.counted.get("commands", 0) + len(store.commands)
    verdict.counted["events"] = verdict.counted.get("events", 0) + len(store.events)
    for command, receipt in store.commands.items():
        found = sorted(by_command.pop(command, ()), key=lambda event: event.version)
        first = receipt.version - len(receipt.events) + 1
        expected = [(receipt.stream, first + number, name) for number, name in enumerate(receipt.events)]
        there = [(event.stream, event.version, event.type) for event in found]
        if there == expected:
            continue
        complaint = f"{store.service}: command {command} left {there} instead of {expected}"
        (verdict.twice if len(there) > len(expected) else verdict.lost).append(complaint)
    for command, events in by_command.items():
        verdict.differences.append(
            f"{store.service}: {len(events)} events of the command {command}, which is not there"
        )


def _log(store: Store, verdict: Verdict) -> None:
    """Positions 1, 2, 3..., one an event, all of them published."""
    positions = Counter(event.position for event in store.events)
    if missing := positions.pop(None, 0):
        verdict.lost.append(f"{store.service}: {missing} events have no position")
    verdict.twice += [f"{store.service}: position {each} is given twice" for each, n in positions.items() if n > 1]
    last = max((each for each in positions if each is not None), default=0)
    if len(positions) != last:
        verdict.differences.append(f"{store.service}: {len(positions)} positions up to {last}")
    if store.published is not None and store.published != last:
        verdict.differences.append(f"{store.service}: published up to {store.published} of {last}")


def _inboxes(store: Store, stores: Mapping[str, Store], verdict: Verdict) -> None:
    for source, position in store.followed_to.items():
        ends: dict[str, int] = {}
        for event in stores[source].events:
            ends[event.stream] = max(event.version, ends.get(event.stream, 0))
        verdict.counted["streams followed"] = verdict.counted.get("streams followed", 0) + len(ends)
        for stream, version in ends.items():
            if (handled := store.inbox.get((source, stream), 0)) != version:
                verdict.lost.append(f"{store.service} handled {source} {stream} up to {handled} of {version}")
        if position != len(stores[source].events):
            verdict.differences.append(f"{store.service} followed {source} up to {position}")
    verdict.differences += [f"{store.service}: parked: {each}" for each in store.parked]


def _effects(store: Store, verdict: Verdict) -> None:
    """What each fact asked for was done once, and nothing else was done because of it."""
    verdict.counted["effects"] = verdict.counted.get("effects", 0) + len(store.effects)
    expected: set[UUID] = set()
    for effect in store.effects:
        expected |= {effect.command, *(uuid5(effect.command, str(part)) for part in range(1, _MOST_PARTS))}
        refused = (effect.source, effect.stream, effect.version) in store.refused
        if effect.command not in store.commands and not refused:
            fact = f"{effect.source} {effect.stream} {effect.version}"
            verdict.lost.append(f"{store.service} never did what {fact} asks ({effect.number})")
    causes = {effect.causation for effect in store.effects}
    for event in store.events:
        if event.actor == store.service and event.causation in causes and event.command not in expected:
            verdict.twice.append(f"{store.service}: {event.stream} {event.version} is an effect that nothing asks for")
    for complaint in _out_of_order(store):
        verdict.differences.append(complaint)


def _refusals(store: Store, verdict: Verdict) -> None:
    """A reaction that our own rules refused is done with, so each is counted by its code. What no rule of a service can
    have meant is a difference: a service that was not there, and an erasure of somebody who is not erased."""
    for fact, code in store.refused.items():
        verdict.counted[f"refused as {code}"] = verdict.counted.get(f"refused as {code}", 0) + 1
        unexplained = code.endswith(_OF_ERASED) and fact not in store.of_erased
        if unexplained or code.startswith(_NO_ANSWER):
            verdict.differences.append(f"{store.service} took {' '.join(map(str, fact))} for done: refused as {code}")


def _out_of_order(store: Store) -> Iterator[str]:
    """What the facts of one stream did to one stream of ours, it did in the order of the facts."""
    done = {event.command: event for event in reversed(store.events)}
    reached: dict[tuple[str, str, str], int] = {}
    for effect in sorted(store.effects, key=lambda each: (each.source, each.stream, each.version, each.number)):
        event = done.get(effect.command)
        if event is None:
            continue
        between = effect.source, effect.stream, event.stream
        if event.version < reached.get(between, 0):
            yield f"{store.service}: {event.stream} {event.version} is an effect out of its order"
        reached[between] = event.version


_OF_ERASED = ".person_erased"
_NO_ANSWER = "service."
_SENT = frozenset({"accepted", "delivered", "undelivered"})
_DOUBTED = frozenset({"sending", "in_doubt", "unresolved"})
"""Whether it was sent cannot be told (yet): shown as that, and not sent a second time meanwhile."""
_ENDED = frozenset({"undelivered", "delivered", "unresolved", "given_up"})


def _wishes(evidence: Evidence, verdict: Verdict) -> None:
    verdict.counted["SMS received"] = sum(sum(wish.received.values()) for wish in evidence.wishes)
    verdict.counted["SMS in doubt"] = sum(wish.state in _DOUBTED for wish in evidence.wishes)
    verdict.counted["SMS still to send"] = sum(wish.state == "waiting" for wish in evidence.wishes)
    for wish in evidence.wishes:
        received = sum(wish.received.values())
        if received > 1:
            verdict.twice.append(f"{wish.what} was wished for once and sent {received} times")
        elif wish.state in _SENT and not received:
            verdict.lost.append(f"{wish.what} counts as {wish.state}, and nobody received it")
        elif wish.state not in _ENDED and not wish.scheduled:
            verdict.lost.append(f"{wish.what} is {wish.state}, and nothing will go on with it")
    verdict.twice += [f"{each} was received, and no attempt tells of it" for each in evidence.strangers]
