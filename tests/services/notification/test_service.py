"""From a fact of another service to an SMS in somebody's pocket, on real stores and the sandbox.

The count that matters is taken in the sandbox, which never deduplicates for us. What can go wrong: `test_faults.py`.
"""

import asyncio

import pytest
from msgspec import structs

from shared.kernel.messages import Event
from shared.runtime.consumer import Consumer
from shared.runtime.replay import compare
from shared.runtime.service import Service
from shared.schemes.catalog import Catalog
from shared.testing.stores import KEK
from tests.conftest import Databases
from tests.sandbox.serving import Sandbox
from tests.services.notification.world import (
    GRANTED,
    PASSED,
    REFUSED,
    RELEASED,
    RETURNED,
    Gateways,
    World,
    code_issued,
    registered,
    replaced,
    submitted,
    world,
)

pytestmark = pytest.mark.servers


# --- the good way


async def test_a_return_becomes_one_sms_with_its_reason_and_a_delivered_receipt(w: World) -> None:
    """SW-03, SW-26: to the number in the form, at once, with the reason."""
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert "未通过初审，原因：身份证正面照片不清晰或不完整" in sms["text"]
    assert await w.state(message) == ("accepted", "")
    await w.due(seconds=3)
    assert await w.state(message) == ("delivered", "DELIVERED")
    assert await w.kinds(message) == [
        "MessageRequested",
        "SendingAttempted",
        "MessageAccepted",
        "MessageDelivered",
    ]
    assert (await w.requested(message)).inbox_text.count("请在光线充足处重拍") == 1


async def test_a_return_at_the_second_stage_is_told_by_sms_too(w: World) -> None:
    """SW-30."""
    who = await w.somebody()
    at_second: Event = structs.replace(RETURNED, stage="复核")  # type: ignore[type-var]
    await w.told("exemption", who, submitted(who), PASSED, at_second)
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert "未通过复核" in sms["text"]


@pytest.mark.parametrize(
    ("decided", "words"),
    [
        (GRANTED, "您的免考课程申请审核通过，仅限本次毕业申请使用，过期不予保留"),
        (REFUSED, "您的免考课程申请审核不通过，原因：不符合免考实施细则"),
    ],
    ids=["granted", "refused"],
)
async def test_both_results_reach_the_candidate_by_sms_in_the_words_of_the_provinces_book(
    w: World, decided: Event, words: str
) -> None:
    """SD-40."""
    who = await w.somebody()
    handed_in = submitted(who, scheme="sd/exemption@1")
    message = await w.told("exemption", who, handed_in, decided)
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert words in sms["text"]
    await w.due(seconds=3)
    assert await w.state(message) == ("delivered", "DELIVERED")


async def test_whose_ticket_number_was_released_is_told_by_sms_and_why_in_the_inbox(w: World) -> None:
    """SD-46."""
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who, scheme="sd/exemption@1"), RELEASED)
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert "您的免考课程申请所填准考证号经核实属于他人，已由考试机构释放，不能再用于您的申请" in sms["text"]
    assert RELEASED.note not in sms["text"]
    inbox = (await w.requested(message)).inbox_text
    assert inbox.count(RELEASED.reason) == inbox.count(RELEASED.note) == 1
    await w.due(seconds=3)
    assert await w.state(message) == ("delivered", "DELIVERED")


async def test_every_event_of_a_message_belongs_to_the_case_and_the_person_and_says_what_caused_it(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.run_on(message)
    history = await w.history(message)
    assert {(fact.meta.case, fact.meta.person) for fact in history} == {(who.case, who.person)}
    envelopes = await w.sources["exemption"].feed(0, 100)
    assert history[0].meta.causation == next(e.event_id for e in envelopes if e.type == RETURNED.name)
    assert all(fact.meta.causation for fact in history)


async def test_what_the_book_says_only_for_the_inbox_sends_no_sms(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who))
    assert await w.state(message) == ("none", "")
    assert await w.next_timer(message) is None
    await w.due()
    assert await w.sandbox.sent(who.mobile) == []


