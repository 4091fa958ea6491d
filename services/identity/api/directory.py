"""The directory: what other services may know of a person, while somebody waits. The book says which service what."""

from fastapi import APIRouter
from pydantic import BaseModel

from services.identity import views
from services.identity.api.parts import PartsDep, account_of, staff_of
from services.identity.domain import account, staff
from shared.kernel.errors import Refused
from shared.runtime.access import ServiceCallerDep, ServiceDep

router = APIRouter(prefix="/v1/directory", tags=["directory"])


class StaffEntry(BaseModel):
    person: str
    name: str
    organisation: str
    roles: list[tuple[str, str]]


@router.get("/people/{person}")
async def person_entry(person: str, service: ServiceDep, parts: PartsDep, caller: ServiceCallerDep) -> dict[str, str]:
    """The fields of a candidate's account that this service may have, and no others."""
    allowed = parts.scheme.directory_readers.get(caller.id)
    if not allowed:
        raise Refused("access.not_allowed")
    state = await account_of(service, person)
    if not isinstance(state, account.Registered):
        raise Refused("access.not_found")
    return {"person": person, **{field: getattr(state, field) for field in sorted(allowed)}}


@router.get("/staff/{person}")
async def staff_entry(person: str, service: ServiceDep, _caller: ServiceCallerDep) -> StaffEntry:
    """Who a member of staff is, for what officials sign."""
    state = await staff_of(service, person)
    if not isinstance(state, staff.Person):
        raise Refused("access.not_found")
    async with service.reading() as connection:
        roles = await views.find_roles(connection, person)
    return StaffEntry(person=person, name=state.name, organisation=state.organisation, roles=roles)
