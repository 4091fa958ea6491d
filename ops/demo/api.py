"""A caller of the services, as portal and console are: HTTP, tokens, Idempotency-Keys, coded refusals."""

from typing import Any
from uuid import uuid4

import httpx


class Unexpected(Exception):
    """A service answered otherwise than the story needs; carries what it said, and its refusal if it was one."""

    def __init__(self, said: str, problem: dict[str, Any] | None = None) -> None:
        super().__init__(said)
        self.problem = problem or {}


class Api:
    """One service as one person sees it."""

    def __init__(self, base_url: str) -> None:
        # a connection of its own each time: a person's browser has none open between two clicks either
        unkept = httpx.Limits(max_keepalive_connections=0)
        # plain HTTP to our own stack: for each of hundreds of these, the certificates of the world would be read again
        self._client = httpx.Client(base_url=base_url, timeout=60, limits=unkept, verify=False)  # noqa: S501

    def sign(self, access_token: str) -> None:
        self._client.headers["Authorization"] = f"Bearer {access_token}"

    def get(self, path: str, **params: Any) -> Any:
        return self._told(self._client.get(path, params=params))

    def get_unless(self, refusals: set[str], path: str) -> Any | None:
        """The answer, or None for one of these refusals."""
        return self._unless(refusals, self._client.get(path))

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._told(self._sent("POST", path, body, options))

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._told(self._sent("PUT", path, body, options))

    def document(self, path: str) -> bytes:
        """A file that is made by asking for it."""
        answer = self._sent("POST", path, None, {})
        self._told(answer)
        return answer.content

    def post_unless(self, refusals: set[str], path: str, body: Any = None) -> Any | None:
        """The answer, or None for one of these refusals."""
        return self._unless(refusals, self._sent("POST", path, body, {}))

    def _unless(self, refusals: set[str], answer: httpx.Response) -> Any | None:
        if answer.is_error and answer.json().get("code") in refusals:
            return None
        return self._told(answer)

    def file(self, path: str) -> bytes:
        """A picture, or a paper to keep."""
        answer = self._client.get(path)
        self._told(answer)
        return answer.content

    def _sent(self, method: str, path: str, body: Any, options: dict[str, Any]) -> httpx.Response:
        headers = {"Idempotency-Key": str(uuid4()), **options.pop("headers", {})}
        if body is not None:
            options["json"] = body
        return self._client.request(method, path, headers=headers, **options)

    def _told(self, answer: httpx.Response) -> Any:
        if not answer.is_success:
            said = f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:600]}"
            refused = answer.headers.get("content-type", "").startswith("application/problem+json")
            raise Unexpected(said, answer.json() if refused else None)
        is_json = answer.headers.get("content-type", "").startswith("application/json")
        return answer.json() if is_json and answer.content else None
