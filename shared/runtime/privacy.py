"""Keeps personal data out of logs and traces, whatever a caller passes by mistake. Pure; used by `telemetry.py`.

Two nets: a key named like a personal field loses its value, and a text loses whatever looks like an ID number, a
mobile number or a password in a URL. Ids that only look similar by chance (UUIDs, digests, trace ids) are kept.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

REDACTED = "[redacted]"

_PERSONAL = frozenset(
    {"name", "names", "surname", "mobile", "mobiles", "phone", "phones", "tel", "telephone", "contact", "email"}
    | {"address", "birth", "born", "birthday", "gender", "sex", "passport", "ticket", "certificate"}
    | {"body", "payload", "query", "form", "text", "typed", "note", "notes", "remark", "remarks", "answer"}
    | {"password", "passwd", "pwd", "secret", "secrets", "token", "tokens", "authorization", "cookie", "cookies"}
    | {"otp", "captcha", "kek", "dsn"}
)
"""Any word of a key: `old_mobile` and `mobileNumber` are caught, `hostname` is not."""

_PERSONAL_PAIRS = ("idnumber", "idcard", "idno", "querystring", "smscode", "reasontext", "personname", "freetext")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")

_LOOKS_PERSONAL = re.compile(
    r"(?P<kept>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
    r"|(?<![0-9A-Za-z])(?:[0-9a-f]{64}|[0-9a-f]{32}|[0-9a-f]{16})(?![0-9A-Za-z]))"
    r"|(?P<login>://)[^/\s@]+@"
    r"|(?<!\d)\d{17}[\dXxＸｘ](?!\d)"
    r"|(?<!\d)[1１][3-9３-９]\d[ -]?\d{4}[ -]?\d{4}(?!\d)"
)


def scrubbed(value: Any) -> Any:
    """`value` without what looks personal in it; looks into lists, tuples and mappings too."""
    match value:
        case str():
            return _LOOKS_PERSONAL.sub(_replacement, value)
        case bool() | None:
            return value
        case int() | float():
            return value if scrubbed(str(value)) == str(value) else REDACTED
        case bytes() | bytearray() | memoryview():
            return REDACTED
        case Mapping():
            return redacted(value)
        case list() | tuple() | set() | frozenset():
            return [scrubbed(each) for each in value]
        case _:
            return scrubbed(str(value))


def redacted(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a log line: values of personal keys replaced, the rest scrubbed."""
    return {
        told: REDACTED if personal else scrubbed(value)
        for key, value in fields.items()
        for told, personal in (_told(str(key)),)
    }


@lru_cache(maxsize=1024)
def _told(key: str) -> tuple[str, bool]:
    """The same few keys stand in every line."""
    return scrubbed(key), names_a_person(key)


def names_a_person(key: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(key)]
    return not _PERSONAL.isdisjoint(words) or any(pair in "".join(words) for pair in _PERSONAL_PAIRS)


def _replacement(match: re.Match[str]) -> str:
    if match["kept"] is not None:
        return match[0]
    return f"://{REDACTED}@" if match["login"] is not None else REDACTED
