"""Shanxi's exemption at work, with its real book: invented candidates, confirmation points, real requests."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx

from services.exemption.domain.commands import FollowAccount, FollowOrganisation, FollowVerification
from shared.kernel.time import SHANGHAI
from tests.services.exemption.office import Office, Person

SX = "sx/exemption@1"
CENTRE = ("authority_clerk", "sx-prov")
POINT, OTHER_POINT = ("authority_clerk", "sx-point-a"), ("authority_clerk", "sx-point-b")
CHECKED = dict.fromkeys(("person", "own_major", "photos", "data", "courses"), True)
SEEN = {"id_card": True, "printed_details": True}
LAW, CLOSING = {"level": "专科", "code": "030112"}, {"level": "本科", "code": "040112"}
RESULTS_IN = 30
"""Days until the result query opens; the application window closes before."""


@dataclass
class Shanxi:
    """A cycle that is open, and what one can do in it."""

    office: Office
    cycle: str

    async def candidate(self, ticket: str = "140100000001", *, verified: str = "sx") -> Person:
        who = await self.office.somebody()
        number = f"{ticket}{who.id[:6]}".upper() if ticket else ""
        await self.office.tell(FollowAccount(person=who.id, ticket_number=number))
        if verified:
            await self.office.tell(FollowVerification(person=who.id, jurisdiction=verified, level="photographs"))
        return who

    async def started(self, who: Person) -> str:
        answer = await self.office.me(who, "post", "/v1/applications", json={"cycle": self.cycle})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def save(self, who: Person, application: str, said: "Filled") -> httpx.Response:
        body = {"form": said.form, "claims": list(said.claims), "majors": list(said.majors)}
        return await self.office.me(who, "put", f"/v1/applications/{application}/draft", json=body)

    async def filled(self, who: Person, application: str, **changes: Any) -> "Filled":
        """A form as it should be, with one NCRE certificate."""
        paper = await self.office.photograph(who, application, "ncre_one.paper")
        form = {
            "confirmation_point": "sx-point-a",
            "name": who.holder,
            "id_number": who.id_number,
            "ticket_number": f"140100000001{who.id[:6]}".upper(),
            "sex": "1",
            "exam_area": "样本县",
            "own_major": "专科 030112",
            "landline": "0351-1234567",
            "mobile": who.mobile,
        }
        return Filled(form | changes, [ncre(who.certificate_number, paper)], [LAW])

    async def submit(self, who: Person, application: str) -> httpx.Response:
        return await self.office.me(who, "post", f"/v1/applications/{application}/submit")

    async def submitted(self, who: Person, **changes: str) -> str:
        application = await self.started(who)
        assert (await self.save(who, application, await self.filled(who, application, **changes))).status_code == 200
        answer = await self.submit(who, application)
        assert answer.status_code == 200, answer.text
        return application

    async def shown(self, who: Person, application: str) -> dict[str, Any]:
        answer = await self.office.me(who, "get", f"/v1/applications/{application}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def unlock(
        self, application: str, role: tuple[str, str] = POINT, seen: Mapping[str, bool] = SEEN
    ) -> httpx.Response:
        body = {"seen": dict(seen), "reason_code": "wrong_material", "note": "证书编号填错"}
        return await self.office.staff("post", f"/v1/applications/{application}/unlock", role, json=body)

    async def passed(self, application: str, role: tuple[str, str]) -> httpx.Response:
        body = {"stage": "审核", "checklist": CHECKED, "opinion": "属实"}
        return await self.office.staff("post", f"/v1/applications/{application}/pass", role, json=body)

    async def tile(self, name: str) -> tuple[bool, str]:
        answer = await self.office.web.client.get("/v1/home", params={"jurisdiction": "sx"})
        assert answer.status_code == 200, answer.text
        tiles = [tile for group in answer.json()["groups"] for tile in group["tiles"]]
        return next((tile["open"], tile["note"]) for tile in tiles if tile["id"] == name)


@dataclass
class Filled:
    """What a candidate typed."""

    form: dict[str, str]
    claims: list[dict[str, Any]] = field(default_factory=list)
    majors: list[dict[str, str]] = field(default_factory=list)


def course(number: str) -> dict[str, Any]:
    return {"code": number}


def ncre(number: str, paper: str, *codes: str, basis: str = "ncre_one", level: str = "1") -> dict[str, Any]:
    said = {"level": level, "taken_in": "2019年03月", "subject": "ms_office", "number": number}
    courses = [course(each) for each in codes or ("00018", "00019")]
    return {"basis": basis, "form": said, "photos": {"paper": paper}, "courses": courses}


def faults(answer: httpx.Response) -> dict[str, str]:
    assert answer.status_code in (403, 409, 422), answer.text
    body = answer.json()
    if body["code"] != "exemption.form_wrong":
        return {"": body["code"]}
    return {each["field"]: each["code"] for each in body["facts"]["faults"]}


def at(office: Office, days: float) -> None:
    office.clock.now += timedelta(days=days)


async def open_shanxi(office: Office) -> Shanxi:
    """With a cycle of its own, open for twenty days from today."""
    for organisation, level, parent, phones in (
        ("sx-prov", "province", None, ()),
        ("sx-point-a", "county", "sx-prov", ("0351-7000001",)),
        ("sx-point-b", "county", "sx-prov", ()),
    ):
        await office.tell(
            FollowOrganisation(
                organisation=organisation, title=f"样本{organisation}", level=level, parent=parent, phones=phones
            )
        )
    today = office.clock.now.astimezone(SHANGHAI).date()
    later = today + timedelta(days=RESULTS_IN)
    windows = {
        "apply": {"from_day": f"{today}", "to_day": f"{today + timedelta(days=20)}"},
        "results": {"from_day": f"{later}", "to_day": f"{later + timedelta(days=10)}"},
    }
    body = {"scheme": SX, "organisation": "sx-prov", "title": f"样本批次{uuid4().hex[:6]}", "windows": windows}
    answer = await office.staff("post", "/v1/cycles", CENTRE, json=body)
    assert answer.status_code == 201, answer.text
    return Shanxi(office, str(answer.json()["id"]))
