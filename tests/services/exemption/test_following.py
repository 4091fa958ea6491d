"""What identity says of a person as it really arrives: late, twice, out of order, before the account, after the end.

Real stores; the facts are said by a source of the test's own. Everybody is invented.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import uuid4

import pytest

from services.exemption.domain.followed import ACCOUNT_FOLLOWED, Account
from services.exemption.main import SERVICE
from shared.events.identity import (
    AccountRegistered,
    MobileReplaced,
    PersonErased,
    PersonVerified,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationSubmitted,
    PriorEducationTakenBack,
)
from shared.kernel.messages import Event, Meta
from shared.kernel.time import utc_now
from shared.runtime.consumer import Consumer
from shared.runtime.feed import Envelope
from shared.runtime.sequencer import Sequencer
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed, pool_of, prepared
from tests.services.notification.world import Say, source

pytestmark = pytest.mark.servers

DIPLOMA = {
    "certificate_number": "X-1",
    "school": "样例学院",
    "major": "园林",
    "level": "31",
    "category": "ordinary",
    "graduated_on": "2018-06-30",
}
SUBMITTED = PriorEducationSubmitted(
    submission=1, form={**DIPLOMA, "holder": "样本"}, check_at=datetime(2026, 1, 1, tzinfo=UTC), clause=""
)
INVALID = PriorEducationNotConfirmed(reason="invalid", differences={}, clause="")
TAKEN_BACK = PriorEducationTakenBack()
REGISTERED = AccountRegistered(mobile="13900000001", name_of_person="样本", id_number="2", ticket_number="9")
REPLACED = MobileReplaced(mobile="13900000002", previous="13900000001", checked_by=None, evidence="")


def confirmed(person: str) -> PriorEducationConfirmed:
    return PriorEducationConfirmed(candidate=person, cycle="c", scheme="isle/reef@1", clause="", **DIPLOMA)


def verified(level: str = "photographs", jurisdiction: str = "sx") -> PersonVerified:
    return PersonVerified(
        jurisdiction=jurisdiction,
        book=f"{jurisdiction}/exemption@1",
        level=level,
        organisation="county",
        verified_by="clerk",
        pairs={},
        documents=(),
        evidence="",
        clause="",
    )


@dataclass
class Ears:
    """Identity that says what the test wants, and exemption that listens when the test asks."""

    identity: Service
    sequencer: Sequencer
    exemption: Service
    consumer: Consumer
    feed: LocalFeed

    async def somebody(self) -> str:
        person = f"person-{uuid4()}"
        await self.identity.keyring.create(person)
        return person

    async def says(self, person: str, about: str, *events: Event) -> list[Envelope]:
        """In one stream for each thing it is `about`."""
        head = await self.identity.feed_head()
        subject = person if about == "account" else f"{about}-{person}"
        say = Say(subject=subject, person=person, case=None, events=events)
        await self.identity.handle(say, Meta(command_id=uuid4(), actor="tester", at=utc_now()))
        while await self.sequencer.give():
            pass
        return await self.identity.feed(head, 100)

    async def hears(self) -> None:
        await self.consumer.catch_up("identity")

    async def learnt(self, person: str) -> list[Event]:
        async with self.exemption.reading() as connection:
            return [fact.event for fact in await self.exemption.history(connection, f"person-{person}")]

    async def knows(self, person: str) -> Account | None:
        state = ACCOUNT_FOLLOWED.initial
        for event in await self.learnt(person):
            state = ACCOUNT_FOLLOWED.evolve(state, event)  # type: ignore[arg-type]
        return state

    async def standing(self, person: str) -> str:
        known = await self.knows(person)
        assert known
        (record,) = known.education.values()
        return record.standing

    async def parked(self) -> int:
        return int(await self.exemption.pool.fetchval("select count(*) from parked"))


@pytest.fixture(scope="module")
async def ears(module_database: str) -> AsyncIterator[Ears]:
    await prepared(module_database, ["identity", "exemption"])
    async with pool_of(module_database, "identity") as ours, pool_of(module_database, "exemption") as theirs:
        identity = Service(source("identity"), ours, KEK, utc_now, None)
        exemption = Service(SERVICE, theirs, KEK, utc_now, None)
        sequencer = Sequencer(ours, "identity", None)
        await sequencer.lead()
        feed = LocalFeed(identity)
        opened = Ears(identity, sequencer, exemption, Consumer(exemption, feed), feed)
        await opened.consumer.begin("identity")
        yield opened


async def test_facts_out_of_order_and_twice_teach_what_they_would_in_order_and_once(ears: Ears) -> None:
    """HB-08: yes, then no, then handed in again and yes."""
    me = await ears.somebody()
    said = await ears.says(me, "record", SUBMITTED, confirmed(me), INVALID, SUBMITTED, confirmed(me))
    await ears.consumer.take(list(reversed(said)))
    await ears.consumer.take(said)
    await ears.hears()
    told = [event.standing for event in await ears.learnt(me)]  # type: ignore[attr-defined]
    assert told == ["submitted", "effective", "not_effective", "submitted", "effective"]
    assert await ears.parked() == 0


async def test_two_replicas_that_hear_the_same_at_once_learn_it_once(ears: Ears) -> None:
    me = await ears.somebody()
    said = await ears.says(me, "verification", verified()) + await ears.says(me, "record", SUBMITTED, confirmed(me))
    twin = Consumer(ears.exemption, ears.feed)
    await twin.begin("identity")
    await asyncio.gather(ears.consumer.take(said), twin.take(said))
    await ears.hears()
    assert len(await ears.learnt(me)) == 3


async def test_what_is_heard_before_the_account_is_kept_and_the_account_completes_it(ears: Ears) -> None:
    """SX-E-10: the streams of one person are carried by queues of their own."""
    me = await ears.somebody()
    account = await ears.says(me, "account", REGISTERED, REPLACED)
    await ears.consumer.take(await ears.says(me, "verification", verified(), verified("in_person", "isle")))
    await ears.consumer.take(await ears.says(me, "record", SUBMITTED, confirmed(me)))
    early = await ears.knows(me)
    assert early
    assert (early.holder, early.verified) == ("", {"sx": "photographs", "isle": "in_person"})
    await ears.consumer.take([account[1]])  # a new number, before anything is known of the account
    whole = await ears.knows(me)
    assert whole
    assert (whole.holder, whole.mobile, whole.ticket_number) == ("样本", "13900000002", "9")
    assert (whole.verified, await ears.standing(me)) == (early.verified, "effective")


async def test_verified_again_by_another_way_is_learnt_and_the_same_again_is_nothing_new(ears: Ears) -> None:
    me = await ears.somebody()
    await ears.says(me, "verification", verified(), verified(), verified("in_person"))
    await ears.hears()
    known = await ears.knows(me)
    assert known
    assert known.verified == {"sx": "in_person"}
    assert len(await ears.learnt(me)) == 2


async def test_what_is_taken_back_or_found_invalid_stands_no_longer_and_keeps_what_it_was_about(ears: Ears) -> None:
    """HB-38."""
    for last, standing in ((TAKEN_BACK, "taken_back"), (INVALID, "not_effective")):
        me = await ears.somebody()
        before = confirmed(me) if last is INVALID else SUBMITTED
        await ears.says(me, "record", SUBMITTED, before, last)
        await ears.hears()
        known = await ears.knows(me)
        assert known
        assert await ears.standing(me) == standing
        assert {record.major for record in known.education.values()} == {"园林"}


async def test_years_later_everything_is_learnt_at_once_in_the_order_of_each_stream(ears: Ears) -> None:
    """A replica that was away: it reads the whole feed, streams of a person one through another."""
    me = await ears.somebody()
    await ears.says(me, "record", SUBMITTED)
    await ears.says(me, "account", REGISTERED)
    await ears.says(me, "record-2", SUBMITTED, INVALID)
    await ears.says(me, "record", confirmed(me))
    await ears.says(me, "verification", verified())
    await ears.hears()
    known = await ears.knows(me)
    assert known
    assert sorted(each.standing for each in known.education.values()) == ["effective", "not_effective"]
    assert (known.holder, known.verified) == ("样本", {"sx": "photographs"})


async def test_of_somebody_erased_meanwhile_nothing_is_learnt_and_nothing_waits(ears: Ears) -> None:
    me = await ears.somebody()
    said = await ears.says(me, "verification", verified())
    said += await ears.says(me, "record", SUBMITTED, confirmed(me), INVALID, TAKEN_BACK)
    said += await ears.says(me, "account", REGISTERED, REPLACED, PersonErased(ground="asked"))
    await ears.identity.keyring.erase(me)
    await ears.consumer.take(list(reversed(said)))
    await ears.hears()
    assert await ears.knows(me) == Account("", "", "", forgotten=True)
    assert await ears.parked() == 0


async def test_who_is_erased_after_we_learnt_of_them_is_forgotten_whatever_comes_late(ears: Ears) -> None:
    me = await ears.somebody()
    await ears.says(me, "account", REGISTERED)
    await ears.says(me, "record", SUBMITTED)
    await ears.hears()
    late = await ears.says(me, "record", confirmed(me)) + await ears.says(me, "verification", verified())
    ending = await ears.says(me, "account", PersonErased(ground="asked"))
    await ears.identity.keyring.erase(me)
    await ears.consumer.take(ending)
    await ears.consumer.take(late)
    await ears.hears()
    assert await ears.knows(me) == Account("", "", "", forgotten=True)
    assert await ears.parked() == 0
