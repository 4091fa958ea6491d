"""The HTTP edge: puts a service behind FastAPI with everything that all services answer alike.

`services/<name>/main.py` calls `run(SERVICE)`; tests call `create_app` and enter its lifespan themselves. Routes come
from the service; here are only health, metrics, the feed of events, and what happens around every request.
"""

import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from typing import Annotated, Any, Protocol

import httpx
import msgspec
import structlog
import uvicorn
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import PlainTextResponse, Response
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from shared.kernel.time import Clock, utc_now
from shared.runtime import telemetry
from shared.runtime.access import FeedReaderDep, KeySource, RemoteKeySource, ServiceDep, Verifier
from shared.runtime.blobs import Blobs
from shared.runtime.edge import QUIET, Edge
from shared.runtime.ending import GRACE_SECONDS
from shared.runtime.node import KEYS_SIZE, Node, open_pool
from shared.runtime.peers import PeerFeed, Peers
from shared.runtime.problems import Problems
from shared.runtime.service import Service, ServiceDefinition
from shared.runtime.settings import Settings
from shared.runtime.telemetry import Metrics

_FEED_MOST = 1000
log = structlog.get_logger(__name__)


class Running(Protocol):
    """A replica of a service: `Node`, or what a test puts in its place."""

    @property
    def service(self) -> Service: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def health(self) -> dict[str, Any]: ...


Opened = Callable[[], AbstractAsyncContextManager[Running]]
Resources = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    definition: ServiceDefinition,
    settings: Settings,
    *,
    clock: Clock = utc_now,
    key_source: KeySource | None = None,
    client: httpx.AsyncClient | None = None,
    opened: Opened | None = None,
    resources: Resources | None = None,
) -> FastAPI:
    """The service as an ASGI application; entering its lifespan starts it.

    `key_source`: identity gives its own keys, tests theirs. `client` carries calls to peers. `opened` makes the node.
    `resources` is entered before the node starts, for what only this service needs (process pools, gateways): it puts
    them on `app.state`.
    """
    metrics = Metrics()
    problems = Problems(definition.refusals, metrics)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            outgoing = client if client is not None else httpx.AsyncClient(timeout=10)
            if client is None:
                stack.push_async_callback(outgoing.aclose)
            telemetry.trace_client(outgoing)
            peers = Peers(definition.name, settings, clock, outgoing)
            keys = key_source or RemoteKeySource(peers.url("identity") + "/.well-known/jwks.json", clock, outgoing)
            app.state.verifier = Verifier(definition.name, keys, clock)
            open_it = opened or (lambda: _opened(definition, settings, clock, peers, metrics))
            app.state.node = node = await stack.enter_async_context(open_it())
            app.state.service = node.service
            if resources is not None:
                await stack.enter_async_context(resources(app))
            await node.start()
            stack.push_async_callback(node.stop)
            log.info("service.started")
            yield
            log.info("service.stopping")

    app = FastAPI(
        title=f"zikao {definition.name}",
        version="1",
        lifespan=lifespan,
        docs_url=None,  # its pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,  # a redirect would go to whatever host the caller named
        telemetry={
            "metrics": False,
            "logs": False,
            "operation_spans": False,
            "exclude": lambda scope: scope.get("path") in QUIET,
        },
    )
    app.state.clock = clock
    app.state.metrics = metrics
    problems.install(app)
    app.include_router(definition.router)
    app.include_router(_common)
    app.add_middleware(Edge, problems=problems, metrics=metrics)
    if settings.trusted_proxies:
        app.add_middleware(ProxyHeadersMiddleware, trusted_hosts=list(settings.trusted_proxies))
    app.openapi = _described(app, problems, definition)  # type: ignore[method-assign] # FastAPI's documented way
    return app


