"""What the whole stack tells about itself: one trace from a browser to a phone, nothing personal in any log or span.

After the other journeys by its name, so that what they wrote is searched as well.
"""

import asyncio
import io
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote
from uuid import uuid4

import asyncpg
import httpx
import pytest
from rich.console import Console

from ops.demo.api import Api
from ops.demo.candidate import PASSWORD, Candidate
from ops.demo.operator import Operator
from ops.demo.script import scripts
from ops.demo.story import CERTIFICATE, told_through
from ops.demo.walk import Walk
from ops.stack.stack import Stack
from shared import events
from shared.runtime.database import DATABASE, with_database
from soak.secrecy import codes, leaks, personal, written
from tests.journeys.collector import Collector, Told

pytestmark = pytest.mark.journey
_PATIENCE = 60.0
T = TypeVar("T")
BROWSER = "00f067aa0ba902b7"
NOTE = "样例申请人写下的一句备注，日志里不应出现"
NEVER_TRUE = "alter table identity.events add constraint nothing_more check (false) not valid"
UNCHECKED = "alter table identity.events drop constraint nothing_more"
FOUND = "alter table identity.mislaid rename to captchas"


def until(ask: Callable[[], T | None], what: str) -> T:
    end = time.monotonic() + _PATIENCE
    while (found := ask()) is None:
        assert time.monotonic() < end, what
        time.sleep(0.1)
    return found


class Traced:
    """A visitor asks for an SMS code, from a browser that traces itself as OpenTelemetry does."""

    def __init__(self, stack: Stack, collector: Collector) -> None:
        self.trace = uuid4().hex
        self.collector = collector
        self.mobile = Candidate(number=7001).mobile
        operator = Operator(stack)
        identity = stack.base_url("identity")
        key = {"Idempotency-Key": str(uuid4())}
        captcha = httpx.post(f"{identity}/v1/captchas", headers=key).json()["captcha"]
        answer = asyncio.run(operator.captcha_answer(captcha))
        asked = httpx.post(
            f"{identity}/v1/registrations",
            headers={"Idempotency-Key": str(uuid4()), "traceparent": f"00-{self.trace}-{BROWSER}-01"},
            json={"mobile": self.mobile, "captcha": captcha, "answer": answer},
        )
        assert asked.status_code == 201, asked.text
        self.sms = operator.sms(self.mobile, containing="验证码")

    @property
    def spans(self) -> list[Told]:
        return self.collector.of(self.trace)

    def span(self, service: str, name: str) -> Told:
        """The first whose name or statement begins so; spans come a moment after what they are about."""

        def found() -> Told | None:
            return next(
                (s for s in self.spans if s.service == service and (s.name + s.statement).startswith(name)), None
            )

        return until(found, f"{service}: {name} in {sorted((s.service, s.name) for s in self.spans)}")

    def ancestors(self, span: Told) -> list[str]:
        """From `span` up to what has no parent here: for an unbroken trace that is the browser."""
        ids = {each.id: each for each in self.spans}
        path = [span.id]
        while path[-1] in ids:
            path.append(ids[path[-1]].parent)
        return path


@pytest.fixture(scope="module")
def traced(stack: Stack, collector: Collector) -> Traced:
    return Traced(stack, collector)


APPEND = "withwith "  # the name that the library gives a statement, and the statement
HOPS = [
    ("identity", "POST /v1/registrations"),  # the request
    ("identity", APPEND),  # what happened is recorded
    ("notification", "react RequestMessage"),  # and followed, over the broker
    ("notification", "send SMS"),  # by a timer, in a task of its own
    ("notification", "POST"),  # the call of the provider
]


@pytest.mark.parametrize(("service", "name"), HOPS, ids=[f"{service} {name}" for service, name in HOPS])
def test_one_trace_runs_from_the_browser_to_the_sms(traced: Traced, service: str, name: str) -> None:
    """Every hop stands in the trace that the browser began, and following parents from it ends at the browser."""
    assert traced.ancestors(traced.span(service, name))[-1] == BROWSER


