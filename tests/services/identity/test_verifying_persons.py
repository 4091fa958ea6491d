"""身份认证 over HTTP with real workers, on a real database (SX-E-02 to SX-E-11, 41, 42). Persons are invented."""

import asyncio
import io
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image, ImageDraw

from shared.kernel.errors import Refused
from shared.runtime.access import LocalKeySource, Verifier
from shared.testing.pictures import Shot, html_with_jpeg_head, id_front, paper_alone, photograph, plain
from tests.services.identity.people import KEYS, PASSWORD, Office, Official, Person
from tests.services.identity.photographed import ALL_SAME, THREE
from tests.services.identity.test_offices import new_name
from tests.services.identity.test_registration import code_of

pytestmark = pytest.mark.servers

ME = "/v1/me/verification"


def portrait(colour: str = "#ffffff") -> bytes:
    """A cartoon before one colour."""
    picture = Image.new("RGB", (413, 579), colour)
    draw = ImageDraw.Draw(picture)
    draw.ellipse((120, 120, 293, 340), fill="#eeccb0", outline="#222222", width=5)
    for line in range(40):
        draw.line((60, 400 + 4 * line, 353, 400 + 4 * line), fill="#203050" if line % 2 else "#ffffff", width=2)
    held = io.BytesIO()
    picture.save(held, "JPEG", quality=90)
    return held.getvalue()


FILES = {
    "portrait": portrait(),
    "id_front": paper_alone(id_front()),
    "holding_id": photograph(id_front(), Shot(orientation=1, size=(1200, 900), share=0.4)),
}


@dataclass
class Counter:
    """A county office with a clerk at it."""

    county: str
    clerk: Official


@pytest.fixture(scope="session")
async def counter(opened_office: Office, chief: Official) -> Counter:
    return await county_office(chief)


async def county_office(chief: Official) -> Counter:
    there = await chief.add_organisation("sx-prov", "province")
    assert there.status_code in (201, 409), there.text
    county = new_name("county")
    assert (await chief.add_organisation(county, "county", "sx-prov")).status_code == 201
    clerk = await chief.add_staff(new_name("verifier"), county)
    assert (await chief.grant(clerk, "authority_clerk", county)).status_code == 201
    return Counter(county, clerk)


@dataclass
class Candidate:
    """Somebody who is signed in."""

    office: Office
    person: Person
    id: str
    token: str

    async def upload(self, slot: str, data: bytes, key: str = "", token: str = "") -> httpx.Response:
        headers = {"Authorization": f"Bearer {token or self.token}", "Idempotency-Key": key or str(uuid4())}
        files = {"file": ("p.jpg", data, "image/jpeg")}
        path = f"{ME}/photographs"
        return await self.office.web.client.post(path, headers=headers, data={"slot": slot}, files=files)

    async def hand_in(self, slots: tuple[str, ...] = THREE) -> None:
        for slot in slots:
            answer = await self.upload(slot, FILES[slot])
            assert answer.status_code == 201, answer.text
        answer = await self.office.post(f"{ME}/submit", token=self.token)
        assert answer.status_code == 200, answer.text

    async def shown(self) -> dict[str, Any]:
        answer = await self.office.get(ME, self.token)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def sign_in_again(self) -> None:
        self.token = (await self.office.signed_in(self.person))["access_token"]


async def on_a_route(office: Office, counter: Counter, route: str = "new_candidate") -> Candidate:
    """Registered on a route of the book, with a password, and signed in."""
    person = Person()
    began = await office.proved(person)
    assert (await office.step(began, "password", {"password": PASSWORD})).status_code == 200
    ticket = person.ticket_number if route == "enrolled_candidate" else ""
    body = {"name": person.name, "id_number": person.id_number, "ticket_number": ticket}
    chosen = {"jurisdiction": "sx", "route": route, "organisation": counter.county}
    answer = await office.step(began, "identity", {**body, **chosen})
    assert answer.status_code == 201, answer.text
    who = Candidate(office, person, began["registration"], "")
    await who.sign_in_again()
    return who


