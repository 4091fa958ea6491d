"""滞留处理 what was passed over of other services' streams, because it could not be handled here, and why. Pure."""

from collections.abc import Sequence
from typing import assert_never

from shared.events.identity import ParkedFactResolved, ParkingEvent, ResolutionExplained
from shared.kernel.decider import Decider
from shared.kernel.parking import Resolutions, ResolveParked, Waiting, must_be_resolvable, note_of


def decide(command: ResolveParked, _: Resolutions, waiting: Waiting | None) -> Sequence[ParkingEvent]:
    found, note = must_be_resolvable(command, waiting), note_of(command)
    resolved = ParkedFactResolved(
        source=command.source,
        stream=command.stream,
        version=found.version,
        type=found.type,
        fault=found.fault,
        reason=command.reason,
    )
    return [resolved] if note is None else [resolved, ResolutionExplained(note=note)]


def evolve(state: Resolutions, event: ParkingEvent) -> Resolutions:
    match event:
        case ParkedFactResolved():
            return Resolutions(event.version)
        case ResolutionExplained():
            return state
        case _:
            assert_never(event)


PARKING: Decider[ResolveParked, Resolutions, ParkingEvent, Waiting | None] = Decider(
    "parking", Resolutions(), decide, evolve
)
