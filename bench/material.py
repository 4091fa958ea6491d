"""What is written in every case, bare or ours: the same texts of the same size, of people who do not exist."""

from __future__ import annotations

from functools import lru_cache
from uuid import UUID, uuid4

import msgspec

from bench.service import RefusePhotograph
from shared.events.exemption import PhotographRefused
from shared.kernel.messages import Meta, command_id
from shared.kernel.time import utc_now

EVENT_BYTES = 500
"""About what an event of an order or an application comes to as JSON."""

_RULES = ("photo.too_small", "photo.too_blurred", "photo.wrong_aspect", "photo.wrong_format")


@lru_cache(maxsize=1024)
def event(number: int = 7) -> PhotographRefused:
    """Four things measured, like an order of four lines; the clause fills it up to `EVENT_BYTES`."""
    plain = _event(number, "")
    return _event(number, "x" * (EVENT_BYTES - len(msgspec.json.encode(plain))))


def _event(number: int, clause: str) -> PhotographRefused:
    return PhotographRefused(
        owner=str(UUID(int=(1 << 100) + number)),
        application=str(UUID(int=(1 << 101) + number % 997)),
        slot="certificate_photo",
        results=tuple(
            {"code": rule, "passed": False, "measured": 10 * number + place, "limit": 600}
            for place, rule in enumerate(_RULES)
        ),
        clause=clause,
    )


def text(number: int = 7) -> str:
    return msgspec.json.encode(event(number)).decode()


def command(number: int = 7) -> RefusePhotograph:
    """On a stream of its own."""
    return RefusePhotograph(upload=str(uuid4()), event=event(number))


def meta() -> Meta:
    """As the API's edge makes it for a request with an Idempotency-Key."""
    return Meta(
        command_id=command_id("bench", "POST /v1/uploads", str(uuid4())),
        actor="bench",
        at=utc_now(),
        correlation=uuid4(),
    )


def body(mark: str) -> dict[str, object]:
    """Of an HTTP request: eight lines and a note of 500 characters that begins with `mark`."""
    lines = [{"sku": f"SKU-{number:05d}", "qty": number + 1, "price": "19.90"} for number in range(8)]
    return {
        "customer_id": str(UUID(int=(1 << 101) + 7)),
        "currency": "EUR",
        "placed_at": "2025-01-02T03:04:05.678901+00:00",
        "lines": lines,
        "note": mark.ljust(500, "x"),
    }
