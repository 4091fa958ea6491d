"""A follower handles each fact once and in its stream's order, however it arrives, and parks only what is poison."""

import asyncio
import errno
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import asyncpg
import msgspec
import pytest
from structlog.testing import capture_logs

from shared.events import Upcaster
from shared.kernel.messages import Meta, Receipt
from shared.kernel.parking import ResolveParked
from shared.kernel.time import utc_now
from shared.runtime.batch import Batch
from shared.runtime.consumer import Consumer
from shared.runtime.event_store import Conflict, Work
from shared.runtime.feed import Envelope
from shared.runtime.inbox import Inbox, Settled
from shared.runtime.service import Service
from shared.testing.stores import KEK, LocalFeed
from tests.shared.runtime import toy as toys
from tests.shared.runtime.follower import Follower
from tests.shared.runtime.toy import ECHO, FOLLOWER, Echo, Note

pytestmark = pytest.mark.servers


async def test_a_batch_is_handled_in_order(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("a", "one", "two", "three"))
    assert await follower.echoed("a") == ["one", "two", "three"]


async def test_a_message_delivered_twice_has_one_effect(follower: Follower) -> None:
    envelopes = await follower.say("b", "one", "two")
    await follower.consumer.take(envelopes)
    await follower.consumer.take(envelopes)
    await follower.consumer.take([*envelopes, *envelopes])
    assert await follower.echoed("b") == ["one", "two"]


async def test_messages_out_of_order_are_handled_in_order(follower: Follower) -> None:
    envelopes = await follower.say("c", "one", "two", "three")
    for envelope in reversed(envelopes):
        await follower.consumer.take([envelope])
    assert await follower.echoed("c") == ["one", "two", "three"]


async def test_two_replicas_taking_the_same_batch_have_one_effect(follower: Follower) -> None:
    envelopes = await follower.say("d", "one", "two", "three")
    twin = Consumer(follower.service, follower.feed)
    await twin.begin("identity")
    await asyncio.gather(follower.consumer.take(envelopes), twin.take(envelopes))
    assert await follower.echoed("d") == ["one", "two", "three"]


async def test_a_stream_that_another_replica_moved_or_parked_is_not_moved_from_where_it_was_seen(
    follower: Follower,
) -> None:
    first, second = await follower.say("seen", "one", "two")
    for envelope, rival in ((first, "moves"), (second, "parks")):
        async with follower.service.reading() as connection:
            inbox = await Inbox.seen(connection, [envelope])
            assert inbox.take(envelope) == "next"
            if rival == "moves":
                await follower.consumer.take([envelope])
            else:
                await follower.consumer._park(envelope, "ValueError", "as a rival does")
            with pytest.raises(Conflict):
                await Batch(follower.service, connection, inbox.moves).finish()
    row = await follower.parked("seen")
    assert row is not None
    assert row["version"] == 2
    assert await follower.echoed("seen") == ["one"]


async def test_a_lost_message_even_the_last_of_its_stream_is_read_from_the_feed(follower: Follower) -> None:
    first, _lost = await follower.say("e", "one", "two")
    await follower.consumer.take([first])
    assert await follower.echoed("e") == ["one"]
    await follower.consumer.catch_up("identity")
    assert await follower.echoed("e") == ["one", "two"]


async def test_a_source_that_does_not_answer_yet_leaves_its_messages_to_the_feed(follower: Follower) -> None:
    newcomer = Consumer(follower.service, follower.feed)
    envelopes = await follower.say("n", "one")
    await newcomer.take(envelopes)
    assert await follower.echoed("n") == []
    await newcomer.begin("identity")
    await newcomer.catch_up("identity")
    assert await follower.echoed("n") == ["one"]


async def test_what_came_without_a_hole_is_not_read_again_from_the_feed(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("f", "one", "two"))
    follower.feed.read = 0
    await follower.consumer.catch_up("identity")
    assert follower.feed.read == 0


async def test_what_several_queues_brought_in_pieces_is_not_read_again_from_the_feed(follower: Follower) -> None:
    envelopes = [*await follower.say("pieces", "one", "two"), *await follower.say("parts", "three", "four")]
    first, second, third, fourth = envelopes
    for queue in ([third], [first, second], [fourth]):
        await follower.consumer.take(queue)
    follower.feed.read = 0
    await follower.consumer.catch_up("identity")
    assert follower.feed.read == 0


