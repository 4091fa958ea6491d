"""Jobs run in processes of their own; a slow or deadly one costs itself and nothing else."""

import asyncio
import gc
import operator
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest

from shared.documents import hints
from shared.documents.pool import DocumentWorkers, Pool
from shared.kernel.errors import Refused
from tests.shared.documents.conftest import DOCUMENT, Papers


@pytest.fixture(scope="module")
async def pool() -> AsyncIterator[Pool]:
    pool = Pool(gc.enable, size=1, waiting=1, seconds=60)
    pool.start()
    yield pool
    await pool.stop()


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


async def test_a_job_over_its_time_is_ended_and_the_next_one_runs() -> None:
    pool = Pool(gc.enable, size=1, waiting=4, seconds=60)
    pool.start()
    try:
        before = await pool.run(os.getpid)
        pool.seconds = 0.3
        begun = time.monotonic()
        with pytest.raises(Refused, match=r"documents\.too_slow"):
            await pool.run(time.sleep, 60)
        assert time.monotonic() - begun < 30
        pool.seconds = 60
        assert await pool.run(os.getpid) != before
    finally:
        await pool.stop()


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
    loaded = await pool.run(eval, "sorted(__import__('sys').modules)")
    assert "shared.documents.ocr" in loaded
    assert {"rapidocr", "onnxruntime"}.isdisjoint(loaded)


def test_the_service_itself_loads_nothing_of_what_its_workers_need() -> None:
    """Each replica would pay for it with memory and with the time until it is ready."""
    tell = (
        "import services.exemption.main, sys; print({'cv2', 'numpy', 'onnxruntime', 'rapidocr'} & sys.modules.keys())"
    )
    said = subprocess.run([sys.executable, "-c", tell], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
