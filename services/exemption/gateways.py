"""Other services, asked while a person waits: each with a short time and an answer for when it is away."""

import asyncio
from collections.abc import Iterable
from urllib.parse import quote

from shared.kernel.errors import Refused
from shared.runtime.peers import Peers

_SECONDS = 2.0


async def names_of_staff(peers: Peers, staff: Iterable[str]) -> dict[str, str]:
    """The names that officials sign with. Whom identity does not name (it is away, they were erased) is left out."""
    people = sorted(set(staff))
    names = await asyncio.gather(*(_name(peers, person) for person in people))
    return {person: name for person, name in zip(people, names, strict=True) if name is not None}


async def _name(peers: Peers, person: str) -> str | None:
    try:
        answer = await peers.get("identity", f"/v1/directory/staff/{quote(person, safe='')}", timeout=_SECONDS)
    except Refused:
        return None
    return str(answer.json()["name"]) if answer.is_success else None
