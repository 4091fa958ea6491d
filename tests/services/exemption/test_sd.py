"""Shandong 2023H1 over HTTP: from the notice to the decision and beyond, by the real book, on its own days."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from services.exemption.domain.commands import FollowAccount, FollowOrganisation
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.services.exemption.office import code, open_office
from tests.services.exemption.sd_desk import CITY, CLERK, NOTICE, PROVINCE, REF, Desk, course, shanghai
from tests.shared.runtime.nodes import until

pytestmark = pytest.mark.servers

ENGLISH = course("00015", "英语(二)")


@pytest.fixture(scope="module")
async def desk(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_office(url, tmp_path_factory.mktemp("blobs"), now=NOTICE) as office:
            for name, title, level, parent in (
                (PROVINCE, "山东省教育招生考试院", "province", None),
                (CITY, "济南", "city", PROVINCE),
            ):
                told = FollowOrganisation(organisation=name, title=title, level=level, parent=parent, phones=())
                await office.tell(told)
            yield Desk(office)


@pytest.fixture
async def cycle(desk: Desk) -> str:
    """Announced on the day of the notice; it is then the first morning."""
    desk.at(NOTICE)
    opened = await desk.open_cycle()
    desk.at(shanghai(17, 9, 30))
    return opened


# --- before it opens


async def test_the_notice_can_be_read_and_the_cycle_is_announced_thirteen_days_before(desk: Desk) -> None:
    """SD-03, SD-04, SD-45, SD-53."""
    desk.at(NOTICE)
    cycle = await desk.open_cycle()
    book = (await desk.office.web.client.get(f"/v1/schemes/{REF}")).json()
    assert any("申请条件" in each["text"] for each in book["exemption"]["texts"]["notices"])
    shown = (await desk.office.web.client.get(f"/v1/cycles/{cycle}")).json()
    apply = next(each for each in shown["windows"] if each["purpose"] == "apply")
    assert (shown["phase"], apply["from_day"], apply["to_day"]) == ("announced", "2023-05-17", "2023-05-19")
    assert apply["daily"] == [["09:00", "12:00"], ["13:00", "17:00"]]
    somebody = await desk.office.somebody()
    early = await desk.office.me(somebody, "post", "/v1/applications", json={"cycle": cycle})
    assert code(early, 409) == "exemption.window_not_open_yet"
    assert early.json()["facts"]["opens"] == "2023-05-17 09:00:00"


@pytest.mark.parametrize("typed", ["对自考考生免考课程的确认", "对自考生免考课程的确认", "免考课程的确认"])
async def test_the_item_is_found_under_both_of_its_spellings_and_told_by_the_one_that_is_searched(
    desk: Desk, typed: str
) -> None:
    """SD-07, SD-48."""
    found = (await desk.office.web.client.get("/v1/schemes", params={"q": typed})).json()["items"]
    assert found == [{"ref": REF, "title": "对自考考生免考课程的确认", "item": "对自考考生免考课程的确认"}]
    assert (await desk.office.web.client.get("/v1/schemes", params={"q": "炼金术"})).json() == {"items": []}


# --- the whole procedure


async def test_an_application_goes_from_the_draft_to_the_decision_and_expires_unused(desk: Desk, cycle: str) -> None:
    """SD-20, SD-21, SD-31, SD-38, SD-39, SD-41."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    application = await desk.draft(me, cycle, ticket, course(), course("00019", "计算机应用基础(实践)"))
    draft = await desk.shown(me, application)
    assert (draft["state"]["title"], draft["number"]) == ("填写中", "")
    assert await desk.faults(me, application) == {}

    done = await desk.shown(me, application)
    assert (done["state"]["title"], done["submissions"]) == ("已提交", 1)
    assert done["number"].startswith("SDMK20230517")
    assert done["course_codes"] == ["00018", "00019"]
    assert done["claims"][0]["courses"][0] == {
        "code": "00018",
        "name": "计算机应用基础",
        "form": {"obtained_in": "2019-03"},
    }

    work = (await desk.office.staff("get", "/v1/work", CLERK)).json()["items"]
    assert application in [each["id"] for each in work]
    assert (await desk.decide("pass", application)).status_code == 200
    approved = await desk.shown(me, application)
    assert approved["state"]["title"] == "审核通过"
    assert [deed["deed"] for deed in approved["history"]] == ["started", "submitted", "passed", "granted"]

    desk.at(shanghai(10, 0, 1, month=6))

    async def expired() -> bool:
        return await desk.state(me, application) == "过期不予保留"

    await until(expired)


