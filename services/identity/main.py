"""Composition root of identity: `python -m services.identity.main`."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx
from fastapi import FastAPI

from services.identity import education
from services.identity.api import router
from services.identity.api.education import EducationParts
from services.identity.api.parts import Parts
from services.identity.checking import Checker
from services.identity.domain.commands import SaveProfile
from services.identity.domain.parking import PARKING
from services.identity.domain.refusals import REFUSALS
from services.identity.domain.scheme import Books, IdentityScheme, JurisdictionIdentity
from services.identity.education_views import CHECK, EDUCATIONS
from services.identity.gateways import ChsiGateway, account_of, chsi_of
from services.identity.handlers import TIMERS, handlers
from services.identity.passwords import Passwords
from services.identity.profiles import Profiles
from services.identity.reactions import REACTIONS
from services.identity.settings import ChsiSettings, IdentitySettings
from services.identity.tokens import Tokens
from services.identity.verification_views import VERIFICATIONS, kept_blobs
from services.identity.verifying import Verifying
from services.identity.views import VIEWS
from shared.documents.pool import DocumentWorkers
from shared.documents.refusals import REFUSALS as DOCUMENT_REFUSALS
from shared.kernel.time import utc_now
from shared.runtime.access import LocalKeySource
from shared.runtime.app import Resources, run
from shared.runtime.parking import resolving
from shared.runtime.service import ServiceDefinition
from shared.runtime.telemetry import trace_client
from shared.schemes.catalog import Catalog

PLATFORM = "platform"
_CATALOG = Catalog.load()
SCHEME = _CATALOG.get(PLATFORM).part("identity", IdentityScheme)
BOOKS = Books(
    {
        book.ref: book.part("identity", JurisdictionIdentity)
        for book in _CATALOG.with_part("identity")
        if book.ref != PLATFORM
    },
    _CATALOG.reference.code_lists,
)
"""Read and checked at the start, so that a bad book stops the service and not a candidate."""


def identity(
    scheme: IdentityScheme, books: Books = BOOKS, chsi: Callable[[], ChsiGateway | None] = lambda: None
) -> ServiceDefinition:
    """`chsi` gives None where CHSI (学信网) is not connected."""
    of_education = education.Books(books.parts)
    return ServiceDefinition(
        name="identity",
        handlers={
            **handlers(scheme, Verifying(books)),
            **education.Educations(of_education).by_command(),
            SaveProfile: Profiles(books).save,
            **resolving(PARKING),
        },
        views=(*VIEWS, EDUCATIONS, VERIFICATIONS),
        reactions=REACTIONS,
        router=router,
        refusals={**DOCUMENT_REFUSALS, **REFUSALS},
        schema=Path(__file__).parent / "schema.sql",
        timers={**TIMERS, CHECK: Checker(chsi, of_education).check},
        blobs_kept=kept_blobs,
    )


def resources(
    scheme: IdentityScheme,
    settings: IdentitySettings,
    books: Books = BOOKS,
    chsi: ChsiSettings | None = None,
    client: httpx.AsyncClient | None = None,
    documents: DocumentWorkers | None = None,
) -> Resources:
    """What only identity needs, for its routes to find on `app.state`; `client` is closed at the end. `documents` are
    its own workers if none are given."""

    @asynccontextmanager
    async def made(app: FastAPI) -> AsyncIterator[None]:
        app.state.identity = Parts(scheme, settings, Passwords(settings), Tokens(settings))
        app.state.education = EducationParts(education.Books(books.parts), account_of(chsi) if chsi else None)
        app.state.books = books
        workers = documents or DocumentWorkers(reads=False)
        async with AsyncExitStack() as stack, workers as app.state.documents:
            if client is not None:
                await stack.enter_async_context(client)
            yield

    return made


SERVICE = identity(SCHEME)


def main() -> None:
    own, chsi = IdentitySettings(), ChsiSettings()  # type: ignore[call-arg] # from the environment
    client = httpx.AsyncClient()
    trace_client(client)
    gateway = chsi_of(chsi, client, utc_now)
    run(
        identity(SCHEME, chsi=lambda: gateway),
        key_source=LocalKeySource(own.signing_keys),
        resources=resources(SCHEME, own, chsi=chsi, client=client),
    )


if __name__ == "__main__":
    main()
