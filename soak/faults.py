"""The faults: each a small function that breaks a running stack, waits, and makes it whole again.

`running.py` chooses them; the journey of the worst moments uses `die`. What a fault does follows from its own `Random`
alone, so that a seed breaks the same things in the same order again.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from random import Random

import httpx
from aio_pika.exceptions import ChannelNotFoundEntity

from ops.stack.children import Identity
from ops.stack.environment import SANDBOX
from ops.stack.processes import what_is_wrong
from ops.stack.stack import Stack
from shared import events
from shared.runtime.feed import positioned
from shared.runtime.points import POINTS
from soak import messages
from soak.evidence import opened
from soak.load import Load
from soak.victim import lives_on, reached_or_killed

REACHED_WITHIN = 25.0

PASSED_BY: Mapping[str, tuple[str, ...]] = {
    "commit": ("identity", "exemption", "notification"),
    "confirm": ("identity", "exemption"),
    "effects": ("exemption", "notification"),
    "ack": ("exemption", "notification"),
    "sms": ("notification",),
}
"""First word of a point's name -> the services that reach it."""


@dataclass
class World:
    stack: Stack
    load: Load
    broken: str = ""
    """What is broken just now, for the line a minute."""
    done: Counter[str] = field(default_factory=Counter)
    in_flight: list[int] = field(default_factory=list)
    """How many requests were without an answer at each kill."""

    @contextmanager
    def breaking(self, what: str) -> Iterator[None]:
        self.broken = what
        try:
            yield
        finally:
            self.broken = ""

    def processes_of(self, service: str) -> list[str]:
        """One, or one a replica."""
        return [name for name in self.stack.programs if name.partition("-")[0] == service]

    def services(self) -> list[str]:
        """All processes but the outside world."""
        return [name for name in self.stack.programs if name != SANDBOX]

    def kill(self, name: str) -> None:
        self.in_flight.append(self.load.in_flight)
        self.stack.processes.kill(name)

    def gone(self, name: str) -> bool:
        return Identity.of(self.stack.processes.pid(name)) is None


Fault = Callable[[World, Random], None]


def die(world: World, name: str, ends: Sequence[str], within: float = REACHED_WITHIN) -> list[bool]:
    """Let the process `name` die as often as there are `ends`: a point and a number (`commit.after*3`), where it kills
    itself, or the seconds after which it is killed. Whether it came to that at each; it serves as before in the end."""
    program = world.stack.programs[name]
    service = name.partition("-")[0]
    world.kill(name)
    before = program.log.stat().st_size
    said, came = "", [False] * len(ends)
    with world.breaking(f"{name} dies {len(ends)} times"):
        world.stack.processes.start(replace(program, words=("-m", "soak.victim", service, str(within), *ends)))
        until = time.monotonic() + within * (len(ends) + 1)
        while lives_on(service) not in said and time.monotonic() < until:
            time.sleep(0.05)
            with program.log.open(encoding="utf-8", errors="replace") as log:
                log.seek(before)
                said = log.read()
            known, came = sum(came), [reached_or_killed(service, end) in said for end in ends]
            world.in_flight += [world.load.in_flight] * (sum(came) - known)
        while what_is_wrong(program.ready_url) and time.monotonic() < until:
            time.sleep(0.05)
    return came


def killed_at_a_point(world: World, random: Random) -> None:
    point = random.choice(POINTS)
    service = random.choice(PASSED_BY[point.partition(".")[0]])
    name = random.choice(world.processes_of(service))
    (reached,) = die(world, name, [f"{point}*{random.randint(1, 12)}"])
    world.done[f"killed at {point}" if reached else f"{point} not reached"] += 1


def killed_at_random(world: World, random: Random) -> None:
    name = _any_process(world, random)
    time.sleep(random.uniform(0.0, 1.0))
    with world.breaking(f"{name} is killed"):
        world.kill(name)
        time.sleep(random.uniform(0.0, 2.0))
        world.stack.restart(name)


def frozen(world: World, random: Random) -> None:
    """A process that stands still as if its machine did; long enough to lose its leases."""
    name = _any_process(world, random)
    pid = world.stack.processes.pid(name)
    with world.breaking(f"{name} is frozen"):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(random.uniform(2.0, 9.0))
        os.kill(pid, signal.SIGCONT)


def broker_away(world: World, random: Random) -> None:
    rabbitmq = world.stack.infra.rabbitmq
    with world.breaking("RabbitMQ is stopped"):
        (rabbitmq.kill if random.random() < 0.5 else rabbitmq.stop)()
        time.sleep(random.uniform(3.0, 12.0))
        rabbitmq.start()


