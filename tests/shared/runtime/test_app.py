"""The edge: problems, limits, ids, health, the feed. Over ASGI, without servers."""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from shared.kernel.errors import COMMON
from shared.runtime.edge import _NUL_IN_JSON, JSON_BYTES, UPLOAD_BYTES, checked
from shared.runtime.problems import BodyRefused, invalid_fields
from tests.shared.runtime.web import REFUSALS, FakeNode, Logged, logged, serving, settings, signed_in

__all__ = ["logged"]


@pytest_asyncio.fixture
async def web(logged: Logged) -> AsyncIterator[httpx.AsyncClient]:
    async with serving() as client:
        yield client


def write_headers(key: str = "key-12345678", **more: str) -> dict[str, str]:
    return {**signed_in(), "Idempotency-Key": key, **more}


def problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Every refusal has this shape; gives its facts."""
    assert answer.headers["content-type"] == "application/problem+json"
    told = answer.json()
    assert set(told) == {"type", "title", "status", "code", "detail", "detail_en", "facts"}
    assert (answer.status_code, told["status"], told["code"]) == (status, status, code)
    assert told["type"] == f"urn:zikao:problem:{code}"
    facts: dict[str, Any] = told["facts"]
    return facts


def is_uuid(text: str) -> bool:
    return str(UUID(text)) == text


# Problems


async def test_a_refusal_has_its_texts_from_the_services_table_filled_with_the_facts(web: httpx.AsyncClient) -> None:
    answer = await web.post("/v1/refuse/toy.closed")
    facts = problem(answer, 409, "toy.closed")
    assert facts == {"closes": "2026-03-01T01:00:00Z", "stages": ["初审"], "retry_after": 7}
    assert answer.json()["detail"] == "已于 2026-03-01 09:00:00 截止，…。"
    assert answer.json()["detail_en"] == "Closed at 2026-03-01 09:00:00, …."
    assert answer.headers["retry-after"] == "7"


async def test_a_code_without_a_text_is_still_a_refusal(web: httpx.AsyncClient) -> None:
    problem(await web.post("/v1/refuse/toy.forgotten"), 422, "toy.forgotten")


async def test_a_wrong_field_is_named_without_what_was_typed(web: httpx.AsyncClient) -> None:
    body = {"name": "王小明六个字", "张三13812345678": 1, "mobile": ["13912345678"]}
    answer = await web.post("/v1/things/1", json=body, headers=write_headers())
    facts = problem(answer, 422, "request.invalid")
    assert {"field": "name", "problem": "string_too_long", "limits": {"max_length": 5}} in facts["fields"]
    assert {"field": "?", "problem": "extra_forbidden"} in facts["fields"]
    assert {"field": "mobile", "problem": "string_type"} in facts["fields"]
    assert not any(typed in answer.text for typed in ("王小明", "张三", "1381234", "1391234"))


async def test_broken_json_is_a_refusal(web: httpx.AsyncClient) -> None:
    headers = write_headers(**{"Content-Type": "application/json"})
    facts = problem(await web.post("/v1/things/1", content=b'{"name": ', headers=headers), 422, "request.invalid")
    assert facts["fields"][0]["problem"] == "json_invalid"
    problem(await web.post("/v1/things/1", content=b'{"name": "\xff"}', headers=headers), 400, "request.malformed")


async def test_an_address_or_method_that_is_not_there_is_a_problem_too(web: httpx.AsyncClient) -> None:
    for path in ("/v1/nowhere", "/v1/me/"):  # nor is one sent on to a host of the caller's choice
        problem(await web.get(path, headers={"Host": "evil.example"}), 404, "request.no_such_route")
    answer = await web.delete("/v1/me")
    problem(answer, 405, "request.method_not_allowed")
    assert answer.headers["allow"] == "GET"


async def test_a_bug_is_answered_with_a_number_and_nothing_of_what_was_typed(
    web: httpx.AsyncClient, logged: Logged
) -> None:
    answer = await web.post("/v1/break", json={"name": "王小明", "mobile": "13812345678"})
    fault = problem(answer, 500, "service.fault")["fault"]
    assert fault in answer.json()["detail"]
    (told,) = [line for line in logged() if line["event"] == "service.fault"]
    assert told["fault"] == fault
    assert told["raised"][0]["type"] == "builtins.ValueError"
    assert any("broken" in place for place in told["raised"][0]["at"])
    assert "王小明" not in str(logged())
    assert "1381234" not in str(logged())


async def test_an_outage_is_told_apart_from_a_bug_and_shows_no_password(web: httpx.AsyncClient) -> None:
    answer = await web.get("/v1/outage")
    problem(answer, 503, "service.unavailable")
    assert "hunter2" not in answer.text


@given(st.lists(st.text(max_size=20) | st.integers(), min_size=1, max_size=4), st.text(max_size=20))
def test_only_plain_field_names_are_repeated(location: list[str | int], typed: str) -> None:
    error = {"loc": location, "type": "missing", "input": typed, "ctx": {"error": typed, "tag": typed, "ge": 1}}
    (told,) = invalid_fields([error])
    assert told["limits"] == {"ge": 1}
    assert all(part == "?" or part.replace("_", "a").replace("-", "a").isalnum() for part in told["field"].split("."))
    assert told["field"].isascii()


# Limits


async def test_json_over_the_limit_is_refused_and_at_the_limit_is_not(web: httpx.AsyncClient) -> None:
    assert (await web.post("/v1/raw", content=b" " * JSON_BYTES)).json() == JSON_BYTES
    answer = await web.post("/v1/raw", content=b" " * (JSON_BYTES + 1))
    assert problem(answer, 413, "request.too_large") == {"limit": JSON_BYTES}
    assert answer.headers["connection"] == "close"


async def test_a_body_in_chunks_is_counted_while_it_streams(web: httpx.AsyncClient) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 64 * 1024
            yield b" " * 64 * 1024

    answer = await web.post("/v1/things/1", content=chunks(), headers=write_headers())
    assert problem(answer, 413, "request.too_large") == {"limit": JSON_BYTES}
    assert sent <= JSON_BYTES + 128 * 1024


async def test_a_route_for_files_takes_more_but_not_everything(web: httpx.AsyncClient) -> None:
    answer = await web.post("/v1/files", files={"file": ("a.jpg", bytes(JSON_BYTES * 4))})
    assert answer.json() == JSON_BYTES * 4
    answer = await web.post("/v1/files", files={"file": ("a.jpg", bytes(UPLOAD_BYTES))})
    assert problem(answer, 413, "request.too_large") == {"limit": UPLOAD_BYTES}


async def test_a_large_body_to_a_route_that_does_not_read_it_is_a_problem_too(web: httpx.AsyncClient) -> None:
    problem(await web.post("/v1/nowhere", content=b" " * (JSON_BYTES + 1)), 404, "request.no_such_route")
    answer = await web.post("/v1/closed-files", content=bytes(UPLOAD_BYTES + 1))
    assert problem(answer, 413, "request.too_large") == {"limit": UPLOAD_BYTES}
    assert is_uuid(answer.headers["x-request-id"])


NUL_BODIES = [b'{"name": "a\\u0000b"}', b'{"name": "a\x00b"}', b'{"name": "\\\\\\u0000"}', b'{"n\\u0000": 1}']


@pytest.mark.parametrize("body", NUL_BODIES)
async def test_json_with_a_nul_is_refused(web: httpx.AsyncClient, body: bytes) -> None:
    answer = await web.post("/v1/things/1", content=body, headers=write_headers(**{"Content-Type": "application/json"}))
    assert problem(answer, 422, "request.text_has_control_characters") == {"field": "body"}


async def test_a_backslash_before_u0000_is_only_text(web: httpx.AsyncClient) -> None:
    content = json.dumps({"name": "\\u000"}).encode()
    headers = write_headers(**{"Content-Type": "application/json"})
    assert (await web.post("/v1/things/1", content=content, headers=headers)).status_code == 200


@pytest.mark.parametrize("path", ["/v1/things/a%00b", "/v1/events?stream=a%00"])
async def test_an_address_with_a_nul_is_refused(web: httpx.AsyncClient, path: str) -> None:
    facts = problem(await web.get(path, headers=signed_in()), 422, "request.text_has_control_characters")
    assert facts == {"field": "query"}


@given(
    st.lists(st.sampled_from([b"\\", b"u", b"0", b"00", b"u0000", b"\\u0000", b"a", b"\\\\"]), max_size=8), st.data()
)
async def test_a_nul_is_found_however_the_body_is_cut(parts: list[bytes], data: st.DataObject) -> None:
    body = b"".join(parts)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(body)), max_size=5)))
    pieces = [body[a:b] for a, b in zip([0, *cuts], [*cuts, len(body)], strict=True)]

    async def receive() -> Any:
        return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

    receive_checked = checked({"type": "http", "headers": [(b"content-type", b"application/json")]}, receive)
    found = False
    while pieces and not found:
        try:
            await receive_checked()
        except BodyRefused:
            found = True
    assert found == bool(_NUL_IN_JSON.search(body))


# Commands


async def test_a_command_id_is_made_of_caller_route_and_key(web: httpx.AsyncClient) -> None:
    async def command(path: str = "/v1/things/1", key: str = "key-12345678", who: str = "person-1") -> str:
        headers = {**signed_in(sub=who), "Idempotency-Key": key}
        answer = await web.post(path, json={"name": "a"}, headers=headers)
        return str(answer.json()["command"])

    first = await command()
    assert await command() == first
    others = {await command(path="/v1/things/2"), await command(key="key-87654321"), await command(who="person-2")}
    assert len(others - {first}) == 3


@pytest.mark.parametrize("key", [None, "short", "x" * 201, "has a space", "tab\tinside", "né" * 10])
async def test_a_write_without_a_proper_idempotency_key_is_refused(web: httpx.AsyncClient, key: str | None) -> None:
    headers: dict[Any, Any] = {**signed_in(), **({"Idempotency-Key": key.encode("latin-1")} if key else {})}
    answer = await web.post("/v1/things/1", json={"name": "a"}, headers=headers)
    problem(answer, 400, "request.no_idempotency_key")


async def test_before_login_nobody_is_the_actor(web: httpx.AsyncClient) -> None:
    answer = await web.post("/v1/anonymous", json={"name": "a"}, headers={"Idempotency-Key": "key-12345678"})
    assert answer.json()["actor"] == "anonymous"
    assert answer.json()["at"] == "2026-03-01T01:00:00+00:00"


async def test_two_strangers_who_chose_one_key_do_not_meet(web: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "12345678"}
    answers = [
        (await web.post("/v1/anonymous", json={"name": name}, headers=headers)).json()["command"]
        for name in ("a", "b", "a")
    ]
    assert answers[0] == answers[2] != answers[1]


@pytest.mark.parametrize(("given", "version"), [('"7"', 7), ("7", 7), ('W/"12"', 12)])
async def test_if_match_is_the_version_one_saw(web: httpx.AsyncClient, given: str, version: int) -> None:
    answer = await web.post("/v1/things/1", json={"name": "a"}, headers=write_headers(**{"If-Match": given}))
    assert answer.json()["version"] == version


@pytest.mark.parametrize("given", ["*", "-1", "0", "abc", '"1", "2"', "９"])
async def test_an_if_match_that_is_no_version_is_refused(web: httpx.AsyncClient, given: str) -> None:
    headers: dict[Any, Any] = {**write_headers(), "If-Match": given.encode()}
    problem(await web.post("/v1/things/1", json={"name": "a"}, headers=headers), 422, "request.invalid")


# Around every request


async def test_a_request_id_from_outside_is_kept_only_if_it_is_a_uuid(web: httpx.AsyncClient) -> None:
    own = str(uuid4())
    for sent, kept in [(own, True), ("x' or 1=1", False), (own.replace("-", ""), False), ("{" + own + "}", False)]:
        answer = await web.post(
            "/v1/anonymous", json={"name": "a"}, headers={"Idempotency-Key": "key-12345678", "X-Request-Id": sent}
        )
        answered = answer.headers["x-request-id"]
        assert (answered == sent) is kept
        assert is_uuid(answered)
        assert answer.json()["correlation"] == answered


async def test_every_answer_has_the_security_headers(web: httpx.AsyncClient) -> None:
    for answer in [
        await web.get("/healthz"),
        await web.get("/v1/nowhere"),
        await web.post("/v1/break", json={"name": "a"}),
    ]:
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert is_uuid(answer.headers["x-request-id"])


async def test_the_node_runs_while_the_application_does() -> None:
    node = FakeNode()
    async with serving(node) as web:
        assert node.running
        assert (await web.get("/v1/service-name")).json() == "toy"
    assert not node.running


HEALTH = [
    ({"ready": True, "broker": "up"}, 200, "ready"),
    ({"ready": True, "broker": "down"}, 200, "degraded"),
    ({"ready": False, "broker": "up", "failed": ["consumer"]}, 503, "not ready"),
    (ConnectionRefusedError("10.0.0.1"), 503, "not ready"),
]


@pytest.mark.parametrize(("health", "status", "word"), HEALTH)
async def test_readiness_is_what_the_node_says_and_a_missing_broker_only_degrades(
    health: dict[str, Any] | Exception, status: int, word: str
) -> None:
    node = FakeNode()
    node.answer = health
    async with serving(node) as web:
        answer = await web.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (status, word)
        assert "10.0.0.1" not in answer.text
        assert (await web.get("/healthz")).status_code == 200


async def test_metrics_count_refusals_and_tell_lag() -> None:
    async with serving() as web, serving() as other:
        await web.post("/v1/refuse/toy.closed")
        told = (await web.get("/metrics")).text
        assert 'zikao_refusals_total{code="toy.closed"} 1.0' in told
        assert 'zikao_consumer_lag_events{source="exemption"} 3.0' in told
        assert 'zikao_consumer_lag_seconds{source="exemption"} 4.5' in told
        assert 'zikao_parked_streams{kind="poison",source="exemption"} 2.0' in told
        assert 'zikao_parked_oldest_seconds{kind="poison",source="exemption"} 60.0' in told
        assert "zikao_ready 1.0" in told
        assert 'route="/v1/refuse/{code}"' in told
        assert "toy.closed" not in (await other.get("/metrics")).text


async def test_a_replica_that_cannot_serve_says_so_in_its_metrics_too() -> None:
    node = FakeNode()
    async with serving(node) as web:
        node.answer = ConnectionRefusedError("10.0.0.1")
        assert "zikao_ready 0.0" in (await web.get("/metrics")).text


async def test_the_feed_gives_what_comes_after_and_bodies_byte_for_byte(web: httpx.AsyncClient) -> None:
    reader = signed_in(kind="service")
    page = (await web.get("/v1/events", params={"after": 1, "limit": 2}, headers=reader)).json()["events"]
    assert [each["position"] for each in page] == [2, 3]
    assert page[0]["body"] == '{"note":  "kept byte for byte"}'
    params: dict[str, Any] = {"stream": "thing-1", "after": 4}
    assert len((await web.get("/v1/events", params=params, headers=reader)).json()["events"]) == 1
    assert (await web.get("/v1/events/head", headers=reader)).json() == {"position": 5}
    for wrong in ({"after": -1}, {"after": 2**63}, {"limit": 0}, {"limit": 1001}, {"after": "x"}):
        problem(await web.get("/v1/events", params=wrong, headers=reader), 422, "request.invalid")


async def test_the_description_lists_the_codes_of_each_operation(web: httpx.AsyncClient) -> None:
    described = (await web.get("/openapi.json")).json()
    operation = described["paths"]["/v1/things/{thing}"]["post"]
    codes = {
        code
        for status, response in operation["responses"].items()
        if status != "200"
        for code in response["content"]["application/problem+json"]["schema"]["properties"]["code"]["enum"]
    }
    assert {"toy.closed", "access.no_token", "request.no_idempotency_key", "request.too_large"} <= codes
    assert {"request.changed_meanwhile", "request.invalid", "service.fault"} <= codes
    assert "toy.unused" not in codes
    assert codes <= COMMON.keys() | REFUSALS.keys() | {"request.malformed"}
    assert "HTTPValidationError" not in json.dumps(described)
    assert (await web.get("/docs")).status_code == 404


# The client's address

PROXY = "10.0.0.9"


@pytest.mark.parametrize(
    ("trusted", "told", "address"),
    [
        ((), "203.0.113.7", PROXY),
        (("10.1.0.0/16",), "203.0.113.7", PROXY),
        ((PROXY,), "203.0.113.7", "203.0.113.7"),
        ((PROXY,), "198.51.100.1, 203.0.113.7", "203.0.113.7"),
        (("10.0.0.0/8", "2001:db8::/32"), "198.51.100.1, 203.0.113.7, 10.0.0.3", "203.0.113.7"),
        ((PROXY,), None, PROXY),
    ],
)
async def test_only_a_named_proxy_is_believed_and_only_its_own_word(
    trusted: tuple[str, ...], told: str | None, address: str
) -> None:
    """What a client wrote into the header itself stands left of what the proxy saw."""
    headers = {"X-Forwarded-For": told} if told else {}
    async with serving(address=PROXY, trusted_proxies=trusted) as web:
        assert (await web.get("/v1/address", headers=headers)).json() == address


@pytest.mark.parametrize("trusted", ["*", "0.0.0.0/0", "::/0", "everybody", "10.0.0.1/8"])
def test_not_everybody_can_be_a_trusted_proxy(trusted: str) -> None:
    with pytest.raises(ValidationError):
        settings(trusted_proxies=trusted)


def test_trusted_proxies_are_listed_with_commas() -> None:
    assert settings(trusted_proxies="10.0.0.9, 10.1.0.0/16").trusted_proxies == (PROXY, "10.1.0.0/16")
    assert settings().trusted_proxies == ()
