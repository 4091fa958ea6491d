"""The check of a photograph of 12 megapixels: bare decoding and re-encoding, `images.prepare`, and that in its worker.

The worker is how services call it; while it works, what the event loop does is timed: it is not to notice.
"""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress

import numpy as np
from PIL import Image

from bench.rounds import BARE, OURS, Case, Hold, Measure, Reading
from bench.workplace import Workplace
from shared.documents import images
from shared.documents.photo_rules import PhotoRules
from shared.documents.pool import Pool

WORKER = "ours, in its worker"
SIZE = (3000, 4000)
_BYTES = 3_000_000
_QUALITY = 85
_TICK = 0.001

RULES = PhotoRules(min_width=600, min_height=600, either_orientation=True, min_sharpness=1.0, crop_to_document=True)
"""What the books ask of a photographed document; it has to pass, for only then is there a picture to keep."""


def photographed() -> bytes:
    """A gradient with as much noise as brings it to about `_BYTES`."""
    chance = np.random.default_rng(1)
    down, across = np.mgrid[0 : SIZE[1], 0 : SIZE[0]]
    shades = (across / SIZE[0], down / SIZE[1], (across + down) / sum(SIZE))
    gradient = 255 * np.stack(shades, axis=-1).astype(np.float32)
    best = b""
    for amount in (4, 6, 8, 10, 12, 16):
        noise = chance.standard_normal(gradient.shape, dtype=np.float32) * amount
        held = io.BytesIO()
        Image.fromarray((gradient + noise).clip(0, 255).astype(np.uint8)).save(held, "JPEG", quality=_QUALITY)
        if not best or abs(held.tell() - _BYTES) < abs(len(best) - _BYTES):
            best = held.getvalue()
        if held.tell() > _BYTES:
            break
    return best


def reencoded(data: bytes) -> None:
    with Image.open(io.BytesIO(data)) as image:
        image.convert("RGB").save(io.BytesIO(), "JPEG", quality=_QUALITY)


def prepared(data: bytes) -> None:
    if images.prepare(data, RULES).picture is None:
        raise AssertionError("the photograph was refused, so nothing was drawn anew")


def _timed(seconds: float, work: Callable[[bytes], None], data: bytes) -> Reading:
    work(data)
    count, began = 0, time.perf_counter()
    while count < 2 or time.perf_counter() < began + seconds:
        work(data)
        count += 1
    return Reading(1e3 * (time.perf_counter() - began) / count)


async def _in_worker(seconds: float, pool: Pool, data: bytes) -> Reading:
    await pool.run(prepared, data)
    late: list[float] = [0.0]
    watch = asyncio.create_task(_watched(late))
    count, began = 0, time.perf_counter()
    while count < 2 or time.perf_counter() < began + seconds:
        await pool.run(prepared, data)
        count += 1
    took = 1e3 * (time.perf_counter() - began) / count
    watch.cancel()
    with suppress(asyncio.CancelledError):
        await watch
    return Reading(took, {"loop_late_ms": 1e3 * max(late)})


async def _watched(late: list[float]) -> None:
    """How much later than asked the event loop wakes us."""
    while True:
        before = time.perf_counter()
        await asyncio.sleep(_TICK)
        late.append(time.perf_counter() - before - _TICK)


@asynccontextmanager
async def _cases(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    data = await asyncio.to_thread(photographed)
    images.ready()
    pool = Pool(images.ready, size=1, waiting=1, seconds=60)
    pool.start()
    try:
        yield {
            BARE: lambda: asyncio.to_thread(_timed, workplace.seconds, reencoded, data),
            OURS: lambda: asyncio.to_thread(_timed, workplace.seconds, prepared, data),
            WORKER: lambda: _in_worker(workplace.seconds, pool, data),
        }
    finally:
        await pool.stop()


MEASURES = (
    Measure(
        "photo check, 12 megapixels",
        "ms",
        (Hold(BARE, 1.2, at_most=True), Hold(BARE, 1.2, at_most=True, ours=WORKER)),
        _cases,
    ),
)
