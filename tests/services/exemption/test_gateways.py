"""The names officials sign with: asked of identity, and never a reason not to go on."""

from collections.abc import Callable

import httpx
import pytest

from services.exemption.gateways import names_of_staff
from shared.kernel.time import utc_now
from shared.runtime.peers import Peers
from tests.shared.runtime.web import settings

Answer = Callable[[httpx.Request], httpx.Response]


def identity(answer: Answer) -> Peers:
    """Peers of exemption, whose identity gives tokens and else answers as the test says."""

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/v1/tokens/service":
            return httpx.Response(200, json={"access_token": "t", "expires_in": 300})
        return answer(request)

    client = httpx.AsyncClient(transport=httpx.MockTransport(respond))
    return Peers("exemption", settings(), utc_now, client)


async def test_everybody_is_asked_once_and_named() -> None:
    asked: list[str] = []

    def named(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return httpx.Response(200, json={"person": "x", "name": "样例" + request.url.path[-2:]})

    names = await names_of_staff(identity(named), ["p-1", "p-2", "p-1"])
    assert names == {"p-1": "样例-1", "p-2": "样例-2"}
    assert sorted(asked) == ["/v1/directory/staff/p-1", "/v1/directory/staff/p-2"]


def away(_: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError("refused")


def slow(_: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("slow")


@pytest.mark.parametrize("answer", [away, slow, lambda _: httpx.Response(503), lambda _: httpx.Response(404)])
async def test_whom_identity_does_not_name_stays_unnamed(answer: Answer) -> None:
    assert await names_of_staff(identity(answer), ["p-1"]) == {}
