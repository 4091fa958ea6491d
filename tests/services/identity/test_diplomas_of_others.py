"""What the numbers of other people's diplomas tell, how often numbers may be tried, and whose diploma takes effect."""

import asyncio

import pytest

from services.identity.main import SERVICE
from shared.events.identity import DiplomaSeenElsewhere
from shared.runtime.replay import compare
from tests.services.identity import people
from tests.services.identity.schooling import NOT_FOUND, RULES, World, form, in_effect, number, open_cycle

pytestmark = pytest.mark.servers


async def test_the_number_of_somebody_elses_diploma_tells_nothing_of_its_owner(w: World) -> None:
    """One's own name, and a number that was guessed or seen over a shoulder."""
    me, cycle, theirs = await w.somebody(), await open_cycle(w.service), number()
    owner = {"holder": "样本乙", "school": "另一所学院", "major": "护理学", "graduated_on": "2009-07-01", "level": "21"}
    await w.sandbox.behaves(**{theirs: {"on_record": owner}})
    record = await w.submitted(me, cycle, form(theirs))
    await w.run_on(record)
    shown = await w.shown(me, record)
    assert (shown["reason"], shown["differences"]) == ("name_differs", [])


async def test_of_two_of_one_name_a_diploma_takes_effect_for_its_owner_only(w: World) -> None:
    owner, namesake = people.Person(), people.Person()
    cycle, diploma = await open_cycle(w.service), number()
    await w.sandbox.behaves(**{diploma: {"id_number": owner.id_number}})
    found = {}
    for who in (owner, namesake):
        me = await w.office.registered(who)
        record = await w.submitted(me, cycle, form(diploma))
        await w.run_on(record)
        found[who.id_number] = (await w.shown(me, record))["state"]
    assert found == {owner.id_number: "effective", namesake.id_number: "not_effective"}


async def test_numbers_cannot_be_tried_one_after_the_other(w: World) -> None:
    """What is refused counts for nothing, and another record is no way round; the next day one may go on."""
    me, cycle = await w.somebody(), await open_cycle(w.service)
    await w.sandbox.behaves(_={"answer": "unknown"})
    faulty = await w.drafted(me, cycle, form(number(), level="幼儿园"))
    assert (await w.ask(me, "post", f"/prior-educations/{faulty}/submit")).status_code == 422
    for _ in range(RULES.book.tries.most):
        record = await w.submitted(me, cycle, form(number()))
    late = await w.drafted(me, cycle, form(number()))
    refused = await w.ask(me, "post", f"/prior-educations/{late}/submit")
    assert (refused.status_code, refused.json()["code"]) == (429, "request.too_many")
    assert (await w.shown(me, late))["state"] == "draft"
    await w.submitted(await w.somebody(), cycle, form(number()))
    w.move(days=1)
    assert (await w.ask(me, "post", f"/prior-educations/{late}/submit")).status_code == 200
    assert (await w.row(record))["state"] == "submitted"


async def test_a_namesakes_diploma_shows_where_it_differs_but_not_what_it_says(w: World) -> None:
    me, cycle, theirs = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{theirs: {"on_record": {"major": "护理", "graduated_on": "2018-07-30"}}})
    record = await w.submitted(me, cycle, form(theirs))
    await w.run_on(record)
    shown = await w.shown(me, record)
    assert {each["field"]: each["positions"] for each in shown["differences"]} == {
        "major": [1, 2],
        "graduated_on": [7],
    }
    assert "护理" not in str(shown)
    assert "2018-07-30" not in str(shown)


# --- one diploma in effect for two people

OFFICE = ("authority_clerk", "hb-prov")


async def shared(w: World, role: tuple[str, str] = OFFICE) -> list[set[str]]:
    """The records of each diploma that the clerk is shown."""
    listed = (await w.clerk("get", "/shared-diplomas", role)).json()["diplomas"]
    return [{each["record"] for each in diploma["holdings"]} for diploma in listed]


