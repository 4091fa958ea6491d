"""Prior education when CHSI is forged, away, slow or silent, when processes die, and when people are erased."""

from datetime import timedelta
from uuid import uuid4

import pytest

from services.identity.domain.commands import RecordKeyDestroyed
from services.identity.main import SERVICE
from shared.kernel.messages import Meta
from shared.runtime.replay import compare
from tests.services.identity.schooling import CALLBACK, FOUND, World, form, number, open_cycle

pytestmark = pytest.mark.servers


# --- who says that they are CHSI


async def test_what_is_forged_old_unknown_or_no_answer_is_refused_and_leaves_nothing(w: World) -> None:
    me, cycle = await w.somebody(), await open_cycle(w.service)
    record = await w.submitted(me, cycle, form(number()))
    await w.due(record)
    (request,) = await w.requests(record)
    before = await w.kinds(record)
    unsigned = await w.web.client.post(CALLBACK, json={"request_id": request, "answer": FOUND})
    answers = [
        unsigned,
        await w.call(request, FOUND, at=w.now - timedelta(minutes=6)),
        await w.call(request, FOUND, at=w.now + timedelta(minutes=6)),
        await w.call("nobody-asked", FOUND),
        await w.call(request, {"result": "maybe"}),
        await w.call(request, {"result": "found", "on_record": {"holder": 7}}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [
        (403, "identity.chsi_signature_wrong"),
        (403, "identity.chsi_call_expired"),
        (403, "identity.chsi_call_expired"),
        (404, "identity.no_such_check"),
        (422, "identity.chsi_answer_unreadable"),
        (422, "identity.chsi_answer_unreadable"),
    ]
    assert await w.kinds(record) == before


# --- calls that fail, processes that die


async def test_a_lost_callback_is_found_by_looking(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"after_seconds": 1000.0}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"
    assert "EducationAnswerAwaited" in await w.kinds(record)
    assert len(await w.sandbox.queries(mine)) == 1


async def test_a_fault_after_taking_is_looked_up_and_not_asked_again(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"fault": "after_taking", "times": 1}})
    record = await w.submitted(me, cycle, form(mine))
    await w.due(record)
    assert (await w.kinds(record))[-1] == "EducationCheckDoubted"
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"
    assert len(await w.sandbox.queries(mine)) == 1


async def test_what_chsi_did_not_take_is_asked_anew_after_it_was_looked_up_twice(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"fault": "before_taking", "times": 1}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"
    assert len(await w.sandbox.queries(mine)) == 1
    assert await w.kinds(record) == [
        *("PriorEducationStarted", "EducationDraftSaved", "PriorEducationSubmitted", "EducationCheckAttempted"),
        *("EducationCheckDoubted", "EducationCheckDoubted", "EducationCheckFailed", "EducationCheckAttempted"),
        *("EducationCheckAccepted", "EducationAnswered", "PriorEducationConfirmed"),
    ]


async def test_a_process_that_dies_before_the_call_leaves_it_to_the_next_one(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    record = await w.submitted(me, cycle, form(mine))
    await w.begin_and_die(record)
    await w.due(record)
    assert await w.sandbox.queries(mine) == []
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"
    assert len(await w.sandbox.queries(mine)) == 1


async def test_replicas_with_a_timer_of_before_the_attempt_neither_look_nor_ask(w: World) -> None:
    """The lease of a timer may end too early (the database's clock set forward), while a call is under way."""
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    record = await w.submitted(me, cycle, form(mine))
    timer = await w.next_timer(record)
    assert timer is not None
    await w.begin_and_die(record)
    before = await w.kinds(record)
    for _ in range(4):
        await w.checker.check(w.service, timer)
    assert await w.kinds(record) == before
    assert await w.sandbox.queries(mine) == []


async def test_a_chsi_that_refuses_is_left_alone_after_some_tries_and_the_candidate_may_act(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"refuse": "quota_used_up"}})
    record = await w.submitted(me, cycle, form(mine))
    await w.run_on(record)
    assert (await w.kinds(record)).count("EducationCheckAttempted") == 6
    assert (await w.shown(me, record))["can_be_taken_back"]
    assert await w.sandbox.queries(mine) == []


async def test_a_chsi_that_fails_when_looked_at_is_looked_at_again(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"look_fault": True}})
    record = await w.submitted(me, cycle, form(mine))
    for _ in range(3):
        await w.due(record)
        timer = await w.next_timer(record)
        assert timer is not None
        w.move_to(timer.due_at)
    await w.sandbox.behaves(**{mine: {}})
    await w.run_on(record)
    assert (await w.shown(me, record))["title"] == "生效"


# --- the house


async def test_of_an_erased_person_nothing_more_is_asked(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    record = await w.submitted(me, cycle, form(mine))
    clerk = w.web.as_staff("chief", ("administrator", "*"))
    ground = {"ground": "asked_by_person"}
    assert (await w.web.client.post(f"/v1/people/{me}/erasure", headers=clerk, json=ground)).status_code == 200
    await w.service.keyring.erase(me)
    await w.service.handle(RecordKeyDestroyed(person=me), Meta(command_id=uuid4(), actor="timer", at=w.now))
    await w.due(record)
    assert (await w.kinds(record))[-1] == "EducationCheckUnresolved"
    assert (await w.row(record))["reason"] == "erased"
    assert await w.next_timer(record) is None
    assert await w.sandbox.queries(mine) == []


async def test_read_models_and_timers_are_rebuilt_without_a_difference(w: World) -> None:
    me, cycle, mine = await w.somebody(), await open_cycle(w.service), number()
    await w.sandbox.behaves(**{mine: {"answer": "unknown"}})
    failed = await w.submitted(me, cycle, form(mine))
    await w.run_on(failed)
    await w.ask(me, "put", f"/prior-educations/{failed}", {"form": form(mine)})
    waiting = await w.submitted(me, cycle, form(number()))
    await w.due(waiting)
    await w.submitted(me, cycle, form(number()))
    async with w.service.pool.acquire() as connection:
        found = await compare(connection, SERVICE, w.service.keyring)
    assert {table.name: table.samples for table in found.tables if table.differing} == {}
    rows = {table.name: table.rebuilt for table in found.tables}
    assert rows["education_records"] >= 3
    assert rows["education_checks"] >= 2
