"""以最后一次提交为准 and its kin: of the applications of one ticket number or person, which one counts. Pure.

HEAD is a stream of its own for each ticket number or person of a jurisdiction, so two submissions that arrive at once
are decided one after the other: the second is tried again and finds the first. `handlers.py` executes it in the
transaction of the submission. A ticket number belongs to the account that identity knows it of; where there is none,
to whoever first handed in with it, for as long as something of theirs counts.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import assert_never

from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Uniqueness
from shared.events.exemption import HeadEvent, HeadReleased, HeadTaken
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.kernel.messages import Command
from shared.schemes.reading import certificate_number


class TakeHead(Command):
    """From now on this application counts; `value` is the ticket number or person, with the jurisdiction."""

    cycle: str
    application: str
    value: str


class ReleaseHead(Command):
    """This application no longer stands in the way of another."""

    cycle: str
    application: str


HeadCommand = TakeHead | ReleaseHead


@dataclass(frozen=True)
class Heads:
    """Cycle -> the application that counts. `candidate` is whose they are; empty where nothing counts."""

    candidate: str = ""
    by_cycle: Mapping[str, str] = field(default_factory=dict)

    @property
    def state_title(self) -> str:
        return f"{len(self.by_cycle)}个批次有有效申请" if self.by_cycle else "无有效申请"


@dataclass(frozen=True)
class HeadContext:
    """What a decision may know besides the past."""

    actor: str
    rules: Rules


def replaced_by(heads: Heads, cycle: str, application: str) -> str | None:
    """The other application that counts in this cycle, if there is one."""
    found = heads.by_cycle.get(cycle)
    return None if found == application else found


def must_be_the_holder(heads: Heads, actor: str, *, known_of_another: bool = False) -> None:
    """SD-46: one ticket number used by two accounts. `known_of_another`: identity knows it of somebody else."""
    if known_of_another or (heads.candidate and heads.candidate != actor):
        raise Refused("exemption.ticket_of_another_account")


def ticket_must_be_of_the_account(typed: str, accounts: str, field: str) -> None:
    """SD-46: who has a ticket number hands in with that one and no other."""
    if accounts and certificate_number(typed) != certificate_number(accounts):
        raise Refused("exemption.not_the_account_holder", field=field)


def must_count(unique: Uniqueness, heads: Heads, cycle: str, application: str) -> None:
    """SD-19: the last one counts whatever there is; by every other rule there is one application only."""
    if unique.rule != "last_submission_wins" and replaced_by(heads, cycle, application) is not None:
        raise Refused("exemption.already_submitted_in_this_cycle", text=unique.text)


def decide(command: HeadCommand, state: Heads, context: HeadContext) -> Sequence[HeadEvent]:
    match command:
        case TakeHead():
            return _take(command, state, context)
        case ReleaseHead():
            if state.by_cycle.get(command.cycle) != command.application:
                return []
            return [HeadReleased(cycle=command.cycle, application=command.application)]
        case _:
            assert_never(command)


def _take(command: TakeHead, state: Heads, context: HeadContext) -> Sequence[HeadEvent]:
    unique = context.rules.book.uniqueness
    assert unique is not None  # nobody asks otherwise
    must_be_the_holder(state, context.actor)
    must_count(unique, state, command.cycle, command.application)
    if state.by_cycle.get(command.cycle) == command.application:
        return []
    return [
        HeadTaken(
            cycle=command.cycle,
            application=command.application,
            candidate=context.actor,
            replaced=replaced_by(state, command.cycle, command.application),
            value=command.value,
            clause=context.rules.clause("uniqueness", source=unique.source),
        )
    ]


def evolve(state: Heads, event: HeadEvent) -> Heads:
    """The past is never refused."""
    match event:
        case HeadTaken():
            return Heads(event.candidate, {**state.by_cycle, event.cycle: event.application})
        case HeadReleased():
            left = {cycle: each for cycle, each in state.by_cycle.items() if cycle != event.cycle}
            return Heads(state.candidate if left else "", left)
        case _:
            assert_never(event)


HEAD: Decider[HeadCommand, Heads, HeadEvent, HeadContext] = Decider("head", Heads(), decide, evolve)
