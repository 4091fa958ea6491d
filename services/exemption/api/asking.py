"""What routes share: what the service is equipped with, ids of others, and reading a case.

`Case...` here is for reading; every decision is made again by the decider when a command arrives.
"""

from typing import Annotated, cast
from uuid import uuid4

from fastapi import Depends, Path, Request
from pydantic import BaseModel, ConfigDict, Field

from services.exemption.domain.access import Context, must_be_readable
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Case
from services.exemption.domain.cycle import CYCLE, Cycle
from services.exemption.handlers import Books
from shared.documents.pool import DocumentWorkers
from shared.events.exemption import CertificateSeenElsewhere
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact, Meta, Receipt, stream_name
from shared.runtime import telemetry
from shared.runtime.access import Caller
from shared.runtime.event_store import Work
from shared.runtime.rows import Connection, SqlTx
from shared.runtime.service import Service

ID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"

Id = Annotated[str, Path(pattern=ID)]
IdInBody = Annotated[str, Field(pattern=ID)]


class Body(BaseModel):
    """A request body: nothing that is not asked for."""

    model_config = ConfigDict(extra="forbid")


_FOR_REVIEWERS = frozenset({CertificateSeenElsewhere.name})
"""Facts that no receipt names: a candidate would learn about others."""


class Done(BaseModel):
    """What a command did; the same request again gets the same answer."""

    id: str
    version: int
    events: list[str]

    @classmethod
    def of(cls, receipt: Receipt) -> "Done":
        told = [name for name in receipt.events if name not in _FOR_REVIEWERS]
        return cls(id=receipt.stream.split("-", 1)[1], version=receipt.version, events=told)


async def _books(request: Request) -> Books:
    return cast(Books, request.app.state.books)


async def _documents(request: Request) -> DocumentWorkers:
    return cast(DocumentWorkers, request.app.state.documents)


BooksDep = Annotated[Books, Depends(_books)]
DocumentsDep = Annotated[DocumentWorkers, Depends(_documents)]


def looking(service: Service, caller: Caller) -> Meta:
    """Reading leaves a trace of its own each time, so it needs no Idempotency-Key."""
    return Meta(
        command_id=uuid4(),
        actor=caller.id,
        at=service.clock(),
        correlation=telemetry.correlation.get(),
        traceparent=telemetry.current_traceparent(),
    )


async def history_of(service: Service, connection: Connection, application: str) -> list[Fact]:  # type: ignore[type-arg]
    return await service.history(connection, stream_name(APPLICATION.kind, application))


def asking(service: Service, connection: Connection, meta: Meta) -> Work:
    """To gather what a decision would know, in a transaction that writes nothing."""
    return Work(SqlTx(connection, service.keyring), service.name, service.keyring, service.projector, meta, b"", None)


async def cycle_of(service: Service, connection: Connection, cycle: str) -> Cycle:
    opened = await service.history(connection, stream_name(CYCLE.kind, cycle))
    found = CYCLE.replay(fact.event for fact in opened)
    if not isinstance(found, Cycle):
        raise Refused("access.not_found")
    return found


async def readable_case(
    service: Service, connection: Connection, books: Books, application: str, caller: Caller
) -> tuple[Case, Context, list[Fact]]:  # type: ignore[type-arg]
    """A case that this caller may read, what decisions about it would know, and its past."""
    past = await history_of(service, connection, application)
    case = must_be_readable(APPLICATION.replay(fact.event for fact in past), caller.id, caller.roles)
    cycle = await cycle_of(service, connection, case.cycle)
    rules = books.rules(case.scheme)
    context = Context(service.clock(), caller.id, caller.roles, application, case.cycle, rules, cycle)
    return case, context, past
