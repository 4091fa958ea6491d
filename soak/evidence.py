"""Gathers what `checker.py` compares: the journal, every store, the sandbox's messages, a rebuild, the audit.

Reads only, as the owner of the stack's database; effects are worked out again from the facts and the reactions.
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import msgspec

from ops.replay import definition_of
from ops.stack.stack import Stack
from shared import events
from shared.events.notification import (
    AttemptFailed,
    MessageAccepted,
    MessageDelivered,
    MessageRequested,
    MessageUndelivered,
    OutcomeInDoubt,
    OutcomeUnresolved,
    ResendRequested,
    SendingAttempted,
    SendingGivenUp,
)
from shared.kernel.messages import command_id
from shared.runtime.audit import Audited, verify
from shared.runtime.database import DATABASE, with_database
from shared.runtime.keyring import Keyring
from shared.runtime.records import COLUMNS, Record, fact_of
from shared.runtime.replay import compare
from shared.runtime.rows import Connection
from soak.checker import At, Effect, Evidence, Key, Receipt, Request, Store, Stored, Wish
from soak.journal import Answered, Asked, Unknown, read
from soak.secrecy import leaks, received

_EVENTS = f"""
select e.seq, l.position, {", ".join(f"e.{column}" for column in COLUMNS)}
from events as e left join log as l on l.seq = e.seq order by e.seq
"""  # noqa: S608 - columns of ours
_READ = {
    "events": _EVENTS,
    "commands": "select command_id, receipt from commands",
    "inbox": "select source, stream, version from inbox",
    "sources": "select source, position, coalesce(deployed_at, 0) as deployed_at from sources",
    "reactions": "select source, stream, version, outcome from reactions",
    "parked": "select source, stream, version, reason, detail from parked",
    "published": "select published from sequencer",
    "timers": "select stream from timers",
}
_LOOKS = 60

Rows = Mapping[str, Sequence[asyncpg.Record]]
"""What `_READ` found in one service's schema."""


async def gathered(stack: Stack, journal: Path, story_faults: Sequence[str] = ()) -> Evidence:
    audit: list[str] = []
    rebuilt: dict[str, tuple[int, int]] = {}
    for service in events.SERVICES:
        async with opened(stack, service) as (pool, keyring), pool.acquire() as connection:
            comparison = await compare(connection, definition_of(service), keyring)
            rebuilt[service] = comparison.rows, comparison.differing
            audit += [f"audit: {found.sentence}" async for found in verify(connection, Audited(service))]
    async with opened(stack, "notification") as (pool, keyring), pool.acquire() as connection:
        found = await _snapshot(connection)
        stores = {service: await _store(service, found, keyring) for service in events.SERVICES}
        came = _received(stack)
        # an attempt is recorded before the call, so of what was received by then each is told of by now
        told = _attempts(await connection.fetch(_EVENTS))
    return Evidence(
        requests=requests_of(journal),
        stores=stores,
        wishes=wishes_of(
            found["notification"]["events"], {row["stream"] for row in found["notification"]["timers"]}, came
        ),
        strangers=sorted(came.keys() - {out_id for each in told.values() for out_id in each}),
        rebuilt=rebuilt,
        audit=audit,
        leaks=[f"{Path(name).name} tells something personal or secret" for name, _ in leaks(stack)],
        story_faults=story_faults,
    )


async def _snapshot(connection: Connection) -> Mapping[str, Rows]:
    """All services at one instant, since receipts of SMS go on being recorded for minutes.

    An instant at which every event has its position, which comes within moments if nothing is wrong.
    """
    for _ in range(_LOOKS):
        found: dict[str, Rows] = {}
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for service in events.SERVICES:
                await connection.execute(f'set local search_path to "{service}"')
                found[service] = {name: await connection.fetch(query) for name, query in _READ.items()}
        if all(row["position"] is not None for rows in found.values() for row in rows["events"]):
            break
        await asyncio.sleep(0.1)
    return found


@asynccontextmanager
async def opened(stack: Stack, service: str) -> AsyncIterator[tuple[asyncpg.Pool, Keyring]]:
    """A service's own schema as the owner of the database, with a keyring that remembers nothing."""
    url = with_database(stack.infra.postgres_admin_url, DATABASE)
    settings = {"search_path": service}
    async with asyncpg.create_pool(url, min_size=1, max_size=2, server_settings=settings) as pool:
        yield pool, Keyring(pool, base64.b64decode(stack.secrets.kek))


