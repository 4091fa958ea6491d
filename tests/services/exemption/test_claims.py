"""Claims: what may be claimed on what, how much of it, and every bad input with its coded answer."""

from dataclasses import replace
from typing import Any

import pytest

from services.exemption.domain.case import Case
from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.export import file_name
from services.exemption.domain.hand_in import judged
from services.exemption.domain.terms import Cap
from shared.events.exemption import ApplicationSubmitted, DraftSaved, StageOpened
from tests.services.exemption.claims_story import (
    ACCOUNT,
    CASE,
    DIPLOMA,
    GOOD,
    ISLE,
    LATER,
    NOON,
    RECORD,
    REEF,
    REEF_GOOD,
    START,
    SUBMIT,
    claim,
    codes,
    course,
    diploma,
    draft,
    knots,
    me,
    save,
    tide,
)


def test_a_good_application_is_taken_with_canonical_names_and_numbers() -> None:
    event, opened = draft(by=REEF).when(SUBMIT, me(by=REEF)).happened()
    assert isinstance(event, ApplicationSubmitted)
    assert isinstance(opened, StageOpened)
    assert event.course_codes == ("90003", "90001")
    assert event.bases == ("passed_before", "tide")
    assert event.number == "RF20260310-0001"
    assert event.organisations == {"harbour": "harbour"}
    assert event.claims[0]["courses"][0] == {"code": "90003", "name": "潮汐学", "form": {"obtained_in": "2019-03"}}
    assert {each["type"]: each["number"] for each in event.papers} == {"tide": "T-1"}


def test_the_pair_of_module_certificates_is_one_claim_with_two_numbers() -> None:
    """SX-E-26."""
    event, _ = draft(knots(course("90001"), course("90002"))).when(SUBMIT, me()).happened()
    assert isinstance(event, ApplicationSubmitted)
    assert [each["number"] for each in event.papers] == ["K-1", "K-2"]
    one = knots(course("90001"), course("90002"))
    del one["form"]["number_2"], one["photos"]["paper_2"]
    assert codes(draft(one)) == {"claims[0].number_2": "exemption.missing", "claims[0].paper_2": "exemption.missing"}
    assert codes(draft(knots(course("90001"), course("90002"), module="死结"))) == {
        "claims[0].module": "exemption.not_on_the_list"
    }


def test_an_open_list_of_modules_takes_what_is_typed() -> None:
    said = claim("knots_open", course("90002", "海图绘制(实践)"), photos=("paper_1", "paper_2"), module="新式绳结", number_1="1", number_2="2")  # noqa: E501  # fmt: skip
    event, _ = draft(said, by=REEF).when(SUBMIT, me(by=REEF)).happened()
    assert isinstance(event, ApplicationSubmitted)
    assert event.warnings == ("exemption.module_not_listed",)
    listed = {**said, "form": {**said["form"], "module": "双套结"}}
    event, _ = draft(listed, by=REEF).when(SUBMIT, me(by=REEF)).happened()
    assert isinstance(event, ApplicationSubmitted)
    assert event.warnings == ()


def test_all_courses_of_a_basis_are_claimed_together_where_the_book_says_so() -> None:
    assert codes(draft(knots(course("90001")))) == {"": "exemption.all_courses_needed"}


