"""Who may do what with an application, in which state: the guards of APPLICATION. Pure.

Each command passes one guard; `available_actions` asks the same guards, so pages offer what would succeed. Whoever may
not read an application is told that there is none.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.exemption.domain import rules
from services.exemption.domain.case import (
    Application,
    AwaitingPayment,
    Case,
    Desk,
    Discarded,
    Draft,
    Editable,
    Granted,
    HandedOff,
    InReview,
    Lapsed,
    NotStarted,
    Returned,
    Submitted,
    Superseded,
)
from services.exemption.domain.cycle import Cycle
from services.exemption.domain.followed import Account, Organisations
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import Deadline, HandOff, RecordTable, Rules
from services.exemption.domain.terms import Revocation, TicketRelease, Unlocking
from services.exemption.domain.uniqueness import Heads, must_be_the_holder, replaced_by
from shared.kernel.errors import Refused
from shared.schemes.procedure import SUBMITTED, Outcome, Stage


@dataclass(frozen=True)
class Context:
    """What a decision may know besides the past."""

    now: datetime
    actor: str
    roles: frozenset[tuple[str, str]]  # (role, organisation)
    application: str
    cycle_id: str
    rules: Rules
    cycle: Cycle
    organisations: Organisations = field(default_factory=dict)  # the chosen one and those above it
    account: Account | None = None
    photographs: Mapping[str, Photograph] = field(default_factory=dict)
    heads: Heads = field(default_factory=Heads)  # which application of this ticket number or person counts
    head: str = ""  # their stream
    ticket_elsewhere: bool = False  # identity knows this ticket number of another account
    number: str = ""  # what the book's numbering would give now
    drafts: int = 0  # how many the candidate fills in already, in this cycle
    seen_elsewhere: tuple[str, ...] = ()  # other people's applications with this certificate number
    own_other: str | None = None  # another application of the same person with it, in review or approved
    own_courses: Mapping[str, str] = field(default_factory=dict)  # course -> such an application that has it


def place_must_be_free(case: Case, context: Context) -> None:
    """Of what had ended and comes back: nobody came to count meanwhile for its ticket number or person.

    SD-46: what comes back by itself takes a ticket number from nobody, also not for the account that identity knows it
    of; whoever hands in does. What held none any more when it ended, since an office released it, asks for none. Of
    several that ended, the last one may.
    """
    unique, heads = context.rules.book.uniqueness, context.heads
    if unique is None or case.ticket_released:
        return
    must_be_the_holder(heads, case.candidate, known_of_another=context.ticket_elsewhere)
    whose, ended = heads.ended.get(case.cycle, (case.candidate, context.application))
    if whose != case.candidate:
        raise Refused("exemption.ticket_of_another_account")
    if ended != context.application or replaced_by(heads, case.cycle, context.application):
        raise Refused("exemption.already_submitted_in_this_cycle", text=unique.text)


def nothing_must_have_taken_its_place(case: Case, context: Context) -> None:
    """Nor with its certificate or with one of its courses."""
    book = context.rules.book
    place_must_be_free(case, context)
    if book.certificates_are_used_once:
        rules.certificate_must_be_used_once(context.own_other)
    if book.course_once:
        rules.course_must_be_granted_once(case.course_codes, context.own_courses, book.course_once.text)


def reading_desk(state: Case, roles: frozenset[tuple[str, str]]) -> Desk | None:
    """SW-28: the desk by which a reviewer may read an application: one that it has reached with this submission."""
    offices = (Desk("", role, organisation) for role, organisation in state.offices)
    return next((desk for desk in (*state.desks, *offices) if rules.holds(roles, desk.role, desk.organisation)), None)


def must_be_readable(state: Application, actor: str, roles: frozenset[tuple[str, str]]) -> Case:
    """Whoever may not read it learns nothing, not even that it exists."""
    if isinstance(state, NotStarted) or not (state.candidate == actor or reading_desk(state, roles)):
        raise Refused("access.not_found")
    return state


def _must_be_own(state: Application, context: Context) -> Case:
    case = must_be_readable(state, context.actor, context.roles)
    if case.candidate != context.actor:
        raise Refused("access.not_allowed")
    return case


def results_are_visible(context: Context) -> bool:
    """SX-E-39: whether a candidate may see what was decided; before that everything is shown as handed in.

    The window has days of its own: closing the cycle by hand neither opens nor ends it.
    """
    results = context.rules.book.results
    if results is None:
        return True
    phase = context.cycle.phase(results.window, context.now)
    return phase == "open" or (results.stays and phase != "not_yet")


def is_hidden(case: Case, context: Context) -> bool:
    """Whether its state is a result that the book does not let the candidate see yet."""
    said = isinstance(case, Draft | AwaitingPayment | Returned | Discarded | Superseded | Lapsed)
    return not said and not results_are_visible(context)


def title_for_the_candidate(case: Case, context: Context) -> str:
    return context.rules.book.state(SUBMITTED).title if is_hidden(case, context) else case.title


def may_save(state: Application, context: Context) -> Editable:
    """SW-14, SW-19, SW-34: a draft may be edited, and what was sent back; nothing else."""
    case = _must_be_own(state, context)
    if isinstance(case, Draft | Returned):
        return case
    if isinstance(case, Discarded | Superseded | Lapsed):  # no results, so there is nothing to hide
        raise Refused("exemption.ended")
    if isinstance(case, AwaitingPayment | InReview | Submitted) or not results_are_visible(context):
        raise Refused("exemption.already_submitted")
    raise Refused("exemption.ended")


def must_know_the_version(state: Application, context: Context) -> None:
    """Asked before a version is compared: the answer would tell strangers of a case, and candidates of a decision."""
    case = must_be_readable(state, context.actor, context.roles)
    if case.candidate == context.actor:
        may_save(state, context)


def may_discard(state: Application, context: Context) -> Draft:
    case = may_save(state, context)
    if not isinstance(case, Draft):
        raise Refused("exemption.not_a_draft")
    return case


def may_submit(state: Application, context: Context) -> Editable:
    case = may_save(state, context)
    must_be_in_time(_deadline(case, context).window, context)
    return case


def may_review(state: Application, context: Context) -> tuple[InReview, Stage]:
    case = must_be_readable(state, context.actor, context.roles)
    if context.actor == case.candidate:
        raise Refused("exemption.your_own_application")
    if not isinstance(case, InReview):
        raise Refused("exemption.stage_not_open", stage=case.title)
    rules.reviewer_must_hold(case.desk.role, case.desk.organisation, context.roles)
    stage = context.rules.book.stage(case.desk.stage)
    rules.reviewers_must_differ(stage, context.actor, case.candidate, case.decided)
    after = stage.starts_after
    rules.stage_must_have_begun(stage, context.cycle.phase(after.window, context.now) if after else None)
    if stage.onsite:
        must_be_in_time(stage.onsite.window, context)
    return case, stage


def may_pass(state: Application, context: Context) -> tuple[InReview, Stage]:
    """Where a fee comes next, it can still be paid: whoever is slow makes nobody lapse."""
    case, stage = may_review(state, context)
    book, following = context.rules.book, context.rules.book.after(stage.name)
    if following and book.owed_before(following.name, len(case.course_codes), case.paid):
        must_be_payable(context)
    return case, stage


def must_be_payable(context: Context) -> None:
    """Once a cycle is closed by hand nobody can extend a window: then what was not paid lapses."""
    payment, cycle = context.rules.book.payment, context.cycle
    if payment and not cycle.closed:
        rules.fee_must_be_payable(payment.title, cycle.phase(payment.window, context.now))


def _may_review_to(outcome: Outcome) -> Callable[[Application, Context], object]:
    def guard(state: Application, context: Context) -> None:
        case, stage = (may_pass if outcome == "pass" else may_review)(state, context)
        rules.outcome_must_be_of_the_stage(stage, outcome)
        if outcome == "pass":
            rules.ticket_must_be_the_candidates(released=case.ticket_released)

    return guard


def may_unlock(state: Application, context: Context) -> tuple[InReview | AwaitingPayment, Unlocking, str]:
    """SX-E-35: in the window, by the clerk of the candidate's own place, so often as the book says."""
    unique = context.rules.book.uniqueness
    if unique is None or unique.unlocking is None:
        raise Refused("exemption.no_unlocking")
    case, organisation = _must_be_held(state, unique.unlocking.role, unique.unlocking.scope, context)
    if not isinstance(case, InReview | AwaitingPayment):
        raise Refused("exemption.stage_not_open", stage=case.title)
    if case.unlocked >= (unique.times or 0):
        raise Refused("exemption.unlocked_often_enough", times=unique.times)
    must_be_in_time(unique.unlocking.window, context)
    return case, unique.unlocking, organisation


