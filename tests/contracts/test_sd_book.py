"""What the Shandong book says, row by row, in the words of the notice of 4 May 2023.

Pages and the API show these sentences as they stand (`GET /v1/schemes/{ref}`), so a row of words only is kept here.
What the machine does with them is tested in tests/services/exemption/test_sd*.py and the stories.
"""

from datetime import date, datetime, time

import pytest

from services.exemption.domain.scheme import ExemptionScheme
from services.notification.domain.scheme import NotificationScheme
from shared.documents.photo_rules import PhotoRules
from shared.kernel.time import SHANGHAI
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog
from shared.schemes.procedure import ASSUMPTION, Window

REF = "sd/exemption@1"
CATALOG = Catalog.load()
FORM_TITLE = "山东省高等教育自学考试免考课程申请（确认）表"


@pytest.fixture(scope="module")
def head() -> Head:
    return CATALOG.get(REF).part("scheme", Head)


@pytest.fixture(scope="module")
def book() -> ExemptionScheme:
    return CATALOG.get(REF).part("exemption", ExemptionScheme)


@pytest.fixture(scope="module")
def notices() -> NotificationScheme:
    return CATALOG.get(REF).part("notification", NotificationScheme)


def notice(book: ExemptionScheme) -> str:
    """The notice as candidates read it before they begin."""
    return "\n".join(each.text for each in book.texts.notices)


# --- the notice: for whom, when, where


def test_it_is_for_candidates_who_will_apply_to_graduate_in_this_cycle(head: Head, book: ExemptionScheme) -> None:
    """SD-01, SD-02."""
    assert head.audience.text == "有高等教育自学考试免考课程申请需求并拟于2023年上半年申报毕业的考生"
    assert book.texts.notices[0].text == "山东省高等教育自学考试免考课程审核是自学考试毕业审核的重要组成部分。"
    assert book.purpose("graduation") is not None


def test_applications_are_taken_on_three_days_of_may_in_the_mornings_and_afternoons(book: ExemptionScheme) -> None:
    """SD-03, SD-04."""
    apply = book.purpose("apply")
    assert apply
    assert apply.announced
    assert (apply.announced.from_day, apply.announced.to_day) == (date(2023, 5, 17), date(2023, 5, 19))
    assert apply.hours == ((time(9), time(12)), (time(13), time(17)))
    assert (book.submit.window, book.once_resubmitted.window) == ("apply", "apply")
    window = Window(date(2023, 5, 17), date(2023, 5, 19), apply.hours, close_inclusive=apply.close_inclusive)
    opened = sum((end - start).total_seconds() for start, end in window.intervals())
    assert opened == 21 * 3600
    assert not window.holds(datetime(2023, 5, 17, 12, tzinfo=SHANGHAI))
    assert window.next_opening(datetime(2023, 5, 17, 12, tzinfo=SHANGHAI)) == datetime(2023, 5, 17, 13, tzinfo=SHANGHAI)


def test_the_two_conditions_are_read_before_and_decided_by_the_reviewer(book: ExemptionScheme) -> None:
    """SD-05, SD-06."""
    for condition in (
        "符合山东省高等教育自学考试毕业条件",
        "符合《山东省高等教育自学考试课程免考实施细则（修订）》规定",
    ):
        assert condition in notice(book)
        assert condition in book.stage("审核").pass_ground.text
    sources = {item.id: item.source for item in book.stage("审核").checklist}
    assert (sources["graduating"], sources["allowed"]) == ("SD-05", "SD-06")


def test_the_whole_notice_can_be_read_before_anything_is_filled_in(book: ExemptionScheme) -> None:
    """SD-53: times, conditions, steps, rules for the photograph, validity, telephones."""
    for said in (
        "2023年5月17日—19日（上午9:00—12:00，下午13:00—17:00）",
        "申请条件",
        "“一网通办”",
        "“立即注册”",
        "宽高比5:7",
        "不得简写",
        "可下载Word版免考申请表留存",
        "图片要求为jpg格式",
        "“申报告知单”页面",
        "短信推送",
        "过期不予保留",
        "可电话咨询省、市教育招生考试机构",
    ):
        assert said in notice(book)
    assert all("SD-53" in each.source for each in book.texts.notices)


