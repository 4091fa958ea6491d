"""The offices of the demonstration: an administrator, the organisations, and the people who work there.

Made once and remembered beside the stack's data (readable by its owner only), so a second run finds them again.
"""

import asyncio
import json
import secrets
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyotp

from ops.demo.api import Api
from ops.demo.script import Organisation, Position
from ops.first_admin import make_first_administrator
from ops.stack.stack import Stack

ADMINISTRATOR = "demo.administrator"


@dataclass
class Credentials:
    staff: str
    login: str
    password: str
    totp_secret: str


class Office:
    """Signs people in; their passwords and second factors are generated at the first run."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._signed_in: dict[str, tuple[str, float]] = {}
        self._file: Path = stack.place.data / "demo.json"
        self._known: dict[str, Credentials] = (
            {login: Credentials(**kept) for login, kept in json.loads(self._file.read_text()).items()}
            if self._file.exists()
            else {}
        )

    def open(self, organisations: Iterable[Organisation], positions: Iterable[Position]) -> None:
        """Make what is missing, as an administrator would."""
        identity = self._identity()
        if ADMINISTRATOR not in self._known:
            made = asyncio.run(
                make_first_administrator(
                    self._stack.base_url("identity"), self._stack.secrets.bootstrap, ADMINISTRATOR, "样例管理员"
                )
            )
            self._activate(identity, asdict(made))
        identity.sign(self.token(ADMINISTRATOR))
        there = {shown["organisation"] for shown in identity.get("/v1/organisations")["organisations"]}
        for organisation in organisations:
            if organisation.code not in there:
                body = {
                    "organisation": organisation.code,
                    "title": organisation.title,
                    "level": organisation.level,
                    "parent": organisation.parent,
                }
                identity.post("/v1/organisations", body)
        for position in positions:
            if position.login not in self._known:
                added = {"login": position.login, "name": position.name, "organisation": position.organisation}
                invited = identity.post("/v1/staff", added)
                for role, place in position.roles:
                    granted = {"role": role, "organisation": place}
                    identity.post(f"/v1/staff/{invited['staff']}/roles", granted)
                self._activate(identity, invited)

    def next_candidate(self) -> int:
        """How many made-up candidates came before, plus one; remembered, so that each run has a new one."""
        count = self._stack.place.data / "demo.candidates"
        number = int(count.read_text()) + 1 if count.exists() else 1
        count.write_text(str(number))
        return number

    def token(self, login: str) -> str:
        """Signed in, and kept so for as long as the token surely lasts."""
        token, until = self._signed_in.get(login, ("", 0.0))
        if time.monotonic() > until:
            answer = self._sign_in(login)
            token, until = answer["access_token"], time.monotonic() + answer["expires_in"] - 60
            self._signed_in[login] = token, until
        return token

    def id_of(self, login: str) -> str:
        return self._known[login].staff

    def _sign_in(self, login: str) -> dict[str, Any]:
        """With password and one-time code; where a run just before used this code and the next, with a later one."""
        known = self._known[login]
        totp = pyotp.TOTP(known.totp_secret)
        for ahead, pause in ((0, 0), (30, 0), (0, 60)):
            time.sleep(pause)
            code = totp.at(time.time() + ahead)
            body = {"login": login, "password": known.password, "one_time_code": code}
            answer = self._identity().post_unless({"identity.login_wrong"}, "/v1/sessions/staff", body)
            if answer is not None:
                return dict(answer)
        raise PermissionError(login)

    def _activate(self, identity: Api, invited: dict[str, str]) -> None:
        login, code = invited["login"], invited["activation_code"]
        password = secrets.token_urlsafe(16)
        factor = identity.post("/v1/staff/activations", {"login": login, "activation_code": code, "password": password})
        # the code of the step before, so that the present one is left for signing in
        first = pyotp.TOTP(factor["secret"]).at(time.time() - 30)
        identity.post(
            "/v1/staff/activations/confirm", {"login": login, "activation_code": code, "one_time_code": first}
        )
        self._known[login] = Credentials(invited["staff"], login, password, factor["secret"])
        self._file.touch(mode=0o600)
        self._file.write_text(json.dumps({name: asdict(kept) for name, kept in self._known.items()}, indent=1))

    def _identity(self) -> Api:
        return Api(self._stack.base_url("identity"))
