"""Two books of tests over HTTP: handed in once (once), and again whenever it was sent back (edit_after_return).

Both are the made-up jurisdiction's book with other words; nothing of it is Python. Everybody is invented.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from services.exemption.handlers import Books
from shared.schemes.catalog import Catalog
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.schemes.test_vocabulary import CLAIMS, ISLE
from tests.services.exemption.harbour import MASTER, Harbour, open_harbour
from tests.services.exemption.office import Person, code

pytestmark = pytest.mark.servers

ONCE = {"by": "person", "rule": "once", "text": "每人仅限提交一次", "source": "TT-32"}
AGAIN = {**ONCE, "rule": "edit_after_return", "text": "退回后可修改再提交", "keeps": ["majors"]}
SECOND = "exemption.already_submitted_in_this_cycle"


def books(folder: Path, unique: dict[str, Any]) -> Books:
    """Where what is handed in is sent back, a stage returns it; where it is not, there is no such state."""
    shelf = Path(shutil.copytree(CLAIMS, folder / "books"))
    file = shelf / "lagoon" / "exemption.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    (stage,) = said["stages"]
    said["uniqueness"] = unique
    del stage["starts_after"]
    if unique["rule"] == "once":
        del said["resubmit"]
        gone = {"returned", "lapsed"}
        said["states"] = [each for each in said["states"] if each["id"] not in gone]
        for step in said["progress"]:
            step["states"] = [each for each in step["states"] if each not in gone]
    else:
        stage |= {
            "outcomes": ["pass", "return", "refuse"],
            "return_action": "退回",
            "return_ground": {"text": "有误", "source": "TT-44"},
            "reasons": [{"code": "unclear", "text": "照片不清", "document": "tide_two.paper", "source": "TT-44"}],
            "resubmit_to": "same",
        }
    file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    return Books(Catalog.load(shelf))


@asynccontextmanager
async def harbour_with(unique: dict[str, Any], databases: Databases, folder: Path) -> AsyncIterator[Harbour]:
    async with databases.fresh() as url:
        await prepared(url, ["identity", "exemption"])
        async with open_harbour(url, folder / "blobs", books(folder, unique)) as opened:
            yield opened


async def sent_back(harbour: Harbour, application: str) -> httpx.Response:
    body = {"stage": "审核", "reason_code": "unclear", "note": "请重拍"}
    return await harbour.staff("post", f"/v1/applications/{application}/return", MASTER, json=body)


async def typed_anew(harbour: Harbour, who: Person, application: str) -> httpx.Response:
    return await harbour.me(who, "put", f"/v1/applications/{application}/draft", json={"form": {"shore": "11"}})


async def two_drafts(harbour: Harbour) -> tuple[Person, str, list[str], str]:
    (who, ticket), cycle = await harbour.sailor(), await harbour.season(ISLE)
    return who, ticket, [await harbour.claimed(who, ticket, cycle, ISLE) for _ in range(2)], cycle


def codes(answer: httpx.Response) -> set[str]:
    assert answer.status_code in (409, 422), answer.text
    body = answer.json()
    return {each["code"] for each in body["facts"].get("faults", [])} or {body["code"]}


async def test_handed_in_once_it_stays_as_it_is_and_there_is_no_other(databases: Databases, tmp_path: Path) -> None:
    async with harbour_with(ONCE, databases, tmp_path) as harbour:
        who, ticket, drafts, cycle = await two_drafts(harbour)
        answers = await asyncio.gather(*(harbour.submit(who, each) for each in drafts))  # both at once
        assert sorted(answer.status_code for answer in answers) == [200, 409]
        (late,) = [answer for answer in answers if answer.status_code == 409]
        assert code(late, 409) == SECOND
        assert "每人仅限提交一次" in late.json()["detail"]
        (taken,) = [each for each, answer in zip(drafts, answers, strict=True) if answer.status_code == 200]
        assert code(await harbour.submit(who, taken), 409) == "exemption.already_submitted"
        assert code(await typed_anew(harbour, who, taken), 409) == "exemption.already_submitted"
        assert (await sent_back(harbour, taken)).status_code in (409, 422)  # its stage sends nothing back
        seen = {"seen": {"id_card": True}, "reason_code": "wrong_material", "note": "本人到场"}
        unlocked = await harbour.staff("post", f"/v1/applications/{taken}/unlock", MASTER, json=seen)
        assert code(unlocked, 409) == "exemption.no_unlocking"
        assert (await harbour.decide(taken, "审核", ISLE)).status_code == 200
        after = await harbour.claimed(who, ticket, cycle, ISLE)
        assert SECOND in codes(await harbour.submit(who, after))  # nor once it is decided


async def test_once_in_a_cycle_is_not_once_for_ever(databases: Databases, tmp_path: Path) -> None:
    async with harbour_with(ONCE, databases, tmp_path) as harbour:
        who, ticket, (first, _), _ = await two_drafts(harbour)
        assert (await harbour.submit(who, first)).status_code == 200
        refusal = {"stage": "审核", "reason_code": "not_genuine", "note": "样本"}
        refused = await harbour.staff("post", f"/v1/applications/{first}/refuse", MASTER, json=refusal)
        assert refused.status_code == 200, refused.text
        later = await harbour.claimed(who, ticket, await harbour.season(ISLE), ISLE)
        assert (await harbour.submit(who, later)).status_code == 200


async def test_sent_back_it_is_edited_and_handed_in_again_as_often_as_it_comes_back_and_is_still_the_only_one(
    databases: Databases, tmp_path: Path
) -> None:
    async with harbour_with(AGAIN, databases, tmp_path) as harbour:
        who, ticket, (one, other), _ = await two_drafts(harbour)
        assert (await harbour.submit(who, one)).status_code == 200
        for submission in (2, 3):
            assert code(await typed_anew(harbour, who, one), 409) == "exemption.already_submitted"
            assert SECOND in codes(await harbour.submit(who, other))
            assert (await sent_back(harbour, one)).status_code == 200
            assert await harbour.state(who, one) == "returned"
            assert SECOND in codes(await harbour.submit(who, other))  # also while it lies with the candidate
            assert (await harbour.save(who, ticket, one, ISLE)).status_code == 200
            assert (await harbour.submit(who, one)).status_code == 200
            shown = (await harbour.me(who, "get", f"/v1/applications/{one}")).json()
            assert (shown["state"]["id"], shown["submissions"]) == ("submitted", submission)


async def test_what_the_book_keeps_is_as_it_was_when_it_is_handed_in_again(
    databases: Databases, tmp_path: Path
) -> None:
    async with harbour_with(AGAIN, databases, tmp_path) as harbour:
        who, ticket, (one, _), _ = await two_drafts(harbour)
        assert (await harbour.submit(who, one)).status_code == 200
        assert (await sent_back(harbour, one)).status_code == 200
        back = (await harbour.me(who, "get", f"/v1/applications/{one}")).json()
        majors = [{"level": "本科", "code": "990101"}, {"level": "本科", "code": "990102"}]
        body = {"form": back["form"], "photos": {}, "claims": back["claims"], "majors": majors}
        body["claims"] = [{key: each[key] for key in ("basis", "form", "photos", "courses")} for each in body["claims"]]
        saved = await harbour.me(who, "put", f"/v1/applications/{one}/draft", json=body)
        assert saved.status_code == 200, saved.text
        assert codes(await harbour.submit(who, one)) == {"exemption.must_stay_as_it_was"}
        assert (await harbour.save(who, ticket, one, ISLE)).status_code == 200
        assert (await harbour.submit(who, one)).status_code == 200
