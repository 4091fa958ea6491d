"""Refusals over HTTP: problem+json (RFC 9457) with a code, Chinese and English text, and the facts needed to act.

`app.py` installs the handlers; routes only raise `Refused`. Also writes the possible codes of each route into OpenAPI.
"""

import re
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

import msgspec
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.responses import Response

from shared.kernel.errors import COMMON, Refusal, Refused
from shared.runtime.event_store import OUTAGE
from shared.runtime.telemetry import Metrics

PROBLEM = "application/problem+json"
EDGE: dict[str, Refusal] = {
    "request.no_such_route": Refusal(404, "没有这个地址。", "There is no such address."),
    "request.method_not_allowed": Refusal(405, "此地址不支持该操作。", "This address does not take that method."),
    "request.malformed": Refusal(400, "请求格式有误。", "The request is malformed."),
}
"""What only the edge says; everything else is in `COMMON` or the service's own table."""

_BY_STATUS = {
    404: "request.no_such_route",
    405: "request.method_not_allowed",
    413: "request.too_large",
    415: "request.malformed",
    503: "service.unavailable",
}
_RETRY_AFTER_SECONDS = 5
"""What is away, full or overrun may be back by then."""
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,40}")
_LIMITS = frozenset(
    {"min_length", "max_length", "actual_length", "ge", "gt", "le", "lt", "multiple_of"}
    | {"expected", "pattern", "max_digits", "decimal_places"}
)
_WRITES = frozenset({"post", "put", "patch", "delete"})

log = structlog.get_logger(__name__)


class BodyRefused(HTTPException):
    """A refusal raised while a body is read, where FastAPI lets nothing through but its own kind of exception."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(422)
        self.refused = refused


class Problems:
    """Turns what a route raised into an answer, with one service's table of texts."""

    def __init__(self, refusals: Mapping[str, Refusal], metrics: Metrics) -> None:
        self.table = {**COMMON, **EDGE, **refusals}
        self._metrics = metrics

    def install(self, app: FastAPI) -> None:
        """Unexpected exceptions are not here: the edge catches those outside of everything, see `app.Edge`."""

        async def refused(_request: Request, error: Exception) -> Response:
            assert isinstance(error, Refused)
            return self.answer(error)

        async def invalid(_request: Request, error: Exception) -> Response:
            assert isinstance(error, RequestValidationError)
            return self.answer(Refused("request.invalid", fields=invalid_fields(error.errors())))

        async def http(request: Request, error: Exception) -> Response:
            assert isinstance(error, HTTPException)
            if isinstance(error, BodyRefused):
                return self.answer(error.refused)
            return self.of_status(error.status_code, error.headers, limit=request.scope.get(MAX_BODY_SIZE_SCOPE_KEY))

        app.add_exception_handler(Refused, refused)
        app.add_exception_handler(RequestValidationError, invalid)
        app.add_exception_handler(HTTPException, http)

    def answer(self, refused: Refused) -> Response:
        refusal = self.table.get(refused.code)
        if refusal is None:
            log.error("refusal.without_text", code=refused.code)
            refusal = Refusal(422, "办理未成功。", "Refused.")
        self._metrics.refusals.labels(code=refused.code).inc()
        return _response(refused, refusal)

    def of_status(self, status: int, headers: Mapping[str, str] | None, **facts: Any) -> Response:
        """The framework's own answers."""
        code = _BY_STATUS.get(status, "request.malformed" if status < 500 else "service.unavailable")
        response = self.answer(Refused(code, **(facts if code == "request.too_large" else {})))
        response.headers.update(headers or {})
        return response

    def fault(self, error: BaseException) -> Response:
        """A bug or an outage of ours: the caller gets a number to quote, the log gets the places, nobody the data."""
        number = uuid4().hex[:12]
        log.error("service.fault", fault=number, exc_info=error)
        if isinstance(error, OUTAGE):
            return self.answer(Refused("service.unavailable", fault=number))
        return self.answer(Refused("service.fault", fault=number))

    def openapi(self, app: FastAPI, own: Iterable[str]) -> dict[str, Any]:
        """The app's description, where every operation lists the codes it can answer, by status."""
        description = get_openapi(title=app.title, version=app.version, routes=app.routes)
        components = description.setdefault("components", {}).setdefault("schemas", {})
        components["Problem"] = _PROBLEM_SCHEMA
        for unused in ("HTTPValidationError", "ValidationError"):
            components.pop(unused, None)
        for operations in description["paths"].values():
            for method, operation in operations.items():
                usual, undeclared = (COMMON, own) if method in _WRITES else ((), ())
                codes = {*_common_codes(operation), *usual, *operation.pop("x-refuses", undeclared)}
                responses = operation["responses"]
                responses.pop("422", None)
                for status, listed in _by_status(codes, self.table).items():
                    responses[str(status)] = _documented(status, listed, self.table)
        return description


