"""What only who owns this stack can do: read the phone of the sandbox, and find the answer of a picture captcha.

A person reads the picture. The demonstration cannot, so it takes the stack's own secrets: it looks up the keyed hash
of the answer and tries all answers there are. No door in identity is opened for it.
"""

import base64
import time
from itertools import product
from typing import Any

import asyncpg

from ops.demo.api import Api
from ops.demo.script import shelf
from ops.stack.stack import Stack
from services.identity.domain.scheme import IdentityScheme
from shared.runtime.database import DATABASE, with_database
from shared.runtime.keyring import looked_up, lookup_key

_PATIENCE = 60.0


class Operator:
    def __init__(self, stack: Stack) -> None:
        self._admin_url = with_database(stack.infra.postgres_admin_url, DATABASE)
        self._key = lookup_key(base64.b64decode(stack.secrets.kek))
        self._sandbox = Api(stack.base_url("sandbox"))
        self._rule = shelf().get("platform").part("identity", IdentityScheme).captcha

    async def captcha_answer(self, captcha: str) -> str:
        connection = await asyncpg.connect(self._admin_url)
        try:
            digest = await connection.fetchval("select digest from identity.captchas where captcha = $1", captcha)
        finally:
            await connection.close()
        for letters in product(self._rule.alphabet, repeat=self._rule.length):
            answer = "".join(letters)
            if looked_up(self._key, "captcha", f"{captcha}:{answer}") == digest:
                return answer
        raise LookupError(captcha)

    def sms(self, mobile: str, *, containing: str = "", after: int = 0) -> dict[str, Any]:
        """Wait for a message on the phone; `after` is how many were there before."""
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            for sms in self.received(mobile)[after:]:
                if containing in sms["text"]:
                    return sms
            time.sleep(0.1)
        raise TimeoutError(f"no SMS with {containing}")

    def received(self, mobile: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._sandbox.get("/_control/messages", mobile=mobile)
        return found
