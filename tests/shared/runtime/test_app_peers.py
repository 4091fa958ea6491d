"""Calls between services: tokens, ids and traces go along; a peer that is away is an answer with a code."""

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

import httpx
import pytest
from pydantic import ValidationError

from shared.kernel.errors import Refused
from shared.runtime import telemetry
from shared.runtime.peers import PeerFeed, Peers
from shared.runtime.settings import Settings
from tests.shared.runtime.web import NOW, FakeNode, serving, settings, signed_in

Answer = Callable[[httpx.Request], httpx.Response]


class Outside:
    """Identity, which gives tokens, and one peer whose answers a test chooses."""

    def __init__(self, answer: Answer = lambda _: httpx.Response(200, json="done")) -> None:
        self.answer = answer
        self.given = 0
        self.seen: list[httpx.Request] = []
        self.identity_up = True
        self.now = NOW
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._respond))
        self.peers = Peers("exemption", settings(), self._clock, client)

    def _clock(self) -> datetime:
        return self.now

    def _respond(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != "identity":
            self.seen.append(request)
            return self.answer(request)
        if not self.identity_up:
            raise httpx.ConnectError("refused")
        asked = json.loads(request.content)
        assert (asked["service"], asked["secret"]) == ("exemption", "a secret of the toy")
        if asked["audience"] == "forbidden":
            return httpx.Response(403)
        self.given += 1
        return httpx.Response(200, json={"access_token": f"{asked['audience']}-{self.given}", "expires_in": 300})


async def test_a_call_carries_a_token_for_its_audience_and_the_correlation_id() -> None:
    outside = Outside()
    correlation = UUID(int=7)
    token = telemetry.correlation.set(correlation)
    answer = await outside.peers.get("toy", "/v1/things", params={"a": "b"}, headers={"X-More": "1"})
    telemetry.correlation.reset(token)
    assert answer.json() == "done"
    (seen,) = outside.seen
    assert str(seen.url) == "http://toy/v1/things?a=b"
    assert seen.headers["authorization"] == "Bearer toy-1"
    assert seen.headers["x-request-id"] == str(correlation)
    assert seen.headers["x-more"] == "1"


async def test_a_token_is_kept_until_thirty_seconds_before_its_end() -> None:
    outside = Outside()
    for seconds, given in [(0, 1), (269, 1), (270, 2)]:
        outside.now = NOW + timedelta(seconds=seconds)
        await outside.peers.post("toy", "/v1/things", json={})
        assert outside.given == given, seconds


async def test_a_refused_token_is_replaced_once() -> None:
    outside = Outside(lambda r: httpx.Response(401 if r.headers["authorization"] == "Bearer toy-1" else 200))
    assert (await outside.peers.get("toy", "/")).status_code == 200
    always = Outside(lambda _: httpx.Response(401))
    assert (await always.peers.get("toy", "/")).status_code == 401
    assert len(always.seen) == 2


def away(_request: httpx.Request) -> httpx.Response:
    raise httpx.ReadTimeout("too slow")


@pytest.mark.parametrize("answer", [away, lambda _: httpx.Response(503), lambda _: httpx.Response(502)])
async def test_a_peer_that_is_away_is_unavailable(answer: Answer) -> None:
    with pytest.raises(Refused) as refused:
        await Outside(answer).peers.get("toy", "/")
    assert (refused.value.code, refused.value.facts) == ("service.unavailable", {"service": "toy"})


async def test_without_identity_a_kept_token_still_serves() -> None:
    outside = Outside()
    await outside.peers.get("toy", "/")
    outside.identity_up = False
    assert (await outside.peers.get("toy", "/")).status_code == 200
    outside.now += timedelta(minutes=5)
    with pytest.raises(Refused) as refused:
        await outside.peers.get("toy", "/")
    assert refused.value.facts == {"service": "identity"}


async def test_other_answers_of_a_peer_are_given_back_as_they_are() -> None:
    assert (await Outside(lambda _: httpx.Response(409)).peers.get("toy", "/")).status_code == 409


async def test_a_peer_that_nobody_configured_is_a_mistake_and_named() -> None:
    with pytest.raises(LookupError, match="nobody"):
        await Outside().peers.get("nobody", "/")


async def test_a_follower_reads_the_feed_through_the_edge() -> None:
    async with serving(FakeNode()) as toy:

        class ThroughTheEdge(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                if request.url.host == "identity":
                    text = signed_in(kind="service")["Authorization"].removeprefix("Bearer ")
                    return httpx.Response(200, json={"access_token": text, "expires_in": 300})
                return await toy.send(request)

        async with httpx.AsyncClient(transport=ThroughTheEdge()) as client:
            feed = PeerFeed(Peers("exemption", settings(), lambda: NOW, client))
            page = await feed.after("toy", 2, 2)
            assert [each.position for each in page] == [3, 4]
            assert page[0] == FakeNode().log[2]
            assert [each.version for each in await feed.of_stream("toy", "thing-1", 4, 10)] == [5]
            assert await feed.head("toy") == 5


@pytest.mark.parametrize(
    "answer",
    [
        away,
        lambda _: httpx.Response(403),
        lambda _: httpx.Response(500),
        lambda _: httpx.Response(200, text="<html>a page of a proxy in between</html>"),
        lambda _: httpx.Response(200, json={"events": [{"source": "toy"}]}),
    ],
)
async def test_a_feed_that_does_not_answer_is_an_outage_for_its_follower(answer: Answer) -> None:
    with pytest.raises(ConnectionError, match="toy"):
        await PeerFeed(Outside(answer).peers).after("toy", 0, 10)


async def test_a_service_that_identity_refuses_a_token_is_told_so() -> None:
    outside = Outside()
    outside.peers = Peers(
        "exemption",
        settings(peers={"identity": "http://identity", "forbidden": "http://f"}),
        lambda: NOW,
        httpx.AsyncClient(transport=httpx.MockTransport(outside._respond)),
    )
    with pytest.raises(PermissionError, match="403"):
        await outside.peers.get("forbidden", "/")


# Settings


def test_secrets_are_never_shown() -> None:
    shown = f"{settings()!r} {settings()}"
    assert "hunter2" not in shown
    assert "a secret of the toy" not in shown


@pytest.mark.parametrize("kek", ["hunter2-not-base64!", "aHVudGVyMg=="])
def test_a_wrong_key_encryption_key_is_named_without_being_shown(kek: str) -> None:
    with pytest.raises(ValidationError) as error:
        settings(kek=kek)
    assert "kek" in str(error.value)
    assert kek not in str(error.value)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "POSTGRES_URL": "postgres://x",
        "AMQP_URL": "amqp://x",
        "KEK": "A" * 43 + "=",
        "BLOBS": "/b",
        "SERVICE_SECRET": "s",
        "PEERS": '{"identity": "http://identity/"}',
        "PORT": "8123",
    }.items():
        monkeypatch.setenv(f"ZIKAO_{name}", value)
    read = Settings()  # type: ignore[call-arg] # from the environment
    assert (read.port, read.peers, read.kek_bytes) == (8123, {"identity": "http://identity"}, bytes(32))
