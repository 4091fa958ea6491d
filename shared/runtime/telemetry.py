"""What a running service tells about itself: JSON logs, traces, metrics. None of it holds personal data.

`start` is called once per process by `app.run`. Events keep the traceparent they were recorded under, so the sequencer
and the consumer continue a trace with `span_from`, and it runs unbroken from a request to another service's effect.
"""

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from traceback import walk_tb
from types import TracebackType
from typing import Any, TextIO
from uuid import UUID

import httpx
import structlog
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.instrumentation.asyncpg import AsyncPGInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import Attributes, AttributeValue
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from shared.runtime.privacy import redacted, scrubbed

correlation: ContextVar[UUID | None] = ContextVar("correlation", default=None)
"""One id for everything that follows from one request; answered as X-Request-Id."""

_ASYNCPG = AsyncPGInstrumentor(capture_parameters=False)  # type: ignore[no-untyped-call]
_W3C = TraceContextTextMapPropagator()
_TRACER = trace.get_tracer("zikao")
"""Asked for once: that takes longer than a span. It finds the provider of `start` by itself."""
_UNTOLD = frozenset(
    {"exception.message", "exception.stacktrace", "url.query", "client.address", "user_agent.original"}
    | {"http.client_ip", "http.user_agent", "net.peer.ip", "db.statement.parameters"}
)
_URLS = frozenset({"http.url", "url.full", "http.target", "url.path"})
"""Of calls that we make. What others ask for may hold anything they typed: of that only the route is told."""


# Logs


def log_as_json(service: str, level: int = logging.INFO, stream: TextIO = sys.stdout) -> None:
    """One JSON object a line, for our own logs and for those of libraries."""

    def named(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        named,
        _traced,
        _told_exception,
        _redacting,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(ensure_ascii=False, default=str),
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level, force=True)
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs whole URLs


