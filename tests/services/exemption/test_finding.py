"""A clerk with a candidate before them finds the application by a number, and nobody finds what they may not read.

By Shanxi's book: who unlocks a re-application has no desk of their own that it lies on. Everybody is invented.
"""

from typing import Any

import pytest

from services.exemption.domain.commands import FollowAccount, ForgetPerson
from services.exemption.main import SERVICE
from shared.runtime.replay import compare
from tests.services.exemption.office import Office, Person, code
from tests.services.exemption.sx_office import CENTRE, OTHER_POINT, POINT, Shanxi

pytestmark = pytest.mark.servers


async def found(office: Office, number: str, *roles: tuple[str, str]) -> list[dict[str, Any]]:
    answer = await office.staff("post", "/v1/applications/find", *roles, json={"number": number})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def ticket_of(who: Person) -> str:
    return f"140100000001{who.id[:6]}".upper()


async def test_the_clerk_of_the_point_finds_it_by_card_or_ticket_and_unlocks_what_was_found(sx: Shanxi) -> None:
    """SX-E-35, SX-E-36."""
    who = await sx.candidate()
    application = await sx.submitted(who)
    for number in (who.id_number, ticket_of(who), f" {ticket_of(who).lower()} "):
        (line,) = await found(sx.office, number, POINT)
        assert (line["id"], line["name"], line["state"]["title"]) == (application, who.holder, "已提交")
        assert line["actions"] == ["unlock"]
    assert (await sx.unlock(line["id"])).status_code == 200
    (line,) = await found(sx.office, who.id_number, POINT)
    assert (line["state"]["title"], line["actions"]) == ("被退回", [])


async def test_elsewhere_there_is_nothing_to_be_found(sx: Shanxi) -> None:
    who = await sx.candidate()
    application = await sx.submitted(who)
    for roles in ((OTHER_POINT,), (("teaching_point_admin", "sx-point-a"),), (("university_admin", "swust"),), ()):
        assert await found(sx.office, who.id_number, *roles) == []
    assert [each["id"] for each in await found(sx.office, who.id_number, CENTRE)] == [application]
    answer = await sx.office.me(who, "post", "/v1/applications/find", json={"number": who.id_number})
    assert code(answer, 403) == "access.not_allowed"


async def test_a_draft_is_the_candidates_own_and_part_of_a_number_finds_nothing(sx: Shanxi) -> None:
    who = await sx.candidate()
    await sx.started(who)
    assert await found(sx.office, who.id_number, POINT, CENTRE) == []
    application = await sx.submitted(who)
    assert await found(sx.office, who.id_number[:-1], POINT) == []
    assert [each["id"] for each in await found(sx.office, who.id_number, POINT)] == [application]
    for wrong in ({"number": "123"}, {"number": "x" * 41}, {}, {"number": who.id_number, "name": "x"}):
        answer = await sx.office.staff("post", "/v1/applications/find", POINT, json=wrong)
        assert code(answer, 422) == "request.invalid"


async def test_a_new_ticket_number_finds_it_and_the_one_before_no_longer(sx: Shanxi) -> None:
    who = await sx.candidate()
    application = await sx.submitted(who)
    await sx.office.tell(FollowAccount(person=who.id, ticket_number=f"15{who.mobile}"))
    assert [each["id"] for each in await found(sx.office, f"15{who.mobile}", POINT)] == [application]
    assert await found(sx.office, ticket_of(who), POINT) == []


async def test_an_erased_candidate_is_found_by_nothing_and_a_rebuild_finds_the_same(sx: Shanxi) -> None:
    who = await sx.candidate()
    await sx.submitted(who)
    await sx.office.keyring.erase(who.id)
    await sx.office.tell(ForgetPerson(person=who.id))
    assert await found(sx.office, who.id_number, POINT) == []
    async with sx.office.web.service.pool.acquire() as connection:
        differing = await compare(connection, SERVICE, sx.office.web.service.keyring)
    assert {table.name: table.samples for table in differing.tables if table.differing} == {}
