"""Pasts of verifications, and who asks, for the pure tests. Every person here is invented."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from services.identity.domain.commands import (
    FailVerification,
    PassVerification,
    ReceivePersonPhotograph,
    StartVerification,
    SubmitPhotographs,
    VerifyInPerson,
    ViewPhotograph,
)
from services.identity.domain.routes import VerificationRules
from services.identity.domain.rules import Place
from services.identity.domain.verification import VerificationContext
from services.identity.main import BOOKS
from shared.events.identity import (
    PersonVerified,
    PhotographAccepted,
    PhotographsSubmitted,
    VerificationEvent,
    VerificationFailed,
    VerificationStarted,
)
from tests.services.identity.past import ME, NOW

_BOOK = BOOKS.of_jurisdiction("sx")
assert _BOOK is not None
_RULES = BOOKS.verification(_BOOK)
assert _RULES is not None
BOOK: str = _BOOK
RULES: VerificationRules = _RULES
COUNTY, OTHER_COUNTY, CLERK = "county-a", "county-b", "staff-clerk"
PLACES = {
    COUNTY: Place((COUNTY, "sx-prov", "*"), "county", True),
    OTHER_COUNTY: Place((OTHER_COUNTY, "sx-prov", "*"), "county", True),
    "closed-county": Place(("closed-county", "sx-prov", "*"), "county", False),
    "county-elsewhere": Place(("county-elsewhere", "other-prov", "*"), "county", True),
    "sx-prov": Place(("sx-prov", "*"), "province", True),
}


def context(
    actor: str = CLERK, at: str = COUNTY, role: str = "authority_clerk", rules: VerificationRules = RULES, **more: Any
) -> VerificationContext:
    return VerificationContext(
        now=NOW, actor=actor, book=BOOK, rules=rules, roles=frozenset({(role, at)}), places=PLACES, **more
    )


OWN = replace(context(actor=ME, has_ticket_number=True), roles=())


def start(route: str = "new_candidate", organisation: str = COUNTY, **more: Any) -> StartVerification:
    return StartVerification(person=ME, book=BOOK, route=route, organisation=organisation, **more)


def received(slot: str, *, accepted: bool = True, picture: str = "p1") -> ReceivePersonPhotograph:
    return ReceivePersonPhotograph(
        person=ME, slot=slot, accepted=accepted, results=(), picture=picture, picture_digest=f"digest of {picture}"
    )


def accepted(slot: str, picture: str = "p1") -> PhotographAccepted:
    return PhotographAccepted(
        slot=slot,
        original=f"original of {picture}",
        original_type="image/jpeg",
        original_digest="d",
        picture=picture,
        picture_digest=f"digest of {picture}",
        results=(),
        hints=(),
        clause="c",
    )


def started(route: str = "new_candidate", *, binding: bool = True) -> VerificationStarted:
    said = RULES.route(route)
    assert said is not None
    return VerificationStarted(
        book=BOOK, route=route, slots=said.photos, organisation=COUNTY, binding=binding, clause="c"
    )


THREE = ("portrait", "id_front", "holding_id")
STARTED: tuple[VerificationEvent, ...] = (started(),)
COMPLETE: tuple[VerificationEvent, ...] = (*STARTED, *(accepted(slot, slot) for slot in THREE))
PAIRS = ("holding_id+id_front", "holding_id+portrait", "id_front+portrait")
SUBMITTED = PhotographsSubmitted(
    attempt=1,
    photographs={slot: f"digest of {slot}" for slot in THREE},
    pairs=PAIRS,
    role="authority_clerk",
    organisation=COUNTY,
    due_at=NOW + timedelta(days=5),
    clause="c",
)
WAITING: tuple[VerificationEvent, ...] = (*COMPLETE, SUBMITTED)
FAILED: tuple[VerificationEvent, ...] = (
    *WAITING,
    VerificationFailed(
        attempt=1, reason_code="id_front_unclear", note="请重拍", pairs={}, decided_by=CLERK, clause="c"
    ),
)
VERIFIED: tuple[VerificationEvent, ...] = (
    *WAITING,
    PersonVerified(
        jurisdiction="sx",
        book=BOOK,
        level="photographs",
        organisation=COUNTY,
        verified_by=CLERK,
        pairs=dict.fromkeys(PAIRS, True),
        documents=(),
        evidence="",
        clause="c",
    ),
)
ALL_SAME = dict.fromkeys(PAIRS, True)
SUBMIT = SubmitPhotographs(person=ME)
PASS = PassVerification(person=ME, attempt=1, pairs=ALL_SAME)
FAIL = FailVerification(person=ME, attempt=1, reason_code="not_one_person", note="", pairs={PAIRS[0]: False})
IN_PERSON = VerifyInPerson(
    person=ME, book=BOOK, organisation=COUNTY, documents=("id_card",), evidence="本人到场，查验身份证原件"
)
VIEW = ViewPhotograph(person=ME, slot="portrait")
