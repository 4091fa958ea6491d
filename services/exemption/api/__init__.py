"""The HTTP face of exemption, under /v1: bodies become commands, facts become answers.

`public` and `home` are for everybody, `candidates`, `offers`, `photographs` and `papers` for candidates, `reviewers`
and `finding` for staff, `cycles` for those who open cycles and `operations` for those who hand off batches. Personal
values are read from the events, for those who may read the case.
"""

from fastapi import APIRouter

from services.exemption.api import (
    candidates,
    cycles,
    finding,
    home,
    offers,
    operations,
    papers,
    photographs,
    public,
    reviewers,
)

router = APIRouter(prefix="/v1", tags=["exemption"])
for part in (public, home, candidates, offers, photographs, papers, finding, reviewers, cycles, operations):
    router.include_router(part.router)
