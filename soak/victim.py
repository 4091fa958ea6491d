"""A service that kills itself at a named point: `python -m soak.victim exemption --at commit.after --times 3`.

Everything else is the service's own entry. `faults.py` starts it in the place of the real one. SIGKILL is as near to a
power cut as a process comes: nothing is flushed, nothing is said goodbye to.
"""

import argparse
import os
import runpy
import signal

from shared.runtime.points import LISTENERS, POINTS


def victim(service: str, at: str, times: int) -> None:
    """Serve until `at` is reached for the `times`-th time."""
    seen = 0

    def listen(point: str) -> None:
        nonlocal seen
        if point == at:
            seen += 1
            if seen == times:
                # the descriptor itself, since nothing that is buffered would come out
                os.write(2, f"victim: {service} reached {at} {seen} times\n".encode())
                os.kill(os.getpid(), signal.SIGKILL)

    LISTENERS.append(listen)
    runpy.run_module(f"services.{service}.main", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    words = argparse.ArgumentParser(description="A service that kills itself at a named point.")
    words.add_argument("service")
    words.add_argument("--at", choices=POINTS, required=True)
    words.add_argument("--times", type=int, default=1)
    given = words.parse_args()
    victim(given.service, given.at, given.times)
