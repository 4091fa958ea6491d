"""缴费 with real stores and timers: it waits, it is told of money, it lapses; and the read models follow."""

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from services.exemption.domain.commands import ForgetPerson, NoteRefund, SettleFee
from services.exemption.main import exemption
from shared.kernel.messages import Command, Meta, Receipt
from shared.runtime.batch import Batch
from shared.runtime.replay import compare
from shared.runtime.service import Service
from shared.testing.stores import KEK, prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import FERRY
from tests.services.exemption.claims_story import course
from tests.services.exemption.harbour import BOOKS, MASTER, Harbour, open_harbour
from tests.services.exemption.office import Person, code
from tests.services.exemption.test_claims_api import settled, states_of

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url)
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as harbour:
            yield harbour


async def paid(harbour: Harbour, application: str, order: str, fen: int = 5000, at: datetime | None = None) -> Receipt:
    """As the reaction to payment's fact would say it."""
    said = SettleFee(application=application, order=order, fen=fen, paid_at=at or harbour.clock())
    return await harbour.tell(said)


async def waiting(harbour: Harbour) -> tuple[Person, str, str]:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(FERRY)
    return who, cycle, await harbour.handed_in(who, ticket, cycle, FERRY)


async def test_an_application_waits_for_its_fee_and_then_lies_on_a_desk(harbour: Harbour) -> None:
    who, _, application = await waiting(harbour)
    path = f"/v1/applications/{application}"
    shown = (await harbour.me(who, "get", path)).json()
    assert (shown["state"]["id"], shown["fee"]["due_fen"], shown["fee"]["whole_fen"]) == ("unpaid", 5000, 5000)
    assert shown["fee"]["phase"] == "open"
    assert [each["deed"] for each in shown["history"]] == ["started", "submitted", "fee_due"]
    assert shown["history"][-1]["fen"] == 5000
    assert [each["current"] for each in shown["progress"]] == [False, True, False, False]
    assert code(await harbour.decide(application, "初核", FERRY), 404) == "access.not_found"
    await paid(harbour, application, "wrong", 4999)
    await paid(harbour, application, "right")
    again = await paid(harbour, application, "right")
    assert again.events == ()
    shown = (await harbour.me(who, "get", path)).json()
    assert (shown["state"]["id"], shown["fee"]["due_fen"], shown["fee"]["paid_fen"]) == ("submitted", 0, 5000)
    back = next(each for each in shown["history"] if each["deed"] == "refund_asked")
    assert (back["fen"], back["reason"]) == (4999, "金额不符")
    for stage, by in (("初核", "first"), ("复核", "second")):
        answer = await harbour.decide(application, stage, FERRY, who=by)
        assert answer.status_code == 200, answer.text
    assert await harbour.state(who, application) == "approved"


async def test_the_list_of_a_candidate_shows_what_waits_for_a_fee(harbour: Harbour) -> None:
    who, _, _ = await waiting(harbour)
    (line,) = (await harbour.me(who, "get", "/v1/applications")).json()["items"]
    assert line["state"]["title"] == "待缴费"


async def test_what_is_not_paid_lapses_with_its_window_and_what_was_paid_in_time_comes_back(harbour: Harbour) -> None:
    who, cycle, application = await waiting(harbour)
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=16)
        await settled(harbour, cycle)
        assert await states_of(harbour, cycle) == {application: "lapsed"}
        assert (await paid(harbour, application, "late")).events == ("exemption.refund_asked.v1",)
        told = await paid(harbour, application, "in-time", at=start)
        assert told.events == ("exemption.fee_paid.v1", "exemption.stage_opened.v1")
        assert await states_of(harbour, cycle) == {application: "in_review"}
        assert await harbour.state(who, application) == "submitted"
    finally:
        harbour.clock.now = start


async def test_what_lapsed_does_not_come_back_beside_one_that_took_its_place(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(FERRY)
    first = await harbour.handed_in(who, ticket, cycle, FERRY)
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=16)
        await settled(harbour, cycle)
    finally:
        harbour.clock.now = start
    other = [{"basis": "tide", "form": {"number": "T-1"}, "photos": {}, "courses": [course("90003")]}]
    next_cycle = await harbour.season(FERRY)
    second = await harbour.claimed(who, ticket, next_cycle, FERRY, claims=other)
    assert (await harbour.submit(who, second)).status_code == 200
    assert (await paid(harbour, first, "in-time")).events == ("exemption.refund_asked.v1",)
    assert (await states_of(harbour, cycle), await states_of(harbour, next_cycle)) == (
        {first: "lapsed"},
        {second: "unpaid"},
    )


