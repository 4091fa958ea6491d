"""Whatever the stack wrote about itself, searched for whatever is personal or secret of whoever was in the run."""

import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import httpx

from ops.demo.candidate import PASSWORD, Candidate
from ops.stack.stack import Stack
from tests.journeys.collector import Collector

NOTES = ("末位没有字母", "材料真实有效")
"""Of what the reviewers of the story write."""
STAFF = ("样例初审员", "样例复核员", "样例考试院经办", "样例管理员", "首任管理员")


def written(stack: Stack, collector: Collector) -> dict[str, str]:
    """Every file among the logs (services, replicas, sandbox, PostgreSQL, RabbitMQ), and every span."""
    logs = {str(path): path.read_text(errors="replace") for path in files_in(stack.place.logs)}
    return logs | {"spans": "\n".join(f"{told.service} {told.span}" for told in list(collector.spans))}


def files_in(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def personal(stack: Stack) -> set[str]:
    """Of everybody who was in this run, on whichever journey; and the secrets of the stack itself."""
    received = httpx.get(f"{stack.base_url('sandbox')}/_control/messages").json()
    count = int((stack.place.data / "demo.candidates").read_text())
    candidates = [Candidate(number=number) for number in range(1, count + 1)]
    staff = json.loads((stack.place.data / "demo.json").read_text()).values()
    return {
        *(sms[what] for sms in received for what in ("mobile", "text")),
        *(value for who in candidates for value in (who.name, who.id_number, who.certificate_number, who.mobile)),
        *(each[what] for each in staff for what in ("password", "totp_secret")),
        *json.loads((stack.place.data / "secrets.json").read_text()).values(),
        *STAFF,
        *NOTES,
        PASSWORD,
    }


def spelled(value: str) -> set[str]:
    """As a log might write it: as it is, in lower case, with the escapes of JSON, Python and URLs."""
    return {value, value.lower(), json.dumps(value)[1:-1], ascii(value)[1:-1], quote(value, safe="")}


def leaks(stack: Stack, collector: Collector, *more: str) -> list[tuple[str, str]]:
    """What stands where it should not; `more` is what a test knows besides."""
    forms = {form for value in personal(stack) | set(more) for form in spelled(value)}
    return [(name, form) for name, text in written(stack, collector).items() for form in forms if form in text]
