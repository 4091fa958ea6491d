"""What a candidate gets before and after handing in: the verdict, and the receipt (申报告知单). Pure shaping."""

from collections.abc import Sequence
from typing import Any

from services.exemption.api.shapes import FindingShown, ReceiptShown, VerdictShown
from services.exemption.api.wording import handed_in, receipt_items
from services.exemption.domain.access import Context
from services.exemption.domain.case import Case
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.scheme import Rules
from services.exemption.domain.verdict import Finding
from shared.kernel.errors import Refused
from shared.kernel.messages import Fact


def verdict_shown(case: Case, context: Context) -> VerdictShown:
    found = verdict(case, context)
    return VerdictShown(
        would_be_accepted=all(each.outcome != "refuse" for each in found),
        at=context.now,
        findings=[_shown(each) for each in found],
    )


def _shown(finding: Finding) -> FindingShown:
    zh, en = finding.texts()
    return FindingShown(
        rule=finding.rule,
        about=finding.about,
        label=finding.label,
        outcome=finding.outcome,
        code=finding.code,
        zh=zh,
        en=en,
        inputs=dict(finding.inputs),
        clause=finding.clause,
    )


def receipt_shown(rules: Rules, past: Sequence[Fact[Any]]) -> ReceiptShown:
    """Of what was handed in last."""
    handed, said = handed_in(past), rules.book.receipt
    if said is None or handed is None:
        raise Refused("exemption.no_receipt")
    return ReceiptShown(
        title=said.title,
        number=handed.event.number,
        submission=handed.event.submission,
        submitted_at=handed.at,
        items=receipt_items(rules, handed.case),
        notes=[note.text for note in said.notes],
    )