async def test_a_code_is_sent_to_the_number_it_was_issued_for(w: World) -> None:
    who = await w.somebody()
    await w.told("identity", who, code_issued(who, w.clock))
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert sms["parameters"] == {"code": "424242"}


async def test_the_number_given_last_is_the_one_that_is_told(w: World) -> None:
    who = await w.somebody()
    await w.told("exemption", who, submitted(who))
    w.clock.forward(seconds=1)
    await w.say("identity", who, registered(who), replaced(who, "13877770001"))
    await w.hear()
    await w.told("exemption", who, GRANTED)
    await w.due()
    assert await w.sandbox.sent(who.mobile) == []
    assert len(await w.sandbox.sent("13877770001")) == 1


# --- arriving twice, late, before our time


async def test_the_same_fact_twice_is_one_sms(w: World) -> None:
    who = await w.somebody()
    envelopes = await w.say("exemption", who, submitted(who), RETURNED)
    twin = Consumer(w.service, w.feed)
    await twin.begin("exemption")
    await asyncio.gather(w.consumer.take(envelopes), twin.take(envelopes))
    await w.consumer.take(envelopes)
    await w.hear()
    for message in await w.messages(who):
        await w.run_on(message)
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_history_from_before_our_deployment_teaches_but_tells_nobody(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> None:
    async with databases.fresh(template=template) as url, world(url, sandbox, gateways, catalog) as w:
        who = await w.somebody()
        await w.say("exemption", who, submitted(who), RETURNED)
        for name in w.sources:
            await w.consumer.begin(name)
        await w.hear()
        await w.due(hours=1)
        assert (await w.messages(who), await sandbox.sent()) == ([], [])
        await w.told("exemption", who, RETURNED)
        await w.due()
        assert len(await sandbox.sent(who.mobile)) == 1


async def test_two_replicas_with_the_same_timer_send_one_sms(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), GRANTED)
    timer = await w.next_timer(message)
    assert timer is not None
    ended = await asyncio.gather(*(w.fire(timer) for _ in range(6)), return_exceptions=True)
    assert {type(each).__name__ for each in ended} <= {"NoneType", "Refused"}
    await w.run_on(message)
    assert len(await w.sandbox.sent(who.mobile)) == 1


# --- what is kept


async def test_read_models_are_the_same_when_built_again_from_the_events(w: World) -> None:
    await w.sandbox.faults({"kind": "fault_after_accepting", "times": 1}, {"kind": "refuse", "code": "x", "times": 2})
    for _ in range(3):
        who = await w.somebody()
        await w.told("exemption", who, submitted(who), PASSED, RETURNED, GRANTED)
        await w.due(seconds=30)
    async with w.service.reading() as connection:
        comparison = await compare(connection, w.service.definition, w.service.keyring)
    assert comparison.differing == 0
    assert comparison.rows > 12


async def test_no_table_but_the_sealed_events_holds_a_number_a_code_or_a_word_somebody_wrote(
    w: World, template: str
) -> None:
    who = await w.somebody()
    await w.told("identity", who, code_issued(who, w.clock), registered(who))
    await w.told("exemption", who, submitted(who), RETURNED)
    for message in await w.messages(who):
        await w.run_on(message)
    tables = [
        row["table_name"]
        for row in await w.service.pool.fetch(
            "select table_name from information_schema.tables where table_schema = 'notification'"
        )
    ]
    assert {"events", "messages", "attempts", "timers", "commands", "streams"} <= set(tables)
    for table in tables:
        rows = [tuple(row.values()) for row in await w.service.pool.fetch(f'select * from "{table}"')]
        for secret in (who.mobile, "424242", RETURNED.note, "试验甲"):
            assert secret not in str(rows), table


async def test_an_erased_person_is_told_nothing_more_and_asked_about_nowhere(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.sources["identity"].keyring.erase(who.person)
    w.service = Service(w.service.definition, w.service.pool, KEK, w.clock, None)  # its keys are not remembered
    await w.run_on(message)
    assert await w.state(message) == ("given_up", "erased")
    assert await w.sandbox.sent(who.mobile) == []
