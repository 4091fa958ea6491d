"""The demonstration's own stories on the whole stack as processes, and what must be true of them afterwards."""

import base64
import io
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import httpx
import pypdfium2
import pytest
from docx import Document
from rich.console import Console

from ops.audit import deciders
from ops.demo import story
from ops.demo.api import Api
from ops.demo.walk import Walk
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

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]  # four stories, once and again


@pytest.fixture(scope="module")
def output() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(scope="module")
def walks(stack: Stack, output: io.StringIO) -> dict[str, Walk]:
    return story.run(stack, Console(file=output, width=140, highlight=False))


@pytest.fixture(scope="module")
def told(walks: dict[str, Walk]) -> Walk:
    """1+X: sent back, handed in again, reviewed twice, handed off."""
    return walks[story.CERTIFICATE]


@pytest.fixture
async def auditor(stack: Stack, told: Walk) -> AsyncIterator[asyncpg.Connection]:
    server = with_database(stack.infra.postgres_admin_url, DATABASE)
    connection = await asyncpg.connect(as_role(server, AUDITOR, stack.secrets.of_role(AUDITOR)))
    yield connection
    await connection.close()


def test_four_stories_end_with_their_trails_rebuilt_and_no_difference(
    walks: dict[str, Walk], output: io.StringIO
) -> None:
    lines = output.getvalue().strip().splitlines()
    assert lines[-1] == "demo: 4 applications carried, 4 trails rebuilt, 0 differences"
    assert len({walk.case for walk in walks.values()}) == 4
    for walk in walks.values():
        assert sum(line.startswith("案件") and walk.case in line for line in lines) == 1, walk.script.title


def papers(stack: Stack, walk: Walk) -> dict[str, str]:
    """What the candidate or the office kept of this case, as it reads."""
    return {file.name.removesuffix(f"-{walk.case}{file.suffix}"): read(file) for file in paper_files(stack, walk)}


def paper_files(stack: Stack, walk: Walk) -> list[Path]:
    return sorted(stack.place.data.glob(f"*-{walk.case}.*"))


def read(file: Path) -> str:
    if file.suffix == ".docx":
        cells = (cell.text for table in Document(str(file)).tables for row in table.rows for cell in row.cells)
        return "".join("".join(cells).split())
    with pypdfium2.PdfDocument(file) as document:
        text = "".join(page.get_textpage().get_text_range() for page in document)
    return "".join(text.split())  # a long number may run over a line


def test_each_candidate_keeps_the_papers_that_their_book_has(stack: Stack, walks: dict[str, Walk]) -> None:
    kept = {name: papers(stack, walk) for name, walk in walks.items()}
    assert {name: set(found) for name, found in kept.items()} == {
        "certificate": {"record-table"},
        "sd": {"form-document", "receipt-document"},
        "hb": set(),
        "sx": {"receipt-document"},
    }
    for name, found in kept.items():
        for text in found.values():
            assert walks[name].candidate.name in text
    assert "申报告知单" in kept["sd"]["receipt-document"]
    assert "00019" in kept["sx"]["receipt-document"], "as it was handed in again"


async def test_each_trail_has_what_is_its_procedures_own(auditor: asyncpg.Connection, walks: dict[str, Walk]) -> None:
    own = {
        "sd": ["exemption.application_submitted.v2", "exemption.granted.v1", "notification.message_delivered.v1"],
        "hb": ["identity.prior_education_confirmed.v1", "exemption.application_submitted.v2", "exemption.granted.v1"],
        "sx": [
            "identity.person_verified.v1",
            "exemption.application_submitted.v2",
            "exemption.reapplication_unlocked.v1",
            "exemption.application_submitted.v2",
            "exemption.granted.v1",
        ],
    }
    for name, expected in own.items():
        trail = await rebuild_trail(auditor, walks[name].case, deciders())
        remaining = iter([entry.fact.event.name for entry in trail.entries])
        assert all(each in remaining for each in expected), name


def test_a_result_is_hidden_until_its_query_opens(walks: dict[str, Walk], output: io.StringIO) -> None:
    """SX-E-39: what was decided is still 已提交 to the candidate, and a moment later it is not."""
    lines = [line.strip() for line in output.getvalue().splitlines()]
    seen = [
        line.split("：")[0] for line in lines if line.startswith(("已提交：免考申请已提交", "审核通过：免考审核通过"))
    ]
    assert seen == ["已提交", "审核通过"]


