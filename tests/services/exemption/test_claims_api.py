"""Claims over HTTP on a real database: which of several submissions counts, numbers, verdicts, unlocking, timers."""

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pypdfium2
import pytest

from services.exemption.domain.commands import FollowAccount, FollowEducation, ForgetPerson
from services.exemption.handlers import Books
from services.exemption.main import exemption
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import FERRY, ISLE, REEF
from tests.services.exemption.claims_story import RECORD, tide
from tests.services.exemption.harbour import BOOKS, CLERK, MASTER, Harbour, open_harbour
from tests.services.exemption.office import code

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as opened:
            yield opened


async def open_desks(harbour: Harbour, application: str) -> int:
    async with harbour.web.service.reading() as connection:
        query = "select count(*) from desks where application = $1 and outcome = 'open'"
        found: int = await connection.fetchval(query, application)
        return found


# --- the last submission wins ---------------------------------------------------------------------------------------


async def test_the_later_submission_supersedes_the_earlier_also_when_its_review_has_begun(harbour: Harbour) -> None:
    """SD-19, SD-46."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    first = await harbour.handed_in(who, ticket, cycle, REEF)
    assert (await harbour.decide(first, "现场确认", REEF)).status_code == 200
    second = await harbour.handed_in(who, ticket, cycle, REEF)
    assert await harbour.state(who, first) == "superseded"
    assert await harbour.state(who, second) == "submitted"
    assert (await open_desks(harbour, first), await open_desks(harbour, second)) == (0, 1)
    late = await harbour.decide(first, "审核", REEF, who="mate")
    assert code(late, 409) == "exemption.stage_not_open"
    shown = (await harbour.me(who, "get", f"/v1/applications/{first}")).json()
    assert shown["history"][-1]["deed"] == "superseded"


async def test_of_several_submissions_at_once_exactly_one_counts(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    applications = [await harbour.claimed(who, ticket, cycle, REEF) for _ in range(4)]
    answers = await asyncio.gather(*(harbour.submit(who, each) for each in applications))
    assert [answer.status_code for answer in answers] == [200] * 4
    states = [await harbour.state(who, each) for each in applications]
    assert sorted(states) == ["submitted", "superseded", "superseded", "superseded"]
    numbers = [(await harbour.me(who, "get", f"/v1/applications/{each}")).json()["number"] for each in applications]
    first, *_, last = sorted(int(number[-4:]) for number in numbers)
    assert (len(set(numbers)), last - first) == (4, 3)


async def test_one_ticket_number_used_by_two_accounts_is_refused_until_its_owner_is_erased(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    other, _ = await harbour.sailor()
    await harbour.tell(FollowAccount(person=other.id, ticket_number=""))  # who has a ticket hands in with that one
    await harbour.handed_in(who, ticket, cycle, REEF)
    spelled = ticket.translate(str.maketrans("0123456789", "０１２３４５６７８９"))
    second = await harbour.claimed(other, spelled, cycle, REEF)
    assert code(await harbour.submit(other, second), 409) == "exemption.ticket_of_another_account"
    kept = (await harbour.me(other, "get", f"/v1/applications/{second}")).json()
    assert kept["form"]["ticket"] == spelled
    await harbour.keyring.erase(who.id)
    await harbour.tell(ForgetPerson(person=who.id))
    assert (await harbour.submit(other, second)).status_code == 200


# --- number, receipt, verdict ---------------------------------------------------------------------------------------


async def test_a_number_is_given_when_handed_in_and_stands_on_the_receipt(harbour: Harbour) -> None:
    """SD-20, SD-38."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.claimed(who, ticket, cycle, REEF)
    path = f"/v1/applications/{application}"
    assert code(await harbour.me(who, "get", f"{path}/receipt"), 409) == "exemption.no_receipt"
    assert (await harbour.me(who, "get", path)).json()["number"] == ""
    assert (await harbour.submit(who, application)).status_code == 200
    receipt = (await harbour.me(who, "get", f"{path}/receipt")).json()
    assert receipt["title"] == "申报告知单"
    number = receipt["number"]
    assert re.fullmatch(r"RF20260310-[0-9]{4}", number)
    assert [(item["basis"], item["course_code"], item["course"]) for item in receipt["items"]] == [
        ("1、已合格课程", "90003", "潮汐学"),
        ("4、潮汐证书", "90001", "海图绘制"),
    ]
    (line,) = (await harbour.me(who, "get", "/v1/applications")).json()["items"]
    assert (line["number"], line["certificate"]) == (number, "已合格课程、潮汐证书")


