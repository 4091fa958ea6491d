"""Whatever is sent to any route is answered as its description says, and never with a fault of ours.

schemathesis makes the requests from the description, right and wrong ones; half of the ids are those of a real case.
"""

import asyncio
import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import schemathesis
import uvicorn
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.services.exemption.office import CLERK, DEAN, RECEIVER, Office, open_office

pytestmark = pytest.mark.servers

EXAMPLES = int(os.environ.get("ZIKAO_FUZZ_EXAMPLES", "3"))  # of every operation
CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]


class Served:
    """The office behind a real port, in a thread with a loop of its own, and one case of every kind in it."""

    url: str
    ids: dict[str, list[str]]
    callers: list[dict[str, str]]

    def __init__(self, database: str, folder: Path) -> None:
        self._ready, self._done = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(database, folder)))
        self._thread.start()
        self._ready.wait(60)

    def stop(self) -> None:
        self._done.set()
        self._thread.join()

    async def _serve(self, database: str, folder: Path) -> None:
        async with open_office(database, folder) as office:
            await self._cases(office)
            port = socket.create_server(("127.0.0.1", 0))
            server = uvicorn.Server(uvicorn.Config(office.web.app, lifespan="off", log_config=None))
            serving = asyncio.create_task(server.serve([port]))
            self.url = f"http://127.0.0.1:{port.getsockname()[1]}"
            self._ready.set()
            await asyncio.to_thread(self._done.wait)
            server.should_exit = True
            await serving

    async def _cases(self, office: Office) -> None:
        who, cycle = await office.somebody(), await office.open_cycle()
        draft, waiting = await office.draft(who, cycle), await office.submitted(await office.somebody(), cycle)
        done = await office.granted(await office.somebody(), cycle)
        batch = (await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})).json()["id"]
        uploads = (await office.me(who, "get", f"/v1/applications/{draft}")).json()["photos"]
        self.ids = {
            "application": [draft, waiting, done],
            "cycle": [cycle],
            "batch": [batch],
            "upload": [each["upload"] for each in uploads],
        }
        staff = [office.web.as_staff(f"staff-{role}", (role, at)) for role, at in (CLERK, DEAN, RECEIVER)]
        tokens = [office.web.as_candidate(who.id), *staff, office.web.as_service("notification")]
        self.callers = [{"Authorization": each["Authorization"]} for each in tokens]


@pytest.fixture(scope="module")
def served(exemption_database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    opened = Served(exemption_database, tmp_path_factory.mktemp("blobs"))
    yield opened
    opened.stop()


def test_any_request_is_answered_as_described(served: Served) -> None:
    schema = schemathesis.openapi.from_url(f"{served.url}/openapi.json")
    failures = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(), data=st.data())
        def ask(case: schemathesis.Case[Any], data: st.DataObject) -> None:
            for name, known in served.ids.items():
                if name in case.path_parameters and data.draw(st.booleans()):
                    case.path_parameters[name] = data.draw(st.sampled_from(known))
            headers = {**data.draw(st.sampled_from(served.callers)), "Idempotency-Key": str(uuid4())}
            case.call_and_validate(checks=CHECKS, headers=headers)

        try:
            ask()
        except FailureGroup as group:
            failures += [f"{operation.label}: {failure}" for failure in group.exceptions]
    assert not failures, "\n\n".join(failures)
