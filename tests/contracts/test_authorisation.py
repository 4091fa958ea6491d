"""Who may do what, where: every route of every service, asked by every role at every organisation, and by strangers.

The routes are read off the running services, so a new one without a row fails. Who may, succeeds; who may not is
refused by name of the reason, is told nothing else, and changes nothing.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from services.identity.main import identity, resources
from services.notification.main import notification
from shared.schemes.catalog import Catalog
from shared.testing.documents import DOCUMENTS
from shared.testing.services import running
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.contracts.authorisation_rows import exemption_rows, identity_rows, notification_rows
from tests.contracts.authorising import CALLERS, KEPT_OUT, Desk, Row, code_of
from tests.services.exemption import office as exemptions
from tests.services.identity import people

pytestmark = pytest.mark.servers

OPEN = {
    "identity": {
        "GET /.well-known/jwks.json",
        "GET /v1/organisations",
        "GET /v1/registrations/{registration}",
        "GET /v1/verification-routes",
        "POST /v1/captchas",
        "POST /v1/chsi/answers",
        "POST /v1/first-administrator",
        "POST /v1/password-resets",
        "POST /v1/password-resets/complete",
        "POST /v1/registrations",
        "POST /v1/registrations/{registration}/access",
        "POST /v1/registrations/{registration}/identity",
        "POST /v1/registrations/{registration}/mobile",
        "POST /v1/registrations/{registration}/password",
        "POST /v1/registrations/{registration}/sms-codes",
        "POST /v1/sessions",
        "POST /v1/sessions/end",
        "POST /v1/sessions/refresh",
        "POST /v1/sessions/staff",
        "POST /v1/staff/activations",
        "POST /v1/staff/activations/confirm",
        "POST /v1/tokens/service",
    },
    "exemption": {
        "GET /v1/courses",
        "GET /v1/cycles",
        "GET /v1/cycles/{cycle}",
        "GET /v1/cycles/{cycle}/organisations",
        "GET /v1/home",
        "GET /v1/majors",
        "GET /v1/schemes",
        "GET /v1/schemes/{ref:path}",
    },
    "notification": set[str](),
}
"""Before any login; what they ask for instead of a token is tested in each service's own room."""
OF_THE_HOUSE = {"GET /healthz", "GET /readyz", "GET /metrics", "GET /openapi.json"}


# --- the table


Table = Mapping[str, tuple[Desk, Mapping[str, Row]]]


@pytest.fixture(scope="module")
async def table(databases: Databases, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Table]:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(databases.fresh())
        await prepared(url)
        folder = tmp_path_factory.mktemp("blobs")
        exempting = await stack.enter_async_context(exemptions.open_office(url, folder, timers=False))
        owner, other = [await exempting.somebody() for _ in range(2)]
        desk = Desk(exempting.web, owner.id, other.id)
        yield {
            "identity": await _identity(url, folder, stack),
            "exemption": (desk, exemption_rows(exempting, owner, await exempting.open_cycle(days=200))),
            "notification": await _notification(url, folder, stack, owner.id, other.id),
        }


async def _identity(url: str, folder: Path, stack: AsyncExitStack) -> tuple[Desk, Mapping[str, Row]]:
    clock, limits = people.Clock(), people.EASY_PICTURES.limits
    many = {name: getattr(limits, name).model_copy(update={"most": 10_000}) for name in ("sms_per_mobile",)}
    scheme = people.EASY_PICTURES.model_copy(update={"limits": limits.model_copy(update=many)})
    made = running(
        identity(scheme), url, folder, clock=clock, resources=resources(scheme, people.SETTINGS, documents=DOCUMENTS)
    )
    office = people.Office(await stack.enter_async_context(made), clock)
    owner, other = people.Person(), people.Person()
    desk = Desk(office.web, await office.registered(owner), await office.registered(other))
    other_uni = ("other-uni", "另一大学", "university", "authority", ())
    for organisation, title, level, parent, _phones in (*exemptions.ORGANISATIONS, other_uni):
        body = {"organisation": organisation, "title": title, "level": level, "parent": parent}
        headers = office.web.as_staff("chief", ("administrator", "*"))
        assert (await office.web.client.post("/v1/organisations", headers=headers, json=body)).status_code == 201
    return desk, identity_rows(office, owner, desk)


async def _notification(
    url: str, folder: Path, stack: AsyncExitStack, owner: str, other: str
) -> tuple[Desk, Mapping[str, Row]]:
    definition = replace(notification(Catalog.load(), dict), timers={}, reactions=())
    desk = Desk(await stack.enter_async_context(running(definition, url, folder)), owner, other)
    return desk, notification_rows(desk)


NAMES = ("identity", "exemption", "notification")


@pytest.mark.parametrize("service", NAMES)
async def test_every_route_has_a_row_or_is_open_on_purpose(table: Table, service: str) -> None:
    desk, rows = table[service]
    guarded = {" ".join(route.split(" ")[:2]) for route in rows}
    assert set(desk.routes()) - OF_THE_HOUSE == guarded | OPEN[service]
    assert not guarded & OPEN[service]


@pytest.mark.parametrize("service", NAMES)
async def test_a_route_asks_for_a_token_unless_it_is_open_on_purpose(table: Table, service: str) -> None:
    desk, _ = table[service]
    paths = desk.web.app.openapi()["paths"]
    secured = {
        f"{method.upper()} {path}": bool(operation.get("security"))
        for path, operations in paths.items()
        for method, operation in operations.items()
    }
    without = {route.replace(":path", "") for route in OPEN[service]}
    assert {route for route, asks in secured.items() if not asks} == without


@pytest.mark.parametrize("service", NAMES)
async def test_who_may_not_is_kept_out_and_changes_nothing(table: Table, service: str) -> None:
    """Every role at every organisation, other candidates, services, forged and expired tokens."""
    desk, rows = table[service]
    let_in = []
    for route, row in rows.items():
        asking = await row.make()
        before = await desk.events()
        for caller in sorted(CALLERS - row.may):
            answer = await desk.ask(" ".join(route.split(" ")[:2]), caller, asking)
            said = code_of(answer)
            if said not in (row.kept_out, *KEPT_OUT) or (said in KEPT_OUT and answer.json()["facts"]):
                let_in.append((route, caller, answer.status_code, code_of(answer)))
        if await desk.events() != before:
            let_in.append((route, "somebody", 0, "left events"))
    assert let_in == []


@pytest.mark.parametrize("service", NAMES)
async def test_who_may_succeeds(table: Table, service: str) -> None:
    """Each on a case of its own, so that none profits from what another did."""
    desk, rows = table[service]
    kept_out = []
    for route, row in rows.items():
        for caller in sorted(row.may):
            answer = await desk.ask(" ".join(route.split(" ")[:2]), caller, await row.make())
            if code_of(answer) != row.told:
                kept_out.append((route, caller, answer.status_code, code_of(answer)))
    assert kept_out == []
