"""The trail of a case, rebuilt from the events of three stores on a real PostgreSQL."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from random import Random
from uuid import UUID, uuid4, uuid5

import asyncpg
import pytest
from msgspec.structs import replace

from shared.events.exemption import ApplicationReturned, ApplicationSubmitted
from shared.kernel.messages import ERASED
from shared.kernel.time import SHANGHAI
from shared.runtime.database import AUDITOR, as_role
from shared.runtime.keyring import Keyring
from shared.runtime.records import GENESIS, Record
from shared.runtime.trail import Found, State, Trail, UnknownCase, differences, ordered, rebuild_trail
from shared.testing.stores import KEK, PASSWORD, pool_of, prepared
from tests.conftest import Databases
from tests.shared.runtime.story import CASE, DECIDERS, NOTE, PERSON, START, told

APPLICATION = ("exemption", f"application-{CASE}")


@pytest.fixture(scope="module")
async def story(module_database: str) -> str:
    await prepared(module_database)
    await told(module_database)
    return module_database


@pytest.fixture
async def pool(story: str) -> AsyncIterator[asyncpg.Pool]:
    async with asyncpg.create_pool(as_role(story, AUDITOR, PASSWORD), min_size=1, max_size=2) as pool:
        yield pool


async def rebuilt(pool: asyncpg.Pool, case: str = CASE, *, at: datetime | None = None, unsealed: bool = False) -> Trail:
    async with pool.acquire() as connection:
        keyring = Keyring(pool, KEK) if unsealed else None
        return await rebuild_trail(connection, case, DECIDERS, keyring=keyring, at=at)


def events_of(trail: Trail) -> list[str]:
    return [entry.fact.event.name.split(".")[1] for entry in trail.entries]


@pytest.mark.servers
async def test_the_story_is_told_over_all_stores_from_cause_to_effect(pool: asyncpg.Pool) -> None:
    trail = await rebuilt(pool)
    assert events_of(trail) == [
        "registration_started",
        "sms_code_issued",
        "mobile_proved",
        "password_chosen",
        "application_started",
        "draft_saved",
        "application_submitted",
        "stage_opened",
        "application_returned",
        "message_requested",  # bears an earlier time than its cause, and belongs to the case only through it
        "application_submitted",
        "stage_opened",
        "stage_passed",
        "stage_opened",
        "stage_passed",
        "granted",
    ]
    assert trail.persons == (PERSON,)
    assert all(entry.fact.position for entry in trail.entries)


@pytest.mark.servers
async def test_each_entry_knows_the_state_before_and_after_it(pool: asyncpg.Pool) -> None:
    trail = await rebuilt(pool)
    steps = [(entry.before, entry.after) for entry in trail.entries if entry.fact.stream == APPLICATION[1]]
    assert steps[0] == (None, "待提交")
    assert ("已提交", "已驳回") in steps
    assert ("已驳回", "已提交") in steps
    assert ("已提交", "已初审") in steps
    assert steps[-1] == ("已复核", "已复核")
    assert trail.states[APPLICATION] == State("已复核", 11)


@pytest.mark.servers
async def test_what_identity_recorded_of_the_organisations_in_the_story_stands_beside_it(pool: asyncpg.Pool) -> None:
    trail = await rebuilt(pool)
    assert [(fact.subject, fact.event.title) for fact in trail.offices] == [("u-01", "样例大学")]
    assert "organisation_added" not in events_of(trail)


@pytest.mark.servers
async def test_the_state_before_counts_events_of_the_stream_that_are_not_of_the_case(pool: asyncpg.Pool) -> None:
    """That the message was read is nobody's effect; the message's state still includes it."""
    trail = await rebuilt(pool)
    (message,) = (state for (source, _), state in trail.states.items() if source == "notification")
    assert message == State("已入收件箱，已读", 2)


@pytest.mark.servers
async def test_one_can_travel_to_an_earlier_time(pool: asyncpg.Pool) -> None:
    trail = await rebuilt(pool, at=START + timedelta(minutes=30))
    assert events_of(trail)[-1] == "stage_opened"
    assert len(trail.entries) == 8
    assert trail.states[APPLICATION] == State("已提交", 4)


@pytest.mark.servers
async def test_what_was_recorded_at_that_very_time_is_included(pool: asyncpg.Pool) -> None:
    last = (await rebuilt(pool)).entries[-1].fact.meta.at
    assert len((await rebuilt(pool, at=last)).entries) == 16
    assert len((await rebuilt(pool, at=last - timedelta(microseconds=1))).entries) == 14


@pytest.mark.servers
async def test_nothing_personal_is_unsealed_without_a_keyring_and_the_states_are_the_same(pool: asyncpg.Pool) -> None:
    sealed, unsealed = await rebuilt(pool), await rebuilt(pool, unsealed=True)
    notes = [
        entry.fact.event.note
        for trail in (sealed, unsealed)
        for entry in trail.entries
        if isinstance(entry.fact.event, ApplicationReturned)
    ]
    assert notes == [ERASED, NOTE]
    assert sealed.states == unsealed.states


@pytest.mark.servers
async def test_an_erased_persons_story_can_still_be_told(story: str, databases: Databases) -> None:
    async with databases.fresh(template=story) as url:
        async with pool_of(url, "identity") as identity:
            await Keyring(identity, KEK).erase(PERSON)
        async with asyncpg.create_pool(as_role(url, AUDITOR, PASSWORD), min_size=1, max_size=2) as pool:
            trail = await rebuilt(pool, unsealed=True)
    assert all(entry.erased for entry in trail.entries)
    assert trail.states[APPLICATION] == State("已复核", 11)
    forms = [entry.fact.event.form for entry in trail.entries if isinstance(entry.fact.event, ApplicationSubmitted)]
    assert forms == [{}, {}]


@pytest.mark.servers
@pytest.mark.parametrize("at", [None, START - timedelta(days=1)], ids=["ever", "by then"])
async def test_a_case_that_nobody_knows_is_refused(pool: asyncpg.Pool, at: datetime | None) -> None:
    with pytest.raises(UnknownCase):
        await rebuilt(pool, "no-such-case" if at is None else CASE, at=at)


@pytest.mark.servers
async def test_a_live_row_that_says_something_else_than_the_events_is_a_difference(pool: asyncpg.Pool) -> None:
    trail = await rebuilt(pool)
    assert differences(trail, {APPLICATION: State("已复核", 11)}) == []
    (stale,) = differences(trail, {APPLICATION: State("已初审", 9)})
    assert str(stale).endswith("by its events 已复核 (version 11), in the read model 已初审 (version 9)")
    assert len(differences(trail, {("exemption", "application-unknown"): State("已复核", 11)})) == 1


@pytest.mark.servers
async def test_a_live_row_that_is_missing_is_a_difference(pool: asyncpg.Pool) -> None:
    (missing,) = differences(await rebuilt(pool), {APPLICATION: None})
    assert str(missing).endswith("in the read model nothing")


# --- the order, without a store ------------------------------------------------------------------------------------


def found(stream: str, version: int, second: int, causation: UUID | None = None) -> Found:
    record = Record(
        stream=stream,
        version=version,
        type="t",
        event_id=_id(stream, version),
        command_id=uuid4(),
        case_id=None,
        person=None,
        actor="a",
        causation=causation,
        correlation=None,
        traceparent=None,
        recorded_at=datetime(2026, 3, 1, 9, 0, second, tzinfo=SHANGHAI),
        body="{}",
        previous_hash=GENESIS,
        hash=GENESIS,
    )
    return Found("exemption", record, record.event_id.int, None)


def _id(stream: str, version: int) -> UUID:
    return uuid5(UUID(int=0), f"{stream}/{version}")


def places(order: list[Found]) -> list[tuple[str, int]]:
    return [(each.record.stream, each.record.version) for each in order]


def test_independent_events_are_ordered_by_time() -> None:
    assert places(ordered([found("a-1", 1, 9), found("b-1", 1, 5)])) == [("b-1", 1), ("a-1", 1)]


def test_an_effect_never_comes_before_its_cause_whatever_the_clocks_say() -> None:
    cause, effect, between = found("a-1", 1, 9), found("b-1", 1, 5, _id("a-1", 1)), found("c-1", 1, 7)
    assert places(ordered([effect, cause, between])) == [("c-1", 1), ("a-1", 1), ("b-1", 1)]


def test_the_versions_of_a_stream_keep_their_order_whatever_the_clocks_say() -> None:
    assert places(ordered([found("a-1", 2, 1), found("a-1", 1, 2), found("a-1", 3, 0)])) == [
        ("a-1", 1),
        ("a-1", 2),
        ("a-1", 3),
    ]


def test_the_order_does_not_depend_on_how_the_events_were_found() -> None:
    chain = [found(f"s-{n}", 1, n % 3, _id(f"s-{n - 2}", 1) if n > 1 else None) for n in range(12)]
    expected = places(ordered(chain))
    for seed in range(5):
        Random(seed).shuffle(chain)
        assert places(ordered(chain)) == expected


def test_events_that_claim_to_cause_each_other_are_still_shown() -> None:
    one, other = found("a-1", 1, 1, _id("b-1", 1)), found("b-1", 1, 2, _id("a-1", 1))
    assert len(ordered([one, other, found("c-1", 1, 3)])) == 3
    itself = found("a-1", 1, 1)
    itself = itself._replace(record=replace(itself.record, causation=itself.record.event_id))
    assert len(ordered([itself])) == 1
