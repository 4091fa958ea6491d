"""Worker processes for pictures and OCR, so that a 12-megapixel photograph never holds up the event loop.

Made once per service in its lifespan (`async with DocumentWorkers() as documents`) and called by its upload routes.
A job that takes too long or kills its worker costs itself and nothing else: the worker is replaced. When too many wait
the next is refused at once with `documents.busy`, which a client may try again.

What a photograph may cost is counted in the worker's own CPU seconds, which are the same on a busy machine. By the
clock such a machine would end every job, and each worker started instead would make it busier: nothing would be
answered any more. The clock ends only what is stuck, and that is our fault and not the photograph's.
"""

import asyncio
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from multiprocessing import Pipe
from typing import Self, TypeVar

import structlog

from shared.documents import ocr, worker
from shared.documents.archive_rules import Limits, Listing
from shared.documents.hints import Reading
from shared.documents.photo_rules import PhotoRules, PreparedPhoto
from shared.kernel.errors import Refused

T = TypeVar("T")

log = structlog.get_logger(__name__)

# How many times its CPU seconds a job may take by the clock. No job is near its CPU limit that is not made for it, so
# what has taken eight times as long is stuck, also where dozens of processes share the cores.
_PATIENCE = 8
# By the clock, for imports and models: 2 to 4 s of CPU. A start given up too early would only begin again.
_START_SECONDS = 240
# An archive may take as long as so many pictures.
_ARCHIVE = 4
# From one start that fails to the next. What it lacks (memory, a file) is not there at once, and trying costs CPU.
_PAUSE = 10


class DocumentWorkers:
    """The two pools of a service: pictures on `image_workers` processes, OCR on one (its models need 400 MB).

    With `reads=False` there is no OCR: what asks for it is a bug.
    """

    def __init__(
        self,
        *,
        image_workers: int = 1,
        waiting: int = 16,
        image_seconds: float = 15,
        ocr_seconds: float = 45,
        reads: bool = True,
    ):
        self._images = Pool(worker.ready_for_images, size=image_workers, waiting=waiting, seconds=image_seconds)
        self._ocr = Pool(ocr.ready, size=1, waiting=waiting, seconds=ocr_seconds) if reads else None

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        for pool in self._pools():
            pool.start()

    async def stop(self) -> None:
        await asyncio.gather(*(pool.stop() for pool in self._pools()))

    def _pools(self) -> list["Pool"]:
        return [pool for pool in (self._images, self._ocr) if pool is not None]

    async def prepare(self, data: bytes, rules: PhotoRules) -> PreparedPhoto:
        """`images.prepare` in a worker."""
        return await self._images.run(worker.prepare, data, rules)

    async def offer(self, data: bytes, rules: PhotoRules) -> bytes | None:
        """`cropping.offered` in a worker."""
        return await self._images.run(worker.offer, data, rules)

    async def list_archive(self, data: bytes, limits: Limits) -> Listing:
        """`archives.inspect` in a worker: it may hold as many pictures as `limits` let it."""
        return await self._images.run(worker.list_archive, data, limits, times=_ARCHIVE)

    async def open_archive(self, data: bytes, place: int, limits: Limits) -> bytes:
        """`archives.opened` in a worker: one file of an archive that was listed."""
        return await self._images.run(worker.open_archive, data, place, limits, times=_ARCHIVE)

    async def read(self, picture: bytes) -> Reading:
        """`ocr.read` in the OCR worker: a hint, never a decision. `picture` is one that `prepare` made."""
        assert self._ocr is not None
        return await self._ocr.run(ocr.read, picture)


