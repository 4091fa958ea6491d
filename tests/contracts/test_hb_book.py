"""What the book of Hubei promises, row by row, in the words of the notice (HB-03 to HB-38).

What the machine does with it is told in tests/services/exemption/test_hb.py; prior education itself is identity's.
"""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.exemption.domain.bases import Basis
from services.exemption.domain.scheme import ExemptionScheme, Known, Rules
from services.exemption.domain.strangers import strangers
from services.identity.domain.scheme import JurisdictionIdentity
from services.notification.domain.scheme import NotificationScheme
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog
from shared.schemes.forms import FormField
from shared.schemes.procedure import ASSUMPTION, Window
from shared.schemes.reading import read_value

REF = "hb/recognition@1"
SHELF = Catalog.load()
HEAD = SHELF.get(REF).part("scheme", Head)
BOOK = SHELF.get(REF).part("exemption", ExemptionScheme)
NOTICES = SHELF.get(REF).part("notification", NotificationScheme)
KNOWN = Known(
    SHELF.reference.courses, SHELF.reference.certificates, SHELF.reference.code_lists, SHELF.reference.majors["hb"]
)
PHARMACY, ADMINISTRATION = "本科 100805", "本科 030302"
TODAY = date(2018, 3, 20)


def basis(name: str) -> Basis:
    found = BOOK.basis(name)
    assert found
    return found


DIPLOMA = basis("diploma")
NON_DEGREE = [basis(each) for each in ("ncre_one", "ncre_two", "cet")]


def window(purpose: str) -> Window:
    found = BOOK.purpose(purpose)
    assert found
    assert found.announced
    return Window(found.announced.from_day, found.announced.to_day, found.hours, close_inclusive=found.close_inclusive)


def offered(of: Basis, own: str = "", prior: str = "") -> set[str]:
    """Codes that the offers name for a candidate of `own` with a prior diploma in `prior`."""
    fitting = (
        each
        for each in of.courses.offers
        if (not each.majors or own in each.majors) and (not each.prior_majors or prior in each.prior_majors)
    )
    return {code for each in fitting for code in each.courses}


def details(course: str) -> dict[str, FormField]:
    return {each.name: each for each in DIPLOMA.details_of(course)}


# --- windows: HB-03, HB-23


@pytest.mark.parametrize(
    ("purpose", "last"), [("prior_education", date(2018, 3, 23)), ("apply", date(2018, 9, 30))], ids=["HB-03", "HB-23"]
)
def test_both_deadlines_of_the_notice_count_to_the_end_of_their_day(purpose: str, last: date) -> None:
    open_window, end = window(purpose), datetime(last.year, last.month, last.day, 23, 59, 59, 999_999, SHANGHAI)
    assert open_window.holds(end.astimezone(UTC))
    assert not open_window.holds(end + timedelta(microseconds=1))
    assert open_window.next_opening(end) is None


def test_the_two_stages_have_windows_of_their_own_and_identity_asks_for_the_first() -> None:
    """HB-03, HB-23."""
    identity = SHELF.get(REF).part("identity", JurisdictionIdentity).prior_education
    assert identity
    assert identity.window.id == "prior_education"
    assert (BOOK.submit.window, BOOK.once_resubmitted.window) == ("apply", "correct")
    assert BOOK.once_resubmitted.lapses


# --- the guard: HB-08, HB-31, HB-38


def test_only_an_effective_ordinary_diploma_opens_the_second_stage() -> None:
    """HB-08, HB-31, HB-37, HB-38; looked at again when it is passed."""
    guard = BOOK.conditions.prior_education
    assert guard
    assert (guard.when, guard.categories) == ("effective", ("ordinary",))
    assert "生效" in guard.text
    assert all("prior_education_effective" in stage.rechecks for stage in BOOK.stages)


def test_whoever_mistyped_the_number_is_told_until_when_it_can_be_put_right() -> None:
    """HB-38: what is told to be looked at again can be corrected, or says that it cannot."""
    prior = SHELF.get(REF).part("identity", JurisdictionIdentity).prior_education
    assert prior
    assert "certificate_number" in prior.repair_after_deadline.keeps
    told = prior.reason("not_found").title
    assert "请核对证书编号：申请截止前可以更正编号，截止后不能更改" in told
    assert told == NOTICES.words["reason"]["not_found"]


def test_nothing_else_is_asked_of_who_may_apply() -> None:
    """The notice knows no photographs of persons and no ticket of an account: an assumption less."""
    assert BOOK.conditions.person_verified is None
    assert BOOK.conditions.enrolled is None
    assert BOOK.uniqueness is None


# --- the diploma: HB-09 to HB-18, HB-28, HB-30 to HB-32


