"""Composition root of notification: `python -m services.notification.main`."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path

import httpx
from fastapi import FastAPI

from services.notification.api import router
from services.notification.domain.parking import PARKING
from services.notification.domain.refusals import REFUSALS
from services.notification.gateways import SmsGateway, providers
from services.notification.handlers import Books, Handlers
from services.notification.reactions import REACTIONS
from services.notification.sending import Sender
from services.notification.settings import SmsSettings
from services.notification.views import MESSAGES, RECEIPT, REVIEWERS, SEND
from shared.kernel.time import utc_now
from shared.runtime.app import run
from shared.runtime.parking import resolving
from shared.runtime.service import ServiceDefinition
from shared.runtime.telemetry import trace_client
from shared.schemes.catalog import Catalog


def notification(catalog: Catalog, gateways: Callable[[], Mapping[str, SmsGateway]]) -> ServiceDefinition:
    """The service on the given books and providers; the books are checked here, so a bad one stops the start."""
    books = Books(catalog)
    for book in catalog.with_part("notification"):
        books.scheme(book.ref)
    sender = Sender(gateways, books.sending)
    return ServiceDefinition(
        name="notification",
        handlers={**Handlers(books).by_command(), **resolving(PARKING)},
        views=(MESSAGES, REVIEWERS),
        reactions=REACTIONS,
        timers={SEND: sender.send, RECEIPT: sender.receipt},
        router=router,
        refusals=REFUSALS,
        schema=Path(__file__).with_name("schema.sql"),
    )


@cache
def _client() -> httpx.AsyncClient:
    client = httpx.AsyncClient()
    trace_client(client)
    return client


@cache
def _providers() -> Mapping[str, SmsGateway]:
    return providers(SmsSettings(), _client(), utc_now)  # type: ignore[call-arg] # from the environment


@asynccontextmanager
async def _resources(_: FastAPI) -> AsyncIterator[None]:
    """Settings are read at the start, not at the first SMS."""
    _providers()
    async with _client():
        yield


SERVICE = notification(Catalog.load(), _providers)

if __name__ == "__main__":
    run(SERVICE, resources=_resources)