def test_pieces_that_never_join_are_forgotten_in_the_end() -> None:
    settled = Settled()
    settled.add(range(2, 10_000, 2))
    assert len(settled._runs) == 1000
    assert settled.joined_to(0) == 0
    settled.add([1])
    assert settled.joined_to(0) == 2


async def test_what_a_restarted_follower_had_not_noted_is_read_again_and_done_once(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("again", "one"))
    restarted = Consumer(follower.service, follower.feed)
    await restarted.begin("identity")
    follower.feed.read = 0
    await restarted.catch_up("identity")
    assert follower.feed.read == 1
    assert await follower.echoed("again") == ["one"]


async def test_a_type_nobody_reacts_to_only_moves_the_version_and_is_not_decoded(follower: Follower) -> None:
    unknown, known = await follower.say("g", "one", "two")
    unknown = msgspec.structs.replace(unknown, type="identity.of_the_future.v9", body="{}")
    await follower.consumer.take([unknown, known])
    assert await follower.echoed("g") == ["two"]


async def test_an_undecodable_event_parks_its_own_stream_and_nothing_else(follower: Follower) -> None:
    poison, later = await follower.say("h", "one", "two")
    (other,) = await follower.say("h2", "fine")
    poison = msgspec.structs.replace(poison, body='{"purpose": 7}')
    await follower.consumer.take([poison, later, other])
    assert await follower.echoed("h") == []
    assert await follower.echoed("h2") == ["fine"]
    parked = await follower.parked("h")
    assert parked is not None
    assert parked["reason"] == "Undecodable"
    assert parked["retry_at"] is None


async def test_a_bug_parks_its_stream_and_the_rest_of_the_batch_flows(follower: Follower) -> None:
    before = await follower.say("i", "one", "bug", "three")
    after = await follower.say("i2", "fine")
    await follower.consumer.take([*before, *after])
    assert await follower.echoed("i") == ["one"]
    assert await follower.echoed("i2") == ["fine"]
    parked = await follower.parked("i")
    assert parked is not None
    assert (parked["reason"], parked["version"]) == ("ZeroDivisionError", 2)
    assert "toy.py" in parked["detail"]


@pytest.mark.parametrize("text", ["no such file", "wrong argument"])
async def test_a_bug_that_looks_like_an_outage_is_parked_too_since_the_database_answers(
    follower: Follower, text: str
) -> None:
    """It would be tried for ever otherwise, and nothing behind it would flow."""
    thing = text.replace(" ", "-")
    before = await follower.say(thing, "one", text, "three")
    after = await follower.say(f"{thing}-2", "fine")
    async with asyncio.timeout(30):
        await follower.consumer.take([*before, *after])
    assert (await follower.echoed(thing), await follower.echoed(f"{thing}-2")) == (["one"], ["fine"])
    parked = await follower.parked(thing)
    assert parked is not None
    assert (parked["reason"], parked["version"]) == (toys.BUGS[text].__name__, 2)


async def test_a_keyring_that_cannot_be_found_is_an_outage_and_parks_nothing(follower: Follower) -> None:
    """As long as a stream that fails by a bug of ours is tried before it is parked, and longer."""
    (envelope,) = await follower.say("unfound", "one")
    of_somebody = msgspec.structs.replace(envelope, person="somebody")
    async with asyncpg.create_pool("postgresql://keys.invalid/zikao", min_size=0) as nowhere:
        lost = Consumer(Service(FOLLOWER, follower.service.pool, KEK, lambda: follower.now, None, nowhere), LocalFeed())
        await lost.begin("identity")
        with capture_logs() as said, pytest.raises(TimeoutError):
            await asyncio.wait_for(lost.take([of_somebody]), 4)
    assert {line["event"] for line in said} == {"consumer.outage"}
    assert await follower.parked("unfound") is None
    await follower.consumer.take([envelope])
    assert await follower.echoed("unfound") == ["one"]


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EMFILE, errno.ENFILE, errno.ENOSPC])
async def test_no_way_to_a_server_and_nothing_left_to_reach_it_with_are_no_bugs_of_ours(
    follower: Follower, number: int
) -> None:
    assert not await follower.consumer._may_be_ours(OSError(number, "the system says so"))
    assert await follower.consumer._may_be_ours(OSError(errno.ENOENT, "the system says so"))


async def look_after_the_echo(work: Work, command: Echo) -> Receipt:
    receipt = await work.execute(ECHO, command.thing, command, None)
    assert await work.tx.connection.fetchval("select version from streams where stream = $1", receipt.stream)
    return receipt


