"""What the people of the soak do for as long as it lasts, without servers: the client here says yes to everything."""

from random import Random
from typing import Any, cast

from soak.client import Client
from soak.people import Applicant, People, Person
from soak.stories import MOST_GRANTED, Applying
from tests.services.exemption.story import SWUST

SOMEBODY = Person("somebody", "a-token")
APPLICANT = Applicant(1, SOMEBODY, {}, "SAMPLE", {"certificate": b"a picture"})
PEOPLE = People(SOMEBODY, SOMEBODY, SOMEBODY, SOMEBODY, "a cycle", [APPLICANT])


class SaysYes:
    """Takes every command and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.counted = dict.fromkeys(("rounds",), 0)

    async def command(self, _: str, person: Person, service: str, method: str, path: str, key: str, **sent: Any) -> Any:
        self.asked.append(path.rpartition("/")[2])
        return {"id": f"id-{len(self.asked)}"}

    async def look(self, person: Person, service: str, path: str) -> None:
        return None


async def test_no_candidate_sends_more_photographs_in_a_day_than_the_book_takes() -> None:
    client = SaysYes()
    story = Applying(cast(Client, client), PEOPLE, APPLICANT)
    random = Random("fast")
    for _ in range(2000):  # rounds of half an hour on a machine faster than ours
        await story.step(random)
    assert client.asked.count("acknowledge") == MOST_GRANTED
    assert client.asked.count("uploads") == MOST_GRANTED + 1 <= SWUST.book.photos_a_day.most
    assert client.asked[-200:].count("return") > 10, "the load goes on"
