"""The signature under what goes to CHSI (学信网) and comes from it: HMAC-SHA256 over method, path, time, nonce, body.

Pure: time and nonce are given. The real interface is not public; ours is described in `sandbox/chsi.py`. `gateways.py`
signs queries and checks what answers them, `api/education.py` checks callbacks.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

FRESH = timedelta(minutes=5)
Fault = Literal["signature_wrong", "call_expired"]


@dataclass(frozen=True)
class Account:
    """The account that CHSI gave us."""

    key_id: str
    secret: str

    def headers(self, method: str, path: str, body: bytes, at: datetime, nonce: str) -> dict[str, str]:
        stamp = str(int(at.timestamp()))
        return {
            "X-Chsi-Key": self.key_id,
            "X-Chsi-Time": stamp,
            "X-Chsi-Nonce": nonce,
            "X-Chsi-Signature": self._signature(method, path, stamp, nonce, body),
        }

    def fault(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], now: datetime, nonce: str | None = None
    ) -> Fault | None:
        """What is wrong with the signature, None if nothing; `nonce`: the one it must carry, where it answers us."""
        stamp, theirs = headers.get("X-Chsi-Time", ""), headers.get("X-Chsi-Nonce", "")
        right = self._signature(method, path, stamp, theirs, body)
        given = headers.get("X-Chsi-Signature", "")
        genuine = hmac.compare_digest(right.encode(), given.encode("utf-8", "replace"))
        if not genuine or headers.get("X-Chsi-Key") != self.key_id or nonce not in (None, theirs):
            return "signature_wrong"
        # genuine, so the stamp is a number
        return "call_expired" if abs(now - datetime.fromtimestamp(int(stamp), UTC)) > FRESH else None

    def _signature(self, method: str, path: str, stamp: str, nonce: str, body: bytes) -> str:
        signed = "\n".join([method, path, stamp, nonce, hashlib.sha256(body).hexdigest()])
        return hmac.digest(self.secret.encode(), signed.encode("utf-8", "replace"), "sha256").hex()
