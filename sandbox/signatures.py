"""How the two SMS providers check a request: written from their rules, apart from the code that signs for us.

`sms.py` calls it. A request passes only with the right key, untouched headers and body, a fresh time and a new nonce.
"""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl, quote

_ACS3 = re.compile(r"ACS3-HMAC-SHA256 Credential=([^,]+),SignedHeaders=([^,]+),Signature=([0-9a-f]{64})")
_TC3 = re.compile(
    r"TC3-HMAC-SHA256 Credential=([^/,]+)/(\d{4}-\d\d-\d\d)/([a-z]+)/tc3_request, ?"
    r"SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})"
)
ACS3_WINDOW = timedelta(minutes=15)
TC3_WINDOW = timedelta(minutes=5)


class NotAuthentic(Exception):
    """`code` is the provider's own error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Request:
    """What arrived. Header names are lower-case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass
class Acs3:
    """Aliyun, signature version 3."""

    key_id: str
    secret: str
    _nonces: dict[str, datetime] = field(default_factory=dict)

    def check(self, request: Request, now: datetime) -> None:
        headers = request.headers
        found = _ACS3.fullmatch(headers.get("authorization", ""))
        if not found:
            raise NotAuthentic("IncompleteSignature", "The request signature does not conform to Aliyun standards.")
        key_id, signed, signature = found.groups()
        if key_id != self.key_id:
            raise NotAuthentic("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
        names = signed.split(";")
        must = {"host", *(name for name in headers if name.startswith("x-acs-"))}
        if names != sorted(names) or not must <= set(names):
            raise NotAuthentic("IncompleteSignature", "host and every x-acs- header must be signed, in order.")
        digest = hashlib.sha256(request.body).hexdigest()
        if headers.get("x-acs-content-sha256") != digest:
            raise NotAuthentic("InvalidContentSha256", "x-acs-content-sha256 is not the digest of the body.")
        expected = self._signature(request, names, digest)
        if not hmac.compare_digest(expected, signature):
            raise NotAuthentic("SignatureDoesNotMatch", "Specified signature is not matched with our calculation.")
        self._must_be_fresh(headers, now)

    def _signature(self, request: Request, names: list[str], digest: str) -> str:
        lines = "".join(f"{name}:{request.headers.get(name, '').strip()}\n" for name in names)
        canonical = "\n".join(
            [request.method, request.path, _sorted_query(request.query), lines, ";".join(names), digest]
        )
        to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(canonical.encode()).hexdigest()
        return hmac.new(self.secret.encode(), to_sign.encode(), hashlib.sha256).hexdigest()

    def _must_be_fresh(self, headers: Mapping[str, str], now: datetime) -> None:
        try:
            at = datetime.strptime(headers["x-acs-date"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        except (KeyError, ValueError):
            raise NotAuthentic("InvalidTimeStamp.Format", "Specified time stamp is not well formatted.") from None
        if abs(now - at) > ACS3_WINDOW:
            raise NotAuthentic("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired.")
        nonce = headers.get("x-acs-signature-nonce", "")
        self._nonces = {known: when for known, when in self._nonces.items() if now - when <= 2 * ACS3_WINDOW}
        if not nonce or nonce in self._nonces:
            raise NotAuthentic("SignatureNonceUsed", "Specified signature nonce was used already.")
        self._nonces[nonce] = now


@dataclass(frozen=True)
class Tc3:
    """Tencent Cloud, signature version 3."""

    secret_id: str
    secret_key: str
    service: str = "sms"

    def check(self, request: Request, now: datetime) -> None:
        headers = request.headers
        found = _TC3.fullmatch(headers.get("authorization", ""))
        if not found:
            raise NotAuthentic("AuthFailure.InvalidAuthorization", "The Authorization header is malformed.")
        secret_id, day, service, signed, signature = found.groups()
        if secret_id != self.secret_id:
            raise NotAuthentic("AuthFailure.SecretIdNotFound", "The SecretId is not found.")
        try:
            at = datetime.fromtimestamp(int(headers["x-tc-timestamp"]), UTC)
        except (KeyError, ValueError, OverflowError):
            raise NotAuthentic("MissingParameter", "X-TC-Timestamp is missing.") from None
        if abs(now - at) > TC3_WINDOW:
            raise NotAuthentic("AuthFailure.SignatureExpire", "The signature is expired.")
        names = signed.split(";")
        if service != self.service or day != at.strftime("%Y-%m-%d") or not {"content-type", "host"} <= set(names):
            raise NotAuthentic("AuthFailure.SignatureFailure", "The credential scope or the signed headers are wrong.")
        if not hmac.compare_digest(self._signature(request, names, day), signature):
            raise NotAuthentic("AuthFailure.SignatureFailure", "The provided credentials could not be validated.")

    def _signature(self, request: Request, names: list[str], day: str) -> str:
        lines = "".join(f"{name}:{request.headers.get(name, '').strip().lower()}\n" for name in names)
        digest = hashlib.sha256(request.body).hexdigest()
        canonical = "\n".join([request.method, request.path, request.query, lines, ";".join(names), digest])
        scope = f"{day}/{self.service}/tc3_request"
        hashed = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = "\n".join(["TC3-HMAC-SHA256", request.headers["x-tc-timestamp"], scope, hashed])
        key = f"TC3{self.secret_key}".encode()
        for part in (day, self.service, "tc3_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, to_sign.encode(), hashlib.sha256).hexdigest()


def _sorted_query(query: str) -> str:
    pairs = sorted(parse_qsl(query, keep_blank_values=True))
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
