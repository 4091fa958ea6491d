"""Providers that refuse, are slow, lose answers or receipts; processes that die at a bad moment: one SMS all the same.

The count that matters is taken in the sandbox, which never deduplicates for us.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import pairwise
from uuid import uuid4

import pytest

from services.notification.domain.commands import BeginAttempt
from services.notification.domain.texts import parameters
from services.notification.gateways import Sms
from shared.events.notification import SendingAttempted
from shared.kernel.messages import Meta
from shared.runtime.points import LISTENERS
from shared.runtime.service import Timer
from shared.runtime.timers import Timers
from shared.schemes.catalog import Catalog
from shared.testing.stores import KEK
from tests.conftest import Databases
from tests.sandbox.serving import Sandbox
from tests.services.notification.world import (
    CALL_SECONDS,
    RETURNED,
    Gateways,
    HeldUp,
    Patience,
    SlowBy,
    StoppedBefore,
    World,
    code_issued,
    submitted,
    world,
)

pytestmark = pytest.mark.servers


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


async def test_a_provider_slower_than_we_wait_is_asked_and_not_sent_again(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog, hasty: Catalog
) -> None:
    await sandbox.faults({"kind": "slow_to_answer", "seconds": 3 * CALL_SECONDS, "times": 1})
    async with databases.fresh(template=template) as url:
        async with world(url, sandbox, gateways, hasty) as w:
            for name in w.sources:
                await w.consumer.begin(name)
            who = await w.somebody()
            message = await w.told("exemption", who, submitted(who), RETURNED)
            await w.due()
            assert await w.state(message) == ("in_doubt", "timeout")
        async with world(url, sandbox, gateways, catalog) as w:
            await w.run_on(message)
            assert await w.state(message) == ("delivered", "DELIVERED")
            assert len(await sandbox.sent(who.mobile)) == 1


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


# --- replicas that have the same timer, since a lease ended too early (the database's clock was set forward)


async def test_replicas_with_a_timer_of_before_the_attempt_neither_ask_nor_call_while_the_call_is_under_way(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> None:
    aliyun = HeldUp(gateways["aliyun"])
    async with (
        databases.fresh(template=template) as url,
        world(url, sandbox, {**gateways, "aliyun": aliyun}, catalog) as w,
    ):
        for name in w.sources:
            await w.consumer.begin(name)
        who = await w.somebody()
        message = await w.told("exemption", who, submitted(who), RETURNED)
        timer = await w.next_timer(message)
        assert timer is not None
        calling = asyncio.create_task(w.fire(timer))
        await aliyun.under_way.wait()
        for _ in range(4):
            await w.fire(timer)
        assert await w.kinds(message) == ["MessageRequested", "SendingAttempted"]
        aliyun.goes_on.set()
        await calling
        await w.run_on(message)
        assert len(await sandbox.sent(who.mobile)) == 1
        assert await w.kinds(message) == ["MessageRequested", "SendingAttempted", "MessageAccepted", "MessageDelivered"]


async def test_replicas_that_ask_the_same_question_count_as_one_who_was_told_of_nothing(w: World) -> None:
    """The first question is at its time; only the second, after a further wait, may say that it was not sent."""
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await begun(w, message)
    timer = await w.next_timer(message)
    assert timer is not None
    w.clock.now = timer.due_at
    await asyncio.gather(*(w.fire(timer) for _ in range(6)))
    assert await w.kinds(message) == ["MessageRequested", "SendingAttempted", "OutcomeInDoubt"]
    assert await w.sandbox.sent() == []


@contextmanager
def frozen_once_at(point: str, w: World, seconds: float) -> Iterator[None]:
    """The process stands still there, and time goes on (SIGSTOP, a virtual machine that is moved)."""
    left = [seconds]

    def freeze(reached: str) -> None:
        if reached == point and left:
            w.clock.forward(seconds=left.pop())

    LISTENERS.append(freeze)
    try:
        yield
    finally:
        LISTENERS.remove(freeze)


async def test_a_process_that_was_frozen_before_the_call_comes_too_late_to_call(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    with frozen_once_at("sms.before", w, 60):
        await Timers(w.service).fire_due()
    assert await w.sandbox.sent(who.mobile) == []
    await w.run_on(message)
    assert len(await w.sandbox.sent(who.mobile)) == 1


async def test_a_process_that_was_frozen_before_it_read_its_attempt_does_not_make_the_call_of_the_next(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> None:
    tencent = HeldUp(gateways["tencent"])
    async with (
        databases.fresh(template=template) as url,
        world(url, sandbox, {**gateways, "tencent": tencent}, catalog) as w,
    ):
        for name in w.sources:
            await w.consumer.begin(name)
        who = await w.somebody()
        message = await w.told("exemption", who, submitted(who), RETURNED)
        timer = await w.next_timer(message)
        assert timer is not None
        frozen = StoppedBefore(w.service.definition, w.service.pool, KEK, w.clock, None).stops()
        first = asyncio.create_task(w.fire(timer, by=frozen))
        await frozen.stopped.wait()
        second = asyncio.create_task(w.run_on(message))
        await tencent.under_way.wait()
        frozen.goes_on.set()
        await asyncio.wait({first}, timeout=3)  # to the end; were it to call, it would wait there with the other
        tencent.goes_on.set()
        await asyncio.gather(first, second)
        assert [sms["gateway"] for sms in await sandbox.sent(who.mobile)] == ["tencent"]


async def test_a_call_that_begins_late_waits_only_for_what_is_left_before_others_ask(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> None:
    aliyun = Patience(gateways["aliyun"])
    async with (
        databases.fresh(template=template) as url,
        world(url, sandbox, {**gateways, "aliyun": aliyun}, catalog) as w,
    ):
        for name in w.sources:
            await w.consumer.begin(name)
        for late in (0, 5, -3600):
            who = await w.somebody()
            message = await w.told("exemption", who, submitted(who), RETURNED)
            with frozen_once_at("sms.before", w, late):
                await Timers(w.service).fire_due()
            assert (await w.state(message))[0] == "accepted"
    assert [within.total_seconds() for within in aliyun.waited] == [8, 3, 8]