async def opens(office: Office, token: str, service: str) -> bool:
    try:
        return bool(await Verifier(service, LocalKeySource(KEYS), office.clock).caller(token))
    except Refused:
        return False


async def test_a_new_candidate_fails_once_reads_why_tries_again_and_is_verified(
    office: Office, counter: Counter
) -> None:
    who = await on_a_route(office, counter)
    assert await opens(office, who.token, "identity")
    assert not await opens(office, who.token, "exemption")  # SX-E-08: nothing else before it is verified
    assert {each["slot"]: each["uploaded"] for each in (await who.shown())["photographs"]} == dict.fromkeys(
        THREE, False
    )
    await who.hand_in()
    clerk = await counter.clerk.token()
    waiting = {each["person"]: each for each in (await office.get("/v1/verifications", clerk)).json()["verifications"]}
    assert waiting[who.id]["overdue"] is False
    case = (await office.get(f"/v1/verifications/{who.id}", clerk)).json()
    assert (case["name"], case["id_number"]) == (who.person.name, who.person.id_number)
    assert case["compared_by_machine"] is False
    assert set(case["pairs"]) == set(ALL_SAME)
    seen = await office.get(f"/v1/verifications/{who.id}/photographs/portrait", clerk)
    assert seen.content.startswith(b"\xff\xd8")
    decision = {"attempt": 1, "reason": "not_one_person", "note": "手持照不是本人", "pairs": {case["pairs"][1]: False}}
    assert (await office.post(f"/v1/verifications/{who.id}/fail", decision, clerk)).status_code == 200
    failed = await who.shown()
    assert (failed["state"], failed["reason"], failed["note"]) == ("failed", "照片不是同一人", "手持照不是本人")
    assert code_of(await office.post(f"{ME}/submit", token=who.token)) == "identity.nothing_new_to_verify"
    await who.hand_in(("holding_id",))
    late = await office.post(f"/v1/verifications/{who.id}/pass", {"attempt": 1, "pairs": ALL_SAME}, clerk)
    assert code_of(late) == "identity.submitted_again"
    passed = await office.post(f"/v1/verifications/{who.id}/pass", {"attempt": 2, "pairs": ALL_SAME}, clerk)
    assert passed.status_code == 200, passed.text
    assert (await who.shown())["state"] == "verified"
    await who.sign_in_again()
    assert await opens(office, who.token, "exemption")
    async with office.service.reading() as connection:
        told = [fact.event.name for fact in await office.service.history(connection, f"verification-{who.id}")]
    assert told.count("identity.photograph_viewed.v1") == 1
    assert told[-1] == "identity.person_verified.v1"


async def test_the_page_of_registration_shows_two_routes_before_any_login(office: Office) -> None:
    page = (await office.get("/v1/verification-routes?jurisdiction=sx")).json()
    assert [route["action"] for route in page["routes"]] == ["我是新生，点击开始注册", "我是在籍考生，点击完成认证"]
    assert [len(route["photographs"]) for route in page["routes"]] == [3, 2]
    assert page["level"] == "county"
    nowhere = await office.get("/v1/verification-routes?jurisdiction=nowhere")
    assert code_of(nowhere) == "identity.no_verification_there"


