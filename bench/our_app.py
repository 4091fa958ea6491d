"""Our service behind HTTP, as `shared.runtime.app.run` serves every service: with logs, traces, metrics, sequencer and
publisher. There is no collector, so spans are only ids. `submitting.py` runs it.

    ZIKAO_...=... BENCH_PUBLIC_KEYS='{"keys": [...]}' python -m bench.our_app

It follows nobody, since nobody else runs; otherwise a call of `run` would do.
"""

import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import uvicorn
from joserfc.jwk import KeySet

from bench.service import RECORDING
from shared.kernel.time import utc_now
from shared.runtime import telemetry
from shared.runtime.access import LocalKeySource
from shared.runtime.app import create_app, equip
from shared.runtime.node import KEYS_SIZE, Node, open_pool
from shared.runtime.peers import Peers
from shared.runtime.settings import Settings

PUBLIC_KEYS = "BENCH_PUBLIC_KEYS"


def main() -> None:
    telemetry.log_as_json(RECORDING.name)
    settings = Settings()  # type: ignore[call-arg] # from the environment
    telemetry.start(RECORDING.name)
    url = settings.postgres_url.get_secret_value()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Node]:
        async with (
            open_pool(url, RECORDING.name) as pool,
            open_pool(url, RECORDING.name, KEYS_SIZE) as keys,
            httpx.AsyncClient() as client,
        ):
            amqp_url = settings.amqp_url.get_secret_value()
            node = Node(RECORDING, pool, settings.kek_bytes, utc_now, amqp_url=amqp_url, keys=keys)
            equip(node.service, settings, Peers(RECORDING.name, settings, utc_now, client), app.state.metrics)
            yield node

    keys = LocalKeySource(KeySet.import_key_set(json.loads(os.environ[PUBLIC_KEYS])))
    app = create_app(RECORDING, settings, key_source=keys, opened=opened)
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        loop="uvloop",
        http="httptools",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )


if __name__ == "__main__":
    main()
