"""Processes of their own: a follower must not share its processor's turn, or its clock's readings, with the source.

async with child(main, *arguments) as other:    # main has said that it is ready
    ...
    told = await other.end()                    # what main returned
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from multiprocessing.connection import Connection
from typing import Any

import uvloop

_SPAWN = multiprocessing.get_context("spawn")

Ready = Callable[[], None]
Main = Callable[..., Coroutine[Any, Any, Any]]
"""Called with `ready`, to be called when it works, `told_to_end`, a future, and the arguments."""


class Child:
    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe
        self.ended = False

    async def end(self) -> Any:
        self.ended = True
        self._pipe.send(None)
        return await self.said()

    async def said(self) -> Any:
        try:
            return await asyncio.to_thread(self._pipe.recv)
        except EOFError:
            raise RuntimeError("the process ended before its time; what it said stands above") from None


@asynccontextmanager
async def child(main: Main, *arguments: Any) -> AsyncIterator[Child]:
    ours, theirs = _SPAWN.Pipe()
    process = _SPAWN.Process(target=_live, args=(theirs, main, arguments), daemon=True)
    process.start()
    theirs.close()
    other = Child(ours)
    try:
        await other.said()
        yield other
        if not other.ended:
            await other.end()
        await asyncio.to_thread(process.join, 10)
    finally:
        process.kill()
        process.join()
        ours.close()


def _live(pipe: Connection, main: Main, arguments: tuple[Any, ...]) -> None:
    async def life() -> None:
        # ends with our parent too: then the pipe does
        told_to_end = asyncio.get_running_loop().run_in_executor(None, _word, pipe)
        pipe.send(await main(lambda: pipe.send("ready"), told_to_end, *arguments))

    uvloop.run(life())


def _word(pipe: Connection) -> None:
    try:
        pipe.recv()
    except EOFError:
        return
