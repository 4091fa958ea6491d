"""Composition root of identity: `python -m services.identity.main`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI

from services.identity.api import router
from services.identity.api.parts import Parts
from services.identity.domain.refusals import REFUSALS
from services.identity.domain.scheme import IdentityScheme
from services.identity.handlers import TIMERS, handlers
from services.identity.passwords import Passwords
from services.identity.settings import IdentitySettings
from services.identity.tokens import Tokens
from services.identity.views import VIEWS
from shared.runtime.access import LocalKeySource
from shared.runtime.app import Resources, run
from shared.runtime.service import ServiceDefinition
from shared.schemes.catalog import Catalog


def identity(scheme: IdentityScheme) -> ServiceDefinition:
    return ServiceDefinition(
        name="identity",
        handlers=handlers(scheme),
        views=VIEWS,
        router=router,
        refusals=REFUSALS,
        schema=Path(__file__).parent / "schema.sql",
        timers=TIMERS,
    )


def resources(scheme: IdentityScheme, settings: IdentitySettings) -> Resources:
    """What only identity needs, for its routes to find on `app.state`."""

    @asynccontextmanager
    async def made(app: FastAPI) -> AsyncIterator[None]:
        app.state.identity = Parts(scheme, settings, Passwords(settings), Tokens(settings))
        yield

    return made


SCHEME = Catalog.load().get("platform").part("identity", IdentityScheme)
SERVICE = identity(SCHEME)

if __name__ == "__main__":
    own = IdentitySettings()  # type: ignore[call-arg] # from the environment
    run(SERVICE, key_source=LocalKeySource(own.signing_keys), resources=resources(SCHEME, own))
