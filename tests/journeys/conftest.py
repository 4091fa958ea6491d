"""The stack that journeys share, and where it sends its spans. It ends with them: other tests stop its servers."""

import json
from collections.abc import Iterator

import pytest

from ops.stack.infrastructure import Infrastructure
from ops.stack.screen import Screen
from ops.stack.stack import Stack
from shared import events
from shared.runtime.database import AUDITOR
from shared.testing.stores import PASSWORD
from soak.secrecy import leaks
from tests.journeys.collector import Collector


@pytest.fixture(scope="package")
def collector() -> Iterator[Collector]:
    """Where the stack sends its spans."""
    with Collector() as collecting:
        yield collecting


@pytest.fixture(scope="package")
def stack(infra: Infrastructure, collector: Collector) -> Iterator[Stack]:
    """The whole stack as processes, for journeys: `stack.base_url("exemption")`, `stack.processes`, `stack.secrets`."""
    if not (secrets := infra.place.data / "secrets.json").exists():
        # the passwords of all other tests, because roles belong to the server
        secrets.write_text(json.dumps({f"role {role}": PASSWORD for role in (*events.SERVICES, AUDITOR)}))
    whole = Stack(infra, Screen())
    try:
        with pytest.MonkeyPatch.context() as surroundings:
            surroundings.setenv("ZIKAO_OTLP_ENDPOINT", collector.url)
            surroundings.setenv("OTEL_BSP_SCHEDULE_DELAY", "200")  # ms, so that no test waits for a batch to be full
            whole.start()
        yield whole
        # whatever the journeys did on it: nothing of anybody stands in what it wrote
        assert leaks(whole, besides=collector.written()) == []
    finally:
        whole.stop()
