"""What the page of Shanxi's exemption procedure promises, row by row, stands in the book (SX-E-*)."""

import pytest

from services.exemption.domain.bases import Basis
from services.exemption.domain.scheme import ExemptionScheme, Page
from services.notification.domain.scheme import NotificationScheme
from shared.documents.images import inspect
from shared.documents.photo_rules import PhotoRules
from shared.schemes.book import Head
from shared.schemes.catalog import Catalog
from shared.testing.pictures import id_front, paper_alone

CATALOG = Catalog.load()
REF = "sx/exemption@1"
SX = CATALOG.get(REF)
HEAD = SX.part("scheme", Head)
BOOK = SX.part("exemption", ExemptionScheme)
NOTICES = SX.part("notification", NotificationScheme)
MAJORS = CATALOG.reference.majors["sx"]


def page(name: str) -> Page:
    return next(each for each in BOOK.texts.pages if each.id == name)


def basis(name: str) -> Basis:
    found = BOOK.basis(name)
    assert found
    return found


def offered(name: str) -> list[str]:
    return [code for offer in basis(name).courses.offers for code in offer.courses]


def test_the_way_in_leads_from_the_authoritys_site_to_the_platform() -> None:
    """SX-E-01."""
    assert HEAD.entrance
    assert (HEAD.entrance.start, HEAD.entrance.site) == ("http://www.sxkszx.cn", "http://zikao.sxkszx.cn/")
    assert HEAD.entrance.steps == ("考生登录", "自学考试考生网上服务平台")
    assert HEAD.title.text == "山西自学考试信息服务平台"


def test_five_tiles_and_eight_queries_stand_in_the_centre_and_two_open_by_windows_of_this_book() -> None:
    """SX-E-14, SX-E-15."""
    assert HEAD.home
    quick, queries = HEAD.home.groups
    assert (quick.title, queries.title) == ("快捷入口", "查询中心")
    assert [tile.title for tile in quick.tiles] == [
        *("理论课报名", "转考申请", "免考申请", "实践性环节报名", "毕业申请"),
    ]
    assert [tile.title for tile in queries.tiles] == [
        *("合格成绩查询", "当次成绩查询", "报考简章", "专业计划查询"),
        *("准考证打印", "免考审核结果查询", "毕业审定结果查询", "通知公告"),
    ]
    assert {tile.title: tile.window for tile in HEAD.home.tiles() if tile.window} == {
        "免考申请": "apply",
        "免考审核结果查询": "results",
    }
    assert HEAD.home.closed == "未开放"


def test_every_page_has_the_slogan_the_way_home_and_the_footer_of_the_authority() -> None:
    """SX-E-16."""
    assert HEAD.slogan
    assert HEAD.slogan.text == "学习改变命运，自考成就梦想!"
    assert HEAD.home
    assert HEAD.home.back == "系统首页"
    assert HEAD.footer[0].text == "版权所有：山西省招生考试管理中心 晋ICP备07002787"


def test_only_verified_and_enrolled_candidates_may_apply() -> None:
    """SX-E-10, SX-E-17."""
    assert BOOK.conditions.person_verified
    assert "系统认证通过后即可进行免考申请" in BOOK.conditions.person_verified.text
    assert BOOK.conditions.enrolled
    assert BOOK.conditions.enrolled.text == "可申请免考考生：在籍考生并注册平台的考生。"


def test_at_most_two_different_majors_and_a_closing_one_for_its_own_candidates_only() -> None:
    """SX-E-18, SX-E-23, SX-E-40."""
    assert BOOK.majors
    assert (BOOK.majors.least, BOOK.majors.most) == (1, 2)
    assert BOOK.majors.closing
    assert BOOK.majors.closing.text == "*停*预停考专业限老生申请。"
    assert [each.name for each in MAJORS.majors if each.closing] == ["小学教育"]
    assert BOOK.majors.cover


