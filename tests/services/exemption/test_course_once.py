"""One course by two applications of one candidate: by two routes, at once, in another cycle, and once it is free again.

By Hubei's book (HB-21, HB-34), over HTTP. Everybody is invented.
"""

import asyncio

import httpx
import pytest

from tests.services.exemption.hb_office import PHARMACY, Hall, by_diploma, ticked
from tests.services.exemption.office import Person, code

pytestmark = pytest.mark.servers

TWICE = "exemption.course_in_another_application"


async def by_both(hall: Hall) -> tuple[Person, str, str]:
    """English by the diploma, and the same course by the certificate: two drafts."""
    who, record = await hall.candidate()
    diploma = await hall.drafted(who, by_diploma(record, ticked("03708", "00015")))
    return who, diploma, await hall.certified(who, "cet", ["00015"], PHARMACY, level="4")


def refused(answer: httpx.Response) -> list[str]:
    assert code(answer, 409) == TWICE
    assert "同一门课程只认定一次" in answer.json()["detail"]
    return list(answer.json()["facts"]["codes"])


async def test_what_the_diploma_gives_the_certificate_does_not_give_again_and_the_verdict_says_so(hall: Hall) -> None:
    who, diploma, certificate = await by_both(hall)
    assert (await hall.verdict(who, certificate))["would_be_accepted"]
    assert (await hall.submit(who, diploma)).status_code == 200
    (wrong,) = [each for each in (await hall.verdict(who, certificate))["findings"] if each["outcome"] == "refuse"]
    assert (wrong["rule"], wrong["code"]) == ("course_must_be_granted_once", TWICE)
    assert "exemption.course_once HB-21" in wrong["clause"]
    answer = await hall.submit(who, certificate)
    assert refused(answer) == ["00015"]
    assert answer.json()["facts"]["application"] == diploma
    assert (await hall.shown(who, certificate))["claims"][0]["form"]["level"] == "4"  # nothing entered is lost


async def test_nor_the_other_way_round_also_once_it_is_approved(hall: Hall) -> None:
    who, diploma, certificate = await by_both(hall)
    assert (await hall.submit(who, certificate)).status_code == 200
    assert (await hall.passed(certificate)).status_code == 200
    assert refused(await hall.submit(who, diploma)) == ["00015"]


async def test_of_two_that_arrive_at_once_one_is_taken(hall: Hall) -> None:
    for _ in range(3):
        who, *both = await by_both(hall)
        answers = await asyncio.gather(*(hall.submit(who, each) for each in both))
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (late,) = [answer for answer in answers if answer.status_code == 409]
        assert refused(late) == ["00015"]


async def test_what_was_approved_in_one_cycle_is_not_recognised_again_in_the_next(hall: Hall) -> None:
    who, diploma, _ = await by_both(hall)
    assert (await hall.submit(who, diploma)).status_code == 200
    assert (await hall.passed(diploma)).status_code == 200
    next_one = await hall.own_cycle()
    certificate = await next_one.certified(who, "cet", ["00015"], PHARMACY, level="4")
    assert refused(await next_one.submit(who, certificate)) == ["00015"]


async def test_what_was_sent_back_holds_no_course_until_it_is_handed_in_again(hall: Hall) -> None:
    who, diploma, certificate = await by_both(hall)
    assert (await hall.submit(who, diploma)).status_code == 200
    assert (await hall.returned(diploma, "score_wrong")).status_code == 200
    assert (await hall.submit(who, certificate)).status_code == 200
    assert refused(await hall.submit(who, diploma)) == ["00015"]
    record = (await hall.shown(who, diploma))["claims"][0]["form"]["record"]
    await hall.saved(who, diploma, by_diploma(record, ticked("03708")))
    assert (await hall.submit(who, diploma)).status_code == 200


async def test_other_courses_and_other_people_are_not_concerned(hall: Hall) -> None:
    who, diploma, _ = await by_both(hall)
    assert (await hall.submit(who, diploma)).status_code == 200
    computer = await hall.certified(who, "ncre_one", ["00018"], PHARMACY)
    assert (await hall.submit(who, computer)).status_code == 200
    somebody, _, theirs = await by_both(hall)
    assert (await hall.submit(somebody, theirs)).status_code == 200


async def test_whoever_ticked_fewer_claims_the_others_later_by_the_same_diploma(hall: Hall) -> None:
    """HB-13, HB-14, HB-23: a course is recognised once; the diploma is not used up, in this cycle or a later one."""
    who, record = await hall.candidate()
    one = await hall.drafted(who, by_diploma(record, ticked("03708")))
    assert (await hall.submit(who, one)).status_code == 200
    assert (await hall.passed(one)).status_code == 200
    other = await hall.drafted(who, by_diploma(record, ticked("03709")))
    assert (await hall.submit(who, other)).status_code == 200
    next_one = await hall.own_cycle()
    last = await next_one.drafted(who, by_diploma(record, ticked("03709", "00015")))
    assert refused(await next_one.submit(who, last)) == ["03709"]
    await next_one.saved(who, last, by_diploma(record, ticked("00015")))
    assert (await next_one.submit(who, last)).status_code == 200


async def test_one_certificate_is_good_for_both_of_its_courses_one_after_the_other(hall: Hall) -> None:
    """HB-21, HB-36."""
    who, _ = await hall.candidate()
    number = {"certificate_number": "NCRE1-2016-88"}
    theory, both, practice = [
        await hall.certified(who, "ncre_one", codes, PHARMACY, **number)
        for codes in (["00018"], ["00018", "00019"], ["00019"])
    ]
    assert (await hall.submit(who, theory)).status_code == 200
    assert refused(await hall.submit(who, both)) == ["00018"]
    assert (await hall.submit(who, practice)).status_code == 200
