"""A load client over bare sockets, in a process of its own, so light that the server is what is measured.

`submitting.py` writes an `Order` as JSON to its input and reads an `Outcome` from its output. Each connection sends
its requests one after another; every request is the same text but for the number in it.
"""

from __future__ import annotations

import asyncio
import re
import sys
import time
from typing import cast

import msgspec
import uvloop

from bench.rounds import percentile

NUMBER = b"@NUMBER@"
GROUP = b"@GROUP@"
"""Replaced in every request: its number on its connection, and that divided by `Order.group`."""

_PATIENCE = 30.0
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


class Order(msgspec.Struct, frozen=True):
    """What to send: one request text per connection, for `seconds`, to a port of this machine."""

    port: int
    seconds: float
    requests: tuple[bytes, ...]
    group: int
    first: int


class Outcome(msgspec.Struct, frozen=True):
    per_second: float
    p50_ms: float
    p99_ms: float
    sent: int
    failed: int
    said: str
    """The first answer that was none of success."""


class _Connection(asyncio.Protocol):
    def __init__(self, order: Order, request: bytes, ends: float) -> None:
        self._order = order
        self._request = request
        self._ends = ends
        self._number = order.first
        self._received = b""
        self._began = 0.0
        self.took: list[float] = []
        self.failed = 0
        self.said = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's own is no subclass
        self._send()

    def _send(self) -> None:
        number, self._number = self._number, self._number + 1
        request = self._request.replace(NUMBER, b"%08d" % number)
        request = request.replace(GROUP, b"%08d" % (number // self._order.group))
        self._began = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head = self._received.find(b"\r\n\r\n")
        if head < 0:
            return
        length = _LENGTH.search(self._received, 0, head + 2)
        if length is None or len(self._received) < head + 4 + int(length[1]):
            return
        if self._received.startswith(b"HTTP/1.1 2"):
            self.took.append(time.perf_counter() - self._began)
        else:
            self.failed += 1
            self.said = self.said or self._received
        self._received = b""
        if time.perf_counter() < self._ends:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._ends:
            self.failed += 1
            self.said = self.said or f"the connection was lost: {exc}".encode()
        if not self.done.done():
            self.done.set_result(None)


async def sent(order: Order) -> Outcome:
    loop = asyncio.get_running_loop()
    began = time.perf_counter()
    connections = []
    for request in order.requests:
        _, connection = await loop.create_connection(
            lambda request=request: _Connection(order, request, began + order.seconds),  # type: ignore[misc]
            "127.0.0.1",
            order.port,
        )
        connections.append(connection)
    await asyncio.wait_for(asyncio.gather(*(connection.done for connection in connections)), order.seconds + _PATIENCE)
    spent = time.perf_counter() - began
    took = [one for connection in connections for one in connection.took]
    return Outcome(
        per_second=len(took) / spent,
        p50_ms=1e3 * percentile(took, 50) if took else 0.0,
        p99_ms=1e3 * percentile(took, 99) if took else 0.0,
        sent=len(took),
        failed=sum(connection.failed for connection in connections),
        said=next((connection.said.decode(errors="replace") for connection in connections if connection.said), ""),
    )


if __name__ == "__main__":
    outcome = uvloop.run(sent(msgspec.json.decode(sys.stdin.buffer.read(), type=Order)))
    sys.stdout.buffer.write(msgspec.json.encode(outcome))
