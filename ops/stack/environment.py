"""What each process of the stack is told, and the generated secrets behind it. `stack.py` uses it.

The variables are those of `shared/runtime/settings.py` and of each service's own `settings.py`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from joserfc.jwk import OKPKey

from ops.stack.places import CHECKOUT, Place
from ops.stack.ports import LOOPBACK
from shared.runtime.database import AUDITOR, DATABASE, as_role, with_database

SERVICES = ("identity", "exemption", "graduation", "payment", "notification")  # in the order they are started
SANDBOX = "sandbox"


def existing_services() -> tuple[str, ...]:
    return tuple(name for name in SERVICES if (CHECKOUT / "services" / name / "main.py").exists())


class Secrets:
    """Generated when first asked for and kept in a file that only we can read, so that a restart finds its data."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._kept: dict[str, str] = json.loads(file.read_text()) if file.exists() else {}

    @property
    def kek(self) -> str:
        return self._of("kek", lambda: base64.b64encode(secrets.token_bytes(32)).decode())

    @property
    def token_keys(self) -> str:
        """A private JWK set: the first key signs, all are published."""
        return self._of("token keys", _new_token_keys)

    @property
    def bootstrap(self) -> str:
        """Makes the first administrator, once."""
        return self._of("bootstrap", secrets.token_urlsafe)

    def of_role(self, role: str) -> str:
        """The password of a database role."""
        return self._of(f"role {role}", secrets.token_urlsafe)

    def of_roles(self, services: Sequence[str]) -> dict[str, str]:
        """What `shared/runtime/database.py` prepares: a role per service, and the auditor's."""
        return {role: self.of_role(role) for role in (*services, AUDITOR)}

    def of_service(self, service: str) -> str:
        """What `service` shows to identity to get its tokens."""
        return self._of(f"service {service}", secrets.token_urlsafe)

    def of_sms(self, provider: str) -> str:
        """What an SMS provider gave us to sign with."""
        return self._of(f"sms {provider}", secrets.token_urlsafe)

    @property
    def of_chsi(self) -> str:
        """What CHSI (学信网) gave us to sign with."""
        return self._of("chsi", secrets.token_urlsafe)

    def _of(self, name: str, generate: Callable[[], str]) -> str:
        if name not in self._kept:
            self._kept[name] = generate()
            draft = self._file.with_suffix(".draft")
            draft.touch(mode=0o600)
            draft.write_text(json.dumps(self._kept, indent=1, sort_keys=True))
            draft.rename(self._file)
        return self._kept[name]


def _new_token_keys() -> str:
    key = OKPKey.generate_key("Ed25519", private=True, parameters={"kid": secrets.token_hex(8)})
    return json.dumps({"keys": [key.as_dict(private=True)]})


@dataclass(frozen=True)
class Surroundings:
    """What all environments are made from."""

    place: Place
    secrets: Secrets
    postgres_admin_url: str
    amqp_url: str
    ports: Mapping[str, int]  # of every process of the stack, by name

    def base_url(self, name: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[name]}"

    def postgres_url(self, role: str) -> str:
        return as_role(with_database(self.postgres_admin_url, DATABASE), role, self.secrets.of_role(role))


def environment_for(name: str, around: Surroundings) -> dict[str, str]:
    """The whole environment of the service or sandbox `name`: the caller's, less what is not its business, and ours."""
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("ZIKAO_")}
    peers = {service: around.base_url(service) for service in around.ports if service != SANDBOX}
    told = {
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
        "ZIKAO_HOST": LOOPBACK,
        "ZIKAO_PORT": str(around.ports[name]),
        "ZIKAO_PEERS": json.dumps(peers),
    }
    if name == SANDBOX:
        told["ZIKAO_SANDBOX_FILE"] = str(_folder(around, SANDBOX) / "messages.jsonl")
    else:
        told |= {
            "ZIKAO_POSTGRES_URL": around.postgres_url(name),
            "ZIKAO_AMQP_URL": around.amqp_url,
            "ZIKAO_KEK": around.secrets.kek,
            "ZIKAO_BLOBS": str(_folder(around, "blobs")),
            "ZIKAO_SERVICE_SECRET": around.secrets.of_service(name),
        }
    if name in (SANDBOX, "notification"):  # the two ends of the same accounts
        told |= {
            "ZIKAO_SMS_ALIYUN_URL": around.base_url(SANDBOX),
            "ZIKAO_SMS_ALIYUN_KEY_ID": "sandbox-aliyun",
            "ZIKAO_SMS_ALIYUN_SECRET": around.secrets.of_sms("aliyun"),
            "ZIKAO_SMS_TENCENT_URL": around.base_url(SANDBOX),
            "ZIKAO_SMS_TENCENT_SECRET_ID": "sandbox-tencent",
            "ZIKAO_SMS_TENCENT_SECRET_KEY": around.secrets.of_sms("tencent"),
            "ZIKAO_SMS_TENCENT_APP_ID": "1400000001",
        }
    if name in (SANDBOX, "identity"):  # and of the account at CHSI
        told |= {
            "ZIKAO_CHSI_URL": around.base_url(SANDBOX) + "/chsi",
            "ZIKAO_CHSI_SECRET": around.secrets.of_chsi,
        }
    if name == SANDBOX and "identity" in around.ports:
        told["ZIKAO_CHSI_CALLBACK_URL"] = around.base_url("identity") + "/v1/chsi/answers"
    if name == "identity":
        told |= {
            "ZIKAO_TOKEN_KEYS": around.secrets.token_keys,
            "ZIKAO_SERVICE_SECRET_DIGESTS": json.dumps({service: _digest(around, service) for service in peers}),
            "ZIKAO_BOOTSTRAP_SECRET": around.secrets.bootstrap,
        }
    optional = {key: os.environ[key] for key in ("ZIKAO_OTLP_ENDPOINT",) if key in os.environ}
    return inherited | optional | told


def _digest(around: Surroundings, service: str) -> str:
    return hashlib.sha256(around.secrets.of_service(service).encode()).hexdigest()


def _folder(around: Surroundings, name: str) -> Path:
    folder = around.place.data / name
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
