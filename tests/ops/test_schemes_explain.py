"""`./zikao schemes explain`: a book as a page that an official reads."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from typer.testing import CliRunner, Result

from ops.schemes import app
from ops.schemes.explained import page_of
from services.exemption.domain.scheme import ExemptionScheme
from services.identity.domain.scheme import JurisdictionIdentity
from shared.schemes import pages
from shared.schemes.catalog import BOOKS, Book, Catalog
from shared.schemes.explaining import Explainer, Page, Row, Section
from shared.schemes.procedure import Sentence, Sourced
from shared.schemes.wording import WORDS, chinese
from shared.schemes.yaml_reading import read_sheet

GOOD = Path(__file__).parents[1] / "schemes" / "broken" / "good"
CLAIMS = GOOD.parents[1] / "claims_books"
SHELVES = {BOOKS: Catalog.load(BOOKS), GOOD: Catalog.load(GOOD)}
EVERY = [pytest.param(book, catalog, id=ref) for catalog in SHELVES.values() for ref, book in catalog.books.items()]
REAL = SHELVES[BOOKS]


def explain(*words: str, shelf: Path = BOOKS) -> Result:
    return CliRunner().invoke(app, ["explain", *words, "--shelf", str(shelf)])


def rows(section: Section | Page) -> Iterator[Row]:
    yield from () if isinstance(section, Page) else section.rows
    for each in section.sections:
        yield from rows(each)


def row(page: Page, name: str) -> Row:
    return next(each for each in rows(page) if each.name == name)


def sources(said: Any) -> Iterator[str]:
    if isinstance(said, dict):
        yield from (value for word, value in said.items() if word == "source" or word.endswith("_source"))
        said = list(said.values())
    for each in said if isinstance(said, list) else ():
        yield from sources(each)


@pytest.mark.parametrize(("book", "catalog"), EVERY)
def test_every_clause_of_every_book_is_on_its_page_once_and_every_assumption_is_counted(
    book: Book, catalog: Catalog
) -> None:
    page = page_of(book, catalog)
    said = [source for sheet in book.sheets.values() for source in sources(sheet.data)]
    assert page.clauses == len(said)
    assert len(page.assumed) == book.assumptions() == sum("assumption" in source for source in said)
    text = pages.markdown(page)
    assert re.findall(r"※(\d+) 假定", text) == [str(number) for number in range(1, len(page.assumed) + 1)]
    assert set(re.findall(r"[A-Z]{2,3}(?:-[A-Z])?-[0-9]{2}", " ".join(said))) <= set(
        re.findall(r"[A-Z]{2,3}(?:-[A-Z])?-[0-9]{2}", text)
    )


def test_a_procedure_of_a_university_is_told_from_its_form_to_its_notices() -> None:
    page = page_of(REAL.get("swust/1x@1"), REAL)
    assert [each.title for each in page.sections] == ["办理事项", "免考规则", "状态与后续", "通知"]
    assert "文件不超过：15 MB" in row(page, "要求").says
    assert "宽不小于：800 像素" in row(page, "要求").says
    assert "证件至少占画面：15%" in row(page, "要求").says
    assert row(page, "网上申请").says == ("起止日期由每个批次公布",)
    assert "免考课程：00157 管理会计(一)、00159 高级财务会计" in row(page, "智能财税职业技能等级证书").says
    assert row(page, "身份证正面照片不清晰或不完整").says == ("涉及材料：身份证正面",)
    assert row(page, "修改后提交到").says == ("第一个审核环节",)
    assert row(page, "批次由谁开放、延期、关闭").says == ("高校管理员、系统管理员",)
    assert row(page, "技术支持").says == ("如系统使用问题，请联系技术支持", "电话：0816-6089256")


def test_what_follows_a_state_is_what_the_decider_does() -> None:
    page = page_of(REAL.get("swust/1x@1"), REAL)
    follows = {
        each.name: each.says[1:] for each in next(each for each in page.sections if each.title == "状态与后续").rows
    }
    assert follows["待提交"] == ("考生放弃 → 已放弃", "考生提交 → 已提交")
    assert follows["已初审"] == ("高校管理员通过 → 已复核", "高校管理员退回 → 已驳回")
    assert follows["已报考试院"] == ("到此办结。",)


def test_hours_and_dates_are_written_as_notices_print_them() -> None:
    catalog = SHELVES[GOOD]
    page = page_of(catalog.get("made/guild@1"), catalog)
    assert "每日办理时间：09:00–12:00、13:00–17:00" in row(page, "申请").says
    assert "公布的日期：起：2026 年 4 月 30 日，止：2026 年 5 月 10 日（TT-02）" in row(page, "更正").says


class Odd(Sourced):
    """A clause in words that are in no dictionary."""

    name: str
    lanterns_lit: int = Field(description="How many lanterns must be lit.")
    password_of_the_day: Sentence | None = None


class NewPart(Sourced):
    """A part of a book that is all new."""

    harbours: tuple[Odd, ...]


def test_a_new_word_of_the_vocabulary_appears_by_itself_and_is_listed_as_unnamed() -> None:
    explainer = Explainer({}, lambda code: "")
    word = Sentence(text="开门", source="assumption")
    odd = Odd(name="北港", lanterns_lit=3, password_of_the_day=word, source="TT-01")
    chapter = explainer.chapter("新规", "new", NewPart(harbours=(odd,), source="TT-02"))
    assert list(rows(chapter)) == [Row("北港", ("lanterns_lit：3", "password_of_the_day：开门（※1 假定）"), "TT-01")]
    assert explainer.unnamed["lanterns_lit"] == "How many lanterns must be lit."
    assert explainer.assumed == ["新规 › harbours › 北港 › password_of_the_day"]


def test_every_word_of_the_books_has_a_chinese_name() -> None:
    for ref in REAL.refs():
        assert page_of(REAL.get(ref), REAL).unnamed == ()


def test_no_code_of_the_program_stands_where_a_name_is_known() -> None:
    """Codes stand beside their names, in backquotes; addresses and patterns are what they are."""
    for ref in (ref for ref in REAL.refs() if ref != "platform"):
        told = " ".join(fact for each in rows(page_of(REAL.get(ref), REAL)) for fact in each.says)
        told = re.sub(r"https?://\S+|\S+@\S+|（正则表达式）：\S+|例如：\S+|代码：\S+|代号（程序用）", "", told)
        codes = set(re.findall(r"\b[a-z]{2,}[a-z0-9_.-]*\b", told))
        assert codes <= {"jpg", "recognition", "exemption"}, ref


def test_what_another_part_or_the_reference_data_names_is_called_so() -> None:
    page = page_of(REAL.get("hb/recognition@1"), REAL)
    told = {fact for each in rows(page) for fact in each.says}
    assert {"类别：普通", "学历层次：专科、本科", "种类：全国大学英(日)语等级考试", "最低等级：四级"} <= told
    assert "涉及材料：学历证书课程学习成果认证：专科或本科成绩单" in told
    assert "选项列表：学历层次" in told
    assert "您的学历成果认证申请已通过〔环节〕。" in told
    assert "编号样式：SDMK〔年〕〔月〕〔日〕〔流水号〕" in row(page_of(REAL.get("sd/exemption@1"), REAL), "编号").says


def test_nothing_is_told_of_comparing_numbers_where_no_number_is_asked() -> None:
    for ref, asked in (("hb/recognition@1", True), ("sx/exemption@1", True), ("sd/exemption@1", False)):
        names = {each.name for each in rows(page_of(REAL.get(ref), REAL))}
        assert ("证书编号与他人相同时" in names) is asked, ref


@pytest.mark.parametrize("book", Catalog.load(CLAIMS).with_part("exemption"), ids=lambda book: book.ref)
def test_every_word_of_the_vocabulary_has_a_chinese_name_and_every_clause_a_name_or_a_number(book: Book) -> None:
    """The books in `claims_books` say every word that there is."""
    explainer = Explainer({}, lambda code: "")
    said = book.part("exemption", ExemptionScheme)
    chapter = explainer.chapter("免考规则", "exemption", said)
    assert explainer.unnamed == {}, "add them to shared/schemes/words.yaml"
    assert explainer.clauses == len(list(sources(book.sheets["exemption"].data)))
    assert all(each.name for each in rows(chapter))


def test_a_fee_is_told_in_yuan_with_its_refunds_and_what_follows_from_it() -> None:
    catalog = Catalog.load(CLAIMS)
    page = page_of(catalog.get("lagoon/ferry@1"), catalog)
    told = {fact for each in rows(page) for fact in each.says} | {
        f"{each.name}：{fact}" for each in rows(page) for fact in each.says
    }
    assert {"每门（份）：25.00 元", "计费：按课程门数", "在哪个环节之前缴清：初核"} <= told
    assert "退还已缴费用的情形：被后一次提交取代、审核不通过" in "".join(sorted(told))
    assert {"支付系统告知已缴费 → 待初核", "时间段结束 → 逾期未缴费"} <= told


def test_every_word_about_persons_has_a_chinese_name() -> None:
    explainer = Explainer({}, lambda code: "")
    explainer.chapter(
        "身份核验", "identity", Catalog.load(CLAIMS).get("lagoon/isle@1").part("identity", JurisdictionIdentity)
    )
    assert explainer.unnamed == {}, "add them to shared/schemes/words.yaml"


def test_the_dictionary_says_of_each_word_only_what_it_can_use() -> None:
    units = {*chinese().units, "bytes", "seconds", "percent", "fen", "hours", "ratio", "courses", "office", ""}
    units |= {"certificate", "certificate_level", "code_list", "diploma", "document", "window"}
    assert {word.unit for word in chinese().words.values()} <= units
    assert read_sheet(WORDS.read_bytes()).data.keys() == {"words", "entries", "units", "commands", "places"}


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (3145728, "bytes", "3 MB"),
        (20480, "bytes", "20 KB"),
        (1536, "bytes", "1.5 KB"),
        (1000, "bytes", "1000 字节"),
        (43200, "seconds", "12 小时"),
        (90, "seconds", "1.5 分钟"),
        (100, "seconds", "100 秒"),
        (0.15, "percent", "15%"),
        (5050, "fen", "50.50 元"),
    ],
)
def test_figures_are_told_in_units_that_people_use(value: float, unit: str, said: str) -> None:
    word = next(each for each in chinese().words.values() if each.unit == unit)
    assert chinese().figure(value, word) == said


def test_the_html_is_one_file_that_needs_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    assert explain("swust/1x@1", "--html", str(file)).exit_code == 0
    html = file.read_text("utf-8")
    assert "<mark>※1 假定</mark>" in html
    assert '<span class="row">SW-36</span>' in html
    assert not re.findall(r"<(script|link|img)\b|url\(|src=", html)
    assert html.count("<td") == html.count("</td>")


def test_what_a_book_says_is_text_and_never_markup(tmp_path: Path) -> None:
    row = Row("<b>", ("<script>alert(1)</script>",), "TT-01", "a&b")
    html = pages.html(Page("<i>", ("<u>",), (Section("<s>", rows=(row,)),), 1, (), ()))
    assert not re.findall(r"<(b|i|u|s|script)>", html)
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "a \\| b" in pages.markdown(Page("t", (), (Section("s", rows=(Row("a | b", ("x",)),)),), 1, (), ()))


def test_the_page_goes_to_the_terminal_or_into_a_file_or_says_why_not(tmp_path: Path) -> None:
    shown = explain("made/guild@1", shelf=GOOD)
    assert shown.stdout.startswith("# 行会证书免考\n")
    assert "原文未载明、由系统假定的条款共 2 处。" in shown.stdout
    assert explain("made/guild@1", "--out", str(tmp_path / "a.md"), shelf=GOOD).exit_code == 0
    assert (tmp_path / "a.md").read_text("utf-8") == shown.stdout
    nowhere = explain("made/guild@1", "--out", str(tmp_path / "no" / "a.md"), shelf=GOOD)
    assert (nowhere.exit_code, nowhere.stderr.endswith("cannot be written: No such file or directory.\n")) == (1, True)
    unknown = explain("made/guild@7", shelf=GOOD)
    assert (unknown.exit_code, unknown.stderr) == (1, "There is no book made/guild@7; there are made/guild@1.\n")
