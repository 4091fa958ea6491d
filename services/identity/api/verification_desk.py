"""身份认证 for clerks: what waits for them, its photographs, the decision; and persons who were seen with their papers.

Each look at a photograph is a fact. A decision says of every pair whether it shows one person, and names the
submission that was looked at: what was handed in again meanwhile must be looked at again.
"""

from datetime import datetime
from typing import Annotated
from uuid import uuid4

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field, StrictBool

from services.identity.api.parts import Body, Done, Typed, account_of
from services.identity.api.verification import BooksDep, Slot, book_of, picture_of, verification_of
from services.identity.domain.account import Registered
from services.identity.domain.commands import FailVerification, PassVerification, VerifyInPerson, ViewPhotograph
from services.identity.domain.scheme import Books
from services.identity.domain.verification import Begun, VerificationContext, Waiting, must_be_in_hand
from services.identity.verification_views import find_waiting
from services.identity.verifying import rules_of
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta
from shared.kernel.values import parse_text
from shared.runtime import telemetry
from shared.runtime.access import Caller, CommandMeta, ServiceDep, StaffDep
from shared.runtime.problems import refuses
from shared.runtime.service import Service

router = APIRouter(prefix="/v1", tags=["verification"])

Pairs = Annotated[dict[str, StrictBool], Field(max_length=50)]


class WaitingShown(BaseModel):
    person: str
    organisation: str
    role: str
    attempt: int
    submitted_at: datetime
    due_at: datetime
    overdue: bool


class WorkList(BaseModel):
    verifications: list[WaitingShown]


class ReasonShown(BaseModel):
    code: str
    text: str


class CaseShown(BaseModel):
    """Who the account says somebody is, and what is to be judged. No pair was compared by a machine."""

    person: str
    name: str
    id_number: str
    ticket_number: str
    attempt: int
    photographs: dict[str, str]
    pairs: tuple[str, ...]
    compared_by_machine: bool = False
    same_person: str
    reasons: list[ReasonShown]


class Pass(Body):
    attempt: int = Field(ge=1)
    pairs: Pairs


class Fail(Body):
    attempt: int = Field(ge=1)
    reason: Typed
    note: str = Field(max_length=1000)
    pairs: Pairs = Field(default_factory=dict)


class Seen(Body):
    """`evidence`: what was looked at, in the clerk's words."""

    jurisdiction: Typed
    organisation: Typed
    documents: Annotated[tuple[Typed, ...], Field(max_length=20)]
    evidence: str = Field(max_length=1000)


@router.get("/verifications")
async def work_list(
    service: ServiceDep, caller: StaffDep, limit: Annotated[int, Query(ge=1, le=200)] = 100
) -> WorkList:
    """What waits for the caller, the most urgent first; what is decided makes room for the next."""
    async with service.reading() as connection:
        rows = await find_waiting(connection, caller.roles, limit)
    now = service.clock()
    return WorkList(
        verifications=[
            WaitingShown(
                person=row.person,
                organisation=row.organisation,
                role=row.role,
                attempt=row.attempt,
                submitted_at=row.submitted_at,
                due_at=row.due_at,
                overdue=row.due_at <= now,
            )
            for row in rows
        ]
    )


async def _in_hand(service: Service, books: Books, person: str, caller: Caller) -> Waiting:
    state = await verification_of(service, person)
    if not isinstance(state, Begun):
        raise Refused("access.not_found")
    context = VerificationContext(
        now=service.clock(),
        actor=caller.id,
        book=state.book,
        rules=rules_of(state.book, books),
        roles=caller.roles,
    )
    return must_be_in_hand(person, state, context)


_READING = refuses("identity.not_waiting", "identity.no_verification_there", "identity.no_account")


@router.get("/verifications/{person}", openapi_extra=_READING)
async def case(person: str, service: ServiceDep, books: BooksDep, caller: StaffDep) -> CaseShown:
    waiting = await _in_hand(service, books, person, caller)
    account = await account_of(service, person)
    if not isinstance(account, Registered):
        raise Refused("access.not_found")
    rules = rules_of(waiting.book, books)
    labels = {each.slot: each.label for each in rules.slots(waiting.route, by_hand=waiting.by_hand)}
    return CaseShown(
        person=person,
        name=account.name,
        id_number=account.id_number,
        ticket_number=account.ticket_number,
        attempt=waiting.attempt,
        photographs={slot: labels[slot] for slot in waiting.photographs},
        pairs=waiting.pairs,
        same_person=rules.same_person.text,
        reasons=[ReasonShown(code=each.code, text=each.text) for each in rules.reasons],
    )


@router.get("/verifications/{person}/photographs/{slot}", response_class=Response, openapi_extra=_READING)
async def photograph(
    person: str, slot: Slot, service: ServiceDep, books: BooksDep, caller: StaffDep, original: bool = False
) -> Response:
    """The look is recorded first; each one is a fact of its own, so it needs no Idempotency-Key."""
    waiting = await _in_hand(service, books, person, caller)
    kept = waiting.photographs.get(slot)
    if kept is not None:
        await service.handle(ViewPhotograph(person=person, slot=slot), _looking(service, caller), caller=caller)
    return await picture_of(service, person, slot, kept, original)


def _looking(service: Service, caller: Caller) -> Meta:
    return Meta(
        command_id=uuid4(),
        actor=caller.id,
        at=service.clock(),
        correlation=telemetry.correlation.get(),
        traceparent=telemetry.current_traceparent(),
    )


@router.post("/verifications/{person}/pass")
async def let_pass(person: str, body: Pass, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    command = PassVerification(person=person, attempt=body.attempt, pairs=body.pairs)
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/verifications/{person}/fail")
async def fail(person: str, body: Fail, service: ServiceDep, caller: StaffDep, meta: CommandMeta) -> Done:
    """With a reason of the book and words of one's own; the candidate reads both, and may try again."""
    command = FailVerification(
        person=person,
        attempt=body.attempt,
        reason_code=body.reason,
        note=parse_text(body.note, "note", most=500),
        pairs=body.pairs,
    )
    return Done.of(await service.handle(command, meta, caller=caller))


@router.post("/people/{person}/verification")
async def verify_in_person(
    person: str, body: Seen, service: ServiceDep, books: BooksDep, caller: StaffDep, meta: CommandMeta
) -> Done:
    """SX-E-11: the clerk of a confirmation point has seen the person and their papers."""
    command = VerifyInPerson(
        person=person,
        book=book_of(body.jurisdiction, books),
        organisation=body.organisation,
        documents=body.documents,
        evidence=parse_text(body.evidence, "evidence", most=500, least=2),
    )
    return Done.of(await service.handle(command, meta, caller=caller))
