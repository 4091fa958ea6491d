"""What pages are given: schemes, cycles and cases in words that people read. Pure shaping of what was found."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from services.exemption.domain.access import Context, available_actions, reading_desk
from services.exemption.domain.case import Application, Case, InReview
from services.exemption.domain.followed import Organisation
from services.exemption.domain.form import value_of
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.views.applications import ApplicationRow
from services.exemption.views.cycles import CycleRow
from shared.documents.hints import Found, agreement
from shared.events.exemption import (
    ApplicationHandedOff,
    ApplicationReturned,
    ApplicationStarted,
    ApplicationSubmitted,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionGranted,
    HandOffAcknowledged,
    PhotographAccepted,
    RecordTablePrinted,
    StageOpened,
    StagePassed,
)
from shared.kernel.messages import Fact
from shared.schemes.catalog import Book

Answer = dict[str, Any]


def scheme_answer(book: Book, rules: Rules) -> Answer:
    """All that a page needs of a book: fields, hints, photo rules, texts, states, contacts."""
    assert book.head is not None
    return {
        "ref": rules.ref,
        "head": book.head.model_dump(mode="json"),
        "exemption": rules.book.model_dump(mode="json", exclude_none=True),
    }


def cycle_answer(row: CycleRow, rules: Rules, now: Any) -> Answer:
    """批次 with each window: its dates, whether it is open, when it opens next and when it closes."""
    windows = []
    for purpose, window in row.windows.items():
        said = rules.book.purpose(purpose)
        windows.append(
            {
                "purpose": purpose,
                "title": said.title if said else purpose,
                "from_day": window.from_day,
                "to_day": window.to_day,
                "daily": [[start.isoformat("minutes"), end.isoformat("minutes")] for start, end in window.daily],
                "excluded": list(window.excluded),
                "close_inclusive": window.close_inclusive,
                "open": not row.closed and window.holds(now),
                "closes_at": window.closing(now),
                "opens_at": None if row.closed else window.next_opening(now),
                "last_closing": window.last_closing(),
            }
        )
    return {
        "id": row.id,
        "scheme": row.scheme,
        "organisation": row.organisation,
        "title": row.title,
        "closed": row.closed,
        "version": row.version,
        "windows": windows,
    }


def state_answer(book: ExemptionScheme, title: str) -> Answer:
    """SW-39: a state is shown with its explanation."""
    state = book.state_titled(title)
    return {
        "id": state.id if state else "",
        "title": title,
        "explanation": state.explanation if state else "",
    }


def progress_answer(book: ExemptionScheme, title: str) -> list[Answer]:
    """SW-40: the steps, and which one is in hand."""
    now = state_answer(book, title)["id"]
    return [{"title": step.title, "current": now in step.states} for step in book.progress]


def list_item(row: ApplicationRow, book: ExemptionScheme) -> Answer:
    """SW-16, SW-44: one line of the list."""
    certificate = next((each.name for each in book.certificates if each.id == row.certificate), "")
    return {
        "id": row.id,
        "scheme": row.scheme,
        "cycle": row.cycle,
        "state": state_answer(book, row.title),
        "submissions": row.submissions,
        "certificate": certificate,
        "course_codes": list(row.course_codes),
        "started_at": row.started_at,
        "changed_at": row.changed_at,
        "version": row.version,
    }


def case_answer(
    application: str,
    case: Case,
    context: Context,
    past: Sequence[Fact[Any]],
    photographs: Mapping[str, Fact[PhotographAccepted]],
    names: Mapping[str, Organisation],
    duplicates: Iterable[ApplicationRow] | None,
) -> Answer:
    """SW-18, SW-20: 申免详情 and 经办记录 of one application; `duplicates` only for reviewers."""
    book = context.rules.book
    answer = {
        "id": application,
        "version": len(past),
        "scheme": case.scheme,
        "cycle": case.cycle,
        "state": state_answer(book, case.title),
        "progress": progress_answer(book, case.title),
        "submissions": case.submissions,
        "form": dict(case.form),
        "photos": [
            photo_answer(book, case, slot, upload, photographs.get(upload)) for slot, upload in case.photos.items()
        ],
        "course_codes": list(case.course_codes),
        "returned": returned_answer(past),
        "history": [history_line(fact, names) for fact in past if _is_told(fact, reviewing=duplicates is not None)],
        "actions": available_actions(cast(Application, case), context),
    }
    desk = reading_desk(case, context.roles)
    if duplicates is not None and desk is not None:
        answer["review"] = review_answer(case, context, desk.stage)
        answer["duplicates"] = [
            {"application": row.id, "state": row.title, "warning": book.certificate_seen_elsewhere.text}
            for row in duplicates
        ]
    return answer


def review_answer(case: Case, context: Context, stage_name: str) -> Answer:
    """What a reviewer works with: the stage's checklist, points, grounds and reasons."""
    at = case.desk.stage if isinstance(case, InReview) else stage_name
    stage = context.rules.book.stage(at)
    return stage.model_dump(mode="json", exclude={"source"})


