"""Replay: build a service's read models again from its events, beside the live ones. `ops/replay.py` calls it.

`compare` says what differs and changes nothing; `replace` puts the rebuilt rows in the place of the live ones. The
projections run as they are, on tables in memory (`rows.py`), which are then copied into temporary ones.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

import asyncpg
import msgspec

from shared.kernel.errors import Refused
from shared.runtime.event_store import OUTAGE, Projector
from shared.runtime.keyring import KeyMissing, Keyring, Unreadable
from shared.runtime.records import COLUMNS, Ciphers, Record, Undecodable, UnknownType, fact_of
from shared.runtime.rows import Clash, Connection, MemoryTx
from shared.runtime.service import ServiceDefinition

NOT_COMPARED: Mapping[str, tuple[str, ...]] = {"timers": ("leased_until",)}
"""Columns that follow from nothing that was recorded: who works on a timer just now."""
SAMPLES = 10
_PAGE = 500
_CHAIN = (b"", b"")
"""The last two columns, which no projection sees."""
_SEEN = ", ".join(COLUMNS[: -len(_CHAIN)])
_NEXT = f"select seq, {_SEEN} from events where seq > $1 order by seq limit $2"  # noqa: S608 - columns of ours


class Stopped(Exception):
    """The replay cannot go on; the message says at which event and why."""


@dataclass(frozen=True)
class Difference:
    """One row, by its key; None on the side that lacks it."""

    key: Mapping[str, Any]
    live: Mapping[str, Any] | None
    rebuilt: Mapping[str, Any] | None

    @property
    def columns(self) -> tuple[str, ...]:
        """Which columns differ, when both sides have the row."""
        if self.live is None or self.rebuilt is None:
            return ()
        return tuple(column for column, value in self.live.items() if value != self.rebuilt.get(column))


@dataclass(frozen=True)
class Table:
    """One table compared: its rows on both sides, how many differ, and some that do."""

    name: str
    live: int
    rebuilt: int
    differing: int
    samples: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """What a replay of `events` events amounts to. It proves something only if there were rows to compare."""

    events: int
    tables: tuple[Table, ...]

    @property
    def rows(self) -> int:
        return sum(max(table.live, table.rebuilt) for table in self.tables)

    @property
    def differing(self) -> int:
        return sum(table.differing for table in self.tables)


async def compare(connection: Connection, definition: ServiceDefinition, keyring: Keyring) -> Comparison:
    """Rebuild in one snapshot, with the events not yet positioned, and compare every table both ways."""
    async with connection.transaction(isolation="repeatable_read"):
        events = await _build_aside(connection, definition, keyring)
        tables = [await _compared(connection, definition.name, table) for table in _tables(definition)]
    return Comparison(events, tuple(tables))


async def replace(connection: Connection, definition: ServiceDefinition, keyring: Keyring) -> Mapping[str, int]:
    """Rebuild and put the result in the place of the live rows; how many rows each table has now.

    Readers see the old rows until the commit; writers wait until then, because every append moves a stream's head.
    A timer that is being carried out may be carried out again, which its command's id makes harmless.
    """
    tables = _tables(definition)
    async with connection.transaction(isolation="repeatable_read"):
        # before the snapshot is taken, so that it holds all that was written
        locked = ", ".join(f'"{definition.name}"."{table}"' for table in ("streams", *tables))
        await connection.execute(f"lock table {locked} in share row exclusive mode")
        await _build_aside(connection, definition, keyring)
        for table in reversed(tables):  # those that refer to others are declared after them
            await connection.execute(f'delete from "{definition.name}"."{table}"')  # noqa: S608 - names of ours
        return {table: await _filled(connection, definition.name, table) for table in tables}


def _tables(definition: ServiceDefinition) -> Sequence[str]:
    return tuple(dict.fromkeys(Projector(definition.views).tables))


async def _build_aside(connection: Connection, definition: ServiceDefinition, keyring: Keyring) -> int:
    """Fill temporary tables from all events; how many there were. In memory first: what is kept there is the read
    models, not the events."""
    keys, defaults = {}, {}
    for table in _tables(definition):
        columns = await _columns(connection, definition.name, table)
        keys[table] = tuple(column["name"] for column in columns if column["primary"])
        stored = [column for column in columns if not column["computed"]]
        of_default = ", ".join(f'{column["default"]} as "{column["name"]}"' for column in stored)
        row = await connection.fetchrow(f"select {of_default}")
        assert row is not None  # it asks for one row of values
        defaults[table] = dict(row)
    tx = MemoryTx(keyring, keys, defaults)
    events = await _fold(connection, definition, tx, keyring)
    for name in _tables(definition):
        await connection.execute(
            f'create temporary table "{name}" (like "{definition.name}"."{name}" including all) on commit drop'
        )
        rows = (tuple(row.values()) for row in tx.tables[name])
        try:
            await connection.copy_records_to_table(
                name, schema_name="pg_temp", columns=list(defaults[name]), records=rows
            )
        except asyncpg.PostgresError as error:
            raise Stopped(f"The rows of {name} do not go together: {error}.") from error
    return events


async def _fold(connection: Connection, definition: ServiceDefinition, tx: MemoryTx, keyring: Keyring) -> int:
    """Every event to the projections, in the order of their sequence numbers, which is that of their versions within
    each stream; how many there were. One at a time: what is made of an event is gone before the next."""
    projector, events = Projector(definition.views), 0
    async with aclosing(_pages(connection)) as pages:
        async for rows in pages:
            ciphers = await _ciphers(keyring, {row["person"] for row in rows if row["person"]})
            for _, *columns in rows:
                record = Record(*(*columns, *_CHAIN))
                try:
                    await projector.project(tx, (fact_of(definition.name, record, ciphers),))
                except UnknownType as unknown:
                    raise Stopped(
                        f"{_place(record)} is of the type {unknown}, which this code does not know."
                    ) from unknown
                except (Undecodable, Unreadable) as error:
                    raise Stopped(f"{_place(record)} cannot be read: {error}.") from error
                except (Refused, Clash) as error:
                    raise Stopped(f"{_place(record)}, {record.type}, cannot be projected: {error}.") from error
            events += len(rows)
    return events


async def _pages(connection: Connection) -> AsyncGenerator[list[asyncpg.Record], None]:
    """The database reads the next page while one is folded here."""
    asked = asyncio.ensure_future(connection.fetch(_NEXT, -1, _PAGE))
    try:
        while rows := await asked:
            asked = asyncio.ensure_future(connection.fetch(_NEXT, rows[-1]["seq"], _PAGE))
            await asyncio.sleep(0)  # so that it is asked now
            yield rows
    finally:
        # whoever ends us speaks to the connection next, and need not hear what became of a page that nobody wants
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)


async def _ciphers(keyring: Keyring, persons: Iterable[str]) -> Ciphers:
    try:
        return await keyring.ciphers(persons)
    except KeyMissing as missing:
        raise Stopped(f"There is no key and no tombstone for {missing}.") from missing
    except OUTAGE as outage:
        raise Stopped("The keyring does not answer, which says nothing about anybody: try again later.") from outage


def _place(of: Record) -> str:
    return f"Version {of.version} of {of.stream}"


async def _compared(connection: Connection, schema: str, table: str) -> Table:
    """As jsonb, which every type has and which can be compared also where the type itself cannot (json)."""
    # of a table without a key the whole row is the key
    no_key = [column["name"] for column in await _columns(connection, schema, table) if not column["in_key"]]
    query = f"""
        with live as (select to_jsonb(t) - $1::text[] as content from "{schema}"."{table}" as t),
        rebuilt as (select to_jsonb(t) - $1::text[] as content from pg_temp."{table}" as t),
        gone as (table live except all table rebuilt),
        new as (table rebuilt except all table live),
        differing as (
            select coalesce(gone.content, new.content) - $2::text[] as key, gone.content as live, new.content as rebuilt
            from gone full join new on gone.content - $2::text[] = new.content - $2::text[]
        )
        select
            (select count(*) from live) as live, (select count(*) from rebuilt) as rebuilt,
            (select count(*) from differing) as differing,
            array(select to_jsonb(d)::text from differing as d order by d.key limit $3) as samples
    """  # noqa: S608 - names of ours
    row = await connection.fetchrow(query, list(NOT_COMPARED.get(table, ())), no_key, SAMPLES)
    assert row is not None  # an aggregate always answers
    samples = tuple(msgspec.json.decode(sample, type=Difference) for sample in row["samples"])
    return Table(table, row["live"], row["rebuilt"], row["differing"], samples)


async def _columns(connection: Connection, schema: str, table: str) -> list[asyncpg.Record]:
    """The columns: name, whether it is part of the key (without one all are), whether the database computes it, and
    what it holds when nothing is said."""
    return await connection.fetch(
        """
        select
            a.attname as name, coalesce(a.attnum = any(i.indkey), true) as in_key,
            coalesce(a.attnum = any(i.indkey), false) as primary, a.attgenerated <> '' as computed,
            coalesce(pg_get_expr(d.adbin, d.adrelid), 'null') as default
        from pg_attribute as a left join pg_index as i on i.indrelid = a.attrelid and i.indisprimary
        left join pg_attrdef as d on d.adrelid = a.attrelid and d.adnum = a.attnum
        where a.attrelid = format('%I.%I', $1::text, $2::text)::regclass and a.attnum > 0 and not a.attisdropped
        order by a.attnum
        """,
        schema,
        table,
    )


async def _filled(connection: Connection, schema: str, table: str) -> int:
    stored = [column["name"] for column in await _columns(connection, schema, table) if not column["computed"]]
    columns = ", ".join(f'"{name}"' for name in stored)
    told = await connection.execute(
        f'insert into "{schema}"."{table}" ({columns}) select {columns} from pg_temp."{table}"'  # noqa: S608
    )
    return int(told.split()[-1])
