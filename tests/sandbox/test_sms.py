"""The SMS gateways of the sandbox: as strict as the real ones, and never more helpful."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4
from zoneinfo import ZoneInfo

import httpx
import pytest

from sandbox.main import create_app
from sandbox.signatures import Acs3, NotAuthentic, Request, Tc3
from tests.sandbox.serving import SETTINGS, Sandbox, serving

MOBILE = "13900000001"
SHANGHAI = ZoneInfo("Asia/Shanghai")
FORM = {
    "PhoneNumbers": MOBILE,
    "SignName": "自考服务平台",
    "TemplateCode": "SMS_900000001",
    "TemplateParam": '{"code":"123456"}',
    "OutId": "m.1",
}
BODY = {
    "PhoneNumberSet": [f"+86{MOBILE}"],
    "SmsSdkAppId": SETTINGS.sms_tencent_app_id,
    "SignName": "自考服务平台",
    "TemplateId": "2900001",
    "TemplateParamSet": ["123456"],
    "SessionContext": "m.1",
}


async def aliyun(sandbox: Sandbox, action: str, form: dict[str, str], **change: Any) -> httpx.Response:
    """A request signed step by step as the provider's rules say; `change` spoils it after or before signing."""
    body = urlencode(form).encode()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "host": sandbox.url.removeprefix("http://"),
        "x-acs-action": action,
        "x-acs-content-sha256": hashlib.sha256(body).hexdigest(),
        "x-acs-date": change.get("date") or sandbox.clock().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": change.get("nonce") or uuid4().hex,
        "x-acs-version": "2017-05-25",
    }
    signed = sorted(set(headers) - change.get("unsigned", set()))
    canonical = "POST\n/\n\n" + "".join(f"{n}:{headers[n]}\n" for n in signed)
    canonical += f"\n{';'.join(signed)}\n{headers['x-acs-content-sha256']}"
    to_sign = f"ACS3-HMAC-SHA256\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    secret = change.get("secret", SETTINGS.sms_aliyun_secret.get_secret_value())
    signature = hmac.new(secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()
    key_id = change.get("key_id", SETTINGS.sms_aliyun_key_id)
    headers["authorization"] = (
        f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={';'.join(signed)},Signature={signature}"
    )
    headers |= change.get("after", {})
    return await sandbox.client.post("/", content=change.get("body", body), headers=headers)


async def tencent(sandbox: Sandbox, action: str, body: dict[str, Any], **change: Any) -> dict[str, Any]:
    content = json.dumps(body).encode()
    at = change.get("at") or sandbox.clock()
    headers = {"content-type": "application/json; charset=utf-8", "host": sandbox.url.removeprefix("http://")}
    canonical = "POST\n/\n\n" + "".join(f"{name}:{value}\n" for name, value in sorted(headers.items()))
    canonical += f"\ncontent-type;host\n{hashlib.sha256(content).hexdigest()}"
    day = at.strftime("%Y-%m-%d")
    key = ("TC3" + change.get("key", SETTINGS.sms_tencent_secret_key.get_secret_value())).encode()
    for part in (day, "sms", "tc3_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    to_sign = f"TC3-HMAC-SHA256\n{int(at.timestamp())}\n{day}/sms/tc3_request\n{hashed}"
    signature = hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()
    headers |= {
        "x-tc-action": action,
        "x-tc-version": "2021-01-11",
        "x-tc-timestamp": str(int(at.timestamp())),
        "authorization": (
            f"TC3-HMAC-SHA256 Credential={SETTINGS.sms_tencent_secret_id}/{day}/sms/tc3_request, "
            f"SignedHeaders=content-type;host, Signature={signature}"
        ),
    }
    answer = await sandbox.client.post("/", content=change.get("content", content), headers=headers)
    return dict(answer.json()["Response"])


# --- Aliyun


async def test_a_message_sent_to_aliyun_is_found_in_the_network_in_the_words_of_its_template(sandbox: Sandbox) -> None:
    answer = (await aliyun(sandbox, "SendSms", FORM)).json()
    assert answer["Code"] == "OK"
    (sms,) = await sandbox.sent(MOBILE)
    assert sms["id"] == answer["BizId"]
    assert sms["text"] == "【自考服务平台】您正在注册账号，验证码为123456，请尽快填写，切勿告知他人。"
    assert sms["parameters"] == {"code": "123456"}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"secret": "another"}, "SignatureDoesNotMatch"),
        ({"key_id": "another"}, "InvalidAccessKeyId.NotFound"),
        ({"body": urlencode({**FORM, "PhoneNumbers": "13900000002"}).encode()}, "InvalidContentSha256"),
        ({"after": {"x-acs-action": "QuerySendDetails"}}, "SignatureDoesNotMatch"),
        ({"unsigned": {"x-acs-date"}}, "IncompleteSignature"),
        ({"unsigned": {"host"}}, "IncompleteSignature"),
        ({"after": {"authorization": "ACS3-HMAC-SHA256 nonsense"}}, "IncompleteSignature"),
        ({"after": {"authorization": ""}}, "IncompleteSignature"),
        ({"date": "2026-01-01T00:00:00Z"}, "InvalidTimeStamp.Expired"),
        ({"date": "yesterday"}, "InvalidTimeStamp.Format"),
    ],
)
async def test_aliyun_refuses_what_is_not_signed_as_it_should_be(
    sandbox: Sandbox, change: dict[str, Any], code: str
) -> None:
    answer = await aliyun(sandbox, "SendSms", FORM, **change)
    assert answer.status_code in (400, 404)
    assert answer.json()["Code"] == code
    assert await sandbox.sent() == []


