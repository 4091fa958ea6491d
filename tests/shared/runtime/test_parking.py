"""A parked stream is tried again or goes on without one fact, when a person says so, and its order is kept."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest
from msgspec import structs

from shared.events.exemption import ParkedFactResolved, ResolutionExplained
from shared.kernel.errors import Refused
from shared.kernel.messages import Meta, Receipt
from shared.kernel.parking import ResolveParked
from shared.kernel.time import utc_now
from shared.runtime.consumer import Consumer
from shared.runtime.feed import Envelope
from shared.runtime.node import Node
from shared.runtime.parking import parked_in, try_again
from shared.runtime.replay import compare
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed
from tests.shared.runtime import toy as toys
from tests.shared.runtime.follower import Follower
from tests.shared.runtime.nodes import until
from tests.shared.runtime.toy import DEFINITION, Note

pytestmark = pytest.mark.servers


async def resolve(
    follower: Follower, thing: str, version: int, reason: str = "done_by_hand", note: str | None = None, **more: bool
) -> Receipt:
    command = ResolveParked(source="identity", stream=f"toy-{thing}", version=version, reason=reason, note=note, **more)
    meta = Meta(command_id=uuid4(), actor="ops:tester", at=follower.now)
    return await follower.service.handle(command, meta)


async def parked_at_a_bug(follower: Follower, thing: str) -> Sequence[Envelope]:
    """Version 2 is poison, 3 and 4 wait behind it."""
    envelopes = await follower.say(thing, "one", "bug", "three", "four")
    await follower.consumer.take(envelopes)
    return envelopes


async def test_what_waits_knows_its_fact_and_how_much_waits_behind_it(follower: Follower) -> None:
    _, bug, _, last = await parked_at_a_bug(follower, "pa")
    row = await follower.parked("pa")
    assert row is not None
    assert (row["version"], row["type"], row["event_id"], row["case_id"]) == (2, bug.type, bug.event_id, "case-1")
    assert row["latest"] == last.version == 4


async def test_a_resolution_passes_over_that_one_fact_and_the_rest_flows_in_order(follower: Follower) -> None:
    await parked_at_a_bug(follower, "pb")
    await resolve(follower, "pb", 2)
    assert await follower.echoed("pb") == ["one"]
    await follower.consumer.retry_not_yet()
    assert await follower.echoed("pb") == ["one", "three", "four"]
    assert await follower.parked("pb") is None


async def test_a_resolution_is_an_event_of_the_case_that_says_who_why_and_about_what(follower: Follower) -> None:
    _, bug, *_ = await parked_at_a_bug(follower, "pc")
    await resolve(follower, "pc", 2, reason="no_longer_needed")
    async with follower.service.reading() as connection:
        (fact,) = await follower.service.history(connection, "parking-identity-toy-pc")
    assert fact.event == ParkedFactResolved(
        source="identity",
        stream="toy-pc",
        version=2,
        type=bug.type,
        fault="ZeroDivisionError",
        reason="no_longer_needed",
    )
    assert (fact.meta.actor, fact.meta.case, fact.meta.causation) == ("ops:tester", "case-1", bug.event_id)


async def test_what_comes_while_a_stream_is_let_go_on_is_neither_lost_nor_out_of_order(follower: Follower) -> None:
    await parked_at_a_bug(follower, "pd")
    await resolve(follower, "pd", 2)
    later = await follower.say("pd", "five", "six")
    twin = Consumer(follower.service, follower.feed)
    await twin.begin("identity")
    await asyncio.gather(follower.consumer.retry_not_yet(), twin.retry_not_yet(), twin.take(later))
    await follower.consumer.retry_not_yet()
    assert await follower.echoed("pd") == ["one", "three", "four", "five", "six"]
    assert await follower.parked("pd") is None


class _Breaks(Exception):
    """The process ends here."""


class _BreaksOff(LocalFeed):
    """A feed that gives one event of a stream and then ends the process."""

    def __init__(self, source: Service) -> None:
        super().__init__(source)
        self.asked = 0

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        self.asked += 1
        if self.asked > 1:
            raise _Breaks
        return await super().of_stream(source, stream, version, 1)


async def test_a_crash_while_a_stream_is_let_go_on_loses_nothing_of_the_rest(follower: Follower) -> None:
    await parked_at_a_bug(follower, "pe")
    await resolve(follower, "pe", 2)
    crashing = Consumer(follower.service, _BreaksOff(follower.source))
    with suppress(_Breaks):
        await crashing.retry_not_yet()
    assert await follower.echoed("pe") == ["one", "three"]
    restarted = Consumer(follower.service, follower.feed)
    await restarted.begin("identity")
    await restarted.catch_up("identity")
    await restarted.retry_not_yet()
    assert await follower.echoed("pe") == ["one", "three", "four"]


async def test_another_try_that_fails_again_parks_again_and_counts(follower: Follower) -> None:
    await parked_at_a_bug(follower, "pf")
    async with follower.service.reading() as connection:
        assert await try_again(connection, "identity", "toy-pf")
        assert not await try_again(connection, "identity", "toy-nobody")
    await follower.consumer.retry_not_yet()
    row = await follower.parked("pf")
    assert row is not None
    assert (row["version"], row["attempts"], row["retry_at"], row["latest"]) == (2, 2, None, 4)
    assert await follower.echoed("pf") == ["one"]


async def test_a_stream_that_parks_again_further_on_begins_to_count_anew(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("pg", "bug", "two", "bug", "four"))
    await resolve(follower, "pg", 1)
    await follower.consumer.retry_not_yet()
    row = await follower.parked("pg")
    assert row is not None
    assert (row["version"], row["attempts"], row["latest"]) == (3, 1, 4)
    assert await follower.echoed("pg") == ["two"]


@pytest.mark.parametrize(
    ("version", "reason", "note", "code"),
    [
        (3, "done_by_hand", None, "parking.other_version"),
        (2, "", None, "parking.no_such_reason"),
        (2, "because", None, "parking.no_such_reason"),
        (2, "done_by_hand", "in free words", "parking.note_without_person"),
    ],
)
async def test_a_resolution_that_is_not_exact_is_refused_and_changes_nothing(
    follower: Follower, version: int, reason: str, note: str | None, code: str
) -> None:
    await follower.consumer.take(await follower.say(f"ph-{code}-{reason}", "one", "bug", "three"))
    before = await follower.parked(f"ph-{code}-{reason}")
    with pytest.raises(Refused, match=code):
        await resolve(follower, f"ph-{code}-{reason}", version, reason, note)
    assert await follower.parked(f"ph-{code}-{reason}") == before
    assert await follower.echoed(f"ph-{code}-{reason}") == ["one"]


async def test_nothing_is_resolved_where_nothing_is_parked_or_twice(follower: Follower) -> None:
    with pytest.raises(Refused, match=r"parking\.not_parked"):
        await resolve(follower, "never-heard-of", 1)
    await parked_at_a_bug(follower, "pi")
    await resolve(follower, "pi", 2)
    with pytest.raises(Refused, match=r"parking\.not_parked"):
        await resolve(follower, "pi", 2)


async def test_what_only_waits_for_another_fact_is_passed_over_only_if_that_is_said(follower: Follower) -> None:
    toys.early.add("pj")
    await follower.consumer.take(await follower.say("pj", "one", "two"))
    with pytest.raises(Refused, match=r"parking\.waits_for_a_fact"):
        await resolve(follower, "pj", 1)
    await resolve(follower, "pj", 1, even_early=True)
    toys.early.discard("pj")
    await follower.consumer.retry_not_yet()
    assert await follower.echoed("pj") == ["two"]


async def test_a_consumer_that_is_just_at_the_fact_and_a_resolution_do_not_both_win(follower: Follower) -> None:
    """The resolution waits for the inbox row; then the fact is handled, and there is nothing to resolve."""
    toys.early.add("pk")
    await follower.consumer.take(await follower.say("pk", "one", "two"))
    toys.early.discard("pk")
    async with follower.service.reading() as connection, connection.transaction():
        await connection.execute("select from inbox where stream = 'toy-pk' for update")
        await try_again(connection, "identity", "toy-pk")
        resolving = asyncio.create_task(resolve(follower, "pk", 1, even_early=True))
        await asyncio.sleep(0.1)
        assert not resolving.done()
        await connection.execute("update inbox set version = 1 where stream = 'toy-pk'")
    with pytest.raises(Refused, match=r"parking\.not_parked"):
        await resolving


async def test_a_resolution_that_was_faster_ends_the_try_that_was_under_way(follower: Follower) -> None:
    """Both orders, many times: each fact is handled or passed over, never both, and nothing stays parked."""
    for number in range(12):
        thing = f"pl{number}"
        toys.early.add(thing)
        await follower.consumer.take(await follower.say(thing, "one", "two"))
        toys.early.discard(thing)
        async with follower.service.reading() as connection:
            await try_again(connection, "identity", f"toy-{thing}")
        outcomes = await asyncio.gather(
            follower.consumer.retry_not_yet(), resolve(follower, thing, 1, even_early=True), return_exceptions=True
        )
        await follower.consumer.retry_not_yet()
        resolved = isinstance(outcomes[1], Receipt)
        assert await follower.echoed(thing) == (["two"] if resolved else ["one", "two"])
        assert await follower.parked(thing) is None


async def test_a_batch_that_waited_for_the_inbox_row_sees_that_the_stream_was_let_go(
    follower: Follower, owner: asyncpg.Connection
) -> None:
    await parked_at_a_bug(follower, "pm")
    (later,) = await follower.say("pm", "five")
    async with follower.service.reading() as connection, connection.transaction():
        await connection.execute("select from inbox where stream = 'toy-pm' for update")
        taking = asyncio.create_task(follower.consumer.take([later]))
        await asyncio.sleep(0.1)
        await connection.execute("update inbox set version = 4 where stream = 'toy-pm'")
        await connection.execute("delete from parked where stream = 'toy-pm'")
    await taking
    assert await follower.echoed("pm") == ["one", "five"]


async def test_a_note_in_free_words_is_sealed_under_the_key_of_the_person_it_is_about(follower: Follower) -> None:
    await follower.source.keyring.create("person-pn")
    await parked_at_a_bug(follower, "pn")
    await follower.service.pool.execute("update parked set person = 'person-pn' where stream = 'toy-pn'")
    for note, code in (("", "request.text_length"), ("字" * 501, "request.text_length")):
        with pytest.raises(Refused, match=code):
            await resolve(follower, "pn", 2, note=note)
    await resolve(follower, "pn", 2, note="told by telephone")
    pool = follower.service.pool
    stored = await pool.fetch("select body, person from events where stream = 'parking-identity-toy-pn'")
    assert "telephone" not in str(stored)
    assert {row["person"] for row in stored} == {"person-pn"}
    async with follower.service.reading() as connection:
        facts = await follower.service.history(connection, "parking-identity-toy-pn")
    assert facts[1].event == ResolutionExplained(note="told by telephone")


async def test_a_rebuild_leaves_inbox_and_parked_alone(follower: Follower) -> None:
    await parked_at_a_bug(follower, "po")
    await resolve(follower, "po", 2)
    marks = "select (select json_agg(i order by stream) from inbox i)::text, (select json_agg(p) from parked p)::text"
    before = await follower.service.pool.fetchrow(marks)
    async with follower.service.reading() as connection:
        comparison = await compare(connection, follower.service.definition, follower.service.keyring)
    assert comparison.differing == 0
    assert comparison.events > 0
    assert await follower.service.pool.fetchrow(marks) == before


async def test_the_clock_of_who_asks_for_another_try_does_not_matter(follower: Follower) -> None:
    """The follower's clock stands in 2030."""
    assert abs((follower.now - utc_now()).days) > 365
    await parked_at_a_bug(follower, "pq")
    async with follower.service.reading() as connection:
        await try_again(connection, "identity", "toy-pq")
    await follower.consumer.retry_not_yet()
    row = await follower.parked("pq")
    assert row is not None
    assert row["attempts"] == 2


