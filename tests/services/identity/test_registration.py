"""From the picture to the account over HTTP, on a real database (SD-08 to SD-14). Every person here is invented."""

import asyncio
import base64
from pathlib import Path

import pytest

from shared.testing.services import Web
from tests.services.identity.people import EASY_PICTURES, PASSWORD, Office, Person, open_office

pytestmark = pytest.mark.servers


async def events(office: Office) -> int:
    return int(await office.service.pool.fetchval("select count(*) from events"))


def code_of(answer: object) -> str:
    return str(answer.json()["code"])  # type: ignore[attr-defined]


async def test_a_person_registers_in_four_steps_and_then_signs_in_by_themselves(office: Office) -> None:
    person = Person()
    began = await office.begin(person)
    assert (began["step"], began["mobile"]) == ("mobile", f"139****{person.mobile[-4:]}")
    proved = await office.step(began, "mobile", {"code": await office.sms_code(began["registration"])})
    assert proved.json()["step"] == "password"
    chosen = await office.step(began, "password", {"password": PASSWORD})
    assert chosen.json()["step"] == "identity"
    done = await office.step(began, "identity", {"name": person.name, "id_number": person.id_number.lower()})
    assert done.status_code == 201
    assert "token" not in done.text  # SD-14: one is led to the login, not logged in
    shown = await office.get(f"/v1/registrations/{began['registration']}", **{"Registration-Token": began["token"]})
    assert shown.json()["step"] == "done"
    tokens = await office.signed_in(person)
    me = (await office.get("/v1/me", tokens["access_token"])).json()
    assert (me["name"], me["id_number"], me["mobile"]) == ("𠮷田样本", person.id_number, person.mobile)


