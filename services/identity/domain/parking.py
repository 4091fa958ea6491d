"""滞留处理 what was passed over of other services' streams, because it could not be handled here, and why. Pure."""

from shared.events.identity import ParkedFactResolved, ParkingEvent, ResolutionExplained
from shared.kernel.decider import Decider
from shared.kernel.parking import Resolutions, ResolveParked, Waiting, parking

PARKING: Decider[ResolveParked, Resolutions, ParkingEvent, Waiting | None] = parking(
    ParkedFactResolved, ResolutionExplained
)
