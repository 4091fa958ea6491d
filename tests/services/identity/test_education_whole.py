"""Prior education over HTTP, with a database and CHSI's stand-in: what candidates meet, and what CHSI may say."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from shared.events.identity import EducationAnswered, PriorEducationConfirmed, PriorEducationStarted
from shared.kernel.time import SHANGHAI
from tests.services.identity.schooling import (
    FOUND,
    NOT_FOUND,
    ON_RECORD,
    World,
    contradicted,
    extend,
    form,
    number,
    open_cycle,
)

pytestmark = pytest.mark.servers

# --- the way it should go


async def test_a_record_is_typed_handed_in_checked_and_takes_effect(w: World) -> None:
    """HB-03 to HB-08, HB-33."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    asked = (await w.ask(me, "get", f"/prior-education-cycles/{cycle}")).json()
    assert asked["start_action"] == "学历证书申请"
    assert asked["commitment"]["agree"] == "我已阅读，并同意所有条款"
    assert asked["window"]["open"]
    assert [entry["title"] for entry in asked["lists"]["levels"]] == ["专科", "本科"]
    record = await w.drafted(me, cycle, form(number()))
    draft = await w.shown(me, record)
    assert (draft["state"], draft["title"], draft["editable"]) == ("draft", "保存", True)
    assert draft["form"]["school"] == "样例学院"
    assert (await w.ask(me, "post", f"/prior-educations/{record}/submit")).status_code == 200
    assert (await w.shown(me, record))["title"] == "提交"
    await w.due(record)
    checking = await w.shown(me, record)
    assert (checking["title"], checking["editable"]) == ("学信网验", False)
    (request,) = await w.requests(record)
    assert (await w.call(request, FOUND)).status_code == 200
    (line,) = (await w.ask(me, "get", "/prior-educations")).json()["items"]
    assert (line["title"], line["feedback"]) == ("生效", "学信网核验通过，前置学历管理已完成。")
    assert await w.next_timer(record) is None
    assert await w.kinds(record) == [
        "PriorEducationStarted",
        "EducationDraftSaved",
        "PriorEducationSubmitted",
        "EducationCheckAttempted",
        "EducationCheckAccepted",
        "EducationAnswered",
        "PriorEducationConfirmed",
    ]


