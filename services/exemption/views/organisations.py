"""机构 as identity last told us: the tree in which applications find their reviewers."""

import asyncpg

from services.exemption.domain.followed import Organisation
from shared.events.exemption import OrganisationFollowed
from shared.kernel.messages import Fact
from shared.runtime.event_store import View
from shared.runtime.rows import Connection, Tx


async def _followed(tx: Tx, fact: Fact[OrganisationFollowed]) -> None:
    event = fact.event
    await tx.put(
        "organisations",
        ("id",),
        id=fact.subject,
        title=event.title,
        level=event.level,
        parent=event.parent,
        phones=list(event.phones),
        closed=event.closed,
        version=fact.version,
    )


ORGANISATIONS = View("organisations", ("organisations",), {OrganisationFollowed: _followed})

_COLUMNS = "o.id, o.title, o.level, o.parent, o.phones, o.closed"


async def find_upwards(connection: Connection, start: str) -> dict[str, Organisation]:
    """An organisation and everything above it."""
    rows = await connection.fetch(
        f"with recursive up as (select * from organisations where id = $1 union "  # noqa: S608 - a ring ends by itself
        f"select o.* from organisations o join up on o.id = up.parent) select {_COLUMNS} from up o",
        start,
    )
    return {row["id"]: _organisation(row) for row in rows}


async def find_below(connection: Connection, top: str, level: str) -> list[Organisation]:
    """The open organisations of a level below `top` (or itself), by name."""
    rows = await connection.fetch(
        f"with recursive down as (select * from organisations where id = $1 union "  # noqa: S608
        f"select o.* from organisations o join down on o.parent = down.id) "
        f"select {_COLUMNS} from down o where o.level = $2 and not o.closed order by o.title, o.id",
        top,
        level,
    )
    return [_organisation(row) for row in rows]


async def find_named(connection: Connection, ids: list[str]) -> dict[str, Organisation]:
    rows = await connection.fetch(f"select {_COLUMNS} from organisations o where o.id = any($1::text[])", ids)  # noqa: S608
    return {row["id"]: _organisation(row) for row in rows}


def _organisation(row: asyncpg.Record) -> Organisation:
    return Organisation(row["id"], row["title"], row["level"], row["parent"], tuple(row["phones"]), row["closed"])
