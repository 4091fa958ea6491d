"""以最后一次提交为准 and its kin: of the applications of one ticket number or person, which one counts. Pure.

HEAD is a stream of its own for each ticket number or person of a jurisdiction, so two submissions that arrive at once
are decided one after the other: the second is tried again and finds the first. `submitting.py` executes it in the
transaction of the submission. A ticket number belongs to the account that identity knows it of; where there is none,
to whoever first handed in with it, for as long as something of theirs counts and no office took it from them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import assert_never

from services.exemption.domain.case import Case, Expired, Lapsed, NotStarted, Revoked, TurnedDown
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Uniqueness
from shared.events.exemption import HeadEnded, HeadEvent, HeadReleased, HeadTaken, HeadWithdrawn
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


class EndHead(Command):
    """This application came to its end: it holds no ticket number, and still is the one of its candidate."""

    cycle: str
    application: str


class WithdrawHead(Command):
    """An office took the ticket number from whoever handed in with it."""

    cycle: str
    application: str


HeadCommand = TakeHead | ReleaseHead | EndHead | WithdrawHead


@dataclass(frozen=True)
class Heads:
    """Cycle -> the application that counts. `candidate` is whose they are; empty where nothing counts."""

    candidate: str = ""
    by_cycle: Mapping[str, str] = field(default_factory=dict)
    ended: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # cycle -> whose came to its end, and which
    not_of: str = ""  # the account from which an office took it last

    @property
    def state_title(self) -> str:
        return f"{len(self.by_cycle)}个批次有有效申请" if self.by_cycle else "无有效申请"


@dataclass(frozen=True)
class HeadContext:
    """What a decision may know besides the past."""

    actor: str
    rules: Rules
    known_of_actor: bool = False  # identity knows this ticket number of the account itself


def replaced_by(heads: Heads, cycle: str, application: str) -> str | None:
    """The other application that counts in this cycle, if there is one."""
    found = heads.by_cycle.get(cycle)
    return None if found == application else found


def must_be_the_holder(
    heads: Heads, actor: str, *, known_of_actor: bool = False, known_of_another: bool = False
) -> None:
    """SD-46: one ticket number used by two accounts. `known_of_...`: whose identity knows it to be, before all else."""
    of_another = heads.candidate not in ("", actor) or heads.not_of == actor
    if known_of_another or (of_another and not known_of_actor):
        raise Refused("exemption.ticket_of_another_account")


def counted_by_ticket(jurisdiction: str, ticket: str) -> str:
    """What the applications with a ticket number are counted under."""
    return f"{jurisdiction}/ticket_number/{ticket}"


def is_the_accounts(typed: str, accounts: str) -> bool:
    """Whether a ticket number is the one that identity knows of the account."""
    return bool(accounts) and certificate_number(typed) == certificate_number(accounts)


def ticket_must_be_of_the_account(typed: str, accounts: str, field: str) -> None:
    """SD-46: who has a ticket number hands in with that one and no other."""
    if accounts and not is_the_accounts(typed, accounts):
        raise Refused("exemption.not_the_account_holder", field=field)


def must_count(unique: Uniqueness, heads: Heads, cycle: str, application: str, actor: str) -> None:
    """SD-19: the last one counts whatever there is; by every other rule there is one application only of a candidate,
    also when that came to its end."""
    counts = heads.by_cycle.get(cycle) if heads.candidate == actor else None
    whose, ended = heads.ended.get(cycle, ("", ""))
    others = {counts, ended if whose == actor else None} - {None, application}
    if unique.rule != "last_submission_wins" and others:
        raise Refused("exemption.already_submitted_in_this_cycle", text=unique.text)


def settled_by(state: Case | NotStarted, application: str) -> HeadCommand | None:
    """What became of an application, as far as it matters to others of its ticket number or person."""
    match state:
        case Case(cycle=cycle, ticket_released=True):
            return WithdrawHead(cycle=cycle, application=application)
        case TurnedDown(cycle=cycle, may_submit_again=True):
            return ReleaseHead(cycle=cycle, application=application)
        case TurnedDown(cycle=cycle) | Lapsed(cycle=cycle) | Expired(cycle=cycle) | Revoked(cycle=cycle):
            return EndHead(cycle=cycle, application=application)
        case _:
            return None


def decide(command: HeadCommand, state: Heads, context: HeadContext) -> Sequence[HeadEvent]:
    if isinstance(command, TakeHead):
        return _take(command, state, context)
    if state.by_cycle.get(command.cycle) != command.application:
        return []
    match command:
        case ReleaseHead():
            return [HeadReleased(cycle=command.cycle, application=command.application)]
        case EndHead():
            return [HeadEnded(cycle=command.cycle, application=command.application)]
        case WithdrawHead():
            return [HeadWithdrawn(cycle=command.cycle, application=command.application)]
        case _:
            assert_never(command)


def _take(command: TakeHead, state: Heads, context: HeadContext) -> Sequence[HeadEvent]:
    unique = context.rules.book.uniqueness
    assert unique is not None  # nobody asks otherwise
    must_be_the_holder(state, context.actor, known_of_actor=context.known_of_actor)
    must_count(unique, state, command.cycle, command.application, context.actor)
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
    without = {cycle: each for cycle, each in state.by_cycle.items() if cycle != event.cycle}
    match event:
        case HeadTaken():
            others = without if state.candidate == event.candidate else {}
            counting = {**others, event.cycle: event.application}
            ended = {cycle: each for cycle, each in state.ended.items() if cycle != event.cycle}
            return replace(state, candidate=event.candidate, by_cycle=counting, ended=ended)
        case HeadReleased():
            return replace(state, candidate=state.candidate if without else "", by_cycle=without)
        case HeadEnded():
            ended = {**state.ended, event.cycle: (state.candidate, event.application)}
            return replace(state, candidate=state.candidate if without else "", by_cycle=without, ended=ended)
        case HeadWithdrawn():
            return Heads(ended=state.ended, not_of=state.candidate)
        case _:
            assert_never(event)


HEAD: Decider[HeadCommand, Heads, HeadEvent, HeadContext] = Decider("head", Heads(), decide, evolve)
