"""Ending the loops that run for ever, although a cancellation can be lost on its way.

`wait_for` of Python 3.11, and every library that calls it, drops a cancellation that comes together with its result; an
error raised while a cancelled statement is cleaned up takes the cancellation's place; so does one in a task group.
"""

import asyncio
from collections.abc import Iterable
from typing import Any

GRACE_SECONDS = 10
"""How long what is in hand may go on once a process was told to end."""
_INSIST_SECONDS = 1.0


def raise_if_cancelled() -> None:
    """At the head of a loop, and before something is tried again: raises the cancellation that was lost meanwhile."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


async def end(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancel them until all have ended: whoever lost the first cancellation gets another."""
    pending = {task for task in tasks if not task.done()}
    while pending:
        for task in pending:
            task.cancel()
        _, pending = await asyncio.wait(pending, timeout=_INSIST_SECONDS)
