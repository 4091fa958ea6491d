"""学历成果认证 of Hubei whole: from the guard of prior education to the decision, over HTTP with the real book.

The book itself is in tests/contracts/test_hb_book.py; how a record of prior education takes effect, in
tests/services/identity/test_education_whole.py.
"""

from typing import Any

import pytest

from services.exemption.domain.commands import FollowEducation, ReviveApplication
from shared.testing.pictures import SkillCertificate, certificate, paper_alone
from tests.services.exemption.hb_office import (
    ADMINISTRATION,
    ANNEX,
    CLERK,
    PHARMACY,
    SCORES,
    Hall,
    by_diploma,
    course,
    faults,
    ticked,
)
from tests.services.exemption.office import code

pytestmark = pytest.mark.servers


def outcomes(verdict: dict[str, Any], outcome: str) -> dict[str, str]:
    return {each["about"]: each["code"] for each in verdict["findings"] if each["outcome"] == outcome}


# --- the way it should go


async def test_a_candidate_with_a_diploma_in_effect_goes_from_the_list_of_courses_to_the_decision(hall: Hall) -> None:
    """HB-08 to HB-18, HB-22, HB-24, HB-28, HB-30 to HB-32."""
    who, record = await hall.candidate()
    courses = [course("03708", "中国近代史纲要"), *ticked("03709", "00015")]
    application = await hall.drafted(who, by_diploma(record, courses))
    verdict = await hall.verdict(who, application)
    assert verdict["would_be_accepted"], verdict
    assert outcomes(verdict, "warn") == {}
    assert (await hall.submit(who, application)).status_code == 200
    mine = await hall.shown(who, application)
    assert mine["state"]["title"] == "已提交"
    assert mine["course_codes"] == ["03708", "03709", "00015"]
    (claim,) = mine["claims"]
    assert [(each["code"], each["name"]) for each in claim["courses"]] == [
        ("03708", "中国近现代史纲要"),
        ("03709", "马克思主义基本原理概论"),
        ("00015", "英语(二)"),
    ]
    assert claim["courses"][2]["form"] == SCORES
    assert (await hall.passed(application)).status_code == 200
    done = await hall.shown(who, application)
    assert (done["state"]["title"], done["course_codes"]) == ("已认证", ["03708", "03709", "00015"])


async def test_sent_back_it_is_put_right_and_handed_in_again_with_all_that_was_typed(hall: Hall) -> None:
    """HB-07, HB-22: not edited once it was handed in, unless it comes back."""
    who, record = await hall.candidate()
    application = await hall.drafted(who, by_diploma(record, ticked("03708", "03709")))
    assert (await hall.submit(who, application)).status_code == 200
    typed = {"form": hall.form(who), "photos": {}, "claims": [], "majors": []}
    locked = await hall.office.me(who, "put", f"/v1/applications/{application}/draft", json=typed)
    assert code(locked, 409) == "exemption.already_submitted"
    assert code(await hall.returned(application, "ncre_one_wrong"), 422) == "exemption.no_such_document"
    assert (await hall.returned(application, "courses_wrong")).status_code == 200
    back = await hall.shown(who, application)
    assert (back["state"]["title"], back["returned"]["reason"]) == ("退回补正", "所选课程与一览表不符")
    assert [each["code"] for each in back["claims"][0]["courses"]] == ["03708", "03709"]
    await hall.saved(who, application, by_diploma(record, ticked(*ANNEX)))
    assert (await hall.submit(who, application)).status_code == 200
    assert (await hall.passed(application)).status_code == 200


async def test_both_routes_may_be_used_in_one_round_each_handed_in_by_itself(hall: Hall) -> None:
    """HB-19, HB-34."""
    who, record = await hall.candidate()
    one = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
    other = await hall.certified(who, "ncre_one", ["00018", "00019"], PHARMACY)
    for application in (one, other):
        assert (await hall.submit(who, application)).status_code == 200
    assert (await hall.shown(who, other))["course_codes"] == ["00018", "00019"]
    both = await hall.drafted(who, by_diploma(record, ticked("03708")), by_diploma(record, ticked("03709")))
    assert outcomes(await hall.verdict(who, both), "refuse")["claims"] == "exemption.too_many"


