"""For those who run the procedure: approved records are handed off to the authority."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response
from fastapi.responses import JSONResponse
from pydantic import Field

from services.exemption.api.asking import Body, BooksDep, Done, Id, IdInBody, looking
from services.exemption.api.shapes import BatchLine, Listed
from services.exemption.domain import export as written
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.batch import BATCH, Batch
from services.exemption.domain.case import Case, Revoked
from services.exemption.domain.commands import AcknowledgeBatch, ExportBatch, HandOffBatch
from services.exemption.handlers import organisation_names
from services.exemption.views.batches import BatchRow, find_batches
from shared.kernel.messages import stream_name
from shared.runtime.access import CommandMeta, ServiceDep, StaffDep
from shared.runtime.rows import Connection
from shared.runtime.service import Service

router = APIRouter()


class HandOff(Body):
    """Which records; none named = all of the cycle that are ready."""

    cycle: IdInBody
    applications: list[IdInBody] = Field(default_factory=list, max_length=1000)


class Acknowledge(Body):
    reference: Annotated[str, Field(min_length=1, max_length=60)]


@router.post("/batches", status_code=201)
async def hand_off(body: HandOff, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """SW-33: submit approved records to the examinations authority."""
    command = HandOffBatch(cycle=body.cycle, applications=tuple(dict.fromkeys(body.applications)))
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/batches/{batch}/acknowledge")
async def acknowledge(batch: Id, body: Acknowledge, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """The authority confirms that it has them, under its own reference."""
    command = AcknowledgeBatch(batch=batch, reference=body.reference)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get("/batches")
async def batches(service: ServiceDep, caller: StaffDep) -> Listed[BatchLine]:
    """What the caller's organisations sent or received, the newest first."""
    async with service.reading() as connection:
        rows = await find_batches(connection, caller.roles)
    return Listed(items=[_line(row) for row in rows])


def _line(row: BatchRow) -> BatchLine:
    return BatchLine(
        id=row.id,
        scheme=row.scheme,
        cycle=row.cycle,
        organisation=row.organisation,
        receiver=row.receiver,
        count=len(row.applications),
        digest=row.digest,
        handed_off_at=row.handed_off_at,
        reference=row.reference,
        acknowledged_at=row.acknowledged_at,
        version=row.version,
        taken_back=list(row.taken_back),
    )


@router.get("/batches/{batch}/export", response_class=Response)
async def export(
    batch: Id,
    service: ServiceDep,
    books: BooksDep,
    caller: StaffDep,
    file: Annotated[Literal["json", "csv"], Query(description="What kind of file.")] = "json",
) -> Response:
    """The rows of a batch. Recorded.

    As JSON with their digest, organisations by id and their titles beside; `intact`: it is still that of the hand-off.
    What was revoked since stays among them, in `taken_back`; as CSV the last column has the state of each as it is now.
    """
    look = ExportBatch(batch=batch, format=file)
    await service.handle(look, looking(service, caller), caller=caller)
    async with service.reading() as connection:
        handed, cases = await _handed(service, connection, batch)
        rules = books.rules(handed.scheme)
        names = await organisation_names(connection, rules, cases.values())
    heading = written.columns(rules)
    if file == "csv":
        rows = [[*row, case.title] for each, case in cases.items() for row in written.rows(rules, each, case, names)]
        disposition = {"Content-Disposition": f'attachment; filename="{batch}.csv"'}
        return Response(
            written.as_csv([*heading, "现状"], rows), media_type="text/csv; charset=utf-8", headers=disposition
        )
    rows = [row for each, case in cases.items() for row in written.rows(rules, each, case, names={})]
    digest = written.digest(heading, rows)
    return JSONResponse(
        {
            "batch": batch,
            "columns": heading,
            "rows": rows,
            "organisations": names,
            "digest": digest,
            "intact": digest == handed.digest,
            "taken_back": sorted(each for each, case in cases.items() if isinstance(case, Revoked)),
        }
    )


async def _handed(service: Service, connection: Connection, batch: str) -> tuple[Batch, dict[str, Case]]:
    """A batch and its records, read from the events."""
    past = await service.history(connection, stream_name(BATCH.kind, batch))
    handed = BATCH.replay(fact.event for fact in past)
    assert isinstance(handed, Batch)  # the command before this refused anything else
    cases: dict[str, Case] = {}
    for application in handed.applications:
        facts = await service.history(connection, stream_name(APPLICATION.kind, application))
        state = APPLICATION.replay(fact.event for fact in facts)
        assert isinstance(state, Case)
        cases[application] = state
    return handed, cases
