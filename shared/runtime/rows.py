"""What projections do to the rows of their tables: carried out by SQL as it happens, or in memory in a rebuild.

A projection speaks to a `Tx` and to nothing else, so that a rebuild of a million events asks the database twice for
each table and not once for each event.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import asyncpg

from shared.kernel.errors import Refused
from shared.kernel.messages import ERASED
from shared.runtime.keyring import Keyring

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy
Columns = tuple[str, ...]

NEVER = datetime.min  # noqa: DTZ901 - asyncpg's word for -infinity
VERSION = "version"
"""A row that remembers the version it reflects never goes back to an earlier one."""


class Tx(ABC):
    """What a projection may do. Names of tables and columns are the projections' own, never what somebody sent."""

    def __init__(self, keyring: Keyring) -> None:
        self._keyring = keyring

    def hashed(self, kind: str, value: str) -> bytes:
        return self._keyring.hashed(kind, value)

    @abstractmethod
    async def insert(self, table: str, /, **columns: Any) -> None:
        """A new row; what is not named gets the column's default."""

    @abstractmethod
    async def put(self, table: str, key: Columns, /, **columns: Any) -> None:
        """The row whose columns `key` are as given: a new one, or what it says of the other columns is replaced."""

    @abstractmethod
    async def add(self, table: str, key: Mapping[str, Any], /, **amounts: int) -> None:
        """Count on in the row of `key`, which may be new."""

    @abstractmethod
    async def change(self, table: str, where: Mapping[str, Any], /, **columns: Any) -> None:
        """All rows in which the columns are as in `where` (None: null) and that reflect an earlier version."""

    @abstractmethod
    async def remove(self, table: str, /, **where: Any) -> None:
        """All rows in which the columns are as given."""

    @abstractmethod
    async def find(self, table: str, /, **where: Any) -> Sequence[Mapping[str, Any]]:
        """All rows in which the columns are as given, of the projection's own tables."""

    @abstractmethod
    async def _holder(self, kind: str, key: bytes, stream: str) -> str:
        """Claim for `stream` unless it is claimed; by whom it is now."""

    async def claim(self, kind: str, value: str, stream: str) -> None:
        """Hold `value` for `stream`, or refuse with `claim.taken`. An erased value claims nothing."""
        if value != ERASED and await self._holder(kind, self.hashed(kind, value), stream) != stream:
            raise Refused("claim.taken", kind=kind)

    async def release(self, kind: str, value: str, stream: str) -> None:
        await self.remove("claims", kind=kind, key=self.hashed(kind, value), stream=stream)

    async def release_all(self, stream: str) -> None:
        await self.remove("claims", stream=stream)

    async def schedule(self, kind: str, stream: str, due_at: datetime, key: str = "") -> None:
        """A timer: `kind` is the name of its handler; the same (kind, stream, key) again moves it."""
        identity = ("kind", "stream", "key")
        await self.put("timers", identity, kind=kind, stream=stream, key=key, due_at=due_at, leased_until=NEVER)

    async def unschedule(self, kind: str, stream: str, key: str = "") -> None:
        await self.remove("timers", kind=kind, stream=stream, key=key)


BESIDE = "/* and beside it */"
"""Stands in a statement that has parts (`with ...`) of its own, after them, where those of others may follow."""


class Write(NamedTuple):
    """A statement that changes `tables` and answers nothing; `adds`: with new rows only."""

    statement: str
    values: tuple[Any, ...]
    tables: Columns
    adds: bool = False


