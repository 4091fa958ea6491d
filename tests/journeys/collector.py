"""A collector of OpenTelemetry: an address that takes spans (OTLP over HTTP), and keeps them for tests to read."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span


@dataclass(frozen=True)
class Told:
    """A span as it came over the wire, and the service that sent it."""

    service: str
    span: Span

    @property
    def name(self) -> str:
        return self.span.name

    @property
    def id(self) -> str:
        return self.span.span_id.hex()

    @property
    def trace(self) -> str:
        return self.span.trace_id.hex()

    @property
    def parent(self) -> str:
        return self.span.parent_span_id.hex()

    @property
    def linked(self) -> set[str]:
        return {link.span_id.hex() for link in self.span.links}

    @property
    def statement(self) -> str:
        """Of a span about the database."""
        return next((each.value.string_value for each in self.span.attributes if each.key == "db.statement"), "")


class Collector:
    """On loopback, in a thread of the test run."""

    def __init__(self) -> None:
        self.spans: list[Told] = []
        taken = self.spans

        class Taking(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                for part in ExportTraceServiceRequest.FromString(body).resource_spans:
                    named = {each.key: each.value.string_value for each in part.resource.attributes}
                    taken.extend(Told(named["service.name"], span) for s in part.scope_spans for span in s.spans)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("content-type", "application/x-protobuf")
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Taking)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1/traces"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def written(self) -> dict[str, str]:
        """Everything it was told, as a log would be."""
        return {"spans": "\n".join(f"{told.service} {told.span}" for told in list(self.spans))}

    def of(self, trace: str) -> list[Told]:
        return [told for told in list(self.spans) if told.trace == trace]

    def linking(self, to: set[str]) -> list[Told]:
        """Spans of other traces that point at one of these."""
        return [told for told in list(self.spans) if told.linked & to]