def test_the_notice_names_its_issuer_and_date(head: Head) -> None:
    """SD-45."""
    assert head.authority.text == "山东省教育招生考试院"
    assert "山东省教育招生考试院　2023年5月4日" in [each.text for each in head.footer]


def test_technical_support_stands_below_every_page(head: Head) -> None:
    """SD-17."""
    assert head.footer[0].text == (
        "技术支持qq群号:1128118036,技术支持电话:0531-68866385,服务时间:工作日08:30-11:30,节假日顺延"
    )
    (support,) = CATALOG.reference.organisations["sd"].support
    assert (support.qq_group, support.phones) == ("1128118036", ("0531-68866385",))


def test_candidates_can_call_the_province_and_their_own_city(head: Head) -> None:
    """SD-43, SD-44."""
    calls = next(each for each in head.contacts if each.about == "申办咨询")
    assert (calls.phones, calls.of_level) == (("0531-82598767",), "city")
    offices = CATALOG.reference.organisations["sd"].organisations
    assert len(offices) == 17
    assert sum(len(each.phones) for each in offices) == 20


def test_the_way_in_leads_from_the_governments_site_by_the_name_of_the_item(head: Head) -> None:
    """SD-07, SD-08, SD-48."""
    entrance = head.entrance
    assert entrance
    assert entrance.start == "http://www.shandong.gov.cn/"
    assert (entrance.item, entrance.aliases) == ("对自考考生免考课程的确认", ("对自考生免考课程的确认",))
    assert [step.strip("点击“”") for step in entrance.steps[1:]] == ["一网通办", "进入办理", "个人登录"]


def test_four_pages_follow_one_another_and_only_the_materials_can_be_handed_in(book: ExemptionScheme) -> None:
    """SD-15, SD-16, SD-34, SD-49, SD-52, SD-54."""
    pages = book.texts.pages
    assert [page.title for page in pages] == [
        "填写申请人基本信息",
        "山东省高等教育自学考试免考课程申请（确认）表",
        "材料上传",
        "申报告知单",
    ]
    assert [page.fields for page in pages[:1]] == [("id_type", "id_number", "name", "mobile")]
    assert [("下一步" in page.actions, "提交" in page.actions) for page in pages] == [
        (True, False),
        (True, False),
        (False, True),
        (False, False),
    ]
    assert "使用注册人信息" in pages[0].actions
    assert (pages[1].row_actions, pages[1].actions[0]) == (("增加", "删除"), "点击导出申请表")
    assert pages[1].hints[0].text == "点击上传证件照片"


def test_the_exported_form_has_its_title_and_says_that_it_has_no_effect(book: ExemptionScheme) -> None:
    """SD-18, SD-20, SD-35, SD-36, SD-52."""
    said = book.form_document
    assert said
    assert (said.title, said.action, said.number_given) == (FORM_TITLE, "点击导出申请表", "提交时编号由系统自动生成")
    assert said.note.text == "注：导出申请表后请点击下一步并提交该条数据，此次申请方可生效。"


# --- the form


def test_every_item_of_the_form_is_mandatory(book: ExemptionScheme) -> None:
    """SD-15, SD-22, SD-23, SD-24."""
    assert [(field.label, field.required) for field in book.fields] == [
        ("证件类型", True),
        ("身份证号", True),
        ("考生姓名", True),
        ("联系电话", True),
        ("拟申请毕业的专业名称", True),
        ("准考证号", True),
        ("原专业名称", True),
        ("原专业层次", True),
        ("联系地址（省、市、区）", True),
        ("联系地址（详细地址）", True),
    ]
    assert [photo.required for photo in book.photos] == [True]
    assert [entry.title for entry in book.lists["id_types"]] == ["身份证"]
    assert [entry.title for entry in book.lists["levels"]] == ["本科", "专科"]
    area = next(each for each in book.fields if each.name == "area")
    assert area.code_list == "gbt2260"


def test_name_and_id_number_are_those_of_the_registered_person(book: ExemptionScheme) -> None:
    """SD-16, SD-50."""
    asked = {field.label: field.same_as_account for field in book.fields if field.same_as_account}
    assert asked == {"身份证号": "id_number", "考生姓名": "holder"}


