"""One stack per place, the same secrets at every start, and what each process is told."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ops.stack.children import Identity
from ops.stack.environment import SANDBOX, SERVICES, Secrets, Surroundings, environment_for
from ops.stack.infrastructure import temporary_place
from ops.stack.places import CHECKOUT, Place, Unserviceable
from ops.stack.ports import Ports
from ops.stack.postgres import Postgres
from ops.stack.processes import Processes, Program
from ops.stack.stack import bring_down, erase, only_one

HOLD = """
import sys, time
from pathlib import Path
from ops.stack.places import Place
from ops.stack.stack import only_one, stop_on_signals
stop_on_signals()
with only_one(Place(home=Path(sys.argv[1]), data=Path(sys.argv[1]), user=None)):
    print("holding", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def place(tmp_path: Path) -> Place:
    place = Place(home=tmp_path, data=tmp_path, user=None)
    place.make()
    return place


def around(place: Place) -> Surroundings:
    ports = {name: 20000 + number for number, name in enumerate((SANDBOX, *SERVICES))}
    admin = "postgresql://postgres:admin-password@127.0.0.1:20100/postgres"
    return Surroundings(place, Secrets(place.data / "secrets.json"), admin, "amqp://127.0.0.1/", ports)


def test_a_second_stack_in_one_place_is_refused_in_one_sentence(place: Place) -> None:
    with only_one(place):
        again = subprocess.run([sys.executable, "-c", HOLD, place.data], cwd=CHECKOUT, capture_output=True, check=False)
    assert b"Zikao already runs here: `./zikao down` stops it." in again.stderr
    with only_one(place):
        pass


def test_down_stops_a_stack_of_another_terminal(place: Place) -> None:
    command = [sys.executable, "-c", HOLD, str(place.data)]
    with subprocess.Popen(command, cwd=CHECKOUT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert bring_down(place)
        assert other.wait(10) == -signal.SIGINT


def test_down_leaves_a_process_alone_that_only_has_the_number_of_a_stack(place: Place) -> None:
    us = Identity.of_ourselves()
    Identity(us.pid, us.began + 1).write(place.data / "stack.pid")
    assert not bring_down(place)


def test_erase_removes_the_data_and_keeps_the_software(tmp_path: Path) -> None:
    place = Place(home=tmp_path, data=tmp_path / "data", user=None)
    place.make()
    erase(place)
    erase(place)
    assert [folder.name for folder in tmp_path.iterdir()] == ["software"]


def test_secrets_are_kept_between_starts_and_from_others(place: Place) -> None:
    file = place.data / "secrets.json"
    first = environment_for("identity", around(place))
    assert environment_for("identity", around(place)) == first
    assert file.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_told_its_own_role_and_not_the_superuser(place: Place, service: str) -> None:
    told = environment_for(service, around(place))
    assert told["ZIKAO_POSTGRES_URL"].startswith(f"postgresql://{service}:")
    assert told["ZIKAO_POSTGRES_URL"].endswith("@127.0.0.1:20100/zikao")
    assert "admin-password" not in str(told)
    assert json.loads(told["ZIKAO_PEERS"]).keys() == set(SERVICES)


def test_no_two_services_share_a_secret(place: Place) -> None:
    told = [environment_for(service, around(place)) for service in SERVICES]
    assert len({each["ZIKAO_SERVICE_SECRET"] for each in told}) == len(SERVICES)
    assert len({each["ZIKAO_POSTGRES_URL"] for each in told}) == len(SERVICES)


def test_identity_alone_signs_tokens_and_knows_services_by_digest(place: Place) -> None:
    told = {service: environment_for(service, around(place)) for service in SERVICES}
    assert [service for service in SERVICES if "ZIKAO_TOKEN_KEYS" in told[service]] == ["identity"]
    digests = json.loads(told["identity"]["ZIKAO_SERVICE_SECRET_DIGESTS"])
    for service in SERVICES:
        assert digests[service] == hashlib.sha256(told[service]["ZIKAO_SERVICE_SECRET"].encode()).hexdigest()


def test_the_sandbox_knows_only_its_own_accounts(place: Place) -> None:
    told = environment_for(SANDBOX, around(place))
    assert told["ZIKAO_SMS_ALIYUN_SECRET"] == environment_for("notification", around(place))["ZIKAO_SMS_ALIYUN_SECRET"]
    assert not {"ZIKAO_KEK", "ZIKAO_POSTGRES_URL", "ZIKAO_SERVICE_SECRET"} & told.keys()


def program(place: Place, code: str) -> Program:
    return Program("broken", ("-c", code), {}, "http://127.0.0.1:1", place.logs / "broken.log", place.pids / "x.pid")


def test_a_process_that_ends_while_starting_is_named_with_its_last_words(place: Place) -> None:
    with pytest.raises(Unserviceable, match=r"(?s)broken ended while starting \(exit code 3\).*last words"):
        Processes().start(program(place, "import sys; print('last words'); sys.exit(3)"))


def test_a_process_that_is_never_ready_is_named_and_stopped(place: Place) -> None:
    processes = Processes()
    with pytest.raises(Unserviceable, match="broken was not ready in 1 s"):
        processes.start(program(place, "import time; time.sleep(60)"), ready_within=1)
    running = Identity.of(processes.pid("broken"))
    assert running is not None
    processes.stop_all()
    assert not running.alive


@pytest.mark.servers
def test_data_of_another_postgresql_is_refused_and_left_alone() -> None:
    with temporary_place() as place:
        cluster = place.data / "postgres" / "cluster"
        place.make()
        cluster.mkdir(parents=True)
        (cluster / "PG_VERSION").write_text("9\n")
        with pytest.raises(Unserviceable, match="made by PostgreSQL 9 and this is PostgreSQL"):
            Postgres(place, Ports(place.data / "ports.json")).start()
        assert [file.name for file in cluster.iterdir()] == ["PG_VERSION"]
