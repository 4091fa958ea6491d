"""The sandbox and the services as processes: started in order, watched, ended in reverse. `stack.py` uses it."""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from ops.stack import children
from ops.stack.children import Child
from ops.stack.places import CHECKOUT, Unserviceable
from shared.runtime.ending import GRACE_SECONDS

READY_WITHIN = 180.0
STOP_WITHIN = GRACE_SECONDS + 10.0
"""Longer than a service lets its requests finish: after them its loops end, in order."""
LAST_LINES = 15


@dataclass(frozen=True)
class Program:
    name: str
    words: Sequence[str]  # for Python: -m services.identity.main
    environment: Mapping[str, str]
    base_url: str
    log: Path
    pid_file: Path
    own_url: str | None = None
    """Of a replica: where it answers alone, and not whoever of them is free."""
    listeners: Sequence[socket.socket] = ()
    """Bound by us and handed to it: what connects waits for a replica, also while one is replaced."""

    @property
    def ready_url(self) -> str:
        return f"{self.own_url or self.base_url}/readyz"

    @property
    def last_lines(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"  {line}" for line in lines[-LAST_LINES:]) or "  (it wrote nothing)"


class Processes:
    def __init__(self) -> None:
        self._running: dict[str, tuple[Program, Child]] = {}

    def start(self, program: Program, ready_within: float = READY_WITHIN) -> None:
        """Start `program` and wait until it says that it is ready."""
        child = children.start(
            [sys.executable, "-P", *program.words],
            environment=program.environment,
            log=program.log,
            pid_file=program.pid_file,
            folder=CHECKOUT,
            pass_fds=[listener.fileno() for listener in program.listeners],
        )
        self._running[program.name] = (program, child)
        until = time.monotonic() + ready_within
        while (trouble := what_is_wrong(program.ready_url)) is not None:
            if child.poll() is not None:
                raise Unserviceable(f"{program.name} ended while starting ({code_of(child)}):\n{program.last_lines}")
            if time.monotonic() > until:
                late = f"{program.name} was not ready in {ready_within:.0f} s ({trouble})"
                raise Unserviceable(f"{late}:\n{program.last_lines}")
            time.sleep(0.1)

    def stop(self, name: str) -> None:
        _, child = self._running.pop(name)
        children.end(child, within=STOP_WITHIN)

    def kill(self, name: str) -> None:
        """As a crash would; for fault tests."""
        _, child = self._running.pop(name)
        children.kill(child)

    def stop_all(self) -> None:
        for name in reversed(list(self._running)):
            self.stop(name)

    def pid(self, name: str) -> int:
        return self._running[name][1].pid

    def ended(self) -> Iterator[tuple[Program, str]]:
        """Which of them ended by themselves, and how."""
        for program, child in list(self._running.values()):
            if child.poll() is not None:
                yield program, f"{program.name} ended by itself ({code_of(child)})"

    def refuse_if_one_ended(self) -> None:
        """A process that ends by itself is a fault worth seeing at once."""
        for program, how in self.ended():
            raise Unserviceable(f"{how}:\n{program.last_lines}")


def what_is_wrong(url: str) -> str | None:
    """Nothing, when `url` answers well."""
    try:
        # asked ten times a second, and plain HTTP: reading the certificates of the world takes 30 ms each time
        with httpx.Client(trust_env=False, timeout=2, verify=False) as client:  # noqa: S501
            answer = client.get(url)
    except httpx.TransportError as error:
        return str(error) or type(error).__name__
    return None if answer.is_success else f"it answers {answer.status_code} {answer.text}"


def code_of(child: Child) -> str:
    code = child.returncode
    return f"signal {-code}" if code < 0 else f"exit code {code}"