def requests_of(journal: Path) -> list[Request]:
    """One for each key, in the order in which they were answered; those without an answer at the end."""
    asked: dict[int, Asked] = {}
    answered: dict[int, Answered] = {}
    again: Counter[int] = Counter()
    cut_off: Counter[int] = Counter()
    for entry in read(journal):
        match entry:
            case Asked():
                asked[entry.number] = entry
            case Answered():
                answered[entry.number] = entry
            case Unknown():
                again[entry.number] += 1
                cut_off[entry.number] += entry.cut_off
    return [
        Request(
            service=asked[number].service,
            what=f"{asked[number].story}: {asked[number].method} {asked[number].path} ({asked[number].key})",
            command=asked[number].command,
            status=answered[number].status if number in answered else None,
            answer=answered[number].answer if number in answered else {},
            asked_again=again[number],
            cut_off=cut_off[number],
        )
        for number in (*answered, *(asked.keys() - answered.keys()))
    ]


async def _store(service: str, found: Mapping[str, Rows], keyring: Keyring) -> Store:
    rows = found[service]
    deployed = {row["source"]: row["deployed_at"] for row in rows["sources"]}
    effects: list[Effect] = []
    of_erased: list[At] = []
    for source in events.FOLLOWS.get(service, ()):
        asked, erased = await _asked_for(service, source, found[source]["events"], deployed.get(source, 0), keyring)
        effects += asked
        of_erased += erased
    followed: dict[str, int] = dict.fromkeys(events.FOLLOWS.get(service, ()), 0)
    handled: dict[Key, int] = {(row["source"], row["stream"]): row["version"] for row in rows["inbox"]}
    return Store(
        service=service,
        events=[_stored(row) for row in rows["events"]],
        commands={row["command_id"]: msgspec.json.decode(row["receipt"], type=Receipt) for row in rows["commands"]},
        inbox=handled,
        followed_to=followed | {row["source"]: row["position"] for row in rows["sources"]},
        refused={(row["source"], row["stream"], row["version"]): row["outcome"] for row in rows["reactions"]},
        of_erased=frozenset(of_erased),
        parked=[" ".join(str(value) for value in row.values()) for row in rows["parked"]],
        published=rows["published"][0]["published"] if events.followers(service) else None,
        effects=effects,
    )


def _stored(row: asyncpg.Record) -> Stored:
    return Stored(
        seq=row["seq"],
        stream=row["stream"],
        version=row["version"],
        type=row["type"],
        event_id=row["event_id"],
        command=row["command_id"],
        causation=row["causation"],
        actor=row["actor"],
        position=row["position"],
    )


async def _asked_for(
    follower: str, source: str, rows: Sequence[asyncpg.Record], deployed_at: int, keyring: Keyring
) -> tuple[list[Effect], list[At]]:
    """What the source's facts ask of its follower; and the facts of erased persons, which ask for less than they did:
    of these no effect is worked out."""
    reactions = defaultdict(list)
    for reaction in definition_of(follower).reactions:
        reactions[reaction.event.name].append(reaction)
    interesting = [row for row in rows if row["type"] in reactions]
    ciphers = await keyring.ciphers({row["person"] for row in interesting if row["person"]})
    effects, of_erased = [], []
    for row in interesting:
        if row["person"] and ciphers[row["person"]] is None:
            of_erased.append((source, row["stream"], row["version"]))
            continue
        fact = fact_of(source, Record(*tuple(row)[2:]), ciphers, row["position"])
        wanted = [
            command
            for reaction in reactions[row["type"]]
            if reaction.since == "beginning" or (row["position"] or 0) > deployed_at
            for command in reaction.react(fact)
        ]
        for number, _ in enumerate(wanted):
            command = command_id(follower, str(fact.id), str(number))
            effects.append(Effect(source, fact.stream, fact.version, number, command, fact.id))
    return effects, of_erased


def _received(stack: Stack) -> Counter[str]:
    """Our own number of an attempt -> how often a provider accepted it; from the file, which outlives the sandbox."""
    return Counter(sms["out_id"] for sms in received(stack))


