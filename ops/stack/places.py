"""Where this checkout keeps its environment, its unpacked servers and its data.

Read by the launcher before anything is installed, so only the standard library here.
"""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import hashlib
import os
import pwd
import re
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
FALLBACK_PARENT = Path("/var/tmp")  # noqa: S108 it survives a reboot, and what we make there is closed to others
# RabbitMQ's start scripts split their own path at spaces, and Erlang reads others by locale.
PLAIN_PATH = re.compile(r"[A-Za-z0-9/._+@=-]+")


class Unserviceable(Exception):
    """This machine cannot do what is asked. The message is one sentence for a person: what is wrong and what to do."""


@dataclass(frozen=True)
class ServerUser:
    """The unprivileged user that PostgreSQL and RabbitMQ run as when we are root."""

    name: str
    uid: int
    gid: int

    def can_enter(self, path: Path) -> bool:
        """Ask the kernel, not the mode bits: a parent folder, an ACL or a mount may say no."""
        ask = ["test", "-x", str(path)]
        asked = subprocess.run(ask, user=self.uid, group=self.gid, extra_groups=[], cwd="/", check=False)
        return asked.returncode == 0


def server_user() -> ServerUser | None:
    """Nobody needs to be found for an ordinary user: the servers then run as that user."""
    if os.geteuid() != 0:
        return None
    name = os.environ.get("ZIKAO_SERVER_USER", "nobody")
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        raise Unserviceable(
            f"There is no user '{name}' to run the servers as; name one in ZIKAO_SERVER_USER."
        ) from None
    return ServerUser(found.pw_name, found.pw_uid, found.pw_gid)


@dataclass(frozen=True)
class Place:
    """The folders of one stack. `home` is shared by all runs of this checkout, `data` belongs to one of them."""

    home: Path
    data: Path
    user: ServerUser | None

    @property
    def as_servers(self) -> dict[str, Any]:
        """For `subprocess`: run it without our privileges."""
        return {"user": self.user.uid, "group": self.user.gid, "extra_groups": []} if self.user else {}

    @property
    def software(self) -> Path:
        """Servers that we unpacked ourselves: made once, read by every run."""
        return self.home / "software"

    @property
    def logs(self) -> Path:
        return self.data / "logs"

    @property
    def pids(self) -> Path:
        return self.data / "pids"

    def make(self) -> None:
        for folder in (self.home, self.software, self.data, self.logs, self.pids):
            make_private(folder, self.user)

    def give_to_servers(self, folder: Path) -> Path:
        """A folder that only the servers' user (and root) can read or write."""
        folder.mkdir(mode=0o700, exist_ok=True)
        if self.user:
            os.chown(folder, self.user.uid, self.user.gid)
        return folder

    def write_for_servers(self, file: Path, text: str) -> None:
        """A secret or a setting that the servers' user may read, in a folder where only we can put files."""
        file.touch(mode=0o600)
        file.write_text(text)
        if self.user:
            os.chown(file, self.user.uid, self.user.gid)


def make_private(folder: Path, user: ServerUser | None) -> None:
    """Closed to everybody but us; the servers' group may pass through, to reach the folders that are theirs."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = folder.lstat()
    if not stat.S_ISDIR(owner.st_mode) or owner.st_uid != os.geteuid():
        raise Unserviceable(f"'{folder}' belongs to somebody else; remove it, or work from another folder.")
    if user:
        os.chown(folder, -1, user.gid)
    folder.chmod(0o710 if user else 0o700)


def open_to_read(folder: Path) -> None:
    """Programs that are nobody's secret: whatever umask they were made under, everybody may read and run them."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            mode = path.stat().st_mode & 0o7777
            path.chmod(mode | (mode & 0o500) >> 3 | (mode & 0o500) >> 6)


def home_of(checkout: Path = CHECKOUT, user: ServerUser | None = None) -> Path:
    """`.zikao` in the checkout; elsewhere when we may not write there or a server process could not work there."""
    here = checkout / ".zikao"
    writable = os.access(here if here.exists() else checkout, os.W_OK)
    mine = not here.exists() or here.stat().st_uid == os.geteuid()
    reachable = user is None or user.can_enter(checkout)
    if writable and mine and reachable and PLAIN_PATH.fullmatch(str(here)):
        return here
    return fallback_of(checkout)


def fallback_of(checkout: Path) -> Path:
    digest = hashlib.sha256(f"{checkout}\0{os.geteuid()}".encode()).hexdigest()[:12]
    return FALLBACK_PARENT / f"zikao-{digest}"


def environment_of(checkout: Path = CHECKOUT) -> Path:
    """The virtual environment: `.venv` in the checkout, or in the fallback place when we may not write here."""
    here = checkout / ".venv"
    if os.access(here if here.exists() else checkout, os.W_OK):
        return here
    return fallback_of(checkout) / "venv"


def place_of(checkout: Path = CHECKOUT) -> Place:
    user = server_user()
    home = home_of(checkout, user)
    return Place(home=home, data=home / "data", user=user)