def may_release_ticket(state: Application, context: Context) -> tuple[Case, TicketRelease, str]:
    """SD-46: taken from the account that handed in with it, for as long as that counts."""
    unique = context.rules.book.uniqueness
    if unique is None or unique.release is None:
        raise Refused("exemption.no_ticket_release")
    case, organisation = _must_be_held(state, unique.release.role, unique.release.scope, context)
    if case.ticket_released or not isinstance(case, AwaitingPayment | InReview | Returned | Granted | HandedOff):
        raise Refused("exemption.holds_no_ticket")
    return case, unique.release, organisation


def may_revoke(state: Application, context: Context) -> tuple[Granted | HandedOff, Revocation, str]:
    """SD-42."""
    revocation = context.rules.book.revocation
    if revocation is None:
        raise Refused("exemption.no_revocation")
    case, organisation = _must_be_held(state, revocation.role, revocation.scope, context)
    if not isinstance(case, Granted | HandedOff):
        raise Refused("exemption.not_granted")
    return case, revocation, organisation


def _must_be_held(state: Application, role: str, scope: str, context: Context) -> tuple[Case, str]:
    """A case that somebody may read, and the organisation at which they hold a role over it; not over their own."""
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    organisation = state.organisations.get(scope, "")
    if not organisation or not rules.holds(context.roles, role, organisation):
        must_be_readable(state, context.actor, context.roles)
        raise Refused("access.not_allowed")
    if context.actor == state.candidate:
        raise Refused("exemption.your_own_application")
    return state, organisation


