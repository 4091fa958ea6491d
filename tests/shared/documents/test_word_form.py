"""The form as a Word document: read back, everything stands where it belongs, whatever was typed."""

import io
import zipfile
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from docx import Document
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.documents.word_form import WordForm, write
from shared.testing.pictures import plain

FORM = WordForm(
    title="免考课程申请表",
    above="以最后一次提交的内容为准",
    fields=(
        ("编号", "提交时编号由系统自动生成"),
        ("申请时间", "2023-05-17"),
        ("考生姓名", "样本张三"),
        ("身份证号", "899999199903070014"),
        ("联系地址", "山东省 济南市 历下区 一条很长很长的路一百二十三号"),
        ("原专业层次", "本科"),
    ),
    portrait="一寸证件照",
    rows_title="免考课程及依据",
    columns=("序号", "课程名称", "课程代码", "时间", "免考依据"),
    rows=(("1", "计算机应用基础", "00018", "2019年03月", "4、证书"), ("2", "", "", "", "")),
    notes=("提交该条数据，此次申请方可生效。",),
    made_at=datetime(2023, 5, 17, 1, 30, tzinfo=UTC),
)
PORTRAIT = plain((295, 413))


def read(data: bytes) -> list[list[list[str]]]:
    """The tables, row by row; a merged cell is there once for each cell that it covers."""
    return [[[cell.text for cell in row.cells] for row in table.rows] for table in Document(io.BytesIO(data)).tables]


def test_fields_stand_in_pairs_beside_the_portrait_and_long_ones_have_a_line_to_themselves() -> None:
    fields, _ = read(write(FORM))
    assert fields[0] == ["编号", "提交时编号由系统自动生成", "申请时间", "2023-05-17", "一寸证件照"]
    assert fields[1] == ["考生姓名", "样本张三", "身份证号", "899999199903070014", "一寸证件照"]
    assert fields[2] == ["原专业层次", "本科", "本科", "本科", "一寸证件照"]
    assert fields[3][:2] == ["联系地址", FORM.fields[4][1]]


def test_the_courses_stand_below_with_their_headings() -> None:
    _, rows = read(write(FORM))
    assert rows == [list(FORM.columns), *map(list, FORM.rows)]


def test_title_rule_and_note_stand_above_and_below() -> None:
    said = [paragraph.text for paragraph in Document(io.BytesIO(write(FORM))).paragraphs]
    assert [each for each in said if each] == [FORM.title, FORM.above, FORM.rows_title, *FORM.notes]


def test_the_portrait_is_in_the_document_once_it_is_there() -> None:
    def pictures(data: bytes) -> list[bytes]:
        with zipfile.ZipFile(io.BytesIO(data)) as parts:
            return [parts.read(name) for name in parts.namelist() if name.startswith("word/media/")]

    assert pictures(write(FORM, PORTRAIT)) == [PORTRAIT]
    assert pictures(write(FORM)) == []
    assert read(write(FORM, PORTRAIT))[0][0][4] == ""


def test_a_form_without_courses_or_portrait_has_one_table_of_four_columns() -> None:
    (fields,) = read(write(replace(FORM, columns=(), rows=(), portrait=None)))
    assert len(fields[0]) == 4


def test_the_same_data_makes_the_same_bytes_and_names_nobody_as_its_author() -> None:
    made = write(FORM, PORTRAIT)
    assert made == write(FORM, PORTRAIT)
    about = Document(io.BytesIO(made)).core_properties
    assert (about.author, about.last_modified_by, about.title) == ("", "", FORM.title)


@pytest.mark.parametrize(
    ("typed", "shown"), [("甲\x01乙", "甲〔U+0001〕乙"), ("\u202e甲", "〔U+202E〕甲"), ("<w:p/>&", "<w:p/>&")]
)
def test_what_xml_cannot_hold_is_written_by_its_number_and_nothing_is_markup(typed: str, shown: str) -> None:
    fields, _ = read(write(replace(FORM, fields=(("考生姓名", typed), *FORM.fields[1:]))))
    assert fields[0][1] == shown


@settings(deadline=None, max_examples=25)
@given(st.text(max_size=60))
def test_whatever_is_typed_makes_a_document_that_can_be_read(typed: str) -> None:
    assert read(write(replace(FORM, fields=(("考生姓名", typed),), rows=((typed,) * 5,))))
