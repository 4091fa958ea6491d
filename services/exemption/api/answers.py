"""What pages are given: schemes, cycles and cases in words that people read. Pure shaping of what was found."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from math import ceil
from typing import Any, cast

from services.exemption.api.comparing import photo_shown, photos_of
from services.exemption.api.fees import fee_shown
from services.exemption.api.shapes import (
    CaseShown,
    ClaimWorded,
    CourseWorded,
    CyclePhase,
    CycleShown,
    Deed,
    Duplicate,
    Labelled,
    Line,
    ReturnedShown,
    SchemeShown,
    StateShown,
    Step,
    WindowShown,
    WorkLine,
)
from services.exemption.domain.access import (
    Context,
    available_actions,
    is_hidden,
    reading_desk,
    results_are_visible,
)
from services.exemption.domain.afterwards import cannot_be_put_right
from services.exemption.domain.case import (
    Application,
    Case,
    InReview,
)
from services.exemption.domain.fees import REASONS
from services.exemption.domain.followed import Education, Organisation
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.domain.worded import Told, claims_told
from services.exemption.views.applications import ApplicationRow, WorkRow
from services.exemption.views.cycles import CycleRow
from shared.events.exemption import (
    ApplicationHandedOff,
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationRevived,
    ApplicationStarted,
    ApplicationSubmitted,
    ApplicationSuperseded,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionExpired,
    ExemptionGranted,
    ExemptionRevoked,
    FeeDue,
    FeePaid,
    FeeRefunded,
    FeeWithdrawn,
    HandOffAcknowledged,
    PhotographAccepted,
    ReapplicationUnlocked,
    RecordTablePrinted,
    RefundAsked,
    RevivalRefused,
    StageOpened,
    StagePassed,
    TicketReleased,
)
from shared.kernel.messages import Fact
from shared.schemes.catalog import Book
from shared.schemes.procedure import SUBMITTED, Phase, Stage, Window


def scheme_shown(book: Book, rules: Rules) -> SchemeShown:
    assert book.head is not None
    return SchemeShown(ref=rules.ref, head=book.head, exemption=rules.book)


def cycle_shown(row: CycleRow, rules: Rules, now: datetime) -> CycleShown:
    """批次 with each window: its dates, whether it is open, when it opens next and when it closes."""
    windows = [_window_shown(purpose, window, row, rules, now) for purpose, window in row.windows.items()]
    return CycleShown(
        id=row.id,
        scheme=row.scheme,
        organisation=row.organisation,
        title=row.title,
        closed=row.closed,
        phase="closed" if row.closed else _cycle_phase([each.phase for each in windows]),
        at=now,
        opened_at=row.opened_at,
        version=row.version,
        windows=windows,
    )


def _cycle_phase(phases: Sequence[Phase]) -> CyclePhase:
    if "open" in phases:
        return "open"
    if set(phases) <= {"not_yet"}:
        return "announced"
    return "over" if set(phases) <= {"closed"} else "paused"


def _window_shown(purpose: str, window: Window, row: CycleRow, rules: Rules, now: datetime) -> WindowShown:
    said = rules.book.purpose(purpose)
    phase = row.phase(purpose, now)
    opens_at = None if phase == "closed" else window.next_opening(now)
    closes_at = window.closing(now) if phase == "open" else None
    return WindowShown(
        purpose=purpose,
        title=said.title if said else purpose,
        query=said.query if said else False,
        phase=phase,
        from_day=window.from_day,
        to_day=window.to_day,
        daily=[(start.isoformat("minutes"), end.isoformat("minutes")) for start, end in window.daily],
        excluded=window.excluded,
        close_inclusive=window.close_inclusive,
        open=phase == "open",
        closes_at=closes_at,
        closes_in=_seconds(now, closes_at),
        opens_at=opens_at,
        opens_in=_seconds(now, opens_at),
        last_closing=window.last_closing(),
    )


def _seconds(now: datetime, until: datetime | None) -> int | None:
    """Rounded up: an instant that has not come is not zero seconds away."""
    return None if until is None else max(0, ceil((until - now).total_seconds()))


def state_shown(book: ExemptionScheme, title: str) -> StateShown:
    state = book.state_titled(title)
    return StateShown(id=state.id if state else "", title=title, explanation=state.explanation if state else "")


def progress_shown(book: ExemptionScheme, title: str) -> list[Step]:
    """The steps, and which one is in hand."""
    now = state_shown(book, title).id
    return [Step(title=step.title, current=now in step.states) for step in book.progress]


def line_shown(row: ApplicationRow, book: ExemptionScheme) -> Line:
    return Line(**line_of(row, book))


def _proof(book: ExemptionScheme, basis: str) -> str:
    """What a certificate or basis is called."""
    names = {each.id: each.name for each in book.certificates} | {each.id: each.title for each in book.bases}
    return names.get(basis, "")


def candidates_line(row: ApplicationRow, context: Context) -> Line:
    """As the candidate may see it: what was decided only when the book lets them."""
    shown = line_shown(row, context.rules.book)
    if row.state in _OPEN_STATES or results_are_visible(context):
        return shown
    hidden = state_shown(context.rules.book, context.rules.book.state(SUBMITTED).title)
    return shown.model_copy(update={"state": hidden, "version": row.form_version, "changed_at": row.handed_in_at})


_OPEN_STATES = frozenset({"draft", "unpaid", "returned", "discarded", "superseded", "lapsed"})
"""Rows whose state is no result."""


def work_shown(row: WorkRow, name: str | None, book: ExemptionScheme) -> WorkLine:
    return WorkLine(
        **line_of(row.application, book),
        name=name,
        stage=row.stage,
        role=row.role,
        organisation=row.organisation,
        opened_at=row.opened_at,
        due_at=row.due_at,
        outcome=row.outcome,
        decided_at=row.decided_at,
        duplicates=row.duplicates,
    )


def line_of(row: ApplicationRow, book: ExemptionScheme) -> dict[str, Any]:
    return {
        "id": row.id,
        "scheme": row.scheme,
        "cycle": row.cycle,
        "state": state_shown(book, row.title),
        "submissions": row.submissions,
        "number": row.number,
        "certificate": "、".join(_proof(book, each) for each in row.bases),
        "course_codes": row.course_codes,
        "started_at": row.started_at,
        "changed_at": row.changed_at,
        "version": row.version,
    }


def case_shown(
    application: str,
    case: Case,
    context: Context,
    past: Sequence[Fact[Any]],
    photographs: Mapping[str, Fact[PhotographAccepted]],
    names: Mapping[str, Organisation],
    duplicates: Iterable[ApplicationRow] | None,
    records: Mapping[str, Education],
    flags: Sequence[Fact[Any]] = (),
) -> CaseShown:
    """One application for its candidate, and for a reviewer (`duplicates` is then given) with what the stage asks and
    with what is told to nobody else (`flags`)."""
    book = context.rules.book
    masked = duplicates is None and not results_are_visible(context)
    told = [fact for fact in past if not (masked and _is_result(fact.event))]
    hidden = masked and is_hidden(case, context)
    title = book.state(SUBMITTED).title if hidden else case.title
    handed_in = next((fact.version for fact in reversed(past) if isinstance(fact.event, ApplicationSubmitted)), 0)
    shown = CaseShown(
        id=application,
        version=handed_in if hidden else len(past),
        scheme=case.scheme,
        cycle=case.cycle,
        number=case.number,
        state=state_shown(book, title),
        progress=progress_shown(book, title),
        submissions=case.submissions,
        form=dict(case.form),
        photos=[photo_shown(book, case, slot, photographs[upload]) for slot, upload in photos_of(case)],
        claims=[dict(claim) for claim in case.claims],
        claims_worded=_claims_worded(context.rules, case, records),
        majors=case.majors,
        warnings=case.warnings,
        course_codes=case.course_codes,
        returned=_returned_shown(told),
        fee=fee_shown(case, context),
        history=[_deed(fact, names) for fact in _with(told, flags) if _is_told(fact, reviewing=duplicates is not None)],
        actions=available_actions(cast(Application, case), context),
    )
    desk = reading_desk(case, context.roles)
    if duplicates is None or desk is None:
        return shown
    warning = book.certificate_seen_elsewhere.text if book.certificate_seen_elsewhere else ""
    also = [Duplicate(application=row.id, state=row.title, warning=warning) for row in duplicates]
    stage = _stage_in_hand(case, context, desk.stage)
    lapses = "return" in shown.actions and cannot_be_put_right(context)
    return shown.model_copy(update={"review": stage, "return_lapses": lapses, "duplicates": also})


def _claims_worded(rules: Rules, case: Case, records: Mapping[str, Education]) -> list[ClaimWorded]:
    return [
        ClaimWorded(
            basis=claim.basis,
            told=_labelled(claim.told),
            courses=[CourseWorded(code=each.code, name=each.name, told=_labelled(each.told)) for each in claim.courses],
        )
        for claim in claims_told(rules, case, records)
    ]


def _labelled(told: Told) -> list[Labelled]:
    return [Labelled(label=label, value=value) for label, value in told]


def _stage_in_hand(case: Case, context: Context, own: str) -> Stage | None:
    """What a reviewer works with: the stage's checklist, points, grounds and reasons."""
    if not own and not isinstance(case, InReview):
        return None
    return context.rules.book.stage(case.desk.stage if isinstance(case, InReview) else own)


