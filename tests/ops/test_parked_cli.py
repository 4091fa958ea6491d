"""`./zikao parked` as a person runs it, beside a follower that runs and one that does not."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from uuid import uuid4

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from ops import audit, parked
from ops.stack.places import Unserviceable
from shared.kernel.messages import Meta
from shared.kernel.time import utc_now
from shared.runtime.consumer import Consumer
from shared.runtime.database import AUDITOR, as_role
from shared.runtime.feed import Envelope
from shared.runtime.node import Node
from shared.runtime.service import Service
from shared.testing.stores import KEK, PASSWORD, LocalFeed, pool_of, prepared
from tests.conftest import Databases
from tests.shared.runtime.nodes import echoed, running, until
from tests.shared.runtime.toy import DEFINITION, FOLLOWER, TABLE, Note, mended

pytestmark = pytest.mark.servers
KEY = {"ZIKAO_KEK": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}  # shared.testing.stores.KEK


@dataclass
class Town:
    """A source, and a follower with a stream that waits at its second event: three more wait behind it."""

    url: str
    source: Service
    node: Node
    consumer: Consumer
    envelopes: list[Envelope]

    async def run(self, *words: str, role: str = AUDITOR) -> Result:
        url = as_role(self.url, role, PASSWORD)
        app = audit.app if words[0] == "trail" else parked.app
        # what breaks is raised here: kept in the result, it looks like a command that printed nothing
        invoke = partial(CliRunner().invoke, catch_exceptions=False)
        return await asyncio.to_thread(invoke, app, [*words, "--url", url], env=KEY)

    async def act(self, *words: str) -> Result:
        return await self.run(*words, role="exemption")

    async def waiting(self) -> list[dict[str, object]]:
        return list(json.loads((await self.run("list", "--json")).stdout))

    async def nothing_waits(self) -> bool:
        return await self.waiting() == []


@pytest.fixture(scope="module")
async def template(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url)
        owner = await asyncpg.connect(url)
        await owner.execute(TABLE)
        await owner.close()
        yield url


@pytest.fixture
async def town(template: str, databases: Databases) -> AsyncIterator[Town]:
    async with (
        databases.fresh(template=template) as url,
        pool_of(url, "identity") as pool,
        pool_of(url, "exemption") as other,
    ):
        source = Service(DEFINITION, pool, KEK, utc_now, None)
        await source.sequencer.lead()
        for text in ("one", "bug", "three", "four", "five"):
            await source.handle(Note(thing="t", text=text), Meta(command_id=uuid4(), actor="tester", at=utc_now()))
        while await source.sequencer.give():
            pass
        node = Node(FOLLOWER, other, KEK, utc_now, feed=LocalFeed(source))
        assert node.consumer is not None
        await node.consumer.begin("identity")
        await node.consumer.catch_up("identity")
        yield Town(url, source, node, node.consumer, await source.feed(0, 10))
        mended.discard("t")


PLACE = ("exemption", "identity", "toy-t")


async def test_what_waits_is_a_table_with_everything_needed_to_act_and_a_failure(town: Town) -> None:
    answer = await town.run("list")
    assert answer.exit_code == 1, answer.output
    for part in (
        *PLACE,
        "sms_code_mistyped.v1",
        "ZeroDivisionError",
        "waits for a person",
        "1 streams wait, 1 of them",
    ):
        assert part in answer.output, part
    assert max(map(len, answer.output.splitlines())) <= 120
    (row,) = await town.waiting()
    assert (row["version"], row["kind"], row["attempts"], row["behind"]) == (2, "poison", 1, 3)
    assert row["event_id"] == str(town.envelopes[1].event_id)
    assert (await town.run("list", "notification")).exit_code == 0


async def test_one_is_shown_with_its_envelope_the_fault_and_what_can_be_done(town: Town) -> None:
    answer = await town.run("show", *PLACE)
    assert answer.exit_code == 0, answer.output
    for part in (str(town.envelopes[1].event_id), "tester", "toy.py", "./zikao parked retry exemption identity toy-t"):
        assert part in answer.output, part
    shown = json.loads((await town.run("show", *PLACE, "--json")).stdout)
    assert shown["event"]["position"] == 2
    assert shown["event"]["body"] == {"purpose": "bug", "attempts_left": 0}


async def test_no_personal_value_is_shown_sealed_or_not(town: Town) -> None:
    """Of a type nobody knows not even the plain fields are shown, since nobody knows that they are."""
    await town.source.pool.execute(
        "insert into events "
        "(stream, version, type, event_id, command_id, actor, recorded_at, body, previous_hash, hash) "
        "select 'toy-q', version, type, gen_random_uuid(), gen_random_uuid(), 'tester', now(), body::json, '', '' "
        "from (values (1, 'identity.mobile_replaced.v1', "
        '\'{"mobile": "sealed:AAAA", "previous": "x", "evidence": "", "checked_by": null}\'), '
        "(2, 'identity.unheard_of.v1', '{\"secret\": \"open\"}')) as e (version, type, body)"
    )
    for version in (1, 2):
        await town.node.service.pool.execute(
            "insert into parked select source, 'toy-q', $1, type, event_id, case_id, person, reason, detail, attempts, "
            "parked_at, retry_at, latest from parked where stream = 'toy-t' on conflict (source, stream) "
            "do update set version = $1",
            version,
        )
        await town.node.service.pool.execute("insert into inbox values ('identity', 'toy-q', 0) on conflict do nothing")
        shown = json.loads((await town.run("show", "exemption", "identity", "toy-q", "--json")).stdout)
        if version == 1:
            assert shown["event"]["body"]["mobile"] == "〔未显示〕"
            assert shown["event"]["body"]["checked_by"] is None
        else:
            assert shown["event"]["body"] == {"secret": "〔未显示〕"}


async def test_another_try_is_taken_up_by_the_running_service_in_order(town: Town) -> None:
    async with running(town.node):
        mended.add("t")
        answer = await town.act("retry", *PLACE)
        assert answer.exit_code == 0, answer.output
        await until(echoed(town.node, "t", 5))
        await until(town.nothing_waits)
    async with town.node.service.reading() as connection:
        heard = [fact.event.purpose for fact in await town.node.service.history(connection, "echo-t")]
    assert heard == ["one", "bug", "three", "four", "five"]


async def test_a_resolution_goes_on_without_the_fact_and_stands_in_the_trail_of_its_case(town: Town) -> None:
    answer = await town.act("resolve", *PLACE, "2", "--reason", "done_by_hand", "--by", "zhang")
    assert answer.exit_code == 0, answer.output
    assert "ops:zhang, done_by_hand" in answer.output
    (row,) = await town.waiting()
    assert row["kind"] == "going_on"
    assert (await town.run("list")).exit_code == 0
    async with running(town.node):
        await until(echoed(town.node, "t", 4))
        await until(town.nothing_waits)
    trail = await town.run("trail", "case-1")
    assert trail.exit_code == 0, trail.output
    for part in ("跳过身份核验的滞留记录", "运维人员 zhang", "已另行办理", "已跳过第2条"):
        assert part in trail.output, part
    assert (await town.run("list")).exit_code == 0


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("retry", "exemption", "identity", "toy-nobody"), "parking.not_parked"),
        (("resolve", "exemption", "identity", "toy-nobody", "1", "--reason", "done_by_hand"), "parking.not_parked"),
        (("resolve", *PLACE, "3", "--reason", "done_by_hand"), "parking.other_version"),
        (("resolve", *PLACE, "2", "--reason", ""), "parking.no_such_reason"),
        (("resolve", *PLACE, "2", "--reason", "done_by_hand", "--note", "words"), "parking.note_without_person"),
    ],
)
async def test_what_cannot_be_done_is_refused_in_a_sentence_with_its_code(
    town: Town, words: tuple[str, ...], code: str
) -> None:
    answer = await town.act(*words)
    assert answer.exit_code == 1
    assert answer.output.endswith(f"[{code}]\n")
    assert (await town.waiting())[0]["version"] == 2


async def test_who_resolves_has_a_name_and_the_reason_is_not_optional(town: Town) -> None:
    assert (await town.act("resolve", *PLACE, "2", "--reason", "done_by_hand", "--by", "a b")).exit_code == 2
    assert (await town.act("resolve", *PLACE, "2")).exit_code == 2
    assert (await town.run("show", "exemption", "identity", "toy-nobody")).exit_code == 1


async def test_a_name_of_no_following_service_is_answered_in_a_sentence(town: Town) -> None:
    for words in (("retry", "sandbox", "exemption", "toy-t"), ("list", "sandbox")):
        with pytest.raises(Unserviceable, match="'sandbox' is no service that follows another"):
            await town.act(*words)


async def test_the_auditor_cannot_let_anything_go_on(town: Town) -> None:
    for words in (("retry", *PLACE), ("resolve", *PLACE, "2", "--reason", "done_by_hand")):
        with pytest.raises(Unserviceable, match="role exemption"):
            await town.run(*words)
    assert (await town.waiting())[0]["kind"] == "poison"