async def test_metrics_tell_which_sources_streams_wait_for_what_and_since_when(follower: Follower) -> None:
    await follower.service.pool.execute("delete from parked")
    toys.early.add("pr2")
    await parked_at_a_bug(follower, "pr1")
    await follower.consumer.take(await follower.say("pr2", "one"))
    toys.early.discard("pr2")
    follower.now += timedelta(minutes=5)
    assert await parked_in(follower.service.pool, "exemption", follower.now) == {
        "identity": {
            "poison": {"streams": 1, "oldest_seconds": 300.0},
            "not_yet": {"streams": 1, "oldest_seconds": 300.0},
        }
    }
    await follower.service.pool.execute("delete from parked")
    assert await parked_in(follower.service.pool, "notification", follower.now) == {
        source: {kind: {"streams": 0, "oldest_seconds": 0.0} for kind in ("poison", "not_yet")}
        for source in ("identity", "exemption")
    }


async def test_lag_tells_the_age_of_what_waits_while_it_waits_and_nothing_when_level(follower: Follower) -> None:
    first, *_ = await follower.say("ps", *(["text"] * 3))
    toys.slow["ps"] = asyncio.Event()
    catching_up = asyncio.create_task(follower.consumer.catch_up("identity"))
    await until(lambda: _is(follower.consumer.behind_since.get("identity"), first.recorded_at))
    assert follower.consumer.lag["identity"] == 3
    toys.slow.pop("ps").set()
    await catching_up
    assert follower.consumer.behind_since["identity"] is None
    assert follower.consumer.lag["identity"] == 0


