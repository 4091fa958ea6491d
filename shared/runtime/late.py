"""The transaction of one command, which goes to the database as rarely as it can. `Service.handle` opens it.

Whoever decides only reads, and the compare-and-set of the append finds out whether what was read still holds. So what
is written waits for the end and goes there as one statement, which is a transaction by itself. One is begun only where
a handler locks, where somebody reads what was written, or where two writes may mean the same row.
"""

import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from functools import lru_cache
from typing import Any

from shared.runtime.keyring import Keyring
from shared.runtime.points import reached
from shared.runtime.rows import BESIDE, Connection, SqlTx, Write

_MOST = 16
"""Parts of one statement, so that what the server keeps of a plan stays small."""
_PLACE = re.compile(r"\$(\d+)")


@asynccontextmanager
async def late(connection: Connection, keyring: Keyring) -> AsyncIterator["LateTx"]:
    """Everything that is said to it happens at the end, or nothing where that is an exception."""
    async with AsyncExitStack() as begun:
        tx = LateTx(connection, keyring, begun)
        yield tx
        await tx.finish()


class LateTx(SqlTx):
    """`connection` is in no transaction before `open`, and does not see what waits."""

    def __init__(self, connection: Connection, keyring: Keyring, begun: AsyncExitStack) -> None:
        super().__init__(connection, keyring)
        self._begun = begun
        self._is_open = False
        self._waiting: list[Write] = []

    async def write(self, write: Write) -> None:
        self._waiting.append(write)

    async def open(self) -> Connection:
        if not self._is_open:
            await self._begun.enter_async_context(self.connection.transaction())
            self._is_open = True
        await self._write_out(_grouped(self._waiting))
        return self.connection

    async def find(self, table: str, /, **where: Any) -> Sequence[Mapping[str, Any]]:
        await self.open()
        return await super().find(table, **where)

    async def _holder(self, kind: str, key: bytes, stream: str) -> str:
        await self.open()
        return await super()._holder(kind, key, stream)

    async def finish(self) -> None:
        """Write what waits; `late` commits a transaction that was begun."""
        groups = _grouped(self._waiting)
        if self._is_open or len(groups) > 1:
            await self.open()
            reached("commit.before")
        else:
            reached("commit.before")
            await self._write_out(groups)

    async def _write_out(self, groups: Sequence[Sequence[Write]]) -> None:
        self._waiting = []
        for together in groups:
            await super().write(_merged(together))


def _grouped(writes: Sequence[Write]) -> list[list[Write]]:
    """In their order, as many together as may be: the parts of one statement do not see what the others do, so where
    two may mean one row they go one after the other."""
    groups: list[list[Write]] = []
    touched: dict[str, bool] = {}
    for write in writes:
        apart = any(table in touched and not (write.adds and touched[table]) for table in write.tables)
        # one that has parts itself can only be the first
        if apart or not groups or len(groups[-1]) == _MOST or BESIDE in write.statement:
            groups.append([])
            touched = {}
        groups[-1].append(write)
        touched |= dict.fromkeys(write.tables, write.adds)
    return groups


def _merged(writes: Sequence[Write]) -> Write:
    if len(writes) == 1:
        return writes[0]
    statement = _one_statement(tuple((write.statement, len(write.values)) for write in writes))
    return Write(statement, tuple(value for write in writes for value in write.values), ())


@lru_cache(maxsize=1024)
def _one_statement(parts: tuple[tuple[str, int], ...]) -> str:
    """The first, and the others beside it: PostgreSQL carries these out after it, the last named first.

    It locks the tables as they are named. Those of an append come first, as in a rebuild (`replay.replace`).
    """
    first, others, taken = parts[0][0], [], parts[0][1]
    for number, (statement, values) in enumerate(parts[1:], 1):
        others.append(f"write_{number} as ({_moved(statement, taken)})")
        taken += values
    beside = ", ".join(reversed(others))
    return first.replace(BESIDE, f", {beside}") if BESIDE in first else f"with {beside} {first}"


def _moved(statement: str, by: int) -> str:
    """With its values `by` places further on."""
    return _PLACE.sub(lambda place: f"${int(place[1]) + by}", statement)
