"""Shanxi's exemption from the first draft to the result, over HTTP with its real book. Persons are invented."""

from typing import Any

import httpx
import pypdfium2
import pytest

from services.exemption.domain.commands import FollowVerification
from services.exemption.main import SERVICE
from shared.kernel.time import SHANGHAI
from shared.runtime.replay import compare
from shared.testing.pictures import id_front, paper_alone
from tests.services.exemption.office import code
from tests.services.exemption.sx_office import (
    CENTRE,
    CHECKED,
    CLOSING,
    LAW,
    OTHER_POINT,
    POINT,
    RESULTS_IN,
    Filled,
    Shanxi,
    at,
    course,
    faults,
    ncre,
)
from tests.shared.runtime.nodes import until

pytestmark = pytest.mark.servers


async def test_an_application_goes_from_draft_to_the_result_and_shows_it_only_when_the_query_opens(sx: Shanxi) -> None:
    """SX-E-20, 33, 34, 39, 48."""
    who = await sx.candidate()
    application = await sx.submitted(who)
    shown = await sx.shown(who, application)
    assert (shown["state"]["title"], shown["course_codes"]) == ("已提交", ["00018", "00019"])
    assert not {"save", "submit"} & set(shown["actions"])
    receipt = (await sx.office.me(who, "get", f"/v1/applications/{application}/receipt")).json()
    assert receipt["title"] == "山西省高等教育自学考试免考申请信息详情"
    assert [(item["course_code"], item["course"]) for item in receipt["items"]] == [
        ("00018", "计算机应用基础"),
        ("00019", "计算机应用基础(实践)"),
    ]
    assert {shown["form"][each] for each in ("name", "id_number")} == {who.holder, who.id_number}
    early = await sx.passed(application, CENTRE)
    assert code(early, 409) == "exemption.stage_not_begun"
    at(sx.office, 21)
    before = await sx.shown(who, application)
    assert (await sx.passed(application, POINT)).status_code in (403, 404)
    decided = await sx.passed(application, CENTRE)
    assert decided.status_code == 200, decided.text
    assert await sx.shown(who, application) == before  # nothing betrays the decision
    (line,) = (await sx.office.me(who, "get", "/v1/applications")).json()["items"]
    assert line["state"]["title"] == "已提交"
    assert await sx.tile("exemption_results") == (False, "未开放")
    at(sx.office, RESULTS_IN - 21 + 1)
    assert await sx.tile("exemption_results") == (True, "")
    assert (await sx.shown(who, application))["state"]["title"] == "审核通过"


async def test_the_printed_details_tell_what_was_typed_of_a_certificate_and_whom_to_call(sx: Shanxi) -> None:
    """SX-E-34, 48, 50."""
    who = await sx.candidate()
    path = f"/v1/applications/{await sx.submitted(who)}"
    items = (await sx.office.me(who, "get", f"{path}/receipt")).json()["items"]
    told = [(each["label"], each["value"]) for each in items[0]["told"]]
    assert {("证书编号", who.certificate_number), ("考试时间", "2019年03月")} <= set(told)
    pages = pypdfium2.PdfDocument((await sx.office.me(who, "get", f"{path}/receipt-document")).content)
    printed = "".join("".join(page.get_textpage().get_text_bounded().split()) for page in pages)
    for said in ("证书信息", who.certificate_number, "2019年03月", "样本sx-point-a", "0351-7000001"):
        assert said in printed, said


async def test_a_refusal_with_its_reason_is_hidden_until_the_query_opens_too(sx: Shanxi) -> None:
    who = await sx.candidate()
    application = await sx.submitted(who)
    at(sx.office, 21)
    body = {"stage": "审核", "reason_code": "data_differ", "note": "编号与照片不一致"}
    answer = await sx.office.staff("post", f"/v1/applications/{application}/refuse", CENTRE, json=body)
    assert answer.status_code == 200, answer.text
    hidden = await sx.shown(who, application)
    assert hidden["state"]["title"] == "已提交"
    assert "编号与照片不一致" not in str(hidden)
    at(sx.office, RESULTS_IN - 20)
    told = await sx.shown(who, application)
    assert told["state"]["title"] == "审核不通过"
    assert "编号与照片不一致" in str(told)


