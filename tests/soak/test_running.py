"""What makes a soak worth something: it asks until it is answered, and a seed breaks the same things again."""

import asyncio
import re
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aio_pika.exceptions import ChannelNotFoundEntity
from typer.testing import CliRunner

from ops.main import app
from ops.stack.infrastructure import POSTGRES_VARIABLE, NotOurs
from ops.stack.processes import Program
from ops.stack.screen import Screen
from ops.stack.stack import stack_of_its_own
from shared.runtime.points import LISTENERS, POINTS
from soak.client import Client, Refusal, Stopped
from soak.faults import FAULTS, PASSED_BY, World, die, followers_away, made
from soak.journal import Answered, Asked, Journal, Unknown, read
from soak.people import Person
from soak.running import chosen
from soak.victim import lives_on, reached_or_killed
from tests.architecture.tree import ROOT, python_files

SOMEBODY = Person("somebody", "a-token")
DONE = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"version":1}'
AWAY = b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n"
NO = b"HTTP/1.1 409 No\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + b'{"code":"no"}'
CUT = b""


@asynccontextmanager
async def answering(answers: Sequence[bytes]) -> AsyncIterator[tuple[str, list[str]]]:
    """A service that gives these answers, one a connection; its address, and the keys it was asked with."""
    keys: list[str] = []
    left = list(answers)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        keys.extend(re.findall(r"idempotency-key: (\S+)", asked))
        writer.write(left.pop(0))
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield "http://{}:{}".format(*server.sockets[0].getsockname()), keys