async def test_a_batch_whose_handler_asks_the_database_after_it_decided_is_still_one_transaction(
    follower: Follower,
) -> None:
    definition = replace(FOLLOWER, handlers={**FOLLOWER.handlers, Echo: look_after_the_echo})
    service = Service(definition, follower.service.pool, KEK, lambda: follower.now, None)
    consumer = Consumer(service, follower.feed)
    await consumer.begin("identity")
    with capture_logs() as said:
        await consumer.take([*await follower.say("asks-1", "one", "two"), *await follower.say("asks-2", "one")])
    assert said == []
    assert (await follower.echoed("asks-1"), await follower.echoed("asks-2")) == (["one", "two"], ["one"])
    transactions = "select count(distinct xmin::text) from events where stream like 'echo-asks-%'"
    assert await service.pool.fetchval(transactions) == 1


async def test_what_our_own_rules_refuse_is_recorded_with_its_code_and_the_stream_goes_on(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("j", "one", "refuse", "three"))
    assert await follower.echoed("j") == ["one", "three"]
    outcome = await follower.service.pool.fetchval("select outcome from reactions where stream = 'toy-j'")
    assert outcome == "identity.organisation_unknown"


async def test_a_reaction_that_comes_too_early_is_tried_again_when_it_may_have_arrived(follower: Follower) -> None:
    toys.early.add("k")
    await follower.consumer.take(await follower.say("k", "one", "two"))
    assert await follower.echoed("k") == []
    toys.early.discard("k")
    assert await follower.consumer.retry_not_yet() == 0
    follower.now += timedelta(seconds=2)
    assert await follower.consumer.retry_not_yet() == 1
    assert await follower.echoed("k") == ["one", "two"]
    assert await follower.parked("k") is None


async def test_somebody_erased_meanwhile_is_an_outcome_and_the_stream_goes_on(follower: Follower) -> None:
    await follower.consumer.take(await follower.say("r", "one", "erased since", "three"))
    assert await follower.echoed("r") == ["one", "three"]
    outcome = await follower.service.pool.fetchval("select outcome from reactions where stream = 'toy-r'")
    assert outcome == "access.person_erased"


async def test_a_command_carried_out_before_its_mark_was_lost_is_not_carried_out_again(follower: Follower) -> None:
    envelopes = await follower.say("s", "one", "two")
    await follower.consumer.take(envelopes)
    await follower.service.pool.execute("delete from inbox where stream = 'toy-s'")
    await asyncio.wait_for(follower.consumer.take(envelopes), 60)
    assert await follower.echoed("s") == ["one", "two"]


async def test_a_hole_whose_source_is_away_is_left_to_the_feed(follower: Follower) -> None:
    _lost, second = await follower.say("t", "one", "two")
    follower.feed.silent.add("identity")
    await follower.consumer.take([second])
    assert await follower.echoed("t") == []
    follower.feed.silent.clear()
    await follower.consumer.catch_up("identity")
    assert await follower.echoed("t") == ["one", "two"]


class _Robbed(LocalFeed):
    """A feed whose source has lost one version of a stream, for good."""

    def __init__(self, source: Service, stream: str, version: int) -> None:
        super().__init__(source)
        self._lost = (stream, version)

    async def after(self, source: str, position: int, most: int) -> Sequence[Envelope]:
        return self._without(await super().after(source, position, most))

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        return self._without(await super().of_stream(source, stream, version, most))

    def _without(self, page: Sequence[Envelope]) -> Sequence[Envelope]:
        return [each for each in page if (each.stream, each.version) != self._lost]


@pytest.mark.parametrize("by", ["bus", "feed"])
async def test_what_comes_after_a_version_that_its_source_has_lost_waits_for_a_person(
    follower: Follower, by: str
) -> None:
    thing = f"robbed-{by}"
    envelopes = await follower.say(thing, "one", "two", "three", "four")
    robbed = Consumer(follower.service, _Robbed(follower.source, f"toy-{thing}", 2))
    await robbed.begin("identity")
    if by == "bus":
        await robbed.take([envelopes[0], envelopes[2]])
    await robbed.catch_up("identity")
    parked = await follower.parked(thing)
    assert parked is not None
    assert (parked["version"], parked["reason"], parked["retry_at"]) == (2, "version_missing", None)
    assert (parked["type"], parked["latest"] > 2) == ("identity.version_missing", True)
    assert await follower.echoed(thing) == ["one"]
    resolved = ResolveParked(source="identity", stream=f"toy-{thing}", version=2, reason="cannot_be_read")
    meta = Meta(command_id=uuid4(), actor="ops:tester", at=follower.now)
    await follower.service.handle(resolved, meta)
    row = await follower.service.pool.fetchrow("select * from events where command_id = $1", meta.command_id)
    assert row is not None
    assert row["causation"] is None
    await robbed.retry_not_yet()
    assert await follower.echoed(thing) == ["one", "three", "four"]
    assert await follower.parked(thing) is None


