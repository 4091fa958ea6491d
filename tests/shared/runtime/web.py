"""A small service behind the real HTTP edge, with a hand-written node in place of the database."""

import base64
import io
import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any, cast
from uuid import UUID

import httpx
import pytest
import structlog
from fastapi import APIRouter, Request, UploadFile
from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from shared.kernel.errors import Refusal, Refused
from shared.kernel.messages import Meta
from shared.runtime.access import (
    AnonymousMeta,
    AnyoneDep,
    CandidateDep,
    CommandMeta,
    IfMatch,
    KeySource,
    LocalKeySource,
    ServiceCallerDep,
    ServiceDep,
    StaffDep,
)
from shared.runtime.app import create_app
from shared.runtime.edge import UPLOAD_BYTES
from shared.runtime.feed import Envelope
from shared.runtime.keyring import Keyring
from shared.runtime.problems import refuses
from shared.runtime.service import Service, ServiceDefinition
from shared.runtime.settings import Settings
from shared.runtime.telemetry import log_as_json

NOW = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
KEY = OKPKey.generate_key("Ed25519", {"kid": "2026-a"})
STRANGER = OKPKey.generate_key("Ed25519", {"kid": "2026-a"})


class Body(BaseModel):
    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=5)]
    mobile: str = ""


REFUSALS = {
    "toy.closed": Refusal(409, "已于 {closes} 截止，{nobody}。", "Closed at {closes}, {nobody}."),
    "toy.unused": Refusal(409, "无。", "None."),
}

router = APIRouter(prefix="/v1")


@router.get("/me")
async def me(caller: AnyoneDep) -> dict[str, Any]:
    return {"id": caller.id, "kind": caller.kind, "roles": sorted(caller.roles), "session": caller.session}


@router.get("/candidates")
async def candidates(caller: CandidateDep) -> str:
    return caller.id


@router.get("/staff")
async def staff(caller: StaffDep) -> str:
    return caller.id


@router.get("/services")
async def services(caller: ServiceCallerDep) -> str:
    return caller.id


@router.post("/things/{thing}", openapi_extra=refuses("toy.closed"))
async def write(thing: str, body: Body, meta: CommandMeta, version: IfMatch) -> dict[str, Any]:
    return {**_told(meta), "version": version, "thing": thing, "length": len(body.name)}


@router.post("/anonymous")
async def anonymous(body: Body, meta: AnonymousMeta) -> dict[str, Any]:
    return _told(meta)


@router.post("/files", max_body_size=UPLOAD_BYTES)
async def files(file: UploadFile) -> int:
    return len(await file.read())


@router.post("/closed-files", max_body_size=UPLOAD_BYTES)
async def closed_files() -> None:
    raise Refused("access.not_allowed")


@router.post("/raw")
async def raw(request: Request) -> int:
    return len(await request.body())


@router.post("/refuse/{code}")
async def refuse(code: str) -> None:
    raise Refused(code, closes=NOW, stages={"初审"}, retry_after=7)


@router.post("/break")
async def broken(body: Body) -> None:
    raise ValueError(f"cannot handle {body.name} {body.mobile}")


@router.get("/outage")
async def outage() -> None:
    raise ConnectionRefusedError("postgres://zikao:hunter2@10.0.0.1/zikao")


@router.get("/service-name")
async def service_name(service: ServiceDep) -> str:
    return service.name


inner = APIRouter()


@inner.get("/inner/{thing}")
async def within(thing: str) -> str:
    return thing


@inner.get("/address")
async def address(request: Request) -> str | None:
    return request.client.host if request.client else None


router.include_router(inner)


def _told(meta: Meta) -> dict[str, Any]:
    return {
        "command": str(meta.command_id),
        "actor": meta.actor,
        "at": meta.at.isoformat(),
        "correlation": str(meta.correlation),
        "traceparent": meta.traceparent,
    }


DEFINITION = ServiceDefinition(
    name="toy", handlers={}, views=(), router=router, refusals=REFUSALS, schema=Path("nothing.sql")
)