async def test_a_closing_by_hand_ends_no_exemption_before_its_time_and_a_late_approval_expires(
    desk: Desk, cycle: str
) -> None:
    """SD-41."""
    me, late = await desk.office.somebody(), await desk.office.somebody()
    one, other = await desk.submitted(me, cycle, desk.ticket()), await desk.submitted(late, cycle, desk.ticket())
    assert (await desk.decide("pass", one)).status_code == 200
    said = {"reason": "提前结束申请"}
    closed = await desk.office.staff("post", f"/v1/cycles/{cycle}/close", CLERK, json=said)
    assert closed.status_code == 200, closed.text
    await desk.office.web.node.timers.fire_due()
    assert await desk.state(me, one) == "审核通过"
    desk.at(shanghai(10, 0, 1, month=6))

    async def expired() -> bool:
        return await desk.state(me, one) == "过期不予保留"

    await until(expired)
    assert (await desk.decide("pass", other)).status_code == 200
    assert await desk.state(late, other) == "过期不予保留"


async def test_a_number_is_given_once_also_by_two_cycles_on_one_day(desk: Desk, cycle: str) -> None:
    """SD-20."""
    numbers = []
    for each in (cycle, cycle, await desk.open_cycle(), cycle):
        me = await desk.office.somebody()
        numbers.append((await desk.shown(me, await desk.submitted(me, each, desk.ticket())))["number"])
    assert {number[:12] for number in numbers} == {"SDMK20230517"}
    first = int(numbers[0][12:])
    assert [number[12:] for number in numbers] == [f"{first + more:06}" for more in range(4)]


# --- when


@pytest.mark.parametrize(
    ("now", "opens"),
    [
        (shanghai(17, 8, 59, 59), "2023-05-17 09:00:00"),
        (shanghai(17, 12, 0, 0), "2023-05-17 13:00:00"),
        (shanghai(18, 17, 0, 0), "2023-05-19 09:00:00"),
    ],
)
async def test_outside_the_hours_nothing_is_taken_and_the_next_opening_is_told(
    desk: Desk, cycle: str, now: Any, opens: str
) -> None:
    """SD-04: noon itself is outside."""
    me = await desk.office.somebody()
    application = await desk.draft(me, cycle, desk.ticket())
    desk.at(now)
    assert "exemption.window_not_open_yet" in (await desk.faults(me, application)).values()
    refused = await desk.submit(me, application)
    assert refused.json()["facts"]["opens"] == opens
    desk.at(shanghai(19, 16, 59, 58))
    assert (await desk.submit(me, application)).status_code == 200


async def test_after_the_last_afternoon_it_is_over_unless_the_window_is_extended(desk: Desk, cycle: str) -> None:
    """SD-03."""
    me = await desk.office.somebody()
    application = await desk.draft(me, cycle, desk.ticket())
    desk.at(shanghai(19, 17))
    assert code(await desk.submit(me, application), 409) == "exemption.window_closed"
    longer = {"purpose": "apply", "to_day": "2023-05-22", "reason": "系统故障，顺延一天"}
    answer = await desk.office.staff("post", f"/v1/cycles/{cycle}/extend", CLERK, json=longer)
    assert answer.status_code == 200, answer.text
    desk.at(shanghai(22, 9))
    assert (await desk.submit(me, application)).status_code == 200


# --- what is asked


async def test_every_item_is_mandatory_and_all_that_is_missing_is_told_at_once(desk: Desk, cycle: str) -> None:
    """SD-22, SD-25, SD-34, SD-37."""
    me = await desk.office.somebody()
    application = await desk.started(me, cycle)
    asked = set(desk.form(me, ""))
    assert await desk.faults(me, application) == {
        **dict.fromkeys(asked, "exemption.missing"),
        "portrait": "exemption.missing",
        "claims": "exemption.too_few",
        "courses": "exemption.too_few",
    }


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"name": "样本某某"}, "exemption.not_the_account_holder"),
        ({"id_number": "110101199003070038"}, "exemption.not_the_account_holder"),
        ({"mobile": "12345"}, "identity.mobile_malformed"),
        ({"ticket_number": "3701－2345"}, "exemption.does_not_fit_the_pattern"),
        ({"target_major": "本科 000000"}, "exemption.not_on_the_list"),
        ({"original_level": "博士"}, "exemption.not_on_the_list"),
        ({"area": "370100"}, "exemption.not_on_the_list"),
        ({"address": "   "}, "exemption.missing"),
    ],
)
async def test_a_wrong_item_is_refused_by_its_name_and_kept_as_typed(
    desk: Desk, cycle: str, wrong: dict[str, str], fault: str
) -> None:
    """SD-15, SD-22, SD-23, SD-24, SD-50."""
    me = await desk.office.somebody()
    application = await desk.draft(me, cycle, desk.ticket(), **wrong)
    assert await desk.faults(me, application) == {next(iter(wrong)): fault}