async def _is(value: object, wanted: object) -> bool:
    return value == wanted


async def test_a_keyring_that_is_away_parks_nothing_and_once_it_is_back_all_flows(
    follower: Follower, owner: asyncpg.Connection
) -> None:
    await follower.source.keyring.create("person-pt")
    envelopes = [structs.replace(each, person="person-pt") for each in await follower.say("pt", "one", "two")]
    await owner.execute("revoke execute on function keyring.read_keys from exemption")
    taking = asyncio.create_task(follower.consumer.take(envelopes))
    await asyncio.sleep(0.3)
    assert not taking.done()
    assert (await follower.echoed("pt"), await follower.parked("pt")) == ([], None)
    await owner.execute("grant execute on function keyring.read_keys to exemption")
    await taking
    assert (await follower.echoed("pt"), await follower.parked("pt")) == (["one", "two"], None)


async def test_a_replica_that_was_frozen_longer_than_a_transaction_may_idle_takes_nothing_for_poison(
    follower: Follower, owner: asyncpg.Connection
) -> None:
    toys.early.add("pv")
    await follower.consumer.take(await follower.say("pv", "one", "two"))
    toys.early.discard("pv")
    toys.slow["pv"] = asyncio.Event()
    follower.now += timedelta(seconds=2)
    await owner.execute("alter role exemption set idle_in_transaction_session_timeout = '200ms'")
    await follower.service.pool.expire_connections()
    try:
        retrying = asyncio.create_task(follower.consumer.retry_not_yet())
        await asyncio.sleep(2)
    finally:
        await owner.execute("alter role exemption set idle_in_transaction_session_timeout = '30s'")
    await follower.service.pool.expire_connections()
    toys.slow.pop("pv").set()
    await retrying
    assert (await follower.echoed("pv"), await follower.parked("pv")) == (["one", "two"], None)


async def test_health_tells_how_long_events_wait_for_a_position_and_for_the_bus(follower: Follower) -> None:
    later = Node(DEFINITION, follower.source.pool, KEK, lambda: utc_now() + timedelta(minutes=5))
    await follower.source.pool.execute("update sequencer set published = (select max(position) from log)")
    level = await later.health()
    assert (level["unpositioned_seconds"], level["unpublished_seconds"]) == (0.0, 0.0)
    await follower.source.handle(Note(thing="pu"), Meta(command_id=uuid4(), actor="tester", at=utc_now()))
    assert 300 <= (await later.health())["unpositioned_seconds"] < 400
    while await follower.sequencer.give():
        pass
    published = await later.health()
    assert published["unpositioned_seconds"] == 0.0
    assert 300 <= published["unpublished_seconds"] < 400
