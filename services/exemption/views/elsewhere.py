"""Where else a certificate or a course of an application stands: with the same person, or with others. Asked before a
decision (`submitting.py`) and by reviewers; kept by the projections of `applications.py`.
"""

from collections.abc import Sequence

from services.exemption.views.applications import COLUMNS, ApplicationRow
from shared.runtime.rows import Connection


async def find_others_with_number(connection: Connection, person: str, hashes: Sequence[bytes]) -> list[str]:
    """Applications of other people that carry one of these certificate numbers."""
    rows = await connection.fetch(
        "select distinct application from certificate_numbers where hash = any($1::bytea[]) and person <> $2 "
        "order by application",
        list(hashes),
        person,
    )
    return [row["application"] for row in rows]


async def find_own_other(
    connection: Connection,
    person: str,
    but: Sequence[str],
    hashes: Sequence[bytes],
    jurisdiction: str,
    cycle: str | None,
) -> str | None:
    """Another application of the same person with one of these certificate numbers, handed in or approved.

    Of this jurisdiction, and of this cycle if one is given: what another province granted is no concern here. One that
    was sent back does not count: its cycle may be over. Handed in again, it meets the newer one here.
    """
    found: str | None = await connection.fetchval(
        "select m.application from certificate_numbers m join applications a on a.id = m.application "
        "where m.hash = any($1::bytea[]) and m.person = $2 and m.application <> all($3::text[]) "
        "and a.state in ('unpaid', 'in_review', 'granted', 'handed_off') and split_part(a.scheme, '/', 1) = $4 "
        "and ($5::text is null or a.cycle = $5) order by m.application limit 1",
        list(hashes),
        person,
        list(but),
        jurisdiction,
        cycle,
    )
    return found


async def find_own_courses(
    connection: Connection, person: str, but: Sequence[str], jurisdiction: str
) -> dict[str, str]:
    """Course -> the person's application in this jurisdiction that has it, handed in or approved, in any cycle."""
    rows = await connection.fetch(
        "select unnest(course_codes) as course, min(id) as id from applications "
        "where person = $1 and id <> all($2::text[]) and split_part(scheme, '/', 1) = $3 "
        "and state in ('unpaid', 'in_review', 'granted', 'handed_off') group by 1",
        person,
        list(but),
        jurisdiction,
    )
    return {row["course"]: row["id"] for row in rows}


async def find_duplicates(connection: Connection, application: str) -> list[ApplicationRow]:
    """SW-38: applications of other people with the certificate number of this one, as it stands now."""
    rows = await connection.fetch(
        f"select distinct {COLUMNS} from certificate_numbers m "  # noqa: S608
        "join certificate_numbers o on o.hash = m.hash and o.person <> m.person "
        "join applications a on a.id = o.application where m.application = $1 order by a.id",
        application,
    )
    return [ApplicationRow(*row) for row in rows]
