"""One certificate in other applications of one person: of another province, of another cycle, as the book says."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from services.exemption.domain.commands import FollowOrganisation
from services.exemption.handlers import Books
from shared.kernel.time import SHANGHAI
from shared.schemes.catalog import Catalog
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import CLAIMS, ISLE
from tests.services.exemption.claims_story import course, tide
from tests.services.exemption.harbour import open_harbour
from tests.services.exemption.hb_office import CLERK, PHARMACY, REF, Hall
from tests.services.exemption.office import Office, code
from tests.services.exemption.sx_office import Shanxi, open_shanxi

pytestmark = pytest.mark.servers

TWICE = "exemption.certificate_in_another_application"


async def hall_in(office: Office) -> Hall:
    """The other province, open from today on, in the same service."""
    place = FollowOrganisation(organisation="hb-prov", title="测试平台", level="province", parent=None, phones=())
    await office.tell(place)
    year = office.clock.now.astimezone(SHANGHAI).year
    days = {"from_day": f"{year}-01-01", "to_day": f"{year}-12-31"}
    windows = {"prior_education": days, "apply": days, "correct": days}
    body = {"scheme": REF, "organisation": "hb-prov", "title": "另一省的批次", "windows": windows}
    opened = await office.staff("post", "/v1/cycles", CLERK, json=body)
    assert opened.status_code == 201, opened.text
    return Hall(office, str(opened.json()["id"]))


async def test_what_was_claimed_in_another_province_stands_in_nobodys_way(sx: Shanxi) -> None:
    """SX-E-24: one number of the country's register, two procedures that know nothing of each other."""
    who, hall = await sx.candidate(), await hall_in(sx.office)
    await hall.education(who)
    number = {"certificate_number": who.certificate_number}
    there = await hall.certified(who, "ncre_one", ["00018"], PHARMACY, **number)
    assert (await hall.submit(who, there)).status_code == 200
    here = await sx.submitted(who)
    assert (await sx.shown(who, here))["claims"][0]["form"]["number"] == who.certificate_number


async def test_what_a_certificate_gave_in_one_cycle_it_gives_no_second_time_but_the_other_course_later(
    sx: Shanxi,
) -> None:
    """SX-E-28: theory and practice are courses of their own, and whoever forgot one is not shut out of it."""
    who = await sx.candidate()

    async def claimed(here: Shanxi, *codes: str) -> Any:
        application = await here.started(who)
        said = await here.filled(who, application)
        ((claim),) = said.claims
        claim["courses"] = [{"code": each} for each in codes]
        assert (await here.save(who, application, said)).status_code == 200
        return await here.submit(who, application)

    assert (await claimed(sx, "00018")).status_code == 200
    next_one = await open_shanxi(sx.office)
    refused = await claimed(next_one, "00018", "00019")
    assert code(refused, 409) == "exemption.course_in_another_application"
    assert refused.json()["facts"]["codes"] == ["00018"]
    assert (await claimed(next_one, "00019")).status_code == 200


def books(folder: Path, within: str) -> Books:
    """The made-up book, saying for how long a certificate is used up."""
    shelf = Path(shutil.copytree(CLAIMS, folder / "books"))
    file = shelf / "lagoon" / "exemption.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    said["certificate_once"]["within"] = within
    del said["uniqueness"], said["resubmit"]
    gone = {"returned", "lapsed"}
    said["states"] = [each for each in said["states"] if each["id"] not in gone]
    for step in said["progress"]:
        step["states"] = [each for each in step["states"] if each not in gone]
    for stage in said["stages"]:
        stage["may_submit_again"] = "refuse" in stage["outcomes"]  # nothing stops them now
    file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    return Books(Catalog.load(shelf))


@pytest.mark.parametrize(("within", "answered"), [("cycle", 200), ("ever", 409)])
async def test_a_certificate_is_used_once_in_a_cycle_or_for_ever_as_the_book_says(
    databases: Databases, tmp_path: Path, within: str, answered: int
) -> None:
    one: Any = tide(course("90001"))
    other: Any = tide(course("90002"))  # the same certificate, for another course
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, tmp_path / "blobs", books(tmp_path, within)) as harbour:
            (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
            first = await harbour.claimed(who, ticket, cycle, ISLE, claims=[one])
            assert (await harbour.submit(who, first)).status_code == 200
            beside = await harbour.claimed(who, ticket, cycle, ISLE, claims=[other])
            assert code(await harbour.submit(who, beside), 409) == TWICE
            next_one = await harbour.claimed(who, ticket, await harbour.season(ISLE), ISLE, claims=[other])
            assert (await harbour.submit(who, next_one)).status_code == answered