async def test_aliyun_refuses_a_nonce_that_was_used(sandbox: Sandbox) -> None:
    assert (await aliyun(sandbox, "SendSms", FORM, nonce="n")).json()["Code"] == "OK"
    assert (await aliyun(sandbox, "SendSms", FORM, nonce="n")).json()["Code"] == "SignatureNonceUsed"
    assert len(await sandbox.sent(MOBILE)) == 1


async def test_aliyun_takes_a_time_up_to_15_minutes_off(sandbox: Sandbox) -> None:
    for minutes, code in ((-14.9, "OK"), (14.9, "OK"), (-15.1, "InvalidTimeStamp.Expired")):
        date = (sandbox.clock() + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
        assert (await aliyun(sandbox, "SendSms", FORM, date=date)).json()["Code"] == code


async def test_the_sandbox_never_deduplicates(sandbox: Sandbox) -> None:
    for _ in range(2):
        assert (await aliyun(sandbox, "SendSms", FORM)).json()["Code"] == "OK"
        assert (await tencent(sandbox, "SendSms", BODY))["SendStatusSet"][0]["Code"] == "Ok"
    assert len(await sandbox.sent(MOBILE)) == 4


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"PhoneNumbers": "12345"}, "isv.MOBILE_NUMBER_ILLEGAL"),
        ({"TemplateCode": "SMS_1"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": "{}"}, "isv.SMS_TEMPLATE_ILLEGAL"),
        ({"TemplateParam": json.dumps({"code": "1" * 36})}, "isv.PARAM_LENGTH_LIMIT"),
        ({"TemplateParam": json.dumps({"code": ""})}, "isv.PARAM_LENGTH_LIMIT"),
    ],
)
async def test_aliyun_refuses_a_bad_message_with_its_own_code(
    sandbox: Sandbox, change: dict[str, str], code: str
) -> None:
    assert (await aliyun(sandbox, "SendSms", FORM | change)).json()["Code"] == code
    assert await sandbox.sent() == []


