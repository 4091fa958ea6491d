"""`docker-compose.yml` and the Dockerfile as tests read them: what a container is told, and what it runs."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import yaml
from dockerfile_parse import DockerfileParser

from ops.deploy import OUTSIDE_ACCOUNTS, new_secrets
from ops.stack.places import CHECKOUT

TEXT = (CHECKOUT / "docker-compose.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
ASKED = re.compile(r"\$\{(?P<name>\w+)(?P<how>:\?|:-)?(?P<rest>[^}]*)\}")
IMAGE = DockerfileParser(str(CHECKOUT / "deploy" / "Dockerfile"), cache_content=True)


def service(name: str) -> dict[str, Any]:
    found: dict[str, Any] = COMPOSE["services"][name]
    return found


def filled(value: str, variables: dict[str, str]) -> str:
    """As compose fills a value in."""

    def one(match: re.Match[str]) -> str:
        return variables[match["name"]] if match["how"] != ":-" else variables.get(match["name"], match["rest"])

    return ASKED.sub(one, value)


def variables_of_a_server() -> dict[str, str]:
    """The environment file, made and filled in as it says."""
    accounts = {name: "http://sandbox:8000" if name.endswith("URL") else "an-account" for name in OUTSIDE_ACCOUNTS}
    return new_secrets() | accounts


def told(name: str, variables: dict[str, str] | None = None) -> dict[str, str]:
    """What the process of `name` finds in its environment; without `variables` from fresh secrets."""
    given = variables or variables_of_a_server()
    return {key: filled(value, given) for key, value in service(name)["environment"].items() if value is not None}


def instructions(name: str) -> list[str]:
    return [each["value"] for each in IMAGE.structure if each["instruction"] == name]


def copied() -> list[str]:
    """What of the checkout is in the image."""
    return [words.split()[0] for words in instructions("COPY")]


def command_line(name: str, *words: str) -> list[str]:
    """What the container of `name` runs; `words` take the place of its command, as in `docker compose run`."""
    python, *rest = service(name).get("entrypoint") or json.loads(instructions("ENTRYPOINT")[0])
    assert python == "python"
    return [sys.executable, *rest, *(words or service(name)["command"])]