async def test_reapplication_is_unlocked_once_by_the_clerk_of_the_own_point_who_has_seen_both_papers(
    sx: Shanxi,
) -> None:
    """SX-E-19, 34 to 38, 49, 51."""
    who = await sx.candidate()
    application = await sx.submitted(who)
    assert code(await sx.unlock(application, OTHER_POINT), 404) == "access.not_found"
    half = await sx.unlock(application, seen={"id_card": True, "printed_details": False})
    assert half.status_code == 422
    locked = await sx.save(who, application, Filled({"exam_area": "另一县"}))
    assert code(locked, 409) == "exemption.already_submitted"
    assert (await sx.unlock(application)).status_code == 200
    returned = await sx.shown(who, application)
    assert returned["state"]["title"] == "被退回"
    assert (returned["returned"]["reason"], returned["returned"]["note"]) == ("个人免考材料选填有误", "证书编号填错")
    assert {"save", "submit"} <= set(returned["actions"])
    again = await sx.filled(who, application, confirmation_point="sx-point-b")
    assert (await sx.save(who, application, again)).status_code == 200
    assert "exemption.must_stay_as_it_was" in faults(await sx.submit(who, application)).values()
    again = await sx.filled(who, application)
    again.majors = [LAW, {"level": "专科", "code": "020203"}]
    assert (await sx.save(who, application, again)).status_code == 200
    assert (await sx.submit(who, application)).status_code == 200
    assert (await sx.shown(who, application))["submissions"] == 2
    assert code(await sx.unlock(application), 409) == "exemption.unlocked_often_enough"


async def test_what_was_unlocked_and_not_handed_in_again_lapses_with_the_window(sx: Shanxi) -> None:
    """SX-E-38."""
    who, late = await sx.candidate(), await sx.candidate()
    application, other = await sx.submitted(who), await sx.submitted(late)
    assert (await sx.unlock(application)).status_code == 200
    at(sx.office, 21)
    assert code(await sx.unlock(other), 409) == "exemption.window_closed"

    async def lapsed() -> bool:
        return bool((await sx.shown(who, application))["state"]["title"] == "已失效")

    await until(lapsed)
    assert code(await sx.submit(who, application), 409) == "exemption.ended"
    assert (await sx.shown(late, other))["state"]["title"] == "已提交"


async def test_who_is_not_verified_here_or_not_enrolled_is_told_which_and_the_draft_stays(sx: Shanxi) -> None:
    """SX-E-10, SX-E-17."""
    for who, wrong in (
        (await sx.candidate(verified=""), "exemption.person_not_verified"),
        (await sx.candidate(verified="elsewhere"), "exemption.person_not_verified"),
        (await sx.candidate(""), "exemption.not_enrolled"),
    ):
        application = await sx.started(who)
        assert (await sx.save(who, application, await sx.filled(who, application))).status_code == 200
        answer = await sx.submit(who, application)
        assert wrong in faults(answer).values(), answer.text
        assert len((await sx.shown(who, application))["claims"]) == 1
        verdict = await sx.office.me(who, "post", f"/v1/applications/{application}/verdict")
        found = {each["code"]: each["clause"] for each in verdict.json()["findings"] if each["outcome"] == "refuse"}
        assert verdict.json()["would_be_accepted"] is False
        assert "SX-E-1" in found[wrong]
        await sx.office.tell(FollowVerification(person=who.id, jurisdiction="sx", level="in_person"))
        if wrong == "exemption.person_not_verified":
            assert (await sx.submit(who, application)).status_code == 200


async def test_bad_choices_are_each_refused_by_name_and_nothing_entered_is_lost(sx: Shanxi) -> None:
    """SX-E-18, 23, 24, 40."""
    who = await sx.candidate()
    application = await sx.started(who)
    good = await sx.filled(who, application)
    paper, pair = good.claims[0]["photos"]["paper"], await sx.office.photograph(who, application, "ncre_two.paper")
    one = good.claims[0]
    second = ncre("NCRE200001", pair, "00018", basis="ncre_two", level="2")
    outside = ncre("NCRE200002", pair, "00051", basis="ncre_two", level="2")
    accounting, marketing = ({"level": "专科", "code": each} for each in ("020203", "020207"))
    cases: list[tuple[list[dict[str, Any]], list[dict[str, str]], str]] = [
        ([one], [LAW, LAW], "exemption.major_twice"),
        ([one], [LAW, accounting, marketing], "exemption.too_many"),
        ([one], [], "exemption.too_few"),
        ([one], [LAW, CLOSING], "exemption.major_is_closing"),
        ([one], [{"level": "专科", "code": "040112"}], "exemption.no_such_major"),
        ([], [LAW], "exemption.too_few"),
        ([one] * 5, [LAW], "exemption.too_many"),
        ([one, second], [LAW], "exemption.course_claimed_twice"),
        ([outside], [LAW], "exemption.course_outside_the_majors"),
        ([ncre("NCRE100009", paper, "13000")], [LAW], "exemption.course_not_offered"),
        ([ncre("NCRE200003", pair, "00018", basis="ncre_two", level="1")], [LAW], "exemption.level_too_low"),
        ([one | {"photos": {}}], [LAW], "exemption.missing"),
        ([one | {"courses": []}], [LAW], "exemption.no_courses"),
        ([one | {"form": one["form"] | {"taken_in": "2099年01月"}}], [LAW], "exemption.in_the_future"),
        ([one | {"form": one["form"] | {"taken_in": "0000-00"}}], [LAW], "exemption.not_a_month"),
        ([one | {"courses": [{"code": "00018", "name": "计算机"}]}], [LAW], "exemption.course_name_not_canonical"),
    ]
    for claims, majors, expected in cases:
        assert (await sx.save(who, application, Filled(good.form, claims, majors))).status_code == 200
        found = faults(await sx.submit(who, application))
        assert any(expected in each for each in found.values()), (expected, found)
        kept = await sx.shown(who, application)
        assert (len(kept["claims"]), len(kept["majors"])) == (len(claims), len(majors))
    assert (await sx.save(who, application, good)).status_code == 200
    assert (await sx.submit(who, application)).status_code == 200


