"""CHSI's stand-in by itself: that it calls out as often as it is told, and lets nobody in without a signature."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request

from sandbox.chsi import ON_RECORD, Signer
from sandbox.main import create_app
from tests.sandbox.serving import SETTINGS, MovableClock, Sandbox, listening

CLAIM = {"certificate_number": "X1", **dict.fromkeys(ON_RECORD, "样本")}
SECRET = SETTINGS.chsi_secret.get_secret_value() if SETTINGS.chsi_secret else ""


async def ask(client: httpx.AsyncClient, signer: Signer, clock: MovableClock, nonce: str) -> httpx.Response:
    body = json.dumps({"request_id": "r-1", "claim": CLAIM}).encode()
    headers = signer.headers("POST", "/chsi/v1/queries", body, clock(), nonce)
    return await client.post("/chsi/v1/queries", content=body, headers=headers)


async def test_a_nonce_is_good_once_and_a_wrong_key_never(sandbox: Sandbox) -> None:
    signer = Signer("zikao", SECRET)
    answers = [await ask(sandbox.client, signer, sandbox.clock, nonce) for nonce in ("n-1", "n-1", "n-2")]
    answers.append(await ask(sandbox.client, Signer("zikao", "another"), sandbox.clock, "n-3"))
    answers.append(await sandbox.client.post("/chsi/v1/queries", json={"request_id": "r", "claim": {}}))
    assert [answer.status_code for answer in answers] == [202, 401, 202, 401, 401]
    assert len(await sandbox.queries("X1")) == 2, "nothing is deduplicated for us"


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        ({"callbacks": 2}, ["found", "found"]),
        ({"callbacks": 1, "then": "unknown"}, ["found", "not_found"]),
        ({"callbacks": 0, "then": "no"}, ["invalid"]),
    ],
)
async def test_it_calls_out_as_often_as_it_is_told(behaviour: dict[str, Any], expected: list[str]) -> None:
    heard: list[str] = []
    receiver = FastAPI()

    @receiver.post("/answers")
    async def answers(request: Request) -> None:
        signed = signer.accepts(request, await request.body(), clock())
        heard.append((await request.json())["answer"]["result"] if signed else "unsigned")

    clock, signer = MovableClock(), Signer("zikao", SECRET)
    async with listening(receiver) as there:
        settings = SETTINGS.model_copy(update={"chsi_callback_url": f"{there}/answers"})
        async with listening(create_app(settings, clock)) as url, httpx.AsyncClient(base_url=url) as client:
            await client.put("/_control/chsi/behaviours", json={"*": behaviour})
            assert (await ask(client, Signer("zikao", SECRET), clock, "n-1")).status_code == 202
            for _ in range(200):
                if len(heard) == len(expected):
                    break
                await asyncio.sleep(0.05)
    assert heard == expected
