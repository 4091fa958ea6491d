"""短信验证码: a code that was sent, how long it holds, and what was typed. Used by ACCOUNT."""

import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.identity.domain.scheme import SmsCodeRule
from shared.events.identity import SmsCodeIssued, SmsCodeMistyped
from shared.kernel.errors import Refused
from shared.kernel.time import still_holds


@dataclass(frozen=True)
class IssuedCode:
    """The last code sent; a new one ends the one before."""

    mobile: str
    digest: str
    purpose: str
    expires_at: datetime
    attempts_left: int


@dataclass(frozen=True)
class Asked:
    """What is judged by: the rule, the time, and the keyed hash of the code in the command."""

    rule: SmsCodeRule
    now: datetime
    digest: str

    def issued(self, mobile: str, code: str, purpose: str) -> SmsCodeIssued:
        return SmsCodeIssued(
            mobile=mobile,
            code=code,
            digest=self.digest,
            purpose=purpose,
            expires_at=self.now + timedelta(seconds=self.rule.valid_seconds),
            attempts=self.rule.attempts,
        )

    def holds(self, code: IssuedCode, purpose: str) -> bool:
        held = still_holds(code.expires_at, timedelta(seconds=self.rule.valid_seconds), self.now)
        return code.purpose == purpose and code.attempts_left > 0 and held

    def is_right(self, code: IssuedCode) -> bool:
        return hmac.compare_digest(code.digest.encode(), self.digest.encode())

    def typed(self, code: IssuedCode | None, purpose: str) -> list[SmsCodeMistyped]:
        """Nothing if the code was right."""
        if code is None or not self.holds(code, purpose):
            raise Refused("identity.sms_code_expired")
        if self.is_right(code):
            return []
        return [SmsCodeMistyped(purpose=purpose, attempts_left=code.attempts_left - 1)]
