"""What the 1+X book promises to candidates and reviewers, row by row, in the words of the authority's own guide.

Pages and the API show these sentences as they stand (`GET /v1/schemes/{ref}`), so a row of words only is kept here.
What the machine does with them is tested in tests/services/exemption.
"""

import pytest

from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog
from shared.schemes.procedure import Stage

REF = "swust/1x@1"


@pytest.fixture(scope="module")
def head() -> Head:
    return Catalog.load().get(REF).part("scheme", Head)


@pytest.fixture(scope="module")
def book() -> ExemptionScheme:
    return Catalog.load().get(REF).part("exemption", ExemptionScheme)


@pytest.fixture(scope="module")
def first(book: ExemptionScheme) -> Stage:
    return book.stage("初审")


@pytest.fixture(scope="module")
def final(book: ExemptionScheme) -> Stage:
    return book.stage("复核")


def test_it_is_for_candidates_of_1x_majors_at_a_teaching_point(head: Head, book: ExemptionScheme) -> None:
    """SW-01."""
    assert head.audience.text == "自学考试1+X专业学生证书课程免试"
    chosen = book.field_of("organisation")
    assert chosen
    assert (chosen.level, chosen.required) == ("teaching_point", True)


def test_the_form_asks_what_reviewers_compare(book: ExemptionScheme) -> None:
    """SW-03, SW-04, SW-05, SW-15."""
    assert {field.name: field.required for field in book.fields} == {
        "teaching_point": True,
        "name": True,
        "id_number": True,
        "ticket_number": False,
        "mobile": True,
        "certificate": True,
        "certificate_level": True,
        "certificate_number": True,
        "valid_until": True,
        "remark": False,
    }
    mobile = book.field_of("mobile")
    assert mobile
    assert mobile.hint == "填写本人手机号，方便驳回修改时短信通知"


def test_three_photographs_are_taken_within_the_frame(book: ExemptionScheme) -> None:
    """SW-06."""
    assert [(photo.label, photo.required) for photo in book.photos] == [
        ("身份证正面", True),
        ("身份证反面", True),
        ("1+X证书", True),
    ]
    for photo in book.photos:
        assert "完全放入拍摄框内" in photo.capture_hint.text


def test_before_submitting_three_things_are_to_be_looked_at(book: ExemptionScheme) -> None:
    """SW-07, SW-14."""
    assert book.texts.confirm_action.text == "确认提交"
    assert [sentence.text for sentence in book.texts.before_submit] == [
        "仔细核对所有填写的信息",
        "确认照片清晰度符合要求",
        "申请提交后无法修改，请仔细核对",
    ]


def test_the_hints_for_taking_photographs_are_those_of_the_guide(book: ExemptionScheme) -> None:
    """SW-08, SW-10."""
    assert [sentence.text for sentence in book.texts.capture] == [
        "请使用套框拍摄功能，确保证件完全在框内",
        "拍摄环境光线充足，避免反光和阴影",
        "保持手机稳定，避免模糊",
        "系统会自动裁剪和优化图片质量",
    ]


def test_pictures_of_the_album_are_to_show_the_document_only(book: ExemptionScheme) -> None:
    """SW-09, SW-46: said beforehand, and again when a picture is refused as mostly background."""
    assert book.texts.album is not None
    assert "仅保留有效内容" in book.texts.album.text
    for photo in book.photos:
        assert photo.photo.crop_to_document
        assert photo.photo.min_document_share
        assert photo.background_hint
        assert "仅保留有效内容" in photo.background_hint.text


def test_the_five_warnings_are_those_of_the_guide(book: ExemptionScheme) -> None:
    """SW-11, SW-12, SW-13, SW-14, SW-15."""
    assert [sentence.text for sentence in book.texts.notices] == [
        "所有信息必须真实准确，与证件信息完全一致",
        "照片不清晰或信息填写错误将被驳回",
        "请在规定时间内完成申请，逾期不予受理",
        "申请提交后无法修改，请仔细核对",
        "手机号码必须填写本人号码，用于接收驳回通知",
    ]


def test_lists_tabs_and_buttons_have_their_names(book: ExemptionScheme) -> None:
    """SW-16, SW-19, SW-20, SW-24, SW-31, SW-44."""
    texts = book.texts
    assert texts.list_title.text == "我的1+X证书课程申免记录"
    assert texts.details_action.text == "查看详情"
    assert (texts.details_tab.text, texts.history_tab.text) == ("申免详情", "经办记录")
    assert (texts.edit_action.text, texts.confirm_action.text) == ("提交申请", "确认提交")
    assert texts.review_action.text == "执行1+X证书课程申免流程操作"
    assert texts.print_action is not None
    assert texts.print_action.text == "打印申请记录"


def test_the_five_states_have_their_names_and_explanations(book: ExemptionScheme) -> None:
    """SW-17, SW-34, SW-39."""
    said = {state.title: state.explanation for state in book.states}
    assert list(said)[:5] == ["待提交", "已提交", "已驳回", "已初审", "已复核"]
    assert said["待提交"] == "申请信息已填写但尚未提交，可继续编辑"
    assert said["已提交"] == "学生成功提交申请，等待助学点审核"
    assert said["已驳回"] == "申请被驳回，学生可查看驳回原因并重新提交"
    assert said["已初审"] == "助学点审核通过，等待高校复核"
    assert said["已复核"] == "高校复核通过，申请成功，由高校向考试院提交申请记录"


