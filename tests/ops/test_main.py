"""`./zikao up` as a person meets it who changes their mind, or who keeps the data somewhere else."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ops.main import app
from ops.stack.places import CHECKOUT


@pytest.fixture
def checkout() -> Iterator[Path]:
    """A checkout of its own, with a place of its own, that the servers' user can enter."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        copy = Path(folder) / "zikao"
        copy.mkdir()
        for room in (found for found in CHECKOUT.iterdir() if (found / "__init__.py").exists()):
            shutil.copytree(room, copy / room.name, ignore=shutil.ignore_patterns("__pycache__"))
        yield copy


@pytest.fixture
def mute_server() -> Iterator[str]:
    """The address of a server that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"postgresql://admin:x@127.0.0.1:{server.getsockname()[1]}/postgres"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("bench", "--only", "("), "is no regular expression"),
        (("bench", "--json", "no/such/folder/bench.json"), "cannot be written"),
        (("soak", "--replicas", "7"), "less than or equal to 6"),
        (("up", "--replicas", "0"), "greater than or equal to 1"),
    ],
)
def test_words_that_cannot_be_meant_are_refused_before_anything_starts(words: Sequence[str], said: str) -> None:
    refused = CliRunner().invoke(app, words, env={"COLUMNS": "200"})
    assert refused.exit_code == 2
    assert said in refused.output
    assert "PostgreSQL" not in refused.output


def zikao(checkout: Path, *words: str, postgres: str) -> subprocess.Popen[str]:
    told = {"PYTHONPATH": str(checkout), "ZIKAO_POSTGRES_ADMIN_URL": postgres, "ZIKAO_AMQP_URL": "amqp://127.0.0.1:1/"}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "ops.main", *words],
        cwd=checkout,
        env={**os.environ, **told},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_start_that_is_interrupted_ends_in_a_sentence_and_was_not_a_success(checkout: Path, mute_server: str) -> None:
    with zikao(checkout, "demo", "--exit", postgres=mute_server) as started:
        assert started.stdout is not None
        said = ""
        while "database:" not in said:
            said += (line := started.stdout.readline())
            assert line, said
        started.send_signal(signal.SIGINT)
        said += started.communicate(timeout=120)[0]
        with suppress(ProcessLookupError):
            started.kill()
    assert started.returncode == 130, said
    assert said.endswith("Stopped. The data is kept: `./zikao down --erase` removes it.\n")
    assert "Traceback" not in said


def test_erasing_leaves_the_keys_of_a_database_that_is_not_ours_to_drop(checkout: Path, mute_server: str) -> None:
    secrets = checkout / ".zikao" / "data" / "secrets.json"
    secrets.parent.mkdir(parents=True)
    secrets.write_text("{}")
    with zikao(checkout, "down", "--erase", postgres=mute_server) as refused:
        said = refused.communicate(timeout=120)[0]
    assert refused.returncode == 1
    assert "drop the database zikao there yourself" in said
    assert secrets.exists()


@pytest.mark.parametrize("words", [("soak",), ("bench", "--footprint")])
def test_made_up_people_and_faults_never_reach_a_server_that_the_environment_names(
    checkout: Path, mute_server: str, words: Sequence[str]
) -> None:
    with zikao(checkout, *words, postgres=mute_server) as refused:
        said = refused.communicate(timeout=60)[0]
    assert refused.returncode == 1
    assert "unset ZIKAO_AMQP_URL and ZIKAO_POSTGRES_ADMIN_URL" in " ".join(said.split())
    assert "people" not in said.replace("made-up people", "")
