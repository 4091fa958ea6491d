"""身份认证 one candidate's verification: from the route chosen to the clerk's decision (SX-E-04 to SX-E-11).

`handlers.py` loads its events, calls `decide`, and appends what comes back. Whether two photographs show one person is
answered pair by pair by the clerk who decides; what was handed in stays as it is until then.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import ClassVar, assert_never

from services.identity.domain import rules as laws
from services.identity.domain.commands import (
    FailVerification,
    PassVerification,
    ReceivePersonPhotograph,
    StartVerification,
    SubmitPhotographs,
    VerificationCommand,
    VerifyInPerson,
    ViewPhotograph,
)
from services.identity.domain.routes import Route, VerificationRules
from shared.events.identity import (
    ManualVerificationOpened,
    PersonVerified,
    PhotographAccepted,
    PhotographRefused,
    PhotographsSubmitted,
    PhotographViewed,
    VerificationEvent,
    VerificationFailed,
    VerificationStarted,
)
from shared.kernel.decider import Decider
from shared.kernel.errors import Refused
from shared.schemes.forms import PhotoSlot

PHOTOGRAPHS, IN_PERSON = "photographs", "in_person"
"""The levels of being verified."""


@dataclass(frozen=True)
class Kept:
    """What is kept of an accepted photograph."""

    picture: str
    digest: str
    original: str
    original_type: str


@dataclass(frozen=True)
class NotStarted:
    state_title: ClassVar[str] = "未认证"


@dataclass(frozen=True)
class Begun:
    """What every verification that is not over knows; `reason_code` and `note` are those of the last failure."""

    book: str
    route: str
    organisation: str
    binding: bool
    slots: tuple[str, ...]
    photographs: Mapping[str, Kept] = field(default_factory=dict)
    refused: int = 0
    by_hand: bool = False
    attempt: int = 0
    reason_code: str = ""
    note: str = ""


@dataclass(frozen=True)
class Collecting(Begun):
    state_title: ClassVar[str] = "待提交照片"


@dataclass(frozen=True)
class Waiting(Begun):
    state_title: ClassVar[str] = "待认证"
    role: str = ""
    pairs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Failed(Begun):
    """Another try is open, once something new was uploaded."""

    state_title: ClassVar[str] = "认证未通过"


@dataclass(frozen=True)
class Verified:
    state_title: ClassVar[str] = "已认证"
    book: str
    level: str
    organisation: str


Verification = NotStarted | Collecting | Waiting | Failed | Verified


@dataclass(frozen=True)
class VerificationContext:
    """What a decision may know besides the past. `rules` are those of `book`, which a verification keeps."""

    now: datetime
    actor: str
    book: str
    rules: VerificationRules
    roles: laws.Roles = ()
    places: laws.Places = field(default_factory=dict)
    has_ticket_number: bool = False

    @property
    def jurisdiction(self) -> str:
        return self.book.partition("/")[0]

    def clause(self, where: str, source: str) -> str:
        return f"{self.book} identity.verification.{where} {source}"


def decide(command: VerificationCommand, state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    match command:
        case StartVerification():
            return _start(command, state, context)
        case ReceivePersonPhotograph():
            return _receive(command, state, context)
        case SubmitPhotographs():
            return _submit(state, context)
        case ViewPhotograph():
            waiting = must_be_in_hand(command.person, state, context)
            if command.slot not in waiting.photographs:
                raise Refused("access.not_found")
            return [PhotographViewed(attempt=waiting.attempt, slot=command.slot, viewer=context.actor)]
        case PassVerification():
            return _pass(command, state, context)
        case FailVerification():
            return _fail(command, state, context)
        case VerifyInPerson():
            return _in_person(command, state, context)
        case _:
            assert_never(command)


def _start(command: StartVerification, state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    if isinstance(state, Verified):
        raise Refused("identity.already_verified")
    if isinstance(state, Waiting):
        raise Refused("identity.verification_waiting")
    if context.rules.onsite_confirmation.kind == "only":
        raise Refused("identity.only_in_person")
    route = route_must_be_known(command.route, context.rules)
    if route.asks_ticket_number and not context.has_ticket_number:
        raise Refused("identity.ticket_number_missing")
    _must_decide_here(command.organisation, context.rules.review.level, context)
    return [
        VerificationStarted(
            book=context.book,
            route=route.id,
            slots=route.photos,
            organisation=command.organisation,
            binding=command.binding or (isinstance(state, Begun) and state.binding),
            clause=context.clause(f"routes[{route.id}]", route.source),
        )
    ]


def _receive(
    command: ReceivePersonPhotograph, state: Verification, context: VerificationContext
) -> list[VerificationEvent]:
    slot = slot_to_upload(command.slot, state, context.rules)
    begun = _open(state)
    clause = context.clause(f"photos[{slot.slot}]", slot.source)
    if command.accepted:
        return [
            PhotographAccepted(
                slot=slot.slot,
                original=command.original,
                original_type=command.original_type,
                original_digest=command.original_digest,
                picture=command.picture,
                picture_digest=command.picture_digest,
                results=command.results,
                hints=command.hints,
                clause=clause,
            )
        ]
    refused: list[VerificationEvent] = [PhotographRefused(slot=slot.slot, results=command.results, clause=clause)]
    by_hand = context.rules.by_hand
    if by_hand is not None and not begun.by_hand and begun.refused + 1 >= by_hand.refused_photos:
        slots = tuple(each.slot for each in by_hand.photos)
        opened = context.clause("by_hand", by_hand.source)
        refused.append(ManualVerificationOpened(refused=begun.refused + 1, slots=slots, clause=opened))
    return refused


def _submit(state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    begun = _open(state)
    asked = context.rules.slots(begun.route, by_hand=begun.by_hand)
    if missing := [each.label for each in asked if each.required and each.slot not in begun.photographs]:
        raise Refused("identity.photographs_missing", photographs=missing)
    if isinstance(begun, Failed):
        raise Refused("identity.nothing_new_to_verify")
    review = context.rules.review
    return [
        PhotographsSubmitted(
            attempt=begun.attempt + 1,
            photographs={slot: kept.digest for slot, kept in begun.photographs.items()},
            pairs=context.rules.pairs(begun.photographs),
            role=review.role,
            organisation=begun.organisation,
            due_at=context.now + timedelta(days=review.within_days),
            clause=context.clause("review", review.source),
        )
    ]


def _pass(command: PassVerification, state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    waiting = _seen(command, state, context)
    if unanswered := [pair for pair in waiting.pairs if pair not in command.pairs]:
        raise Refused("identity.pairs_unanswered", pairs=unanswered, said=context.rules.pairs_said(unanswered))
    if differing := [pair for pair, same in command.pairs.items() if not same]:
        raise Refused("identity.pairs_differ", pairs=differing, said=context.rules.pairs_said(differing))
    return [
        PersonVerified(
            jurisdiction=context.jurisdiction,
            book=context.book,
            level=PHOTOGRAPHS,
            organisation=waiting.organisation,
            verified_by=context.actor,
            pairs=command.pairs,
            documents=(),
            evidence="",
            clause=context.clause("review", context.rules.review.source),
        )
    ]


def _fail(command: FailVerification, state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    waiting = _seen(command, state, context)
    reason = context.rules.reason(command.reason_code)
    if reason is None:
        raise Refused("identity.no_such_reason", reasons=[each.code for each in context.rules.reasons])
    return [
        VerificationFailed(
            attempt=waiting.attempt,
            reason_code=reason.code,
            note=command.note,
            pairs=command.pairs,
            decided_by=context.actor,
            clause=context.clause(f"reasons[{reason.code}]", reason.source),
        )
    ]


def _in_person(command: VerifyInPerson, state: Verification, context: VerificationContext) -> list[VerificationEvent]:
    """SX-E-11: whatever the photographs came to, who was seen with their papers is verified."""
    said = context.rules.in_person
    laws.office_must_be_held(said.role, command.organisation, context.roles)
    _nobody_verifies_themselves(command.person, context)
    _must_decide_here(command.organisation, said.level, context)
    if isinstance(state, Begun) and state.organisation != command.organisation:
        raise Refused("access.not_allowed")
    if isinstance(state, Verified):
        raise Refused("identity.already_verified")
    known = [each.code for each in said.documents]
    if not command.documents or set(command.documents) - set(known):
        raise Refused("identity.no_such_document", documents=known)
    return [
        PersonVerified(
            jurisdiction=context.jurisdiction,
            book=context.book,
            level=IN_PERSON,
            organisation=command.organisation,
            verified_by=context.actor,
            pairs={},
            documents=command.documents,
            evidence=command.evidence,
            clause=context.clause("in_person", said.source),
        )
    ]


# --- what must be so


def route_must_be_known(route: str, rules: VerificationRules) -> Route:
    found = rules.route(route)
    if found is None:
        raise Refused("identity.no_such_route", routes=[each.id for each in rules.routes])
    return found


def slot_to_upload(slot: str, state: Verification, rules: VerificationRules) -> PhotoSlot:
    """By what an upload for this slot is checked; asked before the work is done, and again when it is recorded."""
    begun = _open(state)
    asked = rules.slots(begun.route, by_hand=begun.by_hand)
    found = next((each for each in asked if each.slot == slot), None)
    if found is None:
        raise Refused("identity.no_such_photograph", slots=[each.slot for each in asked])
    return found


def _open(state: Verification) -> Collecting | Failed:
    match state:
        case Collecting() | Failed():
            return state
        case NotStarted():
            raise Refused("identity.verification_not_started")
        case Waiting():
            raise Refused("identity.verification_waiting")
        case Verified():
            raise Refused("identity.already_verified")
        case _:
            assert_never(state)


def must_be_in_hand(person: str, state: Verification, context: VerificationContext) -> Waiting:
    """Only who decides at that office is told whether there is something to decide."""
    if isinstance(state, NotStarted):
        raise Refused("access.not_found")
    laws.office_must_be_held(context.rules.review.role, state.organisation, context.roles)
    if not isinstance(state, Waiting):
        raise Refused("identity.not_waiting")
    _nobody_verifies_themselves(person, context)
    return state


def _seen(command: PassVerification | FailVerification, state: Verification, context: VerificationContext) -> Waiting:
    waiting = must_be_in_hand(command.person, state, context)
    if waiting.attempt != command.attempt:
        raise Refused("identity.submitted_again", attempt=waiting.attempt)
    if strange := sorted(set(command.pairs) - set(waiting.pairs)):
        raise Refused("identity.no_such_pair", count=len(strange), pairs=list(waiting.pairs))
    return waiting


def _nobody_verifies_themselves(person: str, context: VerificationContext) -> None:
    if person == context.actor:
        raise Refused("access.not_allowed")


def _must_decide_here(organisation: str, level: str, context: VerificationContext) -> None:
    """An open office of the level that decides, below the jurisdiction's own."""
    place = laws.place_must_exist(organisation, context.places)
    laws.place_must_be_open(place, organisation)
    if place.level != level or (context.rules.under is not None and context.rules.under not in place.path):
        raise Refused("identity.does_not_decide_here", organisation=organisation)


