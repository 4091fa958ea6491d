"""A running exemption with the books of the made-up jurisdiction: candidates with claims over HTTP, real timers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx

from services.exemption.domain.commands import (
    FollowAccount,
    FollowEducation,
    FollowOrganisation,
    FollowVerification,
    ReceivePhotograph,
)
from services.exemption.handlers import Books
from services.exemption.main import exemption, resources
from shared.kernel.time import SHANGHAI
from shared.runtime.access import Caller
from shared.runtime.keyring import Keyring
from shared.schemes.catalog import Catalog
from shared.testing.documents import DOCUMENTS
from shared.testing.pictures import plain
from shared.testing.services import running
from shared.testing.stores import KEK, pool_of
from tests.schemes.test_vocabulary import CLAIMS, FERRY, ISLE, REEF
from tests.services.exemption.claims_story import (
    FERRY_FORM,
    FERRY_GOOD,
    GOOD,
    ISLE_FORM,
    RECORD,
    REEF_FORM,
    REEF_GOOD,
)
from tests.services.exemption.office import NOBODY, Clock, Office, Person

BOOKS = Books(Catalog.load(CLAIMS))
TYPED = {ISLE: (ISLE_FORM, GOOD), REEF: (REEF_FORM, REEF_GOOD), FERRY: (FERRY_FORM, FERRY_GOOD)}
"""Scheme -> a good form and good claims."""
MASTER, CLERK = ("harbour_master", "harbour"), ("jetty_clerk", "jetty")
PLACES = (("harbour", "虚构港务局", "harbour", None), ("jetty", "一号码头", "jetty", "harbour"))
SPANS = {"apply": (0, 9), "pay": (0, 14), "correct": (0, 9), "confirm": (0, 9), "results": (25, 42), "use": (11, 40)}
"""Window -> its first and last day, counted from the day on which the cycle is opened."""


@dataclass
class Harbour(Office):
    """What a test can do; every call is a real request."""

    async def sailor(self, holder: str = "海某", ticket: str | None = None) -> tuple[Person, str]:
        """A verified, enrolled candidate with an effective diploma; and their ticket number."""
        who = await self.somebody(holder)
        number = ticket or f"99{who.mobile[-8:]}"
        await self.tell(FollowAccount(person=who.id, ticket_number=number))
        await self.tell(FollowVerification(person=who.id, jurisdiction="lagoon", level="photographs"))
        await self.tell(
            FollowEducation(
                person=who.id,
                record=RECORD,
                standing="effective",
                level="31",
                category="ordinary",
                certificate_number=f"D{who.mobile}",
                school="虚构学院",
                major="园艺",
                graduated_on="2018-06-30",
            )
        )
        return who, number

    async def season(self, scheme: str) -> str:
        """A cycle that is open from today on."""
        day = self.clock.now.astimezone(SHANGHAI).date()
        asked = [each.id for each in BOOKS.rules(scheme).book.windows]
        windows = {
            each: {
                "from_day": f"{day + timedelta(days=SPANS[each][0])}",
                "to_day": f"{day + timedelta(days=SPANS[each][1])}",
                "daily": [],
            }
            for each in asked
        }
        body = {"scheme": scheme, "organisation": "harbour", "title": "测试批次", "windows": windows}
        answer = await self.staff("post", "/v1/cycles", MASTER, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def claimed(self, who: Person, ticket: str, cycle: str, scheme: str, **changes: Any) -> str:
        """A draft with good claims, and everything uploaded."""
        begun = await self.me(who, "post", "/v1/applications", json={"cycle": cycle})
        assert begun.status_code == 201, begun.text
        application = str(begun.json()["id"])
        saved = await self.save(who, ticket, application, scheme, **changes)
        assert saved.status_code == 200, saved.text
        return application

    async def save(self, who: Person, ticket: str, application: str, scheme: str, **changes: Any) -> httpx.Response:
        book, (form, good) = BOOKS.rules(scheme).book, TYPED[scheme]
        own = {"name": who.holder, "ticket": ticket, "id_number": who.id_number}
        own |= dict.fromkeys(("mobile", "phone"), who.mobile)
        form = form | {name: value for name, value in own.items() if name in form}
        claims = [dict(each) for each in changes.pop("claims", good)]
        for claim in claims:
            slots = {slot: f"{claim['basis']}.{slot}" for slot in claim["photos"]}
            claim["photos"] = {each: await self.picture(who, application, slot) for each, slot in slots.items()}
        photos = {each.slot: await self.picture(who, application, each.slot) for each in book.photos}
        majors = [{"level": "本科", "code": "990101"}] if book.majors else []
        body = {"form": {**form, **changes}, "photos": photos, "claims": claims, "majors": majors}
        return await self.me(who, "put", f"/v1/applications/{application}/draft", json=body)

    async def picture(self, who: Person, application: str, slot: str) -> str:
        blob = await self.web.service.blobs.put(who.id, plain((320, 200)), "image/jpeg")
        command = ReceivePhotograph(
            application=application,
            slot=slot,
            accepted=True,
            results=(),
            original=blob.id,
            original_type="image/jpeg",
            original_digest=blob.digest,
            picture=blob.id,
            picture_digest=blob.digest,
        )
        receipt = await self.tell(command, Caller(who.id, "candidate"))
        return receipt.stream.split("-", 1)[1]

    async def submit(self, who: Person, application: str) -> httpx.Response:
        return await self.me(who, "post", f"/v1/applications/{application}/submit")

    async def handed_in(self, who: Person, ticket: str, cycle: str, scheme: str) -> str:
        application = await self.claimed(who, ticket, cycle, scheme)
        answer = await self.submit(who, application)
        assert answer.status_code == 200, answer.text
        return application

    async def state(self, who: Person, application: str) -> str:
        shown = await self.me(who, "get", f"/v1/applications/{application}")
        return str(shown.json()["state"]["id"])

    async def decide(self, application: str, stage: str, scheme: str, who: str = "master") -> httpx.Response:
        checklist = {item.id: True for item in BOOKS.rules(scheme).book.stage(stage).checklist}
        body = {"stage": stage, "checklist": checklist}
        return await self.staff("post", f"/v1/applications/{application}/pass", MASTER, who=who, json=body)

    async def approved(self, who: Person, ticket: str, cycle: str) -> str:
        application = await self.handed_in(who, ticket, cycle, REEF)
        for stage in ("现场确认", "审核"):
            answer = await self.decide(application, stage, REEF, who=stage)
            assert answer.status_code == 200, answer.text
        return application


@asynccontextmanager
async def open_harbour(database: str, folder: Path, books: Books = BOOKS) -> AsyncIterator[Harbour]:
    """`books` may say something else than the made-up ones, with the same windows and stages."""
    clock = Clock()
    async with (
        pool_of(database, "identity", 2) as identity,
        running(
            exemption(books),
            database,
            folder,
            clock=clock,
            resources=resources(books, DOCUMENTS),
            peers={"identity": NOBODY},
        ) as web,
    ):
        harbour = Harbour(web, clock, Keyring(identity, KEK))
        for organisation, title, level, parent in PLACES:
            await harbour.tell(
                FollowOrganisation(organisation=organisation, title=title, level=level, parent=parent, phones=())
            )
        yield harbour
