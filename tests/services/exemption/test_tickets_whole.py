"""SD-46 over HTTP: a ticket number that a stranger handed in with, and how its owner gets it back.

By the made-up book whose applications are counted by ticket number. Everybody is invented.
"""

import csv
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from services.exemption.domain.commands import FollowAccount
from services.exemption.domain.refusals import REFUSALS
from services.exemption.main import exemption
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import REEF
from tests.services.exemption.harbour import BOOKS, MASTER, Harbour, open_harbour
from tests.services.exemption.office import Person, code
from tests.services.exemption.test_claims_api import settled, states_of
from tests.services.exemption.test_extended import after, extend, later

pytestmark = pytest.mark.servers

TAKEN = "exemption.ticket_of_another_account"
WORDS = REFUSALS[TAKEN].zh
BODY = {"seen": {"ticket": True}, "reason_code": "not_theirs", "note": "见准考证原件"}


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as opened:
            yield opened


async def a_stranger_and_an_owner(harbour: Harbour) -> tuple[Person, Person, str]:
    """Of neither does identity know a ticket number."""
    stranger, owner = await harbour.somebody("浪某"), await harbour.somebody("海某")
    return stranger, owner, f"99{owner.mobile[-8:]}"


async def release(harbour: Harbour, application: str, **changes: Any) -> Any:
    path = f"/v1/applications/{application}/release-ticket"
    return await harbour.staff("post", path, MASTER, json={**BODY, **changes})


async def found(harbour: Harbour, number: str) -> dict[str, list[str]]:
    answer = await harbour.staff("post", "/v1/applications/find", MASTER, json={"number": number})
    assert answer.status_code == 200, answer.text
    return {each["id"]: each["actions"] for each in answer.json()["items"]}


async def test_a_clerk_finds_by_the_ticket_what_was_handed_in_with_it_and_gives_it_back(harbour: Harbour) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    taken = await harbour.handed_in(stranger, ticket, cycle, REEF)
    mine = await harbour.claimed(owner, ticket, cycle, REEF)
    assert code(await harbour.submit(owner, mine), 409) == TAKEN
    assert "release_ticket" in (await found(harbour, f" {ticket[:4]} {ticket[4:]}"))[taken]
    assert code(await release(harbour, taken, seen={}), 422) == "exemption.not_everything_seen"
    for answer in (1, "yes"):
        assert code(await release(harbour, taken, seen={"ticket": answer}), 422) == "request.invalid"
    assert (await release(harbour, taken)).status_code == 200
    assert code(await release(harbour, taken), 409) == "exemption.holds_no_ticket"
    assert code(await harbour.decide(taken, "现场确认", REEF), 409) == "exemption.ticket_released"
    assert (await harbour.submit(owner, mine)).status_code == 200
    again = await harbour.claimed(stranger, ticket, cycle, REEF)
    assert code(await harbour.submit(stranger, again), 409) == TAKEN
    told = (await harbour.me(stranger, "get", f"/v1/applications/{taken}")).json()["history"][-1]
    assert (told["deed"], told["reason"], told["note"]) == ("ticket_released", "准考证号属于他人", "见准考证原件")
    assert (await harbour.decide(mine, "现场确认", REEF)).status_code == 200


async def test_what_a_stranger_had_approved_with_it_is_taken_back_and_the_owners_alone_counts(harbour: Harbour) -> None:
    """SD-19, SD-46."""
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    approved = await harbour.approved(stranger, ticket, cycle)
    assert (await release(harbour, approved)).status_code == 200
    assert await states_of(harbour, cycle) == {approved: "revoked"}
    shown = (await harbour.me(stranger, "get", f"/v1/applications/{approved}")).json()
    assert [each["deed"] for each in shown["history"]][-1] == "ticket_released"  # the results are not open yet
    assert shown["state"]["id"] == "submitted"
    assert code(await harbour.submit(stranger, await harbour.claimed(stranger, ticket, cycle, REEF)), 409) == TAKEN
    mine = await harbour.handed_in(owner, ticket, cycle, REEF)
    states = await states_of(harbour, cycle)
    assert (states[approved], states[mine]) == ("revoked", "in_review")


