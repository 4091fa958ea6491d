"""The trail of a case: its story over all stores, rebuilt from the events alone. `ops/audit.py` prints it.

The case is closed over causation (the notices it caused, the orders it asked for), and the identity events of its
person come with it; beside the story stands what identity recorded of the staff and organisations in it. Reads as the
role `auditor`, in one snapshot. Without a keyring nothing personal is unsealed: states never depend on it (`evolve`
carries personal values and never branches on them).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import heappop, heappush
from typing import Any, NamedTuple
from uuid import UUID

from shared.kernel.decider import Decider
from shared.kernel.messages import Event, Fact, personal_fields, stream_name
from shared.runtime.audit import stores_in
from shared.runtime.keyring import Keyring
from shared.runtime.records import COLUMNS, Ciphers, Record, fact_of
from shared.runtime.rows import Connection

Deciders = Mapping[tuple[str, str], Decider[Any, Any, Any, Any]]
"""(service, kind of stream) -> its decider."""
Stream = tuple[str, str]
"""(service, stream)."""
OF_PERSONS = "identity"
NOTHING_KNOWN = "未获知"
_COLUMNS = ", ".join(f"e.{column}" for column in COLUMNS)


class UnknownCase(Exception):
    """No event of any store belongs to this case (by the time asked for)."""


class State(NamedTuple):
    """What a stream amounts to after its event `version`, by the state's title."""

    name: str
    version: int


@dataclass(frozen=True)
class Entry:
    """One event of the story, and what it did to its stream. `before` is None for a stream's first event."""

    fact: Fact[Any]
    hash: bytes
    previous_hash: bytes
    before: str | None
    after: str | None  # None where nobody gave a decider for the stream
    erased: bool  # its person's key is destroyed

    @property
    def sealed(self) -> tuple[str, ...]:
        """The personal fields of the event."""
        return tuple(personal_fields(type(self.fact.event)))


@dataclass(frozen=True)
class Trail:
    """Entries from cause to effect; `states` are those the streams arrive at, by `at` or until now.

    `offices` are identity's facts about the staff who acted and the organisations that are named: who was what, when.
    """

    case: str
    at: datetime | None
    persons: tuple[str, ...]
    unsealed: bool
    entries: tuple[Entry, ...]
    states: Mapping[Stream, State]
    offices: tuple[Fact[Any], ...]


@dataclass(frozen=True)
class Difference:
    """A live read model says something else than the events do. None: that side knows nothing of the stream."""

    stream: Stream
    rebuilt: State | None
    live: State | None

    def __str__(self) -> str:
        sides = [f"{side.name} (version {side.version})" if side else "nothing" for side in (self.rebuilt, self.live)]
        return f"{self.stream[0]} {self.stream[1]}: by its events {sides[0]}, in the read model {sides[1]}"


class Found(NamedTuple):
    """A record and where it was found."""

    source: str
    record: Record
    seq: int
    position: int | None

    @property
    def stream(self) -> Stream:
        return self.source, self.record.stream


async def rebuild_trail(
    connection: Connection, case: str, deciders: Deciders, *, keyring: Keyring | None = None, at: datetime | None = None
) -> Trail:
    """The story of `case`; with `at`, what was recorded by then and the states then. Raises `UnknownCase`."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        reader = _Reader(connection, await stores_in(connection), at)
        found = await reader.closure(case)
        if not found:
            raise UnknownCase(case)
        persons = sorted({each.record.person for each in found.values() if each.record.person})
        for each in await reader.read("e.person = any($2)", persons, only=OF_PERSONS):
            found.setdefault(each.record.event_id, each)
        streams = sorted({each.stream[1] for each in found.values()})
        history = await reader.read("e.stream = any($2)", streams)
        ciphers, erased = await _ciphers(connection, history, keyring)
        touched = {each.stream for each in found.values()}
        facts, passed = _replayed([each for each in history if each.stream in touched], ciphers, deciders)
        offices = await _offices(reader, [facts[event] for event in found])
    entries = []
    for _, record, _, _ in ordered(found.values()):
        before, after = passed.get(record.event_id, (None, None))
        fact, is_erased = facts[record.event_id], record.person in erased
        entries.append(Entry(fact, record.hash, record.previous_hash, before, after, is_erased))
    states = {
        each.stream: State(passed[each.record.event_id][1], each.record.version)
        for each in sorted(history, key=lambda each: each.record.version)
        if each.record.event_id in passed
    }
    return Trail(case, at, tuple(persons), keyring is not None, tuple(entries), states, offices)


def differences(trail: Trail, live: Mapping[Stream, State | None]) -> list[Difference]:
    """Where the read models' rows in `live` (None: there is no row) are not what the trail arrives at."""
    return [
        Difference(stream, trail.states.get(stream), row)
        for stream, row in live.items()
        if trail.states.get(stream) != row
    ]


def name_of(state: object) -> str:
    """What an official calls the state: the book's word for it where it knows one."""
    if state is None:
        return NOTHING_KNOWN
    title = getattr(state, "state_title", None)
    return title if isinstance(title, str) and title else type(state).__name__