async def test_aliyun_tells_of_a_message_before_and_after_its_receipt(sandbox: Sandbox) -> None:
    await sandbox.conditions(receipt_after_seconds=30)
    biz_id = (await aliyun(sandbox, "SendSms", FORM)).json()["BizId"]
    day = sandbox.clock().astimezone(tz=SHANGHAI).strftime("%Y%m%d")
    query = {"PhoneNumber": MOBILE, "SendDate": day, "PageSize": "10", "CurrentPage": "1", "BizId": biz_id}
    (before,) = (await aliyun(sandbox, "QuerySendDetails", query)).json()["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    assert (before["SendStatus"], before["OutId"], "ReceiveDate" in before) == (1, "m.1", False)
    sandbox.clock.forward(seconds=30)
    (after,) = (await aliyun(sandbox, "QuerySendDetails", query)).json()["SmsSendDetailDTOs"]["SmsSendDetailDTO"]
    assert (after["SendStatus"], after["ErrCode"]) == (3, "DELIVERED")
    none = (await aliyun(sandbox, "QuerySendDetails", query | {"SendDate": "20200101"})).json()
    assert none["TotalCount"] == 0


# --- Tencent Cloud


async def test_a_message_sent_to_tencent_is_found_in_the_network(sandbox: Sandbox) -> None:
    answer = await tencent(sandbox, "SendSms", BODY)
    status = answer["SendStatusSet"][0]
    (sms,) = await sandbox.sent(MOBILE)
    assert (status["Code"], status["SerialNo"], status["SessionContext"]) == ("Ok", sms["id"], "m.1")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"key": "another"}, "AuthFailure.SignatureFailure"),
        (
            {"content": json.dumps({**BODY, "PhoneNumberSet": ["+8613900000002"]}).encode()},
            "AuthFailure.SignatureFailure",
        ),
        ({"at": datetime(2026, 1, 1, tzinfo=UTC)}, "AuthFailure.SignatureExpire"),
    ],
)
async def test_tencent_refuses_what_is_not_signed_as_it_should_be(
    sandbox: Sandbox, change: dict[str, Any], code: str
) -> None:
    assert (await tencent(sandbox, "SendSms", BODY, **change))["Error"]["Code"] == code
    assert await sandbox.sent() == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SmsSdkAppId": "1"}, "UnauthorizedOperation.SmsSdkAppIdVerifyFail"),
        ({"TemplateId": "1"}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateParamSet": []}, "FailedOperation.TemplateIncorrectOrUnapproved"),
        ({"TemplateParamSet": ["1234567"]}, "InvalidParameterValue.TemplateParameterLengthLimit"),
    ],
)
async def test_tencent_refuses_a_bad_message_with_its_own_code(
    sandbox: Sandbox, change: dict[str, Any], code: str
) -> None:
    assert (await tencent(sandbox, "SendSms", BODY | change))["Error"]["Code"] == code


async def test_tencent_refuses_a_bad_number_by_itself(sandbox: Sandbox) -> None:
    sent = await tencent(sandbox, "SendSms", BODY | {"PhoneNumberSet": ["+8612345"]})
    assert sent["SendStatusSet"][0]["Code"] == "InvalidParameterValue.IncorrectPhoneNumber"


async def test_tencent_tells_only_of_messages_whose_receipt_is_there(sandbox: Sandbox) -> None:
    await sandbox.conditions(receipt_after_seconds=30, undeliverable=[MOBILE])
    await tencent(sandbox, "SendSms", BODY)
    pull = {
        "BeginTime": int(sandbox.clock().timestamp()) - 60,
        "Offset": 0,
        "Limit": 100,
        "PhoneNumber": f"+86{MOBILE}",
        "SmsSdkAppId": SETTINGS.sms_tencent_app_id,
    }
    assert (await tencent(sandbox, "PullSmsSendStatusByPhoneNumber", pull))["PullSmsSendStatusSet"] == []
    sandbox.clock.forward(seconds=30)
    (told,) = (await tencent(sandbox, "PullSmsSendStatusByPhoneNumber", pull))["PullSmsSendStatusSet"]
    assert (told["ReportStatus"], told["SessionContext"]) == ("FAIL", "m.1")


# --- the network


