"""What a projection says of its rows comes to the same in the database and in the memory of a rebuild."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.kernel.errors import Refused
from shared.kernel.messages import ERASED
from shared.runtime.keyring import Keyring
from shared.runtime.rows import Clash, MemoryTx, SqlTx, Tx
from shared.testing.stores import KEK, pool_of

pytestmark = pytest.mark.servers

_TABLE = """
create temporary table things (
    id text primary key, kind text not null default 'plain', owner text, count integer not null default 0,
    version integer not null default 0
)
"""
_DEFAULTS = {"id": None, "kind": "plain", "owner": None, "count": 0, "version": 0}
_IDS = st.sampled_from(["a", "b", "c"])
_OWNERS = st.sampled_from([None, "x", "y"])
_VERSIONS = st.integers(1, 5)

_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), _IDS, _OWNERS, _VERSIONS),
        st.tuples(st.just("add"), _IDS, _OWNERS, _VERSIONS),
        st.tuples(st.just("change"), _IDS, _OWNERS, _VERSIONS),
        st.tuples(st.just("change_owned"), _IDS, _OWNERS, _VERSIONS),
        st.tuples(st.just("remove"), _IDS, _OWNERS, _VERSIONS),
        st.tuples(st.just("remove_owned"), _IDS, _OWNERS, _VERSIONS),
    ),
    max_size=25,
)


async def _step(tx: Tx, what: str, thing: str, owner: str | None, number: int) -> None:
    match what:
        case "put":
            await tx.put("things", ("id",), id=thing, owner=owner, version=number)
        case "add":
            await tx.add("things", {"id": thing}, count=number)
        case "change":
            await tx.change("things", {"id": thing}, owner=owner, version=number)
        case "change_owned":
            await tx.change("things", {"owner": owner, "kind": "plain"}, kind="changed", count=number)
        case "remove":
            await tx.remove("things", id=thing)
        case _:
            await tx.remove("things", owner=owner, kind="changed")


def _sorted(rows: Any) -> list[dict[str, Any]]:
    return sorted((dict(row) for row in rows), key=lambda row: str(row["id"]))


@pytest.fixture
async def live(toy_database: str) -> AsyncIterator[SqlTx]:
    async with pool_of(toy_database, "identity") as pool, pool.acquire() as connection, connection.transaction():
        await connection.execute(_TABLE)
        yield SqlTx(connection, Keyring(pool, KEK))


def _in_memory(live: SqlTx) -> MemoryTx:
    keys = {"things": ("id",), "claims": ("kind", "key")}
    return MemoryTx(live._keyring, keys, {"things": _DEFAULTS, "claims": {"kind": None, "key": None, "stream": None}})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=_STEPS)
async def test_whatever_is_said_comes_to_the_same_rows(
    live: SqlTx, steps: list[tuple[str, str, str | None, int]]
) -> None:
    memory = _in_memory(live)
    await live.connection.execute("truncate things")
    for step in steps:
        await _step(live, *step)
        await _step(memory, *step)
        assert _sorted(await live.find("things", owner=step[2])) == _sorted(await memory.find("things", owner=step[2]))
    assert _sorted(await live.connection.fetch("select * from things")) == _sorted(memory.tables["things"])


async def test_a_second_row_with_the_same_key_is_refused_by_both(live: SqlTx) -> None:
    memory = _in_memory(live)
    for tx in (live, memory):
        await tx.insert("things", id="a")
    with pytest.raises(Clash):
        await memory.insert("things", id="a")
    with pytest.raises(asyncpg.UniqueViolationError):
        async with live.connection.transaction():
            await live.insert("things", id="a")


async def test_a_claim_is_held_by_the_first_in_both_and_an_erased_value_claims_nothing(live: SqlTx) -> None:
    for tx in (live, _in_memory(live)):
        for stream in ("account-1", "account-1"):
            await tx.claim("mobile", "13800138000", stream)
        with pytest.raises(Refused, match=r"claim\.taken"):
            await tx.claim("mobile", "13800138000", "account-2")
        await tx.release("mobile", "13800138000", "account-1")
        await tx.claim("mobile", "13800138000", "account-2")
        await tx.release_all("account-2")
        for stream in ("account-3", "account-4"):
            await tx.claim("mobile", ERASED, stream)
