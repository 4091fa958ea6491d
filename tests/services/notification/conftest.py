"""The sandbox, our gateways pointed at it, and for tests with servers a whole world around the service."""

import shutil
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
import yaml
from pydantic import HttpUrl

from services.notification.gateways import SmsGateway, providers
from services.notification.settings import SmsSettings
from shared.schemes.catalog import BOOKS, Catalog
from shared.testing.stores import prepared
from tests.conftest import Databases
from tests.sandbox.serving import SETTINGS, Sandbox, serving
from tests.services.notification.world import CALL_SECONDS, Gateways, World, world


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


@pytest.fixture(scope="module")
async def template(databases: Databases) -> AsyncIterator[str]:
    async with databases.fresh() as url:
        await prepared(url)
        yield url


@pytest.fixture(scope="session")
def catalog() -> Catalog:
    return Catalog.load(BOOKS)


@pytest.fixture
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    """Books that wait for a provider no longer than a test may."""
    books = tmp_path_factory.mktemp("books") / "books"
    shutil.copytree(BOOKS, books)
    file = books / "platform" / "notification.yaml"
    said = yaml.safe_load(file.read_text("utf-8"))
    said["sending"]["call_timeout_seconds"] = CALL_SECONDS
    file.write_text(yaml.safe_dump(said, allow_unicode=True), "utf-8")
    return Catalog.load(books)


@pytest.fixture
async def w(
    template: str, databases: Databases, sandbox: Sandbox, gateways: Gateways, catalog: Catalog
) -> AsyncIterator[World]:
    async with databases.fresh(template=template) as url, world(url, sandbox, gateways, catalog) as running:
        for name in running.sources:
            await running.consumer.begin(name)
        yield running
