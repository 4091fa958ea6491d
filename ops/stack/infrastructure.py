"""PostgreSQL and RabbitMQ for a stack or a test run: those named in the environment, else Docker's, else native ones.

`./zikao up`, `demo` and `test` and `tests/conftest.py` all come through here; nothing else needs to know which it is.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self

from ops.stack import docker
from ops.stack.children import Identity, wait_for_leftovers
from ops.stack.packages import found_rabbitmq, rabbitmq_software
from ops.stack.places import Place, Unserviceable, make_private, place_of
from ops.stack.ports import Ports
from ops.stack.postgres import Postgres
from ops.stack.rabbitmq import RabbitMQ

POSTGRES_VARIABLE = "ZIKAO_POSTGRES_ADMIN_URL"
AMQP_VARIABLE = "ZIKAO_AMQP_URL"


class NotOurs(Unserviceable):
    """A server named in the environment is used, never stopped. Tests that would stop it are skipped."""


class Infrastructure:
    """Each server starts when its address is first asked for, and stops when the `with` block ends.

    Blocking: in async code call it through `asyncio.to_thread`.
    """

    def __init__(self, place: Place) -> None:
        place.make()
        self.place = place
        self.ports = Ports(place.data / "ports.json")
        self._given_postgres = os.environ.get(POSTGRES_VARIABLE)
        self._given_amqp = os.environ.get(AMQP_VARIABLE)
        self._own_postgres = Postgres(place, self.ports)
        self._own_rabbitmq = RabbitMQ(place, self.ports)

    def __enter__(self) -> Self:
        wait_for_leftovers(self.place.pids)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._own_rabbitmq.stop()
        self._own_postgres.stop()
        if (compose := self.__dict__.get("_docker")) is not None:  # asked for, so it was started
            compose.stop()

    @cached_property
    def _docker(self) -> docker.Compose | None:
        """Asked only when a server is needed that the environment does not name."""
        return docker.chosen(self.place, self.ports)

    @cached_property
    def postgres_admin_url(self) -> str:
        """An address that may create databases and roles."""
        if self._given_postgres:
            return self._given_postgres
        if self._docker:
            return self._docker.postgres_admin_url
        self._own_postgres.start()
        return self._own_postgres.admin_url

    @cached_property
    def amqp_url(self) -> str:
        """The broker's main vhost."""
        if self._given_amqp:
            return self._given_amqp
        if self._docker:
            return self._docker.amqp_url
        self._own_rabbitmq.start()
        return self._own_rabbitmq.url()

    @property
    def postgres_log(self) -> Path | None:
        """Nothing when the server is not ours, or Docker keeps its log."""
        return None if self._given_postgres or self._docker else self._own_postgres.log

    @property
    def rabbitmq_log(self) -> Path | None:
        return None if self._given_amqp or self._docker else self._own_rabbitmq.log

    @property
    def rabbitmq_is_here(self) -> bool:
        return bool(self._given_amqp or self._docker) or found_rabbitmq(self.place) is not None

    def unpack_rabbitmq(self) -> None:
        rabbitmq_software(self.place)

    def new_vhost(self, name: str) -> str:
        """An empty vhost on our own node. A broker that is not native is used as it is: its one vhost is shared."""
        return self.amqp_url if self._given_amqp or self._docker else self.rabbitmq.new_vhost(name)

    def drop_vhost(self, name: str) -> None:
        if not (self._given_amqp or self._docker):
            self.rabbitmq.drop_vhost(name)

    @property
    def rabbitmq(self) -> RabbitMQ:
        """Our own node, running, for tests that stop it or kill it."""
        if self._given_amqp:
            raise NotOurs(f"The broker named by {AMQP_VARIABLE} is not ours to stop; unset it for this.")
        if self._docker:
            raise NotOurs(f"The broker is Docker's; set {docker.VARIABLE}=off for this.")
        _ = self.amqp_url
        return self._own_rabbitmq

    @property
    def postgres(self) -> Postgres:
        """Our own server, running, for tests that stop it or kill it."""
        if self._given_postgres:
            raise NotOurs(f"The server named by {POSTGRES_VARIABLE} is not ours to stop; unset it for this.")
        if self._docker:
            raise NotOurs(f"The server is Docker's; set {docker.VARIABLE}=off for this.")
        _ = self.postgres_admin_url
        return self._own_postgres


@contextmanager
def temporary_place() -> Iterator[Place]:
    """Data folders for one test run, removed when it ends; those of runs that were killed are removed too."""
    place = place_of()
    runs = place.home / "runs"
    for folder in (place.home, runs):
        make_private(folder, place.user)
    with (place.home / "runs.lock").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # so that no other run sweeps ours before it carries our name
        sweep(runs)
        place = replace(place, data=Path(tempfile.mkdtemp(dir=runs, prefix=f"{os.getpid()}-")))
        Identity.of_ourselves().write(place.data / "owner.pid")
    try:
        yield place
    finally:
        shutil.rmtree(place.data)


def sweep(runs: Path) -> None:
    """Remove what killed runs left. Their servers are ending by themselves."""
    for run in runs.iterdir():
        if Identity.read(run / "owner.pid"):
            continue
        wait_for_leftovers(run / "pids")
        shutil.rmtree(run)
