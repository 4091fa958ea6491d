"""免考申请 one candidate's application as its past amounts to: the states as types, and `evolve`. Pure.

`application.py` decides with them. A field exists only in the states in which it means something. `evolve` asks
neither the clock nor the book: stages, titles and organisations are written into the events.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, ClassVar, NamedTuple, TypeVar, assert_never

from shared.events.exemption import (
    ApplicationEvent,
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
    ReapplicationUnlocked,
    RecordTablePrinted,
    RefundAsked,
    RevivalRefused,
    StageOpened,
    StagePassed,
    TicketReleased,
)


class Desk(NamedTuple):
    """Where an application lies, or has lain, for review."""

    stage: str
    role: str
    organisation: str


NO_DESK = Desk("", "", "")


class Due(NamedTuple):
    """What is to be paid before `stage` opens; `title` is the state it is in once that is done."""

    stage: str
    fen: int
    title: str


class Order(NamedTuple):
    """Money that came: what of it is here still, and whether it counts for the fee or is to go back."""

    fen: int
    counts: bool


@dataclass(frozen=True)
class NotStarted:
    """There is no such application."""

    state_title: ClassVar[str] = "未申请"


@dataclass(frozen=True)
class HandedIn:
    """What was last handed in; a draft after it may say something else. Personal, as in `Case`."""

    form: Mapping[str, Any] = field(default_factory=dict)
    claims: tuple[Mapping[str, Any], ...] = ()
    majors: tuple[str, ...] = ()


@dataclass(frozen=True)
class Case:
    """What every started application knows. `form` is personal: it is carried here and never branched on."""

    scheme: str
    cycle: str
    candidate: str
    title: str  # the state's official name, from the book
    form: Mapping[str, Any] = field(default_factory=dict)
    photos: Mapping[str, str] = field(default_factory=dict)
    submissions: int = 0
    claims: tuple[Mapping[str, Any], ...] = ()
    majors: tuple[str, ...] = ()
    papers: tuple[Mapping[str, Any], ...] = ()  # what it rested on when it was handed in
    handed_in: HandedIn = HandedIn()
    number: str = ""
    bases: tuple[str, ...] = ()
    offices: tuple[tuple[str, str], ...] = ()  # (role, organisation) that may read it besides its desks
    head: str = ""  # the stream that says which application counts
    unlocked: int = 0  # how often a clerk let the candidate hand in again
    ticket_released: bool = False  # a clerk saw that the ticket number it was handed in with is somebody else's
    warnings: tuple[str, ...] = ()
    course_codes: tuple[str, ...] = ()
    organisations: Mapping[str, str] = field(default_factory=dict)  # scope -> organisation
    passed: Mapping[str, str] = field(default_factory=dict)  # stage -> who passed it; only what still stands
    decided: tuple[tuple[str, str], ...] = ()  # (stage, who), of every submission: for separation of duties
    desks: tuple[Desk, ...] = ()  # reached with this submission: who may read it
    orders: Mapping[str, Order] = field(default_factory=dict)  # what was paid, of every submission

    @property
    def state_title(self) -> str:
        return self.title

    @property
    def paid(self) -> int:
        """In fen, as far as it counts."""
        return sum(order.fen for order in self.orders.values() if order.counts)


@dataclass(frozen=True)
class Draft(Case):
    """待提交."""


@dataclass(frozen=True)
class Submitted(Case):
    """Handed in; the event that opens a stage follows in the same breath."""


@dataclass(frozen=True)
class AwaitingPayment(Case):
    """待缴费: the next stage opens when it is paid."""

    due: Due | None = None


@dataclass(frozen=True)
class InReview(Case):
    """已提交, 已初审, ...: it waits at `desk`."""

    desk: Desk = NO_DESK
    due_at: datetime | None = None


@dataclass(frozen=True)
class Returned(Case):
    """已驳回: the candidate may edit it; handed in again it is reviewed from `resume_at`."""

    resume_at: str = ""


@dataclass(frozen=True)
class Granted(Case):
    """已复核."""


@dataclass(frozen=True)
class HandedOff(Case):
    """With the examinations authority."""

    batch: str = ""
    receiver: tuple[str, str] = ("", "")  # role, organisation
    reference: str | None = None


@dataclass(frozen=True)
class Discarded(Case):
    """Given up before it was ever handed in."""


@dataclass(frozen=True)
class TurnedDown(Case):
    """审核不通过: refused for good."""

    may_submit_again: bool = False


@dataclass(frozen=True)
class Superseded(Case):
    """被后一次提交取代."""

    by: str = ""


@dataclass(frozen=True)
class Lapsed(Case):
    """The window `purpose` ended before what the book asks for was done; `before` is what it was until then."""

    purpose: str = ""
    before: Returned | AwaitingPayment | InReview | None = None
    withheld: str = ""  # by which law an extension did not give it back

    @property
    def due(self) -> Due | None:
        """What was not paid, as far as we knew."""
        return self.before.due if isinstance(self.before, AwaitingPayment) else None


@dataclass(frozen=True)
class Expired(Case):
    """过期不予保留."""

    purpose: str = ""
    before: Granted | None = None
    withheld: str = ""


@dataclass(frozen=True)
class Revoked(Case):
    """撤销: 再次审定不通过, or its ticket number was another one's."""


def stage_of(state: AwaitingPayment | InReview) -> str:
    """The stage that it lies at, or that opens once it is paid for."""
    if isinstance(state, InReview):
        return state.desk.stage
    assert state.due is not None  # it waits for it
    return state.due.stage


