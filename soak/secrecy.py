"""Whatever a stack wrote about itself, searched for whatever is personal or secret of whoever was in the run.

`running.py` asks it for the soak's verdict, and the tests when a stack of theirs ends and in between.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from ops.demo.candidate import PASSWORD, Candidate
from ops.demo.script import scripts
from ops.stack.environment import SANDBOX
from ops.stack.stack import Stack

NOTES = (
    "末位没有字母",
    "材料真实有效",
    "请重新拍摄",
    "漏选一门课程",
    "材料齐全",
    "证书信息与照片一致",
    "成绩与成绩单相符",
)
"""Of what the reviewers of the stories write."""
STAFF = (*(each.name for script in scripts().values() for each in script.people), "样例管理员", "首任管理员")
NAMES = tuple(script.candidate for script in scripts().values())
_NOTHING: Mapping[str, str] = MappingProxyType({})
_ALONE = r"(?<![\w.\[]){}(?![\w.])"
"""A code of six digits by itself: not a part of a time, an id or a longer number, nor a process in brackets."""


def written(stack: Stack) -> dict[str, str]:
    """Every file among the logs: services, replicas, sandbox, PostgreSQL, RabbitMQ."""
    return {str(path): path.read_text(errors="replace") for path in _files_in(stack.place.logs)}


def _files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def received(stack: Stack) -> list[dict[str, Any]]:
    """Every SMS; from the file, which outlives the sandbox."""
    file = Path(stack.programs[SANDBOX].environment["ZIKAO_SANDBOX_FILE"])
    return [json.loads(line) for line in file.read_text("utf-8").splitlines()] if file.exists() else []


def personal(stack: Stack) -> set[str]:
    """Of everybody who was in this run: names, ID numbers, mobiles, certificate numbers, what was sent to them and what
    was written about them; and the secrets of staff and of the stack itself."""
    data = stack.place.data
    met = data / "demo.candidates"
    candidates = [Candidate(number=number) for number in range(1, int(met.read_text()) + 1)] if met.exists() else []
    known = data / "demo.json"
    staff = json.loads(known.read_text()).values() if known.exists() else ()
    return {
        *(sms[what] for sms in received(stack) for what in ("mobile", "text")),
        *(value for who in candidates for value in who.facts().values()),
        *NAMES,
        *(each[what] for each in staff for what in ("password", "totp_secret")),
        *json.loads((data / "secrets.json").read_text()).values(),
        *STAFF,
        *NOTES,
        PASSWORD,
    }


def codes(stack: Stack) -> set[str]:
    """What proves a mobile number: six digits, which are looked for where they stand alone."""
    return {sms["parameters"]["code"] for sms in received(stack) if "code" in sms["parameters"]}


def spelled(value: str) -> set[str]:
    """As a log might write it: as it is, in lower case, with the escapes of JSON, Python and URLs."""
    return {value, value.lower(), json.dumps(value)[1:-1], ascii(value)[1:-1], quote(value, safe="")}


def leaks(stack: Stack, *more: str, besides: Mapping[str, str] = _NOTHING) -> list[tuple[str, str]]:
    """Where something stands that should not, and what; `more` is what a caller knows to be personal, `besides` what
    the stack told somewhere else."""
    told = written(stack) | dict(besides)
    forms = {form for value in personal(stack) | set(more) for form in spelled(value)}
    found = [(name, form) for name, text in told.items() for form in forms if form in text]
    if known := codes(stack):
        alone = re.compile(_ALONE.format(f"(?:{'|'.join(sorted(known))})"))
        found += [(name, code) for name, text in told.items() for code in set(alone.findall(text))]
    return found
