"""CHSI (学信网), the national register of diplomas, as we ASSUME it could be asked: its real interface is not public.

HTTPS and JSON, below `/chsi`:

- `POST /v1/queries` `{"request_id", "claim": {holder, certificate_number, school, major, level, category,
  graduated_on, id_number}}` -> 202 `{"request_id", "state": "in_hand"}`. The answer comes later.
- `GET /v1/queries/{request_id}` -> 200 `{"request_id", "state": "in_hand"}`, or `"state": "answered"` with an `answer`,
  or 404 `{"request_id", "state": "unknown"}`.
- it calls `POST <callback url>` `{"request_id", "answer"}` when it has one.
- an `answer` is `{"result": "found", "on_record": {holder, school, major, level, category, graduated_on}}`, or
  `{"result": "not_found"}`, or `{"result": "invalid"}` (the certificate was annulled).

Every request, answer and callback carries `X-Chsi-Key`, `X-Chsi-Time` (seconds since 1970), `X-Chsi-Nonce` and
`X-Chsi-Signature`: HMAC-SHA256 in hexadecimal, under the account's secret, over method, path, time, nonce and the
SHA-256 of the body in hexadecimal, joined by line feeds. An answer to a request signs with `ANSWER` for the method and
carries the request's nonce. A time more than five minutes off, or a nonce seen before, is refused with 401.

It never deduplicates for anyone: who asks twice is found twice in `Register.queries`.
"""

import asyncio
import hashlib
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import httpx
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

Clock = Callable[[], datetime]
FRESH = timedelta(minutes=5)
ON_RECORD = ("holder", "school", "major", "level", "category", "graduated_on")
PREFIX = "/chsi"


class Behaviour(BaseModel):
    """How CHSI is to one certificate number, or to all (`*`)."""

    model_config = ConfigDict(extra="forbid")

    answer: Literal["yes", "no", "unknown", "never"] = "yes"
    on_record: dict[str, str] = Field(default_factory=dict, description="for yes: what the register has instead")
    id_number: str | None = Field(default=None, description="whose it is: to a claim of anybody else it is unknown")
    after_seconds: float = Field(default=0, ge=0, description="until there is an answer")
    callbacks: int = Field(default=1, ge=0, le=5, description="how often it is called out; 0: got lost")
    then: Literal["yes", "no", "unknown"] | None = Field(default=None, description="a last callback that contradicts")
    refuse: str | None = Field(default=None, description="the code with which queries are refused")
    fault: Literal["before_taking", "after_taking"] | None = Field(default=None, description="an answer of 500")
    look_fault: bool = Field(default=False, description="500 when looked at")
    slow_seconds: float = Field(default=0, ge=0, le=60, description="before the query is answered")
    times: int | None = Field(default=None, ge=1, description="faults, refusals and slowness strike so often")


@dataclass(frozen=True)
class Query:
    """One query that was taken, as it will be answered."""

    request: str
    claim: Mapping[str, str]
    behaviour: Behaviour
    answered_at: datetime

    def answer(self, kind: str) -> dict[str, Any]:
        match kind:
            case "yes" if self.behaviour.id_number not in (None, self.claim.get("id_number")):
                return {"result": "not_found"}
            case "yes":
                had = {name: self.claim.get(name, "") for name in ON_RECORD}
                return {"result": "found", "on_record": {**had, **self.behaviour.on_record}}
            case "unknown":
                return {"result": "not_found"}
            case _:
                return {"result": "invalid"}


@dataclass
class Register:
    """What was asked, and how it behaves; kept in memory."""

    queries: list[Query] = field(default_factory=list)
    behaviours: dict[str, Behaviour] = field(default_factory=dict)

    def behaviour(self, number: str) -> Behaviour:
        """As it is now; what strikes only so often is counted down."""
        key = number if number in self.behaviours else "*"
        found = self.behaviours.get(key, Behaviour())
        if found.times is not None:
            calm = {"refuse": None, "fault": None, "slow_seconds": 0, "times": None}
            left = {"times": found.times - 1} if found.times > 1 else calm
            self.behaviours[key] = found.model_copy(update=left)
        return found

    def asked(self, request: str) -> Query | None:
        return next((query for query in reversed(self.queries) if query.request == request), None)


@dataclass
class Signer:
    """Our own reading of the rules above, apart from the code that signs for Zikao."""

    key_id: str
    secret: str
    _seen: dict[str, datetime] = field(default_factory=dict)

    def headers(self, method: str, path: str, body: bytes, at: datetime, nonce: str) -> dict[str, str]:
        stamp = str(int(at.timestamp()))
        text = f"{method}\n{path}\n{stamp}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
        signature = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        named = {"Key": self.key_id, "Time": stamp, "Nonce": nonce, "Signature": signature}
        return {f"X-Chsi-{name}": value for name, value in named.items()}

    def accepts(self, request: Request, body: bytes, now: datetime) -> bool:
        try:
            at = datetime.fromtimestamp(int(request.headers["x-chsi-time"]), UTC)
            nonce = request.headers["x-chsi-nonce"]
            given = request.headers["x-chsi-signature"]
        except (KeyError, ValueError, OverflowError):
            return False
        right = self.headers(request.method, request.url.path, body, at, nonce)["X-Chsi-Signature"]
        known = request.headers.get("x-chsi-key") == self.key_id
        if not known or not hmac.compare_digest(right, given) or abs(now - at) > FRESH or nonce in self._seen:
            return False
        self._seen = {old: seen for old, seen in self._seen.items() if now - seen <= 2 * FRESH} | {nonce: now}
        return True


