"""A disk that is full, for ordinary users too: no file of some processes may grow beyond a size.

The kernel then answers EFBIG where a full disk answers ENOSPC and a full quota EDQUOT, after writing what fits. Near
enough: PostgreSQL itself ignores the signal that comes with it so that such a limit works like a full disk.
"""

import resource
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from ops.stack.places import Place

WAL_SEGMENT = 16 * 2**20
"""PostgreSQL's log must go on: where that is full the server ends and is started again, which is another test."""


@contextmanager
def our_files_at_most(size: int) -> Iterator[None]:
    """For this process."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextmanager
def postgres_files_at_most(size: int, backend: int, place: Place) -> Iterator[None]:
    """For the whole server that `backend` serves in, and every process it starts meanwhile."""
    postmaster = psutil.Process(backend).parent()
    assert postmaster is not None
    _limit(postmaster, str(size), place)
    try:
        yield
    finally:
        _limit(postmaster, "unlimited", place)


def _limit(postmaster: psutil.Process, size: str, place: Place) -> None:
    """As the servers' user, who may do so without any privilege. The parent first, so that no child is missed."""
    _prlimit(postmaster.pid, size, place)
    for child in postmaster.children():
        _prlimit(child.pid, size, place)


def _prlimit(pid: int, size: str, place: Place) -> None:
    told = subprocess.run(
        ["prlimit", "--pid", str(pid), f"--fsize={size}:"],  # of util-linux, as setpriv is
        capture_output=True,
        check=False,
        **place.as_servers,
    )
    assert told.returncode == 0 or not psutil.pid_exists(pid), told.stderr
