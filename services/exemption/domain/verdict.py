"""What the rules say of an application, all at once: each rule with what it looked at, and how it came out. Pure.

`hand_in.py` asks every rule through `Findings`; handing in and the verdict before it are the same questions, so what
is promised is what is decided. A rule is a law that raises `Refused`; here that is a finding and not the end.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

from services.exemption.domain.refusals import said
from shared.kernel.errors import Refused

Outcome = Literal["pass", "refuse", "warn"]
T = TypeVar("T")
CALLED = {
    "candidate": "考生",
    "window": "时间段",
    "cycle": "批次",
    "photos": "照片",
    "evidence": "证书",
    "claims": "免考依据",
    "courses": "课程",
    "majors": "专业",
    "organisation": "机构",
}
"""What a rule is about, where that is no field or photograph with a label of its own."""


@dataclass(frozen=True)
class Finding:
    """One rule, asked of one thing. `about` is a field, a photograph, `claims[0].number` and the like."""

    rule: str
    about: str
    label: str
    clause: str
    outcome: Outcome
    inputs: Mapping[str, Any]
    refusal: Refused | None = None
    in_form: bool = False

    @property
    def code(self) -> str | None:
        return self.refusal.code if self.refusal else None

    def texts(self) -> tuple[str, str]:
        """In Chinese and English; nothing to say when it passed."""
        return said(self.refusal) if self.refusal else ("", "")

    def as_fault(self) -> dict[str, Any]:
        assert self.refusal is not None
        zh, en = self.texts()
        return {"field": self.about, "label": self.label, "code": self.refusal.code, "zh": zh, "en": en}


@dataclass
class Findings:
    """Asks rules and remembers the answers. `clause` is where in the book the next questions come from."""

    clause: str = ""
    found: list[Finding] = field(default_factory=list)

    def under(self, clause: str) -> "Findings":
        """The same findings, for rules of another clause."""
        return Findings(clause, self.found)

    def ask(
        self,
        law: Callable[[], T],
        *,
        rule: str,
        about: str,
        label: str = "",
        in_form: bool = False,
        warns: bool = False,
        **inputs: Any,
    ) -> T | None:
        """What the law answers; None when it refuses (or only warns)."""
        label = label or CALLED.get(about, "")
        try:
            answer = law()
        except Refused as refused:
            outcome: Outcome = "warn" if warns else "refuse"
            self.found.append(Finding(rule, about, label, self.clause, outcome, inputs, refused, in_form))
            return None
        self.found.append(Finding(rule, about, label, self.clause, "pass", inputs))
        return answer

    def refuse(self, code: str, *, rule: str, about: str, label: str = "", **facts: Any) -> None:
        """What is wrong as it stands."""
        label = label or CALLED.get(about, "")
        self.found.append(Finding(rule, about, label, self.clause, "refuse", {}, Refused(code, **facts), in_form=True))

    def refusing(self) -> Iterator[Finding]:
        return (each for each in self.found if each.outcome == "refuse")

    def warnings(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(each.code for each in self.found if each.outcome == "warn" and each.code))

    def must_pass(self) -> None:
        """Refused with every fault; a single law that is no fault of a field speaks for itself."""
        wrong = list(self.refusing())
        if len(wrong) == 1 and not wrong[0].in_form and wrong[0].refusal:
            raise wrong[0].refusal
        if wrong:
            raise Refused("exemption.form_wrong", faults=[each.as_fault() for each in wrong], count=len(wrong))
