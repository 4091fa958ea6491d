"""个人中心: what a jurisdiction's page shows of the account, and what a candidate fills in besides. For the portal."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from services.identity.api.parts import Body, Done, Typed, account_of
from services.identity.api.verification import BooksDep
from services.identity.domain.account import Registered
from services.identity.domain.commands import SaveProfile
from services.identity.domain.profile import PROFILE
from services.identity.domain.profile_rules import PersonalCentre, ShownFact, rows, sex_of
from services.identity.domain.scheme import Books
from services.identity.domain.verification import VERIFICATION
from services.identity.profiles import centre_of
from shared.events.identity import PhotographAccepted
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact, stream_name
from shared.runtime.access import CandidateDep, CommandMeta, ServiceDep
from shared.runtime.problems import refuses
from shared.runtime.service import Service
from shared.schemes.forms import FormField

router = APIRouter(prefix="/v1/me/personal-centre", tags=["account"])

SEX = "gbt2261_1"
Jurisdiction = Annotated[str, Query(max_length=40)]
Word = Annotated[str, Field(max_length=40)]


class EntryShown(BaseModel):
    id: str
    title: str


class RowShown(BaseModel):
    """`value` as it is kept, `text` as people read it. `editable`: filled in here, and not of the account."""

    name: str
    label: str
    value: str
    text: str
    editable: bool
    kind: str | None = None
    entries: list[EntryShown] = []


class CentreShown(BaseModel):
    """SX-E-12. `photo`: whether there is a picture to show beside the rows."""

    title: str
    photo: bool
    rows: list[RowShown]


class Save(Body):
    """The whole form; what is left out or empty stays empty."""

    jurisdiction: Typed
    form: dict[Word, Annotated[str, Field(max_length=400)]] = Field(max_length=40)


@router.get("", openapi_extra=refuses("identity.no_personal_centre", "identity.no_account"))
async def shown(service: ServiceDep, books: BooksDep, caller: CandidateDep, jurisdiction: Jurisdiction) -> CentreShown:
    centre = centre_of(books.with_centre(jurisdiction), books)
    account = await account_of(service, caller.id)
    if not isinstance(account, Registered):
        raise Refused("identity.no_account")
    async with service.reading() as connection:
        past = await service.history(connection, stream_name(PROFILE.kind, caller.id))
    form = PROFILE.replay(fact.event for fact in past).forms.get(jurisdiction, {})
    photo = await _photograph(service, caller.id, centre)
    return CentreShown(
        title=centre.title.text,
        photo=photo is not None,
        rows=[
            _of_account(each, account, books) if isinstance(each, ShownFact) else _typed(each, form, centre, books)
            for each in rows(centre)
        ],
    )


def _typed(field: FormField, form: Mapping[str, str], centre: PersonalCentre, books: Books) -> RowShown:
    value, entries = form.get(field.name, ""), centre.entries(field, books.code_lists)
    return RowShown(
        name=field.name,
        label=field.label,
        value=value,
        text=entries.get(value, value),
        editable=True,
        kind=field.kind,
        entries=[EntryShown(id=code, title=title) for code, title in entries.items()],
    )


def _of_account(shown: ShownFact, account: Registered, books: Books) -> RowShown:
    value = sex_of(account.id_number) if shown.name == "sex" else str(getattr(account, shown.name))
    sexes = books.code_lists.get(SEX)
    text = sexes.entries.get(value, value) if shown.name == "sex" and sexes else value
    return RowShown(name=shown.name, label=shown.label, value=value, text=text, editable=False)


@router.put("")
async def save(body: Save, service: ServiceDep, books: BooksDep, caller: CandidateDep, meta: CommandMeta) -> Done:
    """Checked field by field; every fault is told at once."""
    book = books.with_centre(body.jurisdiction)
    centre_of(book, books)
    command = SaveProfile(person=caller.id, book=book or "", form=dict(body.form))
    return Done.of(await service.handle(command, meta, caller=caller))


@router.get(
    "/photograph",
    response_class=Response,
    openapi_extra=refuses("identity.no_personal_centre", "access.not_found"),
)
async def photograph(
    service: ServiceDep, books: BooksDep, caller: CandidateDep, jurisdiction: Jurisdiction
) -> Response:
    """The last one that was accepted, also once the person is verified."""
    kept = await _photograph(service, caller.id, centre_of(books.with_centre(jurisdiction), books))
    if kept is None:
        raise Refused("access.not_found")
    data = await service.blobs.get(caller.id, kept.event.picture)
    return Response(data, media_type="image/jpeg", headers={"Content-Disposition": 'inline; filename="photograph"'})


async def _photograph(service: Service, person: str, centre: PersonalCentre) -> Fact[Any] | None:
    async with service.reading() as connection:
        past = await service.history(connection, stream_name(VERIFICATION.kind, person))
    taken = (fact for fact in reversed(past) if isinstance(fact.event, PhotographAccepted))
    return next((fact for fact in taken if fact.event.slot == centre.photo), None)