@pytest.mark.parametrize(
    ("row", "about", "fault"),
    [
        (course(name="计算机基础"), "code", "exemption.course_name_not_canonical"),
        (course(name="英语(二)"), "code", "exemption.course_code_and_name_disagree"),
        (course(code="99999"), "code", "exemption.no_such_course"),
        (course(name=""), "code", "exemption.missing"),
        (course(code=""), "code", "exemption.missing"),
        (course(month=""), "obtained_in", "exemption.missing"),
        (course(month="0000-00"), "obtained_in", "exemption.not_a_month"),
        (course(month="2019年13月"), "obtained_in", "exemption.not_a_month"),
        (course(month="2023-06"), "obtained_in", "exemption.in_the_future"),
        (course(code="00015", name="英语(二)"), "code", "exemption.course_not_offered"),
    ],
)
async def test_a_row_with_a_fault_is_refused_with_its_place(
    desk: Desk, cycle: str, row: dict[str, Any], about: str, fault: str
) -> None:
    """SD-06, SD-31, SD-32, SD-51."""
    me = await desk.office.somebody()
    application = await desk.draft(me, cycle, desk.ticket(), course("00019", "计算机应用基础(实践)"), row)
    assert await desk.faults(me, application) == {f"claims[0].courses[1].{about}": fault}


async def test_the_month_of_the_application_itself_still_counts(desk: Desk, cycle: str) -> None:
    """SD-51."""
    me = await desk.office.somebody()
    assert await desk.faults(me, await desk.draft(me, cycle, desk.ticket(), course(month="2023年5月"))) == {}


async def test_a_course_on_two_bases_is_refused_and_so_is_a_claim_without_its_material(desk: Desk, cycle: str) -> None:
    """SD-34, SD-37."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    application = await desk.started(me, cycle)
    twice = [
        await desk.claim(me, application, course()),
        {**await desk.claim(me, application, course(), basis="ncre"), "photos": {}},
    ]
    assert (await desk.save(me, application, ticket, twice)).status_code == 200
    assert await desk.faults(me, application) == {
        "courses": "exemption.course_claimed_twice",
        "claims[1].certificate_photo": "exemption.missing",
    }


async def test_a_row_without_a_basis_is_kept_and_blocks_handing_in(desk: Desk, cycle: str) -> None:
    """SD-33, SD-51: the second row of the sample is there and blank."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    application = await desk.started(me, cycle)
    blank = {"basis": "", "form": {}, "photos": {}, "courses": [{"code": "", "name": "计算机", "form": {}}]}
    claims = [await desk.claim(me, application, course()), blank]
    saved = await desk.save(me, application, ticket, claims)
    assert saved.status_code == 200, saved.text
    assert (await desk.shown(me, application))["claims"][1]["courses"][0]["name"] == "计算机"
    assert (await desk.faults(me, application))["claims[1].basis"] == "exemption.missing"
    assert (await desk.save(me, application, ticket, claims[:1])).status_code == 200
    assert await desk.faults(me, application) == {}


# --- one ticket, several submissions


async def test_the_last_submission_of_a_ticket_counts_also_when_a_review_has_begun_or_ended(
    desk: Desk, cycle: str
) -> None:
    """SD-19, SD-46."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    first = await desk.submitted(me, cycle, ticket)
    looked = await desk.office.staff("get", f"/v1/applications/{first}", CLERK)
    assert looked.status_code == 200, "its review has begun"
    second = await desk.submitted(me, cycle, ticket, course("00019", "计算机应用基础(实践)"))
    assert (await desk.state(me, first), await desk.state(me, second)) == ("被后一次提交取代", "已提交")
    assert code(await desk.decide("pass", first), 409) == "exemption.stage_not_open"
    waiting = [each["id"] for each in (await desk.office.staff("get", "/v1/work", CLERK)).json()["items"]]
    assert second in waiting
    assert first not in waiting, "reviewers see the last one only"
    assert (await desk.decide("pass", second)).status_code == 200
    third = await desk.submitted(me, cycle, ticket)
    assert (await desk.state(me, second), await desk.state(me, third)) == ("被后一次提交取代", "已提交")
    lines = (await desk.office.me(me, "get", "/v1/applications")).json()["items"]
    assert {first, second, third} <= {each["id"] for each in lines}, "the earlier ones are kept as history"


async def test_of_two_submissions_at_once_exactly_one_counts(desk: Desk, cycle: str) -> None:
    """SD-19."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    drafts = [await desk.draft(me, cycle, ticket) for _ in range(4)]
    answers = await asyncio.gather(*(desk.submit(me, each) for each in drafts))
    assert [answer.status_code for answer in answers] == [200] * 4
    states = sorted([await desk.state(me, each) for each in drafts])
    assert states == ["已提交", *["被后一次提交取代"] * 3]


