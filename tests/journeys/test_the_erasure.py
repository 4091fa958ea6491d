"""A candidate is erased while their case is under way: on the whole stack, everything about them reads as erased.

After the other journey by its name, since that one counts the cases there are.
"""

import asyncio
import base64
import io
import json
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
import pytest
from rich.console import Console

from ops.audit import deciders
from ops.demo.api import Api
from ops.demo.candidate import PASSWORD
from ops.demo.office import ADMINISTRATOR, Office
from ops.demo.script import scripts
from ops.demo.story import CERTIFICATE, told_through
from ops.demo.walk import Walk
from ops.replay import definition_of
from ops.stack.stack import Stack
from shared import events
from shared.kernel.errors import Refused
from shared.kernel.messages import erased_value, personal_fields
from shared.runtime.audit import Audited, verify
from shared.runtime.blobs import Blobs
from shared.runtime.database import AUDITOR, DATABASE, as_role, with_database
from shared.runtime.event_store import decoded
from shared.runtime.keyring import Keyring
from shared.runtime.records import SELECT, Record
from shared.runtime.replay import compare
from shared.runtime.trail import rebuild_trail
from soak.secrecy import leaks
from tests.journeys.collector import Collector

pytestmark = pytest.mark.journey
_PATIENCE = 90.0


class Erasure:
    """A made-up candidate whose case was sent back, who then tried everything wrong, and was erased."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.story = told_through(Walk(stack, Console(file=io.StringIO()), scripts()[CERTIFICATE]), "sms")
        self.candidate = self.story.candidate
        self.tokens = self._signed_in()
        self.person = str(self.tokens["person"])
        self.note = f"备注{self.candidate.mobile}"
        self.faults = list(self._everything_wrong())
        administrator = Api(stack.base_url("identity"))
        administrator.sign(Office(stack).token(ADMINISTRATOR))
        administrator.post(f"/v1/people/{self.person}/erasure", {"ground": "asked_by_person"})

    def _signed_in(self) -> dict[str, Any]:
        body = {"login": self.candidate.mobile, "password": PASSWORD}
        tokens: dict[str, Any] = Api(self.stack.base_url("identity")).post("/v1/sessions", body)
        return tokens

    def _everything_wrong(self) -> list[int]:
        """Requests that fail in every way there is, each with something personal in it."""
        who, statuses = self.candidate, []
        typed = {"mobile": who.mobile, "name": who.name, "id_number": who.id_number, "note": self.note}
        tries: list[tuple[str, str, str, Mapping[str, Any]]] = [
            ("identity", "POST", "/v1/sessions", {"json": {"login": who.id_number, "password": f"x{who.mobile}"}}),
            ("identity", "POST", "/v1/sessions", {"json": typed}),
            ("identity", "POST", "/v1/sessions", {"content": json.dumps(typed)[:-1]}),
            ("identity", "POST", "/v1/registrations", {"json": {**typed, "captcha": who.name, "answer": who.mobile}}),
            ("identity", "POST", "/v1/password-resets/complete", {"json": {"mobile": who.mobile, "code": who.name}}),
            ("identity", "GET", f"/v1/people/{who.id_number}", {"params": typed}),
            ("identity", "PUT", f"/v1/people/{who.id_number}/mobile", {"json": typed}),
            ("exemption", "POST", "/v1/uploads", {"data": typed, "files": {"file": (f"{who.name}.jpg", b"x")}}),
            (
                "exemption",
                "PUT",
                f"/v1/applications/{self.story.case}/draft",
                {"json": {"form": {who.name: self.note}}},
            ),
            ("exemption", "GET", f"/v1/applications/{who.mobile}", {"params": typed}),
            ("exemption", "POST", "/v1/applications", {"content": who.name * 100_000}),
            ("notification", "POST", f"/v1/messages/{who.mobile}/resend", {"json": typed}),
            ("notification", "GET", "/v1/inbox", {"params": {"after": who.id_number}}),
            ("notification", "DELETE", f"/v1/inbox/{who.name}", {}),
        ]
        for service, method, path, sent in tries:
            headers = {
                "Authorization": f"Bearer {self.tokens['access_token']}",
                "Idempotency-Key": str(uuid4()),
                "User-Agent": who.name.encode().hex(),
                "X-Forwarded-For": who.mobile,
            }
            answer = httpx.request(method, self.stack.base_url(service) + path, headers=headers, timeout=30, **sent)
            assert answer.headers["content-type"] == "application/problem+json", (path, answer.text)
            statuses.append(answer.status_code)
        return statuses

    @property
    def personal(self) -> list[str]:
        who = self.candidate
        return [who.name, who.id_number, who.mobile, who.certificate_number, "末位没有字母"]

    def url(self, role: str) -> str:
        server = with_database(self.stack.infra.postgres_admin_url, DATABASE)
        return as_role(server, role, self.stack.secrets.of_role(role))

    @asynccontextmanager
    async def at(self, service: str) -> AsyncIterator[tuple[asyncpg.Pool, Keyring]]:
        """A service's own database, with a keyring that remembers nothing."""
        async with asyncpg.create_pool(
            self.url(service), min_size=1, max_size=2, server_settings={"search_path": service}
        ) as pool:
            yield pool, Keyring(pool, base64.b64decode(self.stack.secrets.kek))


