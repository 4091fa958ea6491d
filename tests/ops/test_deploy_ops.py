"""What operators do on a server with Docker, by the very command lines and variables of the compose file, without
Docker: with what the Dockerfile copies, without any package that is not in the image's lock, on a real PostgreSQL.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import packages_distributions
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from ops.stack.infrastructure import POSTGRES_VARIABLE, Infrastructure, temporary_place
from ops.stack.places import CHECKOUT
from ops.stack.ports import LOOPBACK
from shared.runtime.database import AUDITOR, DATABASE, with_database
from tests.ops.compose import command_line, copied, told, variables_of_a_server

CALLED = "docker compose run --rm ops"
FOLLOWERS = ("exemption", "notification")


@dataclass
class Server:
    """Where the containers of the compose file would run; `hosts` are the names that its network would give."""

    image: Path
    variables: dict[str, str]
    hosts: dict[str, str]

    def command(self, name: str, *words: str, **changed: str) -> tuple[list[str], dict[str, str]]:
        environment = told(name, self.variables)
        for host, place in self.hosts.items():
            environment = {key: value.replace(host, place) for key, value in environment.items()}
        image = {"PATH": os.defpath, "PYTHONPATH": str(self.image)}  # and its bytecode: these are many processes
        return command_line(name, *words), {**image, **environment, **changed}

    def run(self, name: str, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        command, environment = self.command(name, *words, **changed)
        return subprocess.run(command, env=environment, cwd=self.image, capture_output=True, text=True, check=False)

    def ops(self, *words: str, **changed: str) -> subprocess.CompletedProcess[str]:
        return self.run("ops", *words, **changed)

    def only(self, role: str) -> str:
        """ZIKAO_ROLE_URLS with one of its roles."""
        urls = json.loads(self.command("ops")[1]["ZIKAO_ROLE_URLS"])
        return json.dumps({role: urls[role]})


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What of the checkout is in the image; packages that are not there cannot be imported."""
    folder = tmp_path_factory.mktemp("image")
    for room in copied():
        if (CHECKOUT / room).is_dir():
            shutil.copytree(CHECKOUT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    locked = set(re.findall(r"^([a-z0-9.-]+)==", (CHECKOUT / "requirements/runtime.lock").read_text(), re.MULTILINE))
    for module, distributions in packages_distributions().items():
        if not module.startswith("_") and not locked & {re.sub(r"[-_.]+", "-", each).lower() for each in distributions}:
            (folder / f"{module}.py").write_text("raise ImportError('not in the image')\n")
    return folder


@pytest.fixture(scope="module")
def elsewhere(image: Path) -> Server:
    """A server whose PostgreSQL and identity do not answer."""
    nobody = f"{LOOPBACK}:1"
    return Server(image, variables_of_a_server(), {"postgres:5432": nobody, "identity:8000": nobody})


@pytest.fixture(scope="module")
def server(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Prepared by the one-shot, and identity runs. A PostgreSQL of our own: roles get new passwords there."""
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.delenv(POSTGRES_VARIABLE, raising=False)
        with temporary_place() as place, Infrastructure(place) as infra:
            address = urlsplit(infra.postgres_admin_url)
            identity = f"{LOOPBACK}:{infra.ports.of('identity')}"
            hosts = {
                "@postgres:5432": f"@{address.hostname}:{address.port}",
                "//identity:8000": f"//{identity}",
                "@rabbitmq:5672": "@127.0.0.1:1",
            }
            there = Server(image, variables_of_a_server(), hosts)
            prepared = there.run("prepare", ZIKAO_POSTGRES_ADMIN_URL=infra.postgres_admin_url)
            assert prepared.returncode == 0, prepared.stderr
            there.variables["admin"] = with_database(infra.postgres_admin_url, DATABASE)
            with running_identity(there, identity, tmp_path_factory.mktemp("identity")):
                yield there


@contextmanager
def running_identity(server: Server, address: str, folder: Path) -> Iterator[None]:
    own = {"ZIKAO_HOST": LOOPBACK, "ZIKAO_PORT": address.partition(":")[2], "ZIKAO_BLOBS": str(folder / "blobs")}
    command, environment = server.command("identity", **own)
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, env=environment, cwd=server.image, stdout=log, stderr=log)
        try:
            for _ in range(600):
                assert process.poll() is None, (folder / "log").read_text()
                try:
                    if httpx.get(f"http://{address}/readyz").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.1)
            yield
        finally:
            process.terminate()
            process.wait(60)


@pytest.fixture(scope="module")
def administrator(server: Server) -> str:
    """What the one-time command said."""
    said = server.ops("admin", "first")
    assert said.returncode == 0, said.stderr
    return said.stdout


@pytest.fixture
async def stream(server: Server, administrator: str) -> str:
    """A stream of identity that waits for a person, in both services that follow identity."""
    owner = await asyncpg.connect(server.variables["admin"])
    stream = str(await owner.fetchval("select stream from identity.events order by seq desc limit 1"))
    for service in FOLLOWERS:
        await owner.execute(f"insert into {service}.inbox values ('identity', $1, 0)", stream)
        await owner.execute(
            f"insert into {service}.parked "
            "(source, stream, version, latest, type, event_id, reason, detail, parked_at) "
            "select 'identity', stream, version, version, type, event_id, 'ZeroDivisionError', 'at a line', now() "
            "from identity.events where stream = $1 and version = 1",
            stream,
        )
    await owner.close()
    return stream


@pytest.mark.servers
def test_the_first_administrator_is_made_once_and_the_code_is_shown(server: Server, administrator: str) -> None:
    assert re.search(r"is the first administrator\. Activation code: \S{6,}\n$", administrator)
    again = server.ops("admin", "first", "--login", "another")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.endswith("The first administrator has been made already.\n"), again.stderr


@pytest.mark.servers
def test_what_waits_is_listed_shown_tried_again_and_passed_over_by_somebody_with_a_name(
    server: Server, stream: str
) -> None:
    listed = server.ops("parked", "list")
    assert listed.returncode == 1, listed.stderr
    assert "2 streams wait, 2 of them for a person" in listed.stdout
    shown = server.ops("parked", "show", "exemption", "identity", stream)
    assert f"{CALLED} parked retry exemption identity {stream}" in shown.stdout, shown.stderr
    again = server.ops("parked", "retry", "exemption", "identity", stream)
    assert again.returncode == 0, again.stderr
    resolve = ("parked", "resolve", "notification", "identity", stream, "1", "--reason", "done_by_hand")
    nobody = server.ops(*resolve)
    assert nobody.returncode == 2, "the user of a container is nobody in particular"
    assert "--by" in nobody.stderr
    resolved = server.ops(*resolve, "--by", "zhang")
    assert resolved.returncode == 0, resolved.stderr
    assert "ops:zhang, done_by_hand" in resolved.stdout
    nothing = server.ops("parked", "list", "--json")
    assert nothing.returncode == 0, nothing.stderr
    assert {each["service"]: each["kind"] for each in json.loads(nothing.stdout)} == {
        "exemption": "not_yet",
        "notification": "going_on",
    }
    verified = server.ops("audit", "verify")
    assert "notification: 1 events, 1 streams" in verified.stdout, verified.stderr


@pytest.mark.servers
@pytest.mark.parametrize(
    ("words", "role", "said"),
    [
        (("audit", "verify"), AUDITOR, "0 findings"),
        (("parked", "list", "--json"), AUDITOR, "[]"),
        (("cycles", "list", "--json"), AUDITOR, "[]"),
        (("replay", "rebuild", "identity", "--diff"), "identity", ", 0 differences"),
        (("replay", "rebuild", "identity"), "identity", "rows rebuilt and put in place"),
    ],
)
async def test_a_command_needs_the_one_role_that_it_acts_as_and_not_the_owner(
    server: Server, administrator: str, words: tuple[str, ...], role: str, said: str
) -> None:
    owner = await asyncpg.connect(server.variables["admin"])
    for service in FOLLOWERS:
        await owner.execute(f"delete from {service}.parked")
    await owner.close()
    answer = server.ops(*words, ZIKAO_ROLE_URLS=server.only(role))
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert said in answer.stdout
    other = "exemption" if role == AUDITOR else AUDITOR
    without = server.ops(*words, ZIKAO_ROLE_URLS=server.only(other))
    assert without.returncode == 1
    assert f"an address for the role {role}" in " ".join(without.stdout.split())
    assert server.variables[f"ZIKAO_ROLE_{other.upper()}"] not in without.stdout + without.stderr


@pytest.mark.servers
def test_a_case_is_asked_for_as_the_auditor(server: Server, administrator: str) -> None:
    answer = server.ops("audit", "trail", "no-such-case", ZIKAO_ROLE_URLS=server.only(AUDITOR))
    assert (answer.returncode, answer.stderr) == (1, "There is no event of a case 'no-such-case'.\n")


def test_without_words_the_container_says_what_it_can_do(elsewhere: Server) -> None:
    answer = elsewhere.ops()
    assert answer.returncode == 0, answer.stderr
    assert f"Usage: {CALLED}" in answer.stdout
    for command in ("audit", "parked", "replay", "schemes", "admin"):
        assert f" {command} " in answer.stdout
    for command in ("demo", "bench", "soak"):
        assert f" {command} " not in answer.stdout


def test_the_books_in_the_image_are_proved_and_listed(elsewhere: Server) -> None:
    for word in ("check", "list"):
        answer = elsewhere.ops("schemes", word)
        assert answer.returncode == 0, answer.stderr
        assert "platform" in answer.stdout


def test_a_book_that_cannot_be_frozen_here_is_frozen_in_a_checkout(elsewhere: Server, tmp_path: Path) -> None:
    shelf = tmp_path / "books"
    shutil.copytree(CHECKOUT / "shared" / "schemes" / "books", shelf)
    (shelf / "published.yaml").unlink()
    (shelf / "published.yaml").symlink_to(tmp_path / "nowhere" / "published.yaml")
    answer = elsewhere.ops("schemes", "publish", "platform", "swust/1x@1", "--shelf", str(shelf))
    assert answer.returncode == 1
    assert "publish in a checkout" in answer.stderr
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("words", [("parked", "list"), ("audit", "verify"), ("admin", "first")])
def test_what_does_not_answer_is_said_in_a_sentence(elsewhere: Server, words: tuple[str, ...]) -> None:
    answer = elsewhere.ops(*words)
    assert answer.returncode == 1
    said = " ".join((answer.stdout + answer.stderr).split())
    assert "The database cannot be read as the role auditor" in said or "Identity does not answer" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("urls", ["{'auditor'", "[]", '"auditor"', "{}"])
def test_addresses_that_cannot_be_read_are_not_repeated(elsewhere: Server, urls: str) -> None:
    answer = elsewhere.ops("audit", "verify", ZIKAO_ROLE_URLS=urls)
    assert answer.returncode == 1
    assert "ZIKAO_ROLE_URLS must be JSON with an address for the role auditor." in " ".join(answer.stdout.split())
    assert urls not in answer.stdout + answer.stderr