# --- the guard: 生效


async def test_nothing_is_handed_in_before_the_diploma_is_in_effect_and_nothing_typed_is_lost(hall: Hall) -> None:
    """HB-08, HB-38: typed, handed in and not yet confirmed, then confirmed after the first deadline."""
    who = await hall.office.somebody()
    application = await hall.drafted(who, by_diploma("record-of-mine", ticked(*ANNEX)))
    verdict = await hall.verdict(who, application)
    assert not verdict["would_be_accepted"]
    (guard,) = [each for each in verdict["findings"] if each["rule"] == "prior_education_must_be_there"]
    assert (guard["outcome"], guard["code"]) == ("refuse", "exemption.prior_education_not_there")
    assert "“学信网验反馈信息”状态为“生效”后" in guard["zh"]
    assert "HB-08" in guard["clause"]
    for standing in ("submitted", "not_effective"):
        await hall.education(who, standing, record="record-of-mine")
        assert faults(await hall.submit(who, application))["candidate"] == "exemption.prior_education_not_there"
    kept = await hall.shown(who, application)
    assert kept["claims"][0]["courses"][2]["form"] == SCORES
    hall.at(2018, 4, 20, 9)
    await hall.education(who, "effective", record="record-of-mine")
    assert (await hall.submit(who, application)).status_code == 200


@pytest.mark.parametrize("category", ["adult", "self_taught", "online"])
async def test_a_diploma_that_is_not_of_ordinary_higher_education_opens_nothing(hall: Hall, category: str) -> None:
    """HB-31."""
    who, record = await hall.candidate(category=category)
    application = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
    found = faults(await hall.submit(who, application))
    assert found["candidate"] == "exemption.prior_education_not_there"
    assert found["claims[0].record"] == "exemption.not_on_the_list"


async def test_only_ones_own_effective_record_can_be_chosen(hall: Hall) -> None:
    """HB-10."""
    who, _ = await hall.candidate()
    _, of_another = await hall.candidate()
    waiting = await hall.education(who, "submitted")
    for record in (of_another, waiting, "no-such-record", ""):
        application = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
        assert set(faults(await hall.submit(who, application))) == {"claims[0].record"}


async def test_the_other_route_waits_for_the_diploma_too(hall: Hall) -> None:
    """HB-37, by assumption."""
    who = await hall.office.somebody()
    application = await hall.certified(who, "cet", ["00015"], PHARMACY, level="4")
    assert code(await hall.submit(who, application), 409) == "exemption.prior_education_not_there"
    await hall.education(who)
    assert (await hall.submit(who, application)).status_code == 200


async def test_the_clerk_reads_the_diploma_and_not_only_which_record_was_chosen(hall: Hall) -> None:
    """HB-10, HB-38: what the decision rests on, as CHSI confirmed it and as identity last told of it."""
    who, record = await hall.candidate(graduated_on="2017-06-30", certificate_number="105241201806000001")
    application = await hall.drafted(who, by_diploma(record, ticked("03708", "00015")))
    assert (await hall.submit(who, application)).status_code == 200
    answer = await hall.office.staff("get", f"/v1/applications/{application}", CLERK)
    (claim,) = answer.json()["claims_worded"]
    assert claim["basis"] == "1、学历证书课程学习成果认证"
    assert {each["label"]: each["value"] for each in claim["told"]} == {
        "毕业院校": "样例学院",
        "所学专业": "园林",
        "学历层次": "大学专科毕业",
        "毕业证书编号": "105241201806000001",
        "毕业日期": "2017-06-30",
        "前置学历状态": "生效",
    }
    assert claim["courses"][1]["told"] == [
        {"label": "已学课程名称", "value": "大学英语"},
        {"label": "大学英语三个学期的成绩", "value": "60;65;70"},
    ]


