"""对自考考生免考课程的确认 at work, on the days of the notice: invented candidates, reviewers, real requests."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx

from services.exemption.main import BOOKS
from shared.kernel.time import SHANGHAI
from tests.services.exemption.office import Office, Person, code

REF = "sd/exemption@1"
PROVINCE, CITY = "sd-prov", "sd-jinan"
CLERK = ("authority_clerk", PROVINCE)
NOTICE = datetime(2023, 5, 4, 2, tzinfo=UTC)  # published on this day, thirteen days before it opens
OPENING = {"apply": {}, "graduation": {"from_day": "2023-05-22", "to_day": "2023-06-09"}}
"""Its own days are those of the book; those of the graduation application are in no source."""
PASS = {"stage": "审核", "checklist": {}, "opinion": "材料齐全"}
NO = {"stage": "审核", "reason_code": "not_allowed", "note": "证书与课程不对应"}


def shanghai(day: int, hour: int, minute: int = 0, second: int = 0, month: int = 5) -> datetime:
    return datetime(2023, month, day, hour, minute, second, tzinfo=SHANGHAI)


def course(code: str = "00018", name: str = "计算机应用基础", month: str = "2019年03月") -> dict[str, Any]:
    return {"code": code, "name": name, "form": {"obtained_in": month} if month else {}}


@dataclass
class Desk:
    """What a test can do with the Shandong book."""

    office: Office
    tickets: int = field(default=0)

    def at(self, now: datetime) -> None:
        self.office.clock.now = now

    async def open_cycle(self, **windows: Any) -> str:
        body = {"scheme": REF, "organisation": PROVINCE, "title": "2023年上半年", "windows": {**OPENING, **windows}}
        answer = await self.office.staff("post", "/v1/cycles", CLERK, json=body)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    def ticket(self) -> str:
        self.tickets += 1
        return f"3701{self.tickets:08}"

    def form(self, who: Person, ticket: str, **changes: str) -> dict[str, str]:
        return {
            "id_type": "id_card",
            "id_number": who.id_number,
            "name": who.holder,
            "mobile": who.mobile,
            "target_major": "本科 120203K",
            "ticket_number": ticket,
            "original_major": "会计学",
            "original_level": "本科",
            "area": "370102",
            "address": "123",
            **changes,
        }

    async def started(self, who: Person, cycle: str) -> str:
        answer = await self.office.me(who, "post", "/v1/applications", json={"cycle": cycle})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def claim(
        self, who: Person, application: str, *courses: dict[str, Any], basis: str = "nit"
    ) -> dict[str, Any]:
        """A claim with every material that its basis asks for."""
        said = BOOKS.rules(REF).book.basis(basis)
        assert said
        slots = [each.slot for each in BOOKS.rules(REF).book.claim_photos(said)]
        photos = {slot: await self.office.photograph(who, application, f"{basis}.{slot}") for slot in slots}
        return {"basis": basis, "form": {}, "photos": photos, "courses": list(courses)}

    async def save(
        self, who: Person, application: str, ticket: str, claims: list[dict[str, Any]], **changes: str
    ) -> httpx.Response:
        photos = {"portrait": await self.office.photograph(who, application, "portrait")}
        body = {"form": self.form(who, ticket, **changes), "photos": photos, "claims": claims}
        return await self.office.me(who, "put", f"/v1/applications/{application}/draft", json=body)

    async def draft(self, who: Person, cycle: str, ticket: str, *courses: dict[str, Any], **changes: str) -> str:
        application = await self.started(who, cycle)
        claim = await self.claim(who, application, *(courses or (course(),)))
        saved = await self.save(who, application, ticket, [claim], **changes)
        assert saved.status_code == 200, saved.text
        return application

    async def submit(self, who: Person, application: str) -> httpx.Response:
        return await self.office.me(who, "post", f"/v1/applications/{application}/submit")

    async def submitted(self, who: Person, cycle: str, ticket: str, *courses: dict[str, Any]) -> str:
        application = await self.draft(who, cycle, ticket, *courses)
        answer = await self.submit(who, application)
        assert answer.status_code == 200, answer.text
        return application

    async def decide(self, how: str, application: str, **changes: Any) -> httpx.Response:
        """how: pass, refuse, revoke."""
        items = BOOKS.rules(REF).book.stage("审核").checklist
        bodies: dict[str, dict[str, Any]] = {
            "pass": {**PASS, "checklist": {each.id: True for each in items}},
            "refuse": NO,
            "revoke": {"reason_code": "not_in_plan", "note": "不在专业计划内"},
        }
        body = {**bodies[how], **changes}
        return await self.office.staff("post", f"/v1/applications/{application}/{how}", CLERK, json=body)

    async def shown(self, who: Person, application: str) -> dict[str, Any]:
        answer = await self.office.me(who, "get", f"/v1/applications/{application}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def state(self, who: Person, application: str) -> str:
        return str((await self.shown(who, application))["state"]["title"])

    async def faults(self, who: Person, application: str) -> dict[str, str]:
        """What speaks against handing in, by what it is about; the draft is as it was afterwards."""
        before = await self.shown(who, application)
        verdict = await self.office.me(who, "post", f"/v1/applications/{application}/verdict")
        assert verdict.status_code == 200, verdict.text
        told = {each["about"]: each["code"] for each in verdict.json()["findings"] if each["outcome"] == "refuse"}
        refused = await self.submit(who, application)
        if told:
            assert refused.status_code >= 400, "the verdict and the decision are one"
            found = refused.json()["facts"].get("faults")
            if found:
                assert {each["field"]: each["code"] for each in found} == told
            else:
                assert code(refused, refused.status_code) in told.values()
            after = await self.shown(who, application)
            kept = ("form", "claims", "version", "state")
            assert [before[each] for each in kept] == [after[each] for each in kept], "nothing entered is lost"
        else:
            assert refused.status_code == 200, refused.text
        return told
