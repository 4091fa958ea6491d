"""How many applications somebody may fill in at the same time: as the book says, however they are begun."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest

from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import ISLE, REEF
from tests.services.exemption.harbour import BOOKS, Harbour, open_harbour
from tests.services.exemption.office import Person, code

pytestmark = pytest.mark.servers

MOST = BOOKS.rules(ISLE).book.most_drafts


@pytest.fixture(scope="module")
async def harbour(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path_factory.mktemp("blobs")) as opened:
            yield opened


async def begin(harbour: Harbour, who: Person, cycle: str) -> httpx.Response:
    return await harbour.me(who, "post", "/v1/applications", json={"cycle": cycle})


async def test_the_last_draft_of_a_cycle_is_begun_and_the_next_is_told_to_wait_for_one_of_them(
    harbour: Harbour,
) -> None:
    (who, _), (other, _) = await harbour.sailor(), await harbour.sailor()
    cycle = await harbour.season(ISLE)
    drafts = [await begin(harbour, who, cycle) for _ in range(MOST)]
    assert [answer.status_code for answer in drafts] == [201] * MOST
    refused = await begin(harbour, who, cycle)
    assert code(refused, 409) == "exemption.too_many_drafts"
    assert refused.json()["facts"]["most"] == MOST
    assert (await begin(harbour, who, await harbour.season(ISLE))).status_code == 201
    assert (await begin(harbour, other, cycle)).status_code == 201
    given_up = await harbour.me(who, "post", f"/v1/applications/{drafts[0].json()['id']}/discard")
    assert given_up.status_code == 200, given_up.text
    assert (await begin(harbour, who, cycle)).status_code == 201


async def test_of_many_that_are_begun_at_once_no_more_are_taken(harbour: Harbour) -> None:
    (who, _), cycle = await harbour.sailor(), await harbour.season(ISLE)
    answers = await asyncio.gather(*(begin(harbour, who, cycle) for _ in range(MOST + 4)))
    assert sorted(answer.status_code for answer in answers) == [201] * MOST + [409] * 4


def test_where_the_book_says_nothing_there_is_an_end_all_the_same() -> None:
    assert BOOKS.rules(REEF).book.drafts is None
    assert 1 < BOOKS.rules(REEF).book.most_drafts < 60