async def test_what_got_no_answer_is_asked_again_with_the_same_key_and_written_down(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    async with answering([CUT, AWAY, DONE]) as (url, keys):
        client = Client({"exemption": url}, journal, threading.Event())
        answer = await client.command("a story", SOMEBODY, "exemption", "POST", "/v1/things", "key-1")
        await client.close()
    assert answer == {"version": 1}
    assert keys == ["key-1"] * 3
    asked, cut, away, answered = read(journal.file)
    assert isinstance(asked, Asked)
    assert isinstance(cut, Unknown)
    assert isinstance(away, Unknown)
    assert away.why == "503"
    assert isinstance(answered, Answered)
    assert answered.acknowledged


async def test_a_refusal_is_a_last_word_and_not_asked_again(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    async with answering([NO]) as (url, keys):
        client = Client({"exemption": url}, journal, threading.Event())
        with pytest.raises(Refusal, match="no"):
            await client.command("a story", SOMEBODY, "exemption", "POST", "/v1/things", "key-1")
        await client.close()
    assert keys == ["key-1"]
    assert [type(entry) for entry in read(journal.file)] == [Asked, Answered]


async def test_a_load_that_was_told_to_end_asks_nothing_more_in_the_middle_of_a_step(tmp_path: Path) -> None:
    """What is asked after everything is whole again would be counted as unanswered when it only came late."""
    journal, stopping = Journal(tmp_path / "journal.jsonl"), threading.Event()
    async with answering([DONE]) as (url, keys):
        client = Client({"exemption": url}, journal, stopping)
        await client.command("a story", SOMEBODY, "exemption", "POST", "/v1/things", "key-1")
        stopping.set()
        with pytest.raises(Stopped):
            await client.command("a story", SOMEBODY, "exemption", "POST", "/v1/things", "key-2")
        await client.close()
    assert keys == ["key-1"]
    assert [type(entry) for entry in read(journal.file)] == [Asked, Answered]


def test_a_seed_chooses_the_same_faults_again_and_another_seed_others() -> None:
    def faults(seed: int) -> list[tuple[str, float, float]]:
        drawn = [chosen(seed, number) for number in range(1, 50)]
        return [(fault.__name__, pause, random.random()) for fault, pause, random in drawn]

    assert faults(7) == faults(7)
    assert faults(7) != faults(8)


def test_half_an_hour_of_faults_leaves_none_out_and_kills_at_random_twenty_times() -> None:
    """At about ten seconds a fault."""
    for seed in (1, 2, 3):
        drawn = Counter(chosen(seed, number)[0] for number in range(1, 181))
        assert drawn.keys() == FAULTS.keys()
        assert drawn[next(fault for fault in FAULTS if fault.__name__ == "killed_at_random")] >= 20


def test_a_fault_that_finds_nothing_to_harm_is_counted_as_that_and_leaves_the_system_whole() -> None:
    killed: list[str] = []
    again: list[str] = []
    processes = SimpleNamespace(kill=killed.append)
    stack = SimpleNamespace(programs=["identity", "notification"], processes=processes, restart=again.append)
    world = World(cast(Any, stack), cast(Any, SimpleNamespace(in_flight=1)))

    def harming_a_queue(world: World, _: Random) -> None:
        with followers_away(world, "notification", "its queue is to be harmed"):
            raise ChannelNotFoundEntity("no queue")

    made(world, harming_a_queue, Random(1))
    assert dict(world.done) == {"harming_a_queue found nothing to harm": 1}
    assert world.broken == ""
    assert killed == again == ["notification"]


async def test_each_death_of_a_process_that_dies_again_and_again_is_counted_with_the_requests_under_way(
    tmp_path: Path,
) -> None:
    ends, within = ["commit.after*2", "0.250", "sms.before*9"], 2.0
    load = SimpleNamespace(in_flight=5)
    async with answering([DONE]) as (url, _):
        program = Program("notification", (), {}, url, tmp_path / "log", tmp_path / "pid")
        program.log.touch()

        def dying() -> None:
            """Twice, each time when the death before was seen; it never came to the last end."""
            for number, word in enumerate(ends[:2], 1):
                gives_up = time.monotonic() + within
                while len(world.in_flight) < number and time.monotonic() < gives_up:
                    time.sleep(0.01)
                load.in_flight = 5 - 2 * number
                _written(program.log, reached_or_killed("notification", word))
            _written(program.log, lives_on("notification"))

        thread = threading.Thread(target=dying)
        processes = SimpleNamespace(kill=lambda _: None, start=lambda _: thread.start())
        stack = SimpleNamespace(programs={"notification": program}, processes=processes)
        world = World(cast(Any, stack), cast(Any, load))
        assert await asyncio.to_thread(die, world, "notification", ends, within) == [True, True, False]
        thread.join()
    assert world.in_flight == [5, 3, 1]


def _written(log: Path, line: str) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(line)


def test_every_named_point_stands_in_the_code_of_who_passes_it_and_nobody_listens() -> None:
    text = "".join(file.read_text("utf-8") for file in python_files("services", "shared/runtime"))
    assert set(re.findall(r'reached\("([a-z.]+)"\)', text)) == set(POINTS)
    assert {point.partition(".")[0] for point in POINTS} == PASSED_BY.keys()
    assert (ROOT / "soak/victim.py").exists()
    assert LISTENERS == []


@pytest.mark.parametrize(
    "words",
    [("--minutes", "0"), ("--minutes", "soon"), ("--seed", "x"), ("--replicas", "0"), ("--replicas", "99"), ("now",)],
    ids=" ".join,
)
def test_a_soak_that_makes_no_sense_is_refused_before_anything_is_started(words: tuple[str, ...]) -> None:
    said = CliRunner().invoke(app, ["soak", *words])
    assert said.exit_code == 2
    assert "PostgreSQL" not in said.output


def test_somebody_elses_servers_are_never_soaked() -> None:
    with pytest.MonkeyPatch.context() as surroundings:
        surroundings.setenv(POSTGRES_VARIABLE, "postgresql://postgres@somewhere/postgres")
        with pytest.raises(NotOurs, match=POSTGRES_VARIABLE), stack_of_its_own(Screen()):
            pass


def test_what_a_service_died_over_is_told_apart_from_what_never_reached_it() -> None:
    assert [Unknown(1, "now", why).cut_off for why in ("ReadError", "RemoteProtocolError", "ConnectError", "503")] == [
        True,
        True,
        False,
        False,
    ]
