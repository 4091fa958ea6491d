"""Appending: one event at a time from 1 and 16 callers, and 100 in one transaction.

Ours is the store's own statement with what makes it a record: the receipt and digest of the command, the chain of
hashes, the comparison with the stream's head. `whole command` is the way of a request without HTTP: a transaction, the
stream loaded and replayed, decided, appended, the read model changed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from uuid import uuid4

import asyncpg

from bench import bare, material, peer
from bench.rounds import BARE, OURS, PEER, Case, Hold, Measure, Reading, Step, driven
from bench.service import RECORDING, UPLOAD, RefusePhotograph
from bench.workplace import Workplace
from shared.events.exemption import PhotographRefused
from shared.kernel.messages import Meta, Receipt, stream_name
from shared.runtime.event_store import Work
from shared.runtime.records import GENESIS, record_all
from shared.runtime.rows import Connection, SqlTx
from shared.runtime.service import Service

MANY = 100
WHOLE = "whole command"
Arguments = Callable[[], tuple[object, ...]]


async def append(
    service: Service, connection: Connection, events: list[PhotographRefused], meta: Meta | None = None
) -> str:
    """The events as a new stream, as `Work.execute` appends them after deciding; its name."""
    command = material.command()
    meta = meta or material.meta()
    work = Work(
        SqlTx(connection, service.keyring),
        service.name,
        service.keyring,
        service.projector,
        meta,
        service.digest(command),
        None,
    )
    stream = stream_name(UPLOAD.kind, command.upload)
    records = record_all(events, stream, 0, GENESIS, meta, None)
    receipt = Receipt(stream=stream, version=len(events), events=tuple(event.name for event in events))
    await work._append(stream, 0, records, meta, receipt)
    return command.upload


async def _bare(workplace: Workplace, callers: int, statement: str, arguments: Arguments, size: int = 1) -> Reading:
    async with workplace.bare() as url, AsyncExitStack() as stack:

        async def caller() -> Step:
            connection = await asyncpg.connect(url)
            stack.push_async_callback(connection.close)
            prepared = await connection.prepare(statement)
            return lambda: prepared.fetch(*arguments())

        return await driven(workplace.seconds, [await caller() for _ in range(callers)], size)


async def _ours(workplace: Workplace, callers: int, events: list[PhotographRefused]) -> Reading:
    async with (
        workplace.store() as store,
        store.service(RECORDING, callers + 1) as service,
        AsyncExitStack() as stack,
    ):

        async def caller() -> Step:
            connection = await stack.enter_async_context(service.pool.acquire())
            return lambda: append(service, connection, events)

        return await driven(workplace.seconds, [await caller() for _ in range(callers)], len(events))


async def _whole(workplace: Workplace, callers: int) -> Reading:
    event = material.event()

    async with workplace.store() as store, store.service(RECORDING, callers) as service:

        async def step() -> None:
            await service.handle(RefusePhotograph(upload=str(uuid4()), event=event), material.meta())

        return await driven(workplace.seconds, [step] * callers)


def _one(callers: int) -> Callable[[Workplace], AbstractAsyncContextManager[Mapping[str, Case]]]:
    @asynccontextmanager
    async def cases(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
        data = material.text()
        found: dict[str, Case] = {
            BARE: lambda: _bare(workplace, callers, bare.INSERT, lambda: (uuid4(), data)),
            OURS: lambda: _ours(workplace, callers, [material.event()]),
            WHOLE: lambda: _whole(workplace, callers),
        }
        async with peer.opened(workplace) as library:
            if library is not None:
                found[PEER] = lambda: library.saving(workplace.seconds, callers, 1)
            yield found

    return cases


@asynccontextmanager
async def _hundred(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    data = material.text()

    def rows() -> tuple[list[object], ...]:
        stream = uuid4()
        return [stream] * MANY, list(range(1, MANY + 1)), [bare.TYPE] * MANY, [data] * MANY

    found: dict[str, Case] = {
        BARE: lambda: _bare(workplace, 1, bare.UNNEST, rows, MANY),
        OURS: lambda: _ours(workplace, 1, [material.event()] * MANY),
    }
    async with peer.opened(workplace) as library:
        if library is not None:
            found[PEER] = lambda: library.saving(workplace.seconds, 1, MANY)
        yield found


MEASURES = (
    Measure("append one, 1 at a time", "events/s", (Hold(BARE, 0.6), Hold(PEER, 3)), _one(1)),
    Measure("append one, 16 at a time", "events/s", (Hold(BARE, 0.6), Hold(PEER, 8)), _one(16)),
    Measure("append 100 in one transaction", "events/s", (Hold(BARE, 0.7),), _hundred),
)