def run(
    definition: ServiceDefinition, *, key_source: KeySource | None = None, resources: Resources | None = None
) -> None:
    """Serve until told to stop; requests in hand are finished first."""
    os.umask(0o077)  # files of this process are nobody else's business
    telemetry.log_as_json(definition.name)
    settings = Settings()  # type: ignore[call-arg] # from the environment
    telemetry.start(definition.name, settings.otlp_endpoint)
    config = uvicorn.Config(
        create_app(definition, settings, key_source=key_source, resources=resources),
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,  # `Edge` writes one line per request, without the query
        server_header=False,
        proxy_headers=False,  # `create_app` believes the proxies that the settings name, and no others
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run([socket.socket(fileno=number) for number in settings.listen_fds] or None)
    if not server.started:
        sys.exit("the service did not start")


@asynccontextmanager
async def _opened(
    definition: ServiceDefinition, settings: Settings, clock: Clock, peers: Peers, metrics: Metrics
) -> AsyncIterator[Running]:
    url = settings.postgres_url.get_secret_value()
    async with open_pool(url, definition.name) as pool, open_pool(url, definition.name, KEYS_SIZE) as keys:
        node = Node(
            definition,
            pool,
            settings.kek_bytes,
            clock,
            amqp_url=settings.amqp_url.get_secret_value(),
            feed=PeerFeed(peers),
            keys=keys,
        )
        equip(node.service, settings, peers, metrics)
        yield node


def equip(service: Service, settings: Settings, peers: Peers, metrics: Metrics) -> None:
    """Hand a service what it reaches the outside with."""
    service.settings = settings
    service.peers = peers
    service.metrics = metrics
    service.blobs = Blobs(f"{settings.blobs}/{service.name}", service.keyring)


def _described(app: FastAPI, problems: Problems, definition: ServiceDefinition) -> Callable[[], dict[str, Any]]:
    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = problems.openapi(app, definition.refusals)
        return app.openapi_schema

    return openapi


_common = APIRouter()


@_common.get("/healthz", include_in_schema=False)
async def healthz() -> PlainTextResponse:
    """The process answers; nothing more."""
    return PlainTextResponse("alive")


@_common.get("/readyz", include_in_schema=False)
async def readyz(request: Request) -> JSONResponse:
    """Whether to send requests here. Without the broker it is ready but degraded: the feed goes on."""
    health = await _health(request)
    status = "not ready" if not health["ready"] else "degraded" if health.get("broker") == "down" else "ready"
    return JSONResponse({"status": status, **health}, 200 if health["ready"] else 503)


@_common.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    told: Metrics = request.app.state.metrics
    health = await _health(request)
    told.tell(health)
    return Response(generate_latest(told.registry), headers={"content-type": CONTENT_TYPE_LATEST})


async def _health(request: Request) -> Mapping[str, Any]:
    node: Running = request.app.state.node
    try:
        return await node.health()
    except Exception as error:
        log.warning("health.failed", exc_info=error)
        return {"ready": False, "failed": [type(error).__name__]}


_After = Annotated[int, Query(ge=0, le=2**63 - 1, description="The last position, or version, you have.")]


@_common.get("/v1/events", tags=["feed"], response_class=JSONResponse)
async def events(
    service: ServiceDep,
    reader: FeedReaderDep,
    after: _After = 0,
    stream: Annotated[str | None, Query(max_length=200, description="Only this stream; `after` is a version.")] = None,
    limit: Annotated[int, Query(ge=1, le=_FEED_MOST)] = 500,
) -> Response:
    """This service's facts in order: {"events": [...]}. Personal values in them are sealed."""
    found = await (service.feed(after, limit) if stream is None else service.feed_of(stream, after, limit))
    if reader.kind == "staff":
        log.info("feed.read_by_auditor", after=after, events=len(found))
    return Response(msgspec.json.encode({"events": found}), media_type="application/json")


@_common.get("/v1/events/head", tags=["feed"])
async def events_head(service: ServiceDep, _reader: FeedReaderDep) -> dict[str, int]:
    """The highest position given so far."""
    return {"position": await service.feed_head()}