@pytest.mark.parametrize(
    ("claims", "more", "expected"),
    [
        ((*GOOD, *(tide(course("90002"), number=f"N-{n}") for n in range(3))), {}, "exemption.too_many"),  # a fifth one
        ((), {"majors": ("本科 990101", "本科 990102", "专科 990101")}, "exemption.too_many"),  # a third major
        ((), {"majors": ("本科 990101", "本科 990101")}, "exemption.major_twice"),
        ((), {"majors": ()}, "exemption.too_few"),
        ((), {"majors": ("专科 990102",)}, "exemption.no_such_major"),
        ((), {"majors": ("本科 990101", "专科 990103")}, "exemption.major_is_closing"),
        ((tide(course("90001")), knots(course("90001"), course("90002"))), {}, "exemption.course_claimed_twice"),
        ((tide(course("90001"), course("90001")),), {}, "exemption.course_claimed_twice"),
        ((tide(course("90003")),), {"majors": ("本科 990102",)}, "exemption.course_outside_the_majors"),
        ((tide(course("90004")),), {}, "exemption.course_not_offered"),
        ((tide(),), {}, "exemption.no_courses"),
        ((tide(course("99999")),), {}, "exemption.no_such_course"),
        ((tide(course("9")),), {}, "exemption.course_code_malformed"),
        ((tide(course("90001", "潮汐学")),), {}, "exemption.course_code_and_name_disagree"),
        ((tide(course("90001", "绘海图")),), {}, "exemption.course_name_not_canonical"),
        ((tide(course("90001", "海图")),), {}, "exemption.course_name_not_canonical"),
        ((tide(course("90001"), level="1"),), {}, "exemption.level_too_low"),
        ((tide(course("90001"), level="7"),), {}, "exemption.not_on_the_list"),
        ((tide(course("90001"), taken_in="2026年04月"),), {}, "exemption.in_the_future"),
        ((tide(course("90001"), taken_in="0000-00"),), {}, "exemption.not_a_month"),
        ((tide(course("90001"), taken_in="0001-01"),), {}, "exemption.too_long_ago"),
        ((tide(course("90001"), taken_in="1066年10月"),), {}, "exemption.too_long_ago"),
        ((tide(course("90001"), taken_in="2019-03-02"),), {}, "exemption.not_a_month"),
        ((diploma(course("90004"), record="record-of-another"),), {}, "exemption.not_on_the_list"),
    ],
)
def test_bad_input_has_a_coded_answer_and_the_draft_keeps_it(
    claims: tuple[dict[str, Any], ...], more: dict[str, Any], expected: str
) -> None:
    past = draft(*(claims or GOOD), **more)
    assert expected in codes(past).values()
    saved = past.past[-1]
    assert isinstance(saved, DraftSaved)
    assert [each["courses"] for each in saved.claims] == [each["courses"] for each in claims or GOOD]


def test_a_short_name_is_answered_with_the_official_one() -> None:
    outcome = draft(tide(course("90001", "海图"))).when(SUBMIT, me()).refused("exemption.form_wrong", count=1)
    assert outcome.refusal is not None
    assert "海图绘制" in outcome.refusal.facts["faults"][0]["zh"]


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("60；65；70", "exemption.not_so_many_numbers"),
        ("60,65,70", "exemption.not_so_many_numbers"),
        ("60;65", "exemption.not_so_many_numbers"),
        ("60;65;", "exemption.not_so_many_numbers"),
        ("60;65;70;75", "exemption.not_so_many_numbers"),
        ("60; 65; 70", "exemption.not_so_many_numbers"),
        ("６０;65;70", "exemption.not_so_many_numbers"),
        ("60;65;101", "exemption.number_out_of_bounds"),
        ("60;65;59", "exemption.number_not_passing"),
        ("", "exemption.missing"),
    ],
)
def test_three_scores_are_written_in_one_way(typed: str, code: str) -> None:
    """HB-18, HB-26."""
    said = diploma(course("90005", learned="岛语", scores=typed))
    assert codes(draft(said)) == {"claims[0].courses[0].scores": code}
    assert codes(draft(diploma(course("90005", learned="岛语", scores="60;65;70")))) == {}


def test_every_failing_rule_is_told_at_once() -> None:
    bad = tide(course("90001", "海图"), course("90004"), level="1", taken_in="2030-01")
    found = codes(draft(bad, bad, majors=("本科 990101", "本科 990101"), jetty="nowhere"))
    assert {*found.values()} >= {
        "exemption.not_on_the_list",
        "exemption.course_name_not_canonical",
        "exemption.course_not_offered",
        "exemption.level_too_low",
        "exemption.in_the_future",
        "exemption.course_claimed_twice",
        "exemption.major_twice",
    }


# --- what is offered ----------------------------------------------------------------------------------------------


def test_courses_are_offered_by_the_major_of_the_diploma_and_by_the_own_major() -> None:
    """HB-10, HB-21, HB-30."""
    said = diploma(course("90003", learned="潮汐", score="60"))
    assert codes(draft(said)) == {}
    other = replace(ACCOUNT, education={RECORD: replace(DIPLOMA, major="天文")})
    assert codes(draft(said), me(account=other)) == {"claims[0].courses[0].code": "exemption.course_not_offered"}
    charts = diploma(course("90001", learned="海图", score="60"))
    assert codes(draft(charts)) == {"claims[0].courses[0].code": "exemption.course_not_offered"}
    assert codes(draft(charts, own_major="本科 990102")) == {}


