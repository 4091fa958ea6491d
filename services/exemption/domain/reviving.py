"""恢复 what lapsed or expired with a window that was then extended: as it was before. Pure; part of APPLICATION.

No decision of anybody: where it does not fit the state, or another application has come to count, nothing happens.
"""

from collections.abc import Sequence
from typing import Literal

from services.exemption.domain import reviewing
from services.exemption.domain.access import Context
from services.exemption.domain.afterwards import is_over
from services.exemption.domain.case import Application, Expired, Granted, InReview, Lapsed, Returned
from services.exemption.domain.commands import ReviveApplication
from services.exemption.domain.uniqueness import replaced_by
from shared.events.exemption import ApplicationEvent, ApplicationRevived


def revive(command: ReviveApplication, state: Application, context: Context) -> Sequence[ApplicationEvent]:
    """SX-E-38: whoever was sent back has the days that were added, too; a stage waits again."""
    if not isinstance(state, Lapsed | Expired) or state.purpose != command.purpose:
        return []
    before = state.before
    if before is None or is_over(command.purpose, context) or _another_counts(before, context):
        return []
    book = context.rules.book
    said = book.purpose(command.purpose)
    clause = context.rules.clause(f"windows[{command.purpose}]", source=said.source if said else "")
    revived = ApplicationRevived(purpose=command.purpose, becomes=_called(before), title=before.title, clause=clause)
    if isinstance(before, InReview):
        return [revived, reviewing.opened(book.stage(before.desk.stage), before.organisations, context)]
    return [revived]


def _called(before: Returned | InReview | Granted) -> Literal["returned", "in_review", "granted"]:
    match before:
        case Returned():
            return "returned"
        case InReview():
            return "in_review"
        case Granted():
            return "granted"


def _another_counts(before: Returned | InReview | Granted, context: Context) -> bool:
    """Whether one that was handed in meanwhile has its place, its certificate or one of its courses.

    What was sent back is only asked for its place: handed in again, it is judged as a whole.
    """
    heads = context.heads
    if heads.candidate not in {"", before.candidate} or replaced_by(heads, before.cycle, context.application):
        return True
    if isinstance(before, Returned):
        return False
    book = context.rules.book
    certificate = book.certificates_are_used_once and context.own_other is not None
    return certificate or bool(book.course_once and set(before.course_codes) & set(context.own_courses))
