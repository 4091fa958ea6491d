"""Around a service in a test: whatever it refuses stands in its own description. Put there by `services.running`."""

from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.problems import PROBLEM
from shared.runtime.service import ServiceDefinition

_descriptions: dict[tuple[int, frozenset[str]], tuple[APIRouter, dict[str, Any]]] = {}
"""By the routes and refusals, which make it, in a second of CPU; beside its routes, so that no others have their id."""


class Documented:
    """Raises in the test when an operation answers a code that its description does not list."""

    def __init__(self, app: ASGIApp, described: FastAPI, definition: ServiceDefinition) -> None:
        self._app = app
        self._described = described
        self._definition = definition

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        said = bytearray()

        async def heard(message: Message) -> None:
            if message["type"] == "http.response.start" and (b"content-type", PROBLEM.encode()) in message["headers"]:
                said.extend(b" ")
            elif message["type"] == "http.response.body" and said:
                said.extend(message["body"])
            await send(message)

        await self._app(scope, receive, heard)
        if said:
            self._must_be_described(scope, msgspec.json.decode(bytes(said))["code"])

    def _must_be_described(self, scope: Scope, code: str) -> None:
        route = scope.get("fastapi", {}).get("effective_route_context")
        router = self._definition.router
        key = (id(router), frozenset(self._definition.refusals))
        if key not in _descriptions:
            _descriptions[key] = (router, self._described.openapi())
        operations = _descriptions[key][1]["paths"].get(route.path_format if route else None, {})
        operation = operations.get(scope["method"].lower())
        if operation is not None and code not in set(_codes(operation)):
            raise AssertionError(f"{scope['method']} {route.path} answers {code}, which its description does not list")


def _codes(operation: dict[str, Any]) -> list[str]:
    problems = [response["content"][PROBLEM] for response in operation["responses"].values() if _refuses(response)]
    return [code for problem in problems for code in problem["schema"]["properties"]["code"]["enum"]]


def _refuses(response: dict[str, Any]) -> bool:
    return PROBLEM in response.get("content", {})
