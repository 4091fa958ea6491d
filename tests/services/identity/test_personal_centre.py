"""个人中心 over HTTP on a real database (SX-E-12). Persons are invented."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.services.identity.people import Office, Person
from tests.services.identity.photographed import ALL_SAME
from tests.services.identity.test_registration import code_of
from tests.services.identity.test_verifying_persons import FILES, Counter, counter, on_a_route  # noqa: F401

pytestmark = pytest.mark.servers

CENTRE = "/v1/me/personal-centre"
HERE = f"{CENTRE}?jurisdiction=sx"


async def put(office: Office, token: str, key: str = "", **form: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key or str(uuid4())}
    body = {"jurisdiction": "sx", "form": form}
    return await office.web.client.put(CENTRE, headers=headers, json=body)


async def texts(office: Office, token: str) -> dict[str, str]:
    answer = await office.get(HERE, token)
    assert answer.status_code == 200, answer.text
    return {row["label"]: row["text"] for row in answer.json()["rows"]}


async def signed_in(office: Office) -> tuple[Person, str]:
    person = Person()
    await office.registered(person)
    return person, (await office.signed_in(person))["access_token"]


async def test_the_centre_shows_twelve_rows_with_those_of_the_account_filled_in(office: Office) -> None:
    person, token = await signed_in(office)
    shown = await texts(office, token)
    assert list(shown) == [
        *("姓名", "身份证号", "准考证号", "性别", "民族", "户口性质"),
        *("文化程度", "职业", "政治面貌", "手机号", "报名区县", "电子邮箱"),
    ]
    own = (person.name, person.id_number, person.ticket_number, person.mobile)
    assert tuple(shown[label] for label in ("姓名", "身份证号", "准考证号", "手机号")) == own
    assert shown["性别"] == ("男性" if int(person.id_number[16]) % 2 else "女性")
    assert {shown[label] for label in ("民族", "户口性质", "文化程度", "报名区县", "电子邮箱")} == {""}


async def test_what_is_filled_in_is_shown_in_words_and_a_wrong_form_changes_nothing(office: Office) -> None:
    _, token = await signed_in(office)
    said = {"ethnicity": "56", "household": "rural", "political_status": "13", "registration_county": "样本县"}
    answer = await put(office, token, **said)
    assert (answer.status_code, answer.json()["events"]) == (200, ["identity.profile_saved.v1"])
    shown = await texts(office, token)
    assert [shown[each] for each in ("民族", "户口性质", "政治面貌", "报名区县")] == [
        "基诺族",
        "农村",
        "群众",
        "样本县",
    ]
    wrong = await put(office, token, ethnicity="基诺族", email="x")
    assert (wrong.status_code, code_of(wrong)) == (422, "identity.form_wrong")
    assert {each["field"] for each in wrong.json()["facts"]["faults"]} == {"ethnicity", "email"}
    assert await texts(office, token) == shown
    entries = next(row for row in (await office.get(HERE, token)).json()["rows"] if row["name"] == "ethnicity")
    assert len(entries["entries"]) == 56


async def test_the_same_save_sent_twice_is_one_fact(office: Office) -> None:
    _, token = await signed_in(office)
    key = str(uuid4())
    first = await put(office, token, key, occupation="样本职业")
    again = await put(office, token, key, occupation="样本职业")
    assert first.json() == again.json()
    other = await put(office, token, key, occupation="另一职业")
    assert other.status_code >= 400


async def test_the_portrait_is_shown_also_once_the_person_is_verified(office: Office, counter: Counter) -> None:  # noqa: F811
    who = await on_a_route(office, counter)
    assert (await office.get(HERE, who.token)).json()["photo"] is False
    missing = await office.get(f"{CENTRE}/photograph?jurisdiction=sx", who.token)
    assert (missing.status_code, code_of(missing)) == (404, "access.not_found")
    await who.hand_in()
    decided = await counter.clerk.office.post(
        f"/v1/verifications/{who.id}/pass", {"attempt": 1, "pairs": ALL_SAME}, await counter.clerk.token()
    )
    assert decided.status_code == 200, decided.text
    await who.sign_in_again()
    assert (await office.get(HERE, who.token)).json()["photo"] is True
    picture = await office.get(f"{CENTRE}/photograph?jurisdiction=sx", who.token)
    assert (picture.status_code, picture.headers["content-type"]) == (200, "image/jpeg")
    assert picture.content[:2] == FILES["portrait"][:2]


@pytest.mark.parametrize("place", ["swust", "nowhere", "../sx"])
async def test_a_jurisdiction_without_a_centre_is_told_so(office: Office, place: str) -> None:
    _, token = await signed_in(office)
    answer = await office.get(f"{CENTRE}?jurisdiction={place}", token)
    assert (answer.status_code, code_of(answer)) == (404, "identity.no_personal_centre")
    body: dict[str, Any] = {"jurisdiction": place, "form": {}}
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}
    saved = await office.web.client.put(CENTRE, headers=headers, json=body)
    assert (saved.status_code, code_of(saved)) == (404, "identity.no_personal_centre")


async def test_what_people_say_of_themselves_is_sealed(office: Office) -> None:
    _, token = await signed_in(office)
    await put(office, token, occupation="样本采珠人")
    stored = await office.service.pool.fetch("select body::text from events where type = 'identity.profile_saved.v1'")
    assert stored
    assert not [row for row in stored if "采珠" in row["body"]]
