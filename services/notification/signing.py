"""Request signatures of the two SMS providers: ACS3-HMAC-SHA256 (Aliyun) and TC3-HMAC-SHA256 (Tencent Cloud).

Pure: time and nonce are given. `gateways.py` calls it; the providers' published examples are its test vectors.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import quote


def acs3_headers(
    *,
    key_id: str,
    secret: str,
    host: str,
    action: str,
    version: str,
    body: bytes,
    at: datetime,
    nonce: str,
    query: Mapping[str, str] | None = None,
    content_type: str | None = None,
) -> dict[str, str]:
    """Headers of a POST to `/`: all of them are signed, and so is the body by its digest."""
    digest = _sha256(body)
    headers = {
        "host": host,
        "x-acs-action": action,
        "x-acs-content-sha256": digest,
        "x-acs-date": at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "x-acs-signature-nonce": nonce,
        "x-acs-version": version,
    }
    if content_type:
        headers["content-type"] = content_type
    parameters = "&".join(f"{_encoded(name)}={_encoded(value)}" for name, value in sorted((query or {}).items()))
    canonical, signed = _canonical(headers, parameters, digest)
    signature = _hmac(secret.encode(), f"ACS3-HMAC-SHA256\n{_sha256(canonical.encode())}").hex()
    authorization = f"ACS3-HMAC-SHA256 Credential={key_id},SignedHeaders={signed},Signature={signature}"
    return {**headers, "authorization": authorization}


def tc3_headers(
    *,
    secret_id: str,
    secret_key: str,
    service: str,
    host: str,
    action: str,
    version: str,
    region: str,
    body: bytes,
    at: datetime,
    sign_action: bool = True,
    content_type: str = "application/json; charset=utf-8",
) -> dict[str, str]:
    """Headers of a POST to `/`: content type, host and action are signed, and the body by its digest."""
    stamp = int(at.timestamp())
    day = at.astimezone(UTC).strftime("%Y-%m-%d")
    headers = {"content-type": content_type, "host": host}
    signed_headers = {**headers, "x-tc-action": action.lower()} if sign_action else headers
    canonical, signed = _canonical(signed_headers, "", _sha256(body))
    scope = f"{day}/{service}/tc3_request"
    key = f"TC3{secret_key}".encode()
    for part in (day, service, "tc3_request"):
        key = _hmac(key, part)
    signature = _hmac(key, f"TC3-HMAC-SHA256\n{stamp}\n{scope}\n{_sha256(canonical.encode())}").hex()
    return {
        **headers,
        "x-tc-action": action,
        "x-tc-version": version,
        "x-tc-timestamp": str(stamp),
        "x-tc-region": region,
        "authorization": (
            f"TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={signed}, Signature={signature}"
        ),
    }


def _canonical(headers: Mapping[str, str], query: str, digest: str) -> tuple[str, str]:
    """The canonical request of a POST to `/`, and the list of signed headers."""
    names = sorted(headers)
    lines = "".join(f"{name}:{headers[name].strip()}\n" for name in names)
    signed = ";".join(names)
    return f"POST\n/\n{query}\n{lines}\n{signed}\n{digest}", signed


def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
