"""What a stranger tries against identity: floods of messages, finding out who has an account, copies of tokens."""

import asyncio
from statistics import median
from time import perf_counter
from typing import Any

import pytest

from shared.events.identity import SmsCodeIssued
from tests.services.identity.people import NEW_PASSWORD, PASSWORD, Office, Official, Person
from tests.services.identity.test_registration import code_of

pytestmark = pytest.mark.servers


async def codes_sent(office: Office) -> int:
    return int(await office.service.pool.fetchval("select count(*) from events where type = $1", SmsCodeIssued.name))


# --- floods


async def test_a_request_refused_for_its_limit_is_refused_again_with_the_same_key(office: Office) -> None:
    """Otherwise each picture read would be worth one message, whatever the limits say."""
    person = Person()
    await office.begin(person)
    before = await codes_sent(office)
    for path in ("registrations", "password-resets"):
        body = {"mobile": person.mobile, **await office.captcha()}
        first = await office.post(f"/v1/{path}", body, key="knocking")
        assert code_of(first) == "request.too_many"
        for _ in range(3):
            assert (await office.post(f"/v1/{path}", body, key="knocking")).status_code >= 400
    assert await codes_sent(office) == before


async def test_one_picture_sent_many_times_at_once_is_one_message(office: Office) -> None:
    body = {"mobile": Person().mobile, **await office.captcha()}
    before = await codes_sent(office)
    answers = await asyncio.gather(*(office.post("/v1/registrations", body, key="at-once-1") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["registration"] for answer in answers}) == 1
    answers = await asyncio.gather(*(office.post("/v1/registrations", body, key=f"at-once-{n}") for n in range(2, 8)))
    assert {code_of(answer) for answer in answers} == {"identity.captcha_wrong"}
    assert await codes_sent(office) == before + 1


async def test_pictures_read_before_do_not_add_up_to_messages_at_once(office: Office) -> None:
    person, before = Person(), await codes_sent(office)
    read = [await office.captcha() for _ in range(6)]
    answers = await asyncio.gather(
        *(office.post("/v1/registrations", {"mobile": person.mobile, **one}) for one in read)
    )
    assert sorted(answer.status_code for answer in answers) == [201] + [429] * 5
    assert await codes_sent(office) == before + 1


# --- who has an account


async def asked(office: Office, mobile: str, **other: str) -> Any:
    body = {"mobile": mobile, "code": "000000", "id_number": "01217X", "password": NEW_PASSWORD, **other}
    return await office.post("/v1/password-resets/complete", body, key=other.pop("key", ""))


@pytest.mark.parametrize(
    "other", [{}, {"code": ""}, {"code": " "}, {"id_number": ""}, {"id_number": "nonsense 𠮷"}, {"code": "9" * 200}]
)
async def test_a_reset_without_its_code_is_answered_alike_with_an_account_and_without(
    office: Office, other: dict[str, str]
) -> None:
    person = Person()
    await office.registered(person)
    with_one, without = await asked(office, person.mobile, **other), await asked(office, Person().mobile, **other)
    assert (with_one.status_code, with_one.text) == (without.status_code, without.text)


async def test_a_reset_takes_as_long_with_an_account_as_without(office: Office) -> None:
    people = [Person() for _ in range(5)]
    for person in people:
        await office.registered(person)
    took: dict[bool, list[float]] = {True: [], False: []}
    for person in people:
        for known, mobile in ((True, person.mobile), (False, Person().mobile)):
            began = perf_counter()
            assert code_of(await asked(office, mobile)) == "identity.reset_refused"
            took[known].append(perf_counter() - began)
    assert abs(median(took[True]) - median(took[False])) < 0.3 * median(took[True])


async def test_a_key_used_before_does_not_tell_whether_a_mobile_has_an_account(office: Office) -> None:
    own, known, unknown = Person(), Person(), Person()
    for person in (own, known):
        await office.registered(person)
    office.clock.move(seconds=61)
    answers = []
    for person in (own, known, unknown):
        body = {"mobile": person.mobile, **await office.captcha()}
        answers.append(await office.post("/v1/password-resets", body, key="one-key-for-all"))
    assert {(answer.status_code, answer.text) for answer in answers} == {(202, "null")}


# --- other people's sessions and accounts


async def test_a_key_used_before_does_not_keep_anybody_signed_in(office: Office) -> None:
    tokens = []
    for person in (Person(), Person()):
        await office.registered(person)
        tokens.append((await office.signed_in(person))["refresh_token"])
    for token in tokens:
        answer = await office.post("/v1/sessions/end", {"refresh_token": token}, key="one-key-for-all")
        assert answer.status_code == 204
    for token in tokens:
        answer = await office.post("/v1/sessions/refresh", {"refresh_token": token})
        assert code_of(answer) == "identity.session_over"


async def test_a_stolen_token_does_not_renew_its_own_activation(office: Office, chief: Official) -> None:
    """Five minutes with somebody's token must not become their password and their second factor."""
    answer = await office.post(f"/v1/staff/{chief.id}/activation", token=await chief.token())
    assert (answer.status_code, code_of(answer)) == (403, "identity.not_your_own_roles")
    assert (await chief.sign_in()).status_code == 201


async def test_a_revoked_role_ends_within_five_minutes_to_the_second(office: Office, chief: Official) -> None:
    """The book's time and the leeway for clocks that differ, together."""
    await chief.add_organisation("attack-uni", "university", title="样本大学")
    clerk = await chief.add_staff("attacked.clerk", "attack-uni")
    assert (await chief.grant(clerk, "administrator", "attack-uni")).status_code == 201
    revoker, token = await chief.token(), await clerk.token()
    body = {"role": "administrator", "organisation": "attack-uni"}
    assert (await office.post(f"/v1/staff/{clerk.id}/roles/revoke", body, revoker)).status_code == 200
    revoked = office.clock.now
    assert (await office.get("/v1/staff", token)).status_code == 200  # known: a token is believed until it ends
    office.clock.move(minutes=5)
    assert code_of(await office.get("/v1/staff", token)) == "access.token_expired"
    assert code_of(await office.get("/v1/staff", await clerk.token())) == "access.not_allowed"
    assert (office.clock.now - revoked).total_seconds() >= 300


async def test_a_service_is_no_person_and_a_person_no_service(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    own = (await office.signed_in(person))["access_token"]
    for path in (f"/v1/directory/people/{registered}", f"/v1/directory/staff/{registered}", "/v1/events"):
        assert code_of(await office.get(path, own)) == "access.not_allowed"


async def test_a_wrong_password_and_a_wrong_code_of_staff_are_answered_alike(office: Office, chief: Official) -> None:
    await chief.add_organisation("attack-uni-2", "university", title="样本大学")
    clerk = await chief.add_staff("guessed.clerk", "attack-uni-2")
    answers = [await clerk.sign_in("wrong horse battery"), await clerk.sign_in(PASSWORD, "000000")]
    clerk.login = "nobody.at.all"
    answers.append(await clerk.sign_in())
    assert [code_of(answer) for answer in answers] == ["identity.login_wrong"] * 3
    assert len({answer.text for answer in answers}) == 1
