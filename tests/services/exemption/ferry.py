"""Cases under the made-up book that asks for a fee, and what payment tells of them. Everybody here is invented."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.commands import (
    LapseApplication,
    NoteRefund,
    ReturnApplication,
    SaveDraft,
    SettleFee,
)
from services.exemption.domain.scheme import Rules
from services.exemption.domain.terms import Payment, Refunds
from shared.events.exemption import (
    RefundAsked,
)
from shared.testing.given import Outcome, given
from tests.services.exemption.claims_story import (
    CASE,
    FERRY,
    FERRY_FORM,
    FERRY_GOOD,
    NOON,
    START,
    SUBMIT,
    WINDOWS,
    at,
    course,
    me,
)
from tests.services.exemption.story import Past

T = TypeVar("T")
_OVER = WINDOWS[FERRY.ref]["pay"].over_at()
assert _OVER is not None
END: datetime = _OVER
BEFORE, SECOND = END - timedelta(seconds=1), timedelta(seconds=1)
RETURN = ReturnApplication(application=CASE, stage="初核", reason_code="wrong_course", note="更正")
LAPSE = LapseApplication(application=CASE, purpose="pay", due_at=END)


def save(*codes: str) -> SaveDraft:
    claims = tuple({**each, "courses": [course(code) for code in codes]} if codes else each for each in FERRY_GOOD)
    return SaveDraft(application=CASE, form=FERRY_FORM, photos={}, claims=claims)


def mine(now: datetime = NOON, by: Rules = FERRY, **more: Any) -> Context:
    return me(now, FERRY, **{"rules": by, **more})


def office(who: str = "master", now: datetime = NOON, by: Rules = FERRY, **more: Any) -> Context:
    return at(who, now, FERRY, **{"rules": by, **more})


def told(now: datetime = NOON, by: Rules = FERRY, **more: Any) -> Context:
    """As payment's facts arrive: nobody of here acts."""
    return office("payment", now, by, **more)


def draft(by: Rules = FERRY) -> Past:
    return given(APPLICATION).and_then(START, mine(by=by)).and_then(save(), mine(by=by))


def due(by: Rules = FERRY) -> Past:
    return draft(by).and_then(SUBMIT, mine(by=by))


def paid(fen: int = 5000, order: str = "one", at: datetime = NOON) -> SettleFee:
    return SettleFee(application=CASE, order=order, fen=fen, paid_at=at)


def gone(order: str = "one", fen: int = 5000) -> NoteRefund:
    return NoteRefund(application=CASE, order=order, fen=fen, refunded_at=NOON)


def settled(by: Rules = FERRY) -> Past:
    return due(by).and_then(paid(), told(by=by))


def lapsed() -> Past:
    return due().and_then(LAPSE, told(END))


def book(**payment: Any) -> Rules:
    """The ferry's book with other words about the fee."""
    assert FERRY.book.payment is not None
    said = Payment.model_validate({**FERRY.book.payment.model_dump(), **payment})
    return replace(FERRY, book=FERRY.book.model_copy(update={"payment": said}))


LATER_STAGE = book(before="复核")
NEVER_BACK = book(refunds=Refunds(when=(), text="一概不退", source="TT-74"))


def back(past: Past, command: Any, context: Context) -> list[tuple[str, int, str]]:
    """(order, fen, why) of what goes back with this."""
    events = past.when(command, context).happened()
    return [(each.order, each.fen, each.reason) for each in events if isinstance(each, RefundAsked)]


def the(kind: type[T], outcome: Outcome[Any, Any, Any, Any]) -> T:
    """The one event of this kind that came of it."""
    (found,) = [each for each in outcome.happened() if isinstance(each, kind)]
    return found
