"""The bench's own two small services, made as every service is: deciders, handlers, views, a reaction, a route.

They stand in for exemption and notification under those names and record facts of theirs, so that the registry, the
topology of the bus and the sealing are the real ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from shared.events.exemption import DraftSaved, PhotographRefused
from shared.events.notification import CaseLearned
from shared.kernel.decider import Decider
from shared.kernel.messages import Command, Fact, Receipt
from shared.runtime.access import CandidateDep, CommandMeta, ServiceDep
from shared.runtime.event_store import View, Work
from shared.runtime.rows import Tx
from shared.runtime.service import Reaction, ServiceDefinition

READ_MODELS = """
create table exemption.bench_photographs (upload text primary key, refused int not null, rules int not null);
create table exemption.bench_drafts (
    application text primary key, person text not null, version int not null, changed_at timestamptz not null
);
grant select, insert, update, delete on exemption.bench_photographs, exemption.bench_drafts to exemption
"""

# --- what is recorded


class RefusePhotograph(Command):
    """Record that a photograph broke a rule; `event` is the fact as it shall stand."""

    upload: str
    event: PhotographRefused


class SaveDraft(Command):
    application: str
    form: dict[str, Any]


@dataclass(frozen=True)
class Refusals:
    """A photograph tried again and again: how often, and how many rules were looked at."""

    refused: int = 0
    rules: int = 0


def refuse(command: RefusePhotograph, _state: Refusals, _context: None) -> Sequence[PhotographRefused]:
    return [command.event]


def count_refusal(state: Refusals, event: PhotographRefused) -> Refusals:
    return Refusals(state.refused + 1, state.rules + len(event.results))


UPLOAD: Decider[RefusePhotograph, Refusals, PhotographRefused, None] = Decider(
    "upload", Refusals(), refuse, count_refusal
)


@dataclass(frozen=True)
class Draft:
    saved: int = 0
    form: Mapping[str, Any] | None = None


def save(command: SaveDraft, state: Draft, _context: None) -> Sequence[DraftSaved]:
    """The same form again says nothing new."""
    return [] if state.form == command.form else [DraftSaved(form=command.form, photos={})]


def keep(state: Draft, event: DraftSaved) -> Draft:
    return Draft(state.saved + 1, event.form)


APPLICATION: Decider[SaveDraft, Draft, DraftSaved, None] = Decider("application", Draft(), save, keep)


async def refuse_photograph(work: Work, command: RefusePhotograph) -> Receipt:
    return await work.execute(UPLOAD, command.upload, command, None, case=command.event.application)


async def save_draft(work: Work, command: SaveDraft) -> Receipt:
    assert work.caller is not None  # it comes from the route only
    return await work.execute(
        APPLICATION, command.application, command, None, case=command.application, person=work.caller.id
    )


async def project_refusal(tx: Tx, fact: Fact[PhotographRefused]) -> None:
    await tx.add("bench_photographs", {"upload": fact.subject}, refused=1, rules=len(fact.event.results))


async def project_draft(tx: Tx, fact: Fact[DraftSaved]) -> None:
    await tx.put(
        "bench_drafts",
        ("application",),
        application=fact.subject,
        person=fact.meta.person,
        version=fact.version,
        changed_at=fact.meta.at,
    )


# --- the route, with the same body as the bare application's


class Line(BaseModel):
    sku: str = Field(min_length=3, max_length=40)
    qty: int = Field(gt=0, le=1000)
    price: Decimal


class Body(BaseModel):
    """Some 900 bytes of JSON: about what a candidate's form comes to."""

    customer_id: UUID
    currency: Annotated[str, Field(pattern="^[A-Z]{3}$")]
    placed_at: datetime
    lines: Annotated[list[Line], Field(min_length=1, max_length=50)]
    note: Annotated[str, Field(max_length=2000)]


class Saved(BaseModel):
    id: str
    version: int


router = APIRouter(prefix="/v1")


@router.post("/applications/{application}/draft", status_code=201)
async def draft(application: str, body: Body, service: ServiceDep, caller: CandidateDep, meta: CommandMeta) -> Saved:
    command = SaveDraft(application=application, form=body.model_dump(mode="json"))
    receipt = await service.handle(command, meta, caller=caller)
    return Saved(id=application, version=receipt.version)


RECORDING = ServiceDefinition(
    name="exemption",
    handlers={RefusePhotograph: refuse_photograph, SaveDraft: save_draft},
    views=(
        View("photographs", ("bench_photographs",), {PhotographRefused: project_refusal}),
        View("drafts", ("bench_drafts",), {DraftSaved: project_draft}),
    ),
    router=router,
    refusals={},
    schema=Path(__file__),
)

# --- what comes of it elsewhere


class Tell(Command):
    """What the follower does about a refusal: one fact of its own, in a stream of its own."""

    upload: str
    version: int
    application: str


def tell(command: Tell, _state: int, _context: None) -> Sequence[CaseLearned]:
    return [CaseLearned(case=command.application, scheme=f"bench/{command.version}")]


TELLING: Decider[Tell, int, CaseLearned, None] = Decider("contact", 0, tell, lambda told, _event: told + 1)


async def tell_once(work: Work, command: Tell) -> Receipt:
    return await work.execute(TELLING, command.upload, command, None, case=command.application)


def on_photograph_refused(fact: Fact[PhotographRefused]) -> list[Command]:
    return [Tell(upload=fact.subject, version=fact.version, application=fact.event.application)]


TOLD = ServiceDefinition(
    name="notification",
    handlers={Tell: tell_once},
    views=(),
    router=APIRouter(),
    refusals={},
    schema=Path(__file__),
    reactions=(Reaction(PhotographRefused, on_photograph_refused, "beginning"),),
)