async def test_both_stores_hold_the_trace_with_every_fact_of_it(traced: Traced, stack: Stack) -> None:
    """Followers append for a whole batch at once, so it is the facts that carry the trace on: to the timer, too."""
    traced.span("notification", "POST")
    admin = await asyncpg.connect(with_database(stack.infra.postgres_admin_url, DATABASE))
    recorded: dict[str, str] = {}
    for service in ("identity", "notification"):
        rows = await admin.fetch(
            f"select type, traceparent from {service}.events where traceparent like '%' || $1 || '%'", traced.trace
        )
        recorded |= {row["type"]: row["traceparent"].split("-")[2] for row in rows}
    await admin.close()
    assert recorded.keys() >= {
        "identity.registration_started.v1",
        "notification.message_requested.v1",
        "notification.sending_attempted.v1",
        "notification.message_accepted.v1",
    }
    spans = {span.id: span for span in traced.spans}
    assert spans[recorded["identity.registration_started.v1"]].name == "POST /v1/registrations"
    assert {spans[span].name for kind, span in recorded.items() if kind.startswith("notification")} == {
        "react RequestMessage"
    }


def test_the_provider_was_called_within_the_sending_and_got_the_trace_id(traced: Traced) -> None:
    call, sending = traced.span("notification", "POST"), traced.span("notification", "send SMS")
    assert call.parent == sending.id
    assert traced.sms["traceparent"].split("-")[1:3] == [traced.trace, call.id]


def test_the_batch_that_carried_it_to_the_broker_points_at_it(traced: Traced) -> None:
    """A batch belongs to many traces, so it has one of its own and links to each."""
    own = {span.id for span in traced.spans} | {traced.span("identity", "POST /v1/registrations").id}
    published = until(
        lambda: next((s for s in traced.collector.linking(own) if s.name == "publish"), None), "no publish span"
    )
    assert (published.service, published.trace != traced.trace) == ("identity", True)


# --- nothing personal


