"""前置学历 the states of a record of prior education, and what a decision about it may know. Pure.

Decided in `education.py`; what CHSI (学信网) says of it in `chsi_answers.py`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, ClassVar

from services.identity.domain import education_rules as laws
from services.identity.domain.followed import Cycle, Unknown

NO_ANSWER, ERASED = "no_answer", "erased"


@dataclass(frozen=True)
class Record:
    """What every state of a record has."""

    candidate: str
    cycle: str
    scheme: str
    form: Mapping[str, str] = field(default_factory=dict)
    handed_in: Mapping[str, str] = field(default_factory=dict)  # the form of the last submission
    submissions: int = 0
    attempts: int = 0
    requests: Mapping[str, int] = field(default_factory=dict)  # what CHSI was asked under -> for which submission
    answers: Mapping[str, tuple[Mapping[str, Any], ...]] = field(default_factory=dict)  # request -> what it said
    disputed: str | None = None  # under which request CHSI said two things, until a clerk has settled it

    @property
    def erased(self) -> bool:
        """Of a record that was handed in: nobody can read it any more."""
        return not self.form


@dataclass(frozen=True)
class NotStarted:
    state_title: ClassVar[str] = "未填写"


@dataclass(frozen=True)
class Draft:
    state_title: ClassVar[str] = "保存"
    record: Record


@dataclass(frozen=True)
class Submitted:
    """To be asked about, for the first time or anew, at `due_at`."""

    state_title: ClassVar[str] = "提交"
    record: Record
    due_at: datetime
    failures: int = 0


@dataclass(frozen=True)
class Checking:
    """Asked under `request`. `taken`: CHSI has the query; until then we only know that we called."""

    state_title: ClassVar[str] = "学信网验"
    record: Record
    request: str
    tried_at: datetime
    ask_at: datetime
    failures: int
    taken: bool = False
    asked: int = 0
    absent: int = 0
    looked: int = 0


@dataclass(frozen=True)
class Unresolved:
    """Handed in, and nobody can tell; an answer may still come."""

    state_title: ClassVar[str] = "学信网验（无结果）"
    record: Record
    reason: str


@dataclass(frozen=True)
class Effective:
    state_title: ClassVar[str] = "生效"
    record: Record


@dataclass(frozen=True)
class NotEffective:
    state_title: ClassVar[str] = "未生效"
    record: Record
    reason: str
    differences: Mapping[str, Any]


Started = Draft | Submitted | Checking | Unresolved | Effective | NotEffective
Education = NotStarted | Started


@dataclass(frozen=True)
class EducationContext:
    """What a decision may know besides the past."""

    now: datetime
    actor: str
    rules: laws.Rules
    cycle: Cycle | Unknown = Unknown()  # noqa: RUF009 - frozen and empty
    holder: str = ""  # in whose name the account is
    new_request: str = ""
    roles: frozenset[tuple[str, str]] = frozenset()  # (role, organisation) of a clerk