def _traced(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    if (context := trace.get_current_span().get_span_context()).is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
    if (current := correlation.get()) is not None:
        event["correlation"] = str(current)
    return event


def _told_exception(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """An exception as its types and places. Its message may quote what a person typed, so it is left out."""
    info = event.pop("exc_info", None)
    if info is True:
        info = sys.exc_info()
    error = info[1] if isinstance(info, tuple) else info
    if isinstance(error, BaseException):
        event["raised"] = [_raised(each) for each in _chain(error)]
    return event


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The exception and what led to it, outermost first, and the members of a group."""
    seen: set[int] = set()
    waiting = [error]
    while waiting and len(seen) < 20:
        each = waiting.pop(0)
        if id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        if isinstance(each, BaseExceptionGroup):
            waiting.extend(each.exceptions)
        if (before := each.__cause__ or (None if each.__suppress_context__ else each.__context__)) is not None:
            waiting.append(before)


def _raised(error: BaseException) -> dict[str, Any]:
    told: dict[str, Any] = {"type": f"{type(error).__module__}.{type(error).__qualname__}", "at": _places(error)}
    # What PostgreSQL says about itself helps and is never personal; its DETAIL can quote a row.
    for fact in ("sqlstate", "constraint_name", "table_name", "column_name"):
        if value := getattr(error, fact, None):
            told[fact.replace("_name", "")] = str(value)
    return told


def _places(error: BaseException) -> list[str]:
    traceback: TracebackType | None = error.__traceback__
    frames = [(frame.f_code, line) for frame, line in walk_tb(traceback)][-25:]
    return [f"{code.co_filename}:{line} {code.co_qualname}" for code, line in frames]


def _redacting(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> Mapping[str, Any]:
    meta = {key: event.pop(key) for key in ("_record", "_from_structlog") if key in event}
    if meta.get("_from_structlog") is False:
        # A library's message: its further lines quote objects (asyncio does so with exceptions).
        event["event"] = str(event["event"]).partition("\n")[0]
    return {**redacted(event), **meta}


# Traces


class Collected(Sampler):
    """Spans are recorded only where somebody collects them. Without a collector each still has its ids, which go into
    the log and the events and on to other services; what it would tell, told to nobody, cost a tenth of a request."""

    collecting = False
    _wished = ParentBased(ALWAYS_ON)

    def should_sample(self, *asked: Any, **named: Any) -> SamplingResult:
        return (self._wished if self.collecting else ALWAYS_OFF).should_sample(*asked, **named)

    def get_description(self) -> str:
        return "where somebody collects"


_COLLECTED = Collected()


class Scrubbed(SpanExporter):
    """Passes spans on without messages of exceptions, query strings, addresses and anything that looks personal."""

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return self._exporter.export([_told_span(span) for span in spans])

    def shutdown(self) -> None:
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._exporter.force_flush(timeout_millis)


def _told_span(span: ReadableSpan) -> ReadableSpan:
    return ReadableSpan(
        name=str(scrubbed(span.name)),
        context=span.context,
        parent=span.parent,
        resource=span.resource,
        attributes=_told_attributes(
            span.attributes, untold=_UNTOLD | _URLS if span.kind is SpanKind.SERVER else _UNTOLD
        ),
        events=[Event(event.name, _told_attributes(event.attributes), event.timestamp) for event in span.events],
        links=span.links,
        kind=span.kind,
        status=Status(span.status.status_code),
        start_time=span.start_time,
        end_time=span.end_time,
        instrumentation_scope=span.instrumentation_scope,
    )


def _told_attributes(attributes: Attributes, untold: frozenset[str] = _UNTOLD) -> dict[str, AttributeValue]:
    return {
        name: scrubbed(str(value).partition("?")[0] if name in _URLS else value)
        for name, value in (attributes or {}).items()
        if name not in untold
    }


def start(service: str, otlp_endpoint: str | None = None, exporter: SpanExporter | None = None) -> trace.TracerProvider:
    """Begin tracing, once per process. Without a collector spans are only ids, since events carry those."""
    propagate.set_global_textmap(_W3C)  # and not baggage, which outsiders could fill
    current = trace.get_tracer_provider()
    if isinstance(current, TracerProvider):
        provider = current
    else:
        provider = TracerProvider(resource=Resource.create({"service.name": service}), sampler=_COLLECTED)
        trace.set_tracer_provider(provider)
    if exporter is not None:
        provider.add_span_processor(SimpleSpanProcessor(Scrubbed(exporter)))
    elif otlp_endpoint is not None:
        # Imported here: it brings protobuf and requests, which a process without a collector need not load.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider.add_span_processor(BatchSpanProcessor(Scrubbed(OTLPSpanExporter(otlp_endpoint))))
    if exporter or otlp_endpoint:
        _COLLECTED.collecting = True
        if not _ASYNCPG.is_instrumented_by_opentelemetry:
            _ASYNCPG.instrument(tracer_provider=provider)
    return provider


def trace_client(client: httpx.AsyncClient) -> None:
    """Outgoing requests become spans and carry the traceparent."""
    HTTPXClientInstrumentor.instrument_client(client)


def current_traceparent() -> str | None:
    carrier: dict[str, str] = {}
    _W3C.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span_from(
    traceparent: str | None,
    name: str,
    *,
    links: Iterable[str | None] = (),
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Iterator[Span]:
    """A span that continues the trace of `traceparent` (a new trace without one); a batch links to each event's."""
    told = links if _COLLECTED.collecting else ()
    linked = {parent: _span_context(parent) for parent in told if parent is not None}
    with _TRACER.start_as_current_span(
        name,
        context=_W3C.extract({"traceparent": traceparent} if traceparent else {}, context=Context()),
        kind=kind,
        attributes=attributes,
        links=[Link(context) for context in linked.values() if context.is_valid],
        record_exception=False,
        set_status_on_exception=False,
    ) as span:
        try:
            yield span
        except Exception as error:
            span.set_attribute("error.type", type(error).__qualname__)
            span.set_status(StatusCode.ERROR)
            raise


def _span_context(traceparent: str) -> trace.SpanContext:
    extracted = _W3C.extract({"traceparent": traceparent}, context=Context())
    return trace.get_current_span(extracted).get_span_context()


# Metrics


class Metrics:
    """One service's numbers, with a registry of its own so that one process can hold several services in tests."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self.commands = Counter(
            "zikao_commands", "Commands carried out, by type and outcome.", ["type", "outcome"], registry=registry
        )
        self.refusals = Counter("zikao_refusals", "Refusals answered, by code.", ["code"], registry=registry)
        self.requests = Histogram(
            "zikao_request_seconds",
            "HTTP requests, by route and status.",
            ["method", "route", "status"],
            registry=registry,
        )
        self.append_seconds = Histogram(
            "zikao_append_seconds",
            "One transaction of the event store.",
            registry=registry,
            buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
        )
        self.sequencer_lag = Gauge(
            "zikao_sequencer_lag_events", "Committed events that wait for a position.", registry=registry
        )
        self.publisher_lag = Gauge(
            "zikao_publisher_lag_events", "Positioned events that wait to be published.", registry=registry
        )
        self.sequencer_lag_seconds = Gauge(
            "zikao_sequencer_lag_seconds", "Age of the oldest event that waits for a position.", registry=registry
        )
        self.publisher_lag_seconds = Gauge(
            "zikao_publisher_lag_seconds", "Age of the oldest event that waits to be published.", registry=registry
        )
        self.consumer_lag = Gauge(
            "zikao_consumer_lag_events", "Events of a source not yet handled.", ["source"], registry=registry
        )
        self.consumer_lag_seconds = Gauge(
            "zikao_consumer_lag_seconds",
            "Age of the oldest event of a source not yet handled; 0 when level.",
            ["source"],
            registry=registry,
        )
        self.parked_streams = Gauge(
            "zikao_parked_streams",
            "Streams of a source that wait: poison for a person, not_yet for another fact.",
            ["source", "kind"],
            registry=registry,
        )
        self.parked_oldest = Gauge(
            "zikao_parked_oldest_seconds", "How long the first of them waits.", ["source", "kind"], registry=registry
        )
        self.ready = Gauge("zikao_ready", "Whether this replica can serve: 1, or 0.", registry=registry)
        self.outside_calls = Counter(
            "zikao_outside_calls", "Calls to outside systems.", ["provider", "outcome"], registry=registry
        )

    def tell(self, health: Mapping[str, Any]) -> None:
        """Set the gauges to what `Node.health` says; what it cannot say while it fails stays as it was."""
        self.ready.set(health["ready"])
        for gauge, key in ((self.consumer_lag, "lag"), (self.consumer_lag_seconds, "lag_seconds")):
            for source, number in health.get(key, {}).items():
                gauge.labels(source).set(number)
        for source, kinds in health.get("parked", {}).items():
            for kind, waiting in kinds.items():
                self.parked_streams.labels(source, kind).set(waiting["streams"])
                self.parked_oldest.labels(source, kind).set(waiting["oldest_seconds"])
        for gauge, key in (
            (self.sequencer_lag, "unpositioned"),
            (self.sequencer_lag_seconds, "unpositioned_seconds"),
            (self.publisher_lag, "unpublished"),
            (self.publisher_lag_seconds, "unpublished_seconds"),
        ):
            if key in health:
                gauge.set(health[key])