def _returned_shown(past: Sequence[Fact[Any]]) -> ReturnedShown | None:
    """As long as it has not been handed in again."""
    kinds = ApplicationReturned | ReapplicationUnlocked | ApplicationSubmitted
    last = next((fact for fact in reversed(past) if isinstance(fact.event, kinds)), None)
    if last is None or isinstance(last.event, ApplicationSubmitted):
        return None
    event = last.event
    return ReturnedShown(
        stage=getattr(event, "stage", ""),
        reason_code=event.reason_code,
        reason=event.reason,
        document=getattr(event, "document", ""),
        note=event.note,
        at=last.meta.at,
    )


_SILENT = (DraftSaved, StageOpened)  # no deeds
_RESULTS = (
    StageOpened,
    StagePassed,
    ApplicationRefused,
    ExemptionGranted,
    ExemptionExpired,
    ExemptionRevoked,
    RecordTablePrinted,
    ApplicationHandedOff,
    HandOffAcknowledged,
)
"""What was decided, and what came of it."""
_FOR_REVIEWERS = (CertificateSeenElsewhere,)  # a candidate would learn about others, and by trying, of whom
_DEEDS: Mapping[type[Any], str] = {
    ApplicationStarted: "started",
    ApplicationSubmitted: "submitted",
    CertificateSeenElsewhere: "flagged",
    StagePassed: "passed",
    ApplicationReturned: "returned",
    ApplicationRefused: "refused",
    ReapplicationUnlocked: "unlocked",
    TicketReleased: "ticket_released",
    ApplicationSuperseded: "superseded",
    ApplicationLapsed: "lapsed",
    ApplicationRevived: "revived",
    RevivalRefused: "revival_refused",
    ExemptionGranted: "granted",
    ExemptionExpired: "expired",
    ExemptionRevoked: "revoked",
    RecordTablePrinted: "printed",
    ApplicationHandedOff: "handed_off",
    HandOffAcknowledged: "acknowledged",
    DraftDiscarded: "discarded",
    FeeDue: "fee_due",
    FeeWithdrawn: "fee_withdrawn",
    FeePaid: "fee_paid",
    RefundAsked: "refund_asked",
    FeeRefunded: "refunded",
}