async def test_an_enrolled_candidate_who_has_an_account_begins_later_and_signs_in_with_the_ticket_number(
    office: Office, counter: Counter
) -> None:
    person = Person()
    registered = await office.registered(person)
    token = (await office.sign_in(person.ticket_number)).json()["access_token"]
    who = Candidate(office, person, registered, token)
    assert (await who.shown())["state"] == "not_started"
    assert code_of(await who.upload("id_front", FILES["id_front"])) == "identity.verification_not_started"
    body = {"jurisdiction": "sx", "route": "enrolled_candidate", "organisation": counter.county}
    assert (await office.post(ME, body, who.token)).status_code == 201
    await who.hand_in(("id_front", "holding_id"))
    assert (await who.shown())["state"] == "waiting"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"jurisdiction": "nowhere"}, "identity.no_verification_there"),
        ({"route": "by_horse"}, "identity.no_such_route"),
        ({"organisation": "nowhere"}, "identity.no_such_organisation"),
        ({"organisation": "sx-prov"}, "identity.does_not_decide_here"),
        ({"route": "enrolled_candidate"}, "identity.ticket_number_missing"),
    ],
)
async def test_an_account_on_a_route_that_cannot_be_taken_is_not_made(
    office: Office, counter: Counter, changed: dict[str, str], code: str
) -> None:
    person = Person()
    began = await office.proved(person)
    await office.step(began, "password", {"password": PASSWORD})
    chosen = {"jurisdiction": "sx", "route": "new_candidate", "organisation": counter.county, **changed}
    body = {"name": person.name, "id_number": person.id_number, **chosen}
    assert code_of(await office.step(began, "identity", body)) == code
    assert (await office.sign_in(person.mobile)).status_code == 401


# --- photographs


async def test_every_failed_rule_is_told_with_what_was_measured(office: Office, counter: Counter) -> None:
    who = await on_a_route(office, counter)
    green = await who.upload("portrait", portrait("#22aa44"))
    assert code_of(green) == "identity.photo_refused"
    failed = {each["code"]: each for each in green.json()["facts"]["failed"]}
    assert failed["photo.wrong_background"]["limit"] == ["blue", "white", "white_grey"]
    assert failed["photo.wrong_background"]["measured"] < 0.5
    assert "蓝" in failed["photo.wrong_background"]["zh"]
    whole = FILES["portrait"]
    two_megabytes = whole + bytes(2 * 1024 * 1024 - len(whole))
    large = (await who.upload("portrait", two_megabytes)).json()["facts"]["failed"]
    assert [(each["code"], each["measured"]) for each in large] == [("photo.too_many_bytes", 2 * 1024 * 1024)]
    assert (await who.upload("portrait", two_megabytes[:-1])).status_code == 201
    page = (await who.upload("id_front", html_with_jpeg_head())).json()["facts"]["failed"]
    assert "photo.unreadable" in {each["code"] for each in page}
    assert (await who.shown())["refused"] == 3


@pytest.mark.parametrize("colour", ["#ffffff", "#e4e6e8", "#438edb"])
async def test_white_white_grey_and_blue_are_backgrounds(office: Office, counter: Counter, colour: str) -> None:
    who = await on_a_route(office, counter)
    assert (await who.upload("portrait", portrait(colour))).status_code == 201


async def test_after_five_refused_photographs_a_clerk_looks_at_whatever_there_is(
    office: Office, counter: Counter
) -> None:
    who = await on_a_route(office, counter)
    answers = [await who.upload("portrait", plain((200, 200))) for _ in range(5)]
    assert [answer.json()["facts"]["by_hand"] for answer in answers] == [False] * 4 + [True]
    shown = await who.shown()
    assert "人工认证" in shown["by_hand"]
    assert [each["slot"] for each in shown["photographs"]] == ["id_front", "id_back", "holding_id"]
    for slot in ("id_front", "id_back", "holding_id"):
        assert (await who.upload(slot, plain((400, 300)))).status_code == 201
    assert (await office.post(f"{ME}/submit", token=who.token)).status_code == 200
    clerk = await counter.clerk.token()
    case = (await office.get(f"/v1/verifications/{who.id}", clerk)).json()
    assert case["pairs"] == ["holding_id+id_front"]


async def test_the_same_upload_again_gets_the_same_answer_and_is_kept_once(office: Office, counter: Counter) -> None:
    who = await on_a_route(office, counter)
    first, again = [await who.upload("portrait", FILES["portrait"], key="the-same-upload") for _ in range(2)]
    assert (first.status_code, first.json()) == (again.status_code, again.json())
    other = await who.upload("portrait", FILES["id_front"], key="the-same-upload")
    assert code_of(other) == "request.key_reused"
    kept = "select count(*) from verification_photographs where person = $1"
    assert await office.service.pool.fetchval(kept, who.id) == 1