class SqlTx(Tx):
    """One open transaction, in which everything is carried out as it is said (`late.py` has one that waits).

    `connection` looks first in the service's own schema. Handlers read through it; one that reads what it wrote, or
    locks, asks for it with `open`.
    """

    def __init__(self, connection: Connection, keyring: Keyring) -> None:
        super().__init__(keyring)
        self.connection = connection

    async def open(self) -> Connection:
        """In a transaction, with all that was written so far."""
        return self.connection

    async def write(self, write: Write) -> None:
        await self.connection.execute(write.statement, *write.values)

    async def insert(self, table: str, /, **columns: Any) -> None:
        await self.write(Write(_insert(table, tuple(columns)), tuple(columns.values()), (table,), adds=True))

    async def put(self, table: str, key: Columns, /, **columns: Any) -> None:
        await self.write(Write(_put(table, key, tuple(columns)), tuple(columns.values()), (table,)))

    async def add(self, table: str, key: Mapping[str, Any], /, **amounts: int) -> None:
        statement = _add(table, tuple(key), tuple(amounts))
        await self.write(Write(statement, (*key.values(), *amounts.values()), (table,)))

    async def change(self, table: str, where: Mapping[str, Any], /, **columns: Any) -> None:
        named = _named(where)
        statement = _change(table, tuple(columns), named, tuple(where))
        await self.write(Write(statement, (*columns.values(), *(where[name] for name in named)), (table,)))

    async def remove(self, table: str, /, **where: Any) -> None:
        named = _named(where)
        statement = _remove(table, named, tuple(where))
        await self.write(Write(statement, tuple(where[name] for name in named), (table,)))

    async def find(self, table: str, /, **where: Any) -> Sequence[Mapping[str, Any]]:
        named = _named(where)
        rows = await self.connection.fetch(_find(table, named, tuple(where)), *(where[name] for name in named))
        return [dict(row) for row in rows]

    async def _holder(self, kind: str, key: bytes, stream: str) -> str:
        holder: str = await self.connection.fetchval(
            "insert into claims as c (kind, key, stream) values ($1, $2, $3) "
            "on conflict (kind, key) do update set stream = c.stream returning stream",
            kind,
            key,
            stream,
        )
        return holder


def _named(where: Mapping[str, Any]) -> Columns:
    """The columns that are compared with something; the others are null."""
    return tuple(name for name, value in where.items() if value is not None)


def _condition(named: Columns, asked: Columns, first: int = 1) -> str:
    places = {name: f"= ${place}" for place, name in enumerate(named, first)}
    return " and ".join(f"{name} {places.get(name, 'is null')}" for name in asked)


@cache
def _insert(table: str, columns: Columns) -> str:
    places = ", ".join(f"${place}" for place in range(1, len(columns) + 1))
    return f"insert into {table} as t ({', '.join(columns)}) values ({places})"  # noqa: S608 - names of ours


@cache
def _put(table: str, key: Columns, columns: Columns) -> str:
    others = [name for name in columns if name not in key]
    moved = ", ".join(f"{name} = excluded.{name}" for name in others)
    newer = " where t.version < excluded.version" if VERSION in others else ""
    done = f"do update set {moved}{newer}" if others else "do nothing"
    return f"{_insert(table, columns)} on conflict ({', '.join(key)}) {done}"


@cache
def _add(table: str, key: Columns, amounts: Columns) -> str:
    counted = ", ".join(f"{name} = t.{name} + excluded.{name}" for name in amounts)
    return f"{_insert(table, key + amounts)} on conflict ({', '.join(key)}) do update set {counted}"


@cache
def _change(table: str, columns: Columns, named: Columns, asked: Columns) -> str:
    moved = ", ".join(f"{name} = ${place}" for place, name in enumerate(columns, 1))
    newer = f" and version < ${columns.index(VERSION) + 1}" if VERSION in columns else ""
    condition = _condition(named, asked, len(columns) + 1)
    return f"update {table} set {moved} where {condition}{newer}"  # noqa: S608 - names of ours


@cache
def _remove(table: str, named: Columns, asked: Columns) -> str:
    return f"delete from {table} where {_condition(named, asked)}"  # noqa: S608 - names of ours


@cache
def _find(table: str, named: Columns, asked: Columns) -> str:
    return f"select * from {table} where {_condition(named, asked)}"  # noqa: S608 - names of ours