class _Overtaken(LocalFeed):
    """A feed during whose answer another replica handles the first of what is missing."""

    def __init__(self, source: Service, twin: Consumer) -> None:
        super().__init__(source)
        self._twin = twin

    async def of_stream(self, source: str, stream: str, version: int, most: int) -> Sequence[Envelope]:
        page = await super().of_stream(source, stream, version, most)
        await self._twin.take(page[:1])
        return page


async def test_what_another_replica_did_meanwhile_does_not_end_the_filling_of_a_hole(follower: Follower) -> None:
    envelopes = await follower.say("u", "one", "two", "three")
    overtaken = Consumer(follower.service, _Overtaken(follower.source, follower.consumer))
    await overtaken.begin("identity")
    await overtaken.take(envelopes[2:])
    assert await follower.echoed("u") == ["one", "two", "three"]


async def test_a_parked_stream_waits_over_a_restart_until_a_person_lets_it_go_on(follower: Follower) -> None:
    poison, later = await follower.say("w", "one", "two")
    (other,) = await follower.say("w2", "fine")
    await follower.consumer.take([msgspec.structs.replace(poison, body='{"purpose": 7}'), other])
    restarted = Consumer(follower.service, follower.feed)
    await restarted.begin("identity")
    await restarted.take([later])
    assert await restarted.retry_not_yet() == 0
    assert await follower.echoed("w") == []
    assert await follower.echoed("w2") == ["fine"]
    await follower.service.pool.execute("update parked set retry_at = $1 where stream = 'toy-w'", follower.now)
    assert await restarted.retry_not_yet() == 1
    assert await follower.echoed("w") == ["one", "two"]


async def test_a_long_history_is_followed_over_the_borders_of_pages_and_batches(follower: Follower) -> None:
    things, each = 17, 59
    for thing in range(things):
        await follower.source.handle(
            Note(thing=f"x{thing}", count=each), Meta(command_id=uuid4(), actor="tester", at=utc_now())
        )
    while await follower.sequencer.give():
        pass
    newcomer = Consumer(follower.service, follower.feed)
    await newcomer.begin("identity")
    assert await newcomer.catch_up("identity") == things * each > 1000
    rows = await follower.service.pool.fetch(
        "select array_agg((body->>'attempts_left')::int order by version) as numbers from events "
        "where stream like 'echo-x%' group by stream"
    )
    assert [row["numbers"] for row in rows] == [list(range(1, each + 1))] * things
    assert newcomer.lag["identity"] == 0


async def test_a_fact_under_a_retired_name_is_reacted_to_as_what_it_is_read_as_today(
    follower: Follower, retired: dict[str, Upcaster]
) -> None:
    (envelope,) = await follower.say("y", "anything")
    old = msgspec.structs.replace(envelope, type="identity.sms_code_mistyped.v_older", body='{"why": "old"}')
    retired["identity.sms_code_mistyped.v_older"] = Upcaster(
        "identity.sms_code_mistyped.v_old", lambda body: {"purpose": body["why"]}
    )
    retired["identity.sms_code_mistyped.v_old"] = Upcaster(
        "identity.sms_code_mistyped.v1", lambda body: {**body, "attempts_left": 0}
    )
    await follower.consumer.take([old])
    assert await follower.echoed("y") == ["old"]


async def test_a_later_version_of_a_fact_we_react_to_waits_until_it_is_known_here(
    follower: Follower, retired: dict[str, Upcaster]
) -> None:
    later, after = await follower.say("z", "of a newer source", "after")
    await follower.consumer.take([msgspec.structs.replace(later, type="identity.sms_code_mistyped.v2"), after])
    assert await follower.echoed("z") == []
    parked = await follower.parked("z")
    assert parked is not None
    assert parked["reason"] == "not_yet"
    follower.now += timedelta(seconds=2)
    assert await follower.consumer.retry_not_yet() == 1
    assert await follower.echoed("z") == ["of a newer source", "after"]
