"""Tokens: what is accepted, and everything that must not be."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from joserfc.jwk import Key, KeySet, OKPKey

from shared.kernel.errors import Refused
from shared.runtime.access import Caller, LocalKeySource, RemoteKeySource, Verifier, public_keys
from tests.shared.runtime.web import KEY, NOW, STRANGER, bearer, claims, serving, signed_in, token

VERIFIER = Verifier("toy", LocalKeySource(KeySet([KEY])), lambda: NOW)


@pytest_asyncio.fixture
async def web() -> AsyncIterator[httpx.AsyncClient]:
    async with serving() as client:
        yield client


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unsigned(header: dict[str, Any], body: dict[str, Any], signature: bytes = b"") -> str:
    return f"{b64(json.dumps(header).encode())}.{b64(json.dumps(body).encode())}.{b64(signature)}"


def hs256_with_the_public_key() -> str:
    """The classic confusion: the published key, used as a shared secret."""
    public = public_keys(KeySet([KEY]))["keys"][0]
    text = unsigned({"alg": "HS256", "kid": KEY.kid}, claims()).rpartition(".")[0]
    secret = base64.urlsafe_b64decode(public["x"] + "=")
    return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def with_other_roles() -> str:
    header, _, signature = token(kind="staff").split(".")
    body = claims(kind="staff", roles=[["administrator", "*"]])
    return f"{header}.{b64(json.dumps(body).encode())}.{signature}"


def test_a_valid_token_tells_who_is_calling_in_which_roles() -> None:
    caller = asyncio.run(VERIFIER.caller(token(kind="staff", roles=[["reviewer", "point-7"]], sid="s-1", acr="totp")))
    assert caller == Caller("person-1", "staff", frozenset({("reviewer", "point-7")}), "s-1", "totp")


FORGED = {
    "alg none": unsigned({"alg": "none", "kid": KEY.kid}, claims()),
    "alg none, signed by nobody, no kid": unsigned({"alg": "none"}, claims()),
    "HS256 with the public key as secret": hs256_with_the_public_key(),
    "another key under our key id": token(STRANGER),
    "a key id from elsewhere": token(OKPKey.generate_key("Ed25519", {"kid": "elsewhere"})),
    "no key id, though there is only one key": token(header={"kid": None}),
    "a key named by a url in the token": token(STRANGER, {"kid": "x", "jku": "http://evil/jwks.json"}),
    "a key carried in the token": token(STRANGER, {"kid": "x", "jwk": STRANGER.as_dict(private=False)}),
    "an unknown critical header": unsigned({"alg": "Ed25519", "kid": KEY.kid, "crit": ["exp"]}, claims()),
    "changed roles": with_other_roles(),
    "another audience": token(aud=["exemption"]),
    "an audience that only starts like ours": token(aud="toys"),
    "no audience": token(aud=None),
    "another issuer": token(iss="zikao-identity.evil"),
    "no issuer": token(iss=None),
    "no expiry": token(exp=None),
    "an expiry in words": token(exp="tomorrow"),
    "valid only later": token(nbf=int((NOW + timedelta(minutes=1)).timestamp())),
    "an unknown kind": token(kind="root"),
    "roles that are no pairs": token(roles=["administrator"]),
    "roles of three": token(roles=[["administrator", "*", "x"]]),
    "no subject": token(sub=None),
    "a number as subject": token(sub=7),
    "not a token": "abc",
    "empty parts": "..",
    "not ASCII": "é.é.é",
    "an encrypted one": "a.b.c.d.e",
    "very long": "a" * 200_000,
}


@pytest.mark.parametrize("text", FORGED.values(), ids=FORGED.keys())
async def test_a_forged_token_is_refused(text: str) -> None:
    with pytest.raises(Refused) as refused:
        await VERIFIER.caller(text)
    assert (refused.value.code, refused.value.facts) == ("access.bad_token", {})


async def test_a_token_ends_after_its_expiry_and_a_small_leeway() -> None:
    assert (await VERIFIER.caller(token(exp=int(NOW.timestamp()) - 4))).id == "person-1"
    with pytest.raises(Refused, match=r"access\.token_expired"):
        await VERIFIER.caller(token(exp=int(NOW.timestamp()) - 5))


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=80) | st.from_regex(r"[\w-]{0,40}\.[\w-]{0,40}\.[\w-]{0,9}")
)
def test_whatever_is_sent_as_a_token_is_refused_and_never_a_fault(text: str) -> None:
    with pytest.raises(Refused, match=r"access\.bad_token"):
        asyncio.run(VERIFIER.caller(text))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda x: st.lists(x, max_size=3)))
def test_whatever_identity_would_sign_as_roles_is_a_caller_or_refused(roles: Any) -> None:
    pairs = isinstance(roles, list) and all(
        isinstance(role, list) and len(role) == 2 and all(isinstance(part, str) for part in role) for role in roles
    )
    if pairs or roles is None:
        caller = asyncio.run(VERIFIER.caller(token(roles=roles)))
        assert caller.roles == {tuple(role) for role in roles or ()}
    else:
        with pytest.raises(Refused, match=r"access\.bad_token"):
            asyncio.run(VERIFIER.caller(token(roles=roles)))


async def test_without_a_token_one_is_asked_to_sign_in(web: httpx.AsyncClient) -> None:
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}):
        answer = await web.get("/v1/me", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (401, "access.no_token"), headers
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_forged_token_gets_nothing_but_the_code(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/me", headers=bearer(with_other_roles()))
    assert answer.status_code == 401
    assert answer.json()["facts"] == {}
    assert "administrator" not in answer.text


@pytest.mark.parametrize("kind", ["candidate", "staff", "service"])
async def test_each_route_takes_its_own_kind_of_caller_only(web: httpx.AsyncClient, kind: str) -> None:
    paths = {"candidate": "/v1/candidates", "staff": "/v1/staff", "service": "/v1/services"}
    for of, path in paths.items():
        answer = await web.get(path, headers=signed_in(kind=kind))
        assert answer.status_code == (200 if of == kind else 403)
        if of != kind:
            assert answer.json()["code"] == "access.not_allowed"


WHO_READS_THE_FEED = [
    ("service", [], 200),
    ("staff", [["auditor", "*"]], 200),
    ("staff", [["auditor", "uni"]], 403),
    ("staff", [["administrator", "*"]], 403),
    ("candidate", [["auditor", "*"]], 403),
]


@pytest.mark.parametrize(("kind", "roles", "status"), WHO_READS_THE_FEED)
async def test_the_feed_is_for_services_and_auditors(
    web: httpx.AsyncClient, kind: str, roles: list[list[str]], status: int
) -> None:
    for path in ("/v1/events", "/v1/events/head"):
        assert (await web.get(path, headers=signed_in(kind=kind, roles=roles))).status_code == status
        assert (await web.get(path)).status_code == 401


class Identity:
    """Identity's published keys, over a transport that can be switched off."""

    def __init__(self, *keys: OKPKey) -> None:
        self.keys: list[Key] = list(keys)
        self.asked = 0
        self.up = True
        self.now = NOW
        client = httpx.AsyncClient(transport=httpx.MockTransport(self._answer))
        self.source = RemoteKeySource("http://identity/.well-known/jwks.json", self.clock, client)
        self.verifier = Verifier("toy", self.source, self.clock)

    def clock(self) -> datetime:
        return self.now

    def _answer(self, request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "http://identity/.well-known/jwks.json"
        self.asked += 1
        return httpx.Response(200, json=public_keys(KeySet(self.keys))) if self.up else httpx.Response(503)


async def test_keys_are_fetched_once_and_kept_while_identity_is_down() -> None:
    identity = Identity(KEY)
    await identity.verifier.caller(token())
    await identity.verifier.caller(token())
    assert identity.asked == 1
    identity.up = False
    identity.now += timedelta(hours=1)
    assert (await identity.verifier.caller(token(exp=int(identity.now.timestamp()) + 60))).id == "person-1"
    assert identity.asked == 2


async def test_an_unknown_key_id_has_the_keys_fetched_again_but_not_more_often_than_every_ten_seconds() -> None:
    identity = Identity(KEY)
    await identity.verifier.caller(token())
    newer = OKPKey.generate_key("Ed25519", {"kid": "2026-b"})
    identity.keys.append(newer)
    for _ in range(5):
        with pytest.raises(Refused, match=r"access\.bad_token"):
            await identity.verifier.caller(token(newer))
    assert identity.asked == 1
    identity.now += timedelta(seconds=10)
    assert (await identity.verifier.caller(token(newer))).id == "person-1"
    assert identity.asked == 2


async def test_newer_keys_are_asked_for_although_the_clock_was_set_back() -> None:
    identity = Identity(KEY)
    await identity.verifier.caller(token())
    newer = OKPKey.generate_key("Ed25519", {"kid": "2026-b"})
    identity.keys.append(newer)
    identity.now -= timedelta(hours=1)
    assert (await identity.verifier.caller(token(newer))).id == "person-1"


async def test_a_token_of_before_the_clock_was_set_back_is_good_no_hour_longer() -> None:
    ahead = NOW + timedelta(hours=1)
    told = token(iat=int(ahead.timestamp()), exp=int((ahead + timedelta(minutes=5)).timestamp()))
    with pytest.raises(Refused, match=r"access\.bad_token"):
        await VERIFIER.caller(told)


async def test_a_key_that_identity_took_back_ends_within_five_minutes() -> None:
    identity = Identity(KEY)
    await identity.verifier.caller(token())
    identity.keys = [OKPKey.generate_key("Ed25519", {"kid": "2026-b"})]
    identity.now += timedelta(minutes=5, seconds=1)
    with pytest.raises(Refused, match=r"access\.bad_token"):
        await identity.verifier.caller(token(exp=int(identity.now.timestamp()) + 60))


async def test_a_token_that_was_good_a_moment_ago_ends_with_its_expiry_and_with_its_key() -> None:
    identity = Identity(KEY)
    told = token(exp=int((NOW + timedelta(minutes=30)).timestamp()))
    short = token(exp=int((NOW + timedelta(seconds=30)).timestamp()))
    for each in (told, short):
        await identity.verifier.caller(each)
    identity.now += timedelta(seconds=40)
    with pytest.raises(Refused, match=r"access\.token_expired"):
        await identity.verifier.caller(short)
    identity.now += timedelta(minutes=4)
    await identity.verifier.caller(told)
    identity.keys = [OKPKey.generate_key("Ed25519", {"kid": "2026-b"})]
    identity.now += timedelta(seconds=30)
    with pytest.raises(Refused, match=r"access\.bad_token"):
        await identity.verifier.caller(told)


async def test_a_token_is_told_from_another_that_differs_in_its_signature_only() -> None:
    good = token()
    await VERIFIER.caller(good)
    body, _, signature = good.rpartition(".")
    with pytest.raises(Refused, match=r"access\.bad_token"):
        await VERIFIER.caller(f"{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}")


async def test_without_any_keys_the_answer_is_to_come_back_later() -> None:
    identity = Identity(KEY)
    identity.up = False
    for _ in range(3):
        with pytest.raises(Refused, match=r"service\.unavailable"):
            await identity.verifier.caller(token())
    assert identity.asked == 1
    identity.up = True
    identity.now += timedelta(seconds=1)
    assert (await identity.verifier.caller(token())).id == "person-1"


def test_only_public_halves_are_published() -> None:
    (published,) = public_keys(KeySet([KEY]))["keys"]
    assert "d" not in published
    assert published["kid"] == KEY.kid
