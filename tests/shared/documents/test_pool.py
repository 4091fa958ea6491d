"""Jobs run in processes of their own; a slow or deadly one costs itself and nothing else."""

import asyncio
import gc
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from types import ModuleType

import pytest

from shared.documents import hints, images, ocr
from shared.documents.pool import DocumentWorkers, Pool
from shared.kernel.errors import Refused
from tests.shared.documents.conftest import DOCUMENT, Papers

LONG = range(3 * 10**9)  # to add up: half a minute in one call into C, which does not come back to the interpreter
HALF_A_SECOND_OF_CPU = "import time\nend = time.process_time() + 0.5\nwhile time.process_time() < end: pass"


@asynccontextmanager
async def running(pool: Pool) -> AsyncIterator[Pool]:
    pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    """Where a test says `patience`, it is so large that only CPU time counts, however laden the machine that tests."""
    async with running(Pool(gc.enable, size=1, waiting=1, seconds=60, patience=1000)) as pool:
        yield pool


async def test_a_job_runs_in_another_process_and_the_event_loop_goes_on(pool: Pool) -> None:
    await pool.run(gc.enable)  # the worker is up
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    counting = asyncio.create_task(count())
    await pool.run(time.sleep, 0.3)
    counting.cancel()
    assert turns >= 3
    assert await pool.run(os.getpid) != os.getpid()