class Pool:
    """`size` processes, at most `waiting` jobs in line, each with `seconds` of CPU, `patience` times that by the clock.
    A worker has `start_seconds` by the clock to be ready; when it fails, `pause` lies between two starts."""

    def __init__(
        self,
        ready: Callable[[], object],
        *,
        size: int,
        waiting: int,
        seconds: float,
        patience: float = _PATIENCE,
        start_seconds: float = _START_SECONDS,
        pause: float = _PAUSE,
    ) -> None:
        self._ready, self._size = ready, size
        self.seconds = seconds  # may be changed, as may the start's; holds from the next job on
        self.start_seconds = start_seconds
        self._patience, self._pause = patience, pause
        self._most = size + waiting
        self._in_hand = 0
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="documents")

    def start(self) -> None:
        """Returns at once; a worker loads what it needs on its own."""
        for _ in range(self._size):
            made = _Worker(self._ready)
            self._workers.append(made)
            self._idle.put(made)

    @property
    def started(self) -> bool:
        return bool(self._workers)

    async def stop(self) -> None:
        """Ends the workers; jobs in hand are refused with `documents.worker_ended`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for each in self._workers:
            each.retire()
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, job: Callable[..., T], *args: object, times: int = 1) -> T:
        """The job's result, or its own exception, or `documents.busy`, `.too_slow`, `.worker_ended`. It may take
        `times` as long as others."""
        if self._in_hand >= self._most:
            raise Refused("documents.busy", waiting=self._in_hand)
        self._in_hand += 1
        done = self._threads.submit(self._in_worker, partial(job, *args), times)
        # Counted until the work is done, not until the caller goes away: a client that hangs up frees no worker.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._one_less))
        return await asyncio.wrap_future(done)

    def _one_less(self) -> None:
        self._in_hand -= 1

    def _in_worker(self, job: Callable[[], T], times: int) -> T:
        free = self._idle.get()
        try:
            free.be_up(self.start_seconds, self._pause)
            seconds = self.seconds * times
            return free.call(job, seconds, seconds * self._patience)
        finally:
            self._idle.put(free)


class _Worker:
    """One process and the pipe to it; started again whenever it has ended."""

    def __init__(self, ready: Callable[[], object]) -> None:
        self._ready = ready
        self._retired = False
        self._changing = threading.Lock()  # between a replacement and the end of the service
        self._launch()

    def _launch(self) -> None:
        self._up, self._launched = False, time.monotonic()
        self._pipe, theirs = Pipe()
        # A program, never a fork: one of a process with threads and an event loop inherits locks nobody will release.
        self._process = subprocess.Popen(  # noqa: S603 - ours
            [sys.executable, "-P", "-m", worker.__name__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            pass_fds=[theirs.fileno()],
        )
        theirs.close()  # so that the pipe ends when the process does
        self._pipe.send(self._ready)

    def be_up(self, seconds: float, pause: float) -> None:
        """Waits until the worker is ready, so that its start is at no job's cost."""
        if self._process.poll() is not None:
            if not self._up and time.monotonic() - self._launched < pause:
                raise Refused("documents.worker_ended")
            self._replace()  # what was up ended while idle (the system was short of memory): not this job's fault
        if self._up:
            return
        with suppress(EOFError, OSError):  # it ended; what of stands on the service's stderr
            self._up = self._pipe.poll(seconds) and self._pipe.recv()
        if not self._up:
            self._process.kill()
            self._process.wait()
            log.warning("document_worker.not_started", exitcode=self._process.returncode)
            raise Refused("documents.worker_ended")

    def call(self, job: Callable[[], T], cpu: float, wall: float) -> T:
        hung, ended = threading.Event(), False

        def end_it() -> None:
            hung.set()
            self._process.kill()

        clock = threading.Timer(wall, end_it)
        clock.start()
        try:
            self._pipe.send((job, cpu))
            result, fault = self._pipe.recv()
        except (EOFError, OSError):
            ended = True
            self._process.wait()  # its end of the pipe closed because it is ending
            by_its_limit = self._process.returncode == -signal.SIGPROF
            log.warning("document_worker.ended", exitcode=self._process.returncode, hung=hung.is_set())
            raise Refused("documents.too_slow" if by_its_limit else "documents.worker_ended") from None
        finally:
            clock.cancel()
            clock.join()
            if ended or hung.is_set():
                self._replace()
        if fault is not None:
            raise fault
        return result  # type: ignore[no-any-return]

    def _replace(self) -> None:
        with self._changing:
            if not self._retired:
                self._process.kill()
                self._process.wait()
                self._pipe.close()
                self._launch()

    def retire(self) -> None:
        with self._changing:
            self._retired = True
            self._process.kill()
            self._process.wait()
