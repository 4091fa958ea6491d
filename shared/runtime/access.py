"""Who is calling: tokens of identity are verified here, and routes ask for the caller they need.

    @router.post("/applications/{case}/submit")
    async def submit(body: Submit, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Receipt: ...

A token is Ed25519-signed JSON (RFC 7519, 8037, 9864) with the claims `iss` "zikao-identity", `sub`, `kind`, `aud` (list
of services), `roles` ([[role, organisation], ...]), `exp`, and optionally `sid` (session) and `acr` (auth level).
The key is always looked up in identity's published set, never at an address that a token names.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Annotated, Any, Literal, NamedTuple, Protocol, cast

import httpx
import msgspec
import structlog
from fastapi import Depends, Header, Request
from fastapi.security import HTTPBearer
from fastapi.security.base import SecurityBase
from joserfc import jws, jwt
from joserfc.errors import ExpiredTokenError, JoseError
from joserfc.jwk import KeySet, OKPKey

from shared.kernel.errors import Refused
from shared.kernel.messages import Meta, command_id
from shared.kernel.time import Clock
from shared.runtime import telemetry
from shared.runtime.service import Service

ISSUER = "zikao-identity"
ALGORITHM = "Ed25519"
"""The only one accepted; RFC 9864 retired the vaguer name EdDSA."""
AUDITOR = "auditor"
EVERYWHERE = "*"
"""A role held here is held at every organisation."""
_LEEWAY_SECONDS = 5
_REFETCH = timedelta(seconds=10)
_RETRY = timedelta(seconds=1)
_FRESH = timedelta(minutes=5)
_KEPT = timedelta(seconds=60)
_MOST_KEPT = 10_000
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{8,200}")
_VERSION = re.compile(r'(?:W/)?"?([1-9][0-9]{0,8})"?')

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who a verified token speaks for. `roles` are (role, organisation); `level` tells how they signed in."""

    id: str
    kind: Literal["candidate", "staff", "service"]
    roles: frozenset[tuple[str, str]] = frozenset()
    session: str | None = None
    level: str | None = None


class KeySource(Protocol):
    """Where identity's public keys come from. `refresh` asks for newer ones, if it may be asked again already."""

    async def key_set(self, *, refresh: bool = False) -> KeySet: ...


@dataclass(frozen=True)
class LocalKeySource:
    """Keys at hand: identity itself, and tests."""

    keys: KeySet

    async def key_set(self, *, refresh: bool = False) -> KeySet:  # noqa: ARG002 - there are no newer ones
        return self.keys


class RemoteKeySource:
    """Identity's published set: kept for 5 minutes, longer while identity is down, refetched at most every 10 s."""

    def __init__(self, url: str, clock: Clock, client: httpx.AsyncClient) -> None:
        self._url = url
        self._clock = clock
        self._client = client
        self._keys: KeySet | None = None
        self._fetched: datetime | None = None
        self._asked: datetime | None = None
        self._lock = asyncio.Lock()

    async def key_set(self, *, refresh: bool = False) -> KeySet:
        async with self._lock:
            now = self._clock()
            # apart either way: a clock that was set back must keep nobody from asking
            stale = self._fetched is None or abs(now - self._fetched) > _FRESH
            pause = _RETRY if self._keys is None else _REFETCH
            may_ask = self._asked is None or abs(now - self._asked) >= pause
            if (refresh or stale) and may_ask:
                self._asked = now
                await self._fetch(now)
            if self._keys is None:
                raise Refused("service.unavailable", service="identity")
            return self._keys

    async def _fetch(self, now: datetime) -> None:
        try:
            answer = await self._client.get(self._url)
            answer.raise_for_status()
            self._keys, self._fetched = KeySet.import_key_set(answer.json()), now
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError) as error:
            log.warning("access.key_set_not_fetched", error=type(error).__name__, kept=self._keys is not None)


class _Claims(msgspec.Struct, frozen=True):
    sub: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    kind: Literal["candidate", "staff", "service"]
    exp: float
    roles: tuple[tuple[str, str], ...] = ()
    sid: str | None = None
    acr: str | None = None


class _Kept(NamedTuple):
    caller: Caller
    key: OKPKey
    at: datetime
    expires: float


class Verifier:
    """Turns a token into a `Caller`, or refuses it without saying more than expired or not valid.

    Checking a signature takes as long as deciding a command, and a page asks for several things at once: what a token
    said is kept for a minute, by its digest, and only as long as its key is published.
    """

    def __init__(self, audience: str, keys: KeySource, clock: Clock) -> None:
        self._audience = audience
        self._keys = keys
        self._clock = clock
        self._kept: dict[bytes, _Kept] = {}

    async def caller(self, token: str) -> Caller:
        digest, now = sha256(token.encode("utf-8", "surrogatepass")).digest(), self._clock()
        kept = self._kept.get(digest)
        # apart either way: a clock that was set back must keep nothing longer
        if kept is None or abs(now - kept.at) >= _KEPT or now.timestamp() >= kept.expires:
            return await self._verified(token, digest)
        published = (await self._keys.key_set()).keys
        return kept.caller if any(key is kept.key for key in published) else await self._verified(token, digest)

    async def _verified(self, token: str, digest: bytes) -> Caller:
        try:
            key = await self._key(token)
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
            self._registry().validate(claims)
            told = msgspec.convert(claims, _Claims)
        except ExpiredTokenError:
            raise Refused("access.token_expired") from None
        except (JoseError, ValueError, TypeError, RecursionError) as error:
            log.info("access.token_refused", reason=type(error).__name__)
            raise Refused("access.bad_token") from None
        caller = Caller(told.sub, told.kind, frozenset(told.roles), told.sid, told.acr)
        if len(self._kept) >= _MOST_KEPT:
            self._kept.clear()
        self._kept[digest] = _Kept(caller, key, self._clock(), told.exp)
        return caller

    async def _key(self, token: str) -> OKPKey:
        """The published key the token names; a missing key id never means "the only key there is"."""
        wanted = jws.extract_compact(token.encode("ascii")).headers().get("kid")
        if not isinstance(wanted, str) or not wanted:
            raise ValueError("no key id")
        for refresh in (False, True):
            for key in (await self._keys.key_set(refresh=refresh)).keys:
                if key.kid == wanted and isinstance(key, OKPKey):
                    return key
        raise ValueError("unknown key id")

    def _registry(self) -> jwt.JWTClaimsRegistry:
        return jwt.JWTClaimsRegistry(
            now=int(self._clock().timestamp()),
            leeway=_LEEWAY_SECONDS,
            iss={"essential": True, "value": ISSUER},
            aud={"essential": True, "value": self._audience},
            exp={"essential": True},
            sub={"essential": True},
        )


