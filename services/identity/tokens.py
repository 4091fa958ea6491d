"""Access tokens: signed here, verified by every service alone (`shared/runtime/access.py`). Called by `api/`."""

import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

from joserfc import jwt

from services.identity.settings import IdentitySettings
from shared.kernel.errors import Refused
from shared.runtime.access import ALGORITHM, ISSUER, public_keys

PASSWORD, PASSWORD_AND_CODE, REGISTRATION = "password", "password+one_time_code", "registration"
"""How somebody signed in: the claim `acr`."""
OWN = "identity"


@dataclass(frozen=True)
class Bearer:
    """Whom a token speaks for; `roles` are read anew for each token, so a revoked one ends with the token.

    `bound`: the account serves nothing but being verified yet, so no other service takes the token (SX-E-08).
    """

    person: str
    kind: str
    session: str
    roles: Iterable[tuple[str, str]]
    bound: bool = False
    by: str = PASSWORD


class Tokens:
    def __init__(self, settings: IdentitySettings) -> None:
        self._keys = settings.signing_keys
        self._audiences = settings.audiences
        self._secret_digests = settings.service_secret_digests

    @property
    def published(self) -> Mapping[str, Any]:
        return public_keys(self._keys)

    def for_person(self, bearer: Bearer, at: datetime, seconds: int) -> str:
        claims = {
            "sub": bearer.person,
            "kind": bearer.kind,
            "aud": [OWN] if bearer.bound else list(self._audiences),
            "roles": sorted([role, organisation] for role, organisation in bearer.roles),
            "sid": bearer.session,
            "acr": PASSWORD_AND_CODE if bearer.kind == "staff" else bearer.by,
        }
        return self._signed(claims, at, seconds)

    def for_service(self, service: str, secret: str, audience: str, at: datetime, seconds: int) -> str:
        """A service's token is good for the one service it asked for."""
        digest = sha256(secret.encode()).hexdigest()
        known = self._secret_digests.get(service, "")
        if not hmac.compare_digest(digest.encode(), known.encode()):
            raise Refused("identity.service_secret_wrong")
        if audience not in self._audiences:
            raise Refused("identity.no_such_audience", audience=audience)
        return self._signed({"sub": service, "kind": "service", "aud": [audience], "roles": []}, at, seconds)

    def _signed(self, claims: Mapping[str, Any], at: datetime, seconds: int) -> str:
        key = self._keys.keys[0]
        issued = int(at.timestamp())
        whole = {**claims, "iss": ISSUER, "iat": issued, "exp": issued + seconds, "jti": str(uuid4())}
        return jwt.encode({"alg": ALGORITHM, "kid": key.kid, "typ": "JWT"}, whole, key, algorithms=[ALGORITHM])
