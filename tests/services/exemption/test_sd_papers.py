"""Shandong 2023H1: the one-inch photograph with the real workers, the Word document and the declaration notice."""

import io
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import pypdfium2
import pytest
from docx import Document
from PIL import Image

from services.exemption.domain.commands import FollowOrganisation
from shared.testing.pictures import plain
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.services.exemption.office import Office, Person, code, open_office
from tests.services.exemption.sd_desk import NOTICE, PROVINCE, Desk, course, shanghai

pytestmark = pytest.mark.servers

BLUE = "#a8d0f0"
WORD = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


@pytest.fixture(scope="module")
async def desk(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Desk]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_office(url, tmp_path_factory.mktemp("blobs"), now=NOTICE) as office:
            told = FollowOrganisation(
                organisation=PROVINCE, title="山东省教育招生考试院", level="province", parent=None, phones=()
            )
            await office.tell(told)
            yield Desk(office)


@pytest.fixture
async def cycle(desk: Desk) -> str:
    desk.at(NOTICE)
    opened = await desk.open_cycle()
    desk.at(shanghai(17, 9, 30))
    return opened


# --- the one-inch photograph


async def sent(office: Office, who: Person, application: str, data: bytes, *, crop: bool = False) -> httpx.Response:
    return await office.me(
        who,
        "post",
        "/v1/uploads/crop" if crop else "/v1/uploads",
        data={"application": application, "slot": "portrait"},
        files={"file": ("一寸照.jpg", data, "image/jpeg")},
    )


def failing(answer: httpx.Response) -> dict[str, Any]:
    """What was measured, by the rule that failed."""
    assert code(answer, 422) == "exemption.photo_refused"
    return {each["code"]: each["measured"] for each in answer.json()["facts"]["failed"]}


def rotated(data: bytes) -> bytes:
    held = io.BytesIO()
    with Image.open(io.BytesIO(data)) as image:
        exif = image.getexif()
        exif[0x0112] = 6
        image.save(held, "JPEG", exif=exif)
    return held.getvalue()


def padded(data: bytes, to: int) -> bytes:
    """The same picture in a file of so many bytes."""
    return data + b"\0" * (to - len(data))


INCH = plain((295, 413), colour=BLUE)


@pytest.mark.parametrize(
    ("data", "measured", "crop"),
    [
        (plain((212, 282), colour=BLUE), {"photo.wrong_aspect": 0.752}, False),  # a cut would be too narrow
        (plain((480, 640), colour=BLUE), {"photo.wrong_aspect": 0.75}, True),
        (plain((210, 294), colour=BLUE), {"photo.too_small": [210, 294]}, False),
        (plain((500, 700), colour=BLUE), {"photo.too_large": [500, 700]}, True),
        (plain((295, 413), colour=BLUE, form="PNG"), {"photo.wrong_format": "PNG"}, False),
        (padded(INCH, 51_201), {"photo.too_many_bytes": 51_201}, True),
        (plain((295, 413), mode="CMYK"), {"photo.wrong_colours": "CMYK", "photo.wrong_background": 0.0}, False),
        (plain((295, 413), colour="#ffffff"), {"photo.wrong_background": 0.0}, False),
        (rotated(INCH), {"photo.wrong_aspect": 1.4}, False),
        (
            plain((600, 600), colour="#cc2222"),
            {"photo.too_large": [600, 600], "photo.wrong_aspect": 1.0, "photo.wrong_background": 0.0},
            True,
        ),
    ],
    ids=[
        "the smallest corner of the notice is not 5:7",
        "the largest corner of the notice is not 5:7",
        "too small",
        "too large",
        "a png named jpg",
        "one byte more than 50 KB",
        "cmyk",
        "white behind",
        "lying on its side by its metadata",
        "three rules at once",
    ],
)
async def test_each_rule_that_fails_is_named_with_what_was_measured(
    desk: Desk, cycle: str, data: bytes, measured: dict[str, Any], crop: bool
) -> None:
    """SD-26, SD-27, SD-28, SD-29, SD-30, SD-47, SD-54."""
    me = await desk.office.somebody()
    refused = await sent(desk.office, me, await desk.started(me, cycle), data)
    told = failing(refused)
    assert {rule: told[rule] for rule in measured if rule != "photo.wrong_background"} == {
        rule: value for rule, value in measured.items() if rule != "photo.wrong_background"
    }
    assert told.keys() == measured.keys()
    facts = refused.json()["facts"]
    assert "照片要求使用近期正面免冠彩色照片" in facts["hint"] or facts["hint"] == "背景须为淡蓝色"
    assert all(each["zh"] for each in facts["failed"])
    assert facts["crop_offered"] is crop


