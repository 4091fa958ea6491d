"""`./zikao schemes whatif`: the decisions of a scheme's cycles once more under a draft; nothing is stored.

Reads the events of exemption as the role `auditor`, in one snapshot, and unseals them, since forms are judged; what it
tells is case numbers, rules and clauses, and of what rules looked at only what the books and lists say themselves.
A submission that was refused left no event, so nothing is said of those whom a more lenient draft would have let in.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from typing import Any

import asyncpg
import typer

from ops.reach import Database, reached
from ops.schemes.drafting import Meant, compared, with_draft
from ops.schemes.replaying import DECIDERS, Replay
from ops.schemes.retelling import Change, Why
from ops.telling import HIDDEN
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from shared.kernel.messages import Fact
from shared.runtime.audit import stores_in
from shared.runtime.database import AUDITOR
from shared.runtime.keyring import Keyring
from shared.runtime.records import COLUMNS, Record, fact_of
from shared.schemes.catalog import BadBook, Book, Catalog
from shared.schemes.wording import chinese

SOURCE = "exemption"
_PAGE = 1000
_OPEN = frozenset(
    {"count", "least", "most", "lowest", "offered", "expected", "window", "now", "state", "when", "uniqueness", "fen"}
)
"""What rules looked at that is no word of a candidate."""
_QUERY = (
    f'select seq, {", ".join(COLUMNS)} from "{SOURCE}".events '  # noqa: S608 - names of ours
    "where seq > $1 and split_part(stream, '-', 1) = any($2::text[]) order by seq limit $3"
)

NOT_ASKED = "当时未被受理的提交没有留下记录，无法重放：草案放宽后本可受理的，不在其中。"


class NoSuchCycle(Exception):
    """No cycle of this scheme has the id that was asked for, or there is no store."""


def replay_of(book: Book, draft: Meant, catalog: Catalog, cycle: str | None) -> Replay:
    """Each with its reference data; the draft goes under the name of the scheme's jurisdiction too."""
    for each in (book, draft.book):
        if each.head is None or SOURCE not in each.sheets:
            raise BadBook([f"{each.ref}: has no exemption rules, so nothing can be replayed"])
    assert draft.book.head is not None
    place = book.ref.split("/")[0]
    ref = f"{place}/{draft.book.head.name}@{draft.book.head.version}"
    in_force = Rules(book.ref, book.part(SOURCE, ExemptionScheme), known_of(catalog, book.ref))
    known = known_of(with_draft(catalog, draft, place), draft.book.ref) if draft.is_draft else in_force.known
    proposed = Rules(ref, draft.book.part(SOURCE, ExemptionScheme), known)
    replay = Replay.of(in_force, proposed, cycle)
    replay.beyond |= dict.fromkeys(_beside(book, draft, catalog))
    return replay


def _beside(book: Book, draft: Meant, catalog: Catalog) -> Iterator[str]:
    """What is judged elsewhere, or stands in the events as it was then."""
    now, proposed, _ = compared(catalog, Meant(book), draft)
    for part in sorted((now.keys() & proposed.keys()) - {SOURCE, "reference"}):
        if now[part] != proposed[part]:
            yield f"{part}.yaml（{chinese().path((part,))}）"
    listed = [each.get("reference", {}).get("organisations") for each in (now, proposed)]
    if listed[1] is not None and listed[0] != listed[1]:
        yield "organisations.yaml（机构以当时的记录为准）"


def replayed(replay: Replay, cycle: str | None, url: str | None) -> Replay:
    with reached(AUDITOR, url) as database:
        return asyncio.run(_replayed(replay, cycle, database))


async def _replayed(replay: Replay, cycle: str | None, database: Database) -> Replay:
    async with (
        asyncpg.create_pool(database.url, min_size=1, max_size=2) as pool,
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        if SOURCE not in await stores_in(connection):
            raise NoSuchCycle("There is no store of exemption in this database.")
        async for fact in _facts(connection, Keyring(pool, database.needed_kek)):
            replay.take(fact)
    known = replay.states.get("cycle", {})
    if cycle is not None and (cycle not in known or known[cycle].scheme != replay.old.rules.ref):
        raise NoSuchCycle(f"There is no cycle {cycle} of {replay.old.rules.ref}.")
    return replay


async def _facts(connection: Any, keyring: Keyring) -> AsyncIterator[Fact[Any]]:
    after = -1
    while rows := await connection.fetch(_QUERY, after, sorted(DECIDERS), _PAGE):
        after = rows[-1]["seq"]
        ciphers = await keyring.ciphers({row["person"] for row in rows if row["person"]})
        for _, *columns in rows:
            yield fact_of(SOURCE, Record(*columns), ciphers)


# --- telling


def counts(replay: Replay) -> dict[str, int]:
    return {
        "cases": len(replay.seen),
        "decisions": replay.decisions,
        "changed": len(replay.changes),
        "refused": sum(not each.would_be for each in replay.changes.values()),
        "erased": len(replay.erased),
        "not_reproduced": len(replay.not_reproduced),
    }


def as_json(replay: Replay) -> dict[str, Any]:
    changes = [{**asdict(each), "why": [_why(why) for why in each.why]} for each in _sorted(replay)]
    both = {"scheme": replay.old.rules.ref, "draft": replay.draft.rules.ref}
    return {**both, "changes": changes, **counts(replay), "not_replayed": [*replay.beyond]}


def _why(why: Why) -> dict[str, Any]:
    return {**asdict(why), "inputs": _shown(why)}


def _shown(why: Why) -> dict[str, Any]:
    return {name: value if name in _OPEN else HIDDEN for name, value in why.inputs.items()}


def _sorted(replay: Replay) -> list[Change]:
    return [replay.changes[case] for case in sorted(replay.changes)]


def told(replay: Replay) -> Iterator[str]:
    """Case by case what was decided, what it would be and why; counts at the end."""
    for change in _sorted(replay):
        yield f"{change.case}  {change.step}"
        yield f"  原：{change.was}"
        yield f"  若按草案：{change.would_be or '不受理'}"
        for why in change.why:
            inputs = "，".join(f"{name}={value}" for name, value in _shown(why).items())
            yield f"    {why.about}：{why.text}".rstrip("：") + f" ({', '.join(filter(None, (why.code, why.rule)))})"
            yield f"      {why.clause}" + (f"    依据的事实：{inputs}" if inputs else "")
    found = counts(replay)
    refused = f"其中不受理 {found['refused']} 件"
    yield f"共 {found['cases']} 件，{found['decisions']} 次决定重放；结果不同 {found['changed']} 件，{refused}。"
    yield NOT_ASKED
    if replay.beyond:
        yield f"草案还改动了以下内容，重放不出其后果：{'；'.join(replay.beyond)}。"
    if found["erased"]:
        yield f"个人信息已删除、无法重放的 {found['erased']} 件。"
    if found["not_reproduced"]:
        yield f"按现行规则也无法完全重现当时决定的 {found['not_reproduced']} 件，只列草案另外带来的不同。"


def run(replay: Replay, cycle: str | None, url: str | None, machine: bool) -> None:
    """Exit code 0: nothing would change, 1: something would."""
    done = replayed(replay, cycle, url)
    typer.echo(
        json.dumps(as_json(done), ensure_ascii=False, indent=2, default=str) if machine else "\n".join(told(done))
    )
    if done.changes:
        raise typer.Exit(1)
