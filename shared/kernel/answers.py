"""What a system outside can be understood to have said to a call. Gateways make these, deciders judge them. Pure.

The line that matters runs between Declined and Absent (it certainly did not happen: try again) and InDoubt (it may
have happened: ask first).
"""

import msgspec


class Accepted(msgspec.Struct, frozen=True, tag=True):
    """They have it. Their id is None when it was found by our own number."""

    provider_id: str | None


class Declined(msgspec.Struct, frozen=True, tag=True):
    """Certainly not taken. `hopeless`: it is what we asked that is refused, another try cannot help."""

    code: str
    hopeless: bool = False


class InDoubt(msgspec.Struct, frozen=True, tag=True):
    """Perhaps taken: timed out, broken off, a fault of theirs, or they could not be asked."""

    reason: str


class Absent(msgspec.Struct, frozen=True, tag=True):
    """Asked, and they know nothing of it."""