async def test_the_first_page_asks_nine_data_and_four_of_them_must_be_the_accounts(sx: Shanxi) -> None:
    """SX-E-21."""
    who, other = await sx.candidate(), await sx.candidate("140100000002")
    application = await sx.started(who)
    good = await sx.filled(who, application)
    assert len(good.form) == 9
    assert (await sx.save(who, application, Filled({}, good.claims, good.majors))).status_code == 200
    found = faults(await sx.submit(who, application))
    must = {"confirmation_point", "name", "id_number", "ticket_number", "own_major", "mobile"}
    assert {each for each in good.form if found.get(each) == "exemption.missing"} == must
    for name, theirs in {
        "name": f"{other.holder}乙",
        "id_number": other.id_number,
        "ticket_number": f"140100000002{other.id[:6]}".upper(),
        "mobile": other.mobile,
    }.items():
        assert (await sx.save(who, application, await sx.filled(who, application, **{name: theirs}))).status_code == 200
        assert faults(await sx.submit(who, application)) == {name: "exemption.not_the_account_holder"}


async def test_each_certificate_asks_what_belongs_to_its_type_and_keeps_nothing_else(sx: Shanxi) -> None:
    """SX-E-27."""
    who = await sx.candidate()
    application = await sx.started(who)
    good = await sx.filled(who, application)
    asked = {
        "diploma": {"school", "graduated_on", "number", "paper"},
        "cet_four": {"level", "taken_in", "subject", "number", "paper"},
        "nit_systems": {"taken_in", "number_1", "paper_1"},
        "nit_pair": {"taken_in", "module", "number_1", "number_2", "paper_1", "paper_2"},
    }
    bare = [{"basis": basis, "form": {}, "photos": {}, "courses": []} for basis in asked]
    assert (await sx.save(who, application, Filled(good.form, bare, good.majors))).status_code == 200
    found = faults(await sx.submit(who, application))
    for place, names in enumerate(asked.values()):
        missing = {about for about, refusal in found.items() if refusal == "exemption.missing"}
        assert {each for each in missing if each.startswith(f"claims[{place}].")} == {
            f"claims[{place}].{name}" for name in names
        }
    foreign = bare[0] | {"form": {"subject": "english"}}
    refused = await sx.save(who, application, Filled(good.form, [foreign], good.majors))
    assert code(refused, 422) == "exemption.unknown_field"


async def test_whose_own_a_closing_major_is_the_candidate_says_and_the_reviewer_compares(sx: Shanxi) -> None:
    """SX-E-23: identity knows nobody's major, so it is an item that must be answered with yes."""
    who = await sx.candidate()
    application = await sx.started(who)
    said = await sx.filled(who, application, own_major="本科 040112")
    said.majors = [CLOSING]
    assert (await sx.save(who, application, said)).status_code == 200
    assert (await sx.submit(who, application)).status_code == 200
    at(sx.office, 21)
    body = {"stage": "审核", "checklist": CHECKED | {"own_major": False}, "opinion": ""}
    answer = await sx.office.staff("post", f"/v1/applications/{application}/pass", CENTRE, json=body)
    assert code(answer, 422) == "exemption.checklist_failed"
    assert answer.json()["facts"]["items"] == ["own_major"]


