"""A service that dies again and again: `python -m soak.victim exemption 60 commit.after*3 0.74`.

After its name and the seconds that a life has at most to come to its end, it has as many lives as there are words, and
one more. A word is a point, where that life sends itself SIGKILL when it is there for the n-th time, or the seconds
after which it is killed, from when it listens. Everything else is the service's own entry. `faults.py` starts it in the
place of the real one.

SIGKILL is as near to a power cut as a process comes: nothing is flushed, nothing is said goodbye to. What takes long at
a start is loading the code; that is done once, and each life is a fork of it.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import runpy
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress

import psutil

from shared.runtime.points import LISTENERS

_LOOK = 0.02
_DIE_WITH_PARENT = 1
"""PR_SET_PDEATHSIG of prctl(2)."""


def reached_or_killed(service: str, word: str) -> str:
    """What the log says when a life came to the end that was meant for it."""
    point, _, times = word.partition("*")
    return f"victim: {service} reached {point} {times} times\n" if times else f"victim: {service} killed after {word}\n"


def lives_on(service: str) -> str:
    """What the log says when the last life begins."""
    return f"victim: {service} lives on\n"


def main(service: str, within: float, *words: str) -> None:
    code = f"services.{service}.main"
    importlib.import_module(code)
    del sys.modules[code]  # each life runs it as its entry
    for word in words:
        life = psutil.Process(os.fork() or _live(code, service, word))
        if "*" in word:
            _gone_within(life, within)
        elif any(_listens() for _ in _looks(life, within)) and not _gone_within(life, float(word)):
            _say(reached_or_killed(service, word))
        _kill(life)
    _say(lives_on(service))
    runpy.run_module(code, run_name="__main__", alter_sys=True)


def _live(code: str, service: str, word: str) -> int:
    """In the fork: serves until it dies, and never comes back."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    point, _, times = word.partition("*")
    seen = 0

    def listen(reached: str) -> None:
        nonlocal seen
        seen += reached == point
        if reached == point and seen == int(times):
            _say(reached_or_killed(service, word))
            os.kill(os.getpid(), signal.SIGKILL)

    LISTENERS.append(listen)
    runpy.run_module(code, run_name="__main__", alter_sys=True)
    os._exit(0)


def _say(what: str) -> None:
    # the descriptor itself, since nothing that is buffered would come out
    os.write(2, what.encode())


def _looks(life: psutil.Process, seconds: float) -> Iterator[None]:
    """Again and again while it lives, for so long."""
    ends = time.monotonic() + seconds
    while life.status() != psutil.STATUS_ZOMBIE and time.monotonic() < ends:
        yield
        time.sleep(_LOOK)


def _gone_within(life: psutil.Process, seconds: float) -> bool:
    for _ in _looks(life, seconds):
        pass
    return bool(life.status() == psutil.STATUS_ZOMBIE)


def _listens() -> bool:
    with socket.socket() as asking:
        return asking.connect_ex((os.environ["ZIKAO_HOST"], int(os.environ["ZIKAO_PORT"]))) == 0


def _kill(life: psutil.Process) -> None:
    """With everything it started."""
    for member in (life, *life.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            member.kill()
    os.waitpid(life.pid, 0)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), *sys.argv[3:])
