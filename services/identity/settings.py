"""What identity alone reads from its environment (ZIKAO_*): signing keys, secrets, the cost of a password, CHSI."""

import json
from typing import Annotated, Any

from joserfc.jwk import KeySet, OKPKey
from pydantic import Field, HttpUrl, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class IdentitySettings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="ZIKAO_", frozen=True, extra="ignore", hide_input_in_errors=True)

    token_keys: SecretStr = Field(description="Private JWK set, Ed25519: the first signs, all are published.")
    service_secret_digests: Annotated[dict[str, str], NoDecode] = Field(
        default_factory=dict, description="Service -> sha256 of its secret in hexadecimal, as JSON."
    )
    bootstrap_secret: SecretStr | None = Field(
        default=None, description="What the one-time command for the first administrator must know; unset: nobody."
    )
    argon2_time_cost: int = Field(default=3, ge=1, description="Passes of argon2id.")
    argon2_memory_kib: int = Field(default=65_536, ge=32, description="Memory of argon2id in KiB.")
    argon2_at_once: int = Field(default=2, ge=1, description="How many passwords are hashed at the same time.")
    audiences: tuple[str, ...] = Field(
        default=("identity", "exemption", "graduation", "payment", "notification"),
        description="The services a token of a person is good for.",
    )

    @field_validator("service_secret_digests", mode="before")
    @classmethod
    def _read_digests(cls, given: Any) -> Any:
        return json.loads(given) if isinstance(given, str) else given

    @field_validator("token_keys")
    @classmethod
    def _are_private_ed25519(cls, keys: SecretStr) -> SecretStr:
        try:
            read = KeySet.import_key_set(json.loads(keys.get_secret_value())).keys
            usable = [isinstance(key, OKPKey) and key.is_private and key.curve_name == "Ed25519" for key in read]
            named = {key.kid for key in read if key.kid}
        except Exception:  # noqa: BLE001 - whatever is wrong with it, the text is a secret
            raise ValueError("must be a JWK set") from None
        if not usable or not all(usable) or len(named) != len(usable):
            raise ValueError("must hold private Ed25519 keys, each with its own kid")
        return keys

    @property
    def signing_keys(self) -> KeySet:
        return KeySet.import_key_set(json.loads(self.token_keys.get_secret_value()))


class ChsiSettings(BaseSettings):
    """学信网. Without an account nothing is asked, and records of prior education wait until there is one."""

    model_config = SettingsConfigDict(env_prefix="ZIKAO_CHSI_", frozen=True, extra="ignore", hide_input_in_errors=True)

    url: HttpUrl | None = Field(default=None, description="Below which CHSI takes queries.")
    key_id: str = Field(default="zikao", description="The name of our account.")
    secret: SecretStr | None = Field(default=None, description="What both sides sign with.")