async def test_what_was_handed_off_with_it_is_taken_back_and_the_rest_of_its_batch_is_acknowledged(
    harbour: Harbour,
) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    taken, other = await harbour.approved(stranger, ticket, cycle), await harbour.somebody("潮某")
    theirs = await harbour.approved(other, f"97{other.mobile[-8:]}", cycle)
    batch = (await harbour.staff("post", "/v1/batches", MASTER, json={"cycle": cycle})).json()["id"]
    assert (await release(harbour, taken)).status_code == 200
    mine = await harbour.handed_in(owner, ticket, cycle, REEF)
    path = f"/v1/batches/{batch}/acknowledge"
    told = await harbour.staff("post", path, MASTER, json={"reference": "R-1"})
    assert told.status_code == 200, told.text
    states = await states_of(harbour, cycle)
    assert (states[taken], states[theirs], states[mine]) == ("revoked", "handed_off", "in_review")


async def test_whoever_receives_a_batch_sees_which_of_it_was_taken_back_since(harbour: Harbour) -> None:
    """The digest is of what was handed off, so it stays; what became of it stands beside."""
    (stranger, _, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    taken, other = await harbour.approved(stranger, ticket, cycle), await harbour.somebody("汐某")
    theirs = await harbour.approved(other, f"96{other.mobile[-8:]}", cycle)
    batch = (await harbour.staff("post", "/v1/batches", MASTER, json={"cycle": cycle})).json()["id"]

    async def shown() -> tuple[list[str], list[str], dict[str, str]]:
        lines = (await harbour.staff("get", "/v1/batches", MASTER)).json()["items"]
        path = f"/v1/batches/{batch}/export"
        sheet = (await harbour.staff("get", path, MASTER, params={"file": "csv"})).text
        exported = (await harbour.staff("get", path, MASTER)).json()
        assert exported["intact"] is True
        said = {row[0]: row[-1] for row in list(csv.reader(sheet.splitlines()))[1:]}
        return next(each for each in lines if each["id"] == batch)["taken_back"], exported["taken_back"], said

    assert await shown() == ([], [], {taken: "已上报", theirs: "已上报"})
    assert (await release(harbour, taken)).status_code == 200
    assert await shown() == ([taken], [taken], {taken: "再次审定不通过", theirs: "已上报"})


async def test_whoever_put_their_number_right_no_longer_keeps_the_other_one(harbour: Harbour) -> None:
    """A slip of the pen: sent back, corrected, handed in again."""
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    slip = await harbour.handed_in(stranger, ticket, cycle, REEF)
    body = {"stage": "现场确认", "reason_code": "wrong_course", "note": "准考证号有误"}
    assert (await harbour.staff("post", f"/v1/applications/{slip}/return", MASTER, json=body)).status_code == 200
    right = f"98{stranger.mobile[-8:]}"
    assert (await harbour.save(stranger, right, slip, REEF)).status_code == 200
    assert (await harbour.submit(stranger, slip)).status_code == 200
    assert (await found(harbour, ticket)).keys() == set()
    await harbour.handed_in(owner, ticket, cycle, REEF)
    assert await harbour.state(stranger, slip) == "submitted"
    await harbour.handed_in(stranger, right, cycle, REEF)
    assert await harbour.state(stranger, slip) == "superseded"


async def test_what_was_revoked_keeps_no_ticket_from_its_owner(harbour: Harbour) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    application = await harbour.approved(stranger, ticket, cycle)
    mine = await harbour.claimed(owner, ticket, cycle, REEF)
    assert code(await harbour.submit(owner, mine), 409) == TAKEN
    body = {"reason_code": "not_in_plan", "note": "准考证号不是本人的"}
    path = f"/v1/applications/{application}/revoke"
    assert (await harbour.staff("post", path, MASTER, json=body)).status_code == 200
    assert (await harbour.submit(owner, mine)).status_code == 200


@pytest.mark.parametrize(("approved", "days", "state"), [(False, 12, "lapsed"), (True, 50, "expired")])
async def test_nor_does_what_lapsed_or_expired(harbour: Harbour, approved: bool, days: int, state: str) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    handing_in = harbour.approved(stranger, ticket, cycle) if approved else None
    application = await (handing_in or harbour.handed_in(stranger, ticket, cycle, REEF))
    start = harbour.clock.now
    try:
        harbour.clock.now = start + timedelta(days=days)
        await settled(harbour, cycle)
        assert await harbour.state(stranger, application) == state
        later = await harbour.season(REEF)
        await harbour.handed_in(owner, ticket, later, REEF)
    finally:
        harbour.clock.now = start


async def test_whom_identity_knows_the_number_of_takes_it_from_whoever_was_first(harbour: Harbour) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    taken = await harbour.handed_in(stranger, ticket, cycle, REEF)
    mine = await harbour.claimed(owner, ticket, cycle, REEF)
    assert code(await harbour.submit(owner, mine), 409) == TAKEN
    await harbour.tell(FollowAccount(person=owner.id, ticket_number=ticket))
    assert (await harbour.submit(owner, mine)).status_code == 200
    assert await harbour.state(stranger, taken) == "superseded"


async def lapsed(harbour: Harbour, who: Person, ticket: str) -> tuple[str, str]:
    """Not confirmed on site in time, while one may still hand in: cycle and application."""
    cycle = await harbour.season(REEF)
    application = await harbour.handed_in(who, ticket, cycle, REEF)
    await after(harbour, cycle, 10)
    await extend(harbour, cycle, "correct", 3)
    await extend(harbour, cycle, "apply", 3)
    assert await harbour.state(who, application) == "lapsed"
    return cycle, application


async def test_what_is_revived_takes_the_ticket_number_from_nobody_who_handed_in_with_it_since(
    harbour: Harbour,
) -> None:
    stranger, owner, ticket = await a_stranger_and_an_owner(harbour)
    with later(harbour):
        cycle, first = await lapsed(harbour, stranger, ticket)
        mine = await harbour.handed_in(owner, ticket, cycle, REEF)
        await extend(harbour, cycle, "confirm", 2)
        assert await states_of(harbour, cycle) == {first: "lapsed", mine: "in_review"}
        told = (await harbour.me(stranger, "get", f"/v1/applications/{first}")).json()["history"][-1]
        assert (told["deed"], told["reason"]) == ("revival_refused", WORDS)
        await after(harbour, cycle, 5)
        await extend(harbour, cycle, "confirm", 2)
        again = (await harbour.me(stranger, "get", f"/v1/applications/{first}")).json()["history"]
        assert [each["deed"] for each in again].count("revival_refused") == 1
        assert (await harbour.decide(mine, "现场确认", REEF)).status_code == 200


async def test_what_is_revived_holds_its_ticket_number_again(harbour: Harbour) -> None:
    first, other, ticket = await a_stranger_and_an_owner(harbour)
    with later(harbour):
        cycle, application = await lapsed(harbour, first, ticket)
        await extend(harbour, cycle, "confirm", 2)
        assert await states_of(harbour, cycle) == {application: "in_review"}
        theirs = await harbour.claimed(other, ticket, cycle, REEF)
        assert code(await harbour.submit(other, theirs), 409) == TAKEN
        newer = await harbour.handed_in(first, ticket, cycle, REEF)
        assert (await states_of(harbour, cycle))[application] == "superseded"
        assert await harbour.state(first, newer) == "submitted"


async def test_all_of_it_is_rebuilt_from_events_without_a_difference(harbour: Harbour) -> None:
    (stranger, owner, ticket), cycle = await a_stranger_and_an_owner(harbour), await harbour.season(REEF)
    taken = await harbour.handed_in(stranger, ticket, cycle, REEF)
    assert (await release(harbour, taken)).status_code == 200
    await harbour.handed_in(owner, ticket, cycle, REEF)
    service = harbour.web.service
    async with service.reading() as connection:
        rebuilt = await compare(connection, exemption(BOOKS), service.keyring)
    assert {table.name: table.differing for table in rebuilt.tables if table.differing} == {}
    assert {table.name for table in rebuilt.tables if table.rebuilt} >= {"applications", "heads", "claims"}