class Mishaps:
    """A made-up candidate registers and begins an application, then everything goes wrong that can."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.story = told_through(Walk(stack, Console(file=io.StringIO()), scripts()[CERTIFICATE]), "register")
        self.who = self.story.candidate
        self.wrong_password = f"wrong-{uuid4()}"
        session = Api(stack.base_url("identity")).post("/v1/sessions", {"login": self.who.mobile, "password": PASSWORD})
        self.token: str = session["access_token"]
        exemption = Api(stack.base_url("exemption"))
        exemption.sign(self.token)
        cycle = self.story.cycle
        self.case = exemption.post("/v1/applications", {"cycle": cycle})["id"]
        exemption.put(f"/v1/applications/{self.case}/draft", {"form": {**self.typed, "remark": NOTE}, "photos": {}})
        self.statuses = [self._asked(*each) for each in self._refused()]

    def _refused(self) -> Iterator[tuple[str, str, str, dict[str, Any]]]:
        who, typed = self.who, self.typed
        wrong = {"login": who.id_number, "password": self.wrong_password}
        staff = {"login": self.story.script.people[0].login, "password": self.wrong_password, "one_time_code": "000000"}
        yield "identity", "POST", "/v1/sessions", {"json": wrong}
        yield "identity", "POST", "/v1/sessions/staff", {"json": staff}
        yield "identity", "POST", "/v1/sessions", {"json": typed}
        yield "identity", "POST", "/v1/sessions", {"content": json.dumps(typed)[:-1]}
        yield "identity", "POST", f"/v1/registrations/{who.mobile}/identity", {"json": typed}
        yield "identity", "GET", "/v1/me", {"headers": {"Authorization": f"Bearer {who.id_number}.{who.mobile}.x"}}
        yield "exemption", "GET", f"/v1/applications/{quote(who.name)}", {"params": typed}
        yield "exemption", "PUT", f"/v1/applications/{self.case}/draft", {"json": {"form": {who.name: NOTE}}}
        yield "exemption", "POST", "/v1/uploads", {"data": typed, "files": {"file": (f"{who.name}.jpg", b"x")}}
        yield "exemption", "POST", "/v1/applications", {"content": who.name * 100_000}
        yield "notification", "POST", f"/v1/messages/{who.mobile}/resend", {"json": typed}
        yield "notification", "PATCH", f"/v1/inbox/{quote(who.name)}", {"json": typed}

    @property
    def typed(self) -> dict[str, str]:
        who = self.who
        return {"mobile": who.mobile, "name": who.name, "id_number": who.id_number}

    def _asked(self, service: str, method: str, path: str, sent: dict[str, Any]) -> int:
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Idempotency-Key": str(uuid4()),
            "User-Agent": quote(self.who.name),
            "X-Forwarded-For": self.who.mobile,
            "Referer": f"http://portal/{self.who.id_number}",
            **sent.pop("headers", {}),
        }
        return httpx.request(
            method, self.stack.base_url(service) + path, headers=headers, timeout=30, **sent
        ).status_code

    async def faults(self) -> list[int]:
        """The database misbehaves in two ways while somebody types something personal."""
        admin = await asyncpg.connect(with_database(self.stack.infra.postgres_admin_url, DATABASE))
        async with _broken(admin, NEVER_TRUE, UNCHECKED):
            body = {"login": self.who.mobile, "password": PASSWORD}
            signing_in = await asyncio.to_thread(self._asked, "identity", "POST", "/v1/sessions", {"json": body})
        async with _broken(admin, "alter table identity.captchas rename to mislaid", FOUND):
            body = {"mobile": self.who.mobile, "captcha": NOTE, "answer": self.who.name}
            registering = await asyncio.to_thread(self._asked, "identity", "POST", "/v1/registrations", {"json": body})
        await admin.close()
        return [signing_in, registering]


@asynccontextmanager
async def _broken(admin: asyncpg.Connection, breaks: str, mends: str) -> AsyncIterator[None]:
    await admin.execute(breaks)
    try:
        yield
    finally:
        await admin.execute(mends)


@pytest.fixture(scope="module")
def mishaps(stack: Stack, traced: Traced) -> Mishaps:
    return Mishaps(stack)


def test_everything_wrong_is_refused(mishaps: Mishaps) -> None:
    assert all(400 <= status < 500 for status in mishaps.statuses), mishaps.statuses


async def test_a_fault_of_ours_is_answered_as_one(mishaps: Mishaps) -> None:
    assert await mishaps.faults() == [500, 500]


def test_no_log_of_any_process_and_no_span_holds_anything_of_anybody(
    stack: Stack, collector: Collector, mishaps: Mishaps
) -> None:
    told = written(stack)
    assert {Path(name).name for name in told} >= {
        f"{each}.log" for each in (*events.SERVICES, "sandbox", "postgres", "rabbitmq")
    }
    assert "nothing_more" in told[str(stack.place.logs / "postgres.log")], "the fault was logged"
    assert '"status": 500' in told[str(stack.place.logs / "identity.log")]
    assert {mishaps.who.name, mishaps.who.mobile, mishaps.who.id_number} <= personal(stack)
    assert leaks(stack, NOTE, mishaps.wrong_password, mishaps.token, besides=collector.written()) == []


def test_what_leaks_would_be_found(stack: Stack, collector: Collector, mishaps: Mishaps) -> None:
    """A name; and a code of six digits, but not where the same digits are a part of something else."""
    code = sorted(codes(stack))[0]
    log = stack.place.logs / "careless.log"
    log.write_text(
        json.dumps({"event": f"welcome {mishaps.who.name}", "code": code, "took": f"0.{code}", "id": f"a{code}"})
    )
    try:
        found = leaks(stack, besides=collector.written())
        assert {name for name, _ in found} == {str(log)}
        assert [what for _, what in found].count(code) == 1
        log.write_text(json.dumps({"took": f"0.{code}", "id": f"a{code}"}))
        assert leaks(stack) == []
    finally:
        log.unlink()
