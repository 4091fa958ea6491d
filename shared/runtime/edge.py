"""What happens around every request, whichever route it meets. `app.py` puts it outside of everything else."""

import re
import time
from uuid import UUID, uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.kernel.errors import Refused
from shared.runtime import telemetry
from shared.runtime.problems import BodyRefused, Problems
from shared.runtime.telemetry import Metrics

JSON_BYTES = 256 * 1024
UPLOAD_BYTES = 20 * 1024 * 1024
"""A route that takes files says so: `@router.post(..., max_body_size=UPLOAD_BYTES)`; all others take `JSON_BYTES`."""

QUIET = frozenset({"/healthz", "/readyz", "/metrics"})
"""Asked every few seconds: neither traced nor logged."""

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NUL_IN_JSON = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000|\x00")
_NUL_UNFINISHED = re.compile(rb"\\+(?:u0{0,3})?\Z")
_UNFINISHED = len(rb"\u000")

log = structlog.get_logger(__name__)


class Edge:
    """Around every request: its id, its log line and metrics, security headers, and the answer to what nobody caught.

    Here and not in an exception handler, because FastAPI would raise such an exception again, and its message may hold
    what a person typed.
    """

    def __init__(self, app: ASGIApp, problems: Problems, metrics: Metrics) -> None:
        self._app = app
        self._problems = problems
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope).get("x-request-id"))
        answer = _Answer(scope, send, request_id, self._problems)
        began = time.perf_counter()
        structlog.contextvars.clear_contextvars()
        token = telemetry.correlation.set(request_id)
        try:
            if "\0" in scope["path"] or b"%00" in scope.get("query_string", b""):
                await self._problems.answer(_nul("query"))(scope, receive, answer)
            else:
                await self._app(scope, checked(scope, receive), answer)
        except Exception as error:  # noqa: BLE001 - the last one to catch it; logged with its places
            response = self._problems.fault(error)
            if answer.status is not None:
                raise RuntimeError("the answer broke off") from None
            await response(scope, receive, answer)
        finally:
            self._tell(scope, answer.status, time.perf_counter() - began)
            telemetry.correlation.reset(token)

    def _tell(self, scope: Scope, status: int | None, seconds: float) -> None:
        route = _route(scope)
        self._metrics.requests.labels(method=scope["method"], route=route, status=str(status)).observe(seconds)
        if route not in QUIET:
            told = {"method": scope["method"], "route": route, "status": status, "ms": round(seconds * 1000, 1)}
            log.info("request.answered", **told)


class _Answer:
    """`send` with our headers. The framework's own plain 413 becomes a problem like any other."""

    def __init__(self, scope: Scope, send: Send, request_id: UUID, problems: Problems) -> None:
        self._scope = scope
        self._send = send
        self._request_id = request_id
        self._problems = problems
        self._replaced = False
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if self._replaced:
            return
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if message["status"] == 413 and headers.get("content-type", "").startswith("text/plain"):
                response = self._problems.answer(Refused("request.too_large", limit=_limit(self._scope)))
                await response(self._scope, _nothing, self)
                self._replaced = True
                return
            self.status = message["status"]
            headers["x-request-id"] = str(self._request_id)
            for name, value in _HEADERS.items():
                headers.setdefault(name, value)
        await self._send(message)


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


def _route(scope: Scope) -> str:
    """The route's whole template. FastAPI leaves the inner part alone in `route`, and the whole one beside it."""
    found = scope.get("fastapi", {}).get("effective_route_context") or scope.get("route")
    return getattr(found, "path", "none")


def _request_id(given: str | None) -> UUID:
    """From outside only a real UUID, written as UUIDs are written; anything else gets a new one."""
    try:
        if given is not None and str(parsed := UUID(given)) == given.lower():
            return parsed
    except ValueError:
        pass
    return uuid4()


def checked(scope: Scope, receive: Receive) -> Receive:
    """`receive` that refuses a body while it is read, however it is chunked: too large, or JSON with a \\u0000.

    PostgreSQL's text knows no NUL. The route is found before its body is read, so its own limit is known here.
    """
    headers = Headers(scope=scope)
    is_json = "json" in headers.get("content-type", "json")
    declared = int(length) if (length := headers.get("content-length", "0")).isdecimal() else 0
    count = 0
    carried = b""

    async def checked_receive() -> Message:
        nonlocal count, carried
        limit = _limit(scope)
        if declared > limit:
            raise BodyRefused(Refused("request.too_large", limit=limit))
        message = await receive()
        if message["type"] == "http.request":
            body = message.get("body", b"")
            count += len(body)
            if count > limit:
                raise BodyRefused(Refused("request.too_large", limit=limit))
            if is_json:
                carried = _nul_free(carried + body)
        return message

    return checked_receive


def _limit(scope: Scope) -> int:
    """What the route declares as `max_body_size`, else what JSON needs."""
    return getattr(scope.get("route"), "max_body_size", None) or JSON_BYTES


def _nul_free(text: bytes) -> bytes:
    """Refuses a NUL; gives back the end of `text` that could become one with what follows."""
    # looked for plainly first: the expressions try every place, and hardly any text has one of these
    if (b"\\u0000" in text or b"\0" in text) and _NUL_IN_JSON.search(text):
        raise BodyRefused(_nul("body"))
    unfinished = _NUL_UNFINISHED.search(text) if b"\\" in text[-_UNFINISHED:] else None
    return unfinished[0] if unfinished else b""


def _nul(field: str) -> Refused:
    return Refused("request.text_has_control_characters", field=field)
