"""RabbitMQ and its Erlang, unpacked from Debian's packages into a folder of ours. Used by `rabbitmq.py`.

One that is installed already is used from where it is: its programs only, never its server, settings or data. Else apt
verifies and downloads, dpkg unpacks; nothing of the system is installed, started or changed. Everything runs as the
servers' user with folders of its own, so root and an ordinary user take the same way.
"""
# ruff: noqa: S603, S607 starting programs is what this is for

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.stack.places import Place, Unserviceable, open_to_read

ROOT_PACKAGE = "rabbitmq-server"
SYSTEM = Path("/")
OURS = re.compile(r"rabbitmq-server|erlang-[a-z0-9-]+")
LIBRARY = re.compile(r"lib[a-z0-9.+-]+")
NEVER = {"libc6"}  # another C library than the system's would break every program started with it
WHAT_TO_DO = "run `apt-get install rabbitmq-server`, or set ZIKAO_AMQP_URL to a RabbitMQ that runs"


@dataclass(frozen=True)
class Software:
    """A folder that looks like `/` and holds RabbitMQ and Erlang; or `/` itself."""

    root: Path

    @property
    def complete(self) -> bool:
        return (
            any(self.root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin")) and (self.erlang / "erl_call").exists()
        )

    @property
    def scripts(self) -> Path:
        return next(self.root.glob("usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin"))

    @property
    def erlang(self) -> Path:
        return self.root / "usr/lib/erlang/bin"

    @property
    def epmd(self) -> Path:
        return next(self.root.glob("usr/lib/erlang/erts-*/bin/epmd"))

    @property
    def libraries(self) -> str:
        """For LD_LIBRARY_PATH: shared libraries that the system lacked; empty as a rule."""
        if self.root == SYSTEM:
            return ""
        return ":".join(sorted({str(found.parent) for found in self.root.glob("**/*-linux-gnu*/lib*.so.*")}))


def rabbitmq_software(place: Place, system: Path = SYSTEM) -> Software:
    """What is there, or unpacked on first use (34 MB to download) and kept for every later run."""
    if found := found_rabbitmq(place, system):
        return found
    _unpack(place, _root(place))
    return Software(_root(place))


def found_rabbitmq(place: Place, system: Path = SYSTEM) -> Software | None:
    """Ours first, so that a node's data always meet the version that wrote them."""
    return next((each for each in (Software(_root(place)), Software(system)) if each.complete), None)


def _root(place: Place) -> Path:
    return place.software / "rabbitmq"


def _unpack(place: Place, root: Path) -> None:
    work = place.give_to_servers(place.software / f"rabbitmq.{os.getpid()}")
    try:
        Apt(place, work).fetch()
        tree = work / "root"
        tree.mkdir()
        for package in sorted((work / "packages").glob("*.deb")):
            subprocess.run(["dpkg", "-x", package, tree], check=True, capture_output=True, text=True)
        _tell_erlang_where_it_lives(tree, root)
        open_to_read(tree)
        if not root.exists():  # another run may have been quicker
            tree.rename(root)
    except subprocess.CalledProcessError as error:
        said = error.stderr.strip().splitlines() or ["no reason given"]
        raise Unserviceable(f"RabbitMQ could not be unpacked ({said[-1]}); {WHAT_TO_DO}.") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _tell_erlang_where_it_lives(tree: Path, root: Path) -> None:
    script = tree / "usr/lib/erlang/bin/erl"
    script.write_text(script.read_text().replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={root}/usr/lib/erlang"))


class Apt:
    """apt with a cache, and if need be package lists, of its own, run without privileges."""

    def __init__(self, place: Place, work: Path) -> None:
        for tool in ("apt-get", "apt-cache", "dpkg"):
            if shutil.which(tool) is None:
                raise Unserviceable(f"There is no RabbitMQ here and no {tool} to fetch it with; {WHAT_TO_DO}.")
        self._place = place
        self._packages, self._state, self._cache = (
            place.give_to_servers(work / name) for name in ("packages", "state", "cache")
        )
        self._options = ["-o", f"Dir::Cache={self._cache}"]

    def fetch(self) -> None:
        """The system's lists are tried first: fresh ones are needed only where those are missing or out of date."""
        try:
            self._download()
        except subprocess.CalledProcessError:
            self._options += ["-o", f"Dir::State={self._state}", "-o", "Dir::State::status=/var/lib/dpkg/status"]
            self._run("apt-get", "update")
            self._download()

    def _download(self) -> None:
        programs = {name for name in self._needed_by([ROOT_PACKAGE]) if OURS.fullmatch(name)}
        if "erlang-base" not in programs:  # lists that know nothing answer with nothing
            raise subprocess.CalledProcessError(1, "apt-cache", stderr="Debian's lists have no rabbitmq-server")
        self._run("apt-get", "download", *sorted(programs | self._missing_libraries(programs)))

    def _missing_libraries(self, programs: set[str]) -> set[str]:
        asked = self._run("dpkg-query", "--show", "--showformat", "${db:Status-Status} ${Package}\\n")
        present = {line.removeprefix("installed ") for line in asked.splitlines() if line.startswith("installed ")}

        def lacking(names: set[str]) -> set[str]:
            return {name for name in names if LIBRARY.fullmatch(name)} - present - NEVER

        missing = lacking(self._needed_by(sorted(programs), deeply=False))
        return missing | lacking(self._needed_by(sorted(missing))) if missing else missing

    def _needed_by(self, names: Sequence[str], *, deeply: bool = True) -> set[str]:
        """The packages that `names` depend on, with themselves; alternatives count as needed."""
        leave_out = [
            f"--no-{kind}" for kind in ("recommends", "suggests", "conflicts", "breaks", "replaces", "enhances")
        ]
        said = self._run("apt-cache", "depends", *(["--recurse"] if deeply else []), *leave_out, *names)
        return {line.rpartition(": ")[2].strip(" |") for line in said.splitlines()}

    def _run(self, program: str, *words: str) -> str:
        options = self._options if program.startswith("apt") else []
        asked: subprocess.CompletedProcess[str] = subprocess.run(
            [program, *options, *words],
            check=True,
            capture_output=True,
            text=True,
            cwd=self._packages,
            env={**os.environ, "LC_ALL": "C", "HOME": str(self._cache)},
            **self._place.as_servers,
        )
        return asked.stdout