async def test_a_closing_major_is_for_those_whose_own_it_is(sx: Shanxi) -> None:
    """SX-E-23."""
    who = await sx.candidate()
    application = await sx.started(who)
    said = await sx.filled(who, application, own_major="本科 040112")
    said.majors = [CLOSING]
    assert (await sx.save(who, application, said)).status_code == 200
    answer = await sx.submit(who, application)
    assert answer.status_code == 200, answer.text


async def test_the_nit_pair_is_one_claim_with_two_numbers_and_two_photographs(sx: Shanxi) -> None:
    """SX-E-26."""
    who = await sx.candidate()
    application = await sx.started(who)
    said = await sx.filled(who, application)
    papers = {f"paper_{n}": await sx.office.photograph(who, application, f"nit_pair.paper_{n}") for n in (1, 2)}
    form = {"taken_in": "2018-05", "module": "电子表格", "number_1": "NIT00001", "number_2": "NIT00002"}
    claim = {"basis": "nit_pair", "form": form, "photos": papers, "courses": [course("00018")]}
    for missing in ("number_2", "module"):
        half = claim | {"form": {name: typed for name, typed in form.items() if name != missing}}
        assert (await sx.save(who, application, Filled(said.form, [half], said.majors))).status_code == 200
        assert faults(await sx.submit(who, application)) == {f"claims[0].{missing}": "exemption.missing"}
    assert (await sx.save(who, application, Filled(said.form, [claim], said.majors))).status_code == 200
    assert (await sx.submit(who, application)).status_code == 200


async def test_one_person_has_one_application_in_a_cycle(sx: Shanxi) -> None:
    """SX-E-19."""
    who = await sx.candidate()
    await sx.submitted(who)
    again = await sx.started(who)
    assert (await sx.save(who, again, await sx.filled(who, again))).status_code == 200
    found = set(faults(await sx.submit(who, again)).values())
    assert "exemption.already_submitted_in_this_cycle" in found


async def test_a_certificate_photograph_of_800_by_600_is_refused_with_what_was_measured(sx: Shanxi) -> None:
    """SX-E-29, SX-E-31."""
    who = await sx.candidate()
    application = await sx.started(who)

    async def upload(size: tuple[int, int]) -> httpx.Response:
        files = {"file": ("p.jpg", paper_alone(id_front(), size), "image/jpeg")}
        said = {"application": application, "slot": "ncre_one.paper"}
        return await sx.office.me(who, "post", "/v1/uploads", data=said, files=files)

    refused = await upload((800, 600))
    assert code(refused, 422) == "exemption.photo_refused"
    assert refused.json()["facts"]["failed"][0]["measured"] == [800, 600]
    taken = await upload((601, 801))
    assert taken.status_code == 201, taken.text
    seen = await sx.office.me(who, "get", f"/v1/uploads/{taken.json()['id']}/picture")
    assert (seen.status_code, seen.headers["content-type"]) == (200, "image/jpeg")


async def test_tiles_open_and_close_with_the_window_and_the_page_says_the_day(sx: Shanxi) -> None:
    """SX-E-14, 15, 16."""
    home = (await sx.office.web.client.get("/v1/home", params={"jurisdiction": "sx"})).json()
    assert (home["slogan"], home["back"]) == ("学习改变命运，自考成就梦想!", "系统首页")
    assert home["today"][:5] == f"{sx.office.clock.now.astimezone(SHANGHAI).year}年"
    assert [len(group["tiles"]) for group in home["groups"]] == [5, 8]
    assert await sx.tile("exemption") == (True, "")
    assert await sx.tile("transfer") == (False, "未开放")
    assert await sx.tile("notices") == (True, "")
    nowhere = await sx.office.web.client.get("/v1/home", params={"jurisdiction": "nowhere"})
    assert code(nowhere, 404) == "exemption.no_home"


async def test_the_confirmation_points_are_listed_with_their_telephones(sx: Shanxi) -> None:
    """SX-E-20, SX-E-50."""
    listed = (await sx.office.web.client.get(f"/v1/cycles/{sx.cycle}/organisations")).json()["items"]
    assert {each["id"]: each["phones"] for each in listed} == {"sx-point-a": ["0351-7000001"], "sx-point-b": []}


async def test_read_models_stay_as_a_rebuild_makes_them(sx: Shanxi) -> None:
    who = await sx.candidate()
    await sx.submitted(who)
    async with sx.office.web.service.pool.acquire() as connection:
        found = await compare(connection, SERVICE, sx.office.web.service.keyring)
    assert {table.name: table.samples for table in found.tables if table.differing} == {}
