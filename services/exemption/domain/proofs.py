"""What is proved of every book before it is used: an invented case is walked through the real decider. Pure.

Called by `ops/schemes/proving.py`. The walk tries every command in every situation that can arise, until no new one
does; so what holds of the walk holds of any case under that book, and not only of a picture we have of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.bases import Basis
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Discarded,
    Draft,
    Expired,
    Granted,
    HandedOff,
    InReview,
    Lapsed,
    Returned,
    Revoked,
    Superseded,
    TurnedDown,
)
from services.exemption.domain.clause_places import place_of
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    DiscardDraft,
    ExpireExemption,
    HandOffRecord,
    LapseApplication,
    NoteRefund,
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    ReviveApplication,
    RevokeExemption,
    SettleFee,
    StartApplication,
    SubmitApplication,
    SupersedeApplication,
    UnlockReapplication,
)
from services.exemption.domain.cycle import Cycle
from services.exemption.domain.followed import Organisation
from services.exemption.domain.hand_in import judged
from services.exemption.domain.refusals import said
from services.exemption.domain.sample import APPLICATION as APPLICATION_ID
from services.exemption.domain.sample import CANDIDATE, NOON, Sample, samples
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.verdict import Finding
from shared.kernel.errors import Refused
from shared.schemes.procedure import Window
from shared.schemes.reference import Fault

UNLOCKER, RELEASER, REVOKER, PAYMENT = "unlocker", "releaser", "revoker", "payment"
Situation = tuple[str, str, str, tuple[str, ...], bool, bool, bool]


@dataclass
class Walk:
    """Every situation that an application can be in, and where each leads."""

    steps: dict[Situation, set[Situation]] = field(default_factory=dict)
    revived: dict[Situation, set[Situation]] = field(default_factory=dict)  # those steps that only an extension makes
    states: dict[Situation, Application] = field(default_factory=dict)
    moves: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)  # title -> who, by what, to which title


@dataclass(frozen=True)
class Trial:
    """A book, and the invented application that is walked through it."""

    rules: Rules
    sample: Sample

    def refusal(self) -> Refused | None:
        """What speaks against the sample."""
        try:
            _after(self._saved(), SubmitApplication(application=APPLICATION_ID), self, CANDIDATE)
        except Refused as refused:
            return refused
        return None

    def against(self) -> list[Finding]:
        """Every rule that does."""
        try:
            saved = self._saved()
        except Refused:
            return []  # it cannot even be kept as a draft
        assert isinstance(saved, Case)
        return list(judged(saved, circumstances(self, CANDIDATE)).findings.refusing())

    def _saved(self) -> Application:
        state = _after(APPLICATION.initial, StartApplication(cycle="c"), self, CANDIDATE)
        return _after(state, self.sample.draft, self, CANDIDATE)


def perfect(rules: Rules, only: Basis | None = None, own_major: str | None = None) -> Trial:
    """The first sample that nothing speaks against; else the one that least does. `own_major` is one that is listed."""
    spoken: list[tuple[int, Trial]] = []
    for sample in samples(rules, only, own_major):
        trial = Trial(rules, sample)
        if (refusal := trial.refusal()) is None:
            return trial
        spoken.append((len(refusal.facts.get("faults", ())) or 1, trial))
    return min(spoken, key=lambda each: each[0])[1]


def faults_of(rules: Rules, trial: Trial | None = None) -> list[Fault]:
    """The laws that a book breaks, and where; empty when every proof holds."""
    try:
        walk = walked(rules, trial)
    except Refused as refused:
        return list(_of_a_perfect_application(trial or perfect(rules), refused))
    return [*broken_laws(walk, rules), *_claimed(rules)]


def _claimed(rules: Rules) -> Iterator[Fault]:
    """Somebody can claim on every basis."""
    for index, basis in enumerate(rules.book.bases):
        trial = perfect(rules, basis)
        if refusal := trial.refusal():
            for path, law in _of_a_perfect_application(trial, refusal):
                yield path if path[:2] == ("bases", index) else ("bases", index), law


def _of_a_perfect_application(trial: Trial, refused: Refused) -> Iterator[Fault]:
    """What a book refuses when everything is as it asks for, at the clause that does; without one, in the file."""
    found = [each for each in trial.against() if each.refusal]
    for each in found:
        yield place_of(trial.rules, each.clause), f"a perfect application is refused: {each.label}: {each.texts()[1]}"
    if not found:
        yield (), f"a perfect application is refused: {refused.code}: {said(refused)[1]}"


def broken_laws(walk: Walk, rules: Rules) -> list[Fault]:
    """What the walk of a case shows to be wrong."""
    return [*_ends(walk, rules), *_stages_kept(walk, rules), *_paid_for(walk, rules), *_reached(walk, rules)]


def _ends(walk: Walk, rules: Rules) -> Iterator[Fault]:
    """Every state can end."""
    steps = _without_extensions(walk)
    decided = {
        situation: {each for each in onward if not isinstance(walk.states[each], _NO_WAY_OUT)}
        for situation, onward in steps.items()
    }
    can_end = {situation for situation, state in walk.states.items() if _is_end(state, decided[situation])}
    grown = True
    while grown:
        more = {situation for situation, onward in steps.items() if onward & can_end} - can_end
        can_end |= more
        grown = bool(more)
    left = steps.keys() - can_end
    stuck = {situation[1] for situation in left if not isinstance(walk.states[situation], _NO_WAY_OUT)}
    for index, state in enumerate(rules.book.states):
        if state.title in stuck:
            yield ("states", index), f"a case in {state.title} can never end"


def _is_end(state: Application, onward: set[Situation]) -> bool:
    """What expired is an end, though an extension would give it back."""
    over = isinstance(state, Discarded | TurnedDown | Expired | Revoked)
    return over or (not onward and isinstance(state, Granted | HandedOff))


_NO_WAY_OUT = (Superseded, Lapsed)
"""Ends that nobody decides: they prove nothing about the states before them, neither that these end nor that not."""


def _stages_kept(walk: Walk, rules: Rules) -> Iterator[Fault]:
    """No way past a review stage, and no two stages by one person where the book keeps them apart."""
    names = {stage.name for stage in rules.book.stages}
    for state in walk.states.values():
        if isinstance(state, Granted | HandedOff):
            if missing := names - set(state.passed):
                yield ("stages",), f"granted without {', '.join(sorted(missing))}"
            if CANDIDATE in state.passed.values():
                yield ("stages",), "granted by the candidate"


def _paid_for(walk: Walk, rules: Rules) -> Iterator[Fault]:
    """No way past payment: nothing is granted, and nothing lies at a stage behind the fee, without all of it."""
    last = rules.book.stages[-1].name
    for state in walk.states.values():
        if isinstance(state, InReview | Granted | HandedOff):
            stage = state.desk.stage if isinstance(state, InReview) else last
            if rules.book.owed_before(stage, len(state.course_codes), state.paid):
                yield ("payment",), f"a case in {state.title} without the fee"


def _without_extensions(walk: Walk) -> dict[Situation, set[Situation]]:
    """That a window may be extended proves nothing: else what expires as it is approved would be approved."""
    return {situation: onward - walk.revived.get(situation, set()) for situation, onward in walk.steps.items()}


def _reached(walk: Walk, rules: Rules) -> Iterator[Fault]:
    steps = _without_extensions(walk)
    found, ahead = set[Situation](), [*walk.steps][:1]  # from where every case begins
    while ahead:
        situation = ahead.pop()
        found.add(situation)
        ahead += steps[situation] - found
    titles = {situation[1] for situation in found}
    for index, state in enumerate(rules.book.states):
        if state.title not in titles:
            yield ("states", index), f"no case is ever in {state.title}"


def walked(rules: Rules, perfect_trial: Trial | None = None) -> Walk:
    """Every situation there is under a book; Refused when a perfect application is not even taken."""
    walk, trial = Walk(), perfect_trial or perfect(rules)
    if refusal := trial.refusal():
        raise refusal
    start = _after(APPLICATION.initial, StartApplication(cycle="c"), trial, CANDIDATE)
    found = [start]
    while found:
        state = found.pop()
        situation = situation_of(state)
        if situation in walk.steps:
            continue
        walk.states[situation] = state
        onward = [(sent, _after(state, sent[0], trial, sent[1])) for sent in tries(state, trial)]
        walk.steps[situation] = {situation_of(each) for _, each in onward} - {situation}
        decided = {situation_of(each) for (command, _), each in onward if not isinstance(command, ReviveApplication)}
        walk.revived[situation] = walk.steps[situation] - decided
        walk.moves.setdefault(situation[1], set()).update(
            (actor, type(command).__name__, situation_of(each)[1]) for (command, actor), each in onward
        )
        found += [each for _, each in onward]
    return walk


def situation_of(state: Application) -> Situation:
    assert isinstance(state, Case)
    stage = state.desk.stage if isinstance(state, InReview) else state.resume_at if isinstance(state, Returned) else ""
    if isinstance(state, AwaitingPayment | Lapsed) and state.due:
        stage = state.due.stage
    if isinstance(state, Lapsed):
        stage = f"{type(state.before).__name__} {stage}"  # what an extension makes of it
    known = (isinstance(state, HandedOff) and state.reference is not None) or bool(state.form)
    passed = tuple(sorted(state.passed))
    return (type(state).__name__, state.title, stage, passed, known, bool(state.paid), state.ticket_released)


def tries(state: Application, trial: Trial) -> Iterator[tuple[ApplicationCommand, str]]:
    """What may be tried in a state, and by whom; a stage is decided by a person of its own."""
    book = trial.rules.book
    if isinstance(state, Draft | Returned):
        yield trial.sample.draft, CANDIDATE
        if state.form:
            yield SubmitApplication(application=APPLICATION_ID), CANDIDATE
    if isinstance(state, Draft):
        yield DiscardDraft(application=APPLICATION_ID), CANDIDATE
    if isinstance(state, InReview):
        stage = book.stage(state.desk.stage)
        yes = {item.id: True for item in stage.checklist}
        about = book.documents(state.bases)
        if not state.ticket_released:
            yield PassStage(application=APPLICATION_ID, stage=stage.name, checklist=yes), f"by-{stage.name}"
        for reason in stage.reasons:
            back = ReturnApplication(
                application=APPLICATION_ID,
                stage=stage.name,
                reason_code=reason.code,
                note=reason.text,
                document=reason.document if reason.document in about else min(about),
            )
            yield back, f"by-{stage.name}"
        for refusing in stage.refuse_reasons:
            no = RefuseApplication(
                application=APPLICATION_ID, stage=stage.name, reason_code=refusing.code, note=refusing.text
            )
            yield no, f"by-{stage.name}"
    yield from _tries_besides(state, book)
    yield from _money(state)
    if book.hand_off and isinstance(state, Granted):
        yield HandOffRecord(batch="b", receiver=book.hand_off.receiver_scope), "sender"
    if isinstance(state, HandedOff) and state.reference is None:
        yield AcknowledgeRecord(batch="b", reference="r"), "receiver"


def _money(state: Application) -> Iterator[tuple[ApplicationCommand, str]]:
    """What payment may tell: the right amount, too much, too late; and that what a review rests on is gone."""
    if isinstance(state, AwaitingPayment | Lapsed) and state.due:
        due, order = state.due.fen, f"order-{len(state.orders)}"
        for fen, late in ((due, False), (due + 1, False), (due, True)):
            at = NOON + timedelta(days=9 if late else -1)  # while every window was open, or when every one is over
            yield SettleFee(application=APPLICATION_ID, order=order, fen=fen, paid_at=at), PAYMENT
    if isinstance(state, InReview):
        for name, paid in state.orders.items():
            gone = NoteRefund(application=APPLICATION_ID, order=name, fen=paid.fen, refunded_at=NOON)
            yield gone, PAYMENT


def _tries_besides(state: Application, book: ExemptionScheme) -> Iterator[tuple[ApplicationCommand, str]]:
    """What the book's terms lead to: unlocked, its ticket released, superseded, lapsed, expired, revived, revoked."""
    unique, revocation = book.uniqueness, book.revocation
    unlocking = unique.unlocking if unique else None
    if unique and unlocking and isinstance(state, AwaitingPayment | InReview) and state.unlocked < (unique.times or 0):
        seen = {item.id: True for item in unlocking.seen}
        reason = unlocking.reasons[0]
        yield UnlockReapplication(application=APPLICATION_ID, seen=seen, reason_code=reason.code, note="x"), UNLOCKER
    counting, release = AwaitingPayment | InReview | Returned | Granted, unique.release if unique else None
    if release and isinstance(state, counting | HandedOff) and not state.ticket_released:
        seen = {item.id: True for item in release.seen}
        reason = release.reasons[0]
        yield ReleaseTicket(application=APPLICATION_ID, seen=seen, reason_code=reason.code, note="x"), RELEASER
    if unique and unique.rule == "last_submission_wins" and isinstance(state, counting):
        yield SupersedeApplication(by="another"), CANDIDATE
    for window in book.windows:
        if isinstance(state, AwaitingPayment | InReview | Returned):
            yield LapseApplication(application=APPLICATION_ID, purpose=window.id, due_at=NOON), "timer"
        if isinstance(state, Granted):
            yield ExpireExemption(application=APPLICATION_ID, purpose=window.id, due_at=NOON), "timer"
    if isinstance(state, Lapsed | Expired):
        yield ReviveApplication(application=APPLICATION_ID, purpose=state.purpose), "timer"
    if revocation and isinstance(state, Granted | HandedOff):
        reason = revocation.reasons[0]
        yield RevokeExemption(application=APPLICATION_ID, reason_code=reason.code, note="x"), REVOKER


