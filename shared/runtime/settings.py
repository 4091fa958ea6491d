"""Settings every service reads from its environment (ZIKAO_*); a service's own are in its `settings.py`.

Made once in `app.run` and handed down. Secrets are `SecretStr`, and a wrong value is named without being shown.
"""

import base64
import binascii
from ipaddress import ip_network
from typing import Annotated

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

KEK_BYTES = 32


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZIKAO_", frozen=True, extra="ignore", hide_input_in_errors=True)

    postgres_url: SecretStr = Field(description="Database of this service, as the service's own role.")
    amqp_url: SecretStr = Field(description="RabbitMQ with the virtual host, amqp://user:password@host:port/vhost.")
    kek: SecretStr = Field(description="Key-encryption key that wraps every person's key: 32 bytes in base64.")
    host: str = Field(default="127.0.0.1", description="Address the HTTP server listens on.")
    port: int = Field(default=8000, ge=0, le=65535, description="Port the HTTP server listens on.")
    listen_fds: Annotated[tuple[int, ...], NoDecode] = Field(
        default=(),
        description="Sockets that whoever started this process has bound, as numbers separated by commas; used instead "
        "of host and port, so that several replicas answer at one address.",
    )
    trusted_proxies: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Addresses or networks, separated by commas, whose X-Forwarded-For is believed. Limits count by "
        "the client's address, so behind a proxy or portal name it here, and nothing that outsiders can reach from.",
    )
    blobs: str = Field(description="Where photographs and files are kept: a folder, or s3://bucket/prefix.")
    peers: dict[str, str] = Field(
        default_factory=dict, description="Base URL of each other service, as JSON: {name: url}."
    )
    service_secret: SecretStr = Field(description="What this service shows to identity to get its service tokens.")
    otlp_endpoint: str | None = Field(
        default=None, description="OpenTelemetry collector (OTLP over HTTP); without it no trace leaves the process."
    )

    @field_validator("kek")
    @classmethod
    def _kek_has_32_bytes(cls, kek: SecretStr) -> SecretStr:
        try:
            length = len(base64.b64decode(kek.get_secret_value(), validate=True))
        except (binascii.Error, ValueError):
            raise ValueError("must be base64") from None
        if length != KEK_BYTES:
            raise ValueError(f"must be {KEK_BYTES} bytes, has {length}")
        return kek

    @field_validator("trusted_proxies", "listen_fds", mode="before")
    @classmethod
    def _are_listed(cls, given: object) -> object:
        return tuple(part.strip() for part in given.split(",") if part.strip()) if isinstance(given, str) else given

    @field_validator("trusted_proxies")
    @classmethod
    def _proxies_are_networks(cls, proxies: tuple[str, ...]) -> tuple[str, ...]:
        """Believing everybody would let everybody choose their address."""
        for proxy in proxies:
            if ip_network(proxy).prefixlen == 0:
                raise ValueError("must not be everybody")
        return proxies

    @field_validator("peers")
    @classmethod
    def _peers_have_no_trailing_slash(cls, peers: dict[str, str]) -> dict[str, str]:
        return {name: url.rstrip("/") for name, url in peers.items()}

    @property
    def kek_bytes(self) -> bytes:
        return base64.b64decode(self.kek.get_secret_value())
