"""What the numbers of other people's diplomas tell, how often numbers may be tried, and whose diploma takes effect."""

import pytest

from tests.services.identity import people
from tests.services.identity.schooling import RULES, World, form, number, open_cycle

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
