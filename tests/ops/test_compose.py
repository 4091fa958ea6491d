"""The compose file and the Dockerfile say what the code needs. No engine is asked: neither has ever been run."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import yaml
from pydantic_settings import BaseSettings

from ops.deploy import OUTSIDE_ACCOUNTS, as_environment_file, new_secrets
from ops.stack.docker import FILES
from ops.stack.environment import SANDBOX, Secrets, Surroundings, environment_for
from ops.stack.infrastructure import Infrastructure, temporary_place
from ops.stack.places import CHECKOUT, Place
from ops.stack.postgres import find_binaries, version_of
from sandbox.main import Settings as SandboxSettings
from services.identity.settings import IdentitySettings
from services.notification.settings import SmsSettings
from shared import events
from shared.runtime.database import AUDITOR, DATABASE, as_role, with_database
from shared.runtime.settings import Settings
from tests.ops.compose import ASKED, COMPOSE, IMAGE, TEXT, command_line, copied, filled, instructions, service, told

OPS = "ops"
ONE_SHOTS = ("prepare", OPS)
OURS = (*ONE_SHOTS, *events.SERVICES, SANDBOX)
OWN_SETTINGS: dict[str, list[type[BaseSettings]]] = {
    "identity": [Settings, IdentitySettings],
    "exemption": [Settings],
    "notification": [Settings, SmsSettings],
    SANDBOX: [SandboxSettings],
}


def validated(file: Path) -> subprocess.CompletedProcess[str]:
    """By the schema that the Compose Specification publishes."""
    validator = Path(sys.executable).with_name("check-jsonschema")
    command: list[str | Path] = [validator, "--builtin-schema", "vendor.compose-spec", file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("file", FILES)
def test_a_compose_file_follows_the_compose_specification(file: str) -> None:
    said = validated(CHECKOUT / file)
    assert said.returncode == 0, said.stdout + said.stderr


def test_a_mistake_in_a_compose_file_would_be_found(tmp_path: Path) -> None:
    wrong = tmp_path / "docker-compose.yml"
    wrong.write_text(TEXT.replace("depends_on:", "depend_on:"))
    assert validated(wrong).returncode == 1


def test_every_service_there_is_stands_in_the_compose_file_and_nothing_unknown() -> None:
    assert set(COMPOSE["services"]) == {"postgres", "rabbitmq", *OURS}


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_a_service_is_told_whatever_its_settings_need(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as the process would read it, from the variables of the file and no others."""
    for key, value in told(name).items():
        monkeypatch.setenv(key, value)
    for settings in OWN_SETTINGS[name]:
        read = settings()
        required = {field for field, about in settings.model_fields.items() if about.is_required()}
        assert required <= read.model_fields_set


@pytest.mark.parametrize("name", OWN_SETTINGS)
def test_a_service_in_docker_is_told_what_it_is_told_without(name: str, tmp_path: Path) -> None:
    place = Place(home=tmp_path, data=tmp_path, user=None)
    ports = {each: 20000 + number for number, each in enumerate((SANDBOX, *events.SERVICES))}
    around = Surroundings(place, Secrets(tmp_path / "secrets.json"), "postgresql://a@h:1/p", "amqp://h/", ports)
    without = {key for key in environment_for(name, around) if key.startswith("ZIKAO_")}
    optional = {"ZIKAO_OTLP_ENDPOINT", "ZIKAO_PEERS" if name == SANDBOX else ""}
    assert without - optional <= set(service(name)["environment"])


@pytest.mark.parametrize("name", events.SERVICES)
def test_a_service_has_a_role_and_a_secret_of_its_own_and_reaches_every_other(name: str) -> None:
    environment = service(name)["environment"]
    assert environment["ZIKAO_POSTGRES_URL"] == (
        f"postgresql://{name}:${{ZIKAO_ROLE_{name.upper()}}}@postgres:5432/zikao"
    )
    assert f"ZIKAO_SECRET_{name.upper()}:?" in environment["ZIKAO_SERVICE_SECRET"]
    assert json.loads(environment["ZIKAO_PEERS"]) == {each: f"http://{each}:8000" for each in events.SERVICES}


def test_the_one_shot_makes_a_role_for_every_service_and_the_auditor_before_any_starts() -> None:
    passwords = json.loads(told("prepare")["ZIKAO_ROLE_PASSWORDS"])
    assert passwords.keys() == {*events.SERVICES, AUDITOR}
    for name in events.SERVICES:
        assert service(name)["depends_on"]["prepare"] == {"condition": "service_completed_successfully"}
    assert service("prepare")["depends_on"]["postgres"] == {"condition": "service_healthy"}


