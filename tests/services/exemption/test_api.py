"""The whole of exemption over HTTP on a real database: one candidate's way, and everybody else's refusals."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.exemption.main import SERVICE
from shared.kernel.time import SHANGHAI
from shared.runtime.replay import compare
from tests.services.exemption.office import CLERK, DEAN, RECEIVER, SCHEME, Office, checklist, code, slots

pytestmark = pytest.mark.servers


# --- one candidate's way -------------------------------------------------------------------------------------------


async def test_an_application_goes_from_draft_to_the_authority_and_its_history_tells_it(office: Office) -> None:
    who, cycle = await office.somebody("样本张三"), await office.open_cycle()
    application = await office.submitted(who, cycle)
    returning = {"stage": "初审", "reason_code": "id_front_unclear", "note": "请在光线充足处重拍"}
    answer = await office.staff("post", f"/v1/applications/{application}/return", CLERK, json=returning)
    assert answer.status_code == 200, answer.text

    mine = (await office.me(who, "get", f"/v1/applications/{application}")).json()
    assert mine["state"]["title"] == "已驳回"
    assert [step["current"] for step in mine["progress"]] == [False, True, False, False]
    assert mine["state"]["explanation"] == "申请被驳回，学生可查看驳回原因并重新提交"
    assert (mine["returned"]["reason"], mine["returned"]["note"]) == (
        "身份证正面照片不清晰或不完整", "请在光线充足处重拍",
    )  # fmt: skip
    assert mine["actions"] == ["save", "submit"]

    photos = {photo["slot"]: photo["upload"] for photo in mine["photos"]}
    photos["id_front"] = await office.photograph(who, application, "id_front")
    body = {"form": mine["form"], "photos": photos}
    saved = await office.me(who, "put", f"/v1/applications/{application}/draft", json=body)
    version = saved.json()["version"]
    again = await office.me(who, "post", f"/v1/applications/{application}/submit", headers={"If-Match": f'"{version}"'})
    assert again.status_code == 200, again.text
    assert (await office.passed(application, "初审", CLERK)).status_code == 200
    assert (await office.passed(application, "复核", DEAN)).status_code == 200

    printed = await office.staff("post", f"/v1/applications/{application}/record-table", DEAN)
    assert printed.status_code == 200, printed.text
    assert printed.content.startswith(b"%PDF")

    batch = await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})
    assert batch.status_code == 201, batch.text
    number = batch.json()["id"]
    yes = await office.staff("post", f"/v1/batches/{number}/acknowledge", RECEIVER, json={"reference": "考2026-7"})
    assert yes.status_code == 200, yes.text

    mine = (await office.me(who, "get", f"/v1/applications/{application}")).json()
    assert mine["state"]["title"] == "已报考试院"
    assert [step["current"] for step in mine["progress"]] == [False, False, False, True]
    assert [line["deed"] for line in mine["history"]] == [
        "started", "submitted", "returned", "submitted", "passed", "passed", "granted", "printed", "handed_off",
        "acknowledged",
    ]  # fmt: skip
    passed = mine["history"][4]
    assert (passed["role"], passed["organisation"], passed["opinion"]) == (
        "teaching_point_admin", "甲助学点", "材料完整",
    )  # fmt: skip
    assert passed["clause"] == "swust/1x@1 exemption.stages[初审] SW-25, SW-26"
    assert all(line["clause"].startswith(SCHEME) for line in mine["history"])
    own = (await office.me(who, "get", "/v1/applications")).json()["items"]
    assert [(item["id"], item["submissions"], item["state"]["title"]) for item in own] == [
        (application, 2, "已报考试院")
    ]  # fmt: skip


async def test_what_is_typed_stands_in_no_table_and_in_no_event_as_it_was_typed(office: Office) -> None:
    who = await office.somebody("绝密姓名某")
    await office.submitted(who, await office.open_cycle(), remark="绝密备注")
    async with office.web.service.reading() as connection:
        tables = await connection.fetch(
            "select table_name from information_schema.tables where table_schema = current_schema()"
        )
        for (table,) in tables:
            rows = await connection.fetch(f"select t::text from {table} t")
            whole = "".join(row[0] for row in rows)
            for secret in (who.holder, who.id_number, who.mobile, who.certificate_number, "绝密备注"):
                assert secret not in whole, table


async def test_the_read_models_are_the_same_when_rebuilt(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    await office.granted(who, cycle)
    assert (await office.staff("post", "/v1/batches", DEAN, json={"cycle": cycle})).status_code == 201
    async with office.web.service.pool.acquire() as connection:
        found = await compare(connection, SERVICE, office.web.service.keyring)
    assert found.differing == 0, found
    empty = {table.name for table in found.tables if table.live == 0}
    assert empty == {"claims", "heads", "numbers_given"}  # of books with such rules


# --- two at once, and the same again -------------------------------------------------------------------------------


async def test_the_same_request_again_gets_the_same_answer(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    headers = office.web.as_candidate(who.id, key="start-once-only")
    answers = [
        await office.web.client.post("/v1/applications", json={"cycle": cycle}, headers=headers) for _ in range(2)
    ]
    assert answers[0].json() == answers[1].json()
    assert len((await office.me(who, "get", "/v1/applications")).json()["items"]) == 1


async def test_of_two_reviewers_who_saw_the_same_version_the_second_is_told(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    seen = (await office.staff("get", f"/v1/applications/{application}", CLERK)).json()["version"]
    match = {"If-Match": f'"{seen}"'}
    body = {"stage": "初审", "checklist": checklist("初审")}
    path = f"/v1/applications/{application}"
    first = await office.staff("post", f"{path}/pass", CLERK, who="one", json=body, headers=match)
    assert first.status_code == 200
    back = {"stage": "初审", "reason_code": "name_wrong", "note": "不一致"}
    second = await office.staff("post", f"{path}/return", CLERK, who="two", json=back, headers=match)
    assert code(second, 409) == "request.changed_meanwhile"
    assert second.json()["facts"]["version"] == seen + 2


async def test_of_two_reviewers_at_the_same_moment_one_wins_and_the_other_is_told(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    path = f"/v1/applications/{application}"
    yes = {"stage": "初审", "checklist": checklist("初审")}
    no = {"stage": "初审", "reason_code": "name_wrong", "note": "不一致"}
    answers = await asyncio.gather(
        office.staff("post", f"{path}/pass", CLERK, who="one", json=yes),
        office.staff("post", f"{path}/return", CLERK, who="two", json=no),
    )
    assert sorted(answer.status_code for answer in answers)[0] == 200
    (loser,) = [answer for answer in answers if answer.status_code != 200]
    assert loser.json()["code"] in {"exemption.stage_not_open", "exemption.not_your_stage"}


async def test_the_same_certificate_handed_in_twice_at_once_is_taken_once(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    drafts = [await office.draft(who, cycle) for _ in range(2)]
    answers = await asyncio.gather(*(office.me(who, "post", f"/v1/applications/{each}/submit") for each in drafts))
    assert sorted(answer.status_code for answer in answers) == [200, 409]


# --- who may not -----------------------------------------------------------------------------------------------------


async def test_the_case_of_another_is_answered_like_one_that_is_not_there(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    other = await office.somebody()
    assert (await office.me(other, "get", "/v1/applications")).json()["items"] == []
    nothing = "00000000-0000-4000-8000-000000000000"
    requests: list[tuple[str, str, dict[str, Any]]] = [
        ("get", "/v1/applications/{}", {}),
        ("put", "/v1/applications/{}/draft", {"json": {"form": {}}}),
        ("post", "/v1/applications/{}/submit", {}),
        ("post", "/v1/applications/{}/discard", {}),
    ]
    for method, path, more in requests:
        answers = [await office.me(other, method, path.format(each), **more) for each in (application, nothing)]
        assert {code(answer, 404) for answer in answers} == {"access.not_found"}
        assert answers[0].json() == answers[1].json()
    stranger = ("teaching_point_admin", "point-b")
    for role in (stranger, DEAN, RECEIVER, ("administrator", "*")):
        looks = [await office.staff("get", f"/v1/applications/{each}", role) for each in (application, nothing)]
        assert looks[0].json() == looks[1].json()
        assert code(looks[0], 404) == "access.not_found"
        assert code(await office.passed(application, "初审", role), 404) == "access.not_found"


async def test_candidates_have_no_work_list_and_staff_start_no_application(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    assert code(await office.me(who, "get", "/v1/work"), 403) == "access.not_allowed"
    started = await office.staff("post", "/v1/applications", CLERK, json={"cycle": cycle})
    assert code(started, 403) == "access.not_allowed"
    assert code(await office.web.client.get("/v1/applications"), 401) == "access.no_token"


async def test_the_work_list_holds_only_what_waits_for_the_role_at_the_organisation(office: Office) -> None:
    who, cycle = await office.somebody("样本待办某"), await office.open_cycle()
    application = await office.submitted(who, cycle)

    async def listed(role: tuple[str, str], **query: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        after = ""
        while True:
            page = (
                await office.staff(
                    "get", "/v1/work", role, params={**query, "limit": "2", **({"after": after} if after else {})}
                )
            ).json()
            found |= {item["id"]: item for item in page["items"]}
            if not page["next"]:
                return found
            after = page["next"]

    waiting = await listed(CLERK)
    assert waiting[application]["name"] == "样本待办某"
    assert waiting[application]["stage"] == "初审"
    for role in (("teaching_point_admin", "point-b"), DEAN, RECEIVER):
        assert application not in await listed(role)
    await office.passed(application, "初审", CLERK)
    assert application not in await listed(CLERK)
    assert (await listed(CLERK, done="true"))[application]["outcome"] == "passed"
    assert (await listed(DEAN))[application]["stage"] == "复核"


async def test_a_look_at_somebodys_papers_is_recorded_with_role_and_organisation(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    seen = (await office.staff("get", f"/v1/applications/{application}", CLERK, who="staff-li")).json()
    upload = seen["photos"][0]["upload"]
    picture = await office.staff("get", f"/v1/uploads/{upload}/picture", CLERK, who="staff-li")
    assert picture.headers["content-type"] == "image/jpeg"
    await office.me(who, "get", f"/v1/uploads/{upload}/picture")
    async with office.web.service.reading() as connection:
        looks = await office.web.service.history(connection, f"viewing-{application}")
    assert [(look.event.viewer, look.event.role, look.event.documents) for look in looks] == [
        ("staff-li", "teaching_point_admin", ("form", "history")),
        ("staff-li", "teaching_point_admin", ("id_front",)),
    ]
    assert {look.meta.case for look in looks} == {application}


async def test_pictures_of_others_are_not_there(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    mine = (await office.me(who, "get", f"/v1/applications/{application}")).json()
    upload = mine["photos"][0]["upload"]
    other = await office.somebody()
    assert code(await office.me(other, "get", f"/v1/uploads/{upload}/picture"), 404) == "access.not_found"
    for role in (("teaching_point_admin", "point-b"), DEAN, ("administrator", "*")):
        assert code(await office.staff("get", f"/v1/uploads/{upload}/picture", role), 404) == "access.not_found"


async def test_the_upload_of_another_cannot_be_put_into_an_application(office: Office) -> None:
    who, other, cycle = await office.somebody(), await office.somebody(), await office.open_cycle()
    theirs = await office.draft(other, cycle)
    upload = (await office.me(other, "get", f"/v1/applications/{theirs}")).json()["photos"][0]["upload"]
    mine = await office.draft(who, cycle)
    answers = []
    for each in (upload, "00000000-0000-4000-8000-000000000000"):
        body = {"form": who.form(), "photos": {"id_front": each}}
        answers.append(await office.me(who, "put", f"/v1/applications/{mine}/draft", json=body))
    assert answers[0].json() == answers[1].json()
    assert code(answers[0], 422) == "exemption.no_such_photograph"


# --- duplicates, windows ---------------------------------------------------------------------------------------------


async def test_one_certificate_number_of_two_people_is_flagged_to_reviewers_of_both(office: Office) -> None:
    cycle = await office.open_cycle()
    first = await office.somebody()
    second = await office.somebody(certificate_number=first.certificate_number)
    one, two = await office.submitted(first, cycle), await office.submitted(second, cycle)
    for mine, other in ((one, two), (two, one)):
        seen = (await office.staff("get", f"/v1/applications/{mine}", CLERK)).json()
        assert [each["application"] for each in seen["duplicates"]] == [other]
        assert "证书编号" in seen["duplicates"][0]["warning"]
    candidate = (await office.me(second, "get", f"/v1/applications/{two}")).json()
    assert "duplicates" not in candidate
    again = await office.draft(second, cycle)
    refused = await office.me(second, "post", f"/v1/applications/{again}/submit")
    assert code(refused, 409) == "exemption.certificate_in_another_application"


async def test_the_same_certificate_in_another_spelling_is_flagged_all_the_same(office: Office) -> None:
    cycle = await office.open_cycle()
    first = await office.somebody(certificate_number="X2023-0000-77001")
    spelled = "ｘ2023 0000-77001"
    second = await office.somebody(certificate_number=spelled)
    one, two = await office.submitted(first, cycle), await office.submitted(second, cycle)
    for mine, other in ((one, two), (two, one)):
        seen = (await office.staff("get", f"/v1/applications/{mine}", CLERK)).json()
        assert [each["application"] for each in seen["duplicates"]] == [other]


async def test_only_reviewers_learn_that_a_number_was_used_by_somebody_else(office: Office) -> None:
    cycle = await office.open_cycle()
    first = await office.somebody()
    second = await office.somebody(certificate_number=first.certificate_number)
    await office.submitted(first, cycle)
    application = await office.submitted(second, cycle)
    path = f"/v1/applications/{application}"
    deeds = [line["deed"] for line in (await office.me(second, "get", path)).json()["history"]]
    assert deeds == ["started", "submitted"]
    reviewers = [line["deed"] for line in (await office.staff("get", path, CLERK)).json()["history"]]
    assert reviewers == ["started", "submitted", "flagged"]


async def test_a_returned_application_of_a_past_cycle_does_not_hold_its_certificate_for_ever(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    old = await office.submitted(who, cycle)
    back = {"stage": "初审", "reason_code": "id_front_unclear", "note": "请重拍"}
    assert (await office.staff("post", f"/v1/applications/{old}/return", CLERK, json=back)).status_code == 200
    await office.submitted(who, await office.open_cycle())
    again = await office.me(who, "post", f"/v1/applications/{old}/submit")
    assert code(again, 409) == "exemption.certificate_in_another_application"


async def test_the_closing_instant_is_too_late_until_the_window_is_extended(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle(days=1)
    application = await office.draft(who, cycle)
    (window,) = (await office.web.client.get(f"/v1/cycles/{cycle}")).json()["windows"]
    before = office.clock.now
    closing = before.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    assert window["open"] is True
    try:
        office.clock.now = closing
        late = await office.me(who, "post", f"/v1/applications/{application}/submit")
        assert code(late, 409) == "exemption.window_closed"
        assert late.json()["facts"]["ended"] == closing.strftime("%Y-%m-%d %H:%M:%S")
        longer = {"purpose": "apply", "to_day": f"{closing.date() + timedelta(days=3)}", "reason": "系统维护"}
        assert (await office.staff("post", f"/v1/cycles/{cycle}/extend", CLERK, json=longer)).status_code == 403
        assert (await office.staff("post", f"/v1/cycles/{cycle}/extend", DEAN, json=longer)).status_code == 200
        assert (await office.me(who, "post", f"/v1/applications/{application}/submit")).status_code == 200
    finally:
        office.clock.now = before


async def test_one_second_before_closing_is_in_time(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle(days=1)
    application = await office.draft(who, cycle)
    before = office.clock.now
    closing = before.astimezone(SHANGHAI).replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    try:
        office.clock.now = closing - timedelta(seconds=1)
        assert (await office.me(who, "post", f"/v1/applications/{application}/submit")).status_code == 200
    finally:
        office.clock.now = before


async def test_an_erased_person_can_neither_be_judged_nor_found(office: Office) -> None:
    from services.exemption.domain.commands import ForgetPerson

    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    await office.tell(ForgetPerson(person=who.id))
    await office.keyring.erase(who.id)
    office.web.service.keyring._kept.pop(who.id, None)
    assert code(await office.passed(application, "初审", CLERK), 410) == "exemption.person_erased"
    waiting = (await office.staff("get", "/v1/work", CLERK, params={"limit": "100"})).json()["items"]
    assert application not in [item["id"] for item in waiting]


# --- for everybody ---------------------------------------------------------------------------------------------------


async def test_everybody_can_read_the_scheme_the_cycles_and_where_to_apply(office: Office) -> None:
    cycle = await office.open_cycle()
    ask = office.web.client.get
    scheme = (await ask(f"/v1/schemes/{SCHEME}")).json()
    assert scheme["head"]["title"]["text"] == "自学考试1+X证书课程免试申请系统"
    assert [slot["slot"] for slot in scheme["exemption"]["photos"]] == slots()
    assert [stage["name"] for stage in scheme["exemption"]["stages"]] == ["初审", "复核"]
    assert SCHEME in [item["ref"] for item in (await ask("/v1/schemes")).json()["items"]]
    assert code(await ask("/v1/schemes/nowhere/1x@1"), 404) == "exemption.no_such_scheme"
    assert cycle in [item["id"] for item in (await ask("/v1/cycles", params={"scheme": SCHEME})).json()["items"]]
    places = (await ask(f"/v1/cycles/{cycle}/organisations")).json()["items"]
    assert [(place["id"], place["phones"]) for place in places] == [("point-b", []), ("point-a", ["0816-6000001"])]


@pytest.mark.parametrize(
    "body",
    [{}, {"cycle": "../../etc"}, {"cycle": "00000000-0000-4000-8000-000000000000", "more": 1}],
)
async def test_a_body_that_is_not_what_is_asked_for_is_refused(office: Office, body: dict[str, Any]) -> None:
    who = await office.somebody()
    answer = await office.me(who, "post", "/v1/applications", json=body)
    assert code(answer, 422) == "request.invalid"
    assert "etc" not in json.dumps(answer.json())


async def test_faults_of_a_form_are_told_field_by_field_in_two_languages(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    wrong = replace(who, id_number="360426199101010072")
    application = await office.draft(wrong, cycle, certificate="flying_carpet")
    answer = await office.me(who, "post", f"/v1/applications/{application}/submit")
    assert code(answer, 422) == "exemption.form_wrong"
    faults = {fault["field"]: fault for fault in answer.json()["facts"]["faults"]}
    assert faults["id_number"]["code"] == "identity.id_number_wrong_check_digit"
    assert faults["certificate"]["zh"] == "请从系统选项中选择。"
    assert "360426199101010072" not in answer.text