async def test_exactly_fifty_kilobytes_and_the_standard_inch_are_taken(desk: Desk, cycle: str) -> None:
    """SD-28, SD-29."""
    me = await desk.office.somebody()
    answer = await sent(desk.office, me, await desk.started(me, cycle), padded(INCH, 51_200))
    assert answer.status_code == 201, answer.text


async def test_a_crop_is_offered_looked_at_and_then_taken(desk: Desk, cycle: str) -> None:
    """SD-28: a picture of a phone becomes a one-inch photograph; offering it stores nothing."""
    me = await desk.office.somebody()
    application = await desk.started(me, cycle)
    phone = plain((3000, 4000), colour=BLUE)
    assert failing(await sent(desk.office, me, application, phone)).keys() >= {"photo.wrong_aspect"}
    offer = await sent(desk.office, me, application, phone, crop=True)
    assert (offer.status_code, offer.headers["content-type"]) == (200, "image/jpeg")
    with Image.open(io.BytesIO(offer.content)) as image:
        assert image.width * 7 == image.height * 5
    taken = await sent(desk.office, me, application, offer.content)
    assert taken.status_code == 201, taken.text
    body = {"form": {}, "photos": {"portrait": taken.json()["id"]}}
    saved = await desk.office.me(me, "put", f"/v1/applications/{application}/draft", json=body)
    assert saved.status_code == 200, saved.text


async def test_what_no_cut_can_mend_is_said_to_be_so(desk: Desk, cycle: str) -> None:
    me, other = await desk.office.somebody(), await desk.office.somebody()
    application = await desk.started(me, cycle)
    small = plain((100, 140), colour=BLUE)
    refused = await sent(desk.office, me, application, small, crop=True)
    assert code(refused, 422) == "exemption.nothing_to_crop"
    assert code(await sent(desk.office, other, application, small, crop=True), 404) == "access.not_found"


# --- the Word document


async def exported(desk: Desk, who: Person, application: str) -> httpx.Response:
    return await desk.office.me(who, "get", f"/v1/applications/{application}/form-document")


async def test_the_filled_in_form_is_exported_before_it_is_handed_in_and_that_has_no_effect(
    desk: Desk, cycle: str
) -> None:
    """SD-18, SD-20, SD-21, SD-24, SD-31, SD-35, SD-36, SD-52."""
    me, ticket = await desk.office.somebody(), desk.ticket()
    application = await desk.draft(me, cycle, ticket, course(), course("00019", "计算机应用基础(实践)", "2020-12"))
    before = await desk.shown(me, application)
    answer = await exported(desk, me, application)
    assert (answer.status_code, answer.headers["content-type"]) == (200, WORD)
    assert answer.headers["content-disposition"].startswith("attachment")
    document = Document(io.BytesIO(answer.content))
    said = [paragraph.text for paragraph in document.paragraphs if paragraph.text]
    assert said == [
        "山东省高等教育自学考试免考课程申请（确认）表",
        "对于同一个准考证号，多次在此页面提交免考申请，以最后一次提交的内容为准",
        "免考课程及依据",
        "注：导出申请表后请点击下一步并提交该条数据，此次申请方可生效。",
    ]
    form, rows = document.tables
    cells = [cell.text for row in form.rows for cell in row.cells]
    told = dict(pairwise(cells))
    assert told["编号"] == "提交时编号由系统自动生成"
    assert told["申请时间"] == "2023-05-17"
    assert (told["考生姓名"], told["身份证号"], told["准考证号"]) == (me.holder, me.id_number, ticket)
    assert (told["拟申请毕业的专业名称"], told["原专业层次"]) == ("会计学（本科）", "本科")
    assert told["联系地址（省、市、区）"] == "山东省 济南市 历下区"
    assert [[cell.text for cell in row.cells] for row in rows.rows] == [
        ["序号", "拟免考课程及名称", "课程代码", "考试时间或证书获得时间", "免考依据"],
        ["1", "计算机应用基础", "00018", "2019年03月", "4、全国计算机应用技术证书(NIT)"],
        ["2", "计算机应用基础(实践)", "00019", "2020年12月", "4、全国计算机应用技术证书(NIT)"],
    ]
    assert len(document.inline_shapes) == 1, "the portrait"
    assert await desk.shown(me, application) == before


