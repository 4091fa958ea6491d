"""学历成果认证 over HTTP: candidates with prior education, claims and clerks, in the days of the notice. Invented."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any, Literal

import httpx

from services.exemption.domain.commands import FollowEducation, FollowOrganisation
from services.exemption.main import BOOKS
from shared.kernel.time import SHANGHAI
from tests.services.exemption.office import Office, Person, code, open_office

REF = "hb/recognition@1"
BOOK = BOOKS.rules(REF).book
CLERK = ("authority_clerk", "hb-prov")
PHARMACY, ADMINISTRATION = "本科 100805", "本科 030302"
SCORES = {"learned": "大学英语", "scores": "60;65;70"}
ANNEX = ("03708", "03709", "00015")
"""What candidates of 药学 should claim by diploma."""
_numbers = count(1)

Course = Mapping[str, Any]


def course(code: str, name: str = "", **form: str) -> Course:
    return {"code": code, "name": name, "form": form}


def ticked(*codes: str) -> list[Course]:
    """These courses, each with what it asks."""
    return [course(code, **(SCORES if code == "00015" else {})) for code in codes]


def by_diploma(record: str, courses: Sequence[Course]) -> dict[str, Any]:
    return {"basis": "diploma", "form": {"record": record}, "photos": {}, "courses": list(courses)}


def faults(answer: httpx.Response) -> dict[str, str]:
    """Field -> what is wrong with it, of an application that was not taken."""
    assert code(answer, 422) == "exemption.form_wrong"
    return {each["field"]: each["code"] for each in answer.json()["facts"]["faults"]}


@dataclass
class Hall:
    """The office of the province, and those who come to it."""

    office: Office
    cycle: str

    def at(self, *when: int) -> None:
        """Shanghai's clock now shows this."""
        self.office.clock.now = datetime(*when, tzinfo=SHANGHAI).astimezone(UTC)  # type: ignore[arg-type,misc]

    async def candidate(self, major: str = "园林", **other: Any) -> tuple[Person, str]:
        """Somebody with an effective record of prior education."""
        who = await self.office.somebody()
        return who, await self.education(who, major=major, **other)

    async def own_cycle(self, **windows: tuple[str, str]) -> "Hall":
        """Another one, until the end of the year but for these."""
        days = dict.fromkeys(("prior_education", "apply", "correct"), ("2018-03-01", "2018-12-31")) | windows
        dated = {purpose: {"from_day": first, "to_day": last} for purpose, (first, last) in days.items()}
        body = {"scheme": REF, "organisation": "hb-prov", "title": "补报批次", "windows": dated}
        opened = await self.office.staff("post", "/v1/cycles", CLERK, json=body)
        assert opened.status_code == 201, opened.text
        return replace(self, cycle=str(opened.json()["id"]))

    async def education(
        self,
        who: Person,
        standing: Literal["submitted", "effective", "not_effective"] = "effective",
        **other: Any,
    ) -> str:
        number = next(_numbers)
        known = {"record": f"record-{number}", "level": "31", "category": "ordinary", "major": "园林", **other}
        said = {"certificate_number": f"1052412018060{number:05}", "school": "样例学院", **known}
        await self.office.tell(FollowEducation(person=who.id, standing=standing, **said))
        return str(said["record"])

    def form(self, who: Person, **changes: str) -> dict[str, str]:
        return {
            "name": who.holder,
            "id_number": who.id_number,
            "ticket_number": "010118990001",
            "mobile": who.mobile,
            "own_major": PHARMACY,
            **changes,
        }

    async def started(self, who: Person) -> str:
        answer = await self.office.me(who, "post", "/v1/applications", json={"cycle": self.cycle})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def saved(self, who: Person, application: str, *claims: Mapping[str, Any], **form: str) -> dict[str, Any]:
        """Everything as typed; what was sent."""
        body = {"form": self.form(who, **form), "photos": {}, "claims": claims, "majors": []}
        answer = await self.office.me(who, "put", f"/v1/applications/{application}/draft", json=body)
        assert answer.status_code == 200, answer.text
        return body

    async def drafted(self, who: Person, *claims: Mapping[str, Any], **form: str) -> str:
        application = await self.started(who)
        await self.saved(who, application, *claims, **form)
        return application

    async def certified(self, who: Person, basis: str, courses: Sequence[str], own: str, **form: str) -> str:
        """A draft on a certificate, with its scan."""
        application = await self.started(who)
        scan = await self.office.photograph(who, application, f"{basis}.scan")
        typed = {"certificate_number": f"99990000{next(_numbers):04}", "obtained_on": "2016-03-26", **form}
        claim = {"basis": basis, "form": typed, "photos": {"scan": scan}, "courses": ticked_bare(courses)}
        await self.saved(who, application, claim, own_major=own)
        return application

    async def verdict(self, who: Person, application: str) -> dict[str, Any]:
        answer = await self.office.me(who, "post", f"/v1/applications/{application}/verdict")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def submit(self, who: Person, application: str) -> httpx.Response:
        return await self.office.me(who, "post", f"/v1/applications/{application}/submit")

    async def shown(self, who: Person, application: str) -> dict[str, Any]:
        told: dict[str, Any] = (await self.office.me(who, "get", f"/v1/applications/{application}")).json()
        return told

    async def passed(self, application: str) -> httpx.Response:
        body = {"stage": "审核", "checklist": {item.id: True for item in BOOK.stages[0].checklist}, "opinion": "属实"}
        return await self.office.staff("post", f"/v1/applications/{application}/pass", CLERK, json=body)

    async def returned(self, application: str, reason: str) -> httpx.Response:
        body = {"stage": "审核", "reason_code": reason, "note": "样本：请补正"}
        return await self.office.staff("post", f"/v1/applications/{application}/return", CLERK, json=body)


def ticked_bare(codes: Sequence[str]) -> list[Course]:
    return [course(code) for code in codes]


@asynccontextmanager
async def open_hall(database: str, folder: Path) -> AsyncIterator[Hall]:
    """The cycle of the notice, by the dates that the book announces; it is 10 March 2018."""
    async with open_office(database, folder, timers=False) as office:
        hall = Hall(office, "")
        hall.at(2018, 3, 10, 10)
        await office.tell(
            FollowOrganisation(organisation="hb-prov", title="测试平台", level="province", parent=None, phones=())
        )
        body = {
            "scheme": REF,
            "organisation": "hb-prov",
            "title": "2018年学历成果认证",
            "windows": {
                "prior_education": {},
                "apply": {},
                "correct": {"from_day": "2018-03-01", "to_day": "2018-10-15"},
            },
        }
        answer = await office.staff("post", "/v1/cycles", CLERK, json=body)
        assert answer.status_code == 201, answer.text
        hall.cycle = str(answer.json()["id"])
        yield hall
