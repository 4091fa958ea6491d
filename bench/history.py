"""A past of any size: stores filled with real records, in minutes where the store's own door would take hours.

`sizes.py` measures in them. Every case has a stream of 20 events in exemption, with the chain, the ids and the receipts
that the store would have given them; four facts that they caused in notification; its person's key, and their signing
in to identity. Streams are written 500 side by side, so the events of one are scattered over the table as in life.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bench import material
from bench.service import TELLING, UPLOAD
from bench.workplace import FOLLOWER, SOURCE, Store
from shared.events.identity import RoleGranted, SignedIn
from shared.events.notification import CaseLearned
from shared.kernel.messages import Event, Meta, Receipt, stream_name
from shared.kernel.time import utc_now
from shared.runtime.records import COLUMNS, GENESIS, Record, record_all

STREAM_EVENTS = 20
PERSONS = "identity"
_SIDE_BY_SIDE = 500
_CAUSING = (5, 10, 15, 20)
"""The versions of a case that somebody is told of."""
_SIGNED_IN = 3
_CLERKS = tuple(f"synthetic-clerk-{number:02d}" for number in range(50))
_TABLES = ("events", "streams", "commands", "log", "sequencer", "gaps", "inbox")


@dataclass(frozen=True)
class Case:
    """Whose names tell where to look for it."""

    id: str
    upload: str
    person: str


class _Writer:
    """Makes records and keeps them until they are copied, by service."""

    def __init__(self, chance: random.Random, began: datetime) -> None:
        self._chance = chance
        self._at = began
        self._written: dict[str, list[Record]] = {}
        self._heads: dict[str, Record] = {}

    def uuid(self) -> UUID:
        return UUID(bytes=self._chance.randbytes(16), version=4)

    def write(
        self, service: str, stream: str, event: Event, actor: str, case: Case | None, cause: Record | None = None
    ) -> Record:
        """One command with one event, a millisecond after the one before it."""
        self._at += timedelta(milliseconds=1)
        head = self._heads.get(stream)
        meta = Meta(
            command_id=self.uuid(),
            actor=actor,
            at=self._at,
            case=case.id if case and service != PERSONS else None,
            person=case.person if case else None,
            causation=cause.event_id if cause else None,
            correlation=self.uuid(),
        )
        version, previous = (head.version, head.hash) if head else (0, GENESIS)
        (record,) = record_all([event], stream, version, previous, meta, None)
        self._heads[stream] = record
        self._written.setdefault(service, []).append(record)
        return record

    async def copy(self, owner: asyncpg.Connection) -> None:
        for service, records in self._written.items():
            await _copy(owner, service, "events", COLUMNS, map(_row, records))
            columns = ("command_id", "digest", "receipt", "recorded_at")
            await _copy(owner, service, "commands", columns, map(_command, records))
            heads = {record.stream: record for record in records}.values()
            rows = ((head.stream, head.version, head.hash) for head in heads)
            await _copy(owner, service, "streams", ("stream", "version", "hash"), rows)
        self._written, self._heads = {}, {}


def _row(record: Record) -> tuple[object, ...]:
    return tuple(getattr(record, column) for column in COLUMNS)


def _command(record: Record) -> tuple[object, ...]:
    receipt = Receipt(stream=record.stream, version=record.version, events=(record.type,))
    return record.command_id, record.hash, msgspec.json.encode(receipt).decode(), record.recorded_at


async def _copy(
    owner: asyncpg.Connection, schema: str, table: str, columns: Iterable[str], rows: Iterable[tuple[object, ...]]
) -> None:
    await owner.copy_records_to_table(table, schema_name=schema, columns=list(columns), records=rows)


async def filled(store: Store, events: int) -> list[Case]:
    """Fill the empty `store` until exemption has `events` events; its cases."""
    chance = random.Random(events)  # noqa: S311 - the same past each time
    writer = _Writer(chance, utc_now() - timedelta(milliseconds=2 * events))
    cases = [Case(*(str(writer.uuid()) for _ in range(3))) for _ in range(events // STREAM_EVENTS)]
    async with store.owner() as owner:
        for clerk in _CLERKS:
            granted = RoleGranted(role="authority_clerk", organisation="synthetic-office")
            writer.write(PERSONS, stream_name("staff", clerk), granted, "bench", None)
        for window in _windows(cases):
            _live(writer, window, chance)
            await writer.copy(owner)
            await _copy(owner, "keyring", "keys", ("person", "wrapped"), _keys(window, store.kek))
        for service in (SOURCE, FOLLOWER, PERSONS):
            await _settled(owner, service)
        await owner.execute("vacuum (analyze) keyring.keys")
        await owner.execute("checkpoint")
    return cases


def _windows(cases: list[Case]) -> Iterator[list[Case]]:
    return (cases[place : place + _SIDE_BY_SIDE] for place in range(0, len(cases), _SIDE_BY_SIDE))


def _live(writer: _Writer, cases: list[Case], chance: random.Random) -> None:
    """What happens to these cases, side by side: an event of each, then the next of each."""
    for version in range(1, STREAM_EVENTS + 1):
        for case in cases:
            if version <= _SIGNED_IN:
                session = SignedIn(session=str(writer.uuid()), expires_at=utc_now(), second_factor_step=None)
                writer.write(PERSONS, stream_name("account", case.person), session, case.person, case)
            actor = case.person if version % 2 else chance.choice(_CLERKS)
            stream = stream_name(UPLOAD.kind, case.upload)
            cause = writer.write(SOURCE, stream, material.event(version), actor, case)
            if version in _CAUSING:
                learned = CaseLearned(case=case.id, scheme=f"bench/{version}")
                contact = stream_name(TELLING.kind, str(writer.uuid()))
                writer.write(FOLLOWER, contact, learned, FOLLOWER, case, cause)


def _keys(cases: list[Case], kek: bytes) -> Iterator[tuple[str, bytes]]:
    """As `Keyring.create` makes them."""
    wrap = AESGCM(kek)
    for case in cases:
        nonce = os.urandom(12)
        yield case.person, nonce + wrap.encrypt(nonce, os.urandom(32), case.person.encode())


async def _settled(owner: asyncpg.Connection, service: str) -> None:
    """Everything has its position and is published and handled, and autovacuum has been there."""
    await owner.execute(f'set search_path to "{service}"')
    await owner.execute("insert into log select row_number() over (order by seq), seq from events order by seq")
    await owner.execute("update sequencer set (seen, published) = (select max(seq), count(*) from events)")
    if service == FOLLOWER:
        await owner.execute(f"insert into inbox select '{SOURCE}', stream, version from {SOURCE}.streams")  # noqa: S608
    for table in _TABLES:
        await owner.execute(f"vacuum (analyze) {table}")
    await owner.execute("reset search_path")
