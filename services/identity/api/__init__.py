"""The HTTP side of identity, under /v1: body -> values -> command -> `service.handle`. One module per topic."""

from fastapi import APIRouter

from services.identity.api import (
    account,
    diploma_desk,
    directory,
    education,
    education_desk,
    organisations,
    personal_centre,
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
    personal_centre,
    staff,
    organisations,
    directory,
    education,
    education_desk,
    diploma_desk,
    verification,
    verification_desk,
)
for part in parts:
    router.include_router(part.router)