def broker_erased(world: World, _: Random) -> None:
    """It comes back knowing no queue and no message."""
    rabbitmq = world.stack.infra.rabbitmq
    with world.breaking("RabbitMQ's data is erased"):
        rabbitmq.kill()
        shutil.rmtree(world.stack.place.data / "rabbitmq" / "mnesia")
        rabbitmq.start()


def database_away(world: World, random: Random) -> None:
    postgres = world.stack.infra.postgres
    with world.breaking("PostgreSQL is stopped"):
        (postgres.kill if random.random() < 0.5 else postgres.stop)()
        time.sleep(random.uniform(0.5, 5.0))
        postgres.start()


def messages_again(world: World, random: Random) -> None:
    """The last messages of every source, each twice and in any order."""

    async def again() -> None:
        for source in sorted({source for sources in events.FOLLOWS.values() for source in sources}):
            async with opened(world.stack, source) as (pool, _):
                last = await pool.fetchval("select coalesce(max(position), 0) from log")
                envelopes = 2 * await positioned(pool, source, max(0, last - 60), 60)
            random.shuffle(envelopes)
            await messages.publish(world.stack.infra.amqp_url, envelopes)

    asyncio.run(again())


def messages_lost(world: World, random: Random) -> None:
    """While a follower is away its messages are lost; also the last ones of their streams, which nothing follows."""
    follower = random.choice(list(events.FOLLOWS))
    with followers_away(world, follower, f"messages for {follower} are lost"):
        time.sleep(random.uniform(1.0, 3.0))
        lost = asyncio.run(messages.purge(world.stack.infra.amqp_url, follower))
        world.done["messages that were lost"] += lost


def messages_delivered_too_often(world: World, random: Random) -> None:
    follower = random.choice(list(events.FOLLOWS))
    with followers_away(world, follower, f"messages for {follower} die of redelivery"):
        time.sleep(random.uniform(0.5, 1.5))
        asyncio.run(messages.deliver_too_often(world.stack.infra.amqp_url, follower))


def messages_unroutable(world: World, random: Random) -> None:
    follower = random.choice(list(events.FOLLOWS))
    asyncio.run(messages.delete_queues(world.stack.infra.amqp_url, follower))


def junk(world: World, random: Random) -> None:
    asyncio.run(messages.junk(world.stack.infra.amqp_url, random))


def keyring_away(world: World, random: Random) -> None:
    """No service may read a key: an outage, so whoever needs one waits, and nothing is parked for it."""
    roles = ", ".join(events.SERVICES)

    async def run(statement: str) -> None:
        async with opened(world.stack, "identity") as (pool, _):
            await pool.execute(statement)

    with world.breaking("the keyring is closed"):
        asyncio.run(run(f"revoke execute on function keyring.read_keys from {roles}"))
        time.sleep(random.uniform(1.0, 6.0))
        asyncio.run(run(f"grant execute on function keyring.read_keys to {roles}"))


def slow_provider(world: World, random: Random) -> None:
    """An SMS provider that answers too late, or fails after it has taken the message."""
    slow = {"kind": "slow_to_answer", "seconds": random.uniform(1.0, 10.0)}
    lost = {"kind": "fault_after_accepting"}
    gateway = random.choice([None, "aliyun", "tencent"])
    at = f"{world.stack.base_url(SANDBOX)}/_control/faults"
    with world.breaking("an SMS provider is slow or fails"):
        httpx.put(at, timeout=30, json=[{**random.choice([slow, lost]), "gateway": gateway}]).raise_for_status()
        time.sleep(random.uniform(3.0, 10.0))
        httpx.put(at, timeout=30, json=[]).raise_for_status()


def made(world: World, fault: Fault, random: Random) -> None:
    """Make the fault, and count it."""
    try:
        fault(world, random)
    except ChannelNotFoundEntity:
        # an earlier fault took away the queue or exchange that this one would harm, and nobody has made it again yet
        world.done[f"{fault.__name__} found nothing to harm"] += 1
    else:
        world.done[fault.__name__] += 1


def _any_process(world: World, random: Random) -> str:
    return random.choice(world.services())


@contextmanager
def followers_away(world: World, follower: str, what: str) -> Iterator[None]:
    with world.breaking(what):
        for name in world.processes_of(follower):
            world.kill(name)
        try:
            yield
        finally:
            for name in world.processes_of(follower):
                world.stack.restart(name)


FAULTS: Mapping[Fault, int] = {
    killed_at_a_point: 8,
    killed_at_random: 8,
    frozen: 3,
    broker_away: 1,
    broker_erased: 1,
    database_away: 2,
    messages_again: 2,
    messages_lost: 2,
    messages_delivered_too_often: 1,
    messages_unroutable: 2,
    junk: 2,
    keyring_away: 1,
    slow_provider: 2,
}
"""How likely each is chosen, to the others."""
