"""上报 a batch of approved records on its way to the examinations authority. Pure.

The records themselves change state by APPLICATION in the same transaction; this stream is the batch as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, assert_never

from services.exemption.domain import rules
from services.exemption.domain.commands import AcknowledgeBatch, BatchCommand, ExportBatch, RecordBatch
from services.exemption.domain.scheme import Rules
from shared.events.exemption import BatchAcknowledged, BatchEvent, BatchExported, BatchHandedOff
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.values import parse_text


@dataclass(frozen=True)
class NotMade:
    """There is no such batch."""

    state_title: ClassVar[str] = "未上报"


@dataclass(frozen=True)
class Batch:
    """Handed off; acknowledged once it has a reference."""

    scheme: str
    sender: tuple[str, str]  # role, organisation
    receiver: tuple[str, str]  # role, organisation
    applications: tuple[str, ...]
    digest: str
    reference: str | None = None

    @property
    def state_title(self) -> str:
        return "已确认接收" if self.reference else "已上报"


BatchState = NotMade | Batch


@dataclass(frozen=True)
class BatchContext:
    """What a decision may know besides the past."""

    actor: str
    roles: frozenset[tuple[str, str]]
    rules: Rules


def decide(command: BatchCommand, state: BatchState, context: BatchContext) -> Sequence[BatchEvent]:
    match command:
        case RecordBatch():
            return _record(command, state, context)
        case AcknowledgeBatch():
            return _acknowledge(command, state, context)
        case ExportBatch():
            must_concern(state, context.roles)
            return [BatchExported(exported_by=context.actor, format=command.format)]
        case _:
            assert_never(command)


def _record(command: RecordBatch, state: BatchState, context: BatchContext) -> Sequence[BatchEvent]:
    """SW-33 由高校向考试院提交申请记录."""
    hand_off = context.rules.book.hand_off
    if hand_off is None:
        raise Refused("exemption.no_hand_off")
    if not rules.holds(context.roles, hand_off.role, command.organisation):
        raise Refused("access.not_allowed")
    if isinstance(state, Batch):
        raise Refused("exemption.batch_exists")
    if not command.applications:
        raise Refused("exemption.batch_empty")
    if len(command.applications) > hand_off.most:
        raise Refused("exemption.batch_too_large", most=hand_off.most, count=len(command.applications))
    return [
        BatchHandedOff(
            scheme=command.scheme,
            cycle=command.cycle,
            organisation=command.organisation,
            sender_role=hand_off.role,
            receiver_role=hand_off.receiver_role,
            receiver=command.receiver,
            applications=command.applications,
            digest=command.digest,
            handed_off_by=context.actor,
            clause=context.rules.clause("hand_off", source=hand_off.source),
        )
    ]


def _acknowledge(command: AcknowledgeBatch, state: BatchState, context: BatchContext) -> Sequence[BatchEvent]:
    batch = must_concern(state, context.roles)
    hand_off = context.rules.book.hand_off
    if hand_off is None or not rules.holds(context.roles, *batch.receiver):
        raise Refused("access.not_allowed")
    if batch.reference is not None:
        raise Refused("exemption.already_acknowledged")
    return [
        BatchAcknowledged(
            reference=parse_text(command.reference, "reference", most=60, least=1),
            acknowledged_by=context.actor,
            clause=context.rules.clause("hand_off", source=hand_off.source),
        )
    ]


def must_concern(state: BatchState, roles: frozenset[tuple[str, str]]) -> Batch:
    """Only those who sent a batch and those who receive it may know of it."""
    if not isinstance(state, Batch) or not any(rules.holds(roles, *side) for side in (state.sender, state.receiver)):
        raise Refused("access.not_found")
    return state


def evolve(state: BatchState, event: BatchEvent) -> BatchState:
    """The past is never refused."""
    match event:
        case BatchHandedOff():
            receiver = (event.receiver_role, event.receiver)
            sender = (event.sender_role, event.organisation)
            return Batch(event.scheme, sender, receiver, event.applications, event.digest)
        case BatchAcknowledged():
            assert isinstance(state, Batch)
            return replace(state, reference=event.reference)
        case BatchExported():
            return state
        case _:
            assert_never(event)


BATCH: Decider[BatchCommand, BatchState, BatchEvent, BatchContext] = Decider("batch", NotMade(), decide, evolve)
