"""Loopback ports of our own: chosen free once, remembered, so that addresses stay the same between starts."""

from __future__ import annotations

import json
import random
import socket
from pathlib import Path

LOOPBACK = "127.0.0.1"
# Below the range that outgoing connections borrow from, above the usual servers.
CHOICE = range(20000, 32000)


class Ports:
    def __init__(self, file: Path) -> None:
        self._file = file
        self._remembered: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}

    def of(self, name: str) -> int:
        """The port of `name`: the one it had, unless somebody else has taken it since. Ask before `name` is started."""
        port = self._remembered.get(name)
        if port is None or not is_free(port):
            port = self._choose()
            self._remembered[name] = port
            self._file.write_text(json.dumps(self._remembered, indent=1, sort_keys=True))
        return port

    def _choose(self) -> int:
        taken = set(self._remembered.values())
        chance = random.SystemRandom()
        while True:
            port = chance.choice(CHOICE)
            if port not in taken and is_free(port):
                return port


def bound(port: int) -> socket.socket:
    """A socket for processes to listen at; port 0 is whichever is free. It refuses until the first of them listens."""
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((LOOPBACK, port))
    return listener


def is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
