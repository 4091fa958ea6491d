"""The audit of a store on a real PostgreSQL: what was done to it behind its back is named.

Each test tampers with one small history as a superuser whose session ignores triggers; afterwards it is put back.
"""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.audit import Audited, Finding, stores_in, verify
from shared.runtime.database import AUDITOR, as_role
from shared.runtime.service import Service
from shared.testing.stores import KEK, PASSWORD, pool_of
from tests.conftest import Databases
from tests.shared.runtime.toy import DEFINITION, Note, NoteMobile

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def history(toy_database: str) -> str:
    """Streams toy-a (4 events), toy-b (2), toy-p (1, personal), all with positions; nobody is connected."""
    async with pool_of(toy_database, "identity") as pool:
        service = Service(DEFINITION, pool, KEK, utc_now, None)
        await service.keyring.create("person-p")
        for command in (Note(thing="a", count=2), Note(thing="b"), Note(thing="a"), Note(thing="b"), Note(thing="a")):
            await service.handle(command, _meta())
        await service.handle(NoteMobile(thing="p", person="person-p", mobile="13900000001"), _meta())
        await service.sequencer.lead()
        await service.sequencer.give()
    return toy_database


def _meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now())


class Store:
    """A copy of the history: `tamper` with it, then see what is `found`."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.audited = Audited("identity")

    async def tamper(self, *statements: str) -> None:
        owner = await asyncpg.connect(self.url, server_settings={"search_path": "identity"})
        await owner.execute("set session_replication_role = replica")
        for statement in statements:
            await owner.execute(statement)
        await owner.close()

    async def findings(self) -> list[Finding]:
        auditor = await asyncpg.connect(as_role(self.url, AUDITOR, PASSWORD))
        self.audited = Audited("identity")
        try:
            return [finding async for finding in verify(auditor, self.audited)]
        finally:
            await auditor.close()

    async def found(self) -> set[tuple[str, str, int | None]]:
        return {(finding.kind, finding.stream, finding.version) for finding in await self.findings()}


_TABLES = ("events", "log", "streams", "sequencer", "gaps")


@pytest.fixture(scope="module")
async def kept(history: str) -> Store:
    store = Store(history)
    await store.tamper(*(f"create table public.kept_{name} as table {name}" for name in _TABLES))
    return store


@pytest.fixture
async def store(kept: Store) -> AsyncIterator[Store]:
    yield kept
    for name in _TABLES:
        back = f"insert into {name} overriding system value select * from public.kept_{name}"
        await kept.tamper(f"delete from {name}", back)


@pytest.fixture
async def own_store(history: str, databases: Databases) -> AsyncIterator[Store]:
    """A copy, for those who also take constraints away."""
    async with databases.fresh(template=history) as url:
        yield Store(url)


async def test_an_untouched_store_has_no_findings_and_everything_was_looked_at(store: Store) -> None:
    assert await store.findings() == []
    audited = store.audited
    assert (audited.events, audited.streams, audited.positions, audited.waiting) == (7, 3, 7, 0)


async def test_events_that_still_wait_for_a_position_are_counted_and_are_no_finding(store: Store) -> None:
    async with pool_of(store.url, "identity") as pool:
        await Service(DEFINITION, pool, KEK, utc_now, None).handle(Note(thing="b", count=2), _meta())
    assert await store.findings() == []
    assert (store.audited.events, store.audited.positions, store.audited.waiting) == (9, 7, 2)


async def test_an_erased_persons_chain_still_verifies(store: Store) -> None:
    async with pool_of(store.url, "identity") as pool:
        await Service(DEFINITION, pool, KEK, utc_now, None).keyring.erase("person-p")
    assert await store.findings() == []


async def test_every_store_of_the_database_is_found_by_its_tables(store: Store) -> None:
    auditor = await asyncpg.connect(as_role(store.url, AUDITOR, PASSWORD))
    found = await stores_in(auditor)
    await auditor.close()
    assert found == ["exemption", "identity", "notification"]


COLUMN_CHANGES = {
    "body": """body = replace(body::text, 'register', 'Register')::json""",
    "the spacing of the body": """body = (body::text || ' ')::json""",
    "type": "type = 'identity.mobile_proved.v1'",
    "event_id": "event_id = gen_random_uuid()",
    "command_id": "command_id = gen_random_uuid()",
    "case_id": "case_id = null",
    "person": "person = 'somebody-else'",
    "actor": "actor = 'Tester'",
    "causation": "causation = gen_random_uuid()",
    "correlation": "correlation = gen_random_uuid()",
    "traceparent": "traceparent = 'x'",
    "recorded_at": "recorded_at = recorded_at + interval '1 microsecond'",
    "recorded_at to a time no event has": "recorded_at = 'infinity'",
}


@pytest.mark.parametrize("change", COLUMN_CHANGES.values(), ids=COLUMN_CHANGES)
async def test_a_change_of_any_column_is_named(store: Store, change: str) -> None:
    await store.tamper(f"update events set {change} where stream = 'toy-a' and version = 2")
    assert await store.found() == {("content_changed", "toy-a", 2)}


async def test_a_flipped_byte_in_a_sealed_value_is_named(store: Store) -> None:
    await store.tamper(
        "update events set body = regexp_replace(body::text, 'sealed:(.)', 'sealed:-')::json where stream = 'toy-p'"
    )
    assert await store.found() == {("content_changed", "toy-p", 1)}


async def test_a_flipped_bit_in_a_hash_is_named_there_and_where_it_was_linked(store: Store) -> None:
    await store.tamper(
        "update events set hash = set_bit(hash, 3, 1 - get_bit(hash, 3)) where stream = 'toy-a' and version = 2"
    )
    assert await store.found() == {("content_changed", "toy-a", 2), ("link_broken", "toy-a", 3)}


async def test_a_changed_event_that_was_hashed_again_breaks_the_link_after_it(store: Store) -> None:
    """Somebody who knows the formula, but does not rewrite the rest of the stream."""
    await store.tamper("update events set hash = sha256('anything') where stream = 'toy-a' and version = 2")
    assert ("link_broken", "toy-a", 3) in await store.found()


async def test_a_deleted_event_is_named_with_the_position_it_had(store: Store) -> None:
    await store.tamper("delete from events where stream = 'toy-a' and version = 2")
    findings = await store.findings()
    assert {(f.kind, f.stream, f.version) for f in findings} == {
        ("event_missing", "toy-a", 2),
        ("position_without_event", "", None),
    }
    assert "version 2 is missing before 3" in findings[0].sentence


async def test_a_deleted_first_event_is_named(store: Store) -> None:
    await store.tamper("delete from events where stream = 'toy-a' and version = 1")
    assert ("event_missing", "toy-a", 1) in await store.found()


async def test_a_deleted_last_event_is_named_by_the_head(store: Store) -> None:
    await store.tamper("delete from events where stream = 'toy-a' and version = 4")
    assert ("event_missing", "toy-a", 4) in await store.found()


async def test_a_deleted_last_event_is_named_by_its_position_when_the_head_was_set_back(store: Store) -> None:
    await store.tamper(
        "update streams set version = 3, hash = (select hash from events where stream = 'toy-a' and version = 3) "
        "where stream = 'toy-a'",
        "delete from events where stream = 'toy-a' and version = 4",
    )
    assert await store.found() == {("position_without_event", "", None)}


async def test_an_event_deleted_together_with_its_position_is_named(store: Store) -> None:
    await store.tamper(
        "delete from log where seq = (select seq from events where stream = 'toy-a' and version = 2)",
        "delete from events where stream = 'toy-a' and version = 2",
    )
    assert {kind for kind, _, _ in await store.found()} == {"event_missing", "position_missing"}


async def test_the_last_event_of_all_deleted_with_every_trace_but_the_sequencers_is_named(store: Store) -> None:
    await store.tamper(
        "delete from log where position = 7",
        "delete from events where stream = 'toy-p'",
        "delete from streams where stream = 'toy-p'",
    )
    assert await store.found() == {("event_missing", "", None)}


async def test_an_inserted_position_is_named(store: Store) -> None:
    await store.tamper("insert into log values (8, 1000)")
    assert await store.found() == {("position_without_event", "", None)}


async def test_a_deleted_stream_is_named_by_its_head(store: Store) -> None:
    await store.tamper("delete from events where stream = 'toy-b'")
    assert ("event_missing", "toy-b", 2) in await store.found()


async def test_a_deleted_head_is_named(store: Store) -> None:
    await store.tamper("delete from streams where stream = 'toy-b'")
    assert await store.found() == {("head_missing", "toy-b", 2)}


async def test_a_head_that_was_set_back_or_given_another_hash_is_named(store: Store) -> None:
    await store.tamper(
        "update streams set version = 1 where stream = 'toy-b'",
        "update streams set hash = sha256('x') where stream = 'toy-a'",
    )
    assert await store.found() == {("head_differs", "toy-a", 4), ("head_differs", "toy-b", 2)}


async def test_two_events_that_changed_places_are_both_named(store: Store) -> None:
    await store.tamper(
        "update events set version = 99 where stream = 'toy-a' and version = 2",
        "update events set version = 2 where stream = 'toy-a' and version = 3",
        "update events set version = 3 where stream = 'toy-a' and version = 99",
    )
    found = await store.found()
    assert {("content_changed", "toy-a", 2), ("content_changed", "toy-a", 3)} <= found
    assert ("order_changed", "toy-a", 3) in found


async def test_two_bodies_that_changed_places_are_both_named(store: Store) -> None:
    await store.tamper(
        "update events as e set body = o.body from events as o where e.stream = 'toy-a' and o.stream = 'toy-a' "
        "and (e.version, o.version) in ((1, 2), (2, 1))"
    )
    assert await store.found() == {("content_changed", "toy-a", 1), ("content_changed", "toy-a", 2)}


_COPIED = (
    "insert into events (stream, version, type, event_id, command_id, actor, recorded_at, body, previous_hash, hash) "
    "select stream, {version}, type, gen_random_uuid(), command_id, actor, recorded_at, body, {previous}, hash "
    "from events where stream = 'toy-b' and version = 2"
)


async def test_an_inserted_event_is_named(store: Store) -> None:
    await store.tamper(_COPIED.format(version=3, previous="hash"))
    assert await store.found() == {("content_changed", "toy-b", 3), ("head_differs", "toy-b", 3)}


async def test_an_event_inserted_twice_under_one_version_is_named(own_store: Store) -> None:
    await own_store.tamper(
        "alter table events drop constraint events_pkey", _COPIED.format(version=2, previous="previous_hash")
    )
    assert ("event_repeated", "toy-b", 2) in await own_store.found()


async def test_an_event_inserted_below_what_the_sequencer_has_seen_is_named(store: Store) -> None:
    await store.tamper(_COPIED.format(version=3, previous="hash"), "update sequencer set seen = 100")
    assert ("position_skipped", "toy-b", 3) in await store.found()


async def test_sequence_numbers_that_changed_places_are_named(own_store: Store) -> None:
    await own_store.tamper(
        "alter table events alter column seq drop identity",
        "update events set seq = -1 where stream = 'toy-a' and version = 1",
        "update events set seq = 1 where stream = 'toy-a' and version = 2",
        "update events set seq = 2 where stream = 'toy-a' and version = 1",
    )
    assert ("order_changed", "toy-a", 2) in await own_store.found()


async def test_a_deleted_position_is_named_in_the_log_and_at_its_event(store: Store) -> None:
    await store.tamper("delete from log where position = 2")
    findings = await store.findings()
    assert {f.kind for f in findings} == {"position_missing", "position_skipped"}
    assert ("position_skipped", "toy-a", 2) in {(f.kind, f.stream, f.version) for f in findings}
    assert any("position 2 is missing before 3" in f.sentence for f in findings)


async def test_a_deleted_last_position_is_named_though_the_log_is_still_dense(store: Store) -> None:
    await store.tamper("delete from log where position = 7")
    assert await store.found() == {("position_skipped", "toy-p", 1)}


async def test_positions_that_changed_places_within_a_stream_are_named(store: Store) -> None:
    await store.tamper(
        "update log set position = 99 where position = 1",
        "update log set position = 1 where position = 2",
        "update log set position = 2 where position = 99",
    )
    assert await store.found() == {("order_changed", "toy-a", 2)}


async def test_an_event_that_was_given_two_positions_is_named(own_store: Store) -> None:
    await own_store.tamper(
        "alter table log drop constraint log_seq_key",
        "insert into log select 8, seq from events where stream = 'toy-b' and version = 2",
    )
    assert await own_store.found() == {("event_repeated", "toy-b", 2), ("order_changed", "toy-b", 2)}


async def test_a_position_given_to_two_events_is_named(own_store: Store) -> None:
    await own_store.tamper(
        "alter table log drop constraint log_pkey",
        "update log set position = 6 where position = 7",
    )
    assert {kind for kind, _, _ in await own_store.found()} == {"position_repeated"}
