"""What came of a step of a story, compared with what the story says. Made by `playing.py`, told by `performing.py`;
`explained.py` tells a refusal as it is told here."""

from collections.abc import Iterator
from dataclasses import dataclass

from ops.schemes.stories import MAY_BE_HANDED_IN, Then
from services.exemption.domain.refusals import said
from services.exemption.domain.verdict import Finding
from shared.kernel.errors import Refused
from shared.kernel.values import yuan


@dataclass(frozen=True)
class Outcome:
    """What came of a step."""

    state: str
    refused: str = ""
    code: str = ""
    told: tuple[str, ...] = ()
    waits_for: str = ""
    courses: tuple[str, ...] = ()
    clauses: tuple[str, ...] = ()
    number: str = ""
    due: int = 0
    back: tuple[int, ...] = ()
    verdict: tuple[Finding, ...] | None = None  # what speaks against it; None: nobody asked

    def faults(self, then: Then) -> Iterator[str]:
        """Where it is not what a story says."""
        if then.refused is None and self.refused:
            yield f"refused: {self.refused} ({self.code})"
        elif then.refused is not None and then.refused not in self.refused and then.refused != self.code:
            yield f"expected a refusal with “{then.refused}”, but {self.refused or f'it was accepted: {self.state}'}"
        if then.state is not None and not self.refused and then.state != self.state:
            yield f"expected {then.state}, but it is {self.state}"
        for each in then.told:
            if not any(each in told for told in self.told):
                yield f"expected “{each}” to be told, but {'、'.join(self.told) or 'nothing'} was"
        if then.waits_for is not None and then.waits_for != self.waits_for:
            yield f"expected to wait for {then.waits_for}, but it waits for {self.waits_for or 'nobody'}"
        if then.courses is not None and then.courses != self.courses:
            yield f"expected the courses {'、'.join(then.courses)}, but they are {'、'.join(self.courses) or 'none'}"
        if then.due is not None and then.due != self.due:
            yield f"expected {yuan(then.due)} to be due, but it is {yuan(self.due)}"
        if then.back is not None and then.back != self.back:
            yield f"expected {_sums(then.back)} to go back, but it is {_sums(self.back)}"
        if then.number is not None and then.number != self.number:
            yield f"expected the number {then.number}, but it is {self.number or 'none'}"
        if then.verdict is not None:
            yield from self._faults_of_verdict(then.verdict)

    def _faults_of_verdict(self, expected: tuple[str, ...]) -> Iterator[str]:
        found = self.verdict or ()
        if self.verdict is None:
            yield "结论 is what comes of 预审"
        for each in expected:
            if not any(_says(finding, each) for finding in found):
                rest = "；".join(told_finding(finding) for finding in found) or MAY_BE_HANDED_IN
                yield f"expected “{each}” in the verdict, but it is: {rest}"
        for finding in found:
            if not any(_says(finding, each) for each in expected):
                yield f"the verdict also has: {told_finding(finding)}"


def _sums(back: tuple[int, ...]) -> str:
    return "、".join(map(yuan, back)) or "nothing"


def whole(refused: Refused) -> str:
    """A refusal with everything it lists, in Chinese."""
    listed = "".join(f" {each['label']}：{each['zh']}" for each in refused.facts.get("faults", ()))
    return said(refused)[0] + listed


def told_finding(finding: Finding) -> str:
    """What it is about, what is wrong, and by which rule."""
    zh, _ = finding.texts()
    label = finding.label or finding.about
    return f"{label}：{zh} ({finding.code}, {finding.rule})"


def _says(finding: Finding, words: str) -> bool:
    zh, _ = finding.texts()
    return words in f"{finding.label or finding.about}：{zh}" or words in {finding.code, finding.rule, finding.about}
