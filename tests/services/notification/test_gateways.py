"""Our gateways against the sandbox: what each answer, and each silence, is understood to mean."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.notification.domain.answers import Receipt
from services.notification.gateways import AliyunSms, Attempt, Sms, SmsGateway
from shared.kernel.answers import Absent, Accepted, Declined, InDoubt
from tests.sandbox.serving import Sandbox

MOBILE = "13900000001"
QUICK = timedelta(seconds=0.3)
LONG = timedelta(seconds=10)
Gateways = Mapping[str, SmsGateway]
TEMPLATES = {"aliyun": "SMS_900000001", "tencent": "2900001"}
both = pytest.mark.parametrize("provider", ["aliyun", "tencent"])


def code_sms(provider: str, out_id: str = "m.1", mobile: str = MOBILE, code: str = "123456") -> Sms:
    return Sms(mobile, out_id, "自考服务平台", TEMPLATES[provider], (("code", code),))


def attempt(sandbox: Sandbox, out_id: str = "m.1", provider_id: str | None = None) -> Attempt:
    return Attempt(MOBILE, out_id, sandbox.clock(), provider_id)


@both
async def test_a_message_is_accepted_and_delivered(provider: str, gateways: Gateways, sandbox: Sandbox) -> None:
    answer = await gateways[provider].send(code_sms(provider), LONG)
    (sent,) = await sandbox.sent(MOBILE)
    assert answer == Accepted(sent["id"])
    assert (sent["gateway"], sent["out_id"], sent["parameters"]) == (provider, "m.1", {"code": "123456"})
    receipt = await gateways[provider].ask(attempt(sandbox, provider_id=sent["id"]), LONG)
    assert isinstance(receipt, Receipt)
    assert receipt.status == "delivered"
    assert receipt.received_at is not None
    assert abs(receipt.received_at - sandbox.clock()) < timedelta(seconds=1)


@both
async def test_an_accepted_message_without_a_receipt_is_waiting(
    provider: str, gateways: Gateways, sandbox: Sandbox
) -> None:
    await sandbox.conditions(receipts_lost=True)
    answer = await gateways[provider].send(code_sms(provider), LONG)
    assert isinstance(answer, Accepted)
    found = await gateways[provider].ask(attempt(sandbox, provider_id=answer.provider_id), LONG)
    assert found == Receipt("waiting")


@both
async def test_a_number_nobody_answers_at_is_undelivered(provider: str, gateways: Gateways, sandbox: Sandbox) -> None:
    await sandbox.conditions(receipt_after_seconds=0, undeliverable=[MOBILE])
    answer = await gateways[provider].send(code_sms(provider), LONG)
    assert isinstance(answer, Accepted)
    found = await gateways[provider].ask(attempt(sandbox, provider_id=answer.provider_id), LONG)
    assert found == Receipt("undelivered", "MK:0001")


@both
async def test_a_fault_after_accepting_leaves_it_in_doubt_and_asking_finds_it(
    provider: str, gateways: Gateways, sandbox: Sandbox
) -> None:
    await sandbox.faults({"kind": "fault_after_accepting", "times": 1})
    assert await gateways[provider].send(code_sms(provider), LONG) == InDoubt("http_500")
    found = await gateways[provider].ask(attempt(sandbox), LONG)
    assert isinstance(found, Receipt)
    assert found.status == "delivered"


@both
async def test_a_slow_answer_leaves_it_in_doubt(provider: str, gateways: Gateways, sandbox: Sandbox) -> None:
    await sandbox.faults({"kind": "slow_to_answer", "seconds": 1, "times": 1})
    assert await gateways[provider].send(code_sms(provider), QUICK) == InDoubt("timeout")
    assert len(await sandbox.sent(MOBILE)) == 1


async def test_aliyun_knows_for_certain_that_it_has_nothing(gateways: Gateways, sandbox: Sandbox) -> None:
    await gateways["aliyun"].send(code_sms("aliyun", "another.1"), LONG)
    assert await gateways["aliyun"].ask(attempt(sandbox), LONG) == Absent()


async def test_tencents_silence_proves_nothing(gateways: Gateways, sandbox: Sandbox) -> None:
    await sandbox.conditions(receipts_lost=True)
    await sandbox.faults({"kind": "fault_after_accepting", "times": 1})
    await gateways["tencent"].send(code_sms("tencent"), LONG)
    assert await gateways["tencent"].ask(attempt(sandbox), LONG) == InDoubt("not_told")


async def test_aliyun_is_asked_page_by_page(gateways: Gateways, sandbox: Sandbox) -> None:
    for number in range(52):
        assert isinstance(await gateways["aliyun"].send(code_sms("aliyun", f"m.{number}"), LONG), Accepted)
    assert isinstance(await gateways["aliyun"].ask(attempt(sandbox, "m.0"), LONG), Receipt)


async def test_an_attempt_just_before_midnight_in_china_is_looked_for_on_both_days(
    gateways: Gateways, sandbox: Sandbox
) -> None:
    sandbox.clock.now = datetime(2026, 3, 1, 15, 59, 58, tzinfo=UTC)
    tried = attempt(sandbox)
    sandbox.clock.forward(seconds=4)
    await gateways["aliyun"].send(code_sms("aliyun"), LONG)
    assert isinstance(await gateways["aliyun"].ask(tried, LONG), Receipt)


@pytest.mark.parametrize(
    ("provider", "code", "hopeless"),
    [
        ("aliyun", "isv.BUSINESS_LIMIT_CONTROL", False),
        ("aliyun", "isv.MOBILE_NUMBER_ILLEGAL", True),
        ("tencent", "LimitExceeded.PhoneNumberDailyLimit", False),
        ("tencent", "FailedOperation.PhoneNumberInBlacklist", True),
    ],
)
async def test_a_refusal_is_certain_and_tells_whether_another_try_can_help(
    provider: str, code: str, hopeless: bool, gateways: Gateways, sandbox: Sandbox
) -> None:
    await sandbox.faults({"kind": "refuse", "code": code})
    assert await gateways[provider].send(code_sms(provider), LONG) == Declined(code, hopeless)


async def test_an_internal_error_at_tencent_may_have_sent(gateways: Gateways, sandbox: Sandbox) -> None:
    await sandbox.faults({"kind": "refuse", "code": "InternalError.Timeout"})
    assert await gateways["tencent"].send(code_sms("tencent"), LONG) == InDoubt("InternalError.Timeout")


@both
async def test_an_illegal_number_is_hopeless(provider: str, gateways: Gateways) -> None:
    answer = await gateways[provider].send(code_sms(provider, mobile="12345"), LONG)
    assert isinstance(answer, Declined)
    assert answer.hopeless


@both
async def test_a_question_that_fails_is_no_answer(provider: str, gateways: Gateways, sandbox: Sandbox) -> None:
    await gateways[provider].send(code_sms(provider), LONG)
    for fault in ({"kind": "fault_before_accepting"}, {"kind": "refuse", "code": "Throttling"}):
        await sandbox.faults({**fault, "action": "query"})
        assert isinstance(await gateways[provider].ask(attempt(sandbox), LONG), InDoubt)


@both
async def test_a_provider_that_cannot_be_reached_certainly_did_not_send(
    provider: str, gateways: Gateways, unused_tcp_port: int
) -> None:
    gone = _moved(gateways[provider], f"http://127.0.0.1:{unused_tcp_port}/")
    assert await gone.send(code_sms(provider), LONG) == Declined("unreachable.ConnectError")
    asked = await gone.ask(Attempt(MOBILE, "m.1", datetime.now(UTC)), LONG)
    assert asked == InDoubt("unreachable.ConnectError")


@both
@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"Response": {}}', b'{"Response": []}', b'{"Code": "OK"}'])
async def test_an_unreadable_answer_is_doubt_and_never_success(provider: str, body: bytes, gateways: Gateways) -> None:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=body))
    async with httpx.AsyncClient(transport=transport) as client:
        strange = _moved(gateways[provider], "http://sms.example/", client)
        assert isinstance(await strange.send(code_sms(provider), LONG), InDoubt)


@both
async def test_number_and_code_are_in_no_url_header_or_log(
    provider: str, gateways: Gateways, caplog: pytest.LogCaptureFixture
) -> None:
    seen: list[httpx.Request] = []

    def note(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(500)

    caplog.set_level(logging.DEBUG)
    async with httpx.AsyncClient(transport=httpx.MockTransport(note)) as client:
        gateway = _moved(gateways[provider], "http://sms.example/", client)
        await gateway.send(code_sms(provider, code="424242"), LONG)
        await gateway.ask(Attempt(MOBILE, "m.1", datetime.now(UTC)), LONG)
    assert len(seen) >= 2
    for request in seen:
        assert MOBILE.encode() in request.content
        outside = f"{request.url} {request.headers!r} {dict(request.headers)}"
        assert MOBILE not in outside
        assert "424242" not in outside
    assert MOBILE not in caplog.text + repr(code_sms(provider)) + repr(Attempt(MOBILE, "m.1", datetime.now(UTC)))
    assert "424242" not in caplog.text + repr(code_sms(provider, code="424242"))


async def test_a_wrong_secret_is_refused_by_the_provider(gateways: Gateways) -> None:
    aliyun = gateways["aliyun"]
    assert isinstance(aliyun, AliyunSms)
    wrong = AliyunSms(aliyun.client, aliyun.url, aliyun.key_id, "wrong", aliyun.clock)
    assert await wrong.send(code_sms("aliyun"), LONG) == Declined("SignatureDoesNotMatch")


def _moved(gateway: SmsGateway, url: str, client: httpx.AsyncClient | None = None) -> SmsGateway:
    kept: dict[str, Any] = {name: getattr(gateway, name) for name in gateway.__dataclass_fields__}  # type: ignore[attr-defined]
    moved: SmsGateway = type(gateway)(**kept | {"url": url} | ({"client": client} if client else {}))
    return moved