def test_four_steps_show_how_far_an_application_is(book: ExemptionScheme) -> None:
    """SW-40."""
    assert [step.title.split("：")[0] for step in book.progress] == ["第一步", "第二步", "第三步", "第四步"]
    assert book.progress[2].title.endswith("助学点初审阶段")
    assert book.progress[3].title.endswith("高校复核阶段")
    titles = {state.id: state.title for state in book.states}
    assert [[titles[state] for state in step.states] for step in book.progress] == [
        ["待提交"],
        ["已驳回"],
        ["已提交"],
        ["已初审", "已复核", "已报考试院"],
    ]


def test_reviewers_sign_in_with_the_account_they_have_and_find_their_menu(head: Head) -> None:
    """SW-22, SW-23."""
    admin = next(role for role in head.roles if role.id == "teaching_point_admin")
    assert admin.menu_path == ("自考教务", "1+X管理", "1+X证书课程转换")
    assert admin.entry
    assert "使用上传实践成绩、论文成绩的账号" in admin.entry.text


def test_the_first_review_has_a_list_of_four_and_five_points(first: Stage) -> None:
    """SW-25, SW-27."""
    assert [item.id for item in first.checklist] == [
        "basic_information",
        "id_photos",
        "certificate_photo",
        "name_and_number",
    ]
    assert [item.id for item in first.points] == [
        "id_number",
        "photo_quality",
        "validity",
        "certificate_name",
        "own_mobile",
    ]


def test_the_final_review_has_a_list_of_five_and_five_standards(final: Stage) -> None:
    """SW-29, SW-32."""
    assert [item.id for item in final.checklist] == [
        "completeness",
        "genuine",
        "identity",
        "conditions",
        "photo_quality",
    ]
    assert len(final.points) == 5


def test_the_grounds_and_buttons_of_both_reviews_are_those_of_the_guide(first: Stage, final: Stage) -> None:
    """SW-26, SW-30, SW-41, SW-42."""
    assert (first.pass_action, first.return_action) == ("通过初审", "驳回申请")
    assert (final.pass_action, final.return_action) == ("通过终审", "驳回申请")
    assert first.pass_ground.text == "材料完整且信息准确"
    assert first.return_ground is not None
    assert "材料不清晰或信息有误" in first.return_ground.text
    assert final.pass_ground.text == "确认材料真实有效"
    assert final.return_ground is not None
    assert "发现问题" in final.return_ground.text


def test_each_stage_is_decided_by_its_own_role_at_its_own_level(first: Stage, final: Stage) -> None:
    """SW-28, SW-38."""
    assert (first.role, first.scope) == ("teaching_point_admin", "teaching_point")
    assert (final.role, final.scope) == ("university_admin", "university")
    assert first.separate_from_others
    assert final.separate_from_others
    assert "certificate_valid" in final.rechecks


def test_a_correction_starts_again_at_the_teaching_point(first: Stage, final: Stage) -> None:
    """SW-37."""
    assert (first.resubmit_to, final.resubmit_to) == ("first", "first")


def test_the_record_table_is_for_paper_and_made_by_the_university(book: ExemptionScheme) -> None:
    """SW-31."""
    assert book.record_table is not None
    assert book.record_table.role == "university_admin"
    assert book.record_table.note.text == "打印纸质版用于存档和后续处理"


def test_the_university_hands_approved_records_to_the_authority(head: Head, book: ExemptionScheme) -> None:
    """SW-33."""
    assert book.hand_off
    titles = {scope.level: scope.title for scope in head.levels}
    assert (book.hand_off.role, titles[book.hand_off.receiver_scope]) == ("university_admin", "考试院")


def test_three_contacts_can_be_asked(head: Head) -> None:
    """SW-35, SW-43: the teaching point is the candidate's own."""
    assert [(contact.about, contact.phones) for contact in head.contacts] == [
        ("助学点", ()),
        ("高校", ("0816-6089268",)),
        ("技术支持", ("0816-6089256",)),
    ]
    own = head.contacts[0]
    assert own.of_level == "teaching_point"
    assert own.text == "请联系您所在助学点（报名）的管理员"


def test_the_footer_names_the_system_and_who_interprets_the_guide(head: Head) -> None:
    """SW-36."""
    assert [sentence.text for sentence in head.footer] == [
        "© 2025 自学考试1+X证书课程免试申请系统",
        "本指南最终解释权归西南科技大学继续教育学院所有",
    ]


def test_every_certificate_of_the_list_has_a_lowest_level_and_courses(book: ExemptionScheme) -> None:
    """SW-45."""
    ladder = [level.id for level in book.levels]
    assert book.certificates
    for certificate in book.certificates:
        assert certificate.lowest_level in ladder
        assert all(len(code) == 5 and code.isdigit() for code in certificate.courses)


def test_what_the_sources_leave_open_is_marked_as_assumed() -> None:
    assert Catalog.load().get(REF).assumptions() > 0