async def test_a_ticket_belongs_to_whoever_handed_in_with_it_first(desk: Desk, cycle: str) -> None:
    """SD-46."""
    mine, other, ticket = await desk.office.somebody(), await desk.office.somebody(), desk.ticket()
    await desk.submitted(mine, cycle, ticket)
    theirs = await desk.draft(other, cycle, ticket)
    assert await desk.faults(other, theirs) == {"candidate": "exemption.ticket_of_another_account"}


async def test_a_ticket_is_nobodys_once_nothing_that_was_handed_in_with_it_counts(desk: Desk, cycle: str) -> None:
    """SD-46: whoever took it by mistake does not keep it from its owner for ever."""
    stranger, owner, ticket = await desk.office.somebody(), await desk.office.somebody(), desk.ticket()
    taken = await desk.submitted(stranger, cycle, ticket)
    mine = await desk.draft(owner, cycle, ticket)
    assert await desk.faults(owner, mine) == {"candidate": "exemption.ticket_of_another_account"}
    assert (await desk.decide("refuse", taken)).status_code == 200
    assert await desk.faults(owner, mine) == {}
    again = await desk.draft(stranger, cycle, ticket)
    assert await desk.faults(stranger, again) == {"candidate": "exemption.ticket_of_another_account"}


async def test_a_ticket_that_identity_knows_is_for_that_account_only_and_the_account_for_that_ticket(
    desk: Desk, cycle: str
) -> None:
    """SD-46."""
    owner, stranger, ticket = await desk.office.somebody(), await desk.office.somebody(), desk.ticket()
    await desk.office.tell(FollowAccount(person=owner.id, ticket_number=ticket))
    theirs = await desk.draft(stranger, cycle, ticket)
    assert await desk.faults(stranger, theirs) == {"candidate": "exemption.ticket_of_another_account"}
    wrong = await desk.draft(owner, cycle, desk.ticket())
    assert await desk.faults(owner, wrong) == {"ticket_number": "exemption.not_the_account_holder"}
    spaced = await desk.draft(owner, cycle, f" {ticket[:4]} {ticket[4:]}")
    assert await desk.faults(owner, spaced) == {}


async def test_who_was_refused_is_told_why_and_may_hand_in_again_in_time(desk: Desk, cycle: str) -> None:
    """SD-39."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    first = await desk.submitted(me, cycle, ticket)
    assert (await desk.decide("refuse", first)).status_code == 200
    refused = await desk.shown(me, first)
    assert refused["state"]["title"] == "审核不通过"
    said = next(deed for deed in refused["history"] if deed["deed"] == "refused")
    assert (said["reason"], said["note"]) == (
        "不符合《山东省高等教育自学考试课程免考实施细则（修订）》规定",
        "证书与课程不对应",
    )
    second = await desk.submitted(me, cycle, ticket)
    assert (await desk.state(me, first), await desk.state(me, second)) == ("审核不通过", "已提交")


@pytest.mark.parametrize(
    ("how", "changes", "fault"),
    [
        ("pass", {"checklist": {"graduating": True}}, "exemption.checklist_incomplete"),
        ("refuse", {"reason_code": "bad_mood"}, "exemption.no_such_reason"),
        ("refuse", {"stage": "复核"}, "exemption.stage_not_open"),
        ("revoke", {}, "exemption.not_granted"),
    ],
)
async def test_a_reviewer_decides_as_the_book_says_or_not_at_all(
    desk: Desk, cycle: str, how: str, changes: dict[str, Any], fault: str
) -> None:
    me = await desk.office.somebody()
    application = await desk.submitted(me, cycle, desk.ticket())
    refused = await desk.decide(how, application, **changes)
    assert code(refused, refused.status_code) == fault
    assert await desk.state(me, application) == "已提交"


async def test_at_graduation_an_approved_exemption_may_be_taken_back(desk: Desk, cycle: str) -> None:
    """SD-42."""
    me = await desk.office.somebody()
    application = await desk.submitted(me, cycle, desk.ticket())
    assert (await desk.decide("pass", application)).status_code == 200
    desk.at(shanghai(25, 10))
    assert (await desk.decide("revoke", application)).status_code == 200
    assert await desk.state(me, application) == "免考已撤销"


async def test_the_read_models_are_rebuilt_from_the_events_without_a_difference(desk: Desk) -> None:
    service = desk.office.web.service
    async with service.reading() as connection:
        found = await compare(connection, service.definition, service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
    assert {table.name for table in found.tables if table.rebuilt} >= {"applications", "cycles", "uploads"}