def may_print(state: Application, context: Context) -> tuple[RecordTable, str]:
    """SW-31: only when finally approved, by those the book names; what is printed, and the organisation that does."""
    case = must_be_readable(state, context.actor, context.roles)
    table = context.rules.book.record_table
    if table is None:
        raise Refused("exemption.no_record_table")
    organisation = case.organisations.get(table.scope, "")
    if not rules.holds(context.roles, table.role, organisation):
        raise Refused("access.not_allowed")
    if not isinstance(case, Granted | HandedOff):
        raise Refused("exemption.not_granted")
    rules.person_must_not_be_erased(case.form)
    return table, organisation


def may_hand_off(state: Application, context: Context) -> tuple[Granted, HandOff]:
    """SW-33: the university hands off what is finally approved, once."""
    hand_off = context.rules.book.hand_off
    if hand_off is None:
        raise Refused("exemption.no_hand_off")
    case = must_be_readable(state, context.actor, context.roles)
    if not rules.holds(context.roles, hand_off.role, case.organisations.get(hand_off.scope, "")):
        raise Refused("access.not_allowed")
    if not isinstance(case, Granted):
        raise Refused("exemption.not_granted")
    return case, hand_off


def may_acknowledge(state: Application, context: Context) -> HandedOff:
    if not isinstance(state, HandedOff) or not rules.holds(context.roles, *state.receiver):
        raise Refused("access.not_found")
    if state.reference is not None:
        raise Refused("exemption.already_acknowledged")
    return state


def available_actions(state: Application, context: Context) -> list[str]:
    """What this person could do with this application now, by the guards that `decide` uses."""
    guards: dict[str, Callable[[Application, Context], object]] = {
        "save": may_save,
        "submit": may_submit,
        "discard": may_discard,
        "pass": _may_review_to("pass"),
        "return": _may_review_to("return"),
        "refuse": _may_review_to("refuse"),
        "unlock": may_unlock,
        "release_ticket": may_release_ticket,
        "revoke": may_revoke,
        "print": may_print,
        "hand_off": may_hand_off,
    }
    return [action for action, guard in guards.items() if _passes(guard, state, context)]


def _passes(guard: Callable[[Application, Context], object], state: Application, context: Context) -> bool:
    try:
        guard(state, context)
    except Refused:
        return False
    return True


def _deadline(case: Editable, context: Context) -> Deadline:
    return context.rules.book.once_resubmitted if isinstance(case, Returned) else context.rules.book.submit


def must_be_in_time(window: str, context: Context) -> None:
    rules.cycle_must_not_be_closed(context.cycle.closed)
    purpose = context.rules.book.purpose(window)
    assert purpose is not None  # the book's own check
    rules.window_must_be_open(context.cycle.windows[window], purpose.title, context.now)
