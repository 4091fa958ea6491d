"""The outside world on one loopback port: `python -m sandbox.main`. Started by the launcher and by tests.

Keys are those that notification and identity sign with, from the same environment.
"""

from datetime import UTC, datetime
from pathlib import Path

import uvicorn
from fastapi import FastAPI
from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from sandbox import chsi
from sandbox.control import control
from sandbox.network import Conditions, Network
from sandbox.signatures import Acs3, Tc3
from sandbox.sms import Clock, Gateways, registered_templates


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZIKAO_", frozen=True, extra="ignore", hide_input_in_errors=True)

    host: str = "127.0.0.1"
    port: int = Field(default=8900, ge=0, le=65535)
    books: Path = Field(default=Path("shared/schemes/books"), description="Whose templates count as registered.")
    sandbox_file: Path | None = Field(default=None, description="Where accepted messages are appended, one a line.")
    sandbox_receipt_seconds: float = Field(default=0.5, ge=0)
    sms_aliyun_key_id: str = "sandbox-aliyun"
    sms_aliyun_secret: SecretStr
    sms_tencent_secret_id: str = "sandbox-tencent"  # noqa: S105 - a name
    sms_tencent_secret_key: SecretStr
    sms_tencent_app_id: str = "1400000001"
    chsi_key_id: str = "zikao"
    chsi_secret: SecretStr | None = Field(default=None, description="Without it there is no CHSI here.")
    chsi_callback_url: str | None = Field(default=None, description="Where CHSI tells what it found.")


def create_app(settings: Settings, clock: Clock) -> FastAPI:
    if settings.sandbox_file:
        settings.sandbox_file.parent.mkdir(parents=True, exist_ok=True)
    network = Network(
        settings.sandbox_file, conditions=Conditions(receipt_after_seconds=settings.sandbox_receipt_seconds)
    )
    gateways = Gateways(
        network,
        Acs3(settings.sms_aliyun_key_id, settings.sms_aliyun_secret.get_secret_value()),
        Tc3(settings.sms_tencent_secret_id, settings.sms_tencent_secret_key.get_secret_value()),
        settings.sms_tencent_app_id,
        registered_templates(settings.books),
        clock,
    )
    app = FastAPI(title="Zikao sandbox: the outside world, for tests", docs_url=None, redoc_url=None)
    app.include_router(gateways.router)
    app.include_router(control(network, clock))
    if settings.chsi_secret:
        register, signer = chsi.Register(), chsi.Signer(settings.chsi_key_id, settings.chsi_secret.get_secret_value())
        stand_in = chsi.Chsi(register, signer, settings.chsi_callback_url, clock)
        app.include_router(stand_in.router)
        app.include_router(chsi.control(register, stand_in))

    @app.get("/readyz")
    def ready() -> dict[str, str]:
        return {"status": "ready"}

    return app


def main() -> None:
    settings = Settings()  # type: ignore[call-arg] # from the environment
    uvicorn.run(
        create_app(settings, lambda: datetime.now(UTC)), host=settings.host, port=settings.port, access_log=False
    )


if __name__ == "__main__":
    main()