def test_every_one_of_the_35_majors_has_a_plan_so_that_none_refuses_everything() -> None:
    """SX-E-22, SX-E-40."""
    planned = {plan.major: plan.codes() for plan in BOOK.plans}
    assert set(planned) == {f"{each.level} {each.code}" for each in MAJORS.majors}
    exempted = {code for each in BOOK.bases for code in offered(each.id)}
    assert all(codes & exempted for codes in planned.values())


def test_reapplication_is_once_for_wrong_material_or_course_information_unlocked_at_the_point() -> None:
    """SX-E-19, SX-E-35, SX-E-36, SX-E-38, SX-E-51."""
    unique = BOOK.uniqueness
    assert unique
    assert (unique.rule, unique.times, unique.text) == ("once_and_again", 1, "重新申请机会仅限一次")
    assert unique.unlocking
    assert [each.text for each in unique.unlocking.seen] == ["本人身份证", "免考申请信息详情页（网上打印）"]
    assert [each.code for each in unique.unlocking.reasons] == ["wrong_material", "wrong_course_information"]
    point = BOOK.field_of("organisation")
    assert point
    assert unique.unlocking.scope == point.level
    assert unique.unlocking.window == BOOK.submit.window == BOOK.once_resubmitted.window == "apply"
    assert unique.keeps == ("organisation",)
    assert "assumption" in unique.source


def test_there_is_no_confirmation_on_site_and_who_reviews_is_found_from_the_chosen_point_upwards() -> None:
    """SX-E-09, SX-E-20."""
    point = BOOK.field_of("organisation")
    assert point
    assert (point.label, point.hint, point.required) == ("免考确认点", "请选择", True)
    assert [each.level for each in HEAD.levels] == ["county", "province"]
    assert not any(stage.onsite for stage in BOOK.stages)
    (stage,) = BOOK.stages
    assert (stage.scope, stage.outcomes) == ("province", ("pass", "refuse"))
    assert stage.starts_after
    assert stage.starts_after.window == "apply"


def test_the_first_page_asks_for_these_fields_and_what_the_account_knows_is_the_accounts() -> None:
    """SX-E-21."""
    assert [each.label for each in BOOK.fields] == [
        *("免考确认点", "姓名", "身份证号", "性别", "准考证号", "考区", "专业", "固定电话", "手机号"),
    ]
    assert {each.label: each.same_as_account for each in BOOK.fields if each.same_as_account} == {
        "姓名": "holder",
        "身份证号": "id_number",
        "准考证号": "ticket_number",
        "手机号": "mobile",
    }
    assert {each.label for each in BOOK.fields if not each.required} == {"性别", "考区", "固定电话"}


def test_one_to_four_certificates() -> None:
    """SX-E-24, SX-E-44."""
    assert BOOK.claims
    assert (BOOK.claims.least, BOOK.claims.most) == (1, 4)


def test_the_eight_certificate_types_stand_in_their_order_and_words() -> None:
    """SX-E-25, SX-E-45."""
    assert [(each.number, each.title) for each in BOOK.bases] == [
        (1, "学历证书"),
        (2, "全国公共英语等级考试PETS二级及以上证书"),
        (3, "全国计算机等级考试(NCRE)NCRE一级及以上合格证书"),
        (4, "全国计算机应用技术证书(NIT)合格证书(NIT《管理系统中信息技术的应用》模块证书)"),
        (
            5,
            "全国计算机应用技术证书(NIT)合格证书(NIT《计算机应用基础》模块证书与NIT《文字处理》《电子表格》《桌面出版》"
            "《会计电算化》《数据库》《程序设计》《计算机绘图》《多媒体应用》《因特网》《局域网》等其中之一,两个合格证)",
        ),
        (6, "全国大学英(日)语等级考试四级及以上证书或成绩单"),
        (7, "全国公共英语等级考试PETS三级及以上证书"),
        (8, "全国计算机等级考试(NCRE)NCRE二级及以上合格证书"),
    ]
    asked = {each.number: each.certificate and (each.certificate.type, each.certificate.lowest) for each in BOOK.bases}
    assert asked == {
        1: ("diploma", None),
        2: ("pets", "2"),
        3: ("ncre", "1"),
        4: ("nit", None),
        5: ("nit", None),
        6: ("cet", "4"),
        7: ("pets", "3"),
        8: ("ncre", "2"),
    }