async def test_the_verdict_says_beforehand_what_handing_in_would_say_and_stores_nothing(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    low: Any = tide({"code": "90001", "name": "", "form": {}}, level="1", taken_in="2030-01")
    application = await harbour.claimed(who, ticket, cycle, ISLE, claims=[low])
    path = f"/v1/applications/{application}"
    before = (await harbour.me(who, "get", path)).json()["version"]
    verdict = (await harbour.me(who, "post", f"{path}/verdict")).json()
    assert verdict["would_be_accepted"] is False
    wrong = {finding["code"]: finding for finding in verdict["findings"] if finding["outcome"] == "refuse"}
    assert set(wrong) == {"exemption.level_too_low", "exemption.in_the_future"}
    assert wrong["exemption.level_too_low"]["inputs"] == {"level": "1", "lowest": "2"}
    assert wrong["exemption.level_too_low"]["clause"].endswith("bases[tide_two] TT-38")
    assert "低于" in wrong["exemption.level_too_low"]["zh"]
    refused = await harbour.submit(who, application)
    assert code(refused, 422) == "exemption.form_wrong"
    assert {fault["code"] for fault in refused.json()["facts"]["faults"]} == set(wrong)
    assert (await harbour.me(who, "get", path)).json()["version"] == before
    assert (await harbour.save(who, ticket, application, ISLE)).status_code == 200
    good = (await harbour.me(who, "post", f"{path}/verdict")).json()
    assert good["would_be_accepted"] is True, [each for each in good["findings"] if each["outcome"] != "pass"]
    other, _ = await harbour.sailor()
    assert code(await harbour.me(other, "post", f"{path}/verdict"), 404) == "access.not_found"


# --- once and again; results in their window -------------------------------------------------------------------------


async def test_a_clerk_unlocks_once_and_the_candidate_hands_in_again(harbour: Harbour) -> None:
    """SX-E-19, SX-E-35, SX-E-36, SX-E-37."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    application = await harbour.handed_in(who, ticket, cycle, ISLE)
    path = f"/v1/applications/{application}"
    again = await harbour.claimed(who, ticket, cycle, ISLE)
    assert code(await harbour.submit(who, again), 409) == "exemption.already_submitted_in_this_cycle"
    looked = await harbour.staff("get", path, CLERK)
    assert looked.json()["actions"] == ["unlock"]
    seen = {"id_card": True, "printed_details": True}
    body = {"seen": seen, "reason_code": "wrong_material", "note": "测试0000"}
    assert (await harbour.staff("post", f"{path}/unlock", CLERK, json=body)).status_code == 200
    shown = (await harbour.me(who, "get", path)).json()
    assert (shown["state"]["title"], shown["returned"]["note"]) == ("被退回", "测试0000")
    assert await open_desks(harbour, application) == 0
    assert (await harbour.submit(who, application)).status_code == 200
    second = await harbour.staff("post", f"{path}/unlock", CLERK, json=body)
    assert code(second, 409) == "exemption.unlocked_often_enough"


async def test_what_was_decided_is_hidden_until_the_results_are_open(harbour: Harbour) -> None:
    """SX-E-39."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    application = await harbour.handed_in(who, ticket, cycle, ISLE)
    assert code(await harbour.decide(application, "审核", ISLE), 409) == "exemption.stage_not_begun"
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=10)
        assert (await harbour.decide(application, "审核", ISLE)).status_code == 200
        shown = (await harbour.me(who, "get", f"/v1/applications/{application}")).json()
        assert shown["state"]["title"] == "已提交"
        assert {deed["deed"] for deed in shown["history"]} == {"started", "submitted"}
        (line,) = (await harbour.me(who, "get", "/v1/applications")).json()["items"]
        assert (line["state"]["title"], line["version"]) == ("已提交", shown["version"])
        harbour.clock.now = start + timedelta(days=26)
        assert await harbour.state(who, application) == "approved"
        harbour.clock.now = start + timedelta(days=45)
        assert await harbour.state(who, application) == "submitted"
    finally:
        harbour.clock.now = start


