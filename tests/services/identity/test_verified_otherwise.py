"""身份认证 beside its usual way: in person, the password last, limits, erasure, rebuilding. Persons are invented."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from services.identity.domain.scheme import Books, IdentityScheme
from services.identity.main import BOOKS, SERVICE, identity, resources
from services.identity.verification_views import kept_blobs
from shared.runtime.access import LocalKeySource, Verifier
from shared.runtime.replay import compare
from shared.testing.documents import DOCUMENTS
from shared.testing.services import running
from tests.services.identity.people import (
    EASY_PICTURES,
    KEYS,
    NEW_PASSWORD,
    PASSWORD,
    SETTINGS,
    Office,
    Official,
    Person,
)
from tests.services.identity.photographed import ALL_SAME, BOOK, RULES
from tests.services.identity.test_registration import code_of, fired
from tests.services.identity.test_verifying_persons import FILES, ME, Candidate, Counter, county_office, on_a_route

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
async def counter(chief: Official) -> Counter:
    return await county_office(chief)


@asynccontextmanager
async def another(
    database: str, folder: Path, office: Office, scheme: IdentityScheme = EASY_PICTURES, books: Books = BOOKS
) -> AsyncIterator[Office]:
    """Identity on the same database, with another book."""
    made = running(
        identity(scheme, books),
        database,
        folder,
        clock=office.clock,
        resources=resources(scheme, SETTINGS, books, documents=DOCUMENTS),
        key_source=LocalKeySource(SETTINGS.signing_keys),
    )
    async with made as web:
        yield replace(office, web=web)


# --- in person


async def test_whom_photographs_cannot_verify_is_verified_by_the_clerk_who_saw_them(
    office: Office, counter: Counter
) -> None:
    person = Person()
    registered = await office.registered(person)
    clerk = await counter.clerk.token()
    found = await office.post("/v1/people/find", {"id_number": person.id_number}, clerk)
    assert found.json()["person"] == registered
    seen = {
        "jurisdiction": "sx",
        "organisation": counter.county,
        "documents": ["id_card", "ticket"],
        "evidence": "姓名登记有误，已查验身份证和准考证原件",
    }
    answer = await office.post(f"/v1/people/{registered}/verification", seen, clerk)
    assert answer.status_code == 200, answer.text
    async with office.service.reading() as connection:
        (fact,) = await office.service.history(connection, f"verification-{registered}")
    assert (fact.event.level, fact.event.documents) == ("in_person", ("id_card", "ticket"))
    assert fact.event.evidence == seen["evidence"]
    assert fact.event.verified_by == counter.clerk.id == fact.meta.actor
    stored = await office.service.pool.fetchval(
        "select body::text from events where stream = $1", f"verification-{registered}"
    )
    assert "原件" not in stored  # the clerk's words are sealed under the person's key
    again = await office.post(f"/v1/people/{registered}/verification", seen, clerk)
    assert code_of(again) == "identity.already_verified"
    for documents in (list[str](), ["library_card"]):
        other = await office.registered(Person())
        refused = await office.post(f"/v1/people/{other}/verification", {**seen, "documents": documents}, clerk)
        assert code_of(refused) == "identity.no_such_document"


# --- the password after verification (SX-E-42)


def password_last() -> Books:
    """The book with the other order that the source tells."""
    routes = tuple(route.model_copy(update={"password_step": "after_verification"}) for route in RULES.routes)
    part = BOOKS.parts[BOOK].model_copy(update={"verification": RULES.model_copy(update={"routes": routes})})
    return Books({**BOOKS.parts, BOOK: part})


async def test_where_the_password_comes_last_it_can_be_set_only_once_the_person_is_verified(
    office: Office, counter: Counter, identity_database: str, tmp_path: Path
) -> None:
    clerk = await counter.clerk.token()
    async with another(identity_database, tmp_path, office, books=password_last()) as last:
        person = Person()
        began = await last.proved(person)
        body = {"name": person.name, "id_number": person.id_number, "ticket_number": person.ticket_number}
        chosen = {"jurisdiction": "sx", "route": "enrolled_candidate", "organisation": counter.county}
        assert code_of(await last.step(began, "access", {})) == "identity.no_registration"
        assert (await last.step(began, "identity", {**body, **chosen})).status_code == 201
        path = f"/v1/registrations/{began['registration']}"
        headers = {"Registration-Token": began["token"]}
        assert (await last.get(path, **headers)).json()["step"] == "verification"
        too_soon = await last.step(began, "password", {"password": PASSWORD})
        assert code_of(too_soon) == "identity.not_verified_yet"
        assert (await last.sign_in(person.mobile)).status_code == 401
        token = (await last.step(began, "access", {})).json()["access_token"]
        with pytest.raises(Exception, match="bad_token"):
            await Verifier("exemption", LocalKeySource(KEYS), office.clock).caller(token)
        await Candidate(last, person, began["registration"], token).hand_in(("id_front", "holding_id"))
        decision = {"attempt": 1, "pairs": {"holding_id+id_front": True}}
        passed = await last.post(f"/v1/verifications/{began['registration']}/pass", decision, clerk)
        assert passed.status_code == 200, passed.text
        assert (await last.get(path, **headers)).json()["step"] == "password"
        assert (await last.step(began, "password", {"password": PASSWORD})).json()["step"] == "done"
        assert code_of(await last.step(began, "access", {})) == "identity.already_registered"
        again = await last.step(began, "password", {"password": NEW_PASSWORD})
        assert code_of(again) == "identity.already_registered"
        assert (await last.sign_in(person.id_number)).status_code == 201


async def test_a_forgotten_password_is_no_way_around_verification(
    office: Office, counter: Counter, identity_database: str, tmp_path: Path
) -> None:
    async with another(identity_database, tmp_path, office, books=password_last()) as last:
        person = Person()
        began = await last.proved(person)
        chosen = {"jurisdiction": "sx", "route": "new_candidate", "organisation": counter.county}
        body = {"name": person.name, "id_number": person.id_number, **chosen}
        assert (await last.step(began, "identity", body)).status_code == 201
        last.clock.move(seconds=61)
        asked = await last.post("/v1/password-resets", {"mobile": person.mobile, **await last.captcha()})
        assert asked.status_code == 202
        reset = {"mobile": person.mobile, "code": await last.sms_code(began["registration"])}
        complete = {**reset, "id_number": person.id_number, "password": NEW_PASSWORD}
        refused = await last.post("/v1/password-resets/complete", complete)
        assert code_of(refused) == "identity.reset_refused"


async def test_whoever_chooses_no_route_still_needs_a_password_first(
    office: Office, identity_database: str, tmp_path: Path
) -> None:
    async with another(identity_database, tmp_path, office, books=password_last()) as last:
        person = Person()
        began = await last.proved(person)
        body = {"name": person.name, "id_number": person.id_number}
        assert code_of(await last.step(began, "identity", body)) == "identity.step_missing"


# --- limits, erasure, rebuilding


async def test_so_many_photographs_in_a_day_are_looked_at_and_no_more(
    office: Office, counter: Counter, identity_database: str, tmp_path: Path
) -> None:
    few = EASY_PICTURES.limits.photos_per_person.model_copy(update={"most": 3})
    limits = EASY_PICTURES.limits.model_copy(update={"photos_per_person": few})
    scheme = EASY_PICTURES.model_copy(update={"limits": limits})
    who = await on_a_route(office, counter)
    async with another(identity_database, tmp_path, office, scheme) as strict:
        flooding = replace(who, office=strict)
        answers = [await flooding.upload("portrait", b"no picture") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [422, 422, 422, 429]
    assert code_of(answers[-1]) == "request.too_many"
    other = await on_a_route(office, counter)
    assert (await other.upload("portrait", FILES["portrait"])).status_code == 201


async def test_an_erased_person_waits_for_nobody_and_their_photographs_are_swept(
    office: Office, counter: Counter, chief: Official
) -> None:
    who, kept = await on_a_route(office, counter), await on_a_route(office, counter)
    for each in (who, kept):
        await each.sign_in_again()
        await each.hand_in()
    found = "select person, picture, original from verification_photographs where person = any($1::text[])"
    rows = await office.service.pool.fetch(found, [who.id, kept.id])
    assert len(rows) == 6
    erased = await office.post(f"/v1/people/{who.id}/erasure", {"ground": "asked_by_person"}, await chief.token())
    assert erased.status_code == 200, erased.text
    await fired(office.web, f"account-{who.id}")
    clerk = await counter.clerk.token()
    listed = (await office.get("/v1/verifications", clerk)).json()["verifications"]
    assert who.id not in {each["person"] for each in listed}
    blobs: dict[str, list[str]] = {who.id: [], kept.id: []}
    for row in rows:
        blobs[row["person"]] += [row["picture"], row["original"]]
    async with office.service.reading() as connection:
        assert await kept_blobs(connection, blobs[who.id]) == set()
        assert await kept_blobs(connection, blobs[kept.id]) == set(blobs[kept.id])
    decided = await office.post(f"/v1/verifications/{who.id}/pass", {"attempt": 1, "pairs": ALL_SAME}, clerk)
    assert code_of(decided) == "identity.no_account"


async def test_the_read_models_of_verification_are_rebuilt_without_a_difference(
    office: Office, counter: Counter
) -> None:
    waiting, collecting = await on_a_route(office, counter), await on_a_route(office, counter)
    for each in (waiting, collecting):
        await each.sign_in_again()
    await waiting.hand_in()
    await collecting.upload("portrait", FILES["portrait"])
    assert (await office.get(ME, waiting.token)).json()["attempt"] == 1
    async with office.service.pool.acquire() as connection:
        comparison = await compare(connection, SERVICE, office.service.keyring)
    found = {table.name: table for table in comparison.tables}
    assert {name: table.samples for name, table in found.items() if table.differing} == {}
    assert found["verifications"].rebuilt
    assert found["verification_photographs"].rebuilt
