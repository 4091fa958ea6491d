"""Whoever applies under a book of another jurisdiction is told, whatever its form asks and calls its fields.

The books are made up: one calls the telephone otherwise, one asks for none, one tells nobody anything. What was handed
in is what exemption's decider records under them.
"""

import shutil
from collections.abc import AsyncIterator

import pytest

from services.exemption.domain.scheme import Rules
from shared.events.exemption import ApplicationSubmitted
from shared.schemes.catalog import BOOKS, Catalog
from tests.conftest import Databases
from tests.sandbox.serving import Sandbox
from tests.schemes.test_vocabulary import CLAIMS
from tests.services.exemption.claims_story import ACCOUNT, ISLE, REEF, submitted
from tests.services.exemption.ferry import due
from tests.services.exemption.story import Past
from tests.services.notification.world import Gateways, World, registered, world

pytestmark = pytest.mark.servers


@pytest.fixture
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """The shelf, with the made-up jurisdiction on it; one of its books has lost its notices."""
    books = tmp_path_factory.mktemp("books") / "books"
    shutil.copytree(BOOKS, books)
    shutil.copytree(CLAIMS / "lagoon", books / "lagoon")
    (books / "lagoon" / "ferry" / "notification.yaml").unlink()
    return Catalog.load(books)


@pytest.fixture
async def w(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> AsyncIterator[World]:
    async with databases.fresh(template=template) as url, world(url, sandbox, gateways, catalog) as running:
        for name in running.sources:
            await running.consumer.begin(name)
        yield running


def handed_in(past: Past) -> ApplicationSubmitted:
    (event,) = (each for each in past.past if isinstance(each, ApplicationSubmitted))
    return event


async def outcomes(w: World) -> list[str]:
    return [row["outcome"] for row in await w.service.pool.fetch("select outcome from reactions order by outcome")]


@pytest.mark.parametrize("rules", [REEF, ISLE], ids=lambda rules: rules.ref)
async def test_the_candidate_is_told_at_the_number_of_the_form_or_else_of_the_account(w: World, rules: Rules) -> None:
    asked = rules.book.field_of("mobile")
    assert asked is None or asked.name != "mobile"
    who = await w.somebody()
    await w.say("identity", who, registered(who))
    message = await w.told("exemption", who, handed_in(submitted(by=rules)))
    told = await w.requested(message)
    assert (told.moment, told.scheme) == ("exemption.submitted", rules.ref)
    assert told.mobile == (ACCOUNT.mobile if asked else who.mobile)
    assert await w.service.pool.fetch("select * from parked") == []


async def test_under_a_book_that_has_no_notices_nobody_is_told_and_nothing_waits(w: World) -> None:
    who = await w.somebody()
    await w.say("identity", who, registered(who))
    await w.say("exemption", who, handed_in(due()))
    await w.hear()
    assert await w.service.pool.fetch("select * from parked") == []
    assert "notification.nothing_to_say" in await outcomes(w)
    told = [await w.requested(message) for message in await w.messages(who)]
    assert [message.moment for message in told] == ["identity.registered"]
