"""证件号码、准考证号 of account holders by keyed hash, as identity last told us; applications found by them."""

from collections.abc import Iterable

from services.exemption.domain.uniqueness import counted_by_ticket
from services.exemption.views.applications import COLUMNS, ApplicationRow
from shared.events.exemption import AccountFollowed, PersonForgotten
from shared.kernel.messages import ERASED, Fact
from shared.runtime.event_store import View
from shared.runtime.keyring import Keyring
from shared.runtime.rows import Connection, SqlTx, Tx
from shared.schemes.reading import certificate_number

_KIND = "person_number"
_MOST = 50


async def _followed(tx: Tx, fact: Fact[AccountFollowed]) -> None:
    for kind, number in (("id_number", fact.event.id_number), ("ticket_number", fact.event.ticket_number)):
        if number and number != ERASED:
            hashed = tx.hashed(_KIND, certificate_number(number))
            key = ("person", "kind")
            await tx.put("person_numbers", key, person=fact.subject, kind=kind, hash=hashed, version=fact.version)
        else:
            await tx.remove("person_numbers", person=fact.subject, kind=kind)


async def _forgotten(tx: Tx, fact: Fact[PersonForgotten]) -> None:
    await tx.remove("person_numbers", person=fact.subject)


PEOPLE = View("people", ("person_numbers",), {AccountFollowed: _followed, PersonForgotten: _forgotten})


async def known_of_another(tx: SqlTx, ticket: str, person: str) -> bool:
    """SD-46: whether identity knows this admission ticket number of somebody else."""
    found: bool = await tx.connection.fetchval(
        "select exists (select from person_numbers where kind = 'ticket_number' and hash = $1 and person <> $2)",
        tx.hashed(_KIND, certificate_number(ticket)),
        person,
    )
    return found


async def find_by_number(
    connection: Connection, keyring: Keyring, typed: str, jurisdictions: Iterable[str]
) -> list[ApplicationRow]:
    """What was handed in under this number, or by whoever has this ID or admission ticket number, or with such a
    ticket number where these count applications by it; the newest first.

    Whoever asks sees of it only what they may read: that is not asked here.
    """
    number = certificate_number(typed)
    rows = await connection.fetch(
        f"select {COLUMNS} from applications a where a.submissions > 0 and (a.number = $1 "  # noqa: S608 - columns of ours
        "or a.person in (select person from person_numbers where hash = $2) "
        "or a.head in (select substr(stream, 6) from claims where kind = 'head' and key = any($3::bytea[]))) "
        "order by a.changed_at desc, a.id limit $4",
        number,
        keyring.hashed(_KIND, number),
        [keyring.hashed("head", counted_by_ticket(each, number)) for each in jurisdictions],
        _MOST,
    )
    return [ApplicationRow(*row) for row in rows]
