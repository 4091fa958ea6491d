"""Whose memory and time are counted as whose, on processes of this test; no stack."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from bench.footprint import Footprint, Taken, show, taken
from ops.stack.children import Identity
from ops.stack.stack import Stack

READY = b"ready"


def stack(pids: Path, *programs: str) -> Stack:
    """As much of a stack as is asked for."""
    return cast(Stack, SimpleNamespace(place=SimpleNamespace(pids=pids), programs=dict.fromkeys(programs)))


@pytest.fixture
def parent(tmp_path: Path) -> Iterator[Path]:
    """A folder with the pid file of a process `one` that has started another with OpenCV in it."""
    child = f"import cv2, os; os.write(1, {READY!r}); input()"
    words = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert os.read(process.stdout.fileno(), len(READY)) == READY
    identity = Identity.of(process.pid)
    assert identity is not None
    identity.write(tmp_path / "one.pid")
    yield tmp_path
    process.communicate(b"\n")


def test_what_a_service_starts_is_counted_apart_by_what_it_has_loaded(parent: Path) -> None:
    found = taken(stack(parent, "one"))
    assert {name: each.processes for name, each in found.items()} == {"one": 1, "one, pictures": 1}
    assert all(0 < each.pss <= each.rss for each in found.values())
    assert found["one, pictures"].rss > found["one"].rss


def test_the_processes_of_a_server_are_counted_together(parent: Path) -> None:
    assert [(name, each.processes) for name, each in taken(stack(parent)).items()] == [("one", 2)]


def test_what_has_ended_is_not_counted(tmp_path: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    identity = Identity.of(ended.pid)
    assert identity is not None
    identity.write(tmp_path / "one.pid")
    ended.communicate(b"\n")
    assert taken(stack(tmp_path, "one")) == {}


def test_the_table_sums_up_what_is_shared_only_once() -> None:
    found = Footprint(
        steps={"PostgreSQL": 1.25, "identity": 2.25},
        at_rest={"identity": Taken(1, 90.0, 60.0, 1.5), "postgres": Taken(9, 400.0, 70.0, 2.6)},
        under_load={"identity": Taken(1, 95.0, 64.0, 9.0), "postgres": Taken(20, 900.0, 90.0, 9.0)},
        acknowledged=7,
    )
    console = Console(width=120, record=True, quiet=False, file=cast(Any, SimpleNamespace(write=len, flush=str)))
    show(console, found)
    text = console.export_text()
    for words in ("identity", "130", "154", "3.5", "4.1", "7 commands"):
        assert words in text
