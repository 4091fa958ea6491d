"""What CHSI says of a diploma, heard by the candidate: facts of identity, over the bus, as notices of the book."""

from datetime import date

import pytest

from tests.services.identity import people
from tests.services.identity.schooling import FOUND, NOT_FOUND, ON_RECORD, form, number
from tests.services.town import Town

pytestmark = pytest.mark.servers

SCHEME, OFFICE = "hb/recognition@1", ("authority_clerk", "hb-prov")
SPRING = (date(2026, 3, 1), date(2026, 3, 23))
SUMMER = (date(2026, 3, 1), date(2026, 9, 30))


@pytest.fixture(scope="module")
async def cycle(town: Town) -> str:
    """Opened at exemption; identity hears of it, and its window, from there."""
    headers = town.identity.web.as_staff("chief", ("administrator", "*"))
    said: dict[str, object] = {
        "organisation": "hb-prov",
        "title": "样本平台",
        "level": "province",
        "parent": None,
        "phones": [],
    }
    answer = await town.identity.web.client.post("/v1/organisations", headers=headers, json=said)
    assert answer.status_code == 201, answer.text
    await town.heard()
    return await town.cycle(SCHEME, "hb-prov", OFFICE, prior_education=SPRING, apply=SUMMER, correct=SUMMER)


async def asked(town: Town, cycle: str, person: people.Person) -> tuple[str, str, str]:
    """A candidate, and a record of theirs about which CHSI is being asked under a request."""
    me = await town.candidate(person)
    town.move(minutes=1)
    record = await town.identity.submitted(me, cycle, form(number()))
    await town.identity.due(record)
    (request,) = await town.identity.requests(record)
    return me, record, request


async def test_that_it_took_effect_is_told_by_sms_and_in_the_inbox(town: Town, cycle: str) -> None:
    person = people.Person()
    me, record, request = await asked(town, cycle, person)
    assert await town.inbox(me) != []  # of the registration
    assert (await town.identity.call(request, FOUND)).status_code == 200
    await town.heard()
    told = (await town.inbox(me))[0]
    assert (told["moment"], told["case"], told["title"]) == ("prior_education.effective", record, "前置学历已生效")
    assert "状态为“生效”，前置学历管理已完成" in told["text"]
    await town.sent(person.mobile, "状态为“生效”")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (NOT_FOUND, "请到学信网申请学历认证报告，并联系学校自考办"),
        ({"result": "found", "on_record": {**ON_RECORD, "holder": "𠮷田样木"}}, "请逐字核对后点击“修改”更正"),
        ({"result": "invalid"}, "该证书已注销或无效，请联系发证学校"),
    ],
)
async def test_that_it_did_not_is_told_with_why_and_what_to_bring_but_not_what_differs(
    town: Town, cycle: str, answer: dict[str, object], reason: str
) -> None:
    person = people.Person()
    me, _, request = await asked(town, cycle, person)
    assert (await town.identity.call(request, answer)).status_code == 200
    await town.heard()
    told = (await town.inbox(me))[0]
    assert told["moment"] == "prior_education.not_effective"
    assert reason in told["text"]
    assert "木" not in told["text"]
    await town.sent(person.mobile, "核验未生效。请登录考生服务平台查看原因")


async def test_the_same_answer_twice_is_told_once_and_another_word_of_it_not_before_a_clerk_settled_it(
    town: Town, cycle: str
) -> None:
    me, record, request = await asked(town, cycle, people.Person())
    for answer in (NOT_FOUND, NOT_FOUND, FOUND):
        assert (await town.identity.call(request, answer)).status_code == 200
    await town.heard()
    assert [each["moment"] for each in await town.inbox(me)][:-1] == ["prior_education.not_effective"]
    town.move(minutes=1)
    settled = {"request": request, "seen": 2, "counts": 2, "note": "样本：以第二次为准"}
    assert (await town.identity.settled(record, OFFICE, settled)).status_code == 200
    await town.heard()
    moments = [each["moment"] for each in await town.inbox(me)]
    assert moments[:-1] == ["prior_education.effective", "prior_education.not_effective"]


async def test_that_nobody_answers_for_long_is_told_with_what_can_be_done(town: Town, cycle: str) -> None:
    certificate = number()
    await town.sandbox.behaves(**{certificate: {"answer": "never"}})
    me = await town.candidate()
    record = await town.identity.submitted(me, cycle, form(certificate))
    await town.identity.run_on(record)
    assert (await town.identity.row(record))["state"] == "unresolved"
    town.move_to(town.identity.now)
    await town.heard()
    told = (await town.inbox(me))[0]
    assert (told["moment"], told["title"]) == ("prior_education.unresolved", "学信网长时间未反馈")
    assert "请撤回后核对信息重新提交" in told["text"]
