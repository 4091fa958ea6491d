"""Child processes: ended gently, then not; recognised for what they are; gone when we are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil

from ops.stack import children
from ops.stack.children import Identity, wait_for_leftovers
from ops.stack.places import CHECKOUT

ENVIRONMENT = {"PATH": os.defpath}
DEAF = "trap '' TERM; echo deaf; while :; do sleep 0.1; done"
ORPHAN = """
import os, sys
from pathlib import Path
from ops.stack import children
folder = Path(sys.argv[1])
command = ["sh", "-c", "echo up; exec sleep 60"]
children.start(command, environment={"PATH": os.defpath}, log=folder / "log", pid_file=folder / "orphan.pid")
while not (folder / "log").read_text():  # before, it has not yet asked the kernel to die with us
    pass
os.kill(os.getpid(), 9)
"""


def wait_for(file: Path, text: str) -> None:
    until = time.monotonic() + 60
    while text not in file.read_text():
        assert time.monotonic() < until
        time.sleep(0.02)


def test_output_is_appended_and_the_environment_is_only_what_is_given(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    child = children.start(["env"], environment={"PATH": os.defpath, "ONLY": "this"}, log=log)
    assert child.wait(10) == 0
    assert sorted(log.read_text().split()) == sorted(["before", f"PATH={os.defpath}", "ONLY=this"])


def test_a_child_that_does_not_listen_is_killed(tmp_path: Path) -> None:
    child = children.start(["sh", "-c", DEAF], environment=ENVIRONMENT, log=tmp_path / "log")
    wait_for(tmp_path / "log", "deaf")
    children.end(child, within=0.3)
    assert child.returncode == -signal.SIGKILL


def test_killing_takes_the_whole_family(tmp_path: Path) -> None:
    log = tmp_path / "log"
    child = children.start(["sh", "-c", "sleep 60 & echo $!; wait"], environment=ENVIRONMENT, log=log)
    wait_for(log, "\n")
    grandchild = Identity.of(int(log.read_text()))
    assert grandchild is not None
    children.kill(child)
    assert grandchild.wait(5)


def test_killing_takes_what_is_born_while_we_look(tmp_path: Path) -> None:
    """A server that forks for each caller forks on while its children are counted; PostgreSQL starts beside none."""
    log = tmp_path / "log"
    fertile = "for i in $(seq 2000); do sleep 60 & [ $i = 20 ] && echo begun; done; wait"
    child = children.start(["sh", "-c", fertile], environment=ENVIRONMENT, log=log)
    wait_for(log, "begun")
    family = child.pid  # it leads a session of its own
    children.kill(child)
    assert [process for process in psutil.process_iter() if _lives_in(family, process)] == []


def _lives_in(session: int, process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == session and process.status() != psutil.STATUS_ZOMBIE
    except (ProcessLookupError, psutil.NoSuchProcess):
        return False


def test_a_child_dies_with_a_launcher_that_is_killed(tmp_path: Path) -> None:
    launcher = subprocess.run([sys.executable, "-c", ORPHAN, tmp_path], cwd=CHECKOUT, check=False)
    assert launcher.returncode == -signal.SIGKILL
    orphan = Identity.read(tmp_path / "orphan.pid")
    assert orphan is None or orphan.wait(20)  # by the kernel: nobody here has ended it
    wait_for_leftovers(tmp_path)
    assert not list(tmp_path.glob("*.pid"))


def test_a_reused_process_number_is_not_mistaken_for_the_process(tmp_path: Path) -> None:
    us = Identity.of(os.getpid())
    assert us is not None
    us.write(tmp_path / "us.pid")
    assert Identity.read(tmp_path / "us.pid") == us
    Identity(us.pid, us.began - 1).write(tmp_path / "us.pid")
    assert Identity.read(tmp_path / "us.pid") is None


def test_a_torn_pid_file_names_nobody(tmp_path: Path) -> None:
    (tmp_path / "us.pid").write_text("12")
    assert Identity.read(tmp_path / "us.pid") is None