async def test_a_diploma_that_is_no_longer_in_effect_cannot_be_passed(hall: Hall) -> None:
    """HB-38: CHSI contradicted itself, and a clerk let the second answer count."""
    who, record = await hall.candidate()
    application = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
    assert (await hall.submit(who, application)).status_code == 200
    await hall.office.tell(FollowEducation(person=who.id, record=record, standing="not_effective"))
    assert code(await hall.passed(application), 409) == "exemption.prior_education_not_there"
    await hall.office.tell(FollowEducation(person=who.id, record=record, standing="effective"))
    assert (await hall.passed(application)).status_code == 200


async def test_the_number_on_a_photographed_certificate_is_read_and_compared_with_what_was_typed(hall: Hall) -> None:
    """HB-36: a hint to the candidate at once and to the clerk later; it refuses nothing."""
    paper = SkillCertificate()
    who = await hall.office.somebody(paper.name)
    await hall.education(who)
    application = await hall.certified(who, "ncre_one", ["00018", "00019"], PHARMACY, certificate_number=paper.number)
    sent = await hall.office.me(
        who,
        "post",
        "/v1/uploads",
        data={"application": application, "slot": "ncre_one.scan"},
        files={"file": ("证书.jpg", paper_alone(certificate(paper)), "image/jpeg")},
    )
    assert sent.status_code == 201, sent.text
    verdicts = {each["field"]: each["verdict"] for each in sent.json()["agreement"]}
    assert verdicts == {"name": "agrees", "claims[0].certificate_number": "agrees"}
    typed = {"certificate_number": paper.number[:-1] + "7", "obtained_on": "2016-03-26"}
    claim = {"basis": "ncre_one", "form": typed, "photos": {"scan": sent.json()["id"]}, "courses": ticked("00018")}
    await hall.saved(who, application, claim)
    assert (await hall.submit(who, application)).status_code == 200
    read = (await hall.office.staff("get", f"/v1/applications/{application}", CLERK)).json()
    (photo,) = read["photos"]
    (number,) = [each for each in photo["agreement"] if each["field"] == "claims[0].certificate_number"]
    assert (number["verdict"], number["differences"]) == ("differs", [{"position": 19, "typed": "7", "read": "4"}])


# --- what is offered, and the list it is compared with


async def test_what_is_offered_follows_the_major_of_the_diploma(hall: Hall) -> None:
    """HB-10, HB-11, HB-12."""
    chinese = course("04729", learned="大学语文", score="78")
    gardener, his = await hall.candidate("园林")
    application = await hall.drafted(gardener, by_diploma(his, [*ticked(*ANNEX), chinese]), own_major=ADMINISTRATION)
    assert outcomes(await hall.verdict(gardener, application), "warn") == {}
    assert (await hall.submit(gardener, application)).status_code == 200
    pharmacist, hers = await hall.candidate("药学")
    application = await hall.drafted(pharmacist, by_diploma(hers, [*ticked(*ANNEX), chinese]))
    assert faults(await hall.submit(pharmacist, application)) == {
        "claims[0].courses[3].code": "exemption.course_not_offered"
    }