async def test_no_chain_head_or_position_has_been_touched(auditor: asyncpg.Connection) -> None:
    for service in events.SERVICES:
        audited = Audited(service)
        assert [finding async for finding in verify(auditor, audited)] == []
        assert audited.events > 0


@pytest.mark.parametrize("service", events.SERVICES)
async def test_the_read_models_of_every_service_equal_their_rebuild(stack: Stack, told: Walk, service: str) -> None:
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
    told: Walk, stack: Stack, collector: Collector
) -> None:
    who = told.candidate
    assert {who.name, who.id_number, who.mobile, who.certificate_number, "末位没有字母"} <= personal(stack)
    assert codes(stack)
    assert len(collector.written()["spans"]) > 1000
    assert leaks(stack, besides=collector.written()) == []


async def test_nothing_personal_stands_in_the_clear_in_any_table(walks: dict[str, Walk], stack: Stack) -> None:
    values = {value for walk in walks.values() for value in walk.candidate.facts().values()}
    admin = await asyncpg.connect(with_database(stack.infra.postgres_admin_url, DATABASE))
    try:
        tables = await admin.fetch(
            "select schemaname, tablename from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
        )
        assert len(tables) > 30
        for schema, table in tables:
            text = await admin.fetchval(f'select string_agg(t::text, chr(10)) from "{schema}"."{table}" as t') or ""
            for value in values:
                assert value not in text, f"{schema}.{table}"
    finally:
        await admin.close()


async def test_the_trail_says_who_what_why_and_by_which_rule(auditor: asyncpg.Connection, told: Walk) -> None:
    trail = await rebuild_trail(auditor, told.case, deciders())
    names = [entry.fact.event.name for entry in trail.entries]
    expected = [
        "identity.account_registered.v1",
        "exemption.application_started.v1",
        "exemption.application_submitted.v2",
        "exemption.application_returned.v1",
        "notification.message_delivered.v1",
        "exemption.application_submitted.v2",
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
    auditor: asyncpg.Connection, told: Walk
) -> None:
    whole = await rebuild_trail(auditor, told.case, deciders())
    returned = next(e for e in whole.entries if e.fact.event.name == "exemption.application_returned.v1")
    then = await rebuild_trail(auditor, told.case, deciders(), at=returned.fact.meta.at)
    assert len(then.entries) < len(whole.entries)
    assert then.states["exemption", f"application-{told.case}"].name == "已驳回"
    assert whole.states["exemption", f"application-{told.case}"].name == "已报考试院"


def test_the_record_table_is_a_pdf_with_everything_on_it(told: Walk, stack: Stack) -> None:
    text = papers(stack, told)["record-table"]
    candidate = told.candidate
    signed = [each.name for each in told.script.people[:2]]  # identity was asked for them
    for value in (candidate.name, candidate.id_number, candidate.certificate_number, "已复核", *signed):
        assert value in text


def test_a_second_telling_on_a_service_that_was_killed_goes_on_with_the_data_of_the_first(
    stack: Stack, walks: dict[str, Walk]
) -> None:
    """Offices, people and cycles are found again, but for the cycle whose windows are over; candidates are new."""
    stack.processes.kill("exemption")
    stack.restart("exemption")
    output = io.StringIO()
    again = story.run(stack, Console(file=output, width=140, highlight=False))
    assert "demo: 8 applications carried, 8 trails rebuilt, 0 differences" in output.getvalue()
    assert not {walk.case for walk in again.values()} & {walk.case for walk in walks.values()}
    assert {name for name, walk in again.items() if walk.cycle == walks[name].cycle} == {"certificate", "sd", "hb"}
    organisations = Api(stack.base_url("identity")).get("/v1/organisations")["organisations"]
    assert len(organisations) == sum(len(walk.script.organisations) for walk in walks.values())


@pytest.mark.parametrize("service", events.SERVICES)
def test_metrics_tell_the_work_done_and_nothing_left_waiting(stack: Stack, told: Walk, service: str) -> None:
    assert httpx.get(f"{stack.base_url(service)}/readyz").status_code == 200
    metrics = httpx.get(f"{stack.base_url(service)}/metrics").text
    done = [line for line in metrics.splitlines() if line.startswith('zikao_commands_total{outcome="done"')]
    assert sum(float(line.rsplit(" ", 1)[1]) for line in done) > 0
    assert "zikao_sequencer_lag_events 0.0" in metrics
    parked = [line.rsplit(" ", 1)[1] for line in metrics.splitlines() if line.startswith("zikao_parked_streams{")]
    assert parked == ["0.0"] * 2 * len(events.FOLLOWS.get(service, ()))