def test_of_one_ticket_number_the_last_submission_counts(book: ExemptionScheme) -> None:
    """SD-19, SD-46."""
    unique = book.uniqueness
    assert unique
    assert (unique.by, unique.rule) == ("ticket_number", "last_submission_wins")
    assert unique.text == "对于同一个准考证号，多次在此页面提交免考申请，以最后一次提交的内容为准"
    assert book.stage("审核").starts_after is None, "it may be superseded while it is reviewed"


def test_the_province_gives_a_ticket_number_back_to_whom_it_saw_with_it(book: ExemptionScheme) -> None:
    """SD-46: in no source, and said to be so."""
    release = book.uniqueness.release if book.uniqueness else None
    assert release
    assert (release.role, release.scope) == ("authority_clerk", "province")
    assert [each.text for each in release.seen] == ["本人身份证", "本人准考证"]
    assert "assumption" in release.source


def test_a_number_is_given_when_it_is_handed_in(book: ExemptionScheme) -> None:
    """SD-20."""
    assert book.number
    assert book.number.pattern == "SDMK{year}{month}{day}{serial}"
    assert (book.number.digits, book.number.source) == (6, "SD-20, assumption")


def test_the_photograph_keeps_every_figure_of_the_notice(book: ExemptionScheme) -> None:
    """SD-25, SD-26, SD-27, SD-28, SD-29, SD-30, SD-54."""
    (photo,) = book.photos
    assert photo.label == "一寸证件照"
    assert PhotoRules(**photo.photo.asked()) == PhotoRules(
        formats=("JPEG",),
        max_bytes=50 * 1024,
        min_width=212,
        min_height=282,
        max_width=480,
        max_height=640,
        aspect=(5, 7),
        aspect_tolerance=0.01,
        backgrounds=("light_blue",),
    )
    for said in ("近期正面免冠彩色照片", "背景淡蓝色", "212*282", "480*640", "5:7", "不超过50KB", "格式为JPG"):
        assert said in photo.capture_hint.text


def test_what_of_the_photograph_nobody_measures_a_reviewer_answers_for(book: ExemptionScheme) -> None:
    """SD-26."""
    (stage,) = (each for each in book.stages if "portrait" in {item.id for item in each.checklist})
    (asked,) = (item for item in stage.checklist if item.id == "portrait")
    assert (asked.text, asked.source) == ("照片为近期正面免冠彩色照片，背景淡蓝色", "SD-26")
    assert "portrait_wrong" in {each.code for each in stage.refuse_reasons}


# --- courses and what proves them


def test_each_row_asks_course_name_code_month_and_basis(book: ExemptionScheme) -> None:
    """SD-31, SD-51: the name in full beside the code, the month of the past."""
    assert book.course_names
    assert (book.course_names.typed, book.course_names.code_wins) == (True, False)
    for basis in book.bases:
        (month,) = basis.details_of("00018")
        assert (month.label, month.kind, month.past, month.required) == ("考试时间或证书获得时间", "month", True, True)
        assert month.example == "2019年03月"


def test_the_basis_is_chosen_from_a_numbered_list_of_which_the_source_shows_the_fourth(book: ExemptionScheme) -> None:
    """SD-33: it is cut off there, so the whole list is marked as assumed."""
    assert [basis.number for basis in book.bases] == [1, 2, 3, 4, 5]
    nit = next(basis for basis in book.bases if basis.number == 4)
    assert nit.title.startswith("全国计算机应用")
    assert all(ASSUMPTION in basis.source for basis in book.bases)


def test_the_sample_row_is_allowed(book: ExemptionScheme) -> None:
    """SD-06, SD-31: 计算机应用基础 00018 on the fourth basis."""
    nit = next(basis for basis in book.bases if basis.number == 4)
    assert "00018" in {code for offer in nit.courses.offers for code in offer.courses}


def test_there_is_one_row_at_least(book: ExemptionScheme) -> None:
    """SD-34."""
    assert book.courses
    assert book.claims
    assert (book.claims.least, book.courses.least) == (1, 1)


def test_every_basis_has_materials_and_they_are_jpg(book: ExemptionScheme) -> None:
    """SD-37."""
    for basis in book.bases:
        slots = book.claim_photos(basis)
        assert slots, basis.id
        for each in slots:
            assert each.photo.formats == ("JPEG",)
            assert each.capture_hint.text == "请按照表格中的要求上传对应的材料图片，图片要求为jpg格式"


