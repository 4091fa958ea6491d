"""A private RabbitMQ node on loopback. `infrastructure.py` runs it.

The node, its epmd (Erlang's name server), its user, its cookie and its data are our own; whatever RabbitMQ the machine
runs is neither used nor disturbed. Administration goes through `erl_call`, which takes milliseconds where `rabbitmqctl`
takes seconds, so that a vhost per test module costs nothing.
"""
# ruff: noqa: S603 starting programs is what this is for

from __future__ import annotations

import os
import re
import secrets
import socket
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote

from ops.stack import children
from ops.stack.children import Child
from ops.stack.packages import Software, rabbitmq_software
from ops.stack.places import Place, Unserviceable
from ops.stack.ports import LOOPBACK, Ports

USER = "zikao"
NODE = "zikao@localhost"
READY_WITHIN = 300.0
STOP_WITHIN = 30.0
VHOST = re.compile(r"[a-z0-9_.-]{1,100}")
CONFIGURATION = """\
listeners.tcp.1 = {host}:{port}
default_user = {user}
default_pass = {password}
log.file = false
log.console = true
log.console.level = warning
vm_memory_high_watermark.absolute = 512MiB
disk_free_limit.absolute = 64MB
raft.wal_max_size_bytes = 33554432
"""


class RabbitMQ:
    def __init__(self, place: Place, ports: Ports) -> None:
        self._place = place
        self._ports = ports
        self._folder = place.data / "rabbitmq"
        self._password = place.data / "rabbitmq.password"
        self._node: Child | None = None
        self._epmd: Child | None = None
        self._environment: dict[str, str] = {}
        self._port = 0

    @property
    def running(self) -> bool:
        return self._node is not None and self._node.poll() is None

    def url(self, vhost: str = "/") -> str:
        password = quote(self._password.read_text(), safe="")
        return f"amqp://{USER}:{password}@{LOOPBACK}:{self._port}/{quote(vhost, safe='')}"

    def start(self) -> None:
        software = rabbitmq_software(self._place)
        self._port = self._ports.of("rabbitmq")
        self._configure(software)
        self._epmd = children.start(
            [software.epmd, "-port", self._environment["ERL_EPMD_PORT"], "-address", LOOPBACK],
            environment=self._environment,
            log=self.log,
            pid_file=self._place.pids / "epmd.pid",
            user=self._place.user,
        )
        self._node = children.start(
            [software.scripts / "rabbitmq-server"],
            environment=self._environment,
            log=self.log,
            pid_file=self._place.pids / "rabbitmq.pid",
            user=self._place.user,
        )
        self._wait_until_ready(self._node)

    def stop(self) -> None:
        """Orderly: about six seconds, nothing lost."""
        self._end(lambda child: children.end(child, within=STOP_WITHIN))

    def kill(self) -> None:
        """As a power cut would."""
        self._end(children.kill)

    def new_vhost(self, name: str) -> str:
        """An empty vhost (an old one of that name is dropped first), and the address of it."""
        self.drop_vhost(name)
        self._ask(
            f'rabbit_vhost:add(<<"{name}">>, <<"{USER}">>), '
            f'rabbit_auth_backend_internal:set_permissions(<<"{USER}">>, <<"{name}">>, '
            '<<".*">>, <<".*">>, <<".*">>, <<"zikao">>)'
        )
        return self.url(name)

    def drop_vhost(self, name: str) -> None:
        if not VHOST.fullmatch(name):
            raise ValueError(f"not a name for a vhost: {name!r}")
        self._ask(
            f'case rabbit_vhost:exists(<<"{name}">>) of '
            f'true -> rabbit_vhost:delete(<<"{name}">>, <<"{USER}">>); false -> ok end'
        )

    @property
    def log(self) -> Path:
        return self._place.logs / "rabbitmq.log"

    def _configure(self, software: Software) -> None:
        place, folder = self._place, self._place.give_to_servers(self._folder)
        if not self._password.exists():
            place.write_for_servers(self._password, secrets.token_urlsafe(24))
        settings = CONFIGURATION.format(host=LOOPBACK, port=self._port, user=USER, password=self._password.read_text())
        place.write_for_servers(place.data / "rabbitmq.conf", settings)
        place.write_for_servers(place.data / "rabbitmq.plugins", "[].\n")
        self._environment = {
            "PATH": f"{software.erlang}:{os.defpath}",
            "LD_LIBRARY_PATH": software.libraries,
            "LC_ALL": "C.UTF-8",
            "HOME": str(folder),  # Erlang makes its cookie here
            "ERL_EPMD_PORT": str(self._ports.of("rabbitmq epmd")),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "RABBITMQ_NODENAME": NODE,
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._ports.of("rabbitmq administration")),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(place.data / "rabbitmq.plugins"),
            "RABBITMQ_CONFIG_FILE": str(place.data / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            # No busy waiting, and the administration port on loopback only.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                "+sbwt none +sbwtdcpu none +sbwtdio none -start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
            ),
            # The start script then becomes the node itself, so that our signals reach it.
            "RUNNING_UNDER_SYSTEMD": "true",
        }

    def _wait_until_ready(self, node: Child) -> None:
        """It listens only once its users, vhosts and queues are there."""
        until = time.monotonic() + READY_WITHIN
        while time.monotonic() < until and node.poll() is None:
            with suppress(OSError), socket.create_connection((LOOPBACK, self._port), timeout=1):
                return
            time.sleep(0.1)
        self.kill()
        raise Unserviceable(f"RabbitMQ did not start; '{self.log}' says why.")

    def _end(self, how: Callable[[Child], None]) -> None:
        if self._node:
            how(self._node)
        if self._epmd:
            children.kill(self._epmd)  # it keeps nothing
        self._node = self._epmd = None

    def _ask(self, expression: str) -> None:
        """Let the node evaluate an Erlang expression that must answer `ok`."""
        said = subprocess.run(
            [
                rabbitmq_software(self._place).erlang / "erl_call",
                *("-address", f"{LOOPBACK}:{self._environment['RABBITMQ_DIST_PORT']}", "-e"),
            ],
            input=f"{expression}.\n",
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
            env=self._environment,
            **self._place.as_servers,
        )
        if said.returncode != 0 or said.stdout.strip() != "{ok, ok}":
            raise RuntimeError(f"RabbitMQ did not do {expression}: {said.stdout}{said.stderr}")
