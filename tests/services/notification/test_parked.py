"""Facts that cannot be told to anybody yet, and persons who are erased while their facts wait."""

from dataclasses import replace
from uuid import uuid4

import pytest

from shared.kernel.messages import ERASED, Event, Meta
from shared.runtime.consumer import Consumer
from shared.runtime.service import Service
from shared.testing.stores import KEK
from tests.services.notification.world import GRANTED, RETURNED, Say, Somebody, World, submitted

pytestmark = pytest.mark.servers


async def said_elsewhere(w: World, who: Somebody, *events: Event) -> None:
    """Of the same case, but in another stream, so that the order between the two is anybody's guess."""
    say = Say(subject=f"apart-{who.case}", person=who.person, case=who.case, events=events)
    await w.sources["exemption"].handle(say, Meta(command_id=uuid4(), actor="tester", at=w.clock()))
    while await w.sequencers["exemption"].give():
        pass


async def parked(w: World) -> list[str]:
    return [row["reason"] for row in await w.service.pool.fetch("select reason from parked")]


async def outcomes(w: World) -> list[str]:
    return [row["outcome"] for row in await w.service.pool.fetch("select outcome from reactions")]


async def restarted(w: World) -> World:
    """With a memory of its own: keys are kept for a minute."""
    service = Service(w.service.definition, w.service.pool, KEK, w.clock, None)
    again = replace(w, service=service, consumer=Consumer(service, w.feed))
    for name in w.sources:
        await again.consumer.begin(name)
    return again


async def test_a_fact_that_arrives_before_the_one_it_needs_waits_for_it_and_is_then_told_once(w: World) -> None:
    who = await w.somebody()
    await said_elsewhere(w, who, RETURNED)
    await w.hear()
    assert (await parked(w), await w.messages(who)) == (["not_yet"], [])
    await w.say("exemption", who, submitted(who))
    await w.hear()
    assert len(await w.messages(who)) == 1
    w.clock.forward(seconds=2)
    await w.consumer.retry_not_yet()
    assert await parked(w) == []
    told = [await w.requested(message) for message in await w.messages(who)]
    assert [message.moment for message in told] == ["exemption.submitted", "exemption.returned"]
    w.clock.forward(hours=1)
    assert await w.consumer.retry_not_yet() == 0
    assert len(await w.messages(who)) == 2


async def test_a_source_that_is_away_does_not_hold_up_what_waits_for_another_source(w: World) -> None:
    who = await w.somebody()
    await said_elsewhere(w, who, RETURNED)
    await w.hear()
    assert await parked(w) == ["not_yet"]
    await w.service.pool.execute(
        "insert into parked (source, stream, version, type, event_id, reason, detail, parked_at, retry_at, latest) "
        "select 'identity', 'account-x', 1, type, event_id, reason, detail, parked_at, parked_at, 1 from parked"
    )
    await w.say("exemption", who, submitted(who))
    await w.hear()
    w.feed.silent.add("identity")
    w.clock.forward(seconds=2)
    await w.consumer.retry_not_yet()
    assert len(await w.messages(who)) == 2


@pytest.mark.parametrize("waits", [RETURNED, GRANTED], ids=["with words about the person", "without"])
async def test_a_person_erased_while_their_facts_are_parked_holds_nothing_up_and_is_told_nothing(
    w: World, waits: Event
) -> None:
    who, other = await w.somebody(), await w.somebody()
    await said_elsewhere(w, who, waits)
    await w.hear()
    assert await parked(w) == ["not_yet"]
    await w.sources["identity"].keyring.erase(who.person)
    again = await restarted(w)
    again.clock.forward(minutes=1)
    await again.consumer.retry_not_yet()
    assert (await parked(again), await again.messages(who)) == ([], [])
    assert await outcomes(again) == ([] if waits is RETURNED else ["access.person_erased"])
    assert await again.told("exemption", other, submitted(other), RETURNED)


async def test_a_person_erased_before_we_heard_of_their_case_leaves_no_fact_waiting_for_it_for_ever(w: World) -> None:
    """Their application was never learnt, since nothing can be sealed for them; what follows it must not wait."""
    who = await w.somebody()
    await w.say("exemption", who, submitted(who), RETURNED, GRANTED)
    await w.sources["identity"].keyring.erase(who.person)
    again = await restarted(w)
    await again.hear()
    assert (await parked(again), await again.messages(who)) == ([], [])
    assert await outcomes(again) == ["access.person_erased"]


async def test_what_was_told_before_the_erasure_reads_as_erased(w: World) -> None:
    who = await w.somebody()
    message = await w.told("exemption", who, submitted(who), RETURNED)
    await w.sources["identity"].keyring.erase(who.person)
    assert (await (await restarted(w)).requested(message)).inbox_text == ERASED