def test_a_diploma_of_an_ordinary_college_or_university_is_chosen_from_ones_own_records() -> None:
    """HB-10, HB-31, HB-17: 专科 or 本科, and never a degree level that the notice does not name."""
    assert DIPLOMA.diploma
    assert DIPLOMA.diploma.categories == ("ordinary",)
    assert DIPLOMA.diploma.levels == ("31", "21")
    record = DIPLOMA.fields[0]
    assert (record.kind, record.label) == ("prior_education", "学历证书")
    assert record.hint == "“选择专业”为考生本人普通专科/本科专业，“学历证书”为相应层次的学历，学历普通"


def test_what_is_offered_depends_on_the_prior_major_and_is_public_courses_only() -> None:
    """HB-11, HB-12, HB-28: the annex is not in the source, so each offer says that it is assumed."""
    assert offered(DIPLOMA, prior="园林") == {"03708", "03709", "00015", "04729"}
    assert offered(DIPLOMA, prior="药学") == {"03708", "03709", "00015"}
    assert all(ASSUMPTION in each.source for each in DIPLOMA.courses.offers)
    assert HEAD.title.text == "自学考试学历成果认证（部分公共课程免考办理）"
    everything = {code for each in BOOK.bases for offer in each.courses.offers for code in offer.courses}
    assert everything == {"03708", "03709", "00015", "04729", "00018", "00019", "00051", "00052"}


def test_each_course_is_ticked_by_itself() -> None:
    """HB-14."""
    assert {each.courses.choose for each in BOOK.bases} == {"some"}


def test_the_list_of_the_own_major_is_compared_and_the_three_sentences_about_it_are_said() -> None:
    """HB-13, HB-15, HB-30."""
    own = BOOK.field_of("major")
    assert own
    assert own.required
    assert {each.major: set(each.courses) for each in DIPLOMA.expected} == {
        PHARMACY: {"03708", "03709", "00015"},
        ADMINISTRATION: {"03708", "03709", "00015", "04729"},
    }
    assert all(ASSUMPTION in each.source for each in DIPLOMA.expected)
    said = [hint.text for hint in DIPLOMA.hints if not hint.majors]
    assert any("核对可申请认证的课程数，不要多选，更不要少选" in text for text in said)
    assert "若平台出现的课程数少于一览表中的课程数，请咨询各班班主任或自考办老师" in said


@pytest.mark.parametrize("course", ["03708", "03709"])
def test_history_and_marxism_are_only_ticked(course: str) -> None:
    """HB-16."""
    assert details(course) == {}


def test_every_other_course_asks_what_was_learned_and_its_score() -> None:
    """HB-16, HB-17, HB-32."""
    asked = details("04729")
    assert {name: (each.kind, each.required) for name, each in asked.items()} == {
        "learned": ("text", True),
        "score": ("number", True),
    }
    assert (asked["learned"].label, asked["score"].label) == ("已学课程名称", "专科成绩上该课程的成绩")
    assert (asked["score"].lowest, asked["score"].highest, asked["score"].passing) == (0, 100, 60)


def test_english_two_is_what_was_learned_as_college_english_in_three_terms() -> None:
    """HB-18, HB-32."""
    learned, scores = details("00015")["learned"], details("00015")["scores"]
    assert learned.suggestions == ("大学英语",)
    assert (scores.count, scores.separator, scores.example) == (3, ";", "60;65;70")
    assert (scores.lowest, scores.highest, scores.passing) == (0, 100, 60)


@pytest.mark.parametrize(
    ("typed", "kept"), [("60;65;70", "60;65;70"), (" 100;60;60 ", "100;60;60"), ("60;65.5;70", "60;65.5;70")]
)
def test_three_scores_with_the_english_separator_are_taken(typed: str, kept: str) -> None:
    """HB-18."""
    assert read_value(details("00015")["scores"], typed, TODAY, {}) == kept


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("60；65；70", "exemption.not_so_many_numbers"),
        ("60;65；70", "exemption.not_so_many_numbers"),
        ("60,65,70", "exemption.not_so_many_numbers"),
        ("60、65、70", "exemption.not_so_many_numbers"),
        ("60;65", "exemption.not_so_many_numbers"),
        ("60;65;70;75", "exemption.not_so_many_numbers"),
        ("60;65;", "exemption.not_so_many_numbers"),
        (";65;70", "exemption.not_so_many_numbers"),
        ("60; 65; 70", "exemption.not_so_many_numbers"),
        ("６０;６５;７０", "exemption.not_so_many_numbers"),
        ("60;65;-70", "exemption.not_so_many_numbers"),
        ("60;65;良好", "exemption.not_so_many_numbers"),
        ("60;65;101", "exemption.number_out_of_bounds"),
        ("60;59;70", "exemption.number_not_passing"),
        ("60;65.55;70", "exemption.not_a_number"),
        ("060;065;070", "exemption.not_a_number"),
    ],
)
def test_scores_in_any_other_form_are_refused_and_the_form_is_said(typed: str, code: str) -> None:
    """HB-26, HB-18."""
    with pytest.raises(Refused) as refused:
        read_value(details("00015")["scores"], typed, TODAY, {})
    assert refused.value.code == code
    if code == "exemption.not_so_many_numbers":
        assert refused.value.facts["example"] == "60;65;70"


