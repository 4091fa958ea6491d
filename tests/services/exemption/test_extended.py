"""A window that is extended after its end: what lapsed or expired with it is as it was before, on a real database.

By the two books of the made-up jurisdiction and by Shanxi's. Everybody is invented.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest

from services.exemption.domain.commands import ForgetPerson
from services.exemption.main import exemption
from shared.kernel.time import SHANGHAI
from shared.runtime.replay import compare
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import ISLE, REEF
from tests.services.exemption.harbour import BOOKS, CLERK, MASTER, Harbour, open_harbour
from tests.services.exemption.office import code
from tests.services.exemption.sx_office import CENTRE, Shanxi, at
from tests.services.exemption.test_claims_api import open_desks, settled, states_of
from tests.shared.runtime.nodes import until

pytestmark = pytest.mark.servers

UNLOCKING = {"seen": {"id_card": True, "printed_details": True}, "reason_code": "wrong_material", "note": "本人到场"}


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as opened:
            yield opened


@contextmanager
def later(harbour: Harbour) -> Iterator[None]:
    """The clock goes on inside, and is as it was afterwards."""
    start = harbour.clock.now
    try:
        yield
    finally:
        harbour.clock.now = start


async def after(harbour: Harbour, cycle: str, days: int) -> None:
    """So many days later, when all that is due then was done."""
    harbour.clock.now += timedelta(days=days)
    await settled(harbour, cycle)


async def extend(harbour: Harbour, cycle: str, purpose: str, days: int) -> None:
    """By so many days from now on."""
    to_day = harbour.clock.now.astimezone(SHANGHAI).date() + timedelta(days=days)
    body = {"purpose": purpose, "to_day": f"{to_day}", "reason": "系统故障，顺延"}
    answer = await harbour.staff("post", f"/v1/cycles/{cycle}/extend", MASTER, json=body)
    assert answer.status_code == 200, answer.text
    await settled(harbour, cycle)


async def test_what_was_unlocked_and_lapsed_is_handed_in_again_after_the_extension_and_no_second_time(
    harbour: Harbour,
) -> None:
    """SX-E-38."""
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    application = await harbour.handed_in(who, ticket, cycle, ISLE)
    path = f"/v1/applications/{application}"
    assert (await harbour.staff("post", f"{path}/unlock", CLERK, json=UNLOCKING)).status_code == 200
    with later(harbour):
        await after(harbour, cycle, 10)
        assert await harbour.state(who, application) == "lapsed"
        await extend(harbour, cycle, "apply", 2)
        shown = (await harbour.me(who, "get", path)).json()
        assert (shown["state"]["title"], shown["returned"]["note"]) == ("被退回", "本人到场")
        assert [deed["deed"] for deed in shown["history"]][-2:] == ["lapsed", "revived"]
        assert {"save", "submit"} <= set(shown["actions"])
        assert (await harbour.submit(who, application)).status_code == 200
        again = await harbour.staff("post", f"{path}/unlock", CLERK, json=UNLOCKING)
        assert code(again, 409) == "exemption.unlocked_often_enough"


async def test_what_is_not_handed_in_in_the_days_that_were_added_lapses_with_the_new_end(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    application = await harbour.handed_in(who, ticket, cycle, ISLE)
    unlocked = await harbour.staff("post", f"/v1/applications/{application}/unlock", CLERK, json=UNLOCKING)
    assert unlocked.status_code == 200, unlocked.text
    with later(harbour):
        for _ in range(2):
            await after(harbour, cycle, 10)
            assert await harbour.state(who, application) == "lapsed"
            await extend(harbour, cycle, "apply", 2)
            assert await harbour.state(who, application) == "returned"


async def test_what_was_not_confirmed_on_site_waits_on_its_desk_again(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.handed_in(who, ticket, cycle, REEF)
    with later(harbour):
        await after(harbour, cycle, 10)
        assert (await states_of(harbour, cycle), await open_desks(harbour, application)) == ({application: "lapsed"}, 0)
        for other in ("correct", "apply"):  # another window revives nothing
            await extend(harbour, cycle, other, 2)
        assert await states_of(harbour, cycle) == {application: "lapsed"}
        await extend(harbour, cycle, "confirm", 2)
        assert await open_desks(harbour, application) == 1
        assert (await harbour.decide(application, "现场确认", REEF)).status_code == 200


async def test_what_another_has_taken_the_place_of_stays_as_it_is(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    first = await harbour.handed_in(who, ticket, cycle, REEF)
    with later(harbour):
        await after(harbour, cycle, 10)
        await extend(harbour, cycle, "correct", 2)
        await extend(harbour, cycle, "apply", 2)
        second = await harbour.handed_in(who, ticket, cycle, REEF)
        await extend(harbour, cycle, "confirm", 2)
        assert await states_of(harbour, cycle) == {first: "lapsed", second: "in_review"}


async def test_what_had_expired_counts_again_and_an_erased_person_holds_nobody_up(harbour: Harbour) -> None:
    """SD-41."""
    cycle = await harbour.season(REEF)
    (gone, one), (who, two) = [await harbour.sailor() for _ in range(2)]
    erased, good = await harbour.approved(gone, one, cycle), await harbour.approved(who, two, cycle)
    with later(harbour):
        await after(harbour, cycle, 50)
        assert await states_of(harbour, cycle) == {erased: "expired", good: "expired"}
        await harbour.keyring.erase(gone.id)
        await harbour.tell(ForgetPerson(person=gone.id))
        await extend(harbour, cycle, "use", 5)
        assert (await states_of(harbour, cycle))[good] == "granted"
        assert await harbour.state(who, good) == "approved"


async def test_the_read_models_of_what_was_revived_are_the_same_when_rebuilt(harbour: Harbour) -> None:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(REEF)
    application = await harbour.handed_in(who, ticket, cycle, REEF)
    with later(harbour):
        await after(harbour, cycle, 10)
        await extend(harbour, cycle, "confirm", 2)
        assert await states_of(harbour, cycle) == {application: "in_review"}
    service = harbour.web.service
    async with service.reading() as connection:
        found = await compare(connection, exemption(BOOKS), service.keyring)
    assert {table.name: table.differing for table in found.tables if table.differing} == {}


async def test_in_shanxi_a_fault_that_moves_the_end_gives_the_days_to_whoever_was_sent_back(sx: Shanxi) -> None:
    """SX-E-38."""
    who = await sx.candidate()
    application = await sx.submitted(who)
    assert (await sx.unlock(application)).status_code == 200
    at(sx.office, 21)

    async def is_now(title: str) -> bool:
        return bool((await sx.shown(who, application))["state"]["title"] == title)

    await until(lambda: is_now("已失效"))
    to_day = sx.office.clock.now.astimezone(SHANGHAI).date() + timedelta(days=3)
    body: dict[str, Any] = {"purpose": "apply", "to_day": f"{to_day}", "reason": "系统故障，顺延"}
    answer = await sx.office.staff("post", f"/v1/cycles/{sx.cycle}/extend", CENTRE, json=body)
    assert answer.status_code == 200, answer.text
    await until(lambda: is_now("被退回"))
    assert (await sx.submit(who, application)).status_code == 200
