"""What an SMS provider can be understood to have said, besides `shared/kernel/answers.py`.

`gateways.py` makes these, the decider judges them.
"""

from datetime import datetime
from typing import Literal

import msgspec

from shared.kernel.answers import Absent, Accepted, Declined, InDoubt


class Receipt(msgspec.Struct, frozen=True, tag=True):
    """Asked, and the provider has it: delivered, undelivered, or waiting for the network."""

    status: Literal["waiting", "delivered", "undelivered"]
    code: str = ""
    received_at: datetime | None = None


Answer = Accepted | Declined | InDoubt
Finding = Receipt | Absent | InDoubt
