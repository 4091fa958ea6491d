"""The demonstration's own story on the whole stack as processes, and what must be true of it afterwards."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator

import asyncpg
import httpx
import pypdfium2
import pytest
from rich.console import Console

from ops.audit import deciders
from ops.demo import story
from ops.demo.api import Api
from ops.replay import definition_of
from ops.stack.stack import Stack
from shared import events
from shared.runtime.audit import Audited, verify
from shared.runtime.database import AUDITOR, DATABASE, as_role, with_database
from shared.runtime.keyring import Keyring
from shared.runtime.replay import compare
from shared.runtime.trail import rebuild_trail
from soak.secrecy import codes, leaks, personal
from tests.journeys.collector import Collector

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def told(stack: Stack, output: io.StringIO) -> story.Story:
    return story.run(stack, Console(file=output, width=140, highlight=False))


@pytest.fixture
async def auditor(stack: Stack, told: story.Story) -> AsyncIterator[asyncpg.Connection]:
    server = with_database(stack.infra.postgres_admin_url, DATABASE)
    connection = await asyncpg.connect(as_role(server, AUDITOR, stack.secrets.of_role(AUDITOR)))
    yield connection
    await connection.close()


def test_the_story_ends_with_its_trail_rebuilt_and_no_difference(told: story.Story, output: io.StringIO) -> None:
    last = output.getvalue().strip().splitlines()[-1]
    assert last == "demo: 1 applications carried, 1 trails rebuilt, 0 differences"


async def test_no_chain_head_or_position_has_been_touched(auditor: asyncpg.Connection) -> None:
    for service in events.SERVICES:
        audited = Audited(service)
        assert [finding async for finding in verify(auditor, audited)] == []
        assert audited.events > 0


@pytest.mark.parametrize("service", events.SERVICES)
async def test_the_read_models_of_every_service_equal_their_rebuild(
    stack: Stack, told: story.Story, service: str
) -> None:
    url = as_role(with_database(stack.infra.postgres_admin_url, DATABASE), service, stack.secrets.of_role(service))
    settings = {"search_path": service}
    async with (
        asyncpg.create_pool(url, min_size=1, max_size=2, server_settings=settings) as pool,
        pool.acquire() as connection,
    ):
        keyring = Keyring(pool, base64.b64decode(stack.secrets.kek))
        comparison = await compare(connection, definition_of(service), keyring)
    assert comparison.rows > 0
    assert comparison.differing == 0, [sample for table in comparison.tables for sample in table.samples]


async def test_one_trace_runs_from_the_reviewers_request_to_the_sms(auditor: asyncpg.Connection, stack: Stack) -> None:
    """The identical trace id stands in the return, the message, its attempt, and the log lines of both services."""
    returned = await auditor.fetchrow(
        "select traceparent, event_id from exemption.events where type = 'exemption.application_returned.v1'"
    )
    assert returned is not None
    trace = returned["traceparent"].split("-")[1]
    requested = await auditor.fetchrow(
        "select stream, traceparent from notification.events where causation = $1 and type like '%message_requested%'",
        returned["event_id"],
    )
    assert requested is not None
    assert requested["traceparent"].split("-")[1] == trace
    attempts = await auditor.fetch(
        "select traceparent from notification.events where stream = $1 and version > 1", requested["stream"]
    )
    assert attempts
    assert {row["traceparent"].split("-")[1] for row in attempts} == {trace}
    requests = [line for line in logged(stack, "exemption") if line.get("trace_id") == trace]
    assert any(str(line.get("route")).endswith("/applications/{application}/return") for line in requests)


def logged(stack: Stack, service: str) -> Iterator[dict[str, object]]:
    for line in (stack.place.logs / f"{service}.log").read_text().splitlines():
        yield json.loads(line)


def test_no_log_of_any_process_and_no_span_holds_anything_personal(
    told: story.Story, stack: Stack, collector: Collector
) -> None:
    who = told.candidate
    assert {who.name, who.id_number, who.mobile, who.certificate_number, "末位没有字母"} <= personal(stack)
    assert codes(stack)
    assert len(collector.written()["spans"]) > 1000
    assert leaks(stack, besides=collector.written()) == []


async def test_nothing_personal_stands_in_the_clear_in_any_table(told: story.Story, stack: Stack) -> None:
    candidate = told.candidate
    admin = await asyncpg.connect(with_database(stack.infra.postgres_admin_url, DATABASE))
    try:
        tables = await admin.fetch(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 30
        for schema, table in tables:
            text = await admin.fetchval(f'select string_agg(t::text, chr(10)) from "{schema}"."{table}" as t') or ""
            for value in (candidate.name, candidate.id_number, candidate.mobile, candidate.certificate_number):
                assert value not in text, f"{schema}.{table}"
    finally:
        await admin.close()


async def test_the_trail_says_who_what_why_and_by_which_rule(auditor: asyncpg.Connection, told: story.Story) -> None:
    trail = await rebuild_trail(auditor, told.case, deciders())
    names = [entry.fact.event.name for entry in trail.entries]
    expected = [
        "identity.account_registered.v1",
        "exemption.application_started.v1",
        "exemption.application_submitted.v1",
        "exemption.application_returned.v1",
        "notification.message_delivered.v1",
        "exemption.application_submitted.v1",
        "exemption.stage_passed.v1",
        "exemption.stage_passed.v1",
        "exemption.granted.v1",
        "exemption.record_table_printed.v1",
        "exemption.handed_off.v1",
        "exemption.hand_off_acknowledged.v1",
    ]
    remaining = iter(names)
    assert all(name in remaining for name in expected), names
    reviewers = {e.fact.event.reviewer for e in trail.entries if e.fact.event.name == "exemption.stage_passed.v1"}
    assert len(reviewers) == 2
    rules = {e.fact.event.clause for e in trail.entries if hasattr(e.fact.event, "clause")}
    assert any("SW-25" in rule for rule in rules)


async def test_the_trail_at_a_time_knows_only_what_was_recorded_by_then(
    auditor: asyncpg.Connection, told: story.Story
) -> None:
    whole = await rebuild_trail(auditor, told.case, deciders())
    returned = next(e for e in whole.entries if e.fact.event.name == "exemption.application_returned.v1")
    then = await rebuild_trail(auditor, told.case, deciders(), at=returned.fact.meta.at)
    assert len(then.entries) < len(whole.entries)
    assert then.states["exemption", f"application-{told.case}"].name == "已驳回"
    assert whole.states["exemption", f"application-{told.case}"].name == "已报考试院"


def test_the_record_table_is_a_pdf_with_everything_on_it(told: story.Story, stack: Stack) -> None:
    with pypdfium2.PdfDocument(stack.place.data / f"record-table-{told.case}.pdf") as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    text = "".join(text.split())  # a long number may run over a line
    candidate = told.candidate
    signed = (story.FIRST_REVIEWER.name, story.FINAL_REVIEWER.name)  # identity was asked for them
    for value in (candidate.name, candidate.id_number, candidate.certificate_number, "已复核", *signed):
        assert value in text


def test_a_second_telling_reuses_the_data_of_the_first(stack: Stack, told: story.Story) -> None:
    """Offices, people and the cycle are found again; only the candidate is new."""
    output = io.StringIO()
    again = story.run(stack, Console(file=output, width=140, highlight=False))
    assert again.case != told.case
    assert "demo: 2 applications carried, 2 trails rebuilt, 0 differences" in output.getvalue()
    organisations = Api(stack.base_url("identity")).get("/v1/organisations")["organisations"]
    assert len(organisations) == 3


def test_a_service_that_is_killed_comes_back_and_goes_on_where_it_was(stack: Stack, told: story.Story) -> None:
    stack.processes.kill("exemption")
    stack.restart("exemption")
    output = io.StringIO()
    story.run(stack, Console(file=output, width=140, highlight=False))
    assert "0 differences" in output.getvalue()


@pytest.mark.parametrize("service", events.SERVICES)
def test_metrics_tell_the_work_done_and_nothing_left_waiting(stack: Stack, told: story.Story, service: str) -> None:
    assert httpx.get(f"{stack.base_url(service)}/readyz").status_code == 200
    metrics = httpx.get(f"{stack.base_url(service)}/metrics").text
    done = [line for line in metrics.splitlines() if line.startswith('zikao_commands_total{outcome="done"')]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in done) > 0
    assert "zikao_sequencer_lag_events 0.0" in metrics
    parked = [line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith("zikao_parked_streams{")]
    assert parked == ["0.0"] * 2 * len(events.FOLLOWS.get(service, ()))