@pytest.fixture(scope="module")
def erasure(stack: Stack) -> Erasure:
    return Erasure(stack)


@pytest.fixture(scope="module")
async def done(erasure: Erasure) -> Erasure:
    """When the key is destroyed and exemption has heard of it."""
    until = time.monotonic() + _PATIENCE
    last = {
        "identity": ("identity.key_destroyed.v1", f"account-{erasure.person}"),
        "exemption": ("exemption.person_forgotten.v1", f"person-{erasure.person}"),
    }
    for service, fact in last.items():
        async with erasure.at(service) as (pool, _):
            query = "select exists (select from events where type = $1 and stream = $2)"
            while not await pool.fetchval(query, *fact):
                assert time.monotonic() < until, service
                await asyncio.sleep(0.2)
    return erasure


def test_what_was_wrong_was_refused_and_nothing_was_a_fault(erasure: Erasure) -> None:
    assert all(400 <= status < 500 for status in erasure.faults)


@pytest.mark.parametrize("service", events.SERVICES)
async def test_every_personal_value_in_every_event_reads_as_erased(done: Erasure, service: str) -> None:
    async with done.at(service) as (pool, keyring):
        rows = await pool.fetch(f"select {SELECT} from events where person = $1", done.person)
        facts = await decoded(service, [Record(*row) for row in rows], keyring)
    sealed = [(fact, field, kind) for fact in facts for field, kind in personal_fields(type(fact.event)).items()]
    assert sealed
    for fact, field, kind in sealed:
        assert getattr(fact.event, field) == erased_value(kind), (fact.stream, field)


@pytest.mark.parametrize("service", events.SERVICES)
async def test_the_chains_verify_and_the_read_models_equal_their_rebuild(done: Erasure, service: str) -> None:
    auditor = await asyncpg.connect(done.url(AUDITOR))
    try:
        assert [finding async for finding in verify(auditor, Audited(service))] == []
    finally:
        await auditor.close()
    async with done.at(service) as (pool, keyring), pool.acquire() as connection:
        comparison = await compare(connection, definition_of(service), keyring)
    assert comparison.rows > 0
    assert comparison.differing == 0, [sample for table in comparison.tables for sample in table.samples]


async def test_no_photograph_can_be_read(done: Erasure) -> None:
    async with done.at("exemption") as (pool, keyring):
        rows = await pool.fetch("select picture, original from uploads where owner = $1", done.person)
        folder = done.stack.programs["exemption"].environment["ZIKAO_BLOBS"]
        blobs = Blobs(f"{folder}/exemption", keyring)
        assert len(rows) == 3
        for blob in (blob for row in rows for blob in row):
            with pytest.raises(Refused, match=r"access\.person_erased"):
                await blobs.get(done.person, blob)


async def test_the_story_of_the_case_can_still_be_told_without_the_person(done: Erasure) -> None:
    auditor = await asyncpg.connect(done.url(AUDITOR))
    try:
        trail = await rebuild_trail(auditor, done.story.case, deciders())
    finally:
        await auditor.close()
    told = str(trail)
    assert "ApplicationReturned" in told
    assert [value for value in done.personal if value in told] == []


def test_nobody_signs_in_any_more_and_a_token_that_still_lasts_opens_nothing(done: Erasure) -> None:
    identity = done.stack.base_url("identity")
    headers = {"Authorization": f"Bearer {done.tokens['access_token']}", "Idempotency-Key": str(uuid4())}
    answers = [
        httpx.post(f"{identity}/v1/sessions", headers=headers, json={"login": login, "password": PASSWORD})
        for login in (done.candidate.mobile, done.candidate.id_number)
    ]
    refreshed = {"refresh_token": done.tokens["refresh_token"]}
    answers.append(httpx.post(f"{identity}/v1/sessions/refresh", headers=headers, json=refreshed))
    assert {answer.status_code for answer in answers} == {401}
    assert httpx.get(f"{identity}/v1/me", headers=headers).status_code == 404


def test_no_log_and_no_span_holds_anything_personal_whatever_went_wrong(done: Erasure, collector: Collector) -> None:
    assert len(collector.written()["spans"]) > 1000
    assert leaks(done.stack, *done.personal, done.note, besides=collector.written()) == []