async def test_what_may_be_claimed_is_listed_by_diploma_and_own_major_with_what_each_course_asks(hall: Hall) -> None:
    """HB-11, HB-13, HB-16, HB-19, HB-20, HB-32."""
    who, garden = await hall.candidate("园林")
    medicine = await hall.education(who, major="药学")
    await hall.education(who, "submitted")
    application = await hall.drafted(who, own_major=PHARMACY)
    items = (await hall.office.me(who, "get", f"/v1/applications/{application}/offers")).json()["items"]
    listed = {(each["basis"], each["record"]): [course["code"] for course in each["courses"]] for each in items}
    assert listed == {
        ("diploma", garden): ["00015", "03708", "03709", "04729"],
        ("diploma", medicine): ["00015", "03708", "03709"],
        ("ncre_one", None): ["00018", "00019"],
        ("ncre_two", None): ["00018", "00019"],
        ("cet", None): ["00015"],
    }
    by_record = next(each for each in items if each["record"] == garden)
    asked = {each["code"]: [field["label"] for field in each["fields"]] for each in by_record["courses"]}
    assert asked["03708"] == asked["03709"] == []
    assert asked["00015"] == ["已学课程名称", "大学英语三个学期的成绩"]
    assert (by_record["major"], by_record["expected"]) == ("园林", ["03708", "03709", "00015"])
    assert any("须分别参加计算机基础（00018）" in hint for hint in by_record["hints"])
    other = (await hall.office.me(await hall.office.somebody(), "get", f"/v1/applications/{application}/offers")).json()
    assert other["code"] == "access.not_found"


@pytest.mark.parametrize(
    ("own", "codes", "warned"),
    [
        (PHARMACY, ANNEX, None),
        (PHARMACY, ("03708", "03709"), "exemption.fewer_than_expected"),
        (PHARMACY, (*ANNEX, "04729"), "exemption.more_than_expected"),
        (ADMINISTRATION, ANNEX, "exemption.fewer_than_expected"),
    ],
)
async def test_fewer_or_more_courses_than_the_list_has_are_a_warning_and_no_refusal(
    hall: Hall, own: str, codes: tuple[str, ...], warned: str | None
) -> None:
    """HB-13, HB-15, HB-30: 不要多选，更不要少选."""
    who, record = await hall.candidate()
    courses = [
        each if each["code"] != "04729" else course("04729", learned="大学语文", score="78") for each in ticked(*codes)
    ]
    application = await hall.drafted(who, by_diploma(record, courses), own_major=own)
    verdict = await hall.verdict(who, application)
    assert verdict["would_be_accepted"]
    assert list(outcomes(verdict, "warn").values()) == ([warned] if warned else [])
    assert (await hall.submit(who, application)).status_code == 200
    assert (await hall.shown(who, application))["warnings"] == ([warned] if warned else [])


# --- the deadlines


async def test_the_last_day_of_september_counts_to_its_end_and_nothing_is_taken_after_it(hall: Hall) -> None:
    """HB-23: 平台申报端口关闭后本次将无法补申请."""
    who, record = await hall.candidate()
    one, other = [await hall.drafted(who, by_diploma(record, ticked(*ANNEX))) for _ in range(2)]
    hall.at(2018, 10, 1)
    late = await hall.submit(who, other)
    assert code(late, 409) == "exemption.window_closed"
    assert not (await hall.verdict(who, other))["would_be_accepted"]
    assert (await hall.shown(who, other))["claims"][0]["courses"][2]["form"] == SCORES
    hall.at(2018, 9, 30, 23, 59, 59)
    assert (await hall.submit(who, one)).status_code == 200


async def test_what_was_sent_back_at_the_end_can_still_be_put_right(hall: Hall) -> None:
    """The window for corrections is ours: otherwise whoever is sent back on the last day could do nothing."""
    who, record = await hall.candidate()
    application = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
    hall.at(2018, 9, 30, 20)
    assert (await hall.submit(who, application)).status_code == 200
    hall.at(2018, 10, 8, 9)
    assert (await hall.returned(application, "transcript_needed")).status_code == 200
    hall.at(2018, 10, 15, 20)
    assert (await hall.submit(who, application)).status_code == 200


