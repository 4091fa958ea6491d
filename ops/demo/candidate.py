"""The candidate of the demonstration: somebody who does not exist, with papers drawn for the occasion."""

import asyncio
from dataclasses import dataclass
from datetime import date

from ops.demo.api import Api
from ops.demo.operator import Operator
from ops.stack.stack import Stack
from shared.kernel.values import id_check_digit
from shared.testing.pictures import IdCard

PASSWORD = "样张密码-Specimen-2026"  # noqa: S105 - of nobody


@dataclass(frozen=True)
class Candidate:
    """The `number`-th made-up candidate; area 899999 is nobody's."""

    number: int
    name: str = "李晓明"

    @property
    def id_number(self) -> str:
        first = f"899999199903{7 + self.number % 20:02d}{self.number % 1000:03d}"
        return first + id_check_digit(first)

    @property
    def mobile(self) -> str:
        return f"1390000{self.number % 10_000:04d}"

    @property
    def certificate_number(self) -> str:
        return f"9990012023{self.number:010d}"

    @property
    def ticket_number(self) -> str:
        return f"8999{self.number:08d}"

    def id_card(self) -> IdCard:
        born = date(1999, 3, 7 + self.number % 20)
        return IdCard(name=self.name, number=self.id_number, born=born)

    def facts(self) -> dict[str, str]:
        """What stories may put into forms and onto papers."""
        names = ("name", "id_number", "mobile", "ticket_number", "certificate_number")
        return {name: getattr(self, name) for name in names}


class Registration:
    """验证手机号码, 填写账号信息, 验证身份, 完成: the four steps, then signing in."""

    def __init__(self, stack: Stack, operator: Operator, candidate: Candidate) -> None:
        self._identity = Api(stack.base_url("identity"))
        self._operator = operator
        self._candidate = candidate
        self._at = ""
        self.person = ""
        self._headers: dict[str, str] = {}

    def prove_mobile(self) -> None:
        captcha = self._identity.post("/v1/captchas")["captcha"]
        answer = asyncio.run(self._operator.captcha_answer(captcha))
        before = len(self._operator.received(self._candidate.mobile))
        begun = self._identity.post(
            "/v1/registrations", {"mobile": self._candidate.mobile, "captcha": captcha, "answer": answer}
        )
        self.person = begun["registration"]
        self._at = f"/v1/registrations/{self.person}"
        self._headers = {"Registration-Token": begun["token"]}
        sms = self._operator.sms(self._candidate.mobile, containing="验证码", after=before)
        self._step("mobile", {"code": sms["parameters"]["code"]})

    def choose_password(self) -> None:
        self._step("password", {"password": PASSWORD})

    def identify(self, **route: str) -> None:
        """`route`: jurisdiction, route and organisation, where somebody is to be verified by photographs."""
        who = self._candidate
        ticket = {"ticket_number": who.ticket_number} if route else {}
        self._step("identity", {"name": who.name, "id_number": who.id_number, **ticket, **route})

    def sign_in(self) -> str:
        """With the ID number; the token is good for every service."""
        session = self._identity.post(
            "/v1/sessions", {"login": self._candidate.id_number.lower(), "password": PASSWORD}
        )
        return str(session["access_token"])

    def _step(self, name: str, body: dict[str, str]) -> None:
        self._identity.post(f"{self._at}/{name}", body, headers=self._headers)