@pytest.mark.parametrize("wrong", [{"standing": "submitted"}, {"category": "adult"}, {"level": "90"}])
def test_only_an_effective_diploma_of_the_right_kind_can_be_claimed(wrong: dict[str, Any]) -> None:
    other = replace(ACCOUNT, education={RECORD: replace(DIPLOMA, **wrong), "r2": replace(DIPLOMA, level="10")})
    assert codes(draft(diploma(course("90004"))), me(account=other))["claims[0].record"] == "exemption.not_on_the_list"


def test_a_set_that_is_not_the_expected_one_only_warns() -> None:
    """HB-13."""
    fewer, _ = draft(diploma(course("90004"))).when(SUBMIT, me()).happened()
    assert isinstance(fewer, ApplicationSubmitted)
    assert fewer.warnings == ("exemption.fewer_than_expected",)
    whole = (course("90004"), course("90003", learned="潮汐", score="60"))
    right, _ = draft(diploma(*whole)).when(SUBMIT, me()).happened()
    assert isinstance(right, ApplicationSubmitted)
    assert right.warnings == ()
    more, _ = draft(diploma(*whole, course("90005", learned="岛语", scores="60;60;60"))).when(SUBMIT, me()).happened()
    assert isinstance(more, ApplicationSubmitted)
    assert more.warnings == ("exemption.more_than_expected",)


@pytest.mark.parametrize(
    ("share", "rounding", "of", "most"),
    [
        ("1/2", "down", 5, 2),
        ("1/2", "up", 5, 3),
        ("1/2", "half_up", 5, 3),
        ("30%", "half_up", 5, 2),
        ("1/3", "down", 2, 0),
    ],
)
def test_a_share_becomes_a_number_as_the_book_rounds(share: str, rounding: str, of: int, most: int) -> None:
    assert Cap.model_validate({"share": share, "rounding": rounding, "source": "TT-56"}).of(of) == most


def _rows(*codes_: str) -> dict[str, Any]:
    names = {each.code: each.name for each in REEF.known.courses.courses}
    rows = (course(code, names[code], obtained_in="2019-03") for code in codes_)
    return claim("passed_before", *rows, photos=("transcript",))


@pytest.mark.parametrize(
    ("plan", "standing", "claimed", "code"),
    [
        ("2020", "social", ("90001", "90002", "90004", "90005"), None),  # two of five professional ones: half, down
        ("2020", "social", ("90001", "90002", "90003"), "exemption.over_the_cap"),
        ("2024", "social", ("90001", "90003"), None),  # two of three: half, half up
        ("2024", "social", ("90001", "90003", "90006"), "exemption.over_the_cap"),
        ("2020", "school", ("90001", "90002", "90004"), None),
        ("2020", "school", ("90001", "90002", "90004", "90005"), "exemption.over_the_cap"),  # three at most
    ],
)
def test_caps_differ_by_plan_version_and_kind_of_candidate(
    plan: str, standing: str, claimed: tuple[str, ...], code: str | None
) -> None:
    found = codes(draft(_rows(*claimed), by=REEF, plan=plan, standing=standing), me(by=REEF))
    assert found == ({"": code} if code else {})


# --- rows, photographs, conditions ---------------------------------------------------------------------------------


def test_a_blank_or_half_filled_row_is_named() -> None:
    """SD-51."""
    half = claim("passed_before", course("90003"), photos=("transcript",))
    assert codes(draft(half, by=REEF), me(by=REEF)) == {"claims[0].courses[0].code": "exemption.missing"}
    named = claim("passed_before", course("90003", "潮汐学"))
    assert codes(draft(named, by=REEF), me(by=REEF)) == {
        "claims[0].courses[0].obtained_in": "exemption.missing",
        "claims[0].transcript": "exemption.missing",
    }


def test_a_photograph_of_another_claim_or_person_is_none() -> None:
    said = tide(course("90001"))
    said["photos"] = {"paper": "u-knots.paper_1"}
    past = draft()
    past.when(save(said), me()).refused("exemption.no_such_photograph", slot="tide_two.paper")
    past.when(save(claim("tide_two", photos=("paper_9",))), me()).refused("exemption.unknown_slot")