async def test_a_form_that_is_only_begun_can_be_exported_too(desk: Desk, cycle: str) -> None:
    """SD-35, SD-51."""
    me = await desk.office.somebody()
    application = await desk.started(me, cycle)
    assert (await exported(desk, me, application)).status_code == 200
    row = {"basis": "", "form": {}, "photos": {}, "courses": [course("", "计算机", "2019年")]}
    body = {"form": {"name": "样本甲"}, "photos": {}, "claims": [row]}
    saved = await desk.office.me(me, "put", f"/v1/applications/{application}/draft", json=body)
    assert saved.status_code == 200, saved.text
    _, rows = Document(io.BytesIO((await exported(desk, me, application)).content)).tables
    assert [cell.text for cell in rows.rows[1].cells] == ["1", "计算机", "", "2019年", ""]


async def test_once_handed_in_the_document_has_the_number_and_nobody_else_gets_it(desk: Desk, cycle: str) -> None:
    """SD-20."""
    me, other = await desk.office.somebody(), await desk.office.somebody()
    application = await desk.submitted(me, cycle, desk.ticket())
    number = (await desk.shown(me, application))["number"]
    form = Document(io.BytesIO((await exported(desk, me, application)).content)).tables[0]
    assert form.rows[0].cells[1].text == number
    assert code(await exported(desk, other, application), 404) == "access.not_found"


# --- 申报告知单


async def test_the_declaration_notice_appears_with_number_and_time_once_it_is_handed_in(desk: Desk, cycle: str) -> None:
    """SD-38."""
    me, other, ticket = await desk.office.somebody(), await desk.office.somebody(), desk.ticket()
    application = await desk.draft(me, cycle, ticket)
    for kind in ("receipt", "receipt-document"):
        early = await desk.office.me(me, "get", f"/v1/applications/{application}/{kind}")
        assert code(early, 409) == "exemption.no_receipt"
    desk.at(shanghai(17, 9, 45))
    assert (await desk.submit(me, application)).status_code == 200
    told = (await desk.office.me(me, "get", f"/v1/applications/{application}/receipt")).json()
    number = (await desk.shown(me, application))["number"]
    assert (told["title"], told["number"], told["submission"]) == ("申报告知单", number, 1)
    assert told["items"][0]["course_code"] == "00018"
    answer = await desk.office.me(me, "get", f"/v1/applications/{application}/receipt-document")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    pages = pypdfium2.PdfDocument(answer.content)
    printed = "".join(page.get_textpage().get_text_bounded() for page in pages).replace("\r\n", "")
    for said in ("申报告知单", number, "2023-05-17 09:45:00", me.holder, ticket, "计算机应用基础", "过期不予保留"):
        assert said in printed, said
    for kind in ("receipt", "receipt-document"):
        theirs = await desk.office.me(other, "get", f"/v1/applications/{application}/{kind}")
        assert code(theirs, 404) == "access.not_found"