# --- the past


def evolve(state: Verification, event: VerificationEvent) -> Verification:
    """The past is never refused, and asks neither the clock nor the book."""
    match event:
        case VerificationStarted():
            started = Collecting(event.book, event.route, event.organisation, event.binding, event.slots)
            if not isinstance(state, Begun):
                return started
            # what was taken by hand was never judged by the rules of a route
            photographs = {} if state.by_hand else _among(state, event.slots)
            return replace(started, photographs=photographs, refused=state.refused, attempt=state.attempt)
        case PhotographAccepted():
            assert isinstance(state, Collecting | Failed)
            kept = Kept(event.picture, event.picture_digest, event.original, event.original_type)
            return Collecting(**{**vars(state), "photographs": {**state.photographs, event.slot: kept}})
        case PhotographRefused():
            assert isinstance(state, Collecting | Failed)
            return replace(state, refused=state.refused + 1)
        case ManualVerificationOpened():
            assert isinstance(state, Collecting | Failed)
            return replace(state, by_hand=True, slots=event.slots, photographs=_among(state, event.slots))
        case PhotographsSubmitted():
            assert isinstance(state, Collecting | Failed)
            known = {**vars(state), "attempt": event.attempt}
            return Waiting(**known, role=event.role, pairs=event.pairs)
        case PhotographViewed():
            return state
        case VerificationFailed():
            assert isinstance(state, Waiting)
            known = {name: value for name, value in vars(state).items() if name not in ("role", "pairs")}
            return Failed(**{**known, "reason_code": event.reason_code, "note": event.note})
        case PersonVerified():
            return Verified(event.book, event.level, event.organisation)
        case _:
            assert_never(event)


def _among(state: Begun, slots: tuple[str, ...]) -> Mapping[str, Kept]:
    return {slot: kept for slot, kept in state.photographs.items() if slot in slots}


VERIFICATION: Decider[VerificationCommand, Verification, VerificationEvent, VerificationContext] = Decider(
    "verification", NotStarted(), decide, evolve
)