# --- what follows


def test_it_is_done_when_the_declaration_notice_appears(book: ExemptionScheme) -> None:
    """SD-38."""
    assert book.receipt
    assert book.receipt.title == "申报告知单"
    assert "申报告知单" in book.texts.before_submit[2].text
    assert book.texts.confirm_action.text == "提交"


def test_the_province_decides_and_a_refused_candidate_may_try_again_in_time(head: Head, book: ExemptionScheme) -> None:
    """SD-39."""
    (stage,) = book.stages
    assert (stage.role, stage.scope, stage.outcomes) == ("authority_clerk", "province", ("pass", "refuse"))
    assert stage.may_submit_again
    assert book.results is None, "what was decided is to be seen at once"
    assert [role.id for role in head.roles] == ["authority_clerk"]


def test_both_results_are_told_by_sms(notices: NotificationScheme) -> None:
    """SD-40."""
    for moment in ("exemption.granted", "exemption.refused"):
        assert set(notices.moments[moment].channels) == {"sms", "inbox"}
        assert "SD-40" in notices.moments[moment].source


def test_whose_ticket_number_was_released_is_told_by_sms_and_what_to_do(notices: NotificationScheme) -> None:
    """SD-46."""
    told = notices.moments["exemption.ticket_released"]
    assert set(told.channels) == {"sms", "inbox"}
    assert "assumption" in told.source
    assert told.sms
    assert "如仍在申请时间内，可以本人准考证号重新申请" in told.sms.text
    assert "已审核通过的，免考同时撤销" in told.sms.text


def test_what_was_handed_in_with_another_ones_ticket_number_has_a_reason_to_be_refused(book: ExemptionScheme) -> None:
    """SD-46: after the release it can no longer pass, and this province sends nothing back."""
    (stage,) = book.stages
    reasons = {each.code: each for each in stage.refuse_reasons}
    assert reasons["ticket_not_theirs"].text == "所填准考证号属于他人"
    assert "assumption" in reasons["ticket_not_theirs"].source


def test_an_exemption_that_is_taken_back_is_told_by_its_reason(notices: NotificationScheme) -> None:
    """SD-42, SD-46: at graduation, or with a ticket number that is another one's; the words fit both."""
    told = notices.moments["exemption.revoked"]
    assert told.sms
    assert "原因：{reason}" in told.sms.text
    assert all("专业毕业条件" not in text for text in told.texts())


def test_nobody_is_promised_to_hand_in_again_after_the_days_are_over(
    book: ExemptionScheme, notices: NotificationScheme
) -> None:
    """SD-03: who is refused is told so weeks after the three days, as a rule."""
    said = [book.state("refused").explanation]
    for moment in ("exemption.refused", "exemption.ticket_released"):
        said += [text for text in notices.moments[moment].texts() if "重新" in text]
    assert len(said) >= 5
    for text in said:
        assert "如仍在申请时间内" in text


def test_no_number_of_a_certificate_is_asked_so_nobody_speaks_of_comparing_them(book: ExemptionScheme) -> None:
    """SD-31. And nothing is used up for ever: what was not used for this graduation is gone (SD-41)."""
    assert book.certificate_seen_elsewhere is None
    assert book.certificate_once is None
    assert book.course_once is None


def test_an_exemption_not_used_in_this_cycle_expires(book: ExemptionScheme) -> None:
    """SD-41."""
    assert book.validity
    assert (book.validity.window, book.validity.text) == (
        "graduation",
        "本次自学考试课程免考申请仅限2023年上半年自学考试毕业申请使用，过期不予保留",
    )
    assert book.state("expired").title == "过期不予保留"


def test_it_is_checked_again_against_the_plan_when_the_candidate_graduates(book: ExemptionScheme) -> None:
    """SD-42."""
    assert book.revocation
    (reason,) = book.revocation.reasons
    assert "专业开考文件" in reason.text
    assert book.revocation.action == "再次审定不通过"
    assert "再次审定不符合专业毕业条件" in book.state("revoked").explanation
    assert "对免考课程是否符合专业毕业条件进行再次审定" in notice(book)