async def test_one_reads_what_one_uploaded_and_a_slot_that_is_empty_is_not_found(
    office: Office, counter: Counter
) -> None:
    who = await on_a_route(office, counter)
    assert code_of(await office.get(f"{ME}/photographs/portrait", who.token)) == "access.not_found"
    await who.upload("portrait", FILES["portrait"])
    shown = await office.get(f"{ME}/photographs/portrait", who.token)
    with Image.open(io.BytesIO(shown.content)) as picture:
        assert picture.size == (413, 579)


# --- hostile callers


async def test_nothing_can_be_exchanged_while_it_waits(office: Office, counter: Counter) -> None:
    who = await on_a_route(office, counter)
    await who.hand_in()
    swapped = await who.upload("portrait", portrait("#438edb"))
    assert code_of(swapped) == "identity.verification_waiting"
    again = {"jurisdiction": "sx", "route": "new_candidate", "organisation": counter.county}
    assert code_of(await office.post(ME, again, who.token)) == "identity.verification_waiting"


async def test_a_clerk_of_another_county_sees_nothing_of_it_and_decides_nothing(
    office: Office, counter: Counter, chief: Official
) -> None:
    elsewhere = await county_office(chief)
    who = await on_a_route(office, counter)
    await who.hand_in()
    stranger = await elsewhere.clerk.token()
    listed = (await office.get("/v1/verifications", stranger)).json()["verifications"]
    assert who.id not in {each["person"] for each in listed}
    case = f"/v1/verifications/{who.id}"
    seen = {"jurisdiction": "sx", "organisation": elsewhere.county, "documents": ["id_card"], "evidence": "见本人"}
    answers = [
        await office.get(case, stranger),
        await office.get(f"{case}/photographs/portrait", stranger),
        await office.post(f"{case}/pass", {"attempt": 1, "pairs": ALL_SAME}, stranger),
        await office.post(f"{case}/fail", {"attempt": 1, "reason": "not_one_person", "note": ""}, stranger),
        await office.post(f"/v1/people/{who.id}/verification", seen, stranger),
    ]
    assert {code_of(answer) for answer in answers} == {"access.not_allowed"}
    assert (await who.shown())["state"] == "waiting"


async def test_a_candidate_reaches_neither_the_desk_nor_the_photographs_of_another(
    office: Office, counter: Counter
) -> None:
    who, other = await on_a_route(office, counter), await on_a_route(office, counter)
    await who.hand_in()
    await other.sign_in_again()
    case = f"/v1/verifications/{who.id}"
    answers = [
        await office.get("/v1/verifications", other.token),
        await office.get(case, other.token),
        await office.get(f"{case}/photographs/portrait", other.token),
        await office.post(f"{case}/pass", {"attempt": 1, "pairs": ALL_SAME}, other.token),
        await office.post(f"{case}/pass", {"attempt": 1, "pairs": ALL_SAME}, who.token),
    ]
    assert {code_of(answer) for answer in answers} == {"access.not_allowed"}
    assert code_of(await office.get(f"{ME}/photographs/portrait", other.token)) == "access.not_found"


async def test_of_two_clerks_who_decide_at_once_one_decides(office: Office, counter: Counter) -> None:
    who = await on_a_route(office, counter)
    await who.hand_in()
    clerk = await counter.clerk.token()
    case = f"/v1/verifications/{who.id}"
    answers = await asyncio.gather(
        office.post(f"{case}/pass", {"attempt": 1, "pairs": ALL_SAME}, clerk),
        office.post(f"{case}/fail", {"attempt": 1, "reason": "not_one_person", "note": ""}, clerk),
    )
    assert sorted(answer.status_code for answer in answers) == [200, 409]
