"""PostgreSQL and RabbitMQ by `docker-compose.yml`, where a Docker engine answers. `infrastructure.py` asks for them.

Their passwords and ports are made here, and their data are Docker's volumes, so both are named for this place.
"""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from functools import cached_property
from pathlib import Path

from ops.deploy import OUTSIDE_ACCOUNTS, as_environment_file, new_secrets
from ops.stack.places import CHECKOUT, Place, Unserviceable
from ops.stack.ports import LOOPBACK, Ports

VARIABLE = "ZIKAO_DOCKER"
FILES = ("docker-compose.yml", "deploy/loopback.yml")
ANSWERS_WITHIN = 10.0
READY_WITHIN = 600.0  # the images are fetched the first time
INSTEAD = f"{VARIABLE}=off goes without Docker, with data of its own"


def engine_answers() -> bool:
    """A `docker` program without an engine behind it, or without compose, is the same as none. Says nothing."""
    if shutil.which("docker") is None:
        return False
    questions = (["docker", "version", "--format", "{{.Server.Version}}"], ["docker", "compose", "version"])
    try:
        return all(
            subprocess.run(each, capture_output=True, timeout=ANSWERS_WITHIN, check=False).returncode == 0
            for each in questions
        )
    except (OSError, subprocess.TimeoutExpired):
        return False


def chosen(place: Place, ports: Ports) -> Compose | None:
    """Docker's servers, or None for native ones. What a place began with stays, since there its data are.

    A temporary place has native ones: their data go with the folder.
    """
    if os.environ.get(VARIABLE) == "off" or place.data != place.home / "data":
        return None
    compose = Compose(place, ports)
    if compose.was_used:
        if not engine_answers():
            raise Unserviceable(f"The data are in Docker's volumes and no engine answers: start it ({INSTEAD}).")
        return compose
    began_native = (place.data / "postgres" / "cluster").exists()
    return None if began_native or not engine_answers() else compose


def used(place: Place) -> Compose | None:
    """Docker's servers, where this place has had some: for stopping what a killed run left, and for erasing."""
    compose = Compose(place, Ports(place.data / "ports.json"))
    return compose if compose.was_used and os.environ.get(VARIABLE) != "off" else None


class Compose:
    """The two servers of the compose file, on loopback ports of this place."""

    def __init__(self, place: Place, ports: Ports) -> None:
        self._ports = ports
        self._secrets = place.data / "docker.env"
        self._project = f"zikao-{hashlib.sha256(str(place.data).encode()).hexdigest()[:12]}"

    @property
    def was_used(self) -> bool:
        return self._secrets.exists()

    @property
    def postgres_admin_url(self) -> str:
        self._run("up", "--detach", "--wait", "postgres")
        password = self._environment["ZIKAO_POSTGRES_PASSWORD"]
        return f"postgresql://postgres:{password}@{LOOPBACK}:{self._environment['ZIKAO_POSTGRES_PORT']}/postgres"

    @property
    def amqp_url(self) -> str:
        self._run("up", "--detach", "--wait", "rabbitmq")
        password = self._environment["ZIKAO_AMQP_PASSWORD"]
        return f"amqp://zikao:{password}@{LOOPBACK}:{self._environment['ZIKAO_AMQP_PORT']}/zikao"

    def stop(self) -> None:
        """The data stay, and so do the containers."""
        self._run("stop")

    def erase(self) -> None:
        """Containers, data and passwords."""
        self._run("down", "--volumes")
        self._secrets.unlink()

    @cached_property
    def _environment(self) -> dict[str, str]:
        """The caller's without our variables, and a value for each that the files ask for."""
        if not self.was_used:
            self._secrets.touch(mode=0o600)
            self._secrets.write_text(as_environment_file(new_secrets()))
        kept = dict(line.split("=", 1) for line in self._secrets.read_text().splitlines())
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("ZIKAO_")},
            **{name: value.strip("'") for name, value in kept.items()},
            **dict.fromkeys(OUTSIDE_ACCOUNTS, "none"),  # of services that are not started, but nothing may be missing
            "ZIKAO_POSTGRES_PORT": str(self._ports.of("postgres")),
            "ZIKAO_AMQP_PORT": str(self._ports.of("rabbitmq")),
        }

    def _run(self, *words: str) -> None:
        files = [word for name in FILES for word in ("--file", str(Path(CHECKOUT, name)))]
        command = ["docker", "compose", "--project-name", self._project, "--progress", "quiet", *files, *words]
        try:
            done = subprocess.run(
                command,
                env=self._environment,
                capture_output=True,
                text=True,
                timeout=READY_WITHIN,
                check=False,
                stdin=subprocess.DEVNULL,
            )
        except FileNotFoundError:
            raise Unserviceable(f"There is no docker program here any more; {INSTEAD}.") from None
        except subprocess.TimeoutExpired:
            raise Unserviceable(f"Docker took too long for `compose {words[0]}`; {INSTEAD}.") from None
        if done.returncode != 0:
            said = done.stderr.strip().splitlines() or ["no reason given"]
            raise Unserviceable(f"Docker could not do `compose {words[0]}` ({said[-1]}); {INSTEAD}.")
