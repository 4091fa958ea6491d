"""The provider's own SDK as an oracle: what it signs and sends, the sandbox must take for real.

Only Tencent's is small enough to be locked; Aliyun's rules are held by the published example in `test_sms.py`.
"""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.sandbox.serving import SETTINGS, Sandbox
from tests.sandbox.test_sms import BODY, MOBILE

REASON = "tencentcloud-sdk-python-sms is not in this environment"
credential = pytest.importorskip("tencentcloud.common.credential", reason=REASON)
profiles = pytest.importorskip("tencentcloud.common.profile.client_profile", reason=REASON)
http_profiles = pytest.importorskip("tencentcloud.common.profile.http_profile", reason=REASON)
sdk_errors = pytest.importorskip("tencentcloud.common.exception.tencent_cloud_sdk_exception", reason=REASON)
sms_client = pytest.importorskip("tencentcloud.sms.v20210111.sms_client", reason=REASON)
models = pytest.importorskip("tencentcloud.sms.v20210111.models", reason=REASON)


def client(sandbox: Sandbox, secret_key: str) -> Any:
    http = http_profiles.HttpProfile(protocol="http", endpoint=sandbox.url.removeprefix("http://"))
    keys = credential.Credential(SETTINGS.sms_tencent_secret_id, secret_key)
    return sms_client.SmsClient(keys, "ap-guangzhou", profiles.ClientProfile(httpProfile=http))


def request(kind: Any, body: dict[str, Any]) -> Any:
    made = kind()
    made.from_json_string(json.dumps(body))
    return made


async def test_what_the_vendors_sdk_sends_is_accepted_and_its_receipt_pulled(sandbox: Sandbox) -> None:
    sandbox.clock.now = datetime.now(UTC)  # the SDK has no other clock
    sdk = client(sandbox, SETTINGS.sms_tencent_secret_key.get_secret_value())
    sent = await asyncio.to_thread(sdk.SendSms, request(models.SendSmsRequest, BODY))
    assert sent.SendStatusSet[0].Code == "Ok"
    (sms,) = await sandbox.sent(MOBILE)
    assert sms["id"] == sent.SendStatusSet[0].SerialNo
    pull = {
        "BeginTime": int(sandbox.clock().timestamp()) - 60,
        "Offset": 0,
        "Limit": 10,
        "PhoneNumber": f"+86{MOBILE}",
        "SmsSdkAppId": SETTINGS.sms_tencent_app_id,
    }
    asked = request(models.PullSmsSendStatusByPhoneNumberRequest, pull)
    told = await asyncio.to_thread(sdk.PullSmsSendStatusByPhoneNumber, asked)
    assert [(each.SerialNo, each.ReportStatus) for each in told.PullSmsSendStatusSet] == [(sms["id"], "SUCCESS")]


async def test_the_vendors_sdk_with_a_wrong_key_is_refused(sandbox: Sandbox) -> None:
    sandbox.clock.now = datetime.now(UTC)
    sdk = client(sandbox, "another")
    with pytest.raises(sdk_errors.TencentCloudSDKException, match=r"AuthFailure\.SignatureFailure"):
        await asyncio.to_thread(sdk.SendSms, request(models.SendSmsRequest, BODY))
    assert await sandbox.sent() == []
