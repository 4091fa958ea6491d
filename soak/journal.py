"""The journal: what was asked and what was answered, kept outside the system and on disk before anybody goes on.

`load.py` writes it while the soak runs, `evidence.py` reads it afterwards.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec

from shared.kernel.messages import command_id


class Asked(msgspec.Struct, frozen=True, tag="asked"):
    """A request before it is sent. Asked again after an unknown outcome it is the same entry, with the same key."""

    number: int
    at: str
    story: str
    service: str
    method: str
    path: str
    actor: str
    key: str

    @property
    def command(self) -> UUID:
        """As `access.py` makes it of caller, route and Idempotency-Key."""
        return command_id(self.actor, f"{self.method} {self.path}", self.key)


class Unknown(msgspec.Struct, frozen=True, tag="unknown"):
    """No answer that says what became of it: the connection was cut, it took too long, the service failed."""

    number: int
    at: str
    why: str

    @property
    def cut_off(self) -> bool:
        """Whether it was in hand when its service died: httpx calls it so, after it was connected."""
        return self.why in ("ReadError", "RemoteProtocolError")


class Answered(msgspec.Struct, frozen=True, tag="answered"):
    """The last word: acknowledged (2xx) or refused (4xx)."""

    number: int
    at: str
    status: int
    answer: dict[str, Any]

    @property
    def acknowledged(self) -> bool:
        return 200 <= self.status < 300


Entry = Asked | Unknown | Answered


class Journal:
    """Append-only; every last word is on disk when `write` returns."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self._lock = threading.Lock()
        self._out = file.open("ab")

    def write(self, entry: Entry) -> None:
        with self._lock:
            self._out.write(msgspec.json.encode(entry) + b"\n")
            self._out.flush()
            if isinstance(entry, Answered):
                os.fsync(self._out.fileno())

    def close(self) -> None:
        self._out.close()


def read(file: Path) -> Iterator[Entry]:
    with file.open("rb") as lines:
        for line in lines:
            yield msgspec.json.decode(line, type=Entry)