def envelope(position: int) -> Envelope:
    return Envelope(
        source="toy",
        position=position,
        stream="thing-1",
        version=position,
        type="toy.made.v1",
        event_id=UUID(int=position),
        command_id=UUID(int=99),
        actor="somebody",
        recorded_at=NOW,
        body='{"note":  "kept byte for byte"}',
    )


class FakeNode:
    """What the edge asks of a node, answered from memory."""

    def __init__(self) -> None:
        self.log = [envelope(position) for position in range(1, 6)]
        self.answer: dict[str, Any] | Exception = {
            "ready": True,
            "broker": "up",
            "lag": {"exemption": 3},
            "lag_seconds": {"exemption": 4.5},
            "parked": {"exemption": {"poison": {"streams": 2, "oldest_seconds": 60.0}}},
        }
        self.running = False
        self.service = cast(
            Service,
            SimpleNamespace(
                name="toy",
                feed=self._feed,
                feed_of=self._feed_of,
                feed_head=self._head,
                keyring=Keyring(cast(Any, None), bytes(32)),  # for its keyed hashes, which need no database
            ),
        )

    async def _feed(self, after: int, limit: int) -> list[Envelope]:
        return [each for each in self.log if each.position > after][:limit]

    async def _feed_of(self, stream: str, after_version: int, limit: int) -> list[Envelope]:
        return [each for each in self.log if each.stream == stream and each.version > after_version][:limit]

    async def _head(self) -> int:
        return len(self.log)

    async def start(self) -> None:
        self.running = True

    async def stop(self) -> None:
        self.running = False

    async def health(self) -> dict[str, Any]:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def settings(**given: Any) -> Settings:
    values: dict[str, Any] = {
        "postgres_url": SecretStr("postgres://zikao:hunter2@127.0.0.1/zikao"),
        "amqp_url": SecretStr("amqp://zikao:hunter2@127.0.0.1/"),
        "kek": SecretStr(base64.b64encode(bytes(32)).decode()),
        "blobs": "unused",
        "service_secret": SecretStr("a secret of the toy"),
        "peers": {"identity": "http://identity", "toy": "http://toy"},
        **given,
    }
    return Settings(**values)


@asynccontextmanager
async def serving(
    node: FakeNode | None = None, key_source: KeySource | None = None, address: str = "127.0.0.1", **given: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """The toy behind its edge, with settings as `given`; the client speaks ASGI to it, from `address`."""
    node = node or FakeNode()

    @asynccontextmanager
    async def opened() -> AsyncIterator[FakeNode]:
        yield node

    app = create_app(
        DEFINITION,
        settings(**given),
        clock=lambda: NOW,
        key_source=key_source or LocalKeySource(KeySet([KEY])),
        opened=opened,
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app, client=(address, 50_000)), base_url="http://toy"
        ) as client,
    ):
        yield client


def claims(**changes: Any) -> dict[str, Any]:
    told = {
        "iss": "zikao-identity",
        "sub": "person-1",
        "kind": "candidate",
        "aud": ["exemption", "toy"],
        "roles": [],
        "exp": int((NOW + timedelta(minutes=5)).timestamp()),
        **changes,
    }
    return {name: value for name, value in told.items() if value is not None}


def token(key: OKPKey = KEY, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """Signed by `key`; `header` and `changes` replace parts, None leaves a part out."""
    parts = {"alg": "Ed25519", "kid": key.kid, **(header or {})}
    named = {name: value for name, value in parts.items() if value is not None}
    return jwt.encode(named, claims(**changes), key, algorithms=["Ed25519"])


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def signed_in(**changes: Any) -> dict[str, str]:
    return bearer(token(**changes))


Logged = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def logged() -> Iterator[Logged]:
    """Everything logged so far, as it is written: one JSON object a line."""
    before, level, configured = logging.root.handlers[:], logging.root.level, structlog.get_config()
    stream = io.StringIO()
    log_as_json("toy", stream=stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.root.handlers[:], logging.root.level = before, level
    structlog.configure(**configured)
