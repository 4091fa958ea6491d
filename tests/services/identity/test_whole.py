"""The read models of identity follow from its events, also those of the erased. Every person here is invented."""

import re

import pytest

from services.identity.main import SERVICE
from shared.runtime.migrate import STORE_SQL
from shared.runtime.replay import compare
from tests.services.identity import schooling
from tests.services.identity.people import Office, Official, Person
from tests.services.identity.test_offices import new_name, university
from tests.services.identity.test_registration import fired
from tests.services.identity.test_verifying_persons import FILES, county_office, on_a_route

pytestmark = pytest.mark.servers


async def test_read_models_claims_and_timers_are_rebuilt_without_a_difference(office: Office, chief: Official) -> None:
    _, point = await university(chief)
    clerk = await chief.add_staff(new_name("clerk"), point)
    await chief.grant(clerk, "teaching_point_admin", point)
    await office.begin(Person())  # left unfinished: its timer waits
    moved = await office.registered(Person())
    seen = {"mobile": Person().mobile, "evidence": "身份证原件"}
    assert (await office.post(f"/v1/people/{moved}/mobile", seen, await clerk.token())).status_code == 200
    for _ in range(2):  # two erased people: their values read alike, and claim nothing
        gone = await office.registered(Person())
        body = {"ground": "asked_by_person"}
        await office.post(f"/v1/people/{gone}/erasure", body, await chief.token())
        await fired(office.web, f"account-{gone}")
    await schooling.checking(office.service, await office.registered(Person()))
    await schooling.in_effect(office.service, await office.registered(Person()), schooling.number())
    pictured = await on_a_route(office, await county_office(chief))
    assert (await pictured.upload("portrait", FILES["portrait"])).status_code == 201
    async with office.service.pool.acquire() as connection:
        found = await compare(connection, SERVICE, office.service.keyring)
    assert {table.name: table.samples for table in found.tables if table.differing} == {}
    assert {table.name for table in found.tables if not table.rebuilt} == set()
    operational = {"captchas", "attempts", "refresh_tokens"}
    assert {table.name for table in found.tables} == await _own_tables(office) - operational


async def _own_tables(office: Office) -> set[str]:
    """What identity's schema has besides the event store, with the two tables projections fill through it."""
    of_store = re.findall(r"^create table (\w+)", STORE_SQL.read_text(), re.MULTILINE)
    rows = await office.service.pool.fetch(
        "select table_name from information_schema.tables where table_schema = 'identity'"
    )
    return {row[0] for row in rows} - set(of_store) | {"claims", "timers"}