# The dependencies are async so that they run here and not in a thread, where what they bind would be lost.
_bearer = HTTPBearer(auto_error=False, description="A token from identity.", bearerFormat="JWT")


async def _caller(request: Request) -> Caller:
    """Verified once a request, however many of its dependencies ask."""
    found: Caller | None = getattr(request.state, "caller", None)
    if found is None:
        if (bearer := await _bearer(request)) is None:
            raise Refused("access.no_token")
        verifier: Verifier = request.app.state.verifier
        found = request.state.caller = await verifier.caller(bearer.credentials)
        structlog.contextvars.bind_contextvars(actor=found.id)
    return found


class _CallerWho(SecurityBase):
    """A dependency without any of its own: FastAPI takes longer over each than we do over the whole token."""

    def __init__(self, may: Callable[[Caller], bool]) -> None:
        self.model = _bearer.model
        self.scheme_name = _bearer.scheme_name
        self._may = may

    async def __call__(self, request: Request) -> Caller:
        caller = await _caller(request)
        if not self._may(caller):
            raise Refused("access.not_allowed")
        return caller


def _reads_feeds(caller: Caller) -> bool:
    """Other services may read events, and auditors of everything, since a feed knows no organisations; nobody else."""
    return caller.kind == "service" or (caller.kind == "staff" and (AUDITOR, EVERYWHERE) in caller.roles)


async def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


AnyoneDep = Annotated[Caller, Depends(_CallerWho(lambda _: True))]
"""Anybody with a valid token."""
PersonDep = Annotated[Caller, Depends(_CallerWho(lambda caller: caller.kind != "service"))]
"""Whatever a service is called, it is nobody whose own things these could be."""
CandidateDep = Annotated[Caller, Depends(_CallerWho(lambda caller: caller.kind == "candidate"))]
StaffDep = Annotated[Caller, Depends(_CallerWho(lambda caller: caller.kind == "staff"))]
ServiceCallerDep = Annotated[Caller, Depends(_CallerWho(lambda caller: caller.kind == "service"))]
FeedReaderDep = Annotated[Caller, Depends(_CallerWho(_reads_feeds))]
ServiceDep = Annotated[Service, Depends(_service)]

_KeyHeader = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        description="Required: 8 to 200 visible ASCII characters. The same key again gives the same answer.",
    ),
]


async def _command_meta(request: Request, idempotency_key: _KeyHeader = None) -> Meta:
    return _meta(request, (await _caller(request)).id, idempotency_key)


async def _anonymous_meta(request: Request, service: ServiceDep, idempotency_key: _KeyHeader = None) -> Meta:
    body = service.keyring.hashed("anonymous_request", (await request.body()).hex())
    return _meta(request, "anonymous", idempotency_key, body.hex())


def _meta(request: Request, actor: str, key: str | None, *more: str) -> Meta:
    if key is None or not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Refused("request.no_idempotency_key")
    return Meta(
        command_id=command_id(actor, f"{request.method} {request.scope['path']}", key, *more),
        actor=actor,
        at=request.app.state.clock(),
        correlation=telemetry.correlation.get(),
        traceparent=telemetry.current_traceparent(),
    )


CommandMeta = Annotated[Meta, Depends(_command_meta)]
"""Every write: its id is made of the caller, the route and the Idempotency-Key, so two people's keys never meet."""

AnonymousMeta = Annotated[Meta, Depends(_anonymous_meta)]
"""Writes before login. All strangers are one actor, so whoever chose the key of another would learn from the answer
whether that other's command was carried out (and so, of a forgotten password, whether a mobile has an account), or
could have a sign-out refused. Here the id is made of the body too: only who knows all that was typed asks the same
again, and another body with the same key is another request. The body's hash is keyed, since command ids are stored
in the clear and must not let a password be guessed.
"""


async def _if_match(
    version: Annotated[
        str | None, Header(alias="If-Match", description='The version you saw, as "7"; refused if it has changed.')
    ] = None,
) -> int | None:
    if version is None:
        return None
    if (match := _VERSION.fullmatch(version.strip())) is None:
        raise Refused("request.invalid", fields=[{"field": "If-Match", "problem": "not_a_version"}])
    return int(match[1])


IfMatch = Annotated[int | None, Depends(_if_match)]


def public_keys(keys: KeySet) -> Mapping[str, Any]:
    """What identity publishes at /.well-known/jwks.json."""
    return keys.as_dict(private=False)