async def flags(w: World, record: str) -> list[DiplomaSeenElsewhere]:
    async with w.service.reading() as connection:
        past = await w.service.history(connection, f"diploma-{record}")
    return [fact.event for fact in past]


async def test_one_diploma_in_effect_for_two_people_is_shown_to_the_office_and_to_no_candidate(w: World) -> None:
    """F-15: CHSI says yes to both, as with two ID numbers of one person."""
    one, other, diploma = await w.somebody(), await w.somebody(), number()
    first = await in_effect(w.service, one, diploma)
    alone = await w.shown(one, first)
    assert not any(first in each for each in await shared(w))
    second = await in_effect(w.service, other, f" {diploma[:6]} {diploma[6:]} ")
    assert {first, second} in await shared(w)
    assert await flags(w, first) == []
    (flag,) = await flags(w, second)
    assert (flag.others, flag.clause.split(".")[-1]) == ((first,), "contradictions assumption")
    assert await w.shown(one, first) == alone
    assert (await w.shown(other, second))["version"] == alone["version"], "nor does a version tell"
    told = (await w.clerk("get", f"/shared-diplomas/{second}", OFFICE)).json()["holdings"]
    assert {each["record"]: each["form"]["certificate_number"] for each in told} == {first: diploma, second: diploma}
    assert {each["person"] for each in told} == {one, other}
    assert told[0]["labels"]["certificate_number"] == "毕业证书编号"


async def test_only_the_office_of_the_book_is_shown_it(w: World) -> None:
    diploma = number()
    first, _ = [await in_effect(w.service, await w.somebody(), diploma) for _ in range(2)]
    alone = await in_effect(w.service, await w.somebody(), number())
    for role in (("authority_clerk", "sx-prov"), ("university_admin", "hb-prov"), ("auditor", "*")):
        assert await shared(w, role) == []
        answer = await w.clerk("get", f"/shared-diplomas/{first}", role)
        assert (answer.status_code, answer.json()["code"]) == (404, "access.not_found")
    for nothing in (alone, "no-such-record"):
        assert (await w.clerk("get", f"/shared-diplomas/{nothing}", OFFICE)).status_code == 404


async def test_of_two_that_take_effect_at_once_one_is_flagged(w: World) -> None:
    diploma, people_ = number(), [await w.somebody() for _ in range(2)]
    records = await asyncio.gather(*(in_effect(w.service, each, diploma) for each in people_))
    assert set(records) in await shared(w)
    assert sorted([len(await flags(w, each)) for each in records]) == [0, 1]


async def test_ones_own_second_record_of_a_diploma_is_nobody_elses(w: World) -> None:
    me, diploma = await w.somebody(), number()
    records = [await in_effect(w.service, me, diploma) for _ in range(2)]
    assert not any(set(records) & each for each in await shared(w))
    assert await flags(w, records[1]) == []


async def test_what_is_settled_or_erased_is_gone_from_the_list_and_everything_can_be_rebuilt(w: World) -> None:
    diploma, (one, other, third) = number(), [await w.somebody() for _ in range(3)]
    records = [await in_effect(w.service, each, diploma) for each in (one, other, third)]
    (request,) = await w.requests(records[1])
    assert (await w.call(request, NOT_FOUND)).status_code == 200
    case = await w.disputed(records[1], OFFICE)
    counts = next(each["number"] for each in case["answers"] if each["result"] == "not_found")
    said = {"request": request, "seen": 2, "counts": counts, "note": "样本：电话核实"}
    assert (await w.settled(records[1], OFFICE, said)).status_code == 200
    assert {records[0], records[2]} in await shared(w)
    erasing = {"ground": "asked_by_person"}
    erased = await w.clerk("post", f"/people/{third}/erasure", ("administrator", "*"), erasing)
    assert erased.status_code == 200, erased.text
    assert not any(records[0] in each for each in await shared(w))
    async with w.service.reading() as connection:
        found = await compare(connection, SERVICE, w.service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
    assert {table.name for table in found.tables if table.rebuilt} >= {"diploma_numbers", "education_records"}