Ended = Discarded | TurnedDown | Superseded | Lapsed | Expired | Revoked
Started = Draft | Submitted | AwaitingPayment | InReview | Returned | Granted | HandedOff | Ended
Application = NotStarted | Started
Editable = Draft | Returned

S = TypeVar("S", bound=Case)


def evolve(state: Application, event: ApplicationEvent) -> Application:  # noqa: C901 - one case for each fact
    """The past is never refused."""
    if isinstance(event, ApplicationStarted):
        return Draft(event.scheme, event.cycle, event.candidate, event.title)
    assert not isinstance(state, NotStarted)
    match event:
        case DraftSaved():
            return replace(state, form=event.form, photos=event.photos, claims=tuple(event.claims), majors=event.majors)
        case DraftDiscarded():
            return _become(Discarded, state, title=event.title)
        case ApplicationSubmitted():
            return _submitted(state, event)
        case CertificateSeenElsewhere():
            return state
        case StageOpened():
            desk = Desk(event.stage, event.role, event.organisation)
            return _become(InReview, state, desks=(*state.desks, desk), desk=desk, due_at=event.due_at)
        case StagePassed():
            return replace(
                state,
                title=event.title,
                passed={**state.passed, event.stage: event.reviewer},
                decided=(*state.decided, (event.stage, event.reviewer)),
            )
        case ApplicationReturned():
            kept = {stage: who for stage, who in state.passed.items() if stage not in event.reopens}
            decided = (*state.decided, (event.stage, event.reviewer))
            resume_at = event.reopens[0]
            return _become(Returned, state, title=event.title, passed=kept, decided=decided, resume_at=resume_at)
        case ApplicationRefused():
            decided = (*state.decided, (event.stage, event.reviewer))
            again = event.may_submit_again
            return _become(TurnedDown, state, title=event.title, decided=decided, may_submit_again=again)
        case ReapplicationUnlocked():
            resume_at, unlocked = event.reopens[0], state.unlocked + 1
            return _become(Returned, state, title=event.title, passed={}, resume_at=resume_at, unlocked=unlocked)
        case TicketReleased():
            return replace(state, ticket_released=True)
        case ApplicationSuperseded():
            return _become(Superseded, state, title=event.title, by=event.by)
        case ApplicationLapsed():
            return _become(Lapsed, state, title=event.title, purpose=event.purpose, before=state)
        case ExemptionExpired():
            return _become(Expired, state, title=event.title, purpose=event.purpose, before=state)
        case ApplicationRevived():
            assert isinstance(state, Lapsed | Expired)
            assert state.before is not None
            return replace(state.before, orders=state.orders)  # money may have come or gone meanwhile
        case RevivalRefused():
            assert isinstance(state, Lapsed | Expired)
            return replace(state, withheld=event.code)
        case ExemptionRevoked():
            return _become(Revoked, state, title=event.title)
        case ExemptionGranted():
            return _become(Granted, state, title=event.title, course_codes=event.course_codes)
        case RecordTablePrinted():
            return state
        case ApplicationHandedOff():
            receiver = (event.receiver_role, event.receiver)
            return _become(HandedOff, state, title=event.title, batch=event.batch, receiver=receiver)
        case HandOffAcknowledged():
            assert isinstance(state, HandedOff)
            return replace(state, reference=event.reference)
        case FeeDue() | FeeWithdrawn() | FeePaid() | RefundAsked() | FeeRefunded():
            return _with_money(state, event)
        case _:
            assert_never(event)


def _with_money(state: Started, event: FeeDue | FeeWithdrawn | FeePaid | RefundAsked | FeeRefunded) -> Started:
    match event:
        case FeeDue():
            before = state.due.title if isinstance(state, AwaitingPayment) and state.due else state.title
            return _become(AwaitingPayment, state, title=event.title, due=Due(event.stage, event.fen, before))
        case FeeWithdrawn():
            return state
        case FeePaid():
            return _become(Submitted, state, title=event.title, orders=_with_order(state, event, counts=True))
        case RefundAsked():
            return replace(state, orders=_with_order(state, event, counts=False))
        case FeeRefunded():
            order = state.orders[event.order]
            return replace(state, orders={**state.orders, event.order: order._replace(fen=order.fen - event.fen)})
        case _:
            assert_never(event)


def _with_order(state: Case, event: FeePaid | RefundAsked, *, counts: bool) -> Mapping[str, Order]:
    return {**state.orders, event.order: Order(event.fen, counts)}


def _submitted(state: Case, event: ApplicationSubmitted) -> Submitted:
    return _become(
        Submitted,
        state,
        title=event.title,
        form=event.form,
        photos=event.photos,
        submissions=event.submission,
        claims=tuple(event.claims),
        majors=event.majors,
        papers=tuple(event.papers),
        handed_in=HandedIn(event.form, tuple(event.claims), event.majors),
        number=event.number,
        bases=event.bases,
        offices=event.offices,
        head=event.head,
        ticket_released=False,
        warnings=event.warnings,
        course_codes=event.course_codes,
        organisations=event.organisations,
        desks=tuple(desk for desk in state.desks if desk.stage in state.passed),
    )


def _become(kind: type[S], state: Case, **changes: Any) -> S:
    """The same case in another state: what every state knows is kept, the rest is given."""
    kept = {each.name: getattr(state, each.name) for each in fields(Case)}
    return kind(**{**kept, **changes})