def _with(told: Iterable[Fact[Any]], flags: Iterable[Fact[Any]]) -> Iterator[Fact[Any]]:
    """Each submission with what was flagged at that moment."""
    flagged = {fact.meta.at: fact for fact in flags}
    for fact in told:
        yield fact
        if isinstance(fact.event, ApplicationSubmitted) and fact.meta.at in flagged:
            yield flagged[fact.meta.at]


def _is_result(event: Any) -> bool:
    approved = isinstance(event, ApplicationRevived | RevivalRefused) and event.becomes == "granted"
    return approved or isinstance(event, _RESULTS)


def _is_told(fact: Fact[Any], *, reviewing: bool) -> bool:
    return not isinstance(fact.event, _SILENT if reviewing else (*_SILENT, *_FOR_REVIEWERS))


def _deed(fact: Fact[Any], names: Mapping[str, Organisation]) -> Deed:
    """Who (role and organisation), when, what, opinion, by which clause."""
    event = fact.event
    organisation: str = getattr(event, "organisation", "")
    return Deed(
        at=fact.meta.at,
        deed=_DEEDS[type(event)],
        actor=fact.meta.actor,
        role=getattr(event, "role", None),
        organisation=names[organisation].title if organisation in names else None,
        stage=getattr(event, "stage", None),
        fen=getattr(event, "fen", None),
        state=getattr(event, "title", None),
        opinion=getattr(event, "opinion", None),
        reason=REASONS.get(reason, reason) if (reason := getattr(event, "reason", None)) else None,
        note=getattr(event, "note", None),
        clause=event.clause,
    )
