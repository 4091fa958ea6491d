"""An aggregate of the library `eventsourcing`; `peer.py` loads this file only where the library is installed.

It stands in a file of its own because the library finds its events again by their module and name.
"""

from typing import Any

from eventsourcing.domain import Aggregate, event


class Upload(Aggregate):
    @event("Refused")
    def __init__(self, told: dict[str, Any]) -> None:
        self.told = told

    @event("RefusedAgain")
    def refuse_again(self, told: dict[str, Any]) -> None:
        self.told = told
