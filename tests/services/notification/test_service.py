"""From a fact of another service to an SMS in somebody's pocket, on real stores and the sandbox; and all that can go
wrong between. The count that matters is taken in the sandbox, which never deduplicates for us."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest
import yaml
from msgspec import structs

from services.notification.domain.commands import BeginAttempt
from services.notification.domain.texts import parameters
from services.notification.gateways import Sms
from shared.events.notification import SendingAttempted
from shared.kernel.messages import Event, Meta
from shared.runtime.consumer import Consumer
from shared.runtime.replay import compare
from shared.runtime.service import Service, Timer
from shared.runtime.timers import Timers
from shared.schemes.catalog import BOOKS, Catalog
from shared.testing.stores import KEK, prepared
from tests.conftest import Databases
from tests.sandbox.serving import Sandbox
from tests.services.notification.world import (
    GRANTED,
    PASSED,
    RETURNED,
    Gateways,
    SlowBy,
    World,
    code_issued,
    registered,
    replaced,
    submitted,
    world,
)

pytestmark = pytest.mark.servers
CALL_SECONDS = 0.4
"""The books of these tests wait no longer for a provider."""


@pytest.fixture(scope="module")
async def template(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url)
        yield url


@pytest.fixture(scope="module")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    books = tmp_path_factory.mktemp("books") / "books"
    shutil.copytree(BOOKS, books)
    file = books / "platform" / "notification.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    said["sending"]["call_timeout_seconds"] = CALL_SECONDS
    file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    return Catalog.load(books)


@pytest.fixture
async def w(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> AsyncIterator[World]:
    async with databases.fresh(template=template) as url, world(url, sandbox, gateways, catalog) as running:
        for name in running.sources:
            await running.consumer.begin(name)
        yield running


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


# --- providers that fail


async def test_a_fault_after_accepting_is_asked_about_and_not_sent_again(w: World) -> None:
    await w.sandbox.faults({"kind": "fault_after_accepting", "times": 1})
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.due()
    assert await w.state(message) == ("in_doubt", "http_500")
    await w.run_on(message)
    assert await w.state(message) == ("delivered", "DELIVERED")
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_a_provider_slower_than_we_wait_is_asked_and_not_sent_again(w: World) -> None:
    await w.sandbox.faults({"kind": "slow_to_answer", "seconds": 3 * CALL_SECONDS, "times": 1})
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.due()
    assert await w.state(message) == ("in_doubt", "timeout")
    await w.run_on(message)
    assert await w.state(message) == ("delivered", "DELIVERED")
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_what_a_provider_did_not_take_goes_to_the_other_after_it_was_asked_twice(w: World) -> None:
    await w.sandbox.faults({"kind": "fault_before_accepting", "gateway": "aliyun", "times": 1})
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.run_on(message)
    (sms,) = await w.sandbox.sent(who.mobile)
    assert sms["gateway"] == "tencent"
    assert await w.kinds(message) == [
        "MessageRequested",
        "SendingAttempted",
        "OutcomeInDoubt",
        "OutcomeInDoubt",
        "AttemptFailed",
        "SendingAttempted",
        "MessageAccepted",
        "MessageDelivered",
    ]


async def test_a_refusing_provider_is_left_at_once_for_the_other(w: World) -> None:
    await w.sandbox.faults({"kind": "refuse", "gateway": "aliyun", "code": "isv.OUT_OF_SERVICE"})
    who = await w.somebody()
    await w.told("exemption", who, submitted(who), RETURNED)
    await w.due()
    (sms,) = await w.sandbox.sent(who.mobile)
    assert sms["gateway"] == "tencent"
    assert sms["parameters"] == {"stage": "初审"}


async def test_when_both_refuse_tries_grow_apart_and_end(w: World) -> None:
    await w.sandbox.faults({"kind": "refuse", "code": "isv.OUT_OF_SERVICE"})
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.run_on(message)
    assert await w.state(message) == ("given_up", "attempts_used_up")
    tried = [fact.event.tried_at for fact in await w.history(message) if isinstance(fact.event, SendingAttempted)]
    waits = [(later - earlier).total_seconds() for earlier, later in pairwise(tried)]
    assert waits == [0, 10, 60, 300, 1800]
    assert await w.sandbox.sent() == []


async def test_a_code_is_not_tried_after_its_end(w: World) -> None:
    await w.sandbox.faults({"kind": "refuse", "code": "isv.OUT_OF_SERVICE"})
    who = await w.somebody()
    message = await w.told("identity", who, code_issued(who, w.clock))
    issued = w.clock()
    await w.run_on(message)
    assert await w.state(message) == ("given_up", "expired")
    assert w.clock() < issued + timedelta(minutes=5)


async def test_what_nobody_can_tell_is_unresolved_and_sent_no_second_time(w: World) -> None:
    await w.sandbox.faults(
        {"kind": "refuse", "gateway": "aliyun", "code": "isv.OUT_OF_SERVICE"},
        {"kind": "fault_after_accepting", "gateway": "tencent"},
    )
    await w.sandbox.conditions(receipts_lost=True)
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.run_on(message)
    assert await w.state(message) == ("unresolved", "no_answer")
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_a_receipt_that_never_comes_is_asked_for_72_hours_and_then_unresolved(w: World) -> None:
    await w.sandbox.conditions(receipts_lost=True)
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    began = w.clock()
    await w.run_on(message)
    assert await w.state(message) == ("unresolved", "no_receipt")
    assert w.clock() - began >= timedelta(hours=72)
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_a_number_nobody_answers_at_is_shown_as_undelivered(w: World) -> None:
    who = await w.somebody()
    await w.sandbox.conditions(receipt_after_seconds=0, undeliverable=[who.mobile])
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.run_on(message)
    assert await w.state(message) == ("undelivered", "MK:0001")


async def test_a_provider_that_was_slow_twice_comes_last_until_it_is_forgotten(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> None:
    slow = {**gateways, "aliyun": SlowBy(gateways["aliyun"], sandbox.clock, 3.5)}
    async with databases.fresh(template=template) as url, world(url, sandbox, slow, catalog) as w:
        for name in w.sources:
            await w.consumer.begin(name)
        chosen = []
        for forward in (0, 0, 0, 301):
            who = await w.somebody()
            w.clock.forward(seconds=forward)
            await w.told("identity", who, code_issued(who, w.clock))
            await w.due()
            (sms,) = await sandbox.sent(who.mobile)
            chosen.append(sms["gateway"])
        assert chosen == ["aliyun", "aliyun", "tencent", "aliyun"]


# --- crashes


async def begun(w: World, message: str) -> tuple[Timer, Sms]:
    """An attempt is written down, and then the process is gone."""
    timer = await w.next_timer(message)
    assert timer is not None
    meta = Meta(command_id=uuid4(), actor="notification", at=w.clock())
    await w.service.handle(BeginAttempt(message=message, due_at=timer.due_at), meta)
    requested, attempted = [fact.event for fact in await w.history(message)]
    template = next(t for t in requested.templates if t.provider == attempted.provider)
    values = parameters(template, requested.facts)
    return timer, Sms(requested.mobile, attempted.out_id, template.sign_name, template.template_code, values)


async def test_a_crash_before_the_call_is_asked_about_and_then_sent_once(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await begun(w, message)
    await w.due()
    assert await w.sandbox.sent(who.mobile) == []
    await w.run_on(message)
    assert len(await w.sandbox.sent(who.mobile)) == 1
    assert (await w.state(message))[0] == "delivered"


async def test_a_crash_after_the_call_is_asked_about_and_not_sent_again(w: World, gateways: Gateways) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    _, sms = await begun(w, message)
    await gateways["aliyun"].send(sms, timedelta(seconds=5))
    await w.run_on(message)
    assert len(await w.sandbox.sent(who.mobile)) == 1
    assert await w.kinds(message) == [
        "MessageRequested",
        "SendingAttempted",
        "MessageAccepted",
        "MessageDelivered",
    ]


async def test_a_timer_that_fires_again_while_the_call_is_out_neither_calls_nor_asks(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await begun(w, message)
    assert await Timers(w.service).fire_due() == 0
    assert await w.kinds(message) == ["MessageRequested", "SendingAttempted"]


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
