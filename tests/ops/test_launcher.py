"""`./zikao` from anywhere, by any name."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from ops.stack import bootstrap, places
from ops.stack.places import CHECKOUT

LAUNCHER = CHECKOUT / "zikao"


def launch(called: str | Path, *words: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([called, *words], cwd=folder, capture_output=True, text=True, check=False)


def test_it_runs_through_a_link_from_another_folder(tmp_path: Path) -> None:
    (tmp_path / "with space").mkdir()
    link = tmp_path / "with space" / "z"
    link.symlink_to(LAUNCHER)
    asked = launch("./z", "--help", folder=link.parent)
    assert asked.returncode == 0, asked.stderr
    assert "./zikao" in asked.stdout


def test_a_folder_named_ops_where_the_caller_stands_is_not_taken_for_ours(tmp_path: Path) -> None:
    (tmp_path / "ops").mkdir()
    (tmp_path / "ops" / "__init__.py").write_text("raise SystemExit('not ours')")
    assert launch(LAUNCHER, "down", "--help", folder=tmp_path).returncode == 0


def test_it_says_what_is_missing_when_there_is_no_python(tmp_path: Path) -> None:
    for tool in ("dirname", "readlink"):
        (tmp_path / tool).symlink_to(f"/usr/bin/{tool}")
    asked = subprocess.run(
        ["/bin/sh", LAUNCHER], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert asked.returncode == 1
    assert "Python 3.11 or newer" in asked.stderr


def test_a_changed_lock_is_installed_again(tmp_path: Path) -> None:
    python, stamp = tmp_path / "python", tmp_path / "stamp"
    python.touch()
    assert not bootstrap.is_ready(python, stamp, "one")
    stamp.write_text("one")
    assert bootstrap.is_ready(python, stamp, "one")
    assert not bootstrap.is_ready(python, stamp, "two")


@pytest.mark.parametrize("name", ["runtime", "dev"])
def test_every_requirement_is_pinned_by_hash_and_names_no_index(name: str) -> None:
    lock = (CHECKOUT / "requirements" / f"{name}.lock").read_text()
    pins = [line for line in lock.splitlines() if "==" in line and not line.lstrip().startswith("#")]
    assert len(pins) > 20
    assert all(line.endswith("\\") for line in pins)
    assert "://" not in lock
    assert "index" not in {line.strip().partition(" ")[0].strip("-") for line in lock.splitlines()}


def test_the_environment_in_use_is_that_of_the_lock() -> None:
    stamp = places.environment_of() / "zikao.lock.sha256"
    if not stamp.exists():
        pytest.skip("this environment was not made by ./zikao")
    assert os.access(stamp, os.R_OK)
    lock = CHECKOUT / "requirements" / "dev.lock"
    assert stamp.read_text() == hashlib.sha256(lock.read_bytes()).hexdigest()
