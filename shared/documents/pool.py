"""Worker processes for pictures and OCR, so that a 12-megapixel photograph never holds up the event loop.

Made once per service in its lifespan (`async with DocumentWorkers() as documents`) and called by its upload routes.
A job that takes too long or kills its worker costs itself and nothing else: the worker is replaced. When too many wait
the next is refused at once with `documents.busy`, which a client may try again.
"""

import asyncio
import multiprocessing
import queue
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from multiprocessing.connection import Connection
from typing import Self, TypeVar

from shared.documents import ocr
from shared.documents.hints import Reading
from shared.documents.photo_rules import PhotoRules, PreparedPhoto
from shared.kernel.errors import Refused

T = TypeVar("T")

# Spawned, never forked: a fork of a process with threads and an event loop inherits locks nobody will release.
_PROCESSES = multiprocessing.get_context("spawn")


class DocumentWorkers:
    """The two pools of a service: pictures on `image_workers` processes, OCR on one (its models need 400 MB)."""

    def __init__(
        self, *, image_workers: int = 1, waiting: int = 16, image_seconds: float = 15, ocr_seconds: float = 45
    ):
        self._images = Pool(_ready_for_images, size=image_workers, waiting=waiting, seconds=image_seconds)
        self._ocr = Pool(ocr.ready, size=1, waiting=waiting, seconds=ocr_seconds)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def start(self) -> None:
        self._images.start()
        self._ocr.start()

    async def stop(self) -> None:
        await asyncio.gather(self._images.stop(), self._ocr.stop())

    async def prepare(self, data: bytes, rules: PhotoRules) -> PreparedPhoto:
        """`images.prepare` in a worker."""
        return await self._images.run(_prepare, data, rules)

    async def read(self, picture: bytes) -> Reading:
        """`ocr.read` in the OCR worker: a hint, never a decision. `picture` is one that `prepare` made."""
        return await self._ocr.run(ocr.read, picture)


def _ready_for_images() -> None:
    from shared.documents import images  # in the worker alone: OpenCV and NumPy take 45 MB and half a second

    images.ready()


def _prepare(data: bytes, rules: PhotoRules) -> PreparedPhoto:
    from shared.documents import images

    return images.prepare(data, rules)


class Pool:
    """`size` processes, at most `waiting` jobs in line, `seconds` for each."""

    def __init__(self, ready: Callable[[], None], *, size: int, waiting: int, seconds: float) -> None:
        self._ready, self._size = ready, size
        self.seconds = seconds  # may be changed; holds from the next job on
        self._most = size + waiting
        self._in_hand = 0
        self._idle: queue.SimpleQueue[_Worker] = queue.SimpleQueue()
        self._workers: list[_Worker] = []
        self._threads = ThreadPoolExecutor(size, thread_name_prefix="documents")

    def start(self) -> None:
        """Returns at once; a worker loads what it needs on its own."""
        for _ in range(self._size):
            worker = _Worker(self._ready)
            self._workers.append(worker)
            self._idle.put(worker)

    async def stop(self) -> None:
        """Ends the workers; jobs in hand are refused with `documents.worker_ended`."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for worker in self._workers:
            worker.retire()
        await asyncio.to_thread(self._threads.shutdown)

    async def run(self, job: Callable[..., T], *args: object) -> T:
        """The job's result, or its own exception, or `documents.busy`, `.too_slow`, `.worker_ended`."""
        if self._in_hand >= self._most:
            raise Refused("documents.busy", waiting=self._in_hand)
        self._in_hand += 1
        done = self._threads.submit(self._in_worker, partial(job, *args))
        # Counted until the work is done, not until the caller goes away: a client that hangs up frees no worker.
        loop = asyncio.get_running_loop()
        done.add_done_callback(lambda _: loop.is_closed() or loop.call_soon_threadsafe(self._one_less))
        return await asyncio.wrap_future(done)

    def _one_less(self) -> None:
        self._in_hand -= 1

    def _in_worker(self, job: Callable[[], T]) -> T:
        worker = self._idle.get()
        try:
            return worker.call(job, self.seconds)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process and the pipe to it; started again whenever it has ended."""

    def __init__(self, ready: Callable[[], None]) -> None:
        self._ready = ready
        self._retired = False
        self._changing = threading.Lock()  # between a replacement and the end of the service
        self._launch()

    def _launch(self) -> None:
        self._pipe, theirs = _PROCESSES.Pipe()
        self._process = _PROCESSES.Process(target=_serve, args=(theirs, self._ready), daemon=True)
        self._process.start()
        theirs.close()  # so that the pipe ends when the process does

    def call(self, job: Callable[[], T], seconds: float) -> T:
        if not self._process.is_alive():
            self._replace()  # it ended while idle (the system was short of memory): not this job's fault
        too_slow, ended = threading.Event(), False

        def end_it() -> None:
            too_slow.set()
            self._process.kill()

        clock = threading.Timer(seconds, end_it)
        clock.start()
        try:
            self._pipe.send(job)
            result, fault = self._pipe.recv()
        except (EOFError, OSError):
            ended = True
            raise Refused("documents.too_slow" if too_slow.is_set() else "documents.worker_ended") from None
        finally:
            clock.cancel()
            clock.join()
            if ended or too_slow.is_set():
                self._replace()
        if fault is not None:
            raise fault
        return result  # type: ignore[no-any-return]

    def _replace(self) -> None:
        with self._changing:
            if not self._retired:
                self._end()
                self._launch()

    def _end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()

    def retire(self) -> None:
        with self._changing:
            self._retired = True
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, ready: Callable[[], None]) -> None:
    """The worker's life: jobs one after another until the service closes the pipe or ends the process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the service decides when we end
    ready()
    while True:
        try:
            job = pipe.recv()
        except EOFError:
            return
        answer: tuple[object, Exception | None]
        try:
            answer = (job(), None)
        except Exception as fault:  # noqa: BLE001 - whatever it is, it belongs to the caller
            answer = (None, fault)
        pipe.send(answer)
