"""申报告知单 on paper: number, time and what was handed in."""

from dataclasses import replace
from datetime import UTC, datetime

import pypdfium2

from shared.documents.receipt import Receipt, render

RECEIPT = Receipt(
    title="申报告知单",
    item="对自考考生免考课程的确认",
    authority="测试考试院",
    number="TT20230517000001",
    submission=2,
    submitted_at=datetime(2023, 5, 17, 1, 30, tzinfo=UTC),
    at="2023-05-17 09:30:00",
    person=(("考生姓名", "样本张三"), ("身份证号", "899999199903070014"), ("准考证号", "990000000001")),
    columns=("依据", "依据信息", "课程"),
    items=(("4、证书", "号码：TT-0001；等级：一级", "00018 计算机应用基础"),),
    notes=("请妥善保存",),
    contacts=("申办咨询：0531-00000000",),
)


def text(receipt: Receipt) -> str:
    pages = pypdfium2.PdfDocument(render(receipt))
    return "".join(page.get_textpage().get_text_bounded() for page in pages).replace("\r\n", "")


def test_number_time_person_courses_and_notes_are_on_the_paper() -> None:
    printed = text(RECEIPT)
    for said in (
        "申报告知单",
        "对自考考生免考课程的确认",
        "TT20230517000001",
        "2023-05-17 09:30:00",
        "第 2 次",
        "样本张三",
        "899999199903070014",
        "计算机应用基础",
        "00018",
        "4、证书",
        "号码：TT-0001；等级：一级",
        "请妥善保存",
        "0531-00000000",
        "测试考试院",
    ):
        assert said in printed, said


def test_a_book_that_gives_no_number_prints_no_line_for_it() -> None:
    assert "编号" not in text(replace(RECEIPT, number=""))


def test_fifty_courses_go_over_the_page_with_their_heading() -> None:
    many = replace(RECEIPT, items=RECEIPT.items * 50)
    pages = pypdfium2.PdfDocument(render(many))
    assert len(pages) > 1
    assert "依据信息" in pages[1].get_textpage().get_text_bounded()


def test_the_same_receipt_prints_the_same_bytes() -> None:
    assert render(RECEIPT) == render(RECEIPT)
