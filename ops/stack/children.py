"""Child processes that never outlive us: starting, ending and recognising them.

Used for PostgreSQL, RabbitMQ, the sandbox and the services alike.
"""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from ops.stack.places import ServerUser

# The kernel ends a child when the THREAD that started it ends, so all are started by one that lives as long as we do.
_starter = ThreadPoolExecutor(max_workers=1, thread_name_prefix="children")

Child = subprocess.Popen[bytes]


def start(
    command: Sequence[str | Path],
    *,
    environment: Mapping[str, str],
    log: Path,
    pid_file: Path | None = None,
    user: ServerUser | None = None,
    folder: Path | None = None,
    pass_fds: Collection[int] = (),
    at_our_death: str = "TERM",
) -> Child:
    """Start `command` with exactly this environment, as `user`, its output appended to `log`.

    `pass_fds` are sockets of ours that it keeps under their numbers. `pid_file` lets a later run recognise it
    (`wait_for_leftovers`). It gets a session of its own, so that a Ctrl-C in the terminal reaches only us and we end
    things in order.
    """
    words = ["setpriv", "--pdeathsig", at_our_death]
    if user:
        words += ["--reuid", str(user.uid), "--regid", str(user.gid), "--clear-groups"]
    words += ["--", *map(str, command)]

    def begin() -> Child:
        with log.open("ab") as output:
            return subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=dict(environment),
                cwd=folder or "/",
                start_new_session=True,
                pass_fds=pass_fds,
            )

    child = _starter.submit(begin).result()
    if pid_file and (identity := Identity.of(child.pid)):
        identity.write(pid_file)
    return child


def end(child: Child, *, gently: signal.Signals = signal.SIGTERM, within: float = 10.0) -> None:
    """Ask, wait, then insist."""
    if child.poll() is not None:
        return
    child.send_signal(gently)
    try:
        child.wait(within)
    except subprocess.TimeoutExpired:
        kill(child)


def kill(child: Child) -> None:
    """End `child` and everything it started at once, as a power cut would.

    It is frozen first: a server forks for its callers while its children are counted, and PostgreSQL does not start
    beside a process that an earlier one has left.
    """
    family: list[psutil.Process] = []
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(child.pid)
        _freeze(parent)
        family = [parent, *parent.children(recursive=True)]
    for member in family:
        with suppress(psutil.NoSuchProcess):
            member.kill()
    child.wait()
    psutil.wait_procs(family, timeout=10)


def _freeze(process: psutil.Process) -> None:
    """Stopped is only who has taken notice of it: a fork under way comes to its end before."""
    process.suspend()
    until = time.monotonic() + 1
    while process.status() not in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) and time.monotonic() < until:
        time.sleep(0.001)


@dataclass(frozen=True)
class Identity:
    """A process for good: its number and the tick it began at, so a reused number is not mistaken for it."""

    pid: int
    began: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            return None
        return None if fields[0] == "Z" else cls(pid, int(fields[19]))

    @classmethod
    def of_ourselves(cls) -> Identity:
        us = cls.of(os.getpid())
        assert us is not None  # we are alive
        return us

    @classmethod
    def read(cls, file: Path) -> Identity | None:
        """Who wrote this file, if that process is alive."""
        try:
            pid, began = map(int, file.read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        remembered = cls(pid, began)
        return remembered if remembered.alive else None

    def write(self, file: Path) -> None:
        file.write_text(f"{self.pid} {self.began}\n")

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    def wait(self, seconds: float) -> bool:
        """Whether it was gone in time."""
        until = time.monotonic() + seconds
        while self.alive:
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True

    def end(self, *, gently: signal.Signals = signal.SIGTERM, within: float = 10.0) -> None:
        """For a process that is not our child: one left by a run that was killed, or another terminal's."""
        for sign, seconds in ((gently, within), (signal.SIGKILL, 5.0)):
            if not self.alive:
                return
            with suppress(ProcessLookupError):
                os.kill(self.pid, sign)
            if self.wait(seconds):
                return


def wait_for_leftovers(folder: Path, seconds: float = 30.0) -> None:
    """Processes of a run that was killed were told so by the kernel and are ending: give them the time, not more."""
    for file in folder.glob("*.pid"):
        left = Identity.read(file)
        if left and not left.wait(seconds):
            left.end(gently=signal.SIGKILL)
        file.unlink()
