"""缴费 beside what else is kept of an application: an extension after the end, a flag for reviewers, the end of drafts.

On a real database. Everybody is invented.
"""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from services.exemption.main import exemption
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import FERRY
from tests.services.exemption.claims_story import course
from tests.services.exemption.harbour import BOOKS, MASTER, Harbour, open_harbour
from tests.services.exemption.office import Person, code
from tests.services.exemption.test_claims_api import open_desks, states_of
from tests.services.exemption.test_extended import after, extend, later
from tests.services.exemption.test_fees_api import paid, waiting

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as opened:
            yield opened


async def test_what_lapsed_unpaid_asks_for_its_fee_again_in_the_days_that_are_added(harbour: Harbour) -> None:
    who, cycle, application = await waiting(harbour)
    path = f"/v1/applications/{application}"
    with later(harbour):
        await after(harbour, cycle, 16)
        ended = harbour.clock()
        assert await harbour.state(who, application) == "lapsed"
        assert (await paid(harbour, application, "late")).events == ("exemption.refund_asked.v1",)
        longer = {"purpose": "apply", "to_day": f"{ended.date() + timedelta(days=2)}", "reason": "系统故障，顺延"}
        first = await harbour.staff("post", f"/v1/cycles/{cycle}/extend", MASTER, json=longer)
        assert code(first, 422) == "exemption.impossible_window"  # nobody could pay what is handed in then
        await extend(harbour, cycle, "pay", 3)
        shown = (await harbour.me(who, "get", path)).json()
        assert (shown["state"]["id"], shown["fee"]["due_fen"], shown["fee"]["phase"]) == ("unpaid", 5000, "open")
        assert shown["fee"]["until"] > ended.isoformat()
        assert [deed["deed"] for deed in shown["history"]][-3:] == ["refund_asked", "revived", "fee_due"]
        assert await open_desks(harbour, application) == 0
        told = await paid(harbour, application, "in-the-days-added")
        assert told.events == ("exemption.fee_paid.v1", "exemption.stage_opened.v1")
        assert await open_desks(harbour, application) == 1


async def test_what_is_paid_before_the_extension_has_looked_at_it_goes_on_and_is_not_revived_again(
    harbour: Harbour,
) -> None:
    _, cycle, application = await waiting(harbour)
    with later(harbour):
        await after(harbour, cycle, 16)
        in_time = harbour.clock() - timedelta(days=10)
        assert (await paid(harbour, application, "told-late", at=in_time)).events[0] == "exemption.fee_paid.v1"
        await extend(harbour, cycle, "pay", 3)
        assert await states_of(harbour, cycle) == {application: "in_review"}
        assert await open_desks(harbour, application) == 1


async def test_another_that_is_handed_in_and_not_paid_yet_has_taken_the_place(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(FERRY)
    first = await harbour.handed_in(who, ticket, cycle, FERRY)
    with later(harbour):
        await after(harbour, cycle, 16)
        next_cycle = await harbour.season(FERRY)
        second = await harbour.handed_in(who, ticket, next_cycle, FERRY)
        await extend(harbour, cycle, "pay", 3)
        assert (await states_of(harbour, cycle), await states_of(harbour, next_cycle)) == (
            {first: "lapsed"},
            {second: "unpaid"},
        )


async def history(harbour: Harbour, who: Person | None, application: str) -> list[str]:
    path = f"/v1/applications/{application}"
    answer = await (harbour.me(who, "get", path) if who else harbour.staff("get", path, MASTER))
    assert answer.status_code == 200, answer.text
    return [deed["deed"] for deed in answer.json()["history"]]


async def test_what_waits_for_a_fee_is_flagged_for_reviewers_and_its_candidate_is_told_nothing(
    harbour: Harbour,
) -> None:
    """SW-38."""
    cycle, receipts = await harbour.season(FERRY), []
    mine = [{"basis": "tide", "form": {"number": "T-FLAGGED"}, "photos": {}, "courses": [course("90001")]}]
    for _ in range(2):
        who, ticket = await harbour.sailor()
        application = await harbour.claimed(who, ticket, cycle, FERRY, claims=mine)
        receipts.append((await harbour.submit(who, application)).json())
    assert [each["version"] for each in receipts] == [receipts[0]["version"]] * 2
    assert [each["events"] for each in receipts] == [receipts[0]["events"]] * 2
    assert await history(harbour, who, application) == ["started", "submitted", "fee_due"]
    assert code(await harbour.staff("get", f"/v1/applications/{application}", MASTER), 404) == "access.not_found"
    await paid(harbour, application, "flagged", 2500)
    assert await history(harbour, who, application) == ["started", "submitted", "fee_due", "fee_paid"]
    assert await history(harbour, None, application) == ["started", "submitted", "flagged", "fee_due", "fee_paid"]


async def test_what_waits_for_a_fee_is_no_draft_any_more(harbour: Harbour) -> None:
    who, cycle, _ = await waiting(harbour)
    most = BOOKS.rules(FERRY).book.most_drafts
    begun = [await harbour.me(who, "post", "/v1/applications", json={"cycle": cycle}) for _ in range(most + 1)]
    assert [answer.status_code for answer in begun] == [201] * most + [409]
    assert begun[-1].json()["code"] == "exemption.too_many_drafts"


async def test_the_read_models_of_fees_that_were_revived_are_the_same_when_rebuilt(harbour: Harbour) -> None:
    _, cycle, application = await waiting(harbour)
    with later(harbour):
        await after(harbour, cycle, 16)
        await extend(harbour, cycle, "pay", 3)
        await paid(harbour, application, "one")
        assert await states_of(harbour, cycle) == {application: "in_review"}
    service = harbour.web.service
    async with service.reading() as connection:
        found = await compare(connection, exemption(BOOKS), service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}
