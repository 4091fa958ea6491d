"""What a candidate gets before and after handing in: the verdict, and the receipt (申报告知单). Pure shaping."""

from collections.abc import Mapping, Sequence
from typing import Any

from services.exemption.api.shapes import FindingShown, ReceiptItem, ReceiptShown, VerdictShown
from services.exemption.domain.access import Context
from services.exemption.domain.case import Case
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.scheme import Rules
from services.exemption.domain.verdict import Finding
from shared.events.exemption import ApplicationSubmitted
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
    fact = next((each for each in reversed(past) if isinstance(each.event, ApplicationSubmitted)), None)
    said = rules.book.receipt
    if said is None or fact is None:
        raise Refused("exemption.no_receipt")
    event = fact.event
    return ReceiptShown(
        title=said.title,
        number=event.number,
        submission=event.submission,
        submitted_at=fact.meta.at,
        items=[_item(rules, claim, course) for claim in event.claims for course in claim["courses"]],
        notes=[note.text for note in said.notes],
    )


def _item(rules: Rules, claim: Mapping[str, Any], course: Mapping[str, Any]) -> ReceiptItem:
    basis = rules.book.basis(claim["basis"])
    return ReceiptItem(basis=basis.title if basis else "", course_code=course["code"], course=course["name"])
