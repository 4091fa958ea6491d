"""The HTTP side of identity, under /v1: body -> values -> command -> `service.handle`. One module per topic."""

from fastapi import APIRouter

from services.identity.api import account, directory, organisations, registration, sessions, staff

router = APIRouter()
for part in (registration, sessions, account, staff, organisations, directory):
    router.include_router(part.router)
