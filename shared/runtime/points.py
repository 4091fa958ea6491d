"""Named points on the way of a fact, where a crash would be at its worst. Nobody listens in production.

`soak/victim.py` listens, and ends its process at one of them as a power cut would.
"""

from collections.abc import Callable

POINTS = (
    "commit.before",  # a command is carried out, and not in the store yet
    "commit.after",  # it is in the store, and whoever asked does not know
    "confirm.before",  # facts have their positions, the broker has not been told
    "confirm.after",  # the broker has confirmed them, the mark has not moved
    "effects.before",  # others' facts are acted on, with the read models; not committed, or with one statement to go
    "ack.before",  # what a batch of messages asked for is in the store, the broker has not been told
    "ack.after",
    "sms.before",  # the attempt is recorded, the provider not called
    "sms.after",  # the provider has answered, the answer is not recorded
)

LISTENERS: list[Callable[[str], None]] = []


def reached(point: str) -> None:
    for listener in LISTENERS:
        listener(point)