def _after(state: Application, command: ApplicationCommand, trial: Trial, actor: str) -> Application:
    return after(state, command, circumstances(trial, actor, _closed_for(command, trial.rules.book)))


def after(state: Application, command: ApplicationCommand, context: Context) -> Application:
    """What becomes of a case by a command; Refused when nothing does."""
    for event in APPLICATION.decide(command, state, context):
        state = APPLICATION.evolve(state, event)
    return state


def _levels(book: ExemptionScheme) -> list[str]:
    """Levels of organisations from the candidate upwards, as this book uses them."""
    above = [*book.scopes(), *([book.hand_off.receiver_scope] if book.hand_off else [])]
    return list(dict.fromkeys([*(each.level for each in book.fields if each.level), *above]))


def _closed_for(command: ApplicationCommand, book: ExemptionScheme) -> frozenset[str]:
    """The windows that are over when this is done; all others are open."""
    if isinstance(command, PassStage | ReturnApplication | RefuseApplication):
        after = book.stage(command.stage).starts_after
        return frozenset({after.window} if after else ())
    return frozenset({command.purpose} if isinstance(command, LapseApplication | ExpireExemption) else ())


def _held(book: ExemptionScheme, actor: str) -> set[tuple[str, str]]:
    """Everybody here has the one role that they act in."""
    unlocking, release = (unique.unlocking, unique.release) if (unique := book.uniqueness) else (None, None)
    offices = {UNLOCKER: unlocking, RELEASER: release, REVOKER: book.revocation, "sender": book.hand_off}
    if (office := offices.get(actor)) is not None:
        return {(office.role, office.scope)}
    if book.hand_off and actor == "receiver":
        return {(book.hand_off.receiver_role, book.hand_off.receiver_scope)}
    return {(stage.role, stage.scope) for stage in book.stages if actor == f"by-{stage.name}"}


def circumstances(trial: Trial, actor: str, closed: frozenset[str] = frozenset()) -> Context:
    """All that is around a case when somebody decides: every window but the closed ones is open."""
    rules, book, sample = trial.rules, trial.rules.book, trial.sample
    levels = _levels(book)
    parents = [*levels[1:], None]
    day = timedelta(days=1)
    opened, over = Window(NOON.date() - day, NOON.date() + day), Window(NOON.date() - day, NOON.date() - day)
    return Context(
        now=NOON,
        actor=actor,
        roles=frozenset(_held(book, actor)),
        application=APPLICATION_ID,
        cycle_id="c",
        rules=rules,
        cycle=Cycle(
            rules.ref, levels[0], "sample", {each.id: over if each.id in closed else opened for each in book.windows}
        ),
        organisations={
            level: Organisation(level, level, level, parent) for level, parent in zip(levels, parents, strict=True)
        },
        account=sample.account,
        photographs=sample.photographs,
    )
