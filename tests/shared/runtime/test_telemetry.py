"""Logs and traces hold no personal data, and traces run unbroken from a request through an event to its effect."""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import pytest
import pytest_asyncio
import structlog
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags, set_span_in_context

from shared.kernel.values import id_check_digit
from shared.runtime import telemetry
from shared.runtime.privacy import REDACTED, names_a_person, redacted, scrubbed
from tests.shared.runtime.web import Logged, logged, serving, signed_in

__all__ = ["logged"]

MOBILES = st.from_regex(r"\A1[3-9][0-9]{9}\Z")
ID_NUMBERS = st.from_regex(r"\A[1-8][0-9]{16}\Z").map(lambda first: first + id_check_digit(first))
AROUND = st.text(st.characters(codec="utf-8", exclude_categories=["Nd"]), max_size=12)


# Logs


@given(AROUND, MOBILES | ID_NUMBERS | ID_NUMBERS.map(str.lower), AROUND)
def test_a_number_of_a_person_is_taken_out_of_any_text(before: str, number: str, after: str) -> None:
    told = scrubbed(f"{before}{number}{after}")
    assert number not in told
    assert REDACTED in told


@given(MOBILES)
def test_a_number_is_found_as_a_number_with_spaces_and_in_wide_digits(mobile: str) -> None:
    assert scrubbed(int(mobile)) == REDACTED
    assert REDACTED in scrubbed(f"call +86 {mobile[:3]} {mobile[3:7]}-{mobile[7:]} now")
    assert REDACTED in scrubbed(mobile.translate({ord(str(d)): chr(ord("０") + d) for d in range(10)}))


JSON = st.recursive(
    st.none() | st.booleans() | MOBILES | ID_NUMBERS | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5) | MOBILES, inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["facts", "who", "items"]), JSON), MOBILES | ID_NUMBERS)
def test_nothing_nested_escapes(fields: dict[str, Any], number: str) -> None:
    told = str(redacted({**fields, "deep": [{"deeper": (number, {number: {number}})}]}))
    assert number not in told


@given(st.uuids(), st.binary(min_size=32, max_size=32))
def test_ids_and_digests_are_kept_even_if_they_are_all_digits(case: object, digest: bytes) -> None:
    for kept in (f"application-{case}", digest.hex(), f"00-{digest.hex()[:32]}-{digest.hex()[:16]}-01", "1" * 32):
        assert scrubbed(kept) == kept


PERSONAL_KEYS = ["mobile", "old_mobile", "mobileNumber", "id_number", "idNumber", "ID_NUMBER", "name", "full_name"]


@pytest.mark.parametrize(
    "key",
    [*PERSONAL_KEYS, "query", "body", "password", "access_token", "service_secret", "person_name", "sms_code", "note"],
)
def test_a_field_named_like_something_personal_loses_its_value(key: str) -> None:
    assert redacted({key: "王小明"}) == {key: REDACTED}


@pytest.mark.parametrize("key", ["hostname", "code", "route", "stream", "event", "trace_id", "provider", "queue"])
def test_ordinary_fields_keep_theirs(key: str) -> None:
    assert not names_a_person(key)


def test_a_password_in_a_url_is_taken_out() -> None:
    assert scrubbed("amqp://zikao:hunter2@host/vhost") == "amqp://[redacted]@host/vhost"


def test_a_log_line_is_json_with_time_level_service_and_event(logged: Logged) -> None:
    structlog.get_logger("here").info("thing.done", stream="thing-1", phone="13812345678", count=3)
    (line,) = logged()
    assert line.pop("time").endswith("Z")
    assert line == {
        "level": "info",
        "logger": "here",
        "service": "toy",
        "event": "thing.done",
        "stream": "thing-1",
        "phone": REDACTED,
        "count": 3,
    }


def test_an_exception_is_told_by_types_and_places_never_by_its_message(logged: Logged) -> None:
    def fails() -> None:
        try:
            raise KeyError("王小明")
        except KeyError as error:
            raise ValueError("张三 could not be saved") from error

    try:
        fails()
    except ValueError:
        structlog.get_logger("here").exception("thing.failed")
    (line,) = logged()
    assert [each["type"] for each in line["raised"]] == ["builtins.ValueError", "builtins.KeyError"]
    assert any("fails" in place for place in line["raised"][0]["at"])
    assert "王小明" not in str(line)
    assert "张三" not in str(line)


def test_what_a_library_logs_goes_the_same_way_and_only_its_first_line(logged: Logged) -> None:
    async def lost() -> None:
        async def fails() -> None:
            raise ValueError("王小明 13812345678")

        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        del task

    asyncio.run(lost())
    logging.getLogger("somewhere").error("cannot reach amqp://zikao:hunter2@host for 13812345678")
    first, second = logged()
    assert first["event"] == "Task exception was never retrieved"
    assert first["raised"][0]["type"] == "builtins.ValueError"
    assert second["event"] == "cannot reach amqp://[redacted]@host for [redacted]"
    assert "王小明" not in str(first)


async def test_a_request_is_logged_by_route_and_status_without_address_or_query(logged: Logged) -> None:
    async with serving() as web:
        await web.get("/v1/me?mobile=13812345678&name=王小明", headers=signed_in())
        await web.get("/v1/nowhere/王小明")
        await web.get("/v1/inner/王小明")
        numbers = (await web.get("/metrics")).text
    told = [line for line in logged() if line["event"] == "request.answered"]
    answered = [("/v1/me", 200), ("none", 404), ("/v1/inner/{thing}", 200)]
    assert [(line["route"], line["status"]) for line in told] == answered
    assert 'route="/v1/inner/{thing}"' in numbers
    assert told[0]["actor"] == "person-1"
    assert "actor" not in told[1]
    assert "王小明" not in str(logged())
    assert "1381234" not in str(logged())