def _attempts(rows: Sequence[asyncpg.Record]) -> Mapping[str, list[str]]:
    """Message -> our own number of each attempt at a provider."""
    attempts: dict[str, list[str]] = defaultdict(list)
    for row in rows:
        if row["type"] == SendingAttempted.name:
            attempts[row["stream"]].append(json.loads(row["body"])["out_id"])
    return attempts


_STATE_AFTER = {
    MessageRequested.name: "waiting",
    ResendRequested.name: "waiting",
    SendingAttempted.name: "sending",
    AttemptFailed.name: "waiting",
    OutcomeInDoubt.name: "in_doubt",
    OutcomeUnresolved.name: "unresolved",
    SendingGivenUp.name: "given_up",
    MessageAccepted.name: "accepted",
    MessageDelivered.name: "delivered",
    MessageUndelivered.name: "undelivered",
}
"""Where a wish stands after an event of its message; after any other it stands where it stood."""


def wishes_of(rows: Sequence[Any], scheduled: Iterable[str], received: Mapping[str, int]) -> list[Wish]:
    """Each wish of each message with the attempts that were made for it, which are those up to the next wish.

    `rows` are notification's events in their order, `scheduled` the streams with a timer, which is the last wish's; of
    an earlier one that was accepted nobody asks for the receipt any more.
    """
    histories: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        if row["type"] in _STATE_AFTER:
            histories[row["stream"]].append(row)
    going_on = set(scheduled)
    wishes: list[Wish] = []
    for stream, history in histories.items():
        if "sms" not in json.loads(history[0]["body"])["channels"]:
            continue
        begins = [n for n, row in enumerate(history) if row["type"] in (MessageRequested.name, ResendRequested.name)]
        for number, (begin, end) in enumerate(zip(begins, [*begins[1:], len(history)], strict=True), 1):
            about = history[begin:end]
            state = _STATE_AFTER[about[-1]["type"]]
            tried = [json.loads(row["body"])["out_id"] for row in about if row["type"] == SendingAttempted.name]
            wishes.append(
                Wish(
                    what=f"{stream}, wish {number}",
                    state=state,
                    scheduled=stream in going_on if end == len(history) else state == "accepted",
                    received={out_id: received.get(out_id, 0) for out_id in tried},
                )
            )
    return wishes


async def unquiet(stack: Stack, *, sms: bool = True) -> list[str]:
    """What is still on its way; nothing when the system has come to rest. Of whom a killed process was just sending
    to, an SMS waits until the lease of its timer ends, a minute."""
    waiting: list[str] = []
    for service in events.SERVICES:
        async with opened(stack, service) as (pool, _):
            seen = await pool.fetchrow(
                "select (select count(*) from events) as events, (select count(*) from log) as log, "
                "(select published from sequencer) as published, (select count(*) from parked) as parked"
            )
            assert seen is not None  # one row of counts
            if seen["events"] != seen["log"]:
                waiting.append(f"{service}: {seen['events'] - seen['log']} events without a position")
            if events.followers(service) and seen["published"] != seen["log"]:
                waiting.append(f"{service}: {seen['log'] - seen['published']} unpublished")
            if seen["parked"]:
                waiting.append(f"{service}: {seen['parked']} parked")
            for source in events.FOLLOWS.get(service, ()):
                behind = await pool.fetchval(
                    f'select (select count(*) from "{source}".log) - position from sources where source = $1',  # noqa: S608
                    source,
                )
                if behind != 0:
                    waiting.append(f"{service}: {behind} behind {source}")
            if sms and service == "notification":
                # in doubt: the provider is asked again after minutes; that is an outcome here
                sending = await pool.fetchval("select count(*) from messages where sms_state in ('waiting', 'sending')")
                if sending:
                    waiting.append(f"notification: {sending} SMS to send")
    return waiting


async def until_quiet(stack: Stack, within: float, *, sms: bool = True) -> list[str]:
    """Wait for rest; what has not come to rest by then."""
    ends = asyncio.get_running_loop().time() + within
    while waiting := await unquiet(stack, sms=sms):
        if asyncio.get_running_loop().time() > ends:
            return waiting
        await asyncio.sleep(0.5)
    return []