async def test_what_is_sent_back_after_the_days_for_it_lapses_at_once_and_an_extension_gives_it_back(
    hall: Hall,
) -> None:
    """HB-07, HB-22: the clerk sees it beforehand, the candidate reads why, and nobody is left with a dead draft."""
    who, record = await hall.candidate()
    late = await hall.own_cycle(apply=("2018-03-01", "2018-09-30"), correct=("2018-03-01", "2018-10-15"))
    application = await late.drafted(who, by_diploma(record, ticked("03708")))
    assert (await late.submit(who, application)).status_code == 200
    path = f"/v1/applications/{application}"
    assert not (await hall.office.staff("get", path, CLERK)).json()["return_lapses"]
    hall.at(2018, 10, 16, 9)
    read = (await hall.office.staff("get", path, CLERK)).json()
    assert read["return_lapses"]
    assert "return" in read["actions"]
    assert (await hall.returned(application, "transcript_needed")).status_code == 200
    mine = await hall.shown(who, application)
    assert (mine["state"]["title"], mine["actions"]) == ("逾期未补正", [])
    assert mine["returned"]["reason"] == "请补交成绩单照片"
    assert [each["deed"] for each in mine["history"]][-2:] == ["returned", "lapsed"]
    assert code(await hall.submit(who, application), 409) == "exemption.ended"
    longer = {"purpose": "correct", "to_day": "2018-10-20", "reason": "补正时间顺延"}
    answer = await hall.office.staff("post", f"/v1/cycles/{late.cycle}/extend", CLERK, json=longer)
    assert answer.status_code == 200, answer.text
    await hall.office.tell(ReviveApplication(application=application, purpose="correct"))
    assert (await hall.shown(who, application))["state"]["title"] == "退回补正"
    assert (await hall.submit(who, application)).status_code == 200
    assert (await hall.passed(application)).status_code == 200


async def test_what_is_sent_back_in_a_cycle_that_was_closed_lapses_at_once_too(hall: Hall) -> None:
    """Closing ends the days to put it right as well; what waits is still decided."""
    who, record = await hall.candidate()
    closed = await hall.own_cycle(apply=("2018-03-01", "2018-09-30"), correct=("2018-03-01", "2018-10-15"))
    application = await closed.drafted(who, by_diploma(record, ticked("03708")))
    assert (await closed.submit(who, application)).status_code == 200
    answer = await hall.office.staff("post", f"/v1/cycles/{closed.cycle}/close", CLERK, json={"reason": "提前结束"})
    assert answer.status_code == 200, answer.text
    assert (await hall.office.staff("get", f"/v1/applications/{application}", CLERK)).json()["return_lapses"]
    assert (await hall.returned(application, "courses_wrong")).status_code == 200
    assert (await hall.shown(who, application))["state"]["title"] == "逾期未补正"


async def test_the_cycle_shows_both_deadlines_to_everybody(hall: Hall) -> None:
    """HB-03, HB-23, HB-24."""
    listed = (await hall.office.web.client.get("/v1/cycles?scheme=hb/recognition@1")).json()["items"]
    (cycle,) = [each for each in listed if each["id"] == hall.cycle]
    days = {each["purpose"]: (each["from_day"], each["to_day"]) for each in cycle["windows"]}
    assert (days["prior_education"], days["apply"]) == (("2018-03-01", "2018-03-23"), ("2018-03-01", "2018-09-30"))


async def test_only_the_office_of_the_province_decides(hall: Hall) -> None:
    who, record = await hall.candidate()
    application = await hall.drafted(who, by_diploma(record, ticked(*ANNEX)))
    assert (await hall.submit(who, application)).status_code == 200
    body = {"stage": "审核", "reason_code": "courses_wrong", "note": "样本"}
    for role in (
        ("authority_clerk", "authority"),
        ("university_admin", "hb-prov"),
        ("teaching_point_admin", "point-a"),
    ):
        answer = await hall.office.staff("post", f"/v1/applications/{application}/return", role, json=body)
        assert code(answer, 404) == "access.not_found"
    assert (await hall.passed(application)).status_code == 200