# Traces


def test_without_a_collector_a_span_is_only_its_ids_also_where_a_stranger_asks_for_more() -> None:
    sampler = telemetry.Collected()
    tracer = TracerProvider(sampler=sampler).get_tracer("toy")
    asked = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))
    outside = set_span_in_context(NonRecordingSpan(asked))
    first, second = tracer.start_span("alone"), tracer.start_span("asked for", outside)
    assert not first.is_recording()
    assert not second.is_recording()
    assert first.get_span_context().is_valid
    assert second.get_span_context().trace_id == 1
    sampler.collecting = True
    assert tracer.start_span("alone").is_recording()
    assert tracer.start_span("asked for", outside).is_recording()


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    telemetry.start("toy", exporter=exporter)
    yield exporter
    exporter.shutdown()
    AsyncPGInstrumentor().uninstrument()  # type: ignore[no-untyped-call] # later tests need no spans of their SQL


@pytest.fixture
def spans(exporter: InMemorySpanExporter) -> Iterator[InMemorySpanExporter]:
    exporter.clear()
    yield exporter
    exporter.clear()


@pytest_asyncio.fixture
async def web(spans: InMemorySpanExporter, logged: Logged) -> AsyncIterator[httpx.AsyncClient]:
    async with serving() as client:
        yield client


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    (span,) = [each for each in spans.get_finished_spans() if each.name == name]
    return span


def ids(span: ReadableSpan) -> tuple[int, int]:
    assert span.context is not None
    return span.context.trace_id, span.context.span_id


async def test_a_trace_runs_unbroken_from_the_request_through_the_event_to_its_effect(
    web: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    outside = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {**signed_in(), "Idempotency-Key": "key-12345678", "traceparent": outside}
    recorded = (await web.post("/v1/things/1", json={"name": "a"}, headers=headers)).json()["traceparent"]
    with telemetry.span_from(recorded, "notification.react", kind=SpanKind.CONSUMER):
        caused = telemetry.current_traceparent()
    request, effect = named(spans, "POST /v1/things/{thing}"), named(spans, "notification.react")
    assert f"{ids(request)[0]:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert ids(effect)[0] == ids(request)[0]
    assert effect.parent is not None
    assert effect.parent.span_id == ids(request)[1]
    assert caused is not None
    assert caused.split("-")[1] == "0af7651916cd43dd8448eb211c80319c"


def test_a_batch_gets_one_span_of_its_own_with_a_link_to_each_event(spans: InMemorySpanExporter) -> None:
    parents = [f"00-{n:032x}-{n:016x}-01" for n in (1, 2, 2)]
    with telemetry.span_from(parents[0], "outer"), telemetry.span_from(None, "publish", links=[*parents, None, "junk"]):
        pass
    batch = named(spans, "publish")
    assert batch.parent is None
    assert [link.context.trace_id for link in batch.links] == [1, 2]


@pytest.mark.parametrize("traceparent", [None, "", "junk", "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_without_a_usable_parent_a_new_trace_begins(spans: InMemorySpanExporter, traceparent: str | None) -> None:
    with telemetry.span_from(traceparent, "alone"):
        assert telemetry.current_traceparent() is not None
    assert named(spans, "alone").parent is None
    assert telemetry.current_traceparent() is None


def test_a_failing_span_tells_the_type_only(spans: InMemorySpanExporter) -> None:
    with pytest.raises(ValueError, match="王小明"), telemetry.span_from(None, "fails"):
        raise ValueError("王小明")
    span = named(spans, "fails")
    assert span.status.status_code is StatusCode.ERROR
    assert dict(span.attributes or {}) == {"error.type": "ValueError"}
    assert not span.events


async def test_a_traced_request_shows_no_query_address_or_message(
    web: httpx.AsyncClient, spans: InMemorySpanExporter
) -> None:
    await web.get("/v1/me?mobile=13812345678&name=secretly", headers={"User-Agent": "phone-of-wang"})
    await web.get("/v1/nowhere/13812345678")
    await web.get("/v1/inner/王小明")
    await web.post("/v1/break", json={"name": "王小明", "mobile": "13812345678"})
    told = everything(spans.get_finished_spans())
    assert "/v1/inner/{thing}" in told
    assert "nowhere" not in told
    for untold in ("1381234", "secretly", "phone-of-wang", "王小明"):
        assert untold not in told


async def test_an_outgoing_request_carries_the_trace_and_its_span_has_no_query(spans: InMemorySpanExporter) -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        telemetry.trace_client(client)
        with telemetry.span_from(None, "outer") as outer:
            await client.get("http://gateway/send?PhoneNumbers=13812345678&TemplateParam=secretly")
    assert f"{outer.get_span_context().trace_id:032x}" in seen[0].headers["traceparent"]
    told = everything(spans.get_finished_spans())
    assert "http://gateway/send" in told
    assert "1381234" not in told
    assert "secretly" not in told


def test_a_recorded_exception_loses_message_and_stack_on_its_way_out(spans: InMemorySpanExporter) -> None:
    with telemetry.span_from(None, "library") as span:
        span.record_exception(ValueError("王小明"))
        span.set_attribute("note", "13812345678")
        span.set_status(StatusCode.ERROR, "王小明")
    told = everything(spans.get_finished_spans())
    assert "ValueError" in told
    assert "王小明" not in told
    assert "1381234" not in told


def everything(spans: Sequence[ReadableSpan]) -> str:
    """Everything the exporter got to see."""
    return "\n".join(span.to_json() for span in spans).encode().decode("unicode_escape")