@pytest.mark.parametrize(
    ("account", "code"),
    [
        (replace(ACCOUNT, verified={}), "exemption.person_not_verified"),
        (replace(ACCOUNT, verified={"elsewhere": "photographs"}), "exemption.person_not_verified"),
        (replace(ACCOUNT, education={}), "exemption.prior_education_not_there"),
        (
            replace(ACCOUNT, education={RECORD: replace(DIPLOMA, category="adult")}),
            "exemption.prior_education_not_there",
        ),
    ],
)
def test_conditions_are_guards_by_name(account: Any, code: str) -> None:
    assert codes(draft(tide(course("90001"))), me(account=account)) == {"": code}


def test_somebody_who_is_not_enrolled_is_refused() -> None:
    nobody = replace(ACCOUNT, ticket_number="")
    assert codes(draft(tide(course("90001"))), me(account=nobody))["candidate"] == "exemption.not_enrolled"


def test_prior_education_that_is_only_submitted_is_enough_until_the_decision() -> None:
    """HB-38, where the book says `when: submitted`."""
    waiting = replace(ACCOUNT, education={RECORD: replace(DIPLOMA, standing="submitted")})
    assert codes(draft(tide(course("90001"))), me(account=waiting)) == {}


def test_a_draft_refuses_what_the_form_does_not_have() -> None:
    past = draft()
    past.when(save(claim("hearsay")), me()).refused("exemption.unknown_basis", basis="hearsay")
    past.when(save(tide(shoe_size="42")), me()).refused("exemption.unknown_field", fields=["shoe_size"])
    past.when(save(tide(course("90001", shoe="42"))), me()).refused("exemption.unknown_field", fields=["shoe"])
    many = tuple(tide() for _ in range(41))
    past.when(SaveDraft(application=CASE, form={}, photos={}, claims=many), me()).refused("exemption.draft_too_long")


# --- the verdict --------------------------------------------------------------------------------------------------


def _judged(*claims: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    state = draft(*claims).state
    assert isinstance(state, Case)
    return [(each.rule, each.outcome, each.code) for each in judged(state, me()).findings.found]


def test_the_verdict_tells_every_rule_and_decides_as_handing_in_does() -> None:
    good = _judged(*GOOD)
    assert {outcome for _, outcome, _ in good} == {"pass"}
    assert {rule for rule, _, _ in good} >= {
        "person_must_be_verified",
        "candidate_must_be_enrolled",
        "prior_education_must_be_there",
        "field_must_be_right",
        "photograph_must_be_there",
        "course_must_be_named_right",
        "course_must_be_offered",
        "claims_must_be_within_the_limit",
        "courses_must_be_claimed_once",
        "majors_must_differ",
        "closing_major_must_be_own",
        "courses_must_be_in_a_chosen_major",
        "level_must_reach_the_lowest",
        "certificate_must_be_used_once",
        "application_must_count",
        "somebody_must_review",
    }
    bad = _judged(tide(course("90004"), level="1"))
    assert ("course_must_be_offered", "refuse", "exemption.course_not_offered") in bad
    assert ("level_must_reach_the_lowest", "refuse", "exemption.level_too_low") in bad


def test_a_finding_names_its_clause_source_and_inputs() -> None:
    state = draft(tide(course("90001"), level="1")).state
    assert isinstance(state, Case)
    (low,) = judged(state, me()).findings.refusing()
    assert low.clause == "lagoon/isle@1 exemption.bases[tide_two] TT-38"
    assert low.inputs == {"level": "1", "lowest": "2"}
    zh, en = low.texts()
    assert "低于" in zh
    assert "below" in en


def test_outside_the_hours_and_at_the_closing_instant_nothing_is_taken() -> None:
    draft().when(SUBMIT, me(LATER)).refused("exemption.window_closed")
    draft().when(START, me(LATER)).refused("exemption.already_started")
    assert codes(draft(*REEF_GOOD, by=REEF), me(NOON, REEF)) == {}


def test_the_same_rules_hold_under_both_books() -> None:
    assert ISLE.jurisdiction == REEF.jurisdiction == "lagoon"


def test_a_file_is_called_as_the_book_says_and_never_like_a_path() -> None:
    state = draft(by=REEF).state
    assert isinstance(state, Case)
    called = file_name(REEF.book, state, "passed_before.transcript")
    assert called == "990000000001_海一_已合格课程_成绩证明.jpg"
    assert file_name(REEF.book, replace(state, number="../a b"), "tide.original") == ".._a_b_原件.jpg"
    assert file_name(REEF.book, state, "portrait") == "portrait"
