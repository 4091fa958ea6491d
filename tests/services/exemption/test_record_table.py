"""申请记录表 (SW-31): what is printed, and that it is printed alike."""

from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2

from shared.documents.record_table import Claim, Decision, Picture, RecordTable, render
from shared.testing.pictures import plain

TABLE = RecordTable(
    title="自学考试1+X证书课程免试申请记录表",
    number="application-1",
    approved_at=datetime(2026, 3, 10, 4, 5, 6, 789, tzinfo=UTC),
    fields=(("姓名", "样本张三"), ("身份证号码", "899999199903070014"), ("备注信息", "=HYPERLINK()" * 20)),
    courses=("00018 计算机应用基础", "00019"),
    claims=(),
    decisions=(Decision("初审", "已初审", "甲助学点", "staff-1", "2026-03-10 12:00:00", ("信息准确",), "材料完整"),),
    pictures=(Picture("身份证正面", "a" * 64), Picture("1+X证书", "b" * 64)),
    note="打印纸质版用于存档和后续处理",
    footer=("页脚",),
)
PICTURES = [plain((640, 400)), plain((400, 640))]


def test_everything_of_the_application_is_on_the_paper() -> None:
    printed = pypdfium2.PdfDocument(render(TABLE, PICTURES))
    text = "".join(page.get_textpage().get_text_bounded() for page in printed).replace("\r\n", "")
    for said in ("申请记录表", "样本张三", "899999199903070014", "00018", "初审", "staff-1", "材料完整", "身份证正面"):
        assert said in text
    images = [each for page in printed for each in page.get_objects() if each.type == 3]
    assert len(images) == len(PICTURES)


def test_each_claim_is_printed_with_what_it_rests_on_and_its_courses() -> None:
    claims = (
        Claim("2、英语四级证书", (("证书编号", "CET-1"), ("取得日期", "2019-03-02")), (("00015 英语(二)", ()),)),
        Claim("学历证书", (("毕业院校", "样例学院" * 8),), (("00018", (("成绩", "75"), ("已学课程名称", "#计算机"))),)),
    )
    printed = pypdfium2.PdfDocument(render(replace(TABLE, claims=claims), PICTURES))
    text = "".join("".join(page.get_textpage().get_text_bounded() for page in printed).split())
    for said in ("依据1", "2、英语四级证书", "CET-1", "2019-03-02", "00015英语(二)", "依据2", "样例学院" * 8):
        assert said in text, said
    assert "成绩：75；已学课程名称：#计算机" in text
    assert "四、证件照片" in text


def test_the_same_data_prints_the_same_bytes_and_other_data_another_digest() -> None:
    assert render(TABLE, PICTURES) == render(TABLE, PICTURES)
    assert replace(TABLE, number="application-2").digest != TABLE.digest


def test_a_character_that_no_font_has_is_printed_by_its_number_instead_of_vanishing() -> None:
    rare = "样本\U000f1234👍"
    printed = render(replace(TABLE, fields=(("姓名", rare),)), PICTURES)
    text = pypdfium2.PdfDocument(printed)[0].get_textpage().get_text_bounded()
    assert "样本〔U+F1234〕〔U+1F44D〕" in text


def test_what_people_type_is_never_read_as_layout() -> None:
    typed = '#import "x" $ * _ [ ] \\ <script> #sys.inputs'
    table = replace(TABLE, fields=(("备注信息", typed),))
    text = pypdfium2.PdfDocument(render(table, PICTURES))[0].get_textpage().get_text_bounded()
    assert "<script>" in text
    assert "#sys.inputs" in text
