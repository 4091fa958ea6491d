"""Two replicas of every service carry one application, while one after the other is killed and replaced."""

import io
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from rich.console import Console

from ops.demo.proof import prove
from ops.demo.script import scripts
from ops.demo.story import CERTIFICATE, told_through
from ops.demo.walk import Walk
from ops.stack.infrastructure import Infrastructure, temporary_place
from ops.stack.screen import Screen
from ops.stack.stack import Stack
from shared import events
from shared.runtime.bus import ALL_QUEUES
from soak.secrecy import leaks

pytestmark = [pytest.mark.journey, pytest.mark.timeout(900)]  # nine processes to start, and three again

REPLICAS = 2


@pytest.fixture(scope="module")
def doubled() -> Iterator[Stack]:
    """A stack of its own: its replicas and those of the run's stack would share one database."""
    with temporary_place() as place, Infrastructure(place) as infra:
        stack = Stack(infra, Screen(), REPLICAS)
        try:
            stack.start()
            yield stack
            assert leaks(stack) == []
        finally:
            stack.stop()


@contextmanager
def without(stack: Stack, *killed: str) -> Iterator[None]:
    """These are killed, and replaced at the end of the block."""
    for name in killed:
        stack.processes.kill(name)
    yield
    for name in killed:
        stack.restart(name)


def health(stack: Stack, service: str) -> list[dict[str, Any]]:
    """What each replica says of itself at its own address."""
    replicas = [stack.programs[f"{service}-{number}"] for number in range(1, REPLICAS + 1)]
    return [httpx.get(replica.ready_url, timeout=60).json() for replica in replicas]


def test_a_journey_ends_well_although_one_replica_after_the_other_is_killed_and_replaced(doubled: Stack) -> None:
    output = io.StringIO()
    console = Console(file=output, width=140, highlight=False)
    told = Walk(doubled, console, scripts()[CERTIFICATE])
    told_through(told, "open_cycle")
    with without(doubled, "identity-1"):
        told_through(told, "register")
    with without(doubled, "exemption-1", "notification-1"):  # the first to start, so they lead and hold queues
        told_through(told, "sms")
    told_through(told, "hand_off")
    prove(doubled, {told.case: told.script.title}, console)
    assert "demo: 1 applications carried, 1 trails rebuilt, 0 differences" in output.getvalue()


@pytest.mark.parametrize("service", events.SERVICES)
def test_afterwards_the_replicas_share_the_work_and_one_of_them_leads(doubled: Stack, service: str) -> None:
    queues = sorted(ALL_QUEUES) if service in events.FOLLOWS else []
    until = time.monotonic() + 60
    while sorted(queue for said in health(doubled, service) for queue in said["queues"]) != queues:
        assert time.monotonic() < until
        time.sleep(0.2)
    said = health(doubled, service)
    assert [len(each["queues"]) for each in said] == [len(queues) // REPLICAS] * REPLICAS
    assert sorted(each["sequencer"] for each in said) == ["leads", "stands by"]
    assert [each["status"] for each in said] == ["ready"] * REPLICAS


def test_only_the_requests_in_hand_are_lost_with_a_replica(doubled: Stack) -> None:
    """Whoever connects is answered all the time, also while it is replaced."""
    callers, asked = 4, threading.Event()
    answered: Counter[str] = Counter()

    def ask() -> None:
        unkept = httpx.Limits(max_keepalive_connections=0)  # so that each is dealt out anew
        with httpx.Client(timeout=30, limits=unkept, verify=False) as caller:
            while not asked.is_set():
                try:
                    outcome = str(caller.get(f"{doubled.base_url('exemption')}/v1/cycles").status_code)
                except httpx.TransportError:
                    outcome = "cut"
                answered[outcome] += 1
                time.sleep(0.03)  # the replica that starts meanwhile needs the machine, too

    with ThreadPoolExecutor(callers) as calling:
        done = [calling.submit(ask) for _ in range(callers)]
        time.sleep(0.5)
        with without(doubled, "exemption-1"):
            pass
        asked.set()
        for each in done:
            each.result()
    assert answered["200"] > 50, answered
    assert answered["cut"] <= callers, answered
    assert answered.keys() <= {"200", "cut"}, answered


def test_a_replica_that_ends_by_itself_is_replaced_while_the_stack_serves(doubled: Stack) -> None:
    before = doubled.processes.pid("notification-2")
    os.kill(before, signal.SIGKILL)
    until = time.monotonic() + 60
    while doubled.processes.pid("notification-2") == before:
        assert time.monotonic() < until
        doubled.look_after()
    assert httpx.get(doubled.programs["notification-2"].ready_url, timeout=60).is_success


def test_connections_are_dealt_out_to_all_replicas(doubled: Stack) -> None:
    """One address; which of them answered stands in the log that each keeps."""
    logs = [doubled.place.logs / f"exemption-{number}.log" for number in range(1, REPLICAS + 1)]
    before = [log.read_text().count("\n") for log in logs]
    until = time.monotonic() + 60
    while any(log.read_text().count("\n") == count for log, count in zip(logs, before, strict=True)):
        assert time.monotonic() < until
        assert httpx.get(f"{doubled.base_url('exemption')}/v1/cycles").status_code < 500
