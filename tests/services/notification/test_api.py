"""The inbox, resending, and the delivery status that reviewers see: over the real edge and store."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from services.notification.main import notification
from shared.kernel.messages import ERASED
from shared.schemes.catalog import Catalog
from shared.testing.services import Web, running
from tests.conftest import Databases
from tests.sandbox.serving import Sandbox
from tests.services.notification.world import (
    PASSED,
    RETURNED,
    Gateways,
    Somebody,
    World,
    code_issued,
    replaced,
    submitted,
    world,
)

pytestmark = pytest.mark.servers
REVIEWER = ("teaching_point_admin", "point-a")


@dataclass
class Office:
    """The service behind its edge, without timers of its own: the world around it moves things."""

    web: Web
    world: World

    async def inbox(self, who: Somebody, **query: str) -> dict[str, list[dict[str, object]]]:
        answer = await self.web.client.get("/v1/inbox", headers=self.web.as_candidate(who.person), params=query)
        assert answer.status_code == 200, answer.text
        found: dict[str, list[dict[str, object]]] = answer.json()
        return found

    async def item(self, who: Somebody, message: str) -> dict[str, object]:
        return next(item for item in (await self.inbox(who))["items"] if item["id"] == message)

    async def post(self, who: Somebody, path: str, key: str | None = None) -> tuple[int, dict[str, object]]:
        answer = await self.web.client.post(path, headers=self.web.as_candidate(who.person, key))
        return answer.status_code, answer.json()


@pytest.fixture
async def office(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog, tmp_path: Path
) -> AsyncIterator[Office]:
    async with databases.fresh(template=template) as url, world(url, sandbox, gateways, catalog) as around:
        for name in around.sources:
            await around.consumer.begin(name)
        definition = replace(notification(catalog, lambda: gateways), timers={})
        async with running(definition, url, tmp_path, clock=sandbox.clock) as web:
            yield Office(web, around)


async def test_the_inbox_holds_a_copy_although_the_sms_failed(office: Office) -> None:
    await office.world.sandbox.faults({"kind": "refuse", "code": "isv.OUT_OF_SERVICE"})
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.run_on(message)
    item = await office.item(who, message)
    assert item["title"] == "申请被驳回，请修改后重新提交"
    assert "驳回原因：身份证正面照片不清晰或不完整" in str(item["text"])
    assert "请在光线充足处重拍" in str(item["text"])
    assert item["case"] == who.case
    assert item["sms"]["state"] == "given_up"  # type: ignore[index]


async def test_the_inbox_is_paged_newest_first_without_gap_or_repetition(office: Office) -> None:
    who = await office.world.somebody()
    for _ in range(3):
        office.world.clock.forward(seconds=1)
        await office.world.told("exemption", who, submitted(who), PASSED)
    whole = [item["id"] for item in (await office.inbox(who))["items"]]
    assert len(whole) == 6
    paged, after = [], ""
    while True:
        page = await office.inbox(who, limit="4", **({"after": after} if after else {}))
        paged += [item["id"] for item in page["items"]]
        if not page["next"]:
            break
        after = str(page["next"])
    assert paged == whole


async def test_an_inbox_is_its_owners_alone_and_holds_no_codes(office: Office) -> None:
    who, other = await office.world.somebody(), await office.world.somebody()
    await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.told("identity", who, code_issued(who, office.world.clock))
    assert (await office.inbox(other))["items"] == []
    assert "424242" not in str(await office.inbox(who))


@pytest.mark.parametrize("after", ["x", "1", ".", "-1.a", "99999999999999999999.a", "１.a"])
async def test_a_made_up_place_in_the_inbox_is_refused(office: Office, after: str) -> None:
    answer = await office.web.client.get(
        "/v1/inbox", headers=office.web.as_candidate("nobody"), params={"after": after}
    )
    assert (answer.status_code, answer.json()["code"]) == (422, "request.invalid")


async def test_a_message_is_read_once_however_often_it_is_opened(office: Office) -> None:
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    assert (await office.item(who, message))["read_at"] is None
    assert (await office.post(who, f"/v1/inbox/{message}/read"))[0] == 200
    first = (await office.item(who, message))["read_at"]
    assert first is not None
    office.world.clock.forward(seconds=5)
    assert (await office.post(who, f"/v1/inbox/{message}/read"))[0] == 200
    assert (await office.item(who, message))["read_at"] == first


async def test_a_resend_goes_once_to_the_new_number_however_often_the_request_is_repeated(office: Office) -> None:
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.run_on(message)
    office.world.clock.forward(seconds=61)
    await office.world.say("identity", who, replaced(who, "13877770002"))
    await office.world.hear()
    first = await office.post(who, f"/v1/messages/{message}/resend", key="resend-it-once")
    again = await office.post(who, f"/v1/messages/{message}/resend", key="resend-it-once")
    assert first == again
    assert first[0] == 200
    await office.world.run_on(message)
    sandbox = office.world.sandbox
    assert (len(await sandbox.sent(who.mobile)), len(await sandbox.sent("13877770002"))) == (1, 1)


async def test_a_second_resend_within_a_minute_is_told_how_long_to_wait(office: Office) -> None:
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.run_on(message)
    status, problem = await office.post(who, f"/v1/messages/{message}/resend")
    assert (status, problem["code"]) == (429, "request.too_many")
    assert 0 < int(problem["facts"]["retry_after"]) <= 60  # type: ignore[index]


async def test_somebody_elses_message_and_one_that_is_not_are_alike(office: Office) -> None:
    who, other = await office.world.somebody(), await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    for path in (f"/v1/messages/{message}/resend", f"/v1/inbox/{message}/read", "/v1/inbox/made-up/read"):
        status, problem = await office.post(other, path)
        assert (status, problem["code"]) == (404, "access.not_found")


async def test_reviewers_see_whether_a_candidate_was_reached_and_not_what_was_written(office: Office) -> None:
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.run_on(message)
    headers = office.web.as_staff("staff-1", REVIEWER)
    answer = await office.web.client.get(f"/v1/cases/{who.case}/messages", headers=headers)
    told = {item["moment"]: item for item in answer.json()["items"]}
    assert told["exemption.returned"]["sms"]["state"] == "delivered"
    assert told["exemption.submitted"]["sms"]["state"] == "none"
    for secret in (who.mobile, "重拍", "身份证", who.person):
        assert secret not in answer.text


async def test_who_may_see_the_messages_of_a_case(office: Office) -> None:
    who = await office.world.somebody()
    await office.world.told("exemption", who, submitted(who))
    path = f"/v1/cases/{who.case}/messages"
    web = office.web
    callers = [
        (web.as_candidate(who.person), 403),
        (web.as_staff("staff-1"), 404),
        (web.as_staff("staff-1", REVIEWER), 200),
        (web.as_staff("staff-2", ("university_admin", "uni")), 200),
        (web.as_staff("staff-3", ("teaching_point_admin", "point-b")), 404),
        (web.as_staff("staff-4", ("teaching_point_admin", "point-b"), ("university_admin", "other-uni")), 404),
        (web.as_staff("staff-5", ("auditor", "*")), 200),
        (web.as_service("exemption"), 200),
        (web.anonymous(), 401),
    ]
    for headers, status in callers:
        assert (await web.client.get(path, headers=headers)).status_code == status


async def test_a_case_of_another_teaching_point_looks_like_none(office: Office) -> None:
    who = await office.world.somebody()
    await office.world.told("exemption", who, submitted(who, "point-b"))
    headers = office.web.as_staff("staff-1", REVIEWER)
    answers = [
        await office.web.client.get(f"/v1/cases/{case}/messages", headers=headers) for case in (who.case, "case-none")
    ]
    assert answers[0].status_code == 404
    assert answers[0].text == answers[1].text
    await office.world.told("exemption", who, submitted(who))  # it is handed in again, here
    assert (await office.web.client.get(f"/v1/cases/{who.case}/messages", headers=headers)).status_code == 200
    there = office.web.as_staff("staff-2", ("teaching_point_admin", "point-b"))
    assert (await office.web.client.get(f"/v1/cases/{who.case}/messages", headers=there)).status_code == 404


async def test_an_erased_persons_inbox_is_empty_words_and_nothing_is_sent_again(office: Office) -> None:
    who = await office.world.somebody()
    message = await office.world.told("exemption", who, submitted(who), RETURNED)
    await office.world.run_on(message)
    office.world.clock.forward(seconds=61)
    await office.world.sources["identity"].keyring.erase(who.person)
    item = await office.item(who, message)
    assert item["text"] == ERASED
    status, problem = await office.post(who, f"/v1/messages/{message}/resend")
    assert (status, problem["code"]) == (410, "access.person_erased")
    assert (await office.post(who, f"/v1/inbox/{message}/read"))[0] == 200


async def test_staff_have_no_inbox(office: Office) -> None:
    answer = await office.web.client.get("/v1/inbox", headers=office.web.as_staff("staff-1", REVIEWER))
    assert answer.status_code == 403
