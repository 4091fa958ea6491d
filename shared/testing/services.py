"""Whole services in the test's own process: the real edge, store and loops, without a port.

async with running(SERVICE, database, folder) as web:
    answer = await web.client.post("/v1/...", headers=web.as_candidate("person-1"), json={...})
"""

import base64
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
from fastapi import FastAPI
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from pydantic import SecretStr

from shared.kernel.time import Clock, utc_now
from shared.runtime.access import ALGORITHM, ISSUER, KeySource, LocalKeySource
from shared.runtime.app import Resources, create_app, equip
from shared.runtime.database import as_role
from shared.runtime.feed import Feed
from shared.runtime.node import KEYS_SIZE, Node, open_pool
from shared.runtime.peers import Peers
from shared.runtime.service import Service, ServiceDefinition
from shared.runtime.settings import Settings
from shared.testing.documented import Documented
from shared.testing.stores import KEK, PASSWORD

SIGNING_KEY = OKPKey.generate_key("Ed25519", private=True, parameters={"kid": "test"})
KEYS = LocalKeySource(KeySet([SIGNING_KEY]))


def token(
    subject: str,
    kind: str,
    audience: str,
    roles: Iterable[tuple[str, str]] = (),
    clock: Clock = utc_now,
    lasts: timedelta = timedelta(minutes=5),
    key: OKPKey = SIGNING_KEY,
) -> str:
    """What identity would issue, signed with the test's key."""
    claims = {
        "iss": ISSUER,
        "sub": subject,
        "kind": kind,
        "aud": [audience],
        "roles": [list(role) for role in roles],
        "exp": int((clock() + lasts).timestamp()),
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


@dataclass(frozen=True)
class Web:
    """A running service as its callers see it; every header set has a fresh Idempotency-Key."""

    app: FastAPI
    node: Node
    client: httpx.AsyncClient
    clock: Clock

    @property
    def service(self) -> Service:
        return self.node.service

    def as_candidate(self, person: str, key: str | None = None) -> Mapping[str, str]:
        return self._as(person, "candidate", (), key)

    def as_staff(self, person: str, *roles: tuple[str, str], key: str | None = None) -> Mapping[str, str]:
        return self._as(person, "staff", roles, key)

    def as_service(self, name: str, key: str | None = None) -> Mapping[str, str]:
        return self._as(name, "service", (), key)

    def anonymous(self, key: str | None = None) -> Mapping[str, str]:
        return {"Idempotency-Key": key or str(uuid4())}

    def _as(self, subject: str, kind: str, roles: Iterable[tuple[str, str]], key: str | None) -> Mapping[str, str]:
        bearer = token(subject, kind, self.node.service.name, roles, self.clock)
        return {"Authorization": f"Bearer {bearer}", **self.anonymous(key)}


@asynccontextmanager
async def running(
    definition: ServiceDefinition,
    database: str,
    folder: Path,
    *,
    clock: Clock = utc_now,
    amqp_url: str | None = None,
    feed: Feed | None = None,
    resources: Resources | None = None,
    key_source: KeySource = KEYS,
    peers: Mapping[str, str] | None = None,
) -> AsyncIterator[Web]:
    """`database` is prepared (`stores.prepared`); blobs go to `folder`. Without `amqp_url` facts travel by the feed."""
    url = as_role(database, definition.name, PASSWORD)
    settings = Settings(
        postgres_url=SecretStr(url),
        amqp_url=SecretStr(amqp_url or "amqp://nobody:nothing@127.0.0.1:1/"),
        kek=SecretStr(base64.b64encode(KEK).decode()),
        blobs=str(folder),
        peers=dict(peers or {}),
        service_secret=SecretStr("only-for-tests"),
    )
    async with httpx.AsyncClient(verify=False) as outgoing:  # 30 ms less; nobody in a test has a certificate

        @asynccontextmanager
        async def opened() -> AsyncIterator[Node]:
            async with open_pool(url, definition.name) as pool, open_pool(url, definition.name, KEYS_SIZE) as keys:
                node = Node(definition, pool, KEK, clock, amqp_url=amqp_url, feed=feed, keys=keys)
                equip(node.service, settings, Peers(definition.name, settings, clock, outgoing), app.state.metrics)
                yield node

        app = create_app(
            definition,
            settings,
            clock=clock,
            key_source=key_source,
            client=outgoing,
            opened=opened,
            resources=resources,
        )
        app.add_middleware(Documented, described=app, definition=definition)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"http://{definition.name}") as client,
        ):
            yield Web(app, app.state.node, client, clock)