def test_the_nit_pair_is_one_entry_with_two_certificates_and_the_list_of_ten_is_open() -> None:
    """SX-E-26."""
    modules = basis("nit_pair").modules
    assert modules
    assert modules.all_of == ("计算机应用基础",)
    assert (len(modules.any_of), modules.any_of_open) == (10, True)
    assert [each.slot for each in basis("nit_pair").asked_photos()] == ["paper_1", "paper_2"]
    numbers = [each.name for each in basis("nit_pair").asked_fields() if each.kind == "certificate_number"]
    assert numbers == ["number_1", "number_2"]
    single = basis("nit_systems").modules
    assert single
    assert (single.all_of, single.any_of) == (("管理系统中信息技术的应用",), ())


def test_the_form_of_a_certificate_depends_on_its_type() -> None:
    """SX-E-27, SX-E-46."""
    asked = {each.id: [field.name for field in each.asked_fields()] for each in BOOK.bases}
    for name in ("pets_two", "pets_three", "ncre_one", "ncre_two", "cet_four"):
        assert asked[name] == ["level", "taken_in", "subject", "number"]
    assert asked["diploma"] == ["school", "graduated_on", "number"]
    assert asked["nit_systems"] == ["taken_in", "number_1"]
    assert [(f.label, f.hint) for f in basis("ncre_one").fields[1:3]] == [
        ("考试时间", "请选择"),
        ("考试科目", "请选择"),
    ]
    assert [entry.title for entry in BOOK.lists["cet_subjects"]] == ["英语", "日语"]
    assert all(each.asked_photos() and all(slot.required for slot in each.asked_photos()) for each in BOOK.bases)


def test_theory_and_practice_are_offered_together_and_chosen_one_by_one() -> None:
    """SX-E-28."""
    assert offered("ncre_one") == ["00018", "00019"]
    assert all(each.courses.choose == "some" for each in BOOK.bases)
    assert all(each.courses.offers for each in BOOK.bases)


def test_a_certificate_is_used_once_in_a_cycle_and_a_course_is_given_once_for_ever() -> None:
    """SX-E-24, SX-E-28: whoever claimed theory alone claims practice later, by the same certificate."""
    assert BOOK.certificate_once
    assert BOOK.certificate_once.within == "cycle"
    assert BOOK.course_once


@pytest.mark.parametrize(
    ("size", "taken"),
    [((801, 601), True), ((601, 801), True), ((800, 601), False), ((801, 600), False), ((600, 801), False)],
)
def test_a_certificate_photograph_is_strictly_over_800_by_600_in_either_orientation(
    size: tuple[int, int], taken: bool
) -> None:
    """SX-E-29."""
    picture = paper_alone(id_front(), size)
    for each in BOOK.bases:
        for slot in each.asked_photos():
            rules = PhotoRules(**slot.photo.asked())
            too_small = [result.code for result in inspect(picture, rules).failures if "small" in result.code]
            assert bool(too_small) != taken


def test_a_certificate_photograph_is_strictly_below_three_megabytes_and_clear() -> None:
    """SX-E-29."""
    for each in BOOK.bases:
        for slot in each.asked_photos():
            rules = PhotoRules(**slot.photo.asked())
            assert (rules.max_bytes, rules.bytes_inclusive) == (3 * 1024 * 1024, False)
            assert rules.min_sharpness
            assert "照片分辨率大于 800*600，照片文件小于 3M" in slot.capture_hint.text


