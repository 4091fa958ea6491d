"""Which servers are chosen, and what Docker is asked for. A program on the PATH stands in for `docker` and writes down
what it was asked; no engine has ever answered."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ops.stack import docker
from ops.stack.infrastructure import AMQP_VARIABLE, POSTGRES_VARIABLE, Infrastructure, NotOurs
from ops.stack.places import CHECKOUT, Place, Unserviceable
from ops.stack.ports import Ports
from ops.stack.stack import bring_down, erase

FAKE = """
import json, os, sys
from pathlib import Path
here = Path(__file__).parent
asked = {"words": sys.argv[1:], "told": {k: v for k, v in os.environ.items() if k.startswith("ZIKAO_")}}
with (here / "asked").open("a") as lines:
    lines.write(json.dumps(asked) + chr(10))
fails = (here / "fails").read_text().split() if (here / "fails").exists() else []
if any(word in fails for word in sys.argv[1:]):
    sys.exit("first line" + chr(10) + "the reason")
"""


class FakeDocker:
    """`docker` on the PATH; `fails` names the words at which it fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        (folder / "docker.py").write_text(FAKE)
        program = folder / "docker"
        # the first line of a program cannot name an interpreter whose path has a space
        program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{folder}/docker.py" "$@"\n')
        program.chmod(0o755)

    def fails_at(self, *words: str) -> None:
        (self._folder / "fails").write_text(" ".join(words))

    @property
    def asked(self) -> list[dict[str, object]]:
        file = self._folder / "asked"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    @property
    def composed(self) -> list[list[str]]:
        """The words after the files, of everything that was asked of compose besides its version."""
        files = 2 * len(docker.FILES)
        told = [each["words"] for each in self.asked]
        return [words[5 + files :] for words in told if isinstance(words, list) and "--project-name" in words]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeDocker:
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for name in (docker.VARIABLE, POSTGRES_VARIABLE, AMQP_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    return FakeDocker(folder)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    home = tmp_path / "home"
    place = Place(home=home, data=home / "data", user=None)
    place.make()
    yield place
    shutil.rmtree(home)


def chosen(place: Place) -> docker.Compose | None:
    return docker.chosen(place, Ports(place.data / "ports.json"))


def test_a_server_that_the_environment_names_comes_first_and_docker_is_not_even_asked(
    fake: FakeDocker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(POSTGRES_VARIABLE, "postgresql://of-yours")
    monkeypatch.setenv(AMQP_VARIABLE, "amqp://of-yours")
    with Infrastructure(place) as infra:
        assert (infra.postgres_admin_url, infra.amqp_url) == ("postgresql://of-yours", "amqp://of-yours")
        assert (infra.postgres_log, infra.rabbitmq_log) == (None, None)
    assert fake.asked == []


def test_then_comes_a_docker_engine_that_answers(fake: FakeDocker, place: Place) -> None:
    with Infrastructure(place) as infra:
        postgres, amqp = infra.postgres_admin_url, infra.amqp_url
        assert infra.rabbitmq_is_here
        assert (infra.postgres_log, infra.rabbitmq_log) == (None, None)
        with pytest.raises(NotOurs, match="ZIKAO_DOCKER=off"):
            _ = infra.postgres
        with pytest.raises(NotOurs, match="ZIKAO_DOCKER=off"):
            _ = infra.rabbitmq
    assert fake.composed == [
        ["up", "--detach", "--wait", "postgres"],
        ["up", "--detach", "--wait", "rabbitmq"],
        ["stop"],
    ]
    told = fake.asked[-1]["told"]
    assert isinstance(told, dict)
    ports = json.loads((place.data / "ports.json").read_text())
    assert postgres == f"postgresql://postgres:{told['ZIKAO_POSTGRES_PASSWORD']}@127.0.0.1:{ports['postgres']}/postgres"
    assert amqp == f"amqp://zikao:{told['ZIKAO_AMQP_PASSWORD']}@127.0.0.1:{ports['rabbitmq']}/zikao"
    assert (told["ZIKAO_POSTGRES_PORT"], told["ZIKAO_AMQP_PORT"]) == (str(ports["postgres"]), str(ports["rabbitmq"]))


def test_and_native_servers_come_last(fake: FakeDocker, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.defpath if shutil.which("docker", path=os.defpath) is None else "")
    assert chosen(place) is None


@pytest.mark.parametrize("without", ["version", "compose"])
def test_a_docker_command_without_an_engine_or_without_compose_is_passed_over_in_silence(
    fake: FakeDocker, place: Place, capfd: pytest.CaptureFixture[str], without: str
) -> None:
    fake.fails_at(without)
    assert chosen(place) is None
    assert capfd.readouterr() == ("", "")
    assert fake.composed == []


def test_a_docker_command_that_cannot_be_run_is_passed_over_too(fake: FakeDocker, place: Place, tmp_path: Path) -> None:
    (tmp_path / "bin" / "docker").write_text("#!/nowhere/at/all\n")
    assert chosen(place) is None


def test_docker_can_be_declined(fake: FakeDocker, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(docker.VARIABLE, "off")
    assert chosen(place) is None
    assert fake.asked == []


def test_a_temporary_place_has_native_servers_since_its_data_go_with_it(fake: FakeDocker, place: Place) -> None:
    assert chosen(Place(home=place.home, data=place.home / "runs" / "1", user=None)) is None


def test_data_that_began_native_stay_native(fake: FakeDocker, place: Place) -> None:
    (place.data / "postgres" / "cluster").mkdir(parents=True)
    assert chosen(place) is None


def test_data_that_began_in_docker_are_not_left_behind_when_the_engine_is_away(fake: FakeDocker, place: Place) -> None:
    first = chosen(place)
    assert first is not None
    kept = first.postgres_admin_url
    fake.fails_at("version")
    with pytest.raises(Unserviceable, match="data are in Docker's volumes and no engine answers"):
        chosen(place)
    fake.fails_at()
    again = chosen(place)
    assert again is not None
    assert again.postgres_admin_url == kept, "password and port are remembered"


def test_every_variable_that_the_files_ask_for_is_given_and_none_of_the_callers(
    fake: FakeDocker, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZIKAO_KEK", "of another installation")
    compose = chosen(place)
    assert compose is not None
    _ = compose.amqp_url
    told = fake.asked[-1]["told"]
    assert isinstance(told, dict)
    text = "".join((CHECKOUT / name).read_text() for name in docker.FILES)
    needed = {part.partition(":?")[0] for part in text.split("${")[1:] if ":?" in part.partition("}")[0]}
    assert needed == told.keys()
    assert told["ZIKAO_KEK"] != "of another installation"
    assert (place.data / "docker.env").stat().st_mode & 0o777 == 0o600


def test_two_places_have_two_projects_and_the_files_are_named_in_full(fake: FakeDocker, place: Place) -> None:
    other = Place(home=place.home / "other", data=place.home / "other" / "data", user=None)
    other.make()
    for each in (place, other):
        compose = chosen(each)
        assert compose is not None
        _ = compose.amqp_url
    one, two = (words for each in fake.asked if isinstance(words := each["words"], list) and "--project-name" in words)
    assert one[2] != two[2]
    assert [str(CHECKOUT / name) for name in docker.FILES] == [word for word in one if word.endswith(".yml")]


def test_what_docker_cannot_do_is_said_in_a_sentence_with_another_way(fake: FakeDocker, place: Place) -> None:
    fake.fails_at("up")
    compose = chosen(place)
    assert compose is not None
    with pytest.raises(Unserviceable, match=r"could not do `compose up` \(the reason\); ZIKAO_DOCKER=off goes without"):
        _ = compose.postgres_admin_url


def test_down_stops_what_a_killed_run_left_and_erasing_removes_volumes_and_passwords(
    fake: FakeDocker, place: Place
) -> None:
    compose = chosen(place)
    assert compose is not None
    _ = compose.postgres_admin_url
    assert not bring_down(place)
    assert fake.composed[-1] == ["stop"]
    erase(place)
    assert fake.composed[-1] == ["down", "--volumes"]
    assert not place.data.exists()
    place.make()


def test_where_docker_was_never_used_down_and_erasing_do_not_ask_it(fake: FakeDocker, place: Place) -> None:
    bring_down(place)
    erase(place)
    assert fake.asked == []
    place.make()


def test_volumes_are_not_forgotten_when_the_docker_program_is_gone(
    fake: FakeDocker, place: Place, tmp_path: Path
) -> None:
    compose = chosen(place)
    assert compose is not None
    _ = compose.postgres_admin_url
    (tmp_path / "bin" / "docker").unlink()
    with pytest.raises(Unserviceable, match="There is no docker program here any more"):
        erase(place)
    assert compose.was_used
