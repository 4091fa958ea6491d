"""Identity, exemption and notification in one process with RabbitMQ between them, CHSI and the SMS providers beside.

For tests of what one service's facts do in another. Each service has a clock; they are moved together. All invented.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from services.notification.gateways import providers
from services.notification.main import notification
from shared.events import FOLLOWS
from shared.runtime.node import Node
from shared.schemes.catalog import Catalog
from shared.testing.services import Web, running
from shared.testing.stores import LocalFeed
from tests.sandbox.serving import Sandbox, serving
from tests.services.exemption.office import Office, open_office
from tests.services.identity import people
from tests.services.identity.schooling import World, world
from tests.services.notification.conftest import sms_settings
from tests.shared.runtime.nodes import connected, until

MORNING = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)


@dataclass
class Town:
    """Three services that hear of one another by the bus."""

    identity: World
    exemption: Office
    notification: Web
    sandbox: Sandbox
    feed: LocalFeed

    @property
    def nodes(self) -> list[Node]:
        return [self.identity.web.node, self.exemption.web.node, self.notification.node]

    def move_to(self, now: datetime) -> None:
        self.identity.move_to(now)  # and CHSI's stand-in, whose clock notification goes by
        self.exemption.clock.now = now

    def move(self, **by: float) -> None:
        self.move_to(self.identity.now + timedelta(**by))

    async def heard(self) -> None:
        """Everything that was said has been handled by everybody who follows it."""
        await until(self._level)

    async def _level(self) -> bool:
        for node in self.nodes:
            assert node.consumer
            for source, position in await node.service.pool.fetch("select source, position from sources"):
                if position < await self.feed.head(source):
                    return False
            waiting = "select exists (select from events e left join log l using (seq) where l.seq is null)"
            if await node.service.pool.fetchval(waiting):
                return False
        return True

    async def candidate(self, person: people.Person | None = None) -> str:
        """Registered with identity, and known to the others."""
        registered = await self.identity.office.registered(person or people.Person())
        await self.heard()
        return registered

    async def cycle(self, scheme: str, organisation: str, role: tuple[str, str], **windows: tuple[date, date]) -> str:
        days = {each: {"from_day": f"{first}", "to_day": f"{last}"} for each, (first, last) in windows.items()}
        body = {"scheme": scheme, "organisation": organisation, "title": "样本批次", "windows": days}
        answer = await self.exemption.staff("post", "/v1/cycles", role, json=body)
        assert answer.status_code == 201, answer.text
        await self.heard()
        return str(answer.json()["id"])

    async def ask(self, person: str, method: str, path: str, body: Any = None) -> httpx.Response:
        """Of exemption."""
        headers = self.exemption.web.as_candidate(person)
        return await self.exemption.web.client.request(method, f"/v1{path}", headers=headers, json=body)

    async def inbox(self, person: str) -> list[dict[str, Any]]:
        headers = self.notification.as_candidate(person)
        answer = await self.notification.client.get("/v1/inbox", headers=headers)
        assert answer.status_code == 200, answer.text
        return list(answer.json()["items"])

    async def sent(self, mobile: str, words: str) -> None:
        """An SMS with these words reaches this number, once."""

        async def there() -> bool:
            return sum(words in each["text"] for each in await self.sandbox.sent(mobile)) == 1

        await until(there)


@asynccontextmanager
async def open_town(database: str, folder: Path, amqp_url: str) -> AsyncIterator[Town]:
    """On a prepared database that nobody else uses."""
    feed = LocalFeed()
    around: dict[str, Any] = {"amqp_url": amqp_url, "feed": feed}
    async with (
        serving() as sandbox,
        httpx.AsyncClient(verify=False) as client,
        world(database, folder / "identity", sandbox, **around) as identity,
        open_office(database, folder / "exemption", timers=False, now=MORNING, **around) as exemption,
    ):
        feed.add(identity.service)
        feed.add(exemption.web.service)
        gateways = providers(sms_settings(sandbox), client, sandbox.clock)
        definition = notification(Catalog.load(), lambda: gateways)
        async with running(definition, database, folder / "notification", clock=sandbox.clock, **around) as web:
            town = Town(identity, exemption, web, sandbox, feed)
            town.move_to(MORNING)
            for node in town.nodes:
                await until(connected(node))
                await until(_followed_all(node))
            yield town


def _followed_all(node: Node) -> Callable[[], Awaitable[bool]]:
    async def so() -> bool:
        found = await node.service.pool.fetchval("select count(*) from sources")
        return bool(found == len(FOLLOWS[node.service.name]))

    return so
