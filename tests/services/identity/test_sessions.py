"""Signing in, locks, tokens and forgotten passwords over HTTP, on a real database. Every person here is invented."""

import asyncio
import base64
from datetime import timedelta
from pathlib import Path
from statistics import median
from time import perf_counter
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet, OctKey, OKPKey

from shared.events.identity import AccountLocked, SessionEnded
from shared.kernel.errors import Refused
from shared.runtime.access import LocalKeySource, Verifier
from tests.services.identity.people import (
    EASY_PICTURES,
    KEYS,
    NEW_PASSWORD,
    PASSWORD,
    SERVICE_SECRET,
    SETTINGS,
    Office,
    Person,
    open_office,
)
from tests.services.identity.test_registration import code_of

pytestmark = pytest.mark.servers


async def refreshed(office: Office, token: str) -> Any:
    return await office.post("/v1/sessions/refresh", {"refresh_token": token})


async def test_one_signs_in_with_any_of_three_numbers_in_one_field(office: Office) -> None:
    person = Person()
    await office.registered(person)
    for login in (person.mobile, person.id_number, person.id_number.lower(), person.ticket_number):
        assert (await office.sign_in(login)).status_code == 201, login


async def test_a_wrong_password_an_unknown_number_and_no_number_at_all_are_answered_alike(office: Office) -> None:
    person = Person()
    await office.registered(person)
    stranger = Person()
    answers = [
        await office.sign_in(login, "wrong horse battery")
        for login in (person.mobile, stranger.mobile, stranger.id_number, "nonsense 𠮷", "' or 1=1 --")
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert len({answer.text for answer in answers}) == 1


async def test_a_number_without_an_account_takes_as_long_as_a_wrong_password(
    office: Office, identity_database: str, tmp_path: Path
) -> None:
    person = Person()
    await office.registered(person)
    costly = SETTINGS.model_copy(update={"argon2_memory_kib": 16_384, "argon2_time_cost": 4})
    async with open_office(identity_database, tmp_path, office.clock, settings=costly) as slow:
        known, unknown = [], []
        for turn in range(4):
            slow.address = f"10.200.0.{turn}"
            known.append(await _seconds(slow, person.mobile))
            unknown.append(await _seconds(slow, Person().mobile))
    assert median(unknown) > 0.5 * median(known)


async def _seconds(office: Office, login: str) -> float:
    began = perf_counter()
    assert code_of(await office.sign_in(login, "wrong horse battery")) == "identity.login_wrong"
    return perf_counter() - began


@pytest.mark.parametrize("known", [True, False])
async def test_after_five_wrong_passwords_a_number_waits_a_quarter_of_an_hour_account_or_not(
    office: Office, identity_database: str, tmp_path: Path, known: bool
) -> None:
    person = Person()
    if known:
        await office.registered(person)
    answers = [await office.sign_in(person.id_number, "wrong horse battery") for _ in range(6)]
    assert [code_of(answer) for answer in answers] == ["identity.login_wrong"] * 5 + ["identity.login_locked"]
    assert answers[5].status_code == 429
    assert answers[5].json()["facts"] == {"retry_after": 900}
    async with open_office(identity_database, tmp_path, office.clock) as restarted:
        restarted.address = "10.201.0.1"
        assert code_of(await restarted.sign_in(person.id_number)) == "identity.login_locked"


async def test_a_lock_is_a_fact_holds_for_every_number_and_grows(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    for _ in range(5):
        await office.sign_in(person.id_number, "wrong horse battery")
    locks = await _events(office, registered, AccountLocked)
    assert [lock.until for lock in locks] == [office.clock.now + timedelta(minutes=15)]
    assert code_of(await office.sign_in(person.mobile)) == "identity.login_wrong"  # right, but says no more
    office.clock.move(minutes=15)
    for _ in range(5):
        await office.sign_in(person.id_number, "wrong horse battery")
    assert code_of(await office.sign_in(person.id_number)) == "identity.login_locked"
    office.clock.move(minutes=16)
    assert code_of(await office.sign_in(person.id_number)) == "identity.login_locked"
    office.clock.move(minutes=14)
    assert (await office.sign_in(person.id_number)).status_code == 201


async def _events(office: Office, person: str, kind: type[Any]) -> list[Any]:
    async with office.service.reading() as connection:
        facts = await office.service.history(connection, f"account-{person}")
    return [fact.event for fact in facts if isinstance(fact.event, kind)]


async def test_a_right_password_takes_the_wrong_ones_back(office: Office) -> None:
    person = Person()
    await office.registered(person)
    for _ in range(3):
        for _ in range(4):
            await office.sign_in(person.mobile, "wrong horse battery")
        assert (await office.sign_in(person.mobile)).status_code == 201


async def test_twenty_guesses_at_once_are_twenty_guesses(office: Office) -> None:
    person = Person()
    await office.registered(person)
    answers = await asyncio.gather(*(office.sign_in(person.mobile, f"wrong horse {n}") for n in range(20)))
    codes = [code_of(answer) for answer in answers]
    assert codes.count("identity.login_wrong") == 5
    assert codes.count("identity.login_locked") == 15


async def test_an_address_that_tries_many_numbers_waits(office: Office, identity_database: str, tmp_path: Path) -> None:
    few = EASY_PICTURES.limits.login_per_address.model_copy(update={"most": 3})
    scheme = EASY_PICTURES.model_copy(
        update={"limits": EASY_PICTURES.limits.model_copy(update={"login_per_address": few})}
    )
    async with open_office(identity_database, tmp_path, office.clock, scheme=scheme) as strict:
        strict.address = "10.202.0.1"
        codes = [code_of(await strict.sign_in(Person().mobile, "wrong horse battery")) for _ in range(4)]
        assert codes == ["identity.login_wrong"] * 3 + ["request.too_many"]
        strict.address = "10.202.0.2"
        assert code_of(await strict.sign_in(Person().mobile, "x")) == "identity.login_wrong"


async def test_forty_people_sign_in_at_once_after_a_restart(
    office: Office, identity_database: str, tmp_path: Path
) -> None:
    """More at once than the service has connections, and nobody's key is in memory yet."""
    people = [Person() for _ in range(40)]
    for person in people:
        await office.registered(person)
    async with open_office(identity_database, tmp_path, office.clock) as restarted, asyncio.timeout(90):
        answers = await asyncio.gather(*(restarted.sign_in(person.mobile) for person in people))
    assert {answer.status_code for answer in answers} == {201}


# --- tokens


async def test_the_published_keys_are_public_and_verify_what_is_issued(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    token = (await office.signed_in(person))["access_token"]
    published = (await office.get("/.well-known/jwks.json")).json()
    assert [key["kid"] for key in published["keys"]] == ["2026-b", "2026-a"]
    assert all("d" not in key for key in published["keys"])
    verifier = Verifier("exemption", LocalKeySource(KeySet.import_key_set(published)), office.clock)
    caller = await verifier.caller(token)
    assert (caller.id, caller.kind, caller.roles, caller.level) == (registered, "candidate", frozenset(), "password")


async def test_an_access_token_ends_after_five_minutes(office: Office) -> None:
    person = Person()
    await office.registered(person)
    tokens = await office.signed_in(person)
    assert tokens["expires_in"] == 290
    assert (await office.get("/v1/me", tokens["access_token"])).status_code == 200
    office.clock.move(minutes=5)
    answer = await office.get("/v1/me", tokens["access_token"])
    assert (answer.status_code, code_of(answer)) == (401, "access.token_expired")


async def test_forged_tokens_are_refused_with_one_answer(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["access_token"]
    header, payload, signature = token.split(".")
    claims = jwt.decode(token, KEYS, algorithms=["Ed25519"]).claims
    stranger = OKPKey.generate_key("Ed25519", {"kid": "2026-b"}, private=True)
    elsewhere = OKPKey.generate_key("Ed25519", {"kid": "https://evil.example/key"}, private=True)
    public = KEYS.as_dict(private=False)["keys"][0]["x"]
    assert isinstance(public, str)
    bare = base64.urlsafe_b64encode(b'{"alg":"none","kid":"2026-b"}').rstrip(b"=").decode()
    forged = {
        "no signature": f"{header}.{payload}.",
        "alg none": f"{bare}.{payload}.",
        "another signature": f"{header}.{payload}.{'A' * len(signature)}",
        "another payload": f"{header}.{payload[:-4]}AAAA.{signature}",
        "a stranger's key under our id": _signed(stranger, claims),
        "a key id from elsewhere": _signed(elsewhere, claims),
        "another audience": _signed(KEYS.keys[0], {**claims, "aud": ["exemption"]}),
        "another issuer": _signed(KEYS.keys[0], {**claims, "iss": "somebody"}),
        "our public key as a shared secret": jwt.encode(
            {"alg": "HS256", "kid": "2026-b"}, claims, OctKey.import_key(public), algorithms=["HS256"]
        ),
        "nothing": "x",
    }
    for what, one in forged.items():
        answer = await office.get("/v1/me", one)
        assert (answer.status_code, code_of(answer)) == (401, "access.bad_token"), what


def _signed(key: Any, claims: dict[str, Any]) -> str:
    return jwt.encode({"alg": "Ed25519", "kid": key.kid}, claims, key, algorithms=["Ed25519"])


async def test_a_refresh_token_is_swapped_at_each_use_and_its_session_ends_when_it_comes_twice(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    first = (await office.signed_in(person))["refresh_token"]
    second = (await refreshed(office, first)).json()["refresh_token"]
    third = (await refreshed(office, second)).json()["refresh_token"]
    assert len({first, second, third}) == 3
    assert code_of(await refreshed(office, second)) == "identity.session_over"
    assert code_of(await refreshed(office, third)) == "identity.session_over"  # the thief's or ours: both are out
    ended = await _events(office, registered, SessionEnded)
    assert [event.reason for event in ended] == ["refresh_token_reused"]


async def test_of_two_refreshes_with_one_token_at_once_one_wins_and_the_session_ends(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["refresh_token"]
    answers = await asyncio.gather(*(refreshed(office, token) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_a_session_ends_after_twelve_hours_however_often_it_was_refreshed(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["refresh_token"]
    office.clock.move(hours=11)
    token = (await refreshed(office, token)).json()["refresh_token"]
    office.clock.move(hours=1)
    assert code_of(await refreshed(office, token)) == "identity.session_over"


async def test_who_signs_out_is_out_and_may_say_so_twice(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["refresh_token"]
    for _ in range(2):
        assert (await office.post("/v1/sessions/end", {"refresh_token": token})).status_code == 204
    assert code_of(await refreshed(office, token)) == "identity.session_over"
    assert code_of(await refreshed(office, "made up")) == "identity.session_over"


async def test_a_sign_in_that_is_sent_again_opens_nothing(office: Office) -> None:
    """A recorded request, replayed with its Idempotency-Key, must not give tokens a second time."""
    person = Person()
    await office.registered(person)
    assert (await office.sign_in(person.mobile, key="recorded-request")).status_code == 201
    replayed = await office.sign_in(person.mobile, key="recorded-request")
    assert (replayed.status_code, code_of(replayed)) == (409, "identity.sign_in_already_answered")


async def test_refresh_tokens_are_stored_as_digests_only(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["refresh_token"]
    rows = await office.service.pool.fetch("select t::text from refresh_tokens as t")
    assert rows
    assert not any(token in row[0] for row in rows)


async def test_a_service_gets_a_token_for_the_one_service_it_asks_for(office: Office) -> None:
    body = {"service": "exemption", "secret": SERVICE_SECRET, "audience": "notification"}
    token = (await office.post("/v1/tokens/service", body)).json()["access_token"]
    keys = LocalKeySource(KEYS)
    caller = await Verifier("notification", keys, office.clock).caller(token)
    assert (caller.id, caller.kind) == ("exemption", "service")
    with pytest.raises(Refused, match=r"access\.bad_token"):
        await Verifier("payment", keys, office.clock).caller(token)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"secret": "guess"}, "identity.service_secret_wrong"),
        ({"service": "nobody"}, "identity.service_secret_wrong"),
        ({"audience": "elsewhere"}, "identity.no_such_audience"),
    ],
)
async def test_a_service_without_the_right_secret_gets_no_token(
    office: Office, body: dict[str, str], code: str
) -> None:
    right = {"service": "exemption", "secret": SERVICE_SECRET, "audience": "notification"}
    assert code_of(await office.post("/v1/tokens/service", {**right, **body})) == code


# --- passwords


async def reset(office: Office, person: Person, code: str, **other: str) -> Any:
    body = {"mobile": person.mobile, "code": code, "id_number": person.id_number[-6:], "password": NEW_PASSWORD}
    return await office.post("/v1/password-resets/complete", {**body, **other})


async def test_a_forgotten_password_is_replaced_and_every_session_and_lock_ends(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    old = (await office.signed_in(person))["refresh_token"]
    for _ in range(6):
        await office.sign_in(person.mobile, "wrong horse battery")
    office.clock.move(seconds=61)
    asked = await office.post("/v1/password-resets", {"mobile": person.mobile, **await office.captcha()})
    assert asked.status_code == 202
    assert (await reset(office, person, await office.sms_code(registered))).status_code == 204
    assert code_of(await refreshed(office, old)) == "identity.session_over"
    assert (await office.sign_in(person.mobile, NEW_PASSWORD)).status_code == 201
    assert code_of(await office.sign_in(person.mobile, PASSWORD)) == "identity.login_wrong"


async def test_asking_for_a_new_password_does_not_tell_whether_a_mobile_has_an_account(office: Office) -> None:
    person, stranger = Person(), Person()
    await office.registered(person)
    office.clock.move(seconds=61)
    asked = []
    for mobile in (person.mobile, stranger.mobile):
        captcha = await office.captcha()
        began = perf_counter()
        answer = await office.post("/v1/password-resets", {"mobile": mobile, **captcha})
        asked.append((answer.status_code, answer.text))
        assert perf_counter() - began >= 0.25
    assert asked[0] == asked[1]
    wrong = [await reset(office, who, "000000", id_number="000000") for who in (person, stranger)]
    assert [code_of(answer) for answer in wrong] == ["identity.reset_refused"] * 2
    assert wrong[0].text == wrong[1].text


async def test_the_right_code_without_the_id_number_opens_nothing_and_dies_after_five_tries(office: Office) -> None:
    person = Person()
    registered = await office.registered(person)
    office.clock.move(seconds=61)
    await office.post("/v1/password-resets", {"mobile": person.mobile, **await office.captcha()})
    code = await office.sms_code(registered)
    for _ in range(5):
        assert code_of(await reset(office, person, code, id_number="000000")) == "identity.reset_refused"
    assert code_of(await reset(office, person, code)) == "identity.reset_refused"


async def test_a_new_password_must_not_hold_the_birthday_and_takes_the_old_one(office: Office) -> None:
    person = Person()
    await office.registered(person)
    token = (await office.signed_in(person))["access_token"]
    for current, password, code in (
        (PASSWORD, f"born {person.id_number[6:14]}", "identity.password_is_personal"),
        (PASSWORD, "short", "identity.password_too_short"),
        ("wrong horse battery", NEW_PASSWORD, "identity.password_wrong"),
    ):
        answer = await office.post("/v1/me/password", {"current": current, "password": password}, token)
        assert code_of(answer) == code
    body = {"current": PASSWORD, "password": NEW_PASSWORD}
    assert (await office.post("/v1/me/password", body, token)).status_code == 204
    assert (await office.sign_in(person.mobile, NEW_PASSWORD)).status_code == 201


async def test_a_mobile_is_replaced_with_a_code_sent_to_the_new_one_and_the_old_one_is_free(office: Office) -> None:
    person, new, taken = Person(), Person(), Person()
    registered = await office.registered(person)
    await office.registered(taken)
    office.clock.move(seconds=61)
    token = (await office.signed_in(person))["access_token"]
    for mobile, status in ((taken.mobile, 409), (new.mobile, 204)):
        asked = await office.post("/v1/me/mobile-codes", {"mobile": mobile, **await office.captcha()}, token)
        assert asked.status_code == 202
        answer = await office.post("/v1/me/mobile", {"code": await office.sms_code(registered)}, token)
        assert answer.status_code == status
    assert (await office.sign_in(new.mobile)).status_code == 201
    assert code_of(await office.sign_in(person.mobile)) == "identity.login_wrong"
    office.clock.move(seconds=61)
    await office.registered(Person(mobile=person.mobile))