def returned_answer(past: Sequence[Fact[Any]]) -> Answer | None:
    """SW-18: why it was sent back, as long as it has not been handed in again."""
    last = next(
        (fact for fact in reversed(past) if isinstance(fact.event, ApplicationReturned | ApplicationSubmitted)), None
    )
    if last is None or not isinstance(last.event, ApplicationReturned):
        return None
    event = last.event
    return {
        "stage": event.stage,
        "reason_code": event.reason_code,
        "reason": event.reason,
        "document": event.document,
        "note": event.note,
        "at": last.meta.at,
    }


def photo_answer(
    book: ExemptionScheme, case: Case, slot: str, upload: str, fact: Fact[PhotographAccepted] | None
) -> Answer:
    """A photograph with what was measured, and where OCR agrees with what was typed: a hint, never a decision."""
    said = book.slot(slot)
    answer: Answer = {"slot": slot, "label": said.label if said else slot, "upload": upload}
    if fact is not None:
        event = fact.event
        answer |= {
            "cropped": event.cropped,
            "results": list(event.results),
            "hints": list(event.hints),
            "agreement": agreements(book, case, event.reading),
        }
    return answer


def agreements(book: ExemptionScheme, case: Case, reading: Mapping[str, Any]) -> list[Answer]:
    compared = []
    for kind, found in reading.items():
        field = next((each for each in book.fields if each.kind == kind), None)
        if field is None:
            continue
        read = Found(found["value"], found["confidence"]) if found else None
        spellings = _spellings(book, kind, value_of(book, field.kind, case.form) or "")
        verdicts = [agreement(each, read) for each in spellings]
        best = next((each for each in verdicts if each.verdict == "agrees"), verdicts[0])
        compared.append(
            {
                "field": field.name,
                "label": field.label,
                "verdict": best.verdict if any(spellings) else "not_typed",
                "read": best.read,
                "differences": [
                    {"position": each.position, "typed": each.typed, "read": each.read} for each in best.differences
                ],
            }
        )
    return compared


def _spellings(book: ExemptionScheme, kind: str, typed: str) -> list[str]:
    """How a value may stand on the paper: certificates print their names in several ways."""
    certificate = next((each for each in book.certificates if each.id == typed), None)
    if kind != "certificate" or certificate is None:
        return [typed]
    return [certificate.name, *certificate.also_printed]


_SILENT = (DraftSaved, StageOpened)  # no deeds
_FOR_REVIEWERS = (CertificateSeenElsewhere,)  # a candidate would learn about others, and by trying, of whom
_DEEDS: Mapping[type[Any], str] = {
    ApplicationStarted: "started",
    ApplicationSubmitted: "submitted",
    CertificateSeenElsewhere: "flagged",
    StagePassed: "passed",
    ApplicationReturned: "returned",
    ExemptionGranted: "granted",
    RecordTablePrinted: "printed",
    ApplicationHandedOff: "handed_off",
    HandOffAcknowledged: "acknowledged",
    DraftDiscarded: "discarded",
}


def _is_told(fact: Fact[Any], *, reviewing: bool) -> bool:
    return not isinstance(fact.event, _SILENT if reviewing else (*_SILENT, *_FOR_REVIEWERS))


def history_line(fact: Fact[Any], names: Mapping[str, Organisation]) -> Answer:
    """SW-20 经办记录: who (role and organisation), when, what, opinion, by which clause."""
    event = fact.event
    organisation: str = getattr(event, "organisation", "")
    return {
        "at": fact.meta.at,
        "deed": _DEEDS[type(event)],
        "actor": fact.meta.actor,
        "role": getattr(event, "role", None),
        "organisation": names[organisation].title if organisation in names else None,
        "stage": getattr(event, "stage", None),
        "state": getattr(event, "title", None),
        "opinion": getattr(event, "opinion", None),
        "reason": getattr(event, "reason", None),
        "note": getattr(event, "note", None),
        "clause": event.clause,
    }
