"""The sandbox on a loopback port, as its own process would serve it, for tests here and of the notification service."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import uvicorn
from fastapi import FastAPI
from pydantic import SecretStr

from sandbox.main import Settings, create_app

SETTINGS = Settings(
    sms_aliyun_secret=SecretStr("only-for-tests-a"),
    sms_tencent_secret_key=SecretStr("only-for-tests-t"),
    sandbox_receipt_seconds=0,
    chsi_secret=SecretStr("only-for-tests-c"),
)


@dataclass
class MovableClock:
    """Stands still until it is moved."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __call__(self) -> datetime:
        return self.now

    def forward(self, **time: float) -> None:
        self.now += timedelta(**time)


@dataclass(frozen=True)
class Sandbox:
    url: str
    clock: MovableClock
    client: httpx.AsyncClient

    async def sent(self, mobile: str | None = None) -> list[dict[str, Any]]:
        answer = await self.client.get("/_control/messages", params={"mobile": mobile} if mobile else {})
        return list(answer.json())

    async def faults(self, *faults: dict[str, Any]) -> None:
        (await self.client.put("/_control/faults", json=list(faults))).raise_for_status()

    async def behaves(self, **behaviours: Any) -> None:
        """Of CHSI: by certificate number, `_` standing for all."""
        named = {"*" if number == "_" else number: told for number, told in behaviours.items()}
        (await self.client.put("/_control/chsi/behaviours", json=named)).raise_for_status()

    async def queries(self, certificate_number: str) -> list[dict[str, Any]]:
        answer = await self.client.get("/_control/chsi/queries", params={"certificate_number": certificate_number})
        return list(answer.json())

    async def conditions(self, **conditions: Any) -> None:
        (await self.client.put("/_control/conditions", json=conditions)).raise_for_status()


@asynccontextmanager
async def serving(file: Path | None = None) -> AsyncIterator[Sandbox]:
    clock = MovableClock()
    app = create_app(SETTINGS.model_copy(update={"sandbox_file": file}), clock)
    async with listening(app) as url, httpx.AsyncClient(base_url=url, verify=False) as client:
        yield Sandbox(url, clock, client)


@asynccontextmanager
async def listening(app: FastAPI) -> AsyncIterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off"))
        task = asyncio.create_task(server.serve(sockets=[listener]))
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        server.should_exit = True
        await task