async def test_a_course_that_waits_for_a_fee_is_not_claimed_again_beside_it(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(FERRY)
    await harbour.handed_in(who, ticket, cycle, FERRY)
    again = await harbour.claimed(who, ticket, await harbour.season(FERRY), FERRY)
    answer = await harbour.submit(who, again)
    assert code(answer, 409) == "exemption.certificate_in_another_application"


async def test_money_that_goes_away_takes_the_application_off_the_desk(harbour: Harbour) -> None:
    _, _, application = await waiting(harbour)
    await paid(harbour, application, "one")
    gone = NoteRefund(application=application, order="one", fen=5000, refunded_at=harbour.clock())
    assert (await harbour.tell(gone)).events == ("exemption.fee_refunded.v1", "exemption.fee_due.v1")
    assert code(await harbour.decide(application, "初核", FERRY), 409) == "exemption.stage_not_open"
    work = (await harbour.staff("get", "/v1/work", MASTER)).json()["items"]
    assert application not in {each["id"] for each in work}
    await paid(harbour, application, "two")
    assert (await harbour.decide(application, "初核", FERRY)).status_code == 200


async def test_money_for_somebody_who_was_erased_finds_its_way_back(harbour: Harbour) -> None:
    who, _, application = await waiting(harbour)
    await harbour.keyring.erase(who.id)
    await harbour.tell(ForgetPerson(person=who.id))
    ours = harbour.web.service
    a_minute_later = Service(ours.definition, ours.pool, KEK, harbour.clock, None)  # it keeps no key of theirs
    at = harbour.clock()
    for command, event in (
        (SettleFee(application=application, order="one", fen=5000, paid_at=at), "exemption.refund_asked.v1"),
        (NoteRefund(application=application, order="one", fen=5000, refunded_at=at), "exemption.fee_refunded.v1"),
    ):
        receipt = await a_minute_later.handle(command, Meta(command_id=uuid4(), actor="payment", at=at))
        assert receipt.events == (event,)


async def in_a_batch(harbour: Harbour, *commands: Command) -> list[Receipt]:
    """As the consumer carries out what its reactions ask for; there is no payment whose feed it could read."""
    service = harbour.web.service
    asked = [(each, Meta(command_id=uuid4(), actor="payment", at=harbour.clock())) for each in commands]
    async with service.reading() as connection:
        batch = Batch(service, connection)
        await batch.foresee(asked)
        async with batch.transaction():
            receipts = [await batch.carry_out(each, meta, service.digest(each)) for each, meta in asked]
            await batch.finish()
    return receipts


async def test_what_payment_says_of_several_applications_is_taken_in_one_batch(harbour: Harbour) -> None:
    _, cycle, first = await waiting(harbour)
    _, _, second = await waiting(harbour)
    at = harbour.clock()
    said = [SettleFee(application=each, order=f"order-{each}", fen=5000, paid_at=at) for each in (first, second)]
    gone = NoteRefund(application=first, order=f"order-{first}", fen=5000, refunded_at=at)
    receipts = await in_a_batch(harbour, *said, gone)
    assert [each.events[0] for each in receipts] == ["exemption.fee_paid.v1"] * 2 + ["exemption.fee_refunded.v1"]
    assert await states_of(harbour, cycle) == {first: "unpaid"}


async def test_what_comes_back_from_having_lapsed_does_so_in_a_batch_too(harbour: Harbour) -> None:
    _, cycle, application = await waiting(harbour)
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=16)
        await settled(harbour, cycle)
        (told,) = await in_a_batch(
            harbour, SettleFee(application=application, order="in-time", fen=5000, paid_at=start)
        )
        assert told.events == ("exemption.fee_paid.v1", "exemption.stage_opened.v1")
        assert await states_of(harbour, cycle) == {application: "in_review"}
    finally:
        harbour.clock.now = start


async def test_the_read_models_of_fees_are_the_same_when_rebuilt(harbour: Harbour) -> None:
    _, _, application = await waiting(harbour)
    await paid(harbour, application, "one")
    service = harbour.web.service
    async with service.reading() as connection:
        found = await compare(connection, exemption(BOOKS), service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