def ordered(found: Iterable[Found]) -> list[Found]:
    """By time, but no effect before its cause (clocks of two machines differ) and each stream in its own order."""
    all_found = sorted(found, key=_by_time)
    by_id = {each.record.event_id: number for number, each in enumerate(all_found)}
    follows: dict[int, list[int]] = {}
    waits_for = [0] * len(all_found)
    last_of: dict[Stream, int] = {}
    for number in sorted(range(len(all_found)), key=lambda number: all_found[number].record.version):
        each = all_found[number]
        before = {last_of.get(each.stream), by_id.get(each.record.causation) if each.record.causation else None}
        for earlier in before - {None, number}:
            assert earlier is not None
            follows.setdefault(earlier, []).append(number)
            waits_for[number] += 1
        last_of[each.stream] = number
    ready = [number for number, count in enumerate(waits_for) if count == 0]
    order = []
    while ready:
        number = heappop(ready)
        order.append(number)
        for next_one in follows.get(number, ()):
            waits_for[next_one] -= 1
            if waits_for[next_one] == 0:
                heappush(ready, next_one)
    # events that cause each other exist only in a store that was tampered with: still shown, at the end
    order += [number for number, count in enumerate(waits_for) if count > 0]
    return [all_found[number] for number in order]


def _by_time(each: Found) -> tuple[datetime, str, int]:
    return each.record.recorded_at, each.source, each.seq


class _Reader:
    """Reads events of all stores, recorded by `at`."""

    def __init__(self, connection: Connection, stores: Sequence[str], at: datetime | None) -> None:
        self._connection = connection
        self._stores = stores
        self._at = at

    async def read(self, where: str, value: object, only: str | None = None) -> list[Found]:
        found: list[Found] = []
        for source in self._stores:
            if only in (None, source):
                # the position as a subquery, since joined a story of many streams goes through the whole log;
                # min, because a log that was tampered with may have two
                rows = await self._connection.fetch(
                    f'select {_COLUMNS}, e.seq, (select min(l.position) from "{source}".log as l where l.seq = e.seq) '  # noqa: S608
                    f'from "{source}".events as e '
                    f"where ($1::timestamptz is null or e.recorded_at <= $1) and {where} "
                    "order by e.stream, e.version",
                    self._at,
                    value,
                )
                width = len(COLUMNS)
                found += [Found(source, Record(*row[:width]), *row[width:]) for row in rows]
        return found

    async def closure(self, case: str) -> dict[UUID, Found]:
        """The events of the case, then what they caused, then what that caused, until nothing is new."""
        found: dict[UUID, Found] = {}
        fresh = await self.read("e.case_id = $2", case)
        while fresh:
            found |= {each.record.event_id: each for each in fresh}
            caused = await self.read("e.causation = any($2)", [each.record.event_id for each in fresh])
            fresh = [each for each in caused if each.record.event_id not in found]
        return found

    async def offices(self, kind: str, subjects: Iterable[str]) -> list[Fact[Any]]:
        """What identity recorded of these staff or organisations; subjects that are neither have no such stream."""
        names = sorted(stream_name(kind, subject) for subject in subjects)
        found = await self.read("e.stream = any($2)", names, only=OF_PERSONS)
        keyless = dict.fromkeys(each.record.person for each in found if each.record.person)
        return [fact_of(each.source, each.record, keyless, each.position) for each in found]


async def _ciphers(
    connection: Connection, history: Iterable[Found], keyring: Keyring | None
) -> tuple[Ciphers, frozenset[str]]:
    """Without a keyring nobody's: everything personal then reads as it does for the erased."""
    persons = {each.record.person for each in history if each.record.person}
    rows = await connection.fetch("select person from keyring.read_keys($1) where erased", sorted(persons))
    ciphers = await keyring.ciphers(persons) if keyring else dict.fromkeys(persons)
    return ciphers, frozenset(row["person"] for row in rows)


async def _offices(reader: _Reader, story: Sequence[Fact[Any]]) -> tuple[Fact[Any], ...]:
    """Nothing personal of the staff is unsealed."""
    staff = await reader.offices("staff", {fact.meta.actor for fact in story})
    named = {word for fact in [*story, *staff] for word in _plain_words(fact.event)}
    return tuple(staff + await reader.offices("organisation", named))


def _plain_words(event: Event) -> Iterator[str]:
    """Every text in it that is not personal: among them are the codes of organisations."""
    for field in event.__struct_fields__:
        if field not in personal_fields(type(event)):
            value = getattr(event, field)
            yield from (each for each in (value.values() if isinstance(value, dict) else [value]) if type(each) is str)


def _replayed(
    history: Iterable[Found], ciphers: Ciphers, deciders: Deciders
) -> tuple[dict[UUID, Fact[Any]], dict[UUID, tuple[str | None, str]]]:
    """Every event decoded, and the state before and after it. `history` has each stream from its start, in order."""
    facts: dict[UUID, Fact[Any]] = {}
    passed: dict[UUID, tuple[str | None, str]] = {}
    states: dict[Stream, Any] = {}
    for each in history:
        fact = facts[each.record.event_id] = fact_of(each.source, each.record, ciphers, each.position)
        decider = deciders.get((each.source, fact.stream.split("-", 1)[0]))
        if decider is not None:
            before = states.get(each.stream, decider.initial)
            after = states[each.stream] = decider.evolve(before, fact.event)
            passed[fact.id] = (name_of(before) if fact.version > 1 else None, name_of(after))
    return facts, passed
