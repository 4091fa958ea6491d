"""Composition root of identity: `python -m services.identity.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from services.identity.api import router
from services.identity.api.parts import Parts
from services.identity.domain.refusals import REFUSALS
from services.identity.domain.scheme import Books, IdentityScheme, JurisdictionIdentity
from services.identity.handlers import TIMERS, handlers
from services.identity.passwords import Passwords
from services.identity.settings import IdentitySettings
from services.identity.tokens import Tokens
from services.identity.verification_views import VERIFICATIONS, kept_blobs
from services.identity.verifying import Verifying
from services.identity.views import VIEWS
from shared.documents.pool import DocumentWorkers
from shared.documents.refusals import REFUSALS as DOCUMENT_REFUSALS
from shared.runtime.access import LocalKeySource
from shared.runtime.app import Resources, run
from shared.runtime.service import ServiceDefinition
from shared.schemes.catalog import Catalog

PLATFORM = "platform"
_CATALOG = Catalog.load()
SCHEME = _CATALOG.get(PLATFORM).part("identity", IdentityScheme)
BOOKS = Books(
    {
        book.ref: book.part("identity", JurisdictionIdentity)
        for book in _CATALOG.with_part("identity")
        if book.ref != PLATFORM
    }
)
"""Read and checked at the start, so that a bad book stops the service and not a candidate."""


def identity(scheme: IdentityScheme, books: Books = BOOKS) -> ServiceDefinition:
    return ServiceDefinition(
        name="identity",
        handlers=handlers(scheme, Verifying(books)),
        views=(*VIEWS, VERIFICATIONS),
        router=router,
        refusals={**DOCUMENT_REFUSALS, **REFUSALS},
        schema=Path(__file__).parent / "schema.sql",
        timers=TIMERS,
        blobs_kept=kept_blobs,
    )


def resources(scheme: IdentityScheme, settings: IdentitySettings, books: Books = BOOKS) -> Resources:
    """What only identity needs, for its routes to find on `app.state`."""

    @asynccontextmanager
    async def made(app: FastAPI) -> AsyncIterator[None]:
        app.state.identity = Parts(scheme, settings, Passwords(settings), Tokens(settings))
        app.state.books = books
        async with DocumentWorkers(reads=False) as app.state.documents:
            yield

    return made


SERVICE = identity(SCHEME)

if __name__ == "__main__":
    own = IdentitySettings()  # type: ignore[call-arg] # from the environment
    run(SERVICE, key_source=LocalKeySource(own.signing_keys), resources=resources(SCHEME, own))
