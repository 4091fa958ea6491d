"""SW-43, SD-43, SX-E-11: candidates are shown whom to ask, and of their own office the telephone and hours."""

from datetime import time

import pytest

from services.exemption.api.contacts import contacts_shown
from services.exemption.domain.followed import Organisation
from services.exemption.main import BOOKS
from shared.schemes.book import Head
from shared.schemes.reference import Organisations, ServiceHours
from tests.services.exemption.office import Office

HEAD = BOOKS.head("swust/1x@1")
OFFICES = {
    "point": Organisation("point", "虚构助学点", "teaching_point", "hall", ("0816-6000002",)),
    "hall": Organisation("hall", "虚构大学", "university", None, ("0816-6000003", "0816-6000004")),
}
HOURS = ServiceHours(days="working_days", daily=((time(9), time(12)),), on_holidays="closed")
LISTED = Organisations.model_validate(
    {
        "levels": ["university"],
        "organisations": [
            {"id": "hall", "name": "虚构大学", "level": "university", "hours": HOURS.model_dump(), "source": "TT-01"}
        ],
    }
)


def head(level: str) -> Head:
    """Whose first contact leads to the office of this level."""
    first = HEAD.contacts[0].model_copy(update={"of_level": level})
    return HEAD.model_copy(update={"contacts": (first, *HEAD.contacts[1:])})


def test_the_office_of_the_level_is_the_one_that_was_chosen_or_above_it() -> None:
    own, *others = contacts_shown(HEAD, "point", OFFICES, LISTED)
    assert own.text == "请联系您所在助学点（报名）的管理员"
    assert own.office
    assert (own.office.title, own.office.phones, own.office.hours) == ("虚构助学点", ("0816-6000002",), None)
    assert [each.office for each in others] == [None, None]
    assert [each.phones for each in others] == [("0816-6089268",), ("0816-6089256",)]
    above = contacts_shown(head("university"), "point", OFFICES, LISTED)[0].office
    assert above
    assert (above.title, above.phones, above.hours) == ("虚构大学", OFFICES["hall"].phones, HOURS)


def test_who_has_chosen_none_yet_is_shown_the_words_alone() -> None:
    assert contacts_shown(HEAD, "hall", {"hall": OFFICES["hall"]}, None)[0].office is None
    assert contacts_shown(head("university"), "hall", OFFICES, None)[0].office


@pytest.mark.servers
async def test_a_candidate_reads_the_telephone_of_their_own_teaching_point(office: Office) -> None:
    who, cycle = await office.somebody(), await office.open_cycle()
    application = await office.submitted(who, cycle)
    path = f"/v1/applications/{application}"
    shown = (await office.me(who, "get", path)).json()["contacts"]
    assert [each["about"] for each in shown] == ["助学点", "高校", "技术支持"]
    assert shown[0]["office"] == {"title": "甲助学点", "phones": ["0816-6000001"], "hours": None}
    assert shown[1] == {
        "about": "高校",
        "text": "请联系高校自学考试办公室",
        "phones": ["0816-6089268"],
        "office": None,
    }
    reviewer = await office.staff("get", path, ("teaching_point_admin", "point-a"))
    assert "contacts" not in reviewer.json()
