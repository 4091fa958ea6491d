"""Where RabbitMQ can neither be found nor unpacked, one sentence says what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ops.stack.packages import Software, found_rabbitmq, rabbitmq_software
from ops.stack.places import CHECKOUT, Place

ASK = """
from pathlib import Path
from ops.stack.packages import rabbitmq_software
from ops.stack.places import Place, Unserviceable
import sys
place = Place(home=Path(sys.argv[1]), data=Path(sys.argv[1]) / "data", user=None)
place.make()
try:
    rabbitmq_software(place, system=Path(sys.argv[1]) / "an empty system")
except Unserviceable as reason:
    sys.exit(str(reason))
"""


def ask(folder: Path, path: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", ASK, str(folder)]
    return subprocess.run(
        words, cwd=CHECKOUT, env={"PATH": path, **environment}, capture_output=True, text=True, check=False
    )


def test_without_apt_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    asked = ask(tmp_path, path=str(tmp_path))
    assert asked.returncode == 1
    assert asked.stderr == (
        "There is no RabbitMQ here and no apt-get to fetch it with; run `apt-get install rabbitmq-server`, "
        "or set ZIKAO_AMQP_URL to a RabbitMQ that runs.\n"
    )


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt")
def test_without_package_sources_one_sentence_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "state/lists/partial").mkdir(parents=True)
    (tmp_path / "none").mkdir()
    settings = tmp_path / "apt.conf"
    settings.write_text(
        f'Dir::State "{tmp_path}/state"; Dir::Etc::sourcelist "/dev/null"; Dir::Etc::sourceparts "{tmp_path}/none";'
    )
    asked = ask(tmp_path / "home", path=os.defpath, APT_CONFIG=str(settings))
    assert asked.returncode == 1
    assert asked.stderr.startswith("RabbitMQ could not be unpacked (")
    assert "apt-get install rabbitmq-server" in asked.stderr
    assert "Traceback" not in asked.stderr
    assert not list((tmp_path / "home/software").iterdir()), "nothing half-made is left behind"


def install(root: Path) -> Software:
    """What Debian's packages leave at the places that matter."""
    (root / "usr/lib/rabbitmq/lib/rabbitmq_server-3.10.8/sbin").mkdir(parents=True)
    (root / "usr/lib/erlang/bin").mkdir(parents=True)
    (root / "usr/lib/erlang/bin/erl_call").touch()
    return Software(root)


def test_an_installed_rabbitmq_is_used_without_fetching_any(tmp_path: Path) -> None:
    place = Place(home=tmp_path / "home", data=tmp_path / "home/data", user=None)
    assert found_rabbitmq(place, system=tmp_path / "system") is None
    installed = install(tmp_path / "system")
    assert rabbitmq_software(place, system=tmp_path / "system") == installed
    ours = install(place.software / "rabbitmq")
    assert rabbitmq_software(place, system=tmp_path / "system") == ours


def test_libraries_that_were_unpacked_too_are_found(tmp_path: Path) -> None:
    folder = tmp_path / "usr/lib/x86_64-linux-gnu"
    folder.mkdir(parents=True)
    assert Software(tmp_path).libraries == ""
    (folder / "libtinfo.so.6").touch()
    assert Software(tmp_path).libraries == str(folder)
