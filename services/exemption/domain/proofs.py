"""What is proved of every book before it is used: an invented case is walked through the real decider. Pure.

Called by `ops/schemes/proving.py`. The walk tries every command in every situation that can arise, until no new one
does; so what holds of the walk holds of any case under that book, and not only of a picture we have of it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import (
    Application,
    Case,
    Discarded,
    Draft,
    Granted,
    HandedOff,
    InReview,
    Returned,
)
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    DiscardDraft,
    HandOffRecord,
    PassStage,
    ReturnApplication,
    SaveDraft,
    StartApplication,
    SubmitApplication,
)
from services.exemption.domain.cycle import Cycle
from services.exemption.domain.followed import Account, Organisation
from services.exemption.domain.form import Photograph
from services.exemption.domain.refusals import said
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI
from shared.kernel.values import id_check_digit
from shared.schemes.forms import LONG_TERM, FormField
from shared.schemes.procedure import Window
from shared.schemes.reference import Fault

_NOON = datetime.combine(date(2026, 1, 2), time(12), SHANGHAI)
_SAMPLE_ID = "110101199003070" + "01"
_ME = Account("样本", _SAMPLE_ID + id_check_digit(_SAMPLE_ID), "13800138000")
_APPLICATION = "sample"
_CANDIDATE = "sample-candidate"

Situation = tuple[str, str, str, tuple[str, ...], bool]


@dataclass
class Walk:
    """Every situation that an application can be in, and where each leads."""

    steps: dict[Situation, set[Situation]] = field(default_factory=dict)
    states: dict[Situation, Application] = field(default_factory=dict)
    moves: dict[str, set[tuple[str, str, str]]] = field(default_factory=dict)  # title -> who, by what, to which title


def faults_of(rules: Rules) -> list[Fault]:
    """The laws that a book breaks, and where; empty when every proof holds."""
    try:
        walk = walked(rules)
    except Refused as refused:
        return list(_of_a_perfect_application(refused))
    return broken_laws(walk, rules)


def _of_a_perfect_application(refused: Refused) -> Iterator[Fault]:
    """What a book refuses when everything is as it asks for."""
    wrong = refused.facts.get("faults") or [{"label": refused.code, "en": said(refused)[1]}]
    for each in wrong:
        yield (), f"a perfect application is refused: {each['label']}: {each['en']}"


def broken_laws(walk: Walk, rules: Rules) -> list[Fault]:
    """What the walk of a case shows to be wrong."""
    return [*_ends(walk, rules), *_stages_kept(walk, rules), *_reached(walk, rules)]


def _ends(walk: Walk, rules: Rules) -> Iterator[Fault]:
    """Every state can end."""
    can_end = {situation for situation, state in walk.states.items() if _is_end(state, walk.steps[situation])}
    grown = True
    while grown:
        more = {situation for situation, onward in walk.steps.items() if onward & can_end} - can_end
        can_end |= more
        grown = bool(more)
    stuck = {situation[1] for situation in walk.steps.keys() - can_end}
    for index, state in enumerate(rules.book.states):
        if state.title in stuck:
            yield ("states", index), f"a case in {state.title} can never end"


def _is_end(state: Application, onward: set[Situation]) -> bool:
    return not onward and isinstance(state, Granted | HandedOff | Discarded)


def _stages_kept(walk: Walk, rules: Rules) -> Iterator[Fault]:
    """No way past a review stage, and no two stages by one person where the book keeps them apart."""
    names = {stage.name for stage in rules.book.stages}
    for state in walk.states.values():
        if isinstance(state, Granted | HandedOff):
            if missing := names - set(state.passed):
                yield ("stages",), f"granted without {', '.join(sorted(missing))}"
            if _CANDIDATE in state.passed.values():
                yield ("stages",), "granted by the candidate"


def _reached(walk: Walk, rules: Rules) -> Iterator[Fault]:
    titles = {state.title for state in walk.states.values() if isinstance(state, Case)}
    for index, state in enumerate(rules.book.states):
        if state.title not in titles:
            yield ("states", index), f"no case is ever in {state.title}"


def walked(rules: Rules) -> Walk:
    """Every situation there is under a book; Refused when a perfect application is not even taken."""
    walk = Walk()
    start = _after(APPLICATION.initial, StartApplication(cycle="c"), rules, _CANDIDATE)
    found = [start]
    while found:
        state = found.pop()
        situation = _situation(state)
        if situation in walk.steps:
            continue
        walk.states[situation] = state
        onward = [(sent, _after(state, *sent)) for sent in _tries(state, rules)]
        walk.steps[situation] = {_situation(each) for _, each in onward} - {situation}
        walk.moves.setdefault(situation[1], set()).update(
            (actor, type(command).__name__, _situation(after)[1]) for (command, _, actor), after in onward
        )
        found += [after for _, after in onward]
    return walk


def _situation(state: Application) -> Situation:
    assert isinstance(state, Case)
    stage = state.desk.stage if isinstance(state, InReview) else state.resume_at if isinstance(state, Returned) else ""
    known = isinstance(state, HandedOff) and state.reference is not None
    return (type(state).__name__, state.title, stage, tuple(sorted(state.passed)), known or bool(state.form))


def _tries(state: Application, rules: Rules) -> Iterator[tuple[ApplicationCommand, Rules, str]]:
    """What may be tried in a state, and by whom; a stage is decided by a person of its own."""
    book = rules.book
    if isinstance(state, Draft | Returned):
        yield perfect(book), rules, _CANDIDATE
        if state.form:
            yield SubmitApplication(application=_APPLICATION), rules, _CANDIDATE
    if isinstance(state, Draft):
        yield DiscardDraft(application=_APPLICATION), rules, _CANDIDATE
    if isinstance(state, InReview):
        stage = book.stage(state.desk.stage)
        yes = {item.id: True for item in stage.checklist}
        yield PassStage(application=_APPLICATION, stage=stage.name, checklist=yes), rules, f"by-{stage.name}"
        for reason in stage.reasons:
            back = ReturnApplication(
                application=_APPLICATION, stage=stage.name, reason_code=reason.code, note=reason.text
            )
            yield back, rules, f"by-{stage.name}"
    if book.hand_off and isinstance(state, Granted):
        yield HandOffRecord(batch="b", receiver=book.hand_off.receiver_scope), rules, "sender"
    if isinstance(state, HandedOff) and state.reference is None:
        yield AcknowledgeRecord(batch="b", reference="r"), rules, "receiver"


def _after(state: Application, command: ApplicationCommand, rules: Rules, actor: str) -> Application:
    for event in APPLICATION.decide(command, state, _context(rules, actor)):
        state = APPLICATION.evolve(state, event)
    return state


def _levels(book: ExemptionScheme) -> list[str]:
    """Levels of organisations from the candidate upwards, as this book uses them."""
    above = [*book.scopes(), *([book.hand_off.receiver_scope] if book.hand_off else [])]
    return list(dict.fromkeys([*(each.level for each in book.fields if each.level), *above]))


def _context(rules: Rules, actor: str) -> Context:
    book = rules.book
    levels = _levels(book)
    parents = [*levels[1:], None]
    held = {(stage.role, stage.scope) for stage in book.stages if actor == f"by-{stage.name}"}
    if book.hand_off and actor == "sender":
        held = {(book.hand_off.role, book.hand_off.scope)}
    if book.hand_off and actor == "receiver":
        held = {(book.hand_off.receiver_role, book.hand_off.receiver_scope)}
    window = Window(_NOON.date() - timedelta(days=1), _NOON.date() + timedelta(days=1))
    return Context(
        now=_NOON,
        actor=actor,
        roles=frozenset(held),
        application=_APPLICATION,
        cycle_id="c",
        rules=rules,
        cycle=Cycle(rules.ref, levels[0], "sample", {each.id: window for each in book.windows}),
        organisations={
            level: Organisation(level, level, level, parent) for level, parent in zip(levels, parents, strict=True)
        },
        account=_ME,
        photographs={each.slot: Photograph(_CANDIDATE, _APPLICATION, each.slot) for each in book.photos},
    )


def perfect(book: ExemptionScheme) -> SaveDraft:
    """A form in which everything is as the book asks for; stories about a book begin with it too."""
    form = {each.name: _sample(each, book) for each in book.fields}
    return SaveDraft(application=_APPLICATION, form=form, photos={each.slot: each.slot for each in book.photos})


def _sample(each: FormField, book: ExemptionScheme) -> str:  # noqa: C901 - one case for each kind
    match each.kind:
        case "name":
            return _ME.holder
        case "id_number":
            return _ME.id_number
        case "mobile":
            return _ME.mobile
        case "date":
            return _NOON.date().isoformat()
        case "valid_until":
            return LONG_TERM
        case "choice":
            return book.lists[each.list or ""][0].id
        case "organisation":
            return each.level or ""
        case "certificate":
            return book.certificates[0].id
        case "certificate_level":
            return book.levels[-1].id
        case "text" | "certificate_number" | "ticket_number":
            return each.example or "8" * each.least
        case "month":
            return f"{_NOON:%Y-%m}"
        case "landline":
            return "010-12345678"
        case "number":
            return str(each.highest)
        case "numbers":
            return (each.separator or "").join([str(each.highest)] * (each.count or 0))
        case "plan_version" | "candidate_kind":
            return book.lists[each.list or ""][0].id
        case "major" | "prior_education":
            return ""
