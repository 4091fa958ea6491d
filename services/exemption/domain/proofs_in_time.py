"""What is proved of every book as its windows end, one after the other: nobody waits for ever. Pure.

Called by `ops/schemes/proving.py`, beside `proofs.py`, whose walk has a window open wherever one is needed. Here each
window ends once, in every order that a cycle may have, and none is extended; what the clock does when it ends is done.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from services.exemption.domain.access import results_are_visible
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Draft,
    Granted,
    InReview,
    Returned,
    Submitted,
    TurnedDown,
)
from services.exemption.domain.commands import (
    ApplicationCommand,
    ExpireExemption,
    LapseApplication,
    NoteRefund,
    ReviveApplication,
    SettleFee,
    StartApplication,
    SupersedeApplication,
)
from services.exemption.domain.proofs import (
    Situation,
    Trial,
    after,
    circumstances,
    situation_of,
    tries,
)
from services.exemption.domain.sample import APPLICATION as APPLICATION_ID
from services.exemption.domain.sample import CANDIDATE, NOON
from services.exemption.domain.scheme import ExemptionScheme
from shared.kernel.errors import Refused
from shared.schemes.reference import Fault

Over = frozenset[str]
Moment = tuple[Situation, int, Over]
_BY_THE_CLOCK = (LapseApplication, ExpireExemption, ReviveApplication)
_NOBODY_DECIDES = (SupersedeApplication, SettleFee, NoteRefund)
"""What may happen to a case, and may not: that it ends so proves nothing."""


@dataclass
class WalkInTime:
    """Every situation with the windows that are over then, and where people can bring it from there."""

    states: dict[Moment, Application] = field(default_factory=dict)
    steps: dict[Moment, set[Moment]] = field(default_factory=dict)


def faults_in_time(trial: Trial) -> Iterator[Fault]:
    """The laws that a book breaks as its windows end; nothing of one that refuses everybody, which `proofs.py` says."""
    if trial.refusal() is None:
        walk = _walked(trial)
        yield from _left_behind(walk, trial)
        yield from _never_shown(walk, trial)


def _walked(trial: Trial) -> WalkInTime:
    walk, book = WalkInTime(), trial.rules.book
    start = after(APPLICATION.initial, StartApplication(cycle="c"), circumstances(trial, CANDIDATE))
    found: list[tuple[Application, Over]] = [(start, frozenset())]
    while found:
        state, over = found.pop()
        moment = _moment(state, over)
        if moment in walk.states:
            continue
        walk.states[moment], walk.steps[moment] = state, set()
        for command, actor in tries(state, trial):
            if isinstance(command, _BY_THE_CLOCK) or (becomes := _tried(state, command, trial, actor, over)) is None:
                continue
            found.append((becomes, over))
            if not isinstance(command, _NOBODY_DECIDES):
                walk.steps[moment].add(_moment(becomes, over))
        found += [(_ended(state, each, trial, over | {each}), over | {each}) for each in _may_end(book, over)]
    return walk


def _moment(state: Application, over: Over) -> Moment:
    assert isinstance(state, Case)
    return situation_of(state), state.unlocked, over


def _tried(state: Application, command: ApplicationCommand, trial: Trial, actor: str, over: Over) -> Application | None:
    try:
        return after(state, command, circumstances(trial, actor, over))
    except Refused:
        return None


def _ended(state: Application, purpose: str, trial: Trial, over: Over) -> Application:
    """What the clock does to a case when a window ends."""
    command: ApplicationCommand | None = None
    if isinstance(state, AwaitingPayment | InReview | Returned):
        command = LapseApplication(application=APPLICATION_ID, purpose=purpose, due_at=NOON)
    elif isinstance(state, Granted):
        command = ExpireExemption(application=APPLICATION_ID, purpose=purpose, due_at=NOON)
    return after(state, command, circumstances(trial, "timer", over)) if command else state


def _windows(book: ExemptionScheme) -> Over:
    """Those that anything of a case depends on."""
    others = (book.validity, book.payment, book.results, *(stage.starts_after for stage in book.stages))
    onsite = (stage.onsite for stage in book.stages)
    unlocking = book.uniqueness.unlocking if book.uniqueness else None
    said = (book.submit, book.once_resubmitted, unlocking, *others, *onsite)
    return frozenset(each.window for each in said if each)


def _may_end(book: ExemptionScheme, over: Over) -> Iterator[str]:
    """The windows that can be the next to end, in some cycle."""
    for window in _windows(book) - over:
        if all(earlier in over for purpose, earlier in book.outlasting() if purpose == window):
            yield window


def _left_behind(walk: WalkInTime, trial: Trial) -> Iterator[Fault]:
    """Once every window is over, whatever waits can still be ended by somebody.

    What was sent back, where the book lets it not lapse, waits for its candidate and for nobody else.
    """
    book = trial.rules.book
    late = {moment: state for moment, state in walk.states.items() if moment[-1] == _windows(book)}
    waiting = (Draft, Submitted, AwaitingPayment, InReview, *((Returned,) if book.once_resubmitted.lapses else ()))
    can_end = {moment for moment, state in late.items() if not isinstance(state, waiting)}
    grown = True
    while grown:
        more = {moment for moment in late.keys() - can_end if walk.steps[moment] & can_end}
        can_end |= more
        grown = bool(more)
    stuck = {moment[0][1] for moment in late.keys() - can_end}
    for index, state in enumerate(book.states):
        if state.title in stuck:
            yield ("states", index), f"a case in {state.title} can wait for ever, once its windows are over"


def _never_shown(walk: WalkInTime, trial: Trial) -> Iterator[Fault]:
    """SX-E-39: what was decided can be seen at some time."""
    book = trial.rules.book
    if book.results is None:
        return
    decided = {m: state for m, state in walk.states.items() if isinstance(state, Granted | TurnedDown)}
    seen = {m[0][1] for m in decided if results_are_visible(circumstances(trial, CANDIDATE, m[-1]))}
    for title in sorted({m[0][1] for m in decided} - seen):
        yield ("results",), f"{title} can never be seen: the results are over before it is decided"