def test_the_five_sentences_of_the_notice_about_ticking_stand_word_by_word() -> None:
    """HB-13 to HB-18."""
    said = [hint.text for hint in DIPLOMA.hints]
    assert any(
        text.startswith("除“中国近代史纲要（03708）”、“马克思主义基本原理概论（03709）”直接勾选") for text in said
    )
    assert any("必须填写三个学期的成绩，且成绩之间用英文的分隔符隔开，格式如下：60;65;70" in text for text in said)
    assert any("在课程后的方框内勾选“申请学习成果认证”" in text for text in said)
    assert DIPLOMA.photos[0].capture_hint.text.startswith("成绩来源于各位考生普通专科/本科成绩单")


def test_a_candidate_of_pharmacy_reads_both_ways_to_the_two_computer_courses() -> None:
    """HB-19, HB-20."""
    mine = [hint.text for hint in DIPLOMA.hints if hint.majors == (PHARMACY,)]
    assert len(mine) == 2
    assert "已经取得了全国计算机一级或二级证书" in mine[0]
    assert "须分别参加计算机基础（00018）、计算机基础实践（00019）的考试" in mine[1]
    assert "00019的报名请直接联系学校自考办" in mine[1]


# --- the other route: HB-19 to HB-21, HB-34 to HB-37


@pytest.mark.parametrize(
    ("name", "own", "courses"),
    [
        ("ncre_one", PHARMACY, {"00018", "00019"}),
        ("ncre_one", ADMINISTRATION, set()),
        ("ncre_two", PHARMACY, {"00018", "00019"}),
        ("ncre_two", ADMINISTRATION, {"00051", "00052"}),
        ("cet", PHARMACY, {"00015"}),
        ("cet", ADMINISTRATION, {"00015"}),
    ],
)
def test_certificates_are_good_for_the_courses_of_the_table(name: str, own: str, courses: set[str]) -> None:
    """HB-19, HB-21, HB-37."""
    assert offered(basis(name), own) == courses


def test_only_the_certificates_of_the_table_are_there_and_the_band_of_english_is_asked() -> None:
    """HB-21, HB-36, HB-37."""
    asked = {each.id: each.certificate for each in NON_DEGREE}
    assert {name: (each.type, each.lowest) for name, each in asked.items() if each} == {
        "ncre_one": ("ncre", "1"),
        "ncre_two": ("ncre", "2"),
        "cet": ("cet", "4"),
    }
    assert [each.kind for each in basis("cet").fields] == ["certificate_level", "certificate_number", "date"]
    assert KNOWN.levels_of("cet") == ("4", "6")


def test_number_day_and_scan_of_a_certificate_are_asked() -> None:
    """HB-36: the form is a picture in the source."""
    for each in NON_DEGREE:
        kinds = {field.kind: field for field in each.fields}
        assert kinds["certificate_number"].required
        assert kinds["date"].past
        assert [(photo.slot, photo.required) for photo in each.photos] == [("scan", True)]
        assert all(ASSUMPTION in photo.source for photo in each.photos)


def test_whoever_chooses_english_by_certificate_is_told_that_it_is_seldom_needed() -> None:
    """HB-21, HB-37: with the slip of the source, 四、级."""
    assert basis("cet").hints[0].text == "一般情况下，无需用英语四、级证书办理英语（二）认证"


def test_one_name_stands_for_the_three_spellings_and_the_others_are_said() -> None:
    """HB-35."""
    for each in NON_DEGREE:
        assert each.title.startswith("非学历证书课程学历成果认证：")
        assert any("“非学历证书课程成果认证”“非学历成果认证”" in hint.text for hint in each.hints)


def test_each_route_is_handed_in_by_itself_and_both_may_be() -> None:
    """HB-34: one claim in an application, and no limit to a person's applications."""
    assert BOOK.claims
    assert (BOOK.claims.least, BOOK.claims.most) == (1, 1)
    assert BOOK.uniqueness is None


