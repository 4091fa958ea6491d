"""The HTTP side of identity, under /v1: body -> values -> command -> `service.handle`. One module per topic."""

from fastapi import APIRouter

from services.identity.api import (
    account,
    directory,
    education,
    education_desk,
    organisations,
    registration,
    sessions,
    staff,
    verification,
    verification_desk,
)

router = APIRouter()
parts = (
    registration,
    sessions,
    account,
    staff,
    organisations,
    directory,
    education,
    education_desk,
    verification,
    verification_desk,
)
for part in parts:
    router.include_router(part.router)
