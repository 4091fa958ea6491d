"""HTTP writes over 32 connections: a bare FastAPI application with one statement, and a real command of a service.

Ours: the token is verified, the application's earlier drafts are loaded, unsealed and replayed, the new one is decided,
sealed under the person's key and appended, its read model changed; and meanwhile the process sequences, publishes and
logs as in production.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from itertools import count

import msgspec
from joserfc import jwt
from joserfc.jwk import OKPKey

from bench import bare_app, material, our_app
from bench.client import GROUP, NUMBER, Order, Outcome
from bench.rounds import BARE, OURS, Case, Hold, Measure, Reading
from bench.workplace import SOURCE, Store, Workplace
from ops.stack import children
from ops.stack.places import CHECKOUT
from ops.stack.ports import LOOPBACK, Ports
from shared.kernel.time import utc_now
from shared.runtime.access import ALGORITHM, ISSUER

CONNECTIONS = 32
DRAFTS = 5
"""How often a candidate saves one application, so that two earlier drafts are replayed on average."""
_WARM_UP = 1.0
_PATIENCE = 60.0


@asynccontextmanager
async def _program(workplace: Workplace, name: str, words: list[str], told: Mapping[str, str]) -> AsyncIterator[None]:
    """`python -m ...` with what it is told in its environment, ready when its port answers."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ZIKAO_")}
    program = await asyncio.to_thread(
        children.start,
        [sys.executable, "-m", *words],
        environment={**inherited, "PYTHONPATH": _path(), **told},
        log=workplace.logs / f"{name}.log",
        folder=CHECKOUT,
    )
    try:
        await _answering(int(told["BENCH_PORT"]), program)
        yield
    finally:
        await asyncio.to_thread(children.end, program)


def _path() -> str:
    return os.pathsep.join(filter(None, (str(CHECKOUT), os.environ.get("PYTHONPATH"))))


async def _answering(port: int, program: children.Child) -> None:
    gives_up = time.monotonic() + _PATIENCE
    while time.monotonic() < gives_up and program.poll() is None:
        with suppress(OSError):
            _, writer = await asyncio.open_connection(LOOPBACK, port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise RuntimeError(f"the server at port {port} did not start")


@asynccontextmanager
async def _bare_server(workplace: Workplace, port: int) -> AsyncIterator[None]:
    async with workplace.bare() as url:
        told = {bare_app.URL: url, "BENCH_PORT": str(port)}
        async with _program(workplace, "bare", ["bench.bare_app", str(port)], told):
            yield


@asynccontextmanager
async def _our_server(workplace: Workplace, store: Store, port: int, key: OKPKey) -> AsyncIterator[None]:
    async with workplace.broker() as amqp_url:
        told = {
            "BENCH_PORT": str(port),
            our_app.PUBLIC_KEYS: json.dumps({"keys": [key.as_dict(private=False)]}),
            "ZIKAO_PORT": str(port),
            "ZIKAO_POSTGRES_URL": store.url(SOURCE),
            "ZIKAO_AMQP_URL": amqp_url,
            "ZIKAO_KEK": base64.b64encode(store.kek).decode(),
            "ZIKAO_BLOBS": str(workplace.folder),
            "ZIKAO_SERVICE_SECRET": "asked-for-by-nobody",
        }
        async with _program(workplace, "ours", ["bench.our_app"], told):
            yield


def _request(path: str, headers: Mapping[str, str]) -> bytes:
    body = json.dumps(material.body(NUMBER.decode()), separators=(",", ":")).encode()
    lines = {"Host": "bench", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def _our_requests(key: OKPKey) -> tuple[bytes, ...]:
    """One candidate a connection, each with a token; a new application every `DRAFTS` requests."""
    return tuple(
        _request(
            f"/v1/applications/{person}-{GROUP.decode()}/draft",
            {"Authorization": f"Bearer {_token(person, key)}", "Idempotency-Key": f"draft-{NUMBER.decode()}"},
        )
        for person in _persons()
    )


def _persons() -> list[str]:
    return [f"synthetic-{number:02d}" for number in range(CONNECTIONS)]


def _token(person: str, key: OKPKey) -> str:
    claims = {
        "iss": ISSUER,
        "sub": person,
        "kind": "candidate",
        "aud": [SOURCE],
        "roles": [],
        "exp": int(utc_now().timestamp()) + 24 * 3600,  # longer than any measuring
    }
    return jwt.encode({"alg": ALGORITHM, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


async def _loaded(port: int, requests: tuple[bytes, ...], seconds: float, numbers: count[int]) -> Outcome:
    """Numbers are never used twice, so that no request is the repetition of an earlier one."""
    order = Order(port, seconds, requests, DRAFTS, first=1_000_000 * next(numbers))
    client = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "bench.client"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        cwd=CHECKOUT,
        env={**os.environ, "PYTHONPATH": _path()},
    )
    said, _ = await client.communicate(msgspec.json.encode(order))
    if client.returncode:
        raise RuntimeError("the load client failed; what it said stands above")
    outcome = msgspec.json.decode(said, type=Outcome)
    if outcome.failed or not outcome.sent:
        raise RuntimeError(f"{outcome.failed} requests failed: {outcome.said}")
    return outcome


async def _measured(workplace: Workplace, port: int, requests: tuple[bytes, ...], numbers: count[int]) -> Reading:
    await _loaded(port, requests, _WARM_UP, numbers)
    outcome = await _loaded(port, requests, workplace.seconds, numbers)
    return Reading(outcome.per_second, {"p50_ms": outcome.p50_ms, "p99_ms": outcome.p99_ms})


async def _settled(store: Store) -> float:
    """Wait until all is published, so that nothing is left to do while others are measured; how many waited."""
    behind = f"select (select count(*) from {SOURCE}.events) - (select published from {SOURCE}.sequencer)"  # noqa: S608
    gives_up = time.monotonic() + _PATIENCE
    async with store.owner() as owner:
        left = first = await owner.fetchval(behind)
        while left:
            if time.monotonic() > gives_up:
                raise TimeoutError(f"{left} events are still not published")
            await asyncio.sleep(0.05)
            left = await owner.fetchval(behind)
    return float(first)


@asynccontextmanager
async def _cases(workplace: Workplace) -> AsyncIterator[Mapping[str, Case]]:
    ports = Ports(workplace.folder / "ports.json")
    bare_port, our_port = ports.of("bench bare"), ports.of("bench ours")
    key = OKPKey.generate_key("Ed25519", private=True, parameters={"kid": "bench"})
    numbers, bare_requests = count(1), (_request("/one", {}),) * CONNECTIONS
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(workplace.store())
        await store.make_keys(_persons())
        await stack.enter_async_context(_bare_server(workplace, bare_port))
        await stack.enter_async_context(_our_server(workplace, store, our_port, key))
        our_requests = _our_requests(key)

        async def ours() -> Reading:
            reading = await _measured(workplace, our_port, our_requests, numbers)
            return Reading(reading.value, {**reading.more, "not_yet_published": await _settled(store)})

        yield {BARE: lambda: _measured(workplace, bare_port, bare_requests, numbers), OURS: ours}


MEASURES = (Measure("HTTP write, 32 connections", "requests/s", (Hold(BARE, 0.4),), _cases),)