async def test_the_fact_that_others_follow_says_level_and_category_and_seals_the_rest(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    await w.run_on(record)
    fact = (await w.history(record))[-1]
    assert isinstance(fact.event, PriorEducationConfirmed)
    assert (fact.event.candidate, fact.event.cycle, fact.event.level) == (me, cycle, "31")
    assert (fact.event.category, fact.event.major, fact.meta.case) == ("ordinary", "园林", record)
    stored = await w.service.pool.fetchval(
        "select string_agg(body::text, '') from events where stream = $1", f"education-{record}"
    )
    assert "园林" not in stored
    assert "样例学院" not in stored


async def test_the_letter_is_kept_with_its_version_and_time(w: World) -> None:
    """HB-05."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    for ticked, code in ((None, "identity.commitment_missing"), (7, "identity.commitment_outdated")):
        answer = await w.ask(me, "post", "/prior-educations", {"cycle": cycle, "commitment": ticked})
        assert answer.json()["code"] == code
    record = await w.started(me, cycle)
    first = (await w.history(record))[0].event
    assert isinstance(first, PriorEducationStarted)
    assert (first.commitment, first.agreed_at) == (1, w.now)
    assert "HB-05" in first.clause


async def test_one_account_may_have_several_records(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    for _ in range(3):
        await w.started(me, cycle)
    first = (await w.ask(me, "get", "/prior-educations?limit=2")).json()
    rest = (await w.ask(me, "get", f"/prior-educations?limit=2&after={first['next']}")).json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (2, 1, None)


# --- what is typed


async def test_every_fault_is_told_at_once_by_field_and_nothing_typed_is_lost(w: World) -> None:
    """HB-06."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    wrong = form("编号？编号？", "𠮷田样木", school="", level="61", category="其他", graduated_on="0000-00")
    record = await w.drafted(me, cycle, wrong)
    answer = (await w.ask(me, "post", f"/prior-educations/{record}/submit")).json()
    assert answer["code"] == "identity.form_wrong"
    assert {fault["field"]: fault["code"] for fault in answer["facts"]["faults"]} == {
        "holder": "identity.holder_is_somebody_else",
        "certificate_number": "identity.does_not_fit_the_pattern",
        "school": "identity.field_missing",
        "level": "identity.not_on_the_list",
        "category": "identity.not_on_the_list",
        "graduated_on": "identity.not_a_date",
    }
    assert "木" not in str(answer)
    assert (await w.shown(me, record))["form"] == wrong


async def test_what_was_handed_in_is_not_edited_until_it_comes_back(w: World) -> None:
    """HB-07."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    for method, path, body in (("put", "", {"form": form()}), ("post", "/submit", None)):
        answer = await w.ask(me, method, f"/prior-educations/{record}{path}", body)
        assert answer.json()["code"] == "identity.education_submitted"
    await w.run_on(record)
    answer = await w.ask(me, "put", f"/prior-educations/{record}", {"form": form()})
    assert answer.json()["code"] == "identity.education_in_effect"


async def test_somebody_elses_record_looks_like_none(w: World) -> None:
    me, other, cycle = await w.somebody(), await w.somebody(), await open_cycle(w.service)
    record = await w.drafted(me, cycle, form(number()))
    for asked in (record, "no-such-record"):
        answers = [
            await w.ask(other, "get", f"/prior-educations/{asked}"),
            await w.ask(other, "put", f"/prior-educations/{asked}", {"form": form()}),
            await w.ask(other, "post", f"/prior-educations/{asked}/submit"),
            await w.ask(other, "post", f"/prior-educations/{asked}/take-back"),
        ]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(404, "access.not_found")}


async def test_of_two_windows_of_a_browser_the_later_save_is_told_that_the_record_changed(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.drafted(me, cycle, form(number()))
    seen = {"If-Match": f'"{(await w.shown(me, record))["version"]}"'}
    assert (await w.ask(me, "put", f"/prior-educations/{record}", {"form": form()}, **seen)).status_code == 200
    late = await w.ask(me, "put", f"/prior-educations/{record}", {"form": {}}, **seen)
    assert late.json()["code"] == "request.changed_meanwhile"


# --- the deadline


async def test_the_day_of_the_deadline_counts_and_the_midnight_after_it_does_not(w: World) -> None:
    """HB-03: 截止时间为3月23日."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    records = [await w.drafted(me, cycle, form(number())) for _ in range(2)]
    w.move_to(datetime(2026, 3, 23, 23, 59, 59, 999_999, tzinfo=SHANGHAI).astimezone(UTC))
    assert (await w.ask(me, "post", f"/prior-educations/{records[0]}/submit")).status_code == 200
    w.move(microseconds=1)
    late = await w.ask(me, "post", f"/prior-educations/{records[1]}/submit")
    assert (late.status_code, late.json()["code"]) == (409, "identity.window_closed")
    assert "2026-03-24 00:00:00" in str(late.json())
    await extend(w.service, cycle, date(2026, 3, 25))
    assert (await w.ask(me, "post", f"/prior-educations/{records[1]}/submit")).status_code == 200


async def test_before_the_window_and_without_a_cycle_or_such_a_window_nothing_begins(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    elsewhere = await open_cycle(w.service, scheme="swust/1x@1")
    w.move_to(datetime(2026, 2, 28, 15, 59, 59, tzinfo=UTC))
    for asked, code in (
        (cycle, "identity.window_not_open_yet"),
        (elsewhere, "identity.no_prior_education"),
        ("nothing", "identity.no_such_cycle"),
    ):
        answer = await w.ask(me, "post", "/prior-educations", {"cycle": asked, "commitment": 1})
        assert answer.json()["code"] == code


async def test_handed_in_in_time_it_may_take_effect_and_be_corrected_after_the_deadline(w: World) -> None:
    """HB-38."""
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"answer": "unknown", "after_seconds": 40 * 86_400.0}})
    record = await w.submitted(me, cycle, form(mine))
    await w.due(record)
    w.move(days=30)
    (request,) = await w.requests(record)
    assert (await w.call(request, NOT_FOUND)).status_code == 200
    assert (await w.shown(me, record))["title"] == "未生效"
    await w.sandbox.behaves()
    assert (await w.ask(me, "put", f"/prior-educations/{record}", {"form": form(mine)})).status_code == 200
    assert (await w.ask(me, "post", f"/prior-educations/{record}/submit")).status_code == 200
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"