def test_the_operators_container_has_every_role_that_its_commands_act_as_and_nothing_that_they_do_not_need() -> None:
    """Not the owner's password, nor the broker's, nor what signs tokens, nor the accounts of SMS providers."""
    environment = service(OPS)["environment"]
    urls = json.loads(environment["ZIKAO_ROLE_URLS"])
    assert urls == {
        role: f"postgresql://{role}:${{ZIKAO_ROLE_{role.upper()}}}@postgres:5432/zikao"
        for role in (*events.SERVICES, AUDITOR)
    }
    secrets = {match["name"] for value in environment.values() for match in ASKED.finditer(value)}
    roles = {f"ZIKAO_ROLE_{role.upper()}" for role in urls}
    assert secrets == {*roles, "ZIKAO_KEK", "ZIKAO_BOOTSTRAP_SECRET"}
    assert environment["ZIKAO_IDENTITY_URL"] == json.loads(told("identity")["ZIKAO_PEERS"])["identity"]


def test_the_operators_container_is_run_when_asked_for_and_starts_no_service_and_only_once() -> None:
    assert service(OPS)["profiles"] == [OPS]
    assert service(OPS)["restart"] == "no"
    assert service(OPS)["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "ports" not in service(OPS)
    assert "volumes" not in service(OPS)


def test_the_broker_makes_the_user_that_the_services_sign_in_as() -> None:
    definitions = json.loads(filled(COMPOSE["configs"]["rabbitmq-definitions"]["content"], new_secrets()))
    (user,), (vhost,), (permission,) = (definitions[part] for part in ("users", "vhosts", "permissions"))
    assert told("identity")["ZIKAO_AMQP_URL"].startswith(f"amqp://{user['name']}:")
    assert told("identity")["ZIKAO_AMQP_URL"].endswith(f"@rabbitmq:5672/{vhost['name']}")
    assert (permission["user"], permission["vhost"], user["tags"]) == (user["name"], vhost["name"], [])
    mounted = {each["source"]: each["target"] for each in service("rabbitmq")["configs"]}
    settings = (CHECKOUT / COMPOSE["configs"]["rabbitmq"]["file"]).read_text()
    assert f"load_definitions = {mounted['rabbitmq-definitions']}\n" in settings


def asked_for(text: str) -> Iterator[re.Match[str]]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return ASKED.finditer("\n".join(lines))


def test_a_missing_secret_stops_compose_with_its_name_and_no_secret_has_a_default() -> None:
    needed = {match["name"] for match in asked_for(TEXT) if match["how"] == ":?"}
    others = {match["name"] for match in asked_for(TEXT)} - needed
    assert others == {f"ZIKAO_{name.upper()}_PORT" for name in events.SERVICES}
    assert needed == {*new_secrets(), *OUTSIDE_ACCOUNTS}
    assert all(match["rest"] for match in asked_for(TEXT) if match["how"] == ":?"), "each says what it is"


def test_no_secret_stands_in_a_file() -> None:
    for name in COMPOSE["services"]:
        for key, value in service(name)["environment"].items() if "environment" in service(name) else ():
            if re.search("SECRET|PASSWORD|KEK|TOKEN|KEY_ID|ROLE_URLS", key):
                assert value.startswith(("${", "{")), key
                assert "${" in value, key
    assert ".env\n" in (CHECKOUT / ".gitignore").read_text()


def test_fresh_secrets_are_fresh_and_can_be_read_back_from_their_file() -> None:
    first, second = new_secrets(), new_secrets()
    assert [name for name in first if first[name] == second[name]] == []
    assert not any("'" in value or "\n" in value for value in first.values())
    lines = as_environment_file(first).splitlines()
    assert {line.partition("=")[0]: line.partition("=")[2].strip("'") for line in lines} == first


@pytest.mark.servers
async def test_the_one_shot_prepares_a_database_as_the_file_tells_it_and_changes_nothing_again() -> None:
    with temporary_place() as place, Infrastructure(place) as infra:
        environment = {
            **told("prepare"),
            "ZIKAO_POSTGRES_ADMIN_URL": infra.postgres_admin_url,
            "PYTHONPATH": str(CHECKOUT),
        }
        run = partial(subprocess.run, env=environment, capture_output=True, text=True, check=False)
        for _ in range(2):
            said = await asyncio.to_thread(run, command_line("prepare"))
            assert (said.returncode, said.stdout) == (0, "The database is ready.\n"), said.stderr
        server = with_database(infra.postgres_admin_url, DATABASE)
        passwords = json.loads(environment["ZIKAO_ROLE_PASSWORDS"])
        for name in events.SERVICES:
            connection = await asyncpg.connect(as_role(server, name, passwords[name]))
            assert await connection.fetchval(f"select count(*) from {name}.events") == 0
            await connection.close()


def test_the_one_shot_says_in_a_sentence_what_it_was_not_told() -> None:
    weak = {**json.loads(told("prepare")["ZIKAO_ROLE_PASSWORDS"]), "identity": "p@ss"}
    lacking = {name: password for name, password in weak.items() if name != AUDITOR}
    for given, sentence in (
        ({}, "ZIKAO_ROLE_PASSWORDS is not set"),
        ({"ZIKAO_ROLE_PASSWORDS": json.dumps(lacking)}, "has none for auditor"),
        ({"ZIKAO_ROLE_PASSWORDS": json.dumps(weak)}, "Of identity: 20 or more"),
    ):
        environment = {"PATH": os.defpath, "COLUMNS": "200", **given}
        command = [sys.executable, "-m", "ops.deploy", "prepare"]
        said = subprocess.run(command, env=environment, cwd=CHECKOUT, capture_output=True, text=True, check=False)
        assert said.returncode != 0
        assert sentence in said.stderr
        assert "p@ss" not in said.stderr


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_an_image_has_a_version(name: str) -> None:
    image, _, version = service(name)["image"].partition(":")
    assert image
    assert re.fullmatch(r"\d+(\.\d+)+", version)


def test_the_server_in_docker_is_of_the_version_that_is_tested_without(tmp_path: Path) -> None:
    tested = version_of(find_binaries(Place(home=tmp_path, data=tmp_path, user=None)))
    assert service("postgres")["image"].startswith(f"postgres:{tested}.")


@pytest.mark.parametrize("name", sorted(COMPOSE["services"]))
def test_nothing_runs_as_root_or_can_become_it(name: str) -> None:
    assert service(name)["cap_drop"] == ["ALL"]
    assert service(name)["security_opt"] == ["no-new-privileges:true"]
    if name not in OURS:
        assert service(name)["user"] == name
    else:
        assert "user" not in service(name), "the image says it"


@pytest.mark.parametrize("name", sorted({*COMPOSE["services"]} - {*ONE_SHOTS}))
def test_whether_it_works_is_asked(name: str) -> None:
    assert service(name)["healthcheck"]["test"][0] == "CMD"
    if name in OURS:
        assert "127.0.0.1:8000/readyz" in service(name)["healthcheck"]["test"][-1]
        assert service(name)["environment"]["ZIKAO_PORT"] == "8000"


def test_ports_are_open_on_loopback_only() -> None:
    both = [*COMPOSE["services"].values(), *yaml.safe_load((CHECKOUT / FILES[1]).read_text())["services"].values()]
    ports = [port for each in both for port in each.get("ports", ())]
    assert len(ports) == len(events.SERVICES) + 2
    assert all(port.startswith("127.0.0.1:") for port in ports)


@pytest.mark.parametrize("name", events.SERVICES)
def test_a_service_can_have_replicas_since_a_range_of_ports_fits_where_one_stands(name: str) -> None:
    """Two containers of one service cannot share a port of the host, nor a name."""
    (port,) = service(name)["ports"]
    variable = f"ZIKAO_{name.upper()}_PORT"
    given = ASKED.sub(lambda match: "8120-8122" if match["name"] == variable else match[0], port)
    assert given == "127.0.0.1:8120-8122:8000"
    assert "container_name" not in service(name)
    firsts = [ASKED.search(each["ports"][0]) for each in map(service, events.SERVICES)]
    assert len({match["rest"] for match in firsts if match}) == len(events.SERVICES)


@pytest.mark.parametrize("name", OURS)
def test_the_command_of_a_container_is_a_module_that_is_in_the_image(name: str) -> None:
    _, *options, module = command_line(name)[: command_line(name).index("-m") + 2]
    assert options == ["-P", "-m"]
    assert importlib.util.find_spec(module) is not None
    assert module.partition(".")[0] in copied()


def test_the_image_is_made_of_a_named_python_and_the_hashed_lock_and_runs_as_nobody_special() -> None:
    assert re.fullmatch(r"python:3\.11\.\d+-slim-[a-z]+", IMAGE.baseimage)
    assert any("--require-hashes" in run and "requirements/runtime.lock" in run for run in instructions("RUN"))
    assert instructions("USER")[-1] == "10001:10001"
    assert [each["instruction"] for each in IMAGE.structure][-3:] == ["USER", "ENTRYPOINT", "CMD"]
    assert json.loads(instructions("ENTRYPOINT")[0])[-1] == "-m"
    assert instructions("ADD") == []


def test_only_what_the_image_is_made_of_is_sent_to_the_engine() -> None:
    lines = (CHECKOUT / "deploy" / "Dockerfile.dockerignore").read_text().splitlines()
    kept = {line.removeprefix("!") for line in lines if line.startswith("!")}
    assert lines[1] == "*"
    assert kept == {*copied()}
    assert all((CHECKOUT / each).exists() for each in kept)