async def test_a_refused_candidate_may_hand_in_another_one(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.handed_in(who, ticket, cycle, REEF)
    assert (await harbour.decide(application, "现场确认", REEF)).status_code == 200
    body = {"stage": "审核", "reason_code": "not_covered", "note": "不符合规定"}
    path = f"/v1/applications/{application}/refuse"
    assert (await harbour.staff("post", path, MASTER, who="mate", json=body)).status_code == 200
    assert await harbour.state(who, application) == "submitted"  # until the results are open
    second = await harbour.handed_in(who, ticket, cycle, REEF)
    assert await states_of(harbour, cycle) == {application: "refused", second: "in_review"}


# --- on paper and on its way: claims with what they rest on ---------------------------------------------------------


async def test_the_record_table_of_an_approved_application_has_every_claim_with_its_proof(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.approved(who, ticket, cycle)
    answer = await harbour.staff("post", f"/v1/applications/{application}/record-table", MASTER)
    assert answer.status_code == 200, answer.text
    pages = pypdfium2.PdfDocument(answer.content)
    text = "".join("".join(page.get_textpage().get_text_bounded() for page in pages).split())
    said = ["免考记录", application, "编号", "社会考生", "航海（本科）", "90003潮汐学、90001海图绘制"]
    said += ["依据1", "1、已合格课程", "90003潮汐学", "考试时间或证书获得时间：2019年03月"]
    said += ["依据2", "4、潮汐证书", "T-1", "有效期至", "长期", "2019-03-02", "90001海图绘制", "依据1成绩证明"]
    assert [each for each in said if each not in text] == []


async def test_a_batch_of_claims_has_a_row_for_each_course_and_stays_intact(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.approved(who, ticket, cycle)
    handed = await harbour.staff("post", "/v1/batches", MASTER, json={"cycle": cycle})
    assert handed.status_code == 201, handed.text
    path = f"/v1/batches/{handed.json()['id']}/export"
    exported = (await harbour.staff("get", path, MASTER)).json()
    assert exported["intact"] is True
    rows = [dict(zip(exported["columns"], row, strict=True)) for row in exported["rows"]]
    assert [(row["申请编号"], row["免考依据"], row["免考课程代码"]) for row in rows] == [
        (application, "1、已合格课程", "90003"),
        (application, "4、潮汐证书", "90001"),
    ]
    assert rows[1]["证书编号"] == "T-1"
    sheet = (await harbour.staff("get", path, MASTER, params={"file": "csv"})).text
    assert '"4、潮汐证书"' in sheet


async def test_a_reviewer_reads_the_diploma_itself_and_its_state_as_identity_last_told_it(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    application = await harbour.handed_in(who, ticket, cycle, ISLE)

    async def read() -> tuple[list[Any], dict[str, str]]:
        answer = await harbour.staff("get", f"/v1/applications/{application}", MASTER)
        assert answer.status_code == 200, answer.text
        claims = answer.json()["claims_worded"]
        return claims, {each["label"]: each["value"] for each in claims[1]["told"]}

    claims, said = await read()
    assert [claim["basis"] for claim in claims] == ["2、潮汐二级及以上证书", "1、学历证书"]
    assert claims[1]["courses"][0] == {
        "code": "90003",
        "name": "潮汐学",
        "told": [{"label": "已学课程名称", "value": "潮汐"}, {"label": "成绩", "value": "75"}],
    }
    known = {"毕业院校": "虚构学院", "所学专业": "园艺", "毕业证书编号": f"D{who.mobile}", "毕业日期": "2018-06-30"}
    assert said == {**known, "学历层次": "31", "前置学历状态": "生效"}
    await harbour.tell(FollowEducation(person=who.id, record=RECORD, standing="not_effective"))
    assert (await read())[1]["前置学历状态"] == "未生效"


# --- the end of windows ----------------------------------------------------------------------------------------------


async def states_of(harbour: Harbour, cycle: str) -> dict[str, str]:
    async with harbour.web.service.reading() as connection:
        rows = await connection.fetch("select id, state from applications where cycle = $1", cycle)
        return {row["id"]: row["state"] for row in rows}


async def settled(harbour: Harbour, cycle: str) -> None:
    """Until no timer of this cycle is due."""
    for _ in range(200):
        async with harbour.web.service.reading() as connection:
            due = await connection.fetchval(
                "select count(*) from timers where stream = $1 and due_at <= $2", f"cycle-{cycle}", harbour.clock()
            )
        if not due:
            return
        await harbour.web.node.timers.fire_due()
        await asyncio.sleep(0.05)
    raise TimeoutError(cycle)


async def test_what_was_not_confirmed_on_site_lapses_and_what_was_approved_expires(harbour: Harbour) -> None:
    """SD-41."""
    cycle = await harbour.season(REEF)
    (first, one), (second, two), (third, three) = [await harbour.sailor() for _ in range(3)]
    waiting = await harbour.handed_in(first, one, cycle, REEF)
    good = await harbour.approved(second, two, cycle)
    draft = await harbour.claimed(third, three, cycle, REEF)
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=12)
        await settled(harbour, cycle)
        assert await states_of(harbour, cycle) == {waiting: "lapsed", good: "granted", draft: "draft"}
        harbour.clock.now = start + timedelta(days=50)
        await settled(harbour, cycle)
        assert await states_of(harbour, cycle) == {waiting: "lapsed", good: "expired", draft: "draft"}
        assert await harbour.state(second, good) == "expired"
    finally:
        harbour.clock.now = start


async def test_a_closing_by_hand_ends_what_waits_and_leaves_what_was_approved_its_days(harbour: Harbour) -> None:
    cycle = await harbour.season(REEF)
    (first, one), (second, two) = [await harbour.sailor() for _ in range(2)]
    waiting = await harbour.handed_in(first, one, cycle, REEF)
    good = await harbour.approved(second, two, cycle)
    closing = await harbour.staff("post", f"/v1/cycles/{cycle}/close", MASTER, json={"reason": "全部办结"})
    assert closing.status_code == 200, closing.text
    await settled(harbour, cycle)
    assert await states_of(harbour, cycle) == {waiting: "lapsed", good: "granted"}


async def test_an_erased_candidate_holds_up_nobody_at_the_end_of_a_window(harbour: Harbour) -> None:
    start, cycle = harbour.clock.now, await harbour.season(REEF)
    (first, one), (second, two) = [await harbour.sailor() for _ in range(2)]
    gone = await harbour.approved(first, one, cycle)
    good = await harbour.approved(second, two, cycle)
    await harbour.keyring.erase(first.id)
    await harbour.tell(ForgetPerson(person=first.id))
    try:
        harbour.clock.now = start + timedelta(days=50)
        await settled(harbour, cycle)
        found = await states_of(harbour, cycle)
        assert (found[good], set(found)) == ("expired", {gone, good})
    finally:
        harbour.clock.now = start


async def test_an_approved_exemption_is_revoked_with_a_reason(harbour: Harbour) -> None:
    """SD-42."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.approved(who, ticket, cycle)
    body = {"reason_code": "not_in_plan", "note": "专业计划已调整"}
    path = f"/v1/applications/{application}/revoke"
    assert code(await harbour.staff("post", path, CLERK, json=body), 404) == "access.not_found"
    assert (await harbour.staff("post", path, MASTER, json=body)).status_code == 200
    assert await states_of(harbour, cycle) == {application: "revoked"}


async def test_the_read_models_of_claims_are_the_same_when_rebuilt(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    await harbour.handed_in(who, ticket, cycle, REEF)
    await harbour.handed_in(who, ticket, cycle, REEF)
    service = harbour.web.service
    async with service.reading() as connection:
        found = await compare(connection, exemption(BOOKS), service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
    assert {table.name for table in found.tables if table.rebuilt} >= {"heads", "numbers_given", "claims", "desks"}


def test_the_made_up_books_are_served_without_any_python_of_theirs() -> None:
    assert isinstance(BOOKS, Books)
    assert BOOKS.refs() == (FERRY, ISLE, REEF)