# --- what CHSI says


async def test_a_name_that_differs_by_one_character_is_shown_and_can_be_corrected(w: World) -> None:
    """F-15."""
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"on_record": {"holder": "𠮷田样木"}}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    shown = await w.shown(me, record)
    assert (shown["title"], shown["reason"], shown["editable"]) == ("未生效", "name_differs", True)
    assert "更正" in shown["what_to_do"]
    (difference,) = shown["differences"]
    assert (difference["field"], difference["label"]) == ("holder", "证书所载姓名")
    assert difference["positions"] == [4]
    assert "木" not in str(shown)
    await w.sandbox.behaves()  # the record at CHSI was corrected
    assert (await w.ask(me, "post", f"/prior-educations/{record}/submit")).status_code == 200
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"


@pytest.mark.parametrize(
    ("behaviour", "reason"),
    [
        ({"answer": "unknown"}, "not_found"),
        ({"answer": "no"}, "invalid"),
        ({"on_record": {"level": "21"}}, "details_differ"),
        ({"on_record": {"level": "21", "holder": "𠮷田样木"}}, "details_differ"),
        ({"on_record": {"level": "21", "holder": "样本乙"}}, "name_differs"),
    ],
)
async def test_what_does_not_take_effect_has_a_reason_of_its_own(
    w: World, behaviour: dict[str, Any], reason: str
) -> None:
    """HB-08; F-17."""
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: behaviour})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    shown = await w.shown(me, record)
    assert (shown["state"], shown["reason"]) == ("not_effective", reason)
    assert shown["what_to_do"]


