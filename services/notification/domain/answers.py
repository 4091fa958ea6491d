"""What a provider can be understood to have said. `gateways.py` makes these, the decider judges them.

The line that matters runs between Declined/Absent (certainly not sent: try again, switch) and InDoubt (may have been
sent: ask first).
"""

from datetime import datetime
from typing import Literal

import msgspec


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """The provider has it. The id is None when it was found by our own number."""

    provider_id: str | None


class Declined(msgspec.Struct, frozen=True, tag=True):
    """Certainly not sent. `hopeless`: it is the number that is refused, another try or provider cannot help."""

    code: str
    hopeless: bool = False


class InDoubt(msgspec.Struct, frozen=True, tag=True):
    """Perhaps sent: timed out, broken off, a fault of theirs, or they could not be asked."""

    reason: str


class Absent(msgspec.Struct, frozen=True, tag=True):
    """Asked, and the provider knows nothing of it."""


class Receipt(msgspec.Struct, frozen=True, tag=True):
    """Asked, and the provider has it: delivered, undelivered, or waiting for the network."""

    status: Literal["waiting", "delivered", "undelivered"]
    code: str = ""
    received_at: datetime | None = None


Answer = Accepted | Declined | InDoubt
Finding = Receipt | Absent | InDoubt
