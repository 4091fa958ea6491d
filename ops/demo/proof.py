"""The proof at the end of the demonstration: the trail, rebuilt from events alone, against the live read models."""

import asyncio
import base64
from collections.abc import Mapping

import asyncpg
from rich.console import Console

from ops.audit import deciders
from ops.demo.api import Unexpected
from ops.demo.script import shelf
from ops.demo.telling import Teller
from ops.stack.stack import Stack
from ops.telling import told
from services.exemption.domain.scheme import ExemptionScheme
from shared.runtime.database import AUDITOR, DATABASE, as_role, with_database
from shared.runtime.keyring import Keyring
from shared.runtime.trail import Difference, State, differences, rebuild_trail


def prove(stack: Stack, cases: Mapping[str, str], console: Console) -> None:
    """Print the trail of each case under its title, then rebuild the trail of every application there is, and compare
    where it arrives with the live rows."""
    found, carried, rebuilt = asyncio.run(_prove(stack, cases, console))
    for difference in found:
        console.print(f"{difference.stream}: events say {difference.rebuilt}, the table {difference.live}", style="red")
    console.print()
    console.print(f"demo: {carried} applications carried, {rebuilt} trails rebuilt, {len(found)} differences")
    if found:
        raise Unexpected("the trails and the read models differ")


async def _prove(stack: Stack, cases: Mapping[str, str], console: Console) -> tuple[list[Difference], int, int]:
    """The differences, how many applications went all the way, and how many trails were rebuilt (runs that were broken
    off left unfinished ones)."""
    server = with_database(stack.infra.postgres_admin_url, DATABASE)
    async with (
        asyncpg.create_pool(as_role(server, AUDITOR, stack.secrets.of_role(AUDITOR)), min_size=1, max_size=2) as pool,
        pool.acquire() as connection,
    ):
        keyring = Keyring(pool, base64.b64decode(stack.secrets.kek))
        for case, title in cases.items():
            Teller(console).heading(f"{title}：由事件重建的经过  the trail, rebuilt from the events alone")
            told(await rebuild_trail(connection, case, deciders(), keyring=keyring), console)
        rows = await connection.fetch(
            "select id, scheme, state, title, version from exemption.applications order by started_at"
        )
        found: list[Difference] = []
        for row in rows:
            trail = await rebuild_trail(connection, row["id"], deciders())
            stream = ("exemption", f"application-{row['id']}")
            found += differences(trail, {stream: State(row["title"], row["version"])})
        return found, sum(row["state"] == _last_state(row["scheme"]) for row in rows), len(rows)


def _last_state(scheme: str) -> str:
    """How the row of an application of this book reads in the end, if all goes well."""
    book = shelf().get(scheme).part("exemption", ExemptionScheme)
    return "handed_off" if book.hand_off else "granted"