async def test_the_same_answer_twice_is_one_fact(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    await w.due(record)
    (request,) = await w.requests(record)
    answers = [await w.call(request, FOUND) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    await w.call(request, {**FOUND, "on_record": dict(reversed(ON_RECORD.items())), "remark": "once more"})
    assert (await w.kinds(record)).count("EducationAnswered") == 1


@pytest.mark.parametrize(("first", "then", "title"), [(FOUND, NOT_FOUND, "生效"), (NOT_FOUND, FOUND, "未生效")])
async def test_a_second_answer_that_contradicts_is_kept_for_a_clerk_and_changes_nothing(
    w: World, first: dict[str, Any], then: dict[str, Any], title: str
) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    await w.due(record)
    (request,) = await w.requests(record)
    for said in (first, then, then, first):
        assert (await w.call(request, said)).status_code == 200
    assert (await w.shown(me, record))["title"] == title
    assert (await w.row(record))["flagged"]
    kept = [f.event for f in await w.history(record) if isinstance(f.event, EducationAnswered)]
    assert [(each.standing, each.answer["result"]) for each in kept] == [
        ("decides", first["result"]),
        ("contradicts", then["result"]),
    ]


CLERK = ("authority_clerk", "hb-prov")


async def test_a_clerk_sees_what_chsi_said_both_times_and_says_which_counts(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    await w.due(record)
    (request,) = await w.requests(record)
    for said in (FOUND, {**FOUND, "on_record": {**ON_RECORD, "major": "园艺"}}):
        assert (await w.call(request, said)).status_code == 200
    case = await w.disputed(record, CLERK)
    assert (case["title"], case["form"]["major"], case["action"]) == ("生效", "园林", "核定学信网反馈")
    assert [(each["number"], each["result"]) for each in case["answers"]] == [(1, "found"), (2, "found")]
    assert case["answers"][0]["differences"] == []
    (differs,) = case["answers"][1]["differences"]
    assert (differs["label"], differs["read"], differs["changes"][0]["position"]) == ("专业", "园艺", 1)
    settlement: dict[str, Any] = {
        "request": request,
        "seen": 2,
        "counts": 2,
        "note": "样本：电话核实，以第二次反馈为准",
    }
    for changed, code in (({"seen": 1}, "identity.answered_again"), ({"note": " "}, "request.text_length")):
        assert (await w.settled(record, CLERK, {**settlement, **changed})).json()["code"] == code
    assert (await w.settled(record, CLERK, settlement)).status_code == 200
    mine = await w.shown(me, record)
    assert (mine["state"], mine["reason"], mine["editable"]) == ("not_effective", "details_differ", True)
    assert (await w.kinds(record))[-2:] == ["EducationContradictionSettled", "PriorEducationNotConfirmed"]
    assert (await w.settled(record, CLERK, settlement)).json()["code"] == "identity.nothing_to_settle"
    assert not (await w.row(record))["flagged"]
    stored = await w.service.pool.fetchval(
        "select string_agg(body::text, '') from events where stream = $1", f"education-{record}"
    )
    assert "电话核实" not in stored


async def test_only_the_office_of_the_book_sees_where_chsi_contradicts_itself(w: World) -> None:
    record, _ = await contradicted(w.service, await w.somebody())
    assert await w.disputed(record, CLERK)
    for role in (("authority_clerk", "sx-prov"), ("university_admin", "hb-prov"), ("auditor", "*")):
        assert (await w.clerk("get", "/contradicted-educations", role)).json()["records"] == []
        answer = await w.clerk("get", f"/contradicted-educations/{record}", role)
        assert answer.json()["code"] == "access.not_allowed"


async def test_an_answer_to_what_was_asked_before_is_late_and_kept(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"answer": "unknown"}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    (request,) = await w.requests(record)
    assert (await w.ask(me, "post", f"/prior-educations/{record}/submit")).status_code == 200
    assert (await w.call(request, FOUND)).status_code == 200
    assert (await w.row(record))["state"] == "submitted"
    last = (await w.history(record))[-1].event
    assert isinstance(last, EducationAnswered)
    assert last.standing == "late"


async def test_what_was_never_answered_may_be_taken_back_and_its_late_answer_is_kept(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"answer": "never"}})
    record = await w.submitted(me, cycle, form(mine))
    await w.due(record)
    early = await w.ask(me, "post", f"/prior-educations/{record}/take-back")
    assert early.json()["code"] == "identity.education_cannot_be_taken_back"
    began = w.now
    await w.run_on(record)
    assert w.now - began >= timedelta(days=15)
    shown = await w.shown(me, record)
    assert (shown["state"], shown["can_be_taken_back"]) == ("unresolved", True)
    assert (await w.ask(me, "post", f"/prior-educations/{record}/take-back")).status_code == 200
    (request,) = await w.requests(record)
    assert (await w.call(request, FOUND)).status_code == 200
    assert (await w.shown(me, record))["title"] == "保存"
    last = (await w.history(record))[-1].event
    assert isinstance(last, EducationAnswered)
    assert last.standing == "late"


async def test_an_unresolved_record_takes_effect_by_an_answer_that_comes_after_all(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"answer": "never"}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    (request,) = await w.requests(record)
    assert (await w.call(request, FOUND)).status_code == 200
    assert (await w.shown(me, record))["title"] == "生效"
