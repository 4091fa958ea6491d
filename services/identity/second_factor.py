"""What staff hold besides a password: one-time codes (RFC 6238), and before them an activation code.

Called by `handlers.py` and `api/`.
"""

import base64
import hmac
from collections.abc import Callable
from datetime import datetime

import pyotp

ISSUER = "Zikao"
_STEP_SECONDS = 30
_STEPS_AROUND = (0, -1, 1)


def new_secret() -> str:
    return pyotp.random_base32()


def otpauth_uri(secret: str, login: str) -> str:
    """What an authenticator reads from a picture."""
    return pyotp.TOTP(secret).provisioning_uri(name=login, issuer_name=ISSUER)


def step_of(secret: str, typed: str, at: datetime) -> int | None:
    """The time step whose code was typed, one before or after ours included; each step is good for one use."""
    now = int(at.timestamp()) // _STEP_SECONDS
    codes = pyotp.TOTP(secret, interval=_STEP_SECONDS)
    for step in (now + around for around in _STEPS_AROUND):
        if hmac.compare_digest(codes.at(step * _STEP_SECONDS).encode(), typed.encode()):
            return step
    return None


def activation_code(hashed: Callable[[str, str], bytes], person: str, activation: int) -> str:
    """The code of one activation, made from our own key: a retried request is answered with the same one."""
    text = base64.b32encode(hashed("activation", f"{person}:{activation}")[:10]).decode()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def same_code(right: str, typed: str) -> bool:
    """Hyphens and spaces are for the eye, small letters are what people type."""
    plain = "".join(char for char in typed.upper() if char not in "- ")
    return hmac.compare_digest(right.replace("-", "").encode(), plain.encode())
