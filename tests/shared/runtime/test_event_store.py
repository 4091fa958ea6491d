"""The store on a real PostgreSQL: one write path, idempotent for ever, append-only, sealed."""

import asyncio
from uuid import uuid4

import asyncpg
import pytest

from shared.kernel.errors import Refused
from shared.kernel.messages import ERASED, Meta
from shared.kernel.time import utc_now
from shared.runtime.keyring import KeyMissing
from shared.runtime.service import Service
from tests.shared.runtime.toy import Note, NoteMobile

pytestmark = pytest.mark.servers


def meta() -> Meta:
    return Meta(command_id=uuid4(), actor="tester", at=utc_now())


async def test_a_command_appends_its_events_and_says_which(toy: Service) -> None:
    receipt = await toy.handle(Note(thing="a", count=2), meta())
    assert receipt.stream == "toy-a"
    assert receipt.version == 2
    assert receipt.events == ("identity.sms_code_mistyped.v1",) * 2


async def test_the_same_command_again_gets_the_first_receipt_and_appends_nothing(toy: Service) -> None:
    asked = meta()
    first = await toy.handle(Note(thing="b"), asked)
    await toy.handle(Note(thing="b"), meta())
    assert await toy.handle(Note(thing="b"), asked) == first
    async with toy.reading() as connection:
        assert len(await toy.history(connection, "toy-b")) == 2


async def test_the_same_command_twice_at_once_happens_once(toy: Service) -> None:
    asked = meta()
    receipts = await asyncio.gather(*(toy.handle(Note(thing="c"), asked) for _ in range(8)))
    assert len(set(receipts)) == 1
    assert receipts[0].version == 1


async def test_the_same_id_with_another_content_is_refused(toy: Service) -> None:
    asked = meta()
    await toy.handle(Note(thing="d"), asked)
    with pytest.raises(Refused, match=r"request\.key_reused"):
        await toy.handle(Note(thing="d", text="other"), asked)


async def test_of_two_rivals_one_wins_and_the_other_gets_a_clear_answer(toy: Service) -> None:
    outcomes = await asyncio.gather(
        toy.handle(Note(thing="e", at=0), meta()), toy.handle(Note(thing="e", at=0), meta()), return_exceptions=True
    )
    refused = [outcome for outcome in outcomes if isinstance(outcome, Refused)]
    assert len(refused) == 1
    assert refused[0].code == "identity.organisation_unknown"


async def test_32_writers_on_20_hot_streams_lose_nothing(toy: Service) -> None:
    async def write(writer: int) -> None:
        for number in range(5):
            await toy.handle(Note(thing=f"hot-{(writer + number) % 20}"), meta())

    await asyncio.gather(*(write(writer) for writer in range(32)))
    counted = await toy.pool.fetchval("select sum(version) from streams where stream like 'toy-hot-%'")
    assert counted == 160
    written = await toy.pool.fetchrow(
        "select count(*) as n, max(seq) - min(seq) + 1 as numbers from events where stream like 'toy-hot-%'"
    )
    assert written is not None
    assert (written["n"], written["numbers"]) == (160, 160), "a loser of the race burned a sequence number"


async def test_the_service_itself_can_neither_change_nor_delete_an_event(toy: Service) -> None:
    await toy.handle(Note(thing="f"), meta())
    for statement in ("update events set actor = 'x'", "delete from events", "truncate events"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await toy.pool.execute(statement)


async def test_even_the_owner_is_refused_by_the_trigger(toy: Service, owner: asyncpg.Connection) -> None:
    await toy.handle(Note(thing="g"), meta())
    for statement in ("update events set actor = 'x'", "delete from events", "truncate events cascade"):
        with pytest.raises(asyncpg.PostgresError) as refused:
            await owner.execute(statement)
        assert refused.value.sqlstate == "ZK001"


async def test_personal_values_are_stored_sealed_and_read_back(toy: Service, owner: asyncpg.Connection) -> None:
    await toy.keyring.create("person-h")
    await toy.handle(NoteMobile(thing="h", person="person-h", mobile="13900000001"), meta())
    assert "13900000001" not in await owner.fetchval("select body::text from events where stream = 'toy-h'")
    async with toy.reading() as connection:
        (fact,) = await toy.history(connection, "toy-h")
    assert fact.event.mobile == "13900000001"


async def test_a_sealed_value_opens_nowhere_but_in_its_own_place(toy: Service) -> None:
    await toy.keyring.create("person-i")
    cipher = await toy.keyring.cipher("person-i")
    sealed = cipher.seal(b"text", b"stream|1|field")
    assert cipher.open(sealed, b"stream|1|field") == b"text"
    with pytest.raises(Exception, match="stream"):
        cipher.open(sealed, b"stream|2|field")


async def test_an_erased_person_reads_as_erased_and_can_get_no_new_key(toy: Service) -> None:
    await toy.keyring.create("person-j")
    await toy.handle(NoteMobile(thing="j", person="person-j", mobile="13900000002"), meta())
    await toy.keyring.erase("person-j")
    async with toy.reading() as connection:
        (fact,) = await toy.history(connection, "toy-j")
    assert fact.event.mobile == ERASED
    with pytest.raises(Refused, match=r"access\.person_erased"):
        await toy.keyring.create("person-j")
    with pytest.raises(Refused, match=r"access\.person_erased"):
        await toy.handle(NoteMobile(thing="j", person="person-j", mobile="13900000003"), meta())


async def test_a_missing_key_is_a_fault_and_not_an_erasure(toy: Service) -> None:
    with pytest.raises(KeyMissing):
        await toy.handle(NoteMobile(thing="k", person="nobody", mobile="13900000003"), meta())


async def test_a_value_claimed_by_one_stream_is_refused_to_another(toy: Service) -> None:
    await toy.keyring.create("person-l")
    await toy.handle(NoteMobile(thing="l", person="person-l", mobile="13900000004"), meta())
    with pytest.raises(Refused, match=r"claim\.taken"):
        await toy.handle(NoteMobile(thing="m", person="person-l", mobile="13900000004"), meta())
    assert not await toy.pool.fetchval("select exists (select from events where stream = 'toy-m')")


async def test_a_feed_asked_from_beyond_any_version_or_position_is_empty(toy: Service) -> None:
    await toy.handle(Note(thing="n"), meta())
    assert await toy.feed_of("toy-n", 2**63 - 1, 10) == []
    assert await toy.feed(2**63 - 1, 10) == []
