"""上报 over HTTP on a real database: batches, their export, and roles that hold everywhere (SW-33)."""

import pytest

from services.exemption.domain import export
from services.exemption.domain.commands import FollowRenaming
from tests.services.exemption.office import CLERK, DEAN, RECEIVER, Office, code

pytestmark = pytest.mark.servers


async def test_a_batch_is_exported_with_its_digest_and_without_formulas(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle, remark='=HYPERLINK("http://evil.example","x")')
    await office.passed(application, "初审", CLERK)
    await office.passed(application, "复核", DEAN)
    handed = await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})
    assert handed.status_code == 201, handed.text
    number = handed.json()["id"]
    for role in (DEAN, RECEIVER):
        exported = (await office.staff("get", f"/v1/batches/{number}/export", role)).json()
        assert exported["intact"] is True
        assert exported["rows"][0][0] == application
        assert who.id_number in exported["rows"][0]
    sheet = await office.staff("get", f"/v1/batches/{number}/export", RECEIVER, params={"file": "csv"})
    assert "\"'=HYPERLINK" in sheet.text
    assert sheet.text.startswith("\ufeff")
    refused = await office.staff("get", f"/v1/batches/{number}/export", ("university_admin", "elsewhere"))
    assert code(refused, 404) == "access.not_found"
    listed = (await office.staff("get", "/v1/batches", RECEIVER)).json()["items"]
    assert number in [item["id"] for item in listed]
    empty = await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})
    assert code(empty, 409) == "exemption.batch_empty"


async def test_a_teaching_point_that_is_renamed_later_leaves_a_batch_intact(office: Office) -> None:
    cycle = await office.open_cycle()
    await office.granted(await office.somebody(), cycle)
    number = (await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})).json()["id"]
    path = f"/v1/batches/{number}/export"
    before = (await office.staff("get", path, RECEIVER)).json()
    assert before["organisations"] == {"point-a": "甲助学点"}
    phones = ("0816-6000001",)
    try:
        await office.tell(FollowRenaming(organisation="point-a", title="甲助学中心", phones=phones))
        after = (await office.staff("get", path, RECEIVER)).json()
        sheet = (await office.staff("get", path, RECEIVER, params={"file": "csv"})).text
    finally:
        await office.tell(FollowRenaming(organisation="point-a", title="甲助学点", phones=phones))
    assert after["intact"] is True
    assert after["digest"] == before["digest"] == export.digest(after["columns"], after["rows"])
    assert "甲助学中心" in sheet


async def test_a_clerk_whose_role_holds_everywhere_finds_acknowledges_and_exports_every_batch(office: Office) -> None:
    everywhere = ("authority_clerk", "*")
    cycle = await office.open_cycle()
    await office.granted(await office.somebody(), cycle)
    number = (await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})).json()["id"]
    listed = (await office.staff("get", "/v1/batches", everywhere)).json()["items"]
    assert number in [item["id"] for item in listed]
    assert (await office.staff("get", f"/v1/batches/{number}/export", everywhere)).json()["intact"] is True
    yes = await office.staff("post", f"/v1/batches/{number}/acknowledge", everywhere, json={"reference": "考2026-8"})
    assert yes.status_code == 200, yes.text


async def test_reviewers_whose_role_holds_everywhere_find_every_desk_of_it_and_hand_off(office: Office) -> None:
    point, dean = ("teaching_point_admin", "*"), ("university_admin", "*")
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)

    async def waiting(role: tuple[str, str]) -> set[str]:
        page = await office.staff("get", "/v1/work", role, params={"limit": "100"})
        return {item["id"] for item in page.json()["items"]}

    assert application in await waiting(point)
    assert application not in await waiting(dean)
    assert (await office.passed(application, "初审", point)).status_code == 200
    assert application in await waiting(dean)
    assert (await office.passed(application, "复核", dean)).status_code == 200
    handed = await office.staff("post", "/v1/batches", dean, json={"cycle": cycle})
    assert handed.status_code == 201, handed.text
