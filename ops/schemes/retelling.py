"""What a replay found, in words: decisions, what a draft makes of them, and why. Pure; called by `replaying.py`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from services.exemption.domain.case import Application, InReview
from services.exemption.domain.refusals import said as said_in_words
from services.exemption.domain.scheme import Rules
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationRevived,
    CycleWindowEnded,
    ExemptionExpired,
    ExemptionRevoked,
    ReapplicationUnlocked,
    RevivalRefused,
    StagePassed,
    TicketReleased,
    WindowSettled,
)
from shared.kernel.errors import Refused
from shared.kernel.messages import Event
from shared.kernel.values import yuan

_TOLD = {
    "role": "由",
    "fen": "金额",
    "course_codes": "课程",
    "warnings": "提示",
    "reopens": "重审",
    "may_submit_again": "可再申请",
}
"""What of an event is its outcome, besides what its heading says; titles and clauses are words of a book."""


@dataclass(frozen=True)
class Why:
    """One rule of the draft that speaks against what was decided."""

    rule: str
    about: str
    code: str
    text: str
    clause: str
    inputs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """A decision that would be another one; `would_be` is empty when it would be refused."""

    case: str
    step: str
    was: str
    would_be: str
    why: tuple[Why, ...]


def step_of(event: Event) -> str:
    stage, submission = getattr(event, "stage", ""), getattr(event, "submission", None)
    names = {
        ApplicationLapsed: "到期",
        ExemptionExpired: "到期",
        CycleWindowEnded: "到期",
        WindowSettled: "到期",
        ApplicationRevived: "恢复",
        RevivalRefused: "恢复",
        StagePassed: f"{stage}：通过",
        ApplicationReturned: f"{stage}：退回",
        ApplicationRefused: f"{stage}：不通过",
        ReapplicationUnlocked: "解锁",
        TicketReleased: "释放准考证号",
        ExemptionRevoked: "撤销",
    }
    return names.get(type(event), f"提交（第{submission}次）")


@dataclass(frozen=True)
class Happened:
    """An event as far as it is an outcome; the clause is by which book it came, so it does not make a difference."""

    words: str
    clause: str = field(compare=False)

    @classmethod
    def of(cls, event: Event) -> Happened:
        facts = {name: getattr(event, name) for name in event.__struct_fields__}
        facts |= {"fen": yuan(facts["fen"])} if "fen" in facts else {}
        heading = (type(event).__doc__ or "").split(":")[0].format(**facts)
        told = [f"{word} {_plain(facts[name])}" for name, word in _TOLD.items() if facts.get(name) not in (None, ())]
        return cls(f"{heading}（{'，'.join(told)}）" if told else heading, getattr(event, "clause", ""))


def _plain(value: Any) -> str:
    return "、".join(map(str, value)) if isinstance(value, tuple) else str(value)


def told_events(said: Sequence[Happened]) -> str:
    return "；".join(each.words for each in said)


def differences(said: Sequence[Happened], says: Sequence[Happened]) -> Iterator[Why]:
    nothing = Happened("（无）", "")
    for was, would_be in zip_longest(said, says, fillvalue=nothing):
        if was != would_be:
            clause = would_be.clause or was.clause
            yield Why("outcome_must_be_the_same", "outcome", "", f"{was.words} → {would_be.words}", clause)


def no_stage(stage: str, rules: Rules) -> Why:
    clause = rules.clause("stages", source=rules.book.stages[0].source)
    return Why("stage_must_be_there", stage, "exemption.stage_not_open", f"没有“{stage}”环节。", clause)


def refusal(refused: Refused, state: Application, rules: Rules) -> Why:
    stage = rules.book.stage(state.desk.stage) if isinstance(state, InReview) else rules.book.stages[0]
    clause = rules.clause(f"stages[{stage.name}]", source=stage.source)
    return Why("decision_must_be_allowed", stage.name, refused.code, said_in_words(refused)[0], clause)
