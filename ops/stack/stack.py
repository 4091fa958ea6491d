"""The whole stack on this machine. `./zikao up` and `demo` run it, `down` stops it, journeys have one of their own."""

from __future__ import annotations

import asyncio
import fcntl
import os
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from ops.stack import docker
from ops.stack.children import Identity, wait_for_leftovers
from ops.stack.environment import SANDBOX, Secrets, Surroundings, environment_for, existing_services
from ops.stack.infrastructure import AMQP_VARIABLE, POSTGRES_VARIABLE, Infrastructure, NotOurs, temporary_place
from ops.stack.places import CHECKOUT, Place, Unserviceable
from ops.stack.ports import bound
from ops.stack.processes import Processes, Program
from ops.stack.screen import Row, Screen
from shared.runtime.database import DATABASE, prepare
from shared.runtime.migrate import MigrationChanged

INTERRUPTED = 130
"""How a command of ours ends after a Ctrl-C, as shells have it."""
MOST_REPLICAS = 6
"""As many as our PostgreSQL has connections for."""


class Stack:
    """A running stack. `base_url("exemption")` is where to talk to it; `processes` and `infra` are for fault tests."""

    def __init__(self, infra: Infrastructure, screen: Screen, replicas: int = 1) -> None:
        self.infra = infra
        self.place = infra.place
        self.secrets = Secrets(infra.place.data / "secrets.json")
        self.processes = Processes()
        self.programs: dict[str, Program] = {}
        """By name: `exemption`, or of several replicas `exemption-1`, `exemption-2`."""
        self._replicas = replicas
        self._urls: dict[str, str] = {}
        self._listeners: list[socket.socket] = []
        self._screen = screen

    def base_url(self, name: str) -> str:
        """Of a service or the sandbox, whatever the number of its replicas."""
        return self._urls[name]

    def start(self) -> None:
        """In order, each ready before the next: servers, database, sandbox, services."""
        step, infra = self._screen.step, self.infra
        services = existing_services()
        with self._screen.steps():
            with step("PostgreSQL", "the server to accept connections"):
                admin_url = infra.postgres_admin_url
            if not infra.rabbitmq_is_here:
                with step("RabbitMQ's packages", "34 MB from Debian, the first time only"):
                    infra.unpack_rabbitmq()
            with step("RabbitMQ", "the node to listen, about ten seconds"):
                amqp_url = infra.amqp_url
            if services:
                with step("database", "roles, schemas and migrations"):
                    self._prepare_database(admin_url, services)
            self.programs = self._programs(services, admin_url, amqp_url)
            for program in self.programs.values():
                with step(program.name, program.ready_url):
                    self.processes.start(program)

    def _prepare_database(self, admin_url: str, services: tuple[str, ...]) -> None:
        try:
            with asyncio.Runner() as runner:
                runner.get_loop()  # made first: a Ctrl-C meanwhile would leave a coroutine that nobody awaits
                runner.run(prepare(admin_url, self.secrets.of_roles(services)))
        except MigrationChanged as change:
            ours = POSTGRES_VARIABLE not in os.environ
            afresh = (
                "start afresh with `./zikao down --erase`" if ours else f"drop the database {DATABASE} on your server"
            )
            raise Unserviceable(
                f"The database was made by another version of the code ({change}); "
                f"go back to that version, or {afresh}."
            ) from None

    def restart(self, name: str) -> None:
        """Start again what a fault test has ended: a service, or one of its replicas."""
        self.processes.start(self.programs[name])

    def look_after(self) -> None:
        """Called again and again: a process that ended by itself is replaced where others carry on meanwhile; otherwise
        that is the end of the stack."""
        if self._replicas == 1:
            self.processes.refuse_if_one_ended()
        for program, how in self.processes.ended():
            self._screen.say(f"{how} and is started again; '{program.log}' says why.")
            self.processes.start(program)

    def stop(self) -> None:
        """All processes; the servers are the infrastructure's."""
        self.processes.stop_all()
        for listener in self._listeners:
            listener.close()

    def rows(self) -> list[Row]:
        infra = self.infra
        return [
            Row("PostgreSQL", "ready", _without_password(infra.postgres_admin_url), infra.postgres_log),
            Row("RabbitMQ", "ready", _without_password(infra.amqp_url), infra.rabbitmq_log),
            *(Row(name, "ready", _addresses(program), program.log) for name, program in self.programs.items()),
        ]

    def _programs(self, services: tuple[str, ...], admin_url: str, amqp_url: str) -> dict[str, Program]:
        modules = {SANDBOX: "sandbox.main"} if (CHECKOUT / "sandbox" / "main.py").exists() else {}
        modules |= {service: f"services.{service}.main" for service in services}
        ports = {name: self.infra.ports.of(name) for name in modules}
        around = Surroundings(self.place, self.secrets, admin_url, amqp_url, ports)
        self._urls = {name: around.base_url(name) for name in modules}
        alone = {
            name: Program(
                name=name,
                words=("-m", module),
                environment=environment_for(name, around),
                base_url=around.base_url(name),
                log=self.place.logs / f"{name}.log",
                pid_file=self.place.pids / f"{name}.pid",
            )
            for name, module in modules.items()
        }
        if self._replicas == 1:
            return alone
        programs = [alone.pop(SANDBOX)] if SANDBOX in alone else []  # the outside world is one
        programs += [replica for program in alone.values() for replica in self._replicas_of(program)]
        return {program.name: program for program in programs}

    def _replicas_of(self, program: Program) -> Iterator[Program]:
        """All listen at the service's one socket, so the kernel deals connections out; each also has its own, where
        its health and its metrics are asked for."""
        shared = self._bound(urlsplit(program.base_url).port or 0)
        for number in range(1, self._replicas + 1):
            name, own = f"{program.name}-{number}", self._bound(0)
            yield replace(
                program,
                name=name,
                environment={**program.environment, "ZIKAO_LISTEN_FDS": f"{shared.fileno()},{own.fileno()}"},
                log=self.place.logs / f"{name}.log",
                pid_file=self.place.pids / f"{name}.pid",
                own_url="http://{}:{}".format(*own.getsockname()),
                listeners=(shared, own),
            )

    def _bound(self, port: int) -> socket.socket:
        self._listeners.append(listener := bound(port))
        return listener


