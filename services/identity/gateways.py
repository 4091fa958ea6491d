"""CHSI (学信网) over HTTP: asked whether a diploma is what a candidate typed, and asked later what it found.

`checking.py` calls it. A gateway translates, it decides nothing. Names and numbers travel in bodies only, never in a
URL, a header or a log. The interface is our assumption (`sandbox/chsi.py`), since the real one is not public.
"""

import json
import secrets
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol
from urllib.parse import urlsplit

import httpx

from services.identity.settings import ChsiSettings
from services.identity.signing import Account
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from shared.kernel.time import Clock
from shared.runtime.outside import called, json_object

RESULTS = frozenset({"found", "not_found", "invalid"})
ON_RECORD = ("holder", "school", "major", "level", "category", "graduated_on")
_LONGEST = 200


@dataclass(frozen=True)
class Query:
    """One attempt: which diploma, and under which number of ours. `id_number`: whose account it is, since a name
    alone may be a namesake's."""

    request: str
    form: Mapping[str, str]
    id_number: str

    def __repr__(self) -> str:
        """Personal values stay out of tracebacks and logs."""
        return f"Query({self.request})"


@dataclass(frozen=True)
class Answered:
    """What CHSI has on record, as `read_answer` gives it."""

    answer: dict[str, Any]

    def __repr__(self) -> str:
        return "Answered()"


class ChsiGateway(Protocol):
    async def ask(self, query: Query, within: timedelta) -> Accepted | Declined | InDoubt:
        """Hand the query over once; the answer comes later. Never raises for what a network or CHSI does."""
        ...

    async def look(self, request: str, within: timedelta) -> Answered | Accepted | Absent | InDoubt:
        """What became of it: answered, still in hand, nothing known, or no telling."""
        ...


def read_answer(said: object) -> dict[str, Any] | None:
    """An answer in one form, whatever order or extras it came with; None for what is none.

    A record with nothing in a field is no record: it must not decide against anybody."""
    result = said.get("result") if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(result, str) or result not in RESULTS:
        return None
    if result != "found":
        return {"result": result}
    record = said.get("on_record")
    if not isinstance(record, dict):
        return None
    values = {name: record.get(name) for name in ON_RECORD}
    return {"result": "found", "on_record": values} if all(map(_can_be_read, values.values())) else None


def _can_be_read(value: object) -> bool:
    """Text that can be compared and kept: not empty, no half of a character."""
    if not isinstance(value, str) or len(value) > _LONGEST or not value.strip():
        return False
    return not any(unicodedata.category(character) in ("Cc", "Cs") for character in value)


@dataclass(frozen=True)
class Chsi:
    """学信网."""

    client: httpx.AsyncClient
    url: str
    account: Account
    clock: Clock

    async def ask(self, query: Query, within: timedelta) -> Accepted | Declined | InDoubt:
        said = {"request_id": query.request, "claim": {**query.form, "id_number": query.id_number}}
        response = await self._call("POST", "/v1/queries", json.dumps(said, ensure_ascii=False).encode(), within)
        if not isinstance(response, httpx.Response):
            return response
        body = json_object(response) or {}
        if response.status_code == httpx.codes.ACCEPTED:
            return Accepted(None) if body.get("request_id") == query.request else InDoubt("unreadable")
        return Declined(str(body.get("code", f"http_{response.status_code}"))[:60])

    async def look(self, request: str, within: timedelta) -> Answered | Accepted | Absent | InDoubt:
        response = await self._call("GET", f"/v1/queries/{request}", b"", within)
        if isinstance(response, Declined):
            return InDoubt(response.code)  # it is the question that never arrived, not the query
        if isinstance(response, InDoubt):
            return response
        body = json_object(response) or {}
        if body.get("request_id") != request:
            return InDoubt("unreadable")
        match response.status_code, body.get("state"):
            case httpx.codes.NOT_FOUND, "unknown":
                return Absent()
            case httpx.codes.OK, "in_hand":
                return Accepted(None)
            case httpx.codes.OK, "answered":
                answer = read_answer(body.get("answer"))
                return InDoubt("unreadable") if answer is None else Answered(answer)
            case _:
                return InDoubt(str(body.get("code", f"http_{response.status_code}"))[:60])

    async def _call(
        self, method: str, path: str, body: bytes, within: timedelta
    ) -> httpx.Response | Declined | InDoubt:
        """What is not signed by CHSI as the answer to this very call tells nothing."""
        url = self.url.rstrip("/") + path
        path, nonce = urlsplit(url).path, secrets.token_hex(16)
        headers = self.account.headers(method, path, body, self.clock(), nonce)
        if body:
            headers["Content-Type"] = "application/json"
        response = await called(self.client, method, url, body, headers, within)
        if isinstance(response, httpx.Response):
            fault = self.account.fault("ANSWER", path, response.content, response.headers, self.clock(), nonce)
            return InDoubt(fault) if fault else response
        return response


def chsi_of(settings: ChsiSettings, client: httpx.AsyncClient, clock: Clock) -> Chsi | None:
    """None where no account is configured: records wait, and nobody is told that they were checked."""
    account = account_of(settings)
    return Chsi(client, str(settings.url), account, clock) if account and settings.url else None


def account_of(settings: ChsiSettings) -> Account | None:
    return Account(settings.key_id, settings.secret.get_secret_value()) if settings.secret else None
