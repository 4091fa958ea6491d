"""毕业生登记表 on paper: A3 on both sides, nothing lost, and the same bytes for the same form."""

import io
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import cv2
import numpy as np
import pypdfium2
import pytest
from PIL import Image

from shared.documents.fonts import chinese_font, missing_glyphs
from shared.documents.registration_form import Field, Line, Opinion, RegistrationForm, render
from shared.kernel.errors import Refused

A3 = (1191, 842)
WORDS = "在自学考试期间政治上积极要求进步，工作中认真负责，学习上刻苦钻研。"


def _photo() -> bytes:
    made = io.BytesIO()
    Image.new("RGB", (295, 413), (190, 215, 240)).save(made, "JPEG")
    return made.getvalue()


FORM = RegistrationForm(
    title="毕业生登记表",
    authority="样例省高等教育自学考试",
    number="TT2026G000001",
    made_at=datetime(2026, 6, 1, tzinfo=UTC),
    cover=(("姓名", "样本张三"), ("主考院校", "样例大学"), ("专业", "行政管理（专科）")),
    notes=("白色A3纸双面打印，短边翻转，一式两份。",),
    basics=(
        Field("姓名", "样本张三"),
        Field("身份证号", "899999199903070014"),
        Field("性别", "男"),
        Field("准考证号", "990000000001"),
        Field("民族", "汉族"),
        Field("职业", "职员"),
        Field("政治面貌", "群众"),
        Field("手机号", "13900000000"),
        Field("已取得学历", "高中"),
        Field("健康状况", "健康或良好"),
        Field("参加工作时间", "2019年07月01日"),
        Field("是否华侨、港澳、台属", "否"),
        Field("籍贯", "样例省样例市", wide=True),
        Field("工作单位", "样例市样例有限公司", wide=True),
        Field("详细住址", "样例省样例市样例街道1号", wide=True),
    ),
    photo=_photo(),
    cv=(Line("2013年09月", "2016年06月", "样例市第一中学学习"),),
    family="家庭主要成员姓名：样本张父、工作单位：样例厂、职务：工人",
    awards="奖励：无、处分：无",
    self_assessment=WORDS * 13,
    least_words=400,
    declaration="本人承诺以上内容真实，否则后果自负。",
    appraisal=Opinion("思想品德鉴定", choices=("合格", "不合格"), by="鉴定人"),
    opinions=(Opinion("县（市、区）自考部门意见"), Opinion("毕业审定工作组意见")),
    qr="https://zikao.example/counter/TT2026G000001",
    qr_note="窗口扫码打开",
)


@cache
def pages(form: RegistrationForm) -> pypdfium2.PdfDocument:
    return pypdfium2.PdfDocument(render(form))


def texts(form: RegistrationForm) -> list[str]:
    """Of each side, without the breaks of lines."""
    return [page.get_textpage().get_text_bounded().replace("\r\n", "") for page in pages(form)]


def halves(page: pypdfium2.PdfPage) -> tuple[str, str]:
    width, height = page.get_size()
    text = page.get_textpage()
    left, right = text.get_text_bounded(right=width / 2), text.get_text_bounded(left=width / 2)
    assert height < width
    return left.replace("\r\n", ""), right.replace("\r\n", "")


def test_a_copy_is_one_sheet_of_a3_with_pages_4_and_1_in_front_and_2_and_3_behind() -> None:
    sides = pages(FORM)
    assert [tuple(round(each) for each in side.get_size()) for side in sides] == [A3] * 4
    assert ["第4页" in halves(sides[0])[0], "第1页" in halves(sides[0])[1]] == [True, True]
    assert ["第2页" in halves(sides[1])[0], "第3页" in halves(sides[1])[1]] == [True, True]


def test_there_are_two_copies_that_say_which_they_are() -> None:
    said = texts(FORM)
    assert ["第1份" in each for each in said] == [True, True, False, False]
    assert ["第2份" in each for each in said] == [False, False, True, True]
    assert len(texts(replace(FORM, copies=1))) == 2


def test_every_field_of_the_form_is_on_the_paper() -> None:
    back = texts(FORM)[1]
    for field in FORM.basics:
        assert field.value in back, field.label
    for said in (
        "样例市第一中学学习",
        "2013年09月",
        FORM.family,
        FORM.awards,
        WORDS * 13,
        "本人签名",
        FORM.declaration,
    ):
        assert said in back, said
    front = texts(FORM)[0]
    for said in (
        "毕业生登记表",
        "样例省高等教育自学考试",
        "TT2026G000001",
        "思想品德鉴定",
        "□合格",
        "鉴定人",
        "（公章）",
    ):
        assert said in front.replace(" ", ""), said


