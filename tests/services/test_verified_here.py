"""SX-E-10 with both services and the bus between them: who is verified at identity may hand in, and nobody else.

By Shanxi's books, over HTTP on both sides. Everybody is invented.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import pytest

from shared.testing.services import token
from tests.services.exemption.office import Person
from tests.services.exemption.sx_office import CENTRE, SX, Shanxi
from tests.services.identity import people
from tests.services.identity.test_verifying_persons import FILES, ME, Candidate
from tests.services.town import Town

pytestmark = pytest.mark.servers

COUNTY = "sx-county-t"
CLERK = ("authority_clerk", COUNTY)
PAIR = {"holding_id+id_front": True}
TWO = ("id_front", "holding_id")
MARCH, APRIL = (date(2026, 3, 1), date(2026, 3, 31)), (date(2026, 4, 10), date(2026, 4, 30))
NOT_VERIFIED = "exemption.person_not_verified"


@dataclass
class Applicant:
    """A candidate with an account, a draft that lacks nothing, and what can be done with both."""

    town: Town
    shanxi: Shanxi
    at_identity: Candidate
    person: Person
    application: str

    async def hands_in(self) -> httpx.Response:
        await self.town.heard()
        return await self.shanxi.submit(self.person, self.application)

    async def refused(self) -> bool:
        """For this and for nothing else; and the draft is what it was."""
        answer = await self.hands_in()
        assert answer.status_code == 403, answer.text
        assert "系统认证通过后即可进行免考申请" in answer.json()["detail"]
        assert len((await self.shanxi.shown(self.person, self.application))["claims"]) == 1
        return bool(answer.json()["code"] == NOT_VERIFIED)

    async def decided(self, path: str, **said: Any) -> None:
        web = self.town.identity.web
        headers = web.as_staff("clerk-t", CLERK)
        answer = await web.client.post(f"/v1/{path.format(me=self.person.id)}", headers=headers, json=said)
        assert answer.status_code == 200, answer.text


@pytest.fixture(scope="module")
async def shanxi(town: Town) -> Shanxi:
    web = town.identity.web
    for organisation, level, parent in (("sx-prov", "province", None), (COUNTY, "county", "sx-prov")):
        said = {"organisation": organisation, "title": f"样本{level}", "level": level, "parent": parent}
        headers = web.as_staff("chief", ("administrator", "*"))
        answer = await web.client.post("/v1/organisations", headers=headers, json=said)
        assert answer.status_code == 201, answer.text
    await town.heard()
    return Shanxi(town.exemption, await town.cycle(SX, "sx-prov", CENTRE, apply=MARCH, results=APRIL))


async def applicant(town: Town, shanxi: Shanxi) -> Applicant:
    account = people.Person()
    me = await town.candidate(account)
    person = Person(me, account.name, account.id_number, account.mobile, f"NCRE{account.number:08}")
    application = await shanxi.started(person)
    form = {"confirmation_point": COUNTY, "ticket_number": account.ticket_number}
    filled = await shanxi.filled(person, application, **form)
    assert (await shanxi.save(person, application, filled)).status_code == 200
    signed_in = token(me, "candidate", "identity", clock=town.identity.web.clock)
    return Applicant(town, shanxi, Candidate(town.identity.office, account, me, signed_in), person, application)


async def test_nothing_is_handed_in_before_the_two_photographs_have_been_found_good(town: Town, shanxi: Shanxi) -> None:
    """SX-E-06, SX-E-08, SX-E-10."""
    who = await applicant(town, shanxi)
    assert await who.refused()
    chosen = {"jurisdiction": "sx", "route": "enrolled_candidate", "organisation": COUNTY}
    began = await who.at_identity.office.post(ME, chosen, who.at_identity.token)
    assert began.status_code == 201, began.text
    await who.at_identity.hand_in(TWO)
    assert await who.refused()  # handed in is not verified
    wrong = {"holding_id+id_front": False}
    await who.decided("verifications/{me}/fail", attempt=1, reason="not_one_person", note="样本", pairs=wrong)
    assert await who.refused()
    await who.at_identity.upload("holding_id", FILES["holding_id"])
    again = await who.at_identity.office.post(f"{ME}/submit", token=who.at_identity.token)
    assert again.status_code == 200, again.text
    await who.decided("verifications/{me}/pass", attempt=2, pairs=PAIR)
    taken = await who.hands_in()
    assert taken.status_code == 200, taken.text
    assert (await shanxi.shown(who.person, who.application))["state"]["title"] == "已提交"


async def test_whom_a_clerk_saw_in_person_may_hand_in_too(town: Town, shanxi: Shanxi) -> None:
    """SX-E-11."""
    who = await applicant(town, shanxi)
    assert await who.refused()
    seen = {"jurisdiction": "sx", "organisation": COUNTY, "documents": ["id_card", "ticket"], "evidence": "本人到场"}
    await who.decided("people/{me}/verification", **seen)
    taken = await who.hands_in()
    assert taken.status_code == 200, taken.text


async def test_that_somebody_else_was_verified_opens_nothing(town: Town, shanxi: Shanxi) -> None:
    one, other = await applicant(town, shanxi), await applicant(town, shanxi)
    seen = {"jurisdiction": "sx", "organisation": COUNTY, "documents": ["id_card", "ticket"], "evidence": "本人到场"}
    await one.decided("people/{me}/verification", **seen)
    assert await other.refused()
    assert (await one.hands_in()).status_code == 200