def refuses(*codes: str) -> dict[str, Any]:
    """For a route's `openapi_extra`: exactly these codes of the service's table.

    A write that does not say so may answer with any of them, a read with none. `testing/documented.py` holds it.
    """
    return {"x-refuses": list(codes)}


def invalid_fields(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Which field, what is wrong, and the limits: never what was typed."""
    fields = []
    for error in errors:
        told = {"field": _field(error["loc"]), "problem": error["type"]}
        limits = {name: value for name, value in (error.get("ctx") or {}).items() if name in _LIMITS}
        fields.append({**told, "limits": limits} if limits else told)
    return fields


def _field(location: Iterable[str | int]) -> str:
    """`courses.2.code`; a part that is no plain identifier was chosen by the sender, so it is not repeated."""
    parts = [str(part) if isinstance(part, int) or _FIELD.fullmatch(part) else "?" for part in location]
    return ".".join(parts[1:] if parts[:1] == ["body"] and len(parts) > 1 else parts)


def _response(refused: Refused, refusal: Refusal) -> Response:
    zh, en = refusal.said(refused.facts)
    body = {
        "type": f"urn:zikao:problem:{refused.code}",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "code": refused.code,
        "detail": zh,
        "detail_en": en,
        "facts": refused.facts,
    }
    response = Response(
        msgspec.json.encode(body, enc_hook=str), refusal.status, {"Content-Language": "zh-CN, en"}, PROBLEM
    )
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response.headers["www-authenticate"] = "Bearer"
    if refusal.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        response.headers["connection"] = "close"  # the rest of the body is not read
    if refusal.status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["retry-after"] = str(_RETRY_AFTER_SECONDS)
    if isinstance(wait := refused.facts.get("retry_after"), int):
        response.headers["retry-after"] = str(wait)
    return response


def _common_codes(operation: Mapping[str, Any]) -> Iterable[str]:
    """What the edge itself can answer, read off the operation's own description."""
    yield "service.fault"
    yield "service.unavailable"
    if operation.get("security"):
        yield from ("access.no_token", "access.bad_token", "access.token_expired", "access.not_allowed")
        yield "access.person_erased"
    if operation.get("parameters") or "requestBody" in operation:
        yield "request.invalid"
    if "requestBody" in operation:
        yield from ("request.too_large", "request.malformed", "request.text_has_control_characters")
    headers = {parameter["name"] for parameter in operation.get("parameters", ()) if parameter["in"] == "header"}
    if "Idempotency-Key" in headers:
        yield from ("request.no_idempotency_key", "request.key_reused")
    if "If-Match" in headers:
        yield "request.changed_meanwhile"
    if any(parameter["in"] == "path" for parameter in operation.get("parameters", ())):
        yield "access.not_found"


def _by_status(codes: Iterable[str], table: Mapping[str, Refusal]) -> dict[int, list[str]]:
    grouped: dict[int, list[str]] = {}
    for code in sorted(codes):
        grouped.setdefault(table[code].status, []).append(code)
    return grouped


def _documented(status: int, codes: list[str], table: Mapping[str, Refusal]) -> dict[str, Any]:
    return {
        "description": "\n".join(f"- `{code}`: {table[code].zh} {table[code].en}" for code in codes),
        "content": {
            PROBLEM: {
                "schema": {
                    "allOf": [{"$ref": "#/components/schemas/Problem"}],
                    "properties": {"status": {"const": status}, "code": {"enum": codes}},
                }
            }
        },
    }


_PROBLEM_SCHEMA: dict[str, Any] = {
    "title": "Problem",
    "description": "A refusal (RFC 9457). `code` never changes its meaning.",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail", "detail_en", "facts"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string", "description": "Chinese"},
        "detail_en": {"type": "string", "description": "English"},
        "facts": {"type": "object", "additionalProperties": True},
    },
}
