"""Composition root of exemption: `python -m services.exemption.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from services.exemption.api import router
from services.exemption.domain.parking import PARKING
from services.exemption.domain.refusals import REFUSALS
from services.exemption.handlers import Books, Handlers
from services.exemption.reactions import REACTIONS
from services.exemption.timers import timers
from services.exemption.views import VIEWS
from services.exemption.views.uploads import kept_blobs
from shared.documents.pool import DocumentWorkers
from shared.documents.refusals import REFUSALS as DOCUMENT_REFUSALS
from shared.runtime.app import Resources, run
from shared.runtime.parking import resolving
from shared.runtime.service import ServiceDefinition
from shared.schemes.catalog import Catalog

BOOKS = Books(Catalog.load())
"""Read and checked at the start, so that a bad book stops the service and not a candidate."""


def exemption(books: Books) -> ServiceDefinition:
    return ServiceDefinition(
        name="exemption",
        handlers={**Handlers(books).by_command(), **resolving(PARKING)},
        views=VIEWS,
        reactions=REACTIONS,
        timers=timers(books),
        router=router,
        refusals={**DOCUMENT_REFUSALS, **REFUSALS},
        schema=Path(__file__).with_name("schema.sql"),
        blobs_kept=kept_blobs,
    )


def resources(books: Books, documents: DocumentWorkers | None = None) -> Resources:
    """What the routes use besides the service: the books and the workers for photographs, its own if none are given."""

    @asynccontextmanager
    async def equipped(app: FastAPI) -> AsyncIterator[None]:
        app.state.books = books
        async with documents or DocumentWorkers() as app.state.documents:
            yield

    return equipped


SERVICE = exemption(BOOKS)

if __name__ == "__main__":
    run(SERVICE, resources=resources(BOOKS))
