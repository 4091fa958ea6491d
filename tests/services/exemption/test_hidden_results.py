"""What was decided is told to nobody it is kept from: not by a verdict, a version, a time or a closing (SX-E-39)."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from shared.kernel.time import SHANGHAI
from tests.services.exemption.office import Person, code
from tests.services.exemption.sx_office import CENTRE, RESULTS_IN, SX, Shanxi, at

pytestmark = pytest.mark.servers

UNTIL_DECIDED = 21  # days until the application window is over


WRITING: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("post", "submit", {}),
    ("post", "discard", {}),
    ("put", "draft", {"json": {"form": {}}}),
)


async def refuse(sx: Shanxi, application: str) -> httpx.Response:
    body = {"stage": "审核", "reason_code": "data_differ", "note": "编号与照片不一致"}
    return await sx.office.staff("post", f"/v1/applications/{application}/refuse", CENTRE, json=body)


async def all_that_is_told(sx: Shanxi, who: Person, application: str) -> dict[str, Any]:
    """Every answer that this candidate can get about it, without the time at which it was asked for."""
    me, path = sx.office.me, f"/v1/applications/{application}"
    (line,) = (await me(who, "get", "/v1/applications")).json()["items"]
    verdict = (await me(who, "post", f"{path}/verdict")).json()["findings"]
    for each in verdict:
        each["inputs"].pop("now", None)
    guessed = [
        (await me(who, method, f"{path}/{act}", headers={"If-Match": f'"{n}"'}, **body)).json()
        for n in range(1, 9)
        for method, act, body in WRITING
    ]
    detail = (await me(who, "get", path)).json()
    kept = [(each["code"], each["facts"]) for each in guessed]
    return {"detail": detail, "line": line, "verdict": verdict, "guessed": kept}


async def test_before_the_query_opens_no_answer_differs_by_whether_and_how_it_was_decided(sx: Shanxi) -> None:
    one, other = await sx.candidate(), await sx.candidate()
    passed, refused = await sx.submitted(one), await sx.submitted(other)
    at(sx.office, UNTIL_DECIDED)
    before = [await all_that_is_told(sx, one, passed), await all_that_is_told(sx, other, refused)]
    assert (await sx.passed(passed, CENTRE)).status_code == 200
    assert (await refuse(sx, refused)).status_code == 200
    assert [await all_that_is_told(sx, one, passed), await all_that_is_told(sx, other, refused)] == before
    assert {each for each, _ in before[0]["guessed"]} == {"exemption.already_submitted"}


async def test_whoever_may_not_read_an_application_learns_its_version_from_no_guess(sx: Shanxi) -> None:
    owner, stranger = await sx.candidate(), await sx.candidate()
    application = await sx.submitted(owner)
    for act in ("submit", "discard"):
        guess = {"If-Match": '"1"'}
        answer = await sx.office.me(stranger, "post", f"/v1/applications/{application}/{act}", headers=guess)
        assert code(answer, 404) == "access.not_found"


async def test_a_closing_by_hand_shows_no_result_and_the_query_opens_on_its_day(sx: Shanxi) -> None:
    who = await sx.candidate()
    application = await sx.submitted(who)
    at(sx.office, UNTIL_DECIDED)
    assert (await refuse(sx, application)).status_code == 200
    said = {"reason": "提前结束"}
    closed = await sx.office.staff("post", f"/v1/cycles/{sx.cycle}/close", CENTRE, json=said)
    assert closed.status_code == 200, closed.text
    assert (await sx.shown(who, application))["state"]["title"] == "已提交"
    assert await sx.tile("exemption_results") == (False, "未开放")
    at(sx.office, RESULTS_IN - UNTIL_DECIDED + 1)
    assert await sx.tile("exemption_results") == (True, "")
    assert (await sx.shown(who, application))["state"]["title"] == "审核不通过"


async def test_a_query_that_opens_before_the_applications_are_in_is_refused(sx: Shanxi) -> None:
    today = sx.office.clock.now.astimezone(SHANGHAI).date()

    def days(first: int, last: int) -> dict[str, str]:
        return {"from_day": f"{today + timedelta(days=first)}", "to_day": f"{today + timedelta(days=last)}"}

    async def opening(results: dict[str, str]) -> httpx.Response:
        windows = {"apply": days(0, 5), "results": results}
        body = {"scheme": SX, "organisation": "sx-prov", "title": "样本批次", "windows": windows}
        return await sx.office.staff("post", "/v1/cycles", CENTRE, json=body)

    for early in (days(-60, -50), days(0, 5), days(5, 9)):
        answer = await opening(early)
        assert code(answer, 422) == "exemption.impossible_window"
        assert answer.json()["facts"]["faults"] == ["results_before_handing_in_is_over"]
    answer = await opening(days(6, 9))
    assert answer.status_code == 201
    longer = {"purpose": "apply", "to_day": days(0, 6)["to_day"], "reason": "系统维护"}
    into = await sx.office.staff("post", f"/v1/cycles/{answer.json()['id']}/extend", CENTRE, json=longer)
    assert code(into, 422) == "exemption.impossible_window"


async def test_the_receipt_of_a_submission_does_not_say_that_somebody_else_has_the_certificate(sx: Shanxi) -> None:
    """SW-38."""
    first, second = await sx.candidate(), await sx.candidate()
    earlier, application = await sx.submitted(first), await sx.started(second)
    said = await sx.filled(second, application)
    said.claims[0]["form"]["number"] = first.certificate_number
    assert (await sx.save(second, application, said)).status_code == 200
    answer = await sx.submit(second, application)
    assert answer.json()["events"] == ["exemption.application_submitted.v2", "exemption.stage_opened.v1"]
    assert answer.json()["version"] == 4, "nor by how many facts there are: started, saved, handed in, a stage opened"
    mine, theirs = [await sx.shown(who, which) for who, which in ((second, application), (first, earlier))]
    assert mine["version"] == theirs["version"]
    assert "seen_elsewhere" not in str(await sx.shown(second, application))
    shown = await sx.office.staff("get", f"/v1/applications/{application}", CENTRE)
    assert [each["application"] for each in shown.json()["duplicates"]] == [earlier]
