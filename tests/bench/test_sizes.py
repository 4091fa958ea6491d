"""That what is measured at any size is a real past, and that nobody touches more of it because it is longer.

By pages and rows, never by time: what a machine does meanwhile changes nothing in them.
"""

import pytest

from bench.history import STREAM_EVENTS
from bench.sizes import (
    Hired,
    Past,
    appending,
    feeding,
    filling_holes,
    loading,
    looking,
    measured,
    past_of,
    sequencing,
    trailing,
)
from bench.workplace import FOLLOWER, SOURCE, Workplace
from shared.runtime.audit import Audited, Finding, verify

pytestmark = pytest.mark.servers

SMALL, BIG = 2_000, 12_000
WORK = {
    "load": loading,
    "trail": trailing,
    "first page": feeding(0.0),
    "middle page": feeding(0.5),
    "last page": feeding(1.0),
    "feed of one stream": filling_holes,
    "looking": looking,
    "append": appending,
    "give positions": sequencing,
}


@pytest.fixture(scope="module")
async def small(workplace: Workplace) -> Past:
    return await past_of(workplace, SMALL)


@pytest.fixture(scope="module")
async def big(workplace: Workplace) -> Past:
    return await past_of(workplace, BIG)


async def test_a_past_that_was_filled_in_stands_the_audit(small: Past) -> None:
    """It comes first: what measures write goes past the read models."""
    findings: list[Finding] = []
    counted = []
    async with small.store.owner() as owner:
        for service in (SOURCE, FOLLOWER, "identity"):
            audited = Audited(service)
            findings += [finding async for finding in verify(owner, audited)]
            counted.append((audited.events, audited.positions, audited.waiting))
    assert findings == []
    assert counted[0] == (SMALL, SMALL, 0)
    assert all(events == positions > 0 for events, positions, _ in counted)


async def test_a_case_of_such_a_past_loads_and_has_a_trail_over_three_stores(small: Past) -> None:
    async with loading(small) as worker:
        assert await worker.step() == STREAM_EVENTS
    async with trailing(small) as worker:
        assert await worker.step() == STREAM_EVENTS + 4 + 3  # those told of it, and its person's signing in


@pytest.mark.parametrize("hired", WORK.values(), ids=WORK)
async def test_six_times_the_past_costs_no_more_pages(hired: Hired, small: Past, big: Past) -> None:
    """One more for each index that an event comes into is what a deeper tree costs: four are of events, three of what
    stands beside them."""
    figures = []
    for past in (small, big):
        async with hired(past) as worker:
            figures.append((await measured(worker, past, seconds=0.2)).more)
    assert figures[1]["pages"] <= 1.2 * figures[0]["pages"] + (1 if hired not in (appending, sequencing) else 7)
    assert figures[1]["gone_through"] == 0


async def test_looking_for_something_new_goes_through_no_table_where_an_index_seems_dear(big: Past) -> None:
    """As it seems from some 100,000 events on, when the index has one more level."""
    role = f'role "{SOURCE}" in database "{big.store.admin_url.rpartition("/")[2]}"'
    async with big.store.owner() as owner:
        await owner.execute(f"alter {role} set cpu_operator_cost = 0.02")
        try:
            async with looking(big) as worker:
                reading = await measured(worker, big, seconds=0.1)
        finally:
            await owner.execute(f"alter {role} reset cpu_operator_cost")
    assert reading.more["gone_through"] == 0
