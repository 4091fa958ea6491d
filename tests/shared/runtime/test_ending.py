"""Loops end although a cancellation was lost on its way."""

import asyncio
from contextlib import suppress

import pytest

from shared.runtime.ending import end, raise_if_cancelled


async def test_who_lost_the_first_cancellation_gets_another() -> None:
    lost = 0

    async def deaf() -> None:
        nonlocal lost
        while True:
            try:
                await asyncio.sleep(3600)
            except asyncio.CancelledError:
                lost += 1
                if lost == 2:
                    raise

    task = asyncio.create_task(deaf())
    await asyncio.sleep(0)
    await end([task])
    assert task.cancelled()


async def test_a_loop_whose_step_fails_while_it_is_cancelled_tries_nothing_again() -> None:
    begun = 0

    async def step() -> None:
        try:
            await asyncio.sleep(3600)
        finally:
            raise TimeoutError  # the cleaning-up fails, and takes the cancellation's place

    async def loop() -> None:
        nonlocal begun
        while True:
            raise_if_cancelled()
            begun += 1
            with suppress(TimeoutError):
                await step()

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 20)
    assert begun == 1


async def test_a_deadline_that_has_passed_is_no_cancellation() -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(0):
            await asyncio.sleep(3600)
    raise_if_cancelled()
