"""Makes the virtual environment from the hashed lock, then hands over to `ops/main.py` in it. `./zikao` runs this.

Runs before anything is installed, so only the standard library here.
"""
# ruff: noqa: S603, S606 starting programs is what this is for

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
LOCK = CHECKOUT / "requirements" / "dev.lock"

sys.path.insert(0, str(CHECKOUT))
from ops.stack import places  # noqa: E402


def main() -> None:
    try:
        python = ready_environment()
    except places.Unserviceable as reason:
        sys.exit(f"zikao: {reason}")
    # -P: a folder named `ops` where the caller happens to stand is not ours.
    path = os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))
    os.execve(python, [str(python), "-P", "-m", "ops.main", *sys.argv[1:]], {**os.environ, "PYTHONPATH": path})


def ready_environment() -> Path:
    """The environment's Python, after installing what the lock says if that has changed since the last time."""
    environment = places.environment_of()
    python, stamp = environment / "bin" / "python", environment / "zikao.lock.sha256"
    wanted = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    if is_ready(python, stamp, wanted):
        return python
    home = places.place_of().home
    places.make_private(home, places.server_user())
    with (home / "environment.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if not is_ready(python, stamp, wanted):  # another launcher may have done it while we waited
            print("zikao: installing the Python packages, a minute the first time ...", file=sys.stderr, flush=True)
            stamp.unlink(missing_ok=True)
            install(environment, python)
            stamp.write_text(wanted)
    return python


def is_ready(python: Path, stamp: Path, wanted: str) -> bool:
    return python.exists() and stamp.exists() and stamp.read_text() == wanted


def install(environment: Path, python: Path) -> None:
    """uv is many times faster; pip stands in where uv cannot work (a mirror known to pip alone, say)."""
    if not succeeds(python, "-m", "pip", "--version"):
        venv.create(environment, clear=True, with_pip=True)
    if install_uv(python) and succeeds(
        environment / "bin" / "uv", "pip", "sync", "--python", python, "--require-hashes", LOCK
    ):
        return
    done = subprocess.run(
        [python, "-m", "pip", "install", "-q", "--require-hashes", "-r", LOCK],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise places.Unserviceable(f"The packages could not be installed; pip says:\n{done.stderr.strip()}")


def install_uv(python: Path) -> bool:
    """uv itself comes from the same lock, by the same hashes."""
    entry = re.search(r"^uv==(?:.*\\\n)+.*$", LOCK.read_text(), re.MULTILINE)
    if entry is None:
        return False
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(entry.group() + "\n")
        only_uv.flush()
        return succeeds(python, "-m", "pip", "install", "-q", "--no-deps", "--require-hashes", "-r", only_uv.name)


def succeeds(program: Path, *words: str | Path) -> bool:
    try:
        return subprocess.run([program, *words], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


if __name__ == "__main__":
    main()