async def test_the_picture_is_a_png_that_does_not_tell_its_answer(office: Office) -> None:
    drawn = (await office.post("/v1/captchas")).json()
    assert set(drawn) == {"captcha", "picture", "expires_at"}
    head, _, data = drawn["picture"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(data).startswith(b"\x89PNG")


async def test_no_message_is_sent_before_the_picture_is_read_rightly(office: Office) -> None:
    right = await office.captcha()
    before = await events(office)
    wrong = {"mobile": Person().mobile, **right, "answer": "----"}
    assert code_of(await office.post("/v1/registrations", wrong)) == "identity.captcha_wrong"
    again = await office.post("/v1/registrations", {**wrong, "answer": right["answer"]})
    assert code_of(again) == "identity.captcha_wrong"  # one picture, one try
    assert await events(office) == before


async def test_a_picture_is_too_old_after_five_minutes(office: Office) -> None:
    read = await office.captcha()
    office.clock.move(minutes=5)
    answer = await office.post("/v1/registrations", {"mobile": Person().mobile, **read})
    assert code_of(answer) == "identity.captcha_wrong"


@pytest.mark.parametrize(
    ("field", "value", "code"),
    [
        ("mobile", "12345", "identity.mobile_malformed"),
        ("mobile", "<script>alert(1)</script>", "identity.mobile_malformed"),
        ("mobile", "'; drop table people; --", "identity.mobile_malformed"),
        ("mobile", "x" * 201, "request.invalid"),
        ("captcha", "", "identity.captcha_wrong"),
        ("answer", " ", "identity.captcha_missing"),
    ],
)
async def test_a_wrong_first_step_is_answered_with_what_is_wrong(
    office: Office, field: str, value: str, code: str
) -> None:
    body = {"mobile": Person().mobile, **await office.captcha(), field: value}
    answer = await office.post("/v1/registrations", body)
    assert (answer.status_code, code_of(answer)) == (422, code)
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_message_about_a_wrong_mobile_is_the_one_the_source_asks_for(office: Office) -> None:
    answer = await office.post("/v1/registrations", {"mobile": "1390000", **await office.captcha()})
    assert "请填写正确手机号码" in answer.json()["detail"]


async def test_what_is_left_empty_is_asked_for_in_the_words_of_the_source(office: Office) -> None:
    """SD-11, SD-12; and a picture is not used up by an empty answer."""
    read = await office.captcha()
    person = Person()
    answer = await office.post("/v1/registrations", {"mobile": person.mobile, **read, "answer": ""})
    assert answer.json()["detail"] == "请填写图片验证码。"
    began = (await office.post("/v1/registrations", {"mobile": person.mobile, **read})).json()
    assert (await office.step(began, "mobile", {"code": " "})).json()["detail"] == "请填写验证码。"


@pytest.mark.parametrize(("limit", "path"), [("captcha_per_address", "captchas"), ("sms_per_address", "registrations")])
async def test_one_address_gets_so_many_pictures_and_codes_and_no_more(
    office: Office, identity_database: str, tmp_path: Path, limit: str, path: str
) -> None:
    limits = EASY_PICTURES.limits
    few = limits.model_copy(update={limit: getattr(limits, limit).model_copy(update={"most": 2})})
    scheme = EASY_PICTURES.model_copy(update={"limits": few})
    async with open_office(identity_database, tmp_path, office.clock, scheme=scheme) as strict:
        strict.address = f"10.203.{len(limit)}.1"
        statuses = []
        for _ in range(3):
            strict_captcha = await office.captcha() if path == "registrations" else {}
            body = {"mobile": Person().mobile, **strict_captcha} if strict_captcha else {}
            statuses.append((await strict.post(f"/v1/{path}", body)).status_code)
        assert statuses == [201, 201, 429]


async def test_codes_to_one_mobile_cool_down_for_a_minute_also_after_a_restart(
    office: Office, identity_database: str, tmp_path: Path
) -> None:
    began = await office.begin(Person())
    office.clock.move(seconds=20)
    async with open_office(identity_database, tmp_path, office.clock) as restarted:
        answer = await restarted.step(began, "sms-codes", await restarted.captcha())
        assert (answer.status_code, code_of(answer)) == (429, "request.too_many")
        assert answer.json()["facts"]["retry_after"] == 40
        assert answer.headers["retry-after"] == "40"
        office.clock.move(seconds=40)
        assert (await restarted.step(began, "sms-codes", await restarted.captcha())).status_code == 200


async def test_one_mobile_gets_ten_codes_a_day_and_no_more(office: Office) -> None:
    began = await office.begin(Person())
    for _ in range(9):
        office.clock.move(seconds=61)
        assert (await office.step(began, "sms-codes", await office.captcha())).status_code == 200
    office.clock.move(seconds=61)
    answer = await office.step(began, "sms-codes", await office.captcha())
    assert code_of(answer) == "request.too_many"
    assert answer.json()["facts"]["retry_after"] > 80_000


async def test_wrong_codes_are_counted_over_a_restart(office: Office, identity_database: str, tmp_path: Path) -> None:
    began = await office.begin(Person())
    left = []
    for _ in range(2):
        answer = await office.step(began, "mobile", {"code": "------"})
        left.append(answer.json()["facts"]["attempts_left"])
    async with open_office(identity_database, tmp_path, office.clock) as restarted:
        for _ in range(3):
            answer = await restarted.step(began, "mobile", {"code": "------"})
            assert code_of(answer) == "identity.sms_code_wrong"
            left.append(answer.json()["facts"]["attempts_left"])
        right = await restarted.sms_code(began["registration"])
        assert code_of(await restarted.step(began, "mobile", {"code": right})) == "identity.sms_code_expired"
    assert left == [4, 3, 2, 1, 0]


async def test_a_request_sent_again_does_what_it_did_once_and_sends_no_second_code(office: Office) -> None:
    body = {"mobile": Person().mobile, **await office.captcha()}
    before = await events(office)
    first = await office.post("/v1/registrations", body, key="sent-again")
    second = await office.post("/v1/registrations", body, key="sent-again")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert await events(office) == before + 2


async def test_a_key_used_again_with_another_answer_is_no_second_try_at_the_picture(office: Office) -> None:
    read = await office.captcha()
    body = {"mobile": Person().mobile, **read}
    wrong = await office.post("/v1/registrations", {**body, "answer": "----"}, key="the-same-key")
    again = await office.post("/v1/registrations", body, key="the-same-key")
    assert code_of(wrong) == code_of(again) == "identity.captcha_wrong"


async def test_a_registration_is_resumed_with_its_token_only(office: Office) -> None:
    began = await office.proved(Person())
    path = f"/v1/registrations/{began['registration']}"
    assert (await office.get(path, **{"Registration-Token": began["token"]})).json()["step"] == "password"
    for token in ("", "0" * 64, began["token"][:-1]):
        answer = await office.get(path, **{"Registration-Token": token})
        assert (answer.status_code, code_of(answer)) == (404, "identity.no_registration")


async def test_steps_cannot_be_skipped(office: Office) -> None:
    person = Person()
    began = await office.begin(person)
    assert code_of(await office.step(began, "password", {"password": PASSWORD})) == "identity.step_missing"
    identity = {"name": person.name, "id_number": person.id_number}
    assert code_of(await office.step(began, "identity", identity)) == "identity.step_missing"


async def test_a_mobile_with_an_account_is_told_only_to_who_proved_to_hold_it(office: Office) -> None:
    person = Person()
    await office.registered(person)
    office.clock.move(seconds=61)
    began = await office.begin(person)  # answered like any other
    assert began["step"] == "mobile"
    answer = await office.step(began, "mobile", {"code": await office.sms_code(began["registration"])})
    assert (answer.status_code, code_of(answer)) == (409, "identity.mobile_has_account")


@pytest.mark.parametrize(
    ("field", "code"),
    [("id_number", "identity.id_number_has_account"), ("ticket_number", "identity.ticket_number_has_account")],
)
async def test_an_id_number_or_ticket_number_has_one_account(office: Office, field: str, code: str) -> None:
    first, second = Person(), Person()
    await office.registered(first)
    began = await office.proved(second)
    await office.step(began, "password", {"password": PASSWORD})
    identity = {"name": second.name, "id_number": second.id_number, "ticket_number": second.ticket_number}
    answer = await office.step(began, "identity", {**identity, field: getattr(first, field)})
    assert (answer.status_code, code_of(answer)) == (409, code)
    assert (await office.step(began, "identity", identity)).status_code == 201


async def test_asking_through_a_list_of_id_numbers_ends_after_ten(office: Office) -> None:
    began = await office.proved(Person())
    await office.step(began, "password", {"password": PASSWORD})
    other = Person()
    await office.registered(other)
    answers = [
        code_of(await office.step(began, "identity", {"name": "样本", "id_number": other.id_number})) for _ in range(11)
    ]
    assert answers == ["identity.id_number_has_account"] * 10 + ["request.too_many"]


async def test_two_registrations_of_one_id_number_at_once_make_one_account(office: Office) -> None:
    person = Person()
    both = [await office.proved(Person()), await office.proved(Person())]
    for began in both:
        await office.step(began, "password", {"password": PASSWORD})
    identity = {"name": person.name, "id_number": person.id_number}
    answers = await asyncio.gather(*(office.step(began, "identity", identity) for began in both))
    assert sorted(answer.status_code for answer in answers) == [201, 409]


ID_NUMBERS = [
    ("360426199101010072", "identity.id_number_wrong_check_digit"),
    ("110101203311012176", "identity.id_number_impossible_date"),
    ("110101199002302176", "identity.id_number_impossible_date"),
    ("110101900101217", "identity.id_number_15_digits"),
    ("11010119900101217", "identity.id_number_malformed"),
    ("910101199001012176", "identity.id_number_malformed"),
    ("11010119900101217\x0b", "identity.id_number_malformed"),
    ("=HYPERLINK(1)", "identity.id_number_malformed"),
]


async def test_wrong_id_numbers_are_refused_and_rightly_made_ones_taken(office: Office) -> None:
    began = await office.proved(Person())
    await office.step(began, "password", {"password": PASSWORD})
    for typed, code in ID_NUMBERS:
        answer = await office.step(began, "identity", {"name": "样本", "id_number": typed})
        assert code_of(answer) == code, typed
    answer = await office.step(began, "identity", {"name": "样本", "id_number": "14010519990307123x"})
    assert answer.status_code == 201


@pytest.mark.parametrize(
    "id_number", ["810000199001010019", "820000198506150022", "830000199202290030", "360426199101010071"]
)
async def test_residence_permits_of_hong_kong_macao_and_taiwan_are_id_numbers(office: Office, id_number: str) -> None:
    began = await office.proved(Person())
    await office.step(began, "password", {"password": PASSWORD})
    answer = await office.step(began, "identity", {"name": "陈样本", "id_number": id_number})
    assert answer.status_code == 201


@pytest.mark.parametrize("name", ["<b>样本</b>", "'; drop table people; --", "=1+1", "样本\u202e", "样" * 61, ""])
async def test_a_name_is_made_of_letters(office: Office, name: str) -> None:
    began = await office.proved(Person())
    await office.step(began, "password", {"password": PASSWORD})
    answer = await office.step(began, "identity", {"name": name, "id_number": "14010519990307123X"})
    assert answer.status_code == 422


async def test_a_nul_is_refused_at_the_edge(office: Office) -> None:
    answer = await office.post("/v1/registrations", {"mobile": "1390000\u00000000", **await office.captcha()})
    assert (answer.status_code, code_of(answer)) == (422, "request.text_has_control_characters")


async def test_nothing_typed_is_stored_in_the_clear(office: Office) -> None:
    """Law 6: neither events nor read models nor counters hold a mobile, an ID number, a name or a code."""
    person = Person()
    registered = await office.registered(person)
    code = await office.sms_code(registered)
    tables = await office.service.pool.fetch(
        "select table_name from information_schema.tables where table_schema = 'identity'"
    )
    for (table,) in tables:
        rows = await office.service.pool.fetch(f"select t::text from {table} as t")
        text = "\n".join(row[0] for row in rows)
        for secret in (person.mobile, person.id_number, person.ticket_number, person.name, PASSWORD, "$argon2"):
            assert secret not in text, table
        assert f'"{code}"' not in text, table


async def test_an_unfinished_registration_is_erased_after_a_day_with_its_key(office: Office) -> None:
    person = Person()
    began = await office.proved(person)
    office.clock.move(days=1)
    await fired(office.web, f"account-{began['registration']}")
    answer = await office.get(f"/v1/registrations/{began['registration']}", **{"Registration-Token": began["token"]})
    assert code_of(answer) == "identity.no_registration"
    ciphers = await office.service.keyring.ciphers([began["registration"]])
    assert ciphers == {began["registration"]: None}
    await office.registered(person)  # the mobile is free


async def fired(web: Web, stream: str) -> None:
    """What is due of this stream, and what that makes due; the node's own loop does it."""
    for _ in range(200):
        if not await web.service.pool.fetchval("select count(*) from timers where stream = $1", stream):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("timers are left")
