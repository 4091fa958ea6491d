"""Other services over HTTP, while a person waits or a follower reads the feed. Everything else between them is events.

`service.peers.get("identity", "/v1/...")`: the service token, the trace and the correlation id go along by themselves.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, TypeVar

import httpx
import msgspec

from shared.kernel.errors import Refused
from shared.kernel.time import Clock
from shared.runtime import telemetry
from shared.runtime.feed import Envelope
from shared.runtime.settings import Settings

T = TypeVar("T")

_BEFORE_EXPIRY = timedelta(seconds=30)
_AWAY = frozenset({502, 503, 504})


class _Token(msgspec.Struct, frozen=True):
    access_token: str
    expires_in: float


class _Page(msgspec.Struct, frozen=True):
    events: list[Envelope]


class _Head(msgspec.Struct, frozen=True):
    position: int


class Peers:
    """Answers of a peer are given back as they are; a peer that is away is `Refused("service.unavailable")`."""

    def __init__(self, service: str, settings: Settings, clock: Clock, client: httpx.AsyncClient) -> None:
        self._service = service
        self._settings = settings
        self._clock = clock
        self._client = client
        self._tokens: dict[str, tuple[str, datetime]] = {}
        self._locks: dict[str, asyncio.Lock] = {}

    def url(self, service: str) -> str:
        """Where `service` is; a peer that nobody configured is a mistake of the deployment, not an outage."""
        if service not in self._settings.peers:
            raise LookupError(f"ZIKAO_PEERS has no {service!r}")
        return self._settings.peers[service]

    async def get(self, service: str, path: str, **options: Any) -> httpx.Response:
        return await self.request("GET", service, path, **options)

    async def post(self, service: str, path: str, **options: Any) -> httpx.Response:
        return await self.request("POST", service, path, **options)

    async def request(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        """`options` are httpx's own (json, params, headers, timeout)."""
        headers = options.pop("headers", {})
        response = await self._authorised(method, service, path, headers, options)
        if response.status_code == httpx.codes.UNAUTHORIZED:
            # Our token may be of a key that identity no longer has; a new one is worth one try.
            self._tokens.pop(service, None)
            response = await self._authorised(method, service, path, headers, options)
        return response

    async def _authorised(
        self, method: str, service: str, path: str, headers: dict[str, str], options: dict[str, Any]
    ) -> httpx.Response:
        token = await self._token(service)
        with_token = {**headers, "Authorization": f"Bearer {token}"}
        return await self._send(method, service, path, headers=with_token, **options)

    async def _token(self, audience: str) -> str:
        async with self._locks.setdefault(audience, asyncio.Lock()):
            kept = self._tokens.get(audience)
            now = self._clock()
            if kept is not None and now < kept[1] - _BEFORE_EXPIRY:
                return kept[0]
            answer = await self._send(
                "POST",
                "identity",
                "/v1/tokens/service",
                json={
                    "service": self._service,
                    "secret": self._settings.service_secret.get_secret_value(),
                    "audience": audience,
                },
            )
            if answer.is_error:
                # Not the caller's fault, and not to be mistaken for an answer of the peer that was asked.
                raise PermissionError(f"identity gives {self._service} no token for {audience}: {answer.status_code}")
            token = msgspec.json.decode(answer.content, type=_Token)
            self._tokens[audience] = token.access_token, now + timedelta(seconds=token.expires_in)
            return token.access_token

    async def _send(self, method: str, service: str, path: str, **options: Any) -> httpx.Response:
        headers = options.pop("headers", {})
        if (correlation := telemetry.correlation.get()) is not None:
            headers = {"X-Request-Id": str(correlation), **headers}
        try:
            response = await self._client.request(method, self.url(service) + path, headers=headers, **options)
        except httpx.TransportError:
            raise Refused("service.unavailable", service=service) from None
        if response.status_code in _AWAY:
            raise Refused("service.unavailable", service=service)
        return response


class PeerFeed:
    """The feed of every peer over HTTP (`feed.Feed`). A peer that is away is a `ConnectionError`: tried again later."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]:
        return await self._page(source, {"after": position, "limit": most})

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        return await self._page(source, {"stream": stream, "after": version, "limit": most})

    async def head(self, source: str) -> int:
        return (await self._read(source, "/v1/events/head", {}, _Head)).position

    async def _page(self, source: str, params: dict[str, Any]) -> list[Envelope]:
        return (await self._read(source, "/v1/events", params, _Page)).events

    async def _read(self, source: str, path: str, params: dict[str, Any], kind: type[T]) -> T:
        try:
            answer = await self._peers.get(source, path, params=params)
            if answer.is_error:
                raise ConnectionError(f"{source}: {answer.status_code}")
            return msgspec.json.decode(answer.content, type=kind)
        except (Refused, PermissionError, msgspec.MsgspecError) as error:
            # also what is no answer of a feed, such as the page of a proxy in between
            raise ConnectionError(f"{source}: {type(error).__name__}") from error