def test_the_five_pages_have_their_titles_hints_and_buttons() -> None:
    """SX-E-24, 31, 32, 33, 43, 44, 47, 48."""
    assert [each.title for each in BOOK.texts.pages] == [
        "免考申请信息填报",
        "免考申请证书课程填报",
        "免考申请证书课程填报",
        "山西省高等教育自学考试免考申请信息确认页",
        "山西省高等教育自学考试免考申请信息详情",
    ]
    assert [each.text for each in page("basics").hints] == [
        "考生可选择两个不同专业的课程进行免考申请。",
        "*停*预停考专业限老生申请。",
    ]
    assert page("basics").holds == ("fields", "majors")
    assert page("claims").hints[0].text == (
        "请选择用于申请免考的证书，填选相关信息。使用多个(最多四个)证书申请免考的，请增选相应数量的证书。"
    )
    assert page("claims").row_actions == ("查看照片", "删除课程")
    assert page("claims").actions == ("新增免考课程", "上一步", "下一步")
    assert page("confirmation").row_actions == ("查看照片",)
    assert page("confirmation").actions == ("上一步", "提交", "返回首页")
    assert page("confirmation").reads_only
    assert page("confirmation").holds == ("fields", "majors", "claims"), "everything, also the chosen majors"


def test_a_certificate_is_kept_by_ok() -> None:
    """SX-E-30."""
    assert page("claim").actions == ("确定",)
    assert page("claim").holds == ("claim",)


def test_the_details_can_be_printed_and_once_returned_reapplying_stands_where_printing_stood() -> None:
    """SX-E-34, SX-E-48, SX-E-49."""
    assert page("details").actions == ("打印", "返回首页")
    assert page("details").returned_actions == ("重新申请", "返回首页")
    assert BOOK.receipt
    assert BOOK.receipt.title == page("details").title
    columns = BOOK.receipt.columns
    assert (columns.basis, columns.details, columns.course) == ("证书", "证书信息", "免考课程")
    assert "携带本人身份证、免考申请信息详情页（网上打印）到确认点提出申请" in BOOK.receipt.notes[0].text
    assert (BOOK.texts.print_action and BOOK.texts.print_action.text, BOOK.texts.edit_action.text) == (
        "打印",
        "重新申请",
    )


def test_the_returned_state_has_its_name_and_the_candidate_is_told_with_the_reason() -> None:
    """SX-E-37."""
    assert BOOK.state("returned").title == "被退回"
    told = NOTICES.moments["exemption.unlocked"]
    assert told.channels == ("sms", "inbox")
    assert told.sms
    assert "{reason}" in told.sms.text
    assert "重新申请机会仅限一次" in told.sms.text


def test_results_have_a_query_of_their_own_and_no_notice_tells_them_before() -> None:
    """SX-E-39."""
    assert BOOK.results
    window = BOOK.purpose(BOOK.results.window)
    assert window
    assert (window.title, window.query) == ("免考审核结果查询", True)
    told = {f"exemption.{moment}" for moment in ("submitted", "unlocked", "lapsed", "revived")}
    assert set(NOTICES.moments) == told


def test_the_source_has_no_dates_so_the_book_announces_none() -> None:
    """SX-E-38."""
    assert not any(each.announced for each in BOOK.windows)


def test_the_confirmation_point_can_be_telephoned() -> None:
    """SX-E-11, SX-E-50."""
    asked = HEAD.contacts[0]
    assert (asked.about, asked.of_level) == ("免考确认点", "county")
    assert "可电话咨询免考确认点并携带相关材料前往办理" in asked.text


def test_the_three_points_of_emphasis_are_those_of_the_page() -> None:
    """SX-E-17, SX-E-18, SX-E-19."""
    assert [each.text for each in BOOK.texts.notices] == [
        "可申请免考考生：在籍考生并注册平台的考生。",
        "考生可选择两个不同专业的课程进行免考申请。",
        "免考申请提交完成后，如发现个人免考材料或课程信息选填有误可进行重新申请，重新申请机会仅限一次。",
    ]


def test_what_the_source_leaves_open_is_marked_as_assumed() -> None:
    assert SX.assumptions() > 0
    assert "assumption" in BOOK.stages[0].source
    assert all(plan.source == "assumption" for plan in BOOK.plans)
