"""Who asks, and how a route is asked by all of them: what `test_authorisation.py` makes its table of."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
from fastapi.routing import iter_route_contexts
from joserfc.jwk import OKPKey

from services.identity.main import SCHEME
from shared.testing.services import Web, token

PLACES = ("point-a", "point-b", "swust", "other-uni", "authority", "*")
"""Of these, the case lies at point-a and swust, below authority."""
STAFF = frozenset(f"{role}@{place}" for role in SCHEME.roles for place in PLACES)
CANDIDATES = frozenset({"owner", "candidate"})
STRANGERS = frozenset({"nobody", "forged", "expired", "elsewhere"})
SERVICES = frozenset({"service", "service named like the owner"})
CALLERS = STAFF | CANDIDATES | STRANGERS | SERVICES | {"staff without a role"}

KEPT_OUT = {
    "access.no_token",
    "access.bad_token",
    "access.token_expired",
    "access.not_allowed",
    "access.not_found",
    "identity.no_account",  # whom the token speaks for has none
}
_STRANGER = OKPKey.generate_key("Ed25519", {"kid": "test"}, private=True)
"""Names the key that the services trust, and is another."""


def at(role: str, *places: str) -> Set[str]:
    return frozenset(f"{role}@{place}" for place in places)


@dataclass(frozen=True)
class Asking:
    """One request to a route: what stands in its path, and what is sent."""

    path: Mapping[str, str] = field(default_factory=dict)
    sent: Mapping[str, Any] = field(default_factory=dict)


Made = Callable[[], Awaitable[Asking]]


async def nothing_needed() -> Asking:
    return Asking()


@dataclass(frozen=True)
class Row:
    """Who may use a route, and what `make` prepares for them to ask for.

    `told`: what those who may are answered, if not 2xx; `kept_out`: what others may be told, besides the usual.
    """

    may: Set[str]
    make: Made = nothing_needed
    told: str | None = None
    kept_out: str | None = None


@dataclass(frozen=True)
class Desk:
    """A running service, and the people of the table as it knows them."""

    web: Web
    owner: str
    candidate: str

    def routes(self) -> Iterable[str]:
        """Every route with its method, whether its description tells of it or not."""
        for each in iter_route_contexts(self.web.app.routes):
            for method in (each.methods or set()) - {"HEAD", "OPTIONS"}:
                yield f"{method} {each.path}"

    def headers(self, caller: str) -> Mapping[str, str]:
        key = {"Idempotency-Key": str(uuid4())}
        bearer = self._token(caller)
        return {**key, "Authorization": f"Bearer {bearer}"} if bearer else key

    def _token(self, caller: str) -> str | None:
        name, clock = self.web.service.name, self.web.clock
        match caller:
            case "nobody":
                return None
            case "owner" | "candidate":
                return token(getattr(self, caller), "candidate", name, clock=clock)
            case "forged":
                return token(self.owner, "candidate", name, clock=clock, key=_STRANGER)
            case "expired":
                return token(self.owner, "candidate", name, clock=clock, lasts=timedelta(minutes=-1))
            case "elsewhere":
                return token(self.owner, "candidate", "another-service", clock=clock)
            case "service":
                return token("exemption", "service", name, clock=clock)
            case "service named like the owner":
                return token(self.owner, "service", name, clock=clock)
            case "staff without a role":
                return token("staff-0", "staff", name, clock=clock)
            case _:
                role, place = caller.split("@")
                return token(f"staff-{caller}", "staff", name, [(role, place)], clock=clock)

    async def ask(self, route: str, caller: str, asking: Asking) -> httpx.Response:
        method, path = route.split(" ")
        return await self.web.client.request(
            method, path.format(**asking.path), headers=self.headers(caller), **asking.sent
        )

    async def events(self) -> int:
        return int(await self.web.service.pool.fetchval("select count(*) from events"))


def code_of(answer: httpx.Response) -> str | None:
    return None if answer.is_success else str(answer.json()["code"])