Row = dict[str, Any]


class Clash(Exception):
    """A second row with the key of another."""


class Table:
    """The rows of one table in memory, found by any columns."""

    def __init__(self, key: Columns) -> None:
        self._key = key
        self._rows: dict[int, Row] = {}
        """By the identity of each."""
        self._indexes: dict[Columns, dict[tuple[Any, ...], dict[int, Row]]] = {key: {}} if key else {}

    def insert(self, row: Row) -> None:
        if self._key and tuple(row[name] for name in self._key) in self._indexes[self._key]:
            raise Clash(", ".join(self._key))
        self._rows[id(row)] = row
        for columns in self._indexes:
            self._enter(columns, row)

    def rows(self, where: Mapping[str, Any]) -> list[Row]:
        columns = tuple(where)
        if columns not in self._indexes:
            self._indexes[columns] = {}
            for row in self:
                self._enter(columns, row)
        return list(self._indexes[columns].get(tuple(where.values()), {}).values())

    def change(self, row: Row, changes: Row) -> None:
        touched = [columns for columns in self._indexes if not changes.keys().isdisjoint(columns)]
        for columns in touched:
            self._leave(columns, row)
        row.update(changes)
        for columns in touched:
            self._enter(columns, row)

    def remove(self, row: Row) -> None:
        del self._rows[id(row)]
        for columns in self._indexes:
            self._leave(columns, row)

    def __iter__(self) -> Iterator[Row]:
        return iter(self._rows.values())

    def _enter(self, columns: Columns, row: Row) -> None:
        self._indexes[columns].setdefault(tuple(row.get(name) for name in columns), {})[id(row)] = row

    def _leave(self, columns: Columns, row: Row) -> None:
        values = tuple(row.get(name) for name in columns)
        left = self._indexes[columns][values]
        del left[id(row)]
        if not left:
            del self._indexes[columns][values]


class MemoryTx(Tx):
    """All tables of a rebuild; `defaults` are all columns of each, with what they hold when nothing is said."""

    def __init__(self, keyring: Keyring, keys: Mapping[str, Columns], defaults: Mapping[str, Row]) -> None:
        super().__init__(keyring)
        self.tables = {name: Table(key) for name, key in keys.items()}
        self._defaults = defaults

    async def insert(self, table: str, /, **columns: Any) -> None:
        self.tables[table].insert({**self._defaults[table], **columns})

    async def put(self, table: str, key: Columns, /, **columns: Any) -> None:
        found = self.tables[table].rows({name: columns[name] for name in key})
        if not found:
            await self.insert(table, **columns)
        elif _is_newer(found[0], columns):
            self.tables[table].change(found[0], {name: value for name, value in columns.items() if name not in key})

    async def add(self, table: str, key: Mapping[str, Any], /, **amounts: int) -> None:
        found = self.tables[table].rows(key)
        if not found:
            await self.insert(table, **key, **amounts)
        for row in found:
            self.tables[table].change(row, {name: row[name] + amount for name, amount in amounts.items()})

    async def change(self, table: str, where: Mapping[str, Any], /, **columns: Any) -> None:
        for row in self.tables[table].rows(where):
            if _is_newer(row, columns):
                self.tables[table].change(row, columns)

    async def remove(self, table: str, /, **where: Any) -> None:
        for row in self.tables[table].rows(where):
            self.tables[table].remove(row)

    async def find(self, table: str, /, **where: Any) -> Sequence[Mapping[str, Any]]:
        return [dict(row) for row in self.tables[table].rows(where)]

    async def _holder(self, kind: str, key: bytes, stream: str) -> str:
        found = self.tables["claims"].rows({"kind": kind, "key": key})
        if not found:
            await self.insert("claims", kind=kind, key=key, stream=stream)
        return found[0]["stream"] if found else stream


def _is_newer(row: Row, columns: Mapping[str, Any]) -> bool:
    return VERSION not in columns or row[VERSION] < columns[VERSION]