def test_a_course_is_recognised_once_and_a_diploma_or_certificate_is_not_used_up() -> None:
    """HB-13, HB-14, HB-21, HB-23: whoever ticked fewer may claim the others later."""
    assert BOOK.course_once
    assert not BOOK.certificates_are_used_once


# --- names, reference data, help: HB-02, HB-15, HB-25, HB-27, HB-29


@pytest.mark.parametrize(
    ("code", "typed", "official"),
    [
        ("03708", "中国近代史纲要", "中国近现代史纲要"),
        ("00018", "计算机基础", "计算机应用基础"),
        ("00019", "计算机基础实践", "计算机应用基础(实践)"),
        ("00052", "管理系统中计算机应用实践", "管理系统中计算机应用(实践)"),
        ("00015", "英语（二）", "英语(二)"),
    ],
)
def test_the_names_that_the_notice_uses_are_understood_and_the_code_counts(
    code: str, typed: str, official: str
) -> None:
    """HB-25."""
    assert BOOK.course_names
    assert BOOK.course_names.code_wins
    found = KNOWN.courses.canonical(code, typed, code_wins=BOOK.course_names.code_wins)
    assert (found.code, found.name) == (code, official)
    assert KNOWN.courses.find(typed)[0].course.code == code


def test_the_book_names_only_what_the_reference_data_have() -> None:
    """HB-29."""
    assert list(strangers(Rules(REF, BOOK, KNOWN))) == []
    assert ASSUMPTION in HEAD.authority.source


def test_the_platform_has_the_address_of_the_notice() -> None:
    """HB-01, HB-29."""
    (platform,) = SHELF.reference.organisations["hb"].organisations
    assert (platform.id, platform.name, platform.area) == ("hb-prov", "考生服务平台", "420000")
    assert str(platform.site) == "http://219.140.60.48:8096/portal-web/login"
    assert ASSUMPTION in platform.source


def test_help_is_the_class_tutor_and_the_office_and_nobody_else_decides() -> None:
    """HB-02, HB-15, HB-20, HB-27."""
    said = {contact.about: contact.text for contact in HEAD.contacts}
    assert said["账号和密码"] == "若账号和密码忘记，可通过下方“忘记密码”找回，或联系学校自考办老师找回"
    assert said["成绩"] == "有疑问请咨询各班班主任或自考办老师"
    assert said["可申请的课程"].startswith("若平台出现的课程数少于一览表中的课程数")
    assert [role.id for role in HEAD.roles] == ["authority_clerk"]


# --- handing in, review, notices: HB-22, HB-24


def test_before_handing_in_the_candidate_is_told_to_check_information_courses_and_their_number() -> None:
    """HB-09, HB-22, HB-23, HB-24."""
    texts = BOOK.texts
    assert (texts.start_action.text, texts.confirm_action.text) == ("申请学历学习成果认证课程", "提交")
    said = [sentence.text for sentence in texts.before_submit]
    assert said[0].endswith("请核对，确保无误后，点击“提交”")
    assert said[1] == "申请完成后请认真核对申请的信息、课程及课程数"
    assert "平台申报端口关闭后本次将无法补申请" in [sentence.text for sentence in texts.notices]
    assert "每个专业申请认证的课程不尽相同，详见本通知附件2" in [sentence.text for sentence in texts.notices]


def test_the_review_is_ours_and_says_so() -> None:
    """The source ends with handing in: one review, sent back or passed, all of it marked."""
    assert [(stage.name, stage.role, stage.scope, stage.outcomes) for stage in BOOK.stages] == [
        ("审核", "authority_clerk", "province", ("pass", "return"))
    ]
    assert BOOK.stages[0].source == ASSUMPTION
    assert BOOK.results is None


def test_whoever_must_act_and_whoever_is_granted_gets_an_sms_and_both_stand_in_the_inbox() -> None:
    moments = NOTICES.moments
    assert {name: each.channels for name, each in moments.items()} == {
        "exemption.submitted": ("inbox",),
        "exemption.returned": ("sms", "inbox"),
        "exemption.stage_passed": ("inbox",),
        "exemption.granted": ("sms", "inbox"),
        "exemption.lapsed": ("sms", "inbox"),
        "exemption.revived": ("sms", "inbox"),
        "prior_education.effective": ("sms", "inbox"),
        "prior_education.not_effective": ("sms", "inbox"),
        "prior_education.unresolved": ("sms", "inbox"),
    }
    assert all(ASSUMPTION in each.source for each in moments.values())


def test_the_candidate_is_told_in_words_what_a_return_is_about() -> None:
    about = {reason.document for stage in BOOK.stages for reason in stage.reasons}
    assert about <= set(NOTICES.words["document"])
