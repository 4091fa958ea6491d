"""The sandbox, and our gateways pointed at it."""

from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from pydantic import HttpUrl

from services.notification.gateways import SmsGateway, providers
from services.notification.settings import SmsSettings
from tests.sandbox.serving import SETTINGS, Sandbox, serving


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with serving() as running:
        yield running


def sms_settings(sandbox: Sandbox) -> SmsSettings:
    url = HttpUrl(sandbox.url)
    return SmsSettings(
        aliyun_url=url,
        aliyun_key_id=SETTINGS.sms_aliyun_key_id,
        aliyun_secret=SETTINGS.sms_aliyun_secret,
        tencent_url=url,
        tencent_secret_id=SETTINGS.sms_tencent_secret_id,
        tencent_secret_key=SETTINGS.sms_tencent_secret_key,
        tencent_app_id=SETTINGS.sms_tencent_app_id,
    )


@pytest.fixture
async def gateways(sandbox: Sandbox) -> AsyncIterator[Mapping[str, SmsGateway]]:
    async with httpx.AsyncClient(verify=False) as client:
        yield providers(sms_settings(sandbox), client, sandbox.clock)
