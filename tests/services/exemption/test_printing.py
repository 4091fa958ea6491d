"""打印申请记录 over HTTP: all that is known of an application is on the paper, and printing is recorded (SW-31)."""

import pypdfium2
import pytest

from services.exemption.domain.commands import ForgetPerson
from tests.services.exemption.office import DEAN, Office, code

pytestmark = pytest.mark.servers


async def printed(office: Office, application: str) -> list[str]:
    """The digests of what was printed, as the events have them."""
    async with office.web.service.reading() as connection:
        past = await office.web.service.history(connection, f"application-{application}")
    return [fact.event.digest for fact in past if fact.event.name == "exemption.record_table_printed.v1"]


async def test_all_that_is_known_of_the_application_is_on_the_paper(office: Office) -> None:
    who, cycle = await office.somebody("样本赵六"), await office.open_cycle()
    remark = "备注一句"
    application = await office.granted(who, cycle, ticket_number="080123456789", remark=remark)
    answer = await office.staff("post", f"/v1/applications/{application}/record-table", DEAN)
    assert answer.status_code == 200, answer.text
    pages = list(pypdfium2.PdfDocument(answer.content))
    text = "".join("".join(page.get_textpage().get_text_bounded() for page in pages).split())
    said = [application, "甲助学点", "测试大学", "网店运营推广职业技能等级证书", "中级", "2028-06-29", "00896", remark]
    said += [who.holder, who.id_number, who.mobile, who.certificate_number, "080123456789"]
    said += ["初审", "已初审", "复核", "已复核", "材料完整", "学生填写的基本信息准确", "符合免试条件"]
    said += ["身份证正面", "身份证反面", "1+X证书", "teaching_point_admin-at-point-a"]  # an id: identity is away
    assert [each for each in said if each not in text] == []
    (digest,) = await printed(office, application)
    assert digest[:23] in text


async def test_what_cannot_be_printed_is_not_recorded_as_printed(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.granted(who, cycle)
    async with office.web.service.reading() as connection:
        lost = await connection.fetchval("select picture from uploads where application = $1 limit 1", application)
    await office.web.service.blobs.delete(lost)
    answer = await office.staff("post", f"/v1/applications/{application}/record-table", DEAN)
    assert code(answer, 404) == "access.not_found"
    assert await printed(office, application) == []


async def test_the_record_of_an_erased_person_cannot_be_printed(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.granted(who, cycle)
    await office.tell(ForgetPerson(person=who.id))
    await office.keyring.erase(who.id)
    office.web.service.keyring._kept.pop(who.id, None)
    answer = await office.staff("post", f"/v1/applications/{application}/record-table", DEAN)
    assert code(answer, 410) == "exemption.person_erased"