@contextmanager
def running_stack(place: Place, screen: Screen, replicas: int = 1) -> Iterator[Stack]:
    """Everything up inside the block, everything down after it, however it ends."""
    place.make()
    stopping = screen.passing("Stopping ...")
    with only_one(place), ExitStack() as last:
        last.callback(stopping.stop)
        stack = Stack(last.enter_context(Infrastructure(place)), screen, replicas)
        try:
            stack.start()
            yield stack
        finally:
            stopping.start()
            stack.stop()


@contextmanager
def stack_of_its_own(screen: Screen, replicas: int = 1) -> Iterator[Stack]:
    """In a temporary place, on servers that nobody else uses: for what fills it with made-up people, or breaks it."""
    if named := sorted({POSTGRES_VARIABLE, AMQP_VARIABLE} & os.environ.keys()):
        raise NotOurs(f"This wants servers of its own, which it fills and stops: unset {' and '.join(named)} for it.")
    with temporary_place() as place, running_stack(place, screen, replicas) as stack:
        yield stack


@contextmanager
def only_one(place: Place) -> Iterator[None]:
    """One stack per place. The lock is the kernel's, so it never outlives its holder."""
    with _lock_file(place).open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Unserviceable("Zikao already runs here: `./zikao down` stops it.") from None
        Identity.of_ourselves().write(_lock_file(place))
        yield
        lock.truncate(0)


def bring_down(place: Place) -> bool:
    """Stop the stack that runs in this place, whoever started it. False when none did."""
    running = Identity.read(_lock_file(place))
    if running:
        running.end(within=150.0)  # its processes one after the other, then the servers
    wait_for_leftovers(place.pids)
    if compose := docker.used(place):
        compose.stop()
    return running is not None


def erase(place: Place) -> None:
    """Remove the data of the stack; unpacked software stays.

    A database on somebody's own server is not ours to drop, and the keys that are here are what makes it readable.
    """
    if POSTGRES_VARIABLE in os.environ:
        raise NotOurs(
            f"The events are on the server that {POSTGRES_VARIABLE} names, and their keys in '{place.data}': "
            f"drop the database {DATABASE} there yourself, then run this without {POSTGRES_VARIABLE}."
        )
    if compose := docker.used(place):
        compose.erase()
    if place.data.exists():
        shutil.rmtree(place.data)


def _lock_file(place: Place) -> Path:
    return place.data / "stack.pid"


def stop_on_signals() -> None:
    """A closed terminal and `./zikao down` end us as Ctrl-C does; once stopping, nothing interrupts it."""
    ending = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def stop(*_: object) -> None:
        for sign in ending:
            signal.signal(sign, signal.SIG_IGN)
        raise KeyboardInterrupt

    for sign in ending:
        signal.signal(sign, stop)


def _addresses(program: Program) -> str:
    own = f", itself :{urlsplit(program.own_url).port}" if program.own_url else ""
    return program.base_url + own


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
