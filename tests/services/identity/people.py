"""Candidates, staff and a clock for the tests that run identity on a real database. Every person here is invented."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import count, product
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pyotp
from joserfc.jwk import KeySet, OKPKey
from pydantic import SecretStr

from services.identity.domain.scheme import IdentityScheme
from services.identity.main import SCHEME, identity, resources
from services.identity.settings import IdentitySettings
from shared.events.identity import SmsCodeIssued
from shared.kernel.values import id_check_digit
from shared.runtime.access import LocalKeySource
from shared.runtime.service import Service
from shared.testing.documents import DOCUMENTS
from shared.testing.services import Web, running

BOOTSTRAP = "bootstrap-secret-for-tests"
SERVICE_SECRET = "service-secret-for-tests"
KEYS = KeySet([OKPKey.generate_key("Ed25519", {"kid": name}, private=True) for name in ("2026-b", "2026-a")])
SETTINGS = IdentitySettings(
    token_keys=SecretStr(json.dumps(KEYS.as_dict(private=True))),
    service_secret_digests={"exemption": sha256(SERVICE_SECRET.encode()).hexdigest()},
    bootstrap_secret=SecretStr(BOOTSTRAP),
    argon2_time_cost=1,
    argon2_memory_kib=32,
)
EASY_PICTURES = SCHEME.model_copy(
    update={"captcha": SCHEME.captcha.model_copy(update={"alphabet": "34ABC", "length": 4})}
)
"""The real book, but pictures that a test can read by trying every answer in no time."""

PASSWORD, NEW_PASSWORD = "correct horse battery", "another long sentence"
_numbers = count(1)


@dataclass
class Clock:
    """Stands still until it is moved."""

    now: datetime = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        self.now += timedelta(**by)


@dataclass
class Person:
    """A made-up candidate."""

    number: int = field(default_factory=lambda: next(_numbers))
    name: str = "𠮷田样本"
    mobile: str = ""

    def __post_init__(self) -> None:
        self.mobile = self.mobile or f"139{self.number:08}"

    @property
    def id_number(self) -> str:
        first = f"11010119900101{self.number:03}"
        return first + id_check_digit(first)

    @property
    def ticket_number(self) -> str:
        return f"0101{self.number:08}"


@dataclass
class Office:
    """Identity at work, and somebody at the counter: `post` and `get` as a browser at `address` sends them."""

    web: Web
    clock: Clock
    address: str = "10.0.0.1"

    @property
    def service(self) -> Service:
        return self.web.service

    async def post(
        self, path: str, body: object = None, token: str = "", key: str = "", **headers: str
    ) -> httpx.Response:
        sent = {"Idempotency-Key": key or str(uuid4()), **_bearer(token), **headers}
        async with self._browser() as browser:
            return await browser.post(path, json={} if body is None else body, headers=sent)

    async def get(self, path: str, token: str = "", **headers: str) -> httpx.Response:
        async with self._browser() as browser:
            return await browser.get(path, headers={**_bearer(token), **headers})

    def _browser(self) -> httpx.AsyncClient:
        transport = httpx.ASGITransport(self.web.app, client=(self.address, 50_000))
        return httpx.AsyncClient(transport=transport, base_url="http://identity")

    async def captcha(self) -> dict[str, str]:
        """A picture that was read rightly: tried against the keyed hash, as only a test can."""
        drawn = (await self.post("/v1/captchas")).json()
        digest = await self.service.pool.fetchval("select digest from captchas where captcha = $1", drawn["captcha"])
        for letters in product(EASY_PICTURES.captcha.alphabet, repeat=EASY_PICTURES.captcha.length):
            answer = "".join(letters)
            if self.service.keyring.hashed("captcha", f"{drawn['captcha']}:{answer}") == digest:
                return {"captcha": drawn["captcha"], "answer": answer.lower()}
        raise AssertionError("no answer fits the picture")

    async def sms_code(self, person: str) -> str:
        """The code in the last message to this person, as notification would read it."""
        async with self.service.reading() as connection:
            facts = await self.service.history(connection, f"account-{person}")
        return str([fact.event.code for fact in facts if isinstance(fact.event, SmsCodeIssued)][-1])

    async def begin(self, person: Person) -> dict[str, str]:
        answer = await self.post("/v1/registrations", {"mobile": person.mobile, **await self.captcha()})
        assert answer.status_code == 201, answer.text
        began: dict[str, str] = answer.json()
        return began

    async def step(self, began: Mapping[str, str], step: str, body: object) -> httpx.Response:
        path = f"/v1/registrations/{began['registration']}/{step}"
        return await self.post(path, body, **{"Registration-Token": began["token"]})

    async def proved(self, person: Person) -> dict[str, str]:
        """Registered up to the password."""
        began = await self.begin(person)
        code = await self.sms_code(began["registration"])
        assert (await self.step(began, "mobile", {"code": code})).status_code == 200
        return began

    async def registered(self, person: Person) -> str:
        """A whole registration; the id of the person."""
        began = await self.proved(person)
        assert (await self.step(began, "password", {"password": PASSWORD})).status_code == 200
        identity = {"name": person.name, "id_number": person.id_number, "ticket_number": person.ticket_number}
        answer = await self.step(began, "identity", identity)
        assert answer.status_code == 201, answer.text
        return began["registration"]

    async def sign_in(self, login: str, password: str = PASSWORD, key: str = "") -> httpx.Response:
        return await self.post("/v1/sessions", {"login": login, "password": password}, key=key)

    async def signed_in(self, person: Person) -> dict[str, Any]:
        answer = await self.sign_in(person.mobile)
        assert answer.status_code == 201, answer.text
        tokens: dict[str, Any] = answer.json()
        return tokens

    # --- staff

    async def activated(self, invitation: Mapping[str, str]) -> "Official":
        """From the activation code to an account that works."""
        known = {"login": invitation["login"], "activation_code": invitation["activation_code"]}
        answer = await self.post("/v1/staff/activations", {**known, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        official = Official(self, invitation["staff"], invitation["login"], answer.json()["secret"])
        confirm = await self.post("/v1/staff/activations/confirm", {**known, "one_time_code": official.code()})
        assert confirm.status_code == 204, confirm.text
        return official

    async def first_administrator(self) -> "Official":
        body = {"secret": BOOTSTRAP, "login": "first", "name": "样本首任"}
        answer = await self.post("/v1/first-administrator", body)
        assert answer.status_code == 201, answer.text
        return await self.activated(answer.json())


@dataclass
class Official:
    """A member of staff with an authenticator."""

    office: Office
    id: str
    login: str
    secret: str

    def code(self) -> str:
        """The next code nobody has used: time goes on by a step."""
        self.office.clock.move(seconds=30)
        return pyotp.TOTP(self.secret).at(self.office.clock.now)

    async def sign_in(self, password: str = PASSWORD, code: str = "") -> httpx.Response:
        body = {"login": self.login, "password": password, "one_time_code": code or self.code()}
        return await self.office.post("/v1/sessions/staff", body)

    async def token(self) -> str:
        answer = await self.sign_in()
        assert answer.status_code == 201, answer.text
        return str(answer.json()["access_token"])

    async def add_staff(self, login: str, organisation: str) -> "Official":
        body = {"login": login, "name": "样本职员", "organisation": organisation}
        answer = await self.office.post("/v1/staff", body, await self.token())
        assert answer.status_code == 201, answer.text
        return await self.office.activated(answer.json())

    async def grant(self, other: "Official", role: str, organisation: str) -> httpx.Response:
        body = {"role": role, "organisation": organisation}
        return await self.office.post(f"/v1/staff/{other.id}/roles", body, await self.token())

    async def add_organisation(
        self, organisation: str, level: str, parent: str | None = None, title: str = "样本机构"
    ) -> httpx.Response:
        body: dict[str, object] = {
            "organisation": organisation,
            "title": title,
            "level": level,
            "parent": parent,
            "phones": [],
        }
        return await self.office.post("/v1/organisations", body, await self.token())


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"} if token else {}


@asynccontextmanager
async def open_office(
    database: str,
    folder: Path,
    clock: Clock | None = None,
    *,
    scheme: IdentityScheme = EASY_PICTURES,
    settings: IdentitySettings = SETTINGS,
) -> AsyncIterator[Office]:
    """Identity on `database`; opened again on the same one, it is the same service after a restart."""
    clock = clock or Clock()
    async with running(
        identity(scheme),
        database,
        folder,
        clock=clock,
        resources=resources(scheme, settings, documents=DOCUMENTS),
        key_source=LocalKeySource(settings.signing_keys),
    ) as web:
        yield Office(web, clock)
