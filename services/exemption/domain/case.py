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
    ApplicationStarted,
    ApplicationSubmitted,
    ApplicationSuperseded,
    CertificateSeenElsewhere,
    DraftDiscarded,
    DraftSaved,
    ExemptionExpired,
    ExemptionGranted,
    ExemptionRevoked,
    HandOffAcknowledged,
    ReapplicationUnlocked,
    RecordTablePrinted,
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
    seen_elsewhere: tuple[str, ...] = ()  # applications of others with the same certificate number
    passed: Mapping[str, str] = field(default_factory=dict)  # stage -> who passed it; only what still stands
    decided: tuple[tuple[str, str], ...] = ()  # (stage, who), of every submission: for separation of duties
    desks: tuple[Desk, ...] = ()  # reached with this submission: who may read it

    @property
    def state_title(self) -> str:
        return self.title


@dataclass(frozen=True)
class Draft(Case):
    """待提交."""


@dataclass(frozen=True)
class Submitted(Case):
    """Handed in; the event that opens a stage follows in the same breath."""


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
    """A window ended before what the book asks for was done."""


@dataclass(frozen=True)
class Expired(Case):
    """过期不予保留."""


@dataclass(frozen=True)
class Revoked(Case):
    """再次审定不通过."""


Ended = Discarded | TurnedDown | Superseded | Lapsed | Expired | Revoked
Application = NotStarted | Draft | Submitted | InReview | Returned | Granted | HandedOff | Ended
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
            return replace(state, seen_elsewhere=event.applications)
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
            return _become(Lapsed, state, title=event.title)
        case ExemptionExpired():
            return _become(Expired, state, title=event.title)
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
        case _:
            assert_never(event)


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
        seen_elsewhere=(),
        desks=tuple(desk for desk in state.desks if desk.stage in state.passed),
    )


def _become(kind: type[S], state: Case, **changes: Any) -> S:
    """The same case in another state: what every state knows is kept, the rest is given."""
    kept = {each.name: getattr(state, each.name) for each in fields(Case)}
    return kind(**{**kept, **changes})