def test_the_code_on_the_cover_reads_as_what_it_was_given() -> None:
    drawn = pages(FORM)[0].render(scale=2).to_pil().convert("RGB")
    assert cv2.QRCodeDetector().detectAndDecode(np.asarray(drawn))[0] == FORM.qr


def test_the_photograph_is_an_inch_wide_at_the_top_right_of_page_two() -> None:
    drawn = pages(FORM)[1].render(scale=2).to_pil().convert("RGB")
    pixels = np.asarray(drawn).astype(int)
    blue = np.argwhere(np.abs(pixels - (190, 215, 240)).sum(axis=2) < 12)
    (top, left), (bottom, right) = blue.min(axis=0), blue.max(axis=0)
    millimetres = 25.4 / 144
    assert 23 < (right - left) * millimetres < 27
    assert 33 < (bottom - top) * millimetres < 37
    assert right < drawn.width / 2
    assert top < drawn.height / 8


def test_an_empty_cv_still_has_its_seven_rows() -> None:
    assert "在何地何单位学习或工作" in texts(replace(FORM, cv=()))[1]
    assert len(texts(replace(FORM, cv=()))) == 4


def test_room_is_ruled_where_the_self_assessment_is_written_by_hand() -> None:
    by_hand = replace(FORM, self_assessment=None)
    ruled, plain = (
        pages(form)[1].render(scale=1).to_pil().convert("L") for form in (by_hand, replace(FORM, self_assessment=""))
    )
    assert np.asarray(ruled).mean() < np.asarray(plain).mean()
    assert "自我鉴定" in texts(by_hand)[1]


@pytest.mark.parametrize("count", [400, 2400, 5000])
def test_no_character_of_a_self_assessment_is_lost(count: int) -> None:
    written = "".join(chr(0x4E00 + place % 2000) for place in range(count))
    assert not missing_glyphs(written, chinese_font())
    said = texts(replace(FORM, self_assessment=written, copies=1))
    whole = "".join(said).replace("〔转续页〕", "")
    assert all(written[at : at + 25] in whole or _split(written[at : at + 25], whole) for at in range(0, count, 25))
    assert all(whole.count(char) >= written.count(char) for char in set(written))


def _split(piece: str, whole: str) -> bool:
    """Its two parts stand on two pages."""
    return any(piece[:at] in whole and piece[at:] in whole for at in range(1, len(piece)))


def test_what_does_not_fit_goes_on_marked_on_a_sheet_that_is_signed_too() -> None:
    said = texts(replace(FORM, self_assessment=WORDS * 147, copies=1))
    assert len(said) == 4
    assert "〔转续页〕" in said[1]
    assert "毕业生登记表（续页）" in said[2]
    assert "接“自我鉴定”" in said[2]
    assert "本人签名" in said[2]
    assert "共6页" in said[0]


def test_every_box_that_is_too_small_goes_on() -> None:
    long = "样例市" * 90
    grown = replace(
        FORM,
        basics=(*FORM.basics[:-1], Field("详细住址", long, wide=True)),
        cv=(Line("2013年09月", "2016年06月", long),),
        family="家庭成员。\n" * 40,
        awards="奖励。" * 400,
        cover=(("姓名", long),),
        copies=1,
    )
    on = "".join(texts(grown)[2:])
    for name in ("详细住址", "个人简历第1行", "家庭主要成员", "奖励或处分", "姓名"):
        assert f"接“{name}”" in on


def test_a_name_of_sixty_characters_stands_whole_on_its_page() -> None:
    name = "样本" * 30
    said = texts(replace(FORM, basics=(Field("姓名", name), *FORM.basics[1:]), copies=1))
    assert name in said[1]
    assert "899999199903070014" in said[1]
    assert len(said) == 2


@pytest.mark.skipif(bool(missing_glyphs("𠮷", chinese_font())), reason="this font lacks it: the next test is the one")
def test_a_rare_character_that_the_font_has_is_printed() -> None:
    assert "𠮷田" in texts(replace(FORM, cover=(("姓名", "𠮷田"),)))[0]


@pytest.mark.parametrize("char", ["\U0002ffff", "😀", "\u202e", "\ue000", "\x07"])
def test_a_character_that_cannot_be_printed_is_refused_with_its_field(char: str) -> None:
    with pytest.raises(Refused) as refused:
        render(replace(FORM, cover=(("姓名", f"样本{char}"),)))
    assert refused.value.code == "documents.characters_not_printable"
    assert refused.value.facts == {"fields": ["姓名"], "characters": [f"U+{ord(char):04X}"]}


def test_the_same_form_prints_the_same_bytes_and_another_prints_others() -> None:
    assert render(FORM) == render(FORM)
    assert render(FORM) != render(replace(FORM, awards="奖励：有"))