async def test_a_fault_after_accepting_answers_500_and_has_sent(sandbox: Sandbox) -> None:
    await sandbox.faults({"kind": "fault_after_accepting", "times": 1})
    assert (await aliyun(sandbox, "SendSms", FORM)).status_code == 500
    assert len(await sandbox.sent(MOBILE)) == 1
    assert (await aliyun(sandbox, "SendSms", FORM)).status_code == 200


async def test_a_fault_before_accepting_answers_500_and_has_not_sent(sandbox: Sandbox) -> None:
    await sandbox.faults({"kind": "fault_before_accepting", "gateway": "aliyun"})
    assert (await aliyun(sandbox, "SendSms", FORM)).status_code == 500
    assert await sandbox.sent() == []
    assert (await tencent(sandbox, "SendSms", BODY))["SendStatusSet"][0]["Code"] == "Ok"


async def test_a_fault_of_a_given_number_of_times_ends(sandbox: Sandbox) -> None:
    await sandbox.faults({"kind": "refuse", "code": "isv.BUSINESS_LIMIT_CONTROL", "times": 2})
    codes = [(await aliyun(sandbox, "SendSms", FORM)).json()["Code"] for _ in range(3)]
    assert codes == ["isv.BUSINESS_LIMIT_CONTROL", "isv.BUSINESS_LIMIT_CONTROL", "OK"]


async def test_what_was_sent_can_be_counted_after_a_crash(tmp_path: Path) -> None:
    file = tmp_path / "sent" / "sms.jsonl"
    async with serving(file) as first:
        await aliyun(first, "SendSms", FORM)
        sent = await first.sent()
    assert file.stat().st_mode & 0o777 == 0o600
    async with serving(file) as second:
        assert await second.sent() == sent


def test_the_control_routes_are_all_below_one_marked_place() -> None:
    paths = create_app(SETTINGS, lambda: datetime.now(UTC)).openapi()["paths"]
    of_chsi = {"/chsi/v1/queries", "/chsi/v1/queries/{request_id}"}
    assert {path for path in paths if not path.startswith("/_control/")} == {"/", "/readyz", *of_chsi}
    assert {"/_control/messages", "/_control/faults", "/_control/conditions"} <= set(paths)


def test_a_published_tencent_example_passes_and_fails_when_touched() -> None:
    headers = {
        "content-type": "application/json; charset=utf-8",
        "host": "cvm.tencentcloudapi.com",
        "x-tc-timestamp": "1551113065",
        "authorization": (
            "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, "
            "SignedHeaders=content-type;host, "
            "Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
        ),
    }
    body = rb'{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}'
    tc3 = Tc3("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE", "cvm")
    now = datetime.fromtimestamp(1551113065, UTC)
    tc3.check(Request("POST", "/", "", headers, body), now)
    with pytest.raises(NotAuthentic):
        tc3.check(Request("POST", "/", "", headers, body + b" "), now)


def test_a_published_aliyun_example_passes_and_fails_when_touched() -> None:
    headers = {
        "host": "ecs.cn-shanghai.aliyuncs.com",
        "x-acs-action": "RunInstances",
        "x-acs-content-sha256": hashlib.sha256(b"").hexdigest(),
        "x-acs-date": "2023-10-26T10:22:32Z",
        "x-acs-signature-nonce": "3156853299f313e23d1673dc12e1703d",
        "x-acs-version": "2014-05-26",
        "authorization": (
            "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;"
            "x-acs-date;x-acs-signature-nonce;x-acs-version,"
            "Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
        ),
    }
    query = "RegionId=cn-shanghai&ImageId=win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd"
    acs3 = Acs3("YourAccessKeyId", "YourAccessKeySecret")
    now = datetime(2023, 10, 26, 10, 30, tzinfo=UTC)
    acs3.check(Request("POST", "/", query, headers, b""), now)
    with pytest.raises(NotAuthentic):
        acs3.check(Request("POST", "/", query.replace("shanghai", "beijing"), headers, b""), now)
