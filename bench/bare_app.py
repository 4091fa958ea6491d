"""The bare HTTP application: a body checked by FastAPI, one statement, nothing else. `submitting.py` runs it.

BENCH_POSTGRES_URL=... python -m bench.bare_app PORT
"""

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg
import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel

from bench import bare
from bench.service import Body

URL = "BENCH_POSTGRES_URL"
_POOL = 16


class Made(BaseModel):
    id: UUID
    version: int


@asynccontextmanager
async def _life(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ[URL], min_size=_POOL, max_size=_POOL) as app.state.pool:
        yield


app = FastAPI(lifespan=_life)


@app.post("/one", status_code=201)
async def one(body: Body, request: Request) -> Made:
    made = uuid4()
    await request.app.state.pool.execute(bare.WITH_OUTBOX, made, body.model_dump_json())
    return Made(id=made, version=1)


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