async def test_a_jobs_own_exception_reaches_the_caller_and_the_worker_stays(pool: Pool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(ZeroDivisionError):
        await pool.run(operator.truediv, 1, 0)
    assert await pool.run(os.getpid) == before


async def test_a_worker_that_dies_is_replaced(pool: Pool) -> None:
    before = await pool.run(os.getpid)
    with pytest.raises(Refused, match=r"documents\.worker_ended"):
        await pool.run(os._exit, 3)
    assert await pool.run(os.getpid) != before


async def test_a_worker_killed_while_idle_costs_no_job(pool: Pool) -> None:
    before = await pool.run(os.getpid)
    os.kill(before, signal.SIGKILL)
    await asyncio.to_thread(os.waitid, os.P_PID, before, os.WEXITED | os.WNOWAIT)
    assert await pool.run(os.getpid) != before


async def test_too_many_waiting_are_refused_at_once_and_only_they(pool: Pool) -> None:
    jobs = [asyncio.create_task(pool.run(time.sleep, 0.2)) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(Refused, match=r"documents\.busy"):
        await pool.run(os.getpid)
    await asyncio.gather(*jobs)
    assert await pool.run(os.getpid)


async def test_a_caller_that_goes_away_frees_no_worker_before_the_work_is_done(pool: Pool) -> None:
    jobs = [asyncio.create_task(pool.run(time.sleep, seconds)) for seconds in (1.0, 0.0)]
    await asyncio.sleep(0.05)
    jobs[0].cancel()
    await asyncio.sleep(0.05)
    with pytest.raises(Refused, match=r"documents\.busy"):
        await pool.run(os.getpid)
    await asyncio.gather(*jobs, return_exceptions=True)


async def test_a_job_over_its_own_cpu_time_is_ended_inside_c_code_too_and_the_next_one_runs(pool: Pool) -> None:
    before = await pool.run(os.getpid)
    pool.seconds = 0.3
    with pytest.raises(Refused, match=r"documents\.too_slow"):
        await pool.run(sum, LONG)
    pool.seconds = 60
    assert await pool.run(os.getpid) != before


@pytest.mark.parametrize("module", [images, ocr])
async def test_nothing_that_a_worker_loads_takes_the_limit_away(
    module: ModuleType, papers: Papers, pages: dict[str, bytes]
) -> None:
    work = (ocr.read, pages["back"]) if module is ocr else (images.prepare, papers.back, DOCUMENT)
    async with running(Pool(module.ready, size=1, waiting=1, seconds=60, patience=1000)) as pool:
        await pool.run(*work)
        pool.seconds = 0.3
        with pytest.raises(Refused, match=r"documents\.too_slow"):
            await pool.run(sum, LONG)


async def test_a_limit_holds_though_the_service_was_started_with_its_signal_ignored() -> None:
    before = signal.signal(signal.SIGPROF, signal.SIG_IGN)  # as a shell's `trap "" PROF` does; children inherit it
    try:
        async with running(Pool(gc.enable, size=1, waiting=1, seconds=0.3, patience=100)) as pool:
            with pytest.raises(Refused, match=r"documents\.too_slow"):
                await pool.run(sum, LONG)
    finally:
        signal.signal(signal.SIGPROF, before)


async def test_a_job_that_only_waits_for_its_turn_on_a_busy_machine_is_answered() -> None:
    async with running(Pool(gc.enable, size=1, waiting=1, seconds=0.3, patience=1000)) as pool:
        worker = await pool.run(os.getpid)
        await pool.run(time.sleep, 1.5)
        assert await pool.run(os.getpid) == worker


async def test_each_job_has_the_whole_limit_for_itself() -> None:
    async with running(Pool(gc.enable, size=1, waiting=1, seconds=1, patience=1000)) as pool:
        worker = await pool.run(os.getpid)
        for _ in range(4):
            await pool.run(exec, HALF_A_SECOND_OF_CPU)
        assert await pool.run(os.getpid) == worker


async def test_a_job_that_hangs_is_ended_and_the_photograph_is_not_blamed() -> None:
    async with running(Pool(gc.enable, size=1, waiting=1, seconds=60)) as pool:
        before = await pool.run(os.getpid)
        pool.seconds = 0.1
        with pytest.raises(Refused, match=r"documents\.worker_ended"):
            await pool.run(time.sleep, 60)
        pool.seconds = 60
        assert await pool.run(os.getpid) != before


@pytest.mark.parametrize("ready", [partial(time.sleep, 3), partial(sum, range(10**8))], ids=["waits", "computes"])
async def test_the_start_of_a_worker_costs_no_job_its_time(ready: Callable[[], None]) -> None:
    async with running(Pool(ready, size=1, waiting=1, seconds=0.2, patience=10)) as pool:
        first = await pool.run(os.getpid)
        assert await pool.run(os.getpid) == first


async def test_a_worker_that_cannot_start_is_not_started_again_for_every_job(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    ready: Callable[[], object] = partial(subprocess.run, ["sh", "-c", 'echo >>"$0"; exit 1', str(starts)], check=True)
    async with running(Pool(ready, size=1, waiting=1, seconds=60, pause=600)) as pool:
        for _ in range(5):
            with pytest.raises(Refused, match=r"documents\.worker_ended"):
                await pool.run(os.getpid)
    assert starts.read_text() == "\n"


async def test_a_worker_that_hangs_at_its_start_is_given_up_and_after_a_pause_another_one_may_start(
    tmp_path: Path,
) -> None:
    (tmp_path / "lock").touch()
    ready: Callable[[], object] = partial(
        subprocess.run, ["sh", "-c", 'for i in $(seq 600); do test -e "$0/lock" || exit 0; sleep 0.1; done', tmp_path]
    )
    async with running(Pool(ready, size=1, waiting=1, seconds=60, start_seconds=1, pause=0)) as pool:
        with pytest.raises(Refused, match=r"documents\.worker_ended"):
            await pool.run(os.getpid)
        (tmp_path / "lock").unlink()
        pool.start_seconds = 60
        assert await pool.run(os.getpid)


async def test_stopping_does_not_wait_for_a_worker_that_is_still_starting() -> None:
    pool = Pool(partial(time.sleep, 600), size=1, waiting=1, seconds=60)
    pool.start()
    job = asyncio.create_task(pool.run(os.getpid))
    await asyncio.sleep(0.1)
    await pool.stop()
    with pytest.raises(Refused, match=r"documents\.worker_ended"):
        await job


async def test_stopping_ends_the_workers_and_refuses_what_was_in_hand() -> None:
    pool = Pool(gc.enable, size=1, waiting=1, seconds=60)
    pool.start()
    worker = await pool.run(os.getpid)
    job = asyncio.create_task(pool.run(time.sleep, 60))
    await asyncio.sleep(0.1)
    await pool.stop()
    with pytest.raises(Refused, match=r"documents\.worker_ended"):
        await job
    with pytest.raises(ProcessLookupError):
        os.kill(worker, 0)


async def test_a_photograph_is_prepared_and_read_in_the_workers(papers: Papers) -> None:
    async with DocumentWorkers() as documents:
        prepared = await documents.prepare(papers.front, DOCUMENT)
        assert prepared.picture is not None
        found = hints.id_number(await documents.read(prepared.picture))
        assert found is not None
        assert found.value == papers.card.number


async def test_only_the_ocr_worker_loads_the_models(pool: Pool) -> None:
    loaded = await pool.run(eval, "__import__('shared.documents.ocr') and sorted(__import__('sys').modules)")
    assert "shared.documents.ocr" in loaded
    assert {"rapidocr", "onnxruntime"}.isdisjoint(loaded)


def test_the_service_itself_loads_nothing_of_what_its_workers_need() -> None:
    """Each replica would pay for it with memory and with the time until it is ready."""
    tell = (
        "import services.exemption.main, sys; print({'cv2', 'numpy', 'onnxruntime', 'rapidocr'} & sys.modules.keys())"
    )
    said = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