class Chsi:
    """`callback_url` None: nobody is called; who looks finds the answers."""

    def __init__(self, register: Register, signer: Signer, callback_url: str | None, clock: Clock) -> None:
        self._register = register
        self.signer = signer
        self.callback_url = callback_url
        self.clock = clock
        self._calls: set[asyncio.Task[None]] = set()
        self.router = APIRouter(prefix=PREFIX)
        self.router.add_api_route("/v1/queries", self._take, methods=["POST"])
        self.router.add_api_route("/v1/queries/{request_id}", self._look, methods=["GET"])

    async def _take(self, request: Request) -> Response:
        body = await request.body()
        if not self.signer.accepts(request, body, self.clock()):
            return self._answer(request, 401, {"code": "not_authentic"})
        said = json.loads(body)
        behaviour = self._register.behaviour(said["claim"].get("certificate_number", ""))
        if behaviour.refuse:
            return self._answer(request, 400, {"code": behaviour.refuse})
        if behaviour.fault == "before_taking":
            return self._answer(request, 500, {"code": "fault"})
        due = self.clock() + timedelta(seconds=behaviour.after_seconds)
        query = Query(said["request_id"], said["claim"], behaviour, due)
        self._register.queries.append(query)
        self._call_out(query)
        await asyncio.sleep(behaviour.slow_seconds)
        if behaviour.fault == "after_taking":
            return self._answer(request, 500, {"code": "fault"})
        return self._answer(request, 202, {"request_id": query.request, "state": "in_hand"})

    async def _look(self, request_id: str, request: Request) -> Response:
        if not self.signer.accepts(request, b"", self.clock()):
            return self._answer(request, 401, {"code": "not_authentic"})
        query = self._register.asked(request_id)
        if query is None:
            return self._answer(request, 404, {"request_id": request_id, "state": "unknown"})
        now = self._register.behaviours.get(query.claim.get("certificate_number", ""), query.behaviour)
        if now.look_fault:
            return self._answer(request, 500, {"code": "fault"})
        if query.behaviour.answer == "never" or self.clock() < query.answered_at:
            return self._answer(request, 200, {"request_id": request_id, "state": "in_hand"})
        answer = query.answer(query.behaviour.answer)
        return self._answer(request, 200, {"request_id": request_id, "state": "answered", "answer": answer})

    def _answer(self, request: Request, status: int, said: Mapping[str, Any]) -> Response:
        body = json.dumps(said, ensure_ascii=False).encode()
        nonce = request.headers.get("x-chsi-nonce", "")
        headers = self.signer.headers("ANSWER", request.url.path, body, self.clock(), nonce)
        return Response(body, status, headers, "application/json")

    def _call_out(self, query: Query) -> None:
        if self.callback_url and query.behaviour.answer != "never":
            self._calls.add(task := asyncio.create_task(self._calling(query, self.callback_url)))
            task.add_done_callback(self._calls.discard)

    async def _calling(self, query: Query, url: str) -> None:
        """Each callback once: who does not hear it has to look."""
        await asyncio.sleep(query.behaviour.after_seconds + 0.1)
        said = [*[query.behaviour.answer] * query.behaviour.callbacks, query.behaviour.then]
        async with httpx.AsyncClient(timeout=10) as client:
            for kind in (each for each in said if each):
                headers, body = self.callback(query.request, query.answer(kind), httpx.URL(url).path)
                try:
                    await client.post(url, content=body, headers={**headers, "Content-Type": "application/json"})
                except httpx.TransportError:
                    continue

    def callback(self, request: str, answer: Mapping[str, Any], path: str) -> tuple[dict[str, str], bytes]:
        """Signed as CHSI signs what it says of itself."""
        body = json.dumps({"request_id": request, "answer": answer}, ensure_ascii=False).encode()
        return self.signer.headers("POST", path, body, self.clock(), secrets.token_hex(16)), body


def control(register: Register, chsi: Chsi) -> APIRouter:
    """FOR TESTS AND DEMONSTRATIONS ONLY. No CHSI has this."""
    router = APIRouter(prefix="/_control/chsi", tags=["test only"])

    @router.get("/queries")
    def queries(certificate_number: str | None = None) -> list[dict[str, Any]]:
        """What was asked, the newest last."""
        found = [q for q in register.queries if certificate_number in (None, q.claim.get("certificate_number"))]
        return [{"request_id": query.request, "claim": query.claim} for query in found]

    @router.put("/behaviours")
    def behave(behaviours: dict[str, Behaviour]) -> dict[str, Behaviour]:
        """Certificate number, or `*` -> how to behave; replaces all."""
        register.behaviours = dict(behaviours)
        return register.behaviours

    @router.post("/callbacks")
    def callback(said: dict[str, Any]) -> dict[str, Any]:
        """Sign whatever a test wants CHSI to say at `path` about `request_id`; it is not sent."""
        headers, body = chsi.callback(said["request_id"], said["answer"], said["path"])
        return {"headers": headers, "body": body.decode()}

    return router
