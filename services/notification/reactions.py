"""Other services' facts -> our own commands; pure. Learning begins with history, telling with our own first day."""

from collections.abc import Sequence
from typing import Any

from services.notification.domain.commands import LearnContact, RequestMessage
from shared.events.exemption import (
    ApplicationLapsed,
    ApplicationRefused,
    ApplicationReturned,
    ApplicationRevived,
    ApplicationSubmitted,
    ApplicationSuperseded,
    ExemptionExpired,
    ExemptionGranted,
    ExemptionRevoked,
    FeeDue,
    ReapplicationUnlocked,
    RefundAsked,
    StagePassed,
    TicketReleased,
)
from shared.events.identity import (
    AccountRegistered,
    EducationCheckUnresolved,
    MobileReplaced,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationStarted,
    SmsCodeIssued,
)
from shared.kernel.messages import ERASED, Command, Fact
from shared.kernel.time import spoken
from shared.kernel.values import yuan
from shared.runtime.service import Reaction


def on_account_registered(fact: Fact[AccountRegistered]) -> Sequence[Command]:
    return _learnt(fact, fact.event.mobile, "account")


def tell_of_registration(fact: Fact[AccountRegistered]) -> Sequence[Command]:
    return _told("identity.registered", {}, erased=fact.event.mobile == ERASED)


def on_mobile_replaced(fact: Fact[MobileReplaced]) -> Sequence[Command]:
    return _learnt(fact, fact.event.mobile, "replaced")


def on_sms_code_issued(fact: Fact[SmsCodeIssued]) -> Sequence[Command]:
    event = fact.event
    if event.code == ERASED:
        return ()
    return [
        RequestMessage(
            moment=f"identity.code_to_{event.purpose}",
            facts={"code": event.code},
            mobile=event.mobile,
            expires_at=event.expires_at,
        )
    ]


def on_prior_education_started(fact: Fact[PriorEducationStarted]) -> Sequence[Command]:
    """A record (前置学历) is a case of its own and keeps its book; it is told to the number of the account."""
    return [
        LearnContact(given_at=fact.meta.at, origin="prior_education", case=fact.meta.case, scheme=fact.event.scheme)
    ]


def tell_of_effect(fact: Fact[PriorEducationConfirmed]) -> Sequence[Command]:
    """HB-08 生效: the second stage is open to the candidate."""
    return _told("prior_education.effective", {}, erased=fact.event.certificate_number == ERASED)


def tell_of_no_effect(fact: Fact[PriorEducationNotConfirmed]) -> Sequence[Command]:
    """HB-08, HB-38: why not, and by the book's words what to do or to bring."""
    return _told("prior_education.not_effective", {"reason": fact.event.reason})


def tell_of_no_answer(fact: Fact[EducationCheckUnresolved]) -> Sequence[Command]:
    return _told("prior_education.unresolved", {}, erased=fact.event.reason == "erased")


def on_application_submitted(fact: Fact[ApplicationSubmitted]) -> Sequence[Command]:
    """SW-03: the number typed into the form is the one to tell of a return; without one that of the account stays.
    The case keeps its book either way."""
    event = fact.event
    mobile, reviewers = event.mobile if event.form else ERASED, tuple(sorted(set(event.organisations.values())))
    return _learnt(fact, mobile, "application", scheme=event.scheme, organisations=reviewers)


def tell_of_submission(fact: Fact[ApplicationSubmitted]) -> Sequence[Command]:
    return _told("exemption.submitted", {"submission": fact.event.submission}, erased=not fact.event.form)


def tell_of_return(fact: Fact[ApplicationReturned]) -> Sequence[Command]:
    """SW-26, SW-30: at either stage, by SMS, with the reason."""
    event = fact.event
    facts = {"stage": event.stage, "reason": event.reason, "document": event.document, "note": event.note}
    return _told("exemption.returned", facts, erased=event.note == ERASED)


def tell_of_stage_passed(fact: Fact[StagePassed]) -> Sequence[Command]:
    return _told("exemption.stage_passed", {"stage": fact.event.stage}, erased=fact.event.opinion == ERASED)


def tell_of_grant(_: Fact[ExemptionGranted]) -> Sequence[Command]:
    return _told("exemption.granted", {})


def tell_of_refusal(fact: Fact[ApplicationRefused]) -> Sequence[Command]:
    """SD-40: a result that is not good is told as well."""
    event = fact.event
    facts = {"stage": event.stage, "reason": event.reason, "note": event.note}
    return _told("exemption.refused", facts, erased=event.note == ERASED)


def tell_of_unlocking(fact: Fact[ReapplicationUnlocked]) -> Sequence[Command]:
    return _told("exemption.unlocked", _why(fact.event), erased=fact.event.note == ERASED)


def tell_of_ticket_release(fact: Fact[TicketReleased]) -> Sequence[Command]:
    """SD-46: to whoever handed in with it, not to whose it is."""
    return _told("exemption.ticket_released", _why(fact.event), erased=fact.event.note == ERASED)


def tell_of_revocation(fact: Fact[ExemptionRevoked]) -> Sequence[Command]:
    return _told("exemption.revoked", _why(fact.event), erased=fact.event.note == ERASED)


def _why(event: ReapplicationUnlocked | TicketReleased | ExemptionRevoked) -> dict[str, Any]:
    return {"reason": event.reason, "note": event.note}


def tell_of_superseding(_: Fact[ApplicationSuperseded]) -> Sequence[Command]:
    return _told("exemption.superseded", {})


def tell_of_lapse(_: Fact[ApplicationLapsed]) -> Sequence[Command]:
    return _told("exemption.lapsed", {})


def tell_of_expiry(_: Fact[ExemptionExpired]) -> Sequence[Command]:
    return _told("exemption.expired", {})


def tell_of_revival(_: Fact[ApplicationRevived]) -> Sequence[Command]:
    """Whoever was told that it lapsed or expired is told that it did not: there is something to do again."""
    return _told("exemption.revived", {})


def tell_of_fee(fact: Fact[FeeDue]) -> Sequence[Command]:
    """F-04: how much, until when, and what becomes of it if things go wrong, before anybody pays."""
    event = fact.event
    until = spoken(event.payable_until)
    facts = {"what": event.what, "amount": yuan(event.fen), "until": until, "refunds": event.refunds}
    return _told("exemption.fee_due", facts)


def tell_of_refund(fact: Fact[RefundAsked]) -> Sequence[Command]:
    return _told("exemption.refund_asked", {"amount": yuan(fact.event.fen)}, erased=fact.event.reason == "erased")


def _learnt(
    fact: Fact[Any], mobile: str, origin: str, *, scheme: str | None = None, organisations: tuple[str, ...] = ()
) -> Sequence[Command]:
    """Of an erased person nothing is left to be learnt."""
    if mobile == ERASED:
        return ()
    case = fact.meta.case if scheme else None
    given_at = fact.meta.at
    return [
        LearnContact(
            mobile=mobile or None,
            given_at=given_at,
            origin=origin,
            case=case,
            scheme=scheme,
            organisations=organisations,
        )
    ]


def _told(moment: str, facts: dict[str, Any], *, erased: bool = False) -> Sequence[Command]:
    return () if erased else [RequestMessage(moment=moment, facts=facts)]


REACTIONS = (
    Reaction(AccountRegistered, on_account_registered, since="beginning"),
    Reaction(AccountRegistered, tell_of_registration, since="deployment"),
    Reaction(MobileReplaced, on_mobile_replaced, since="beginning"),
    Reaction(PriorEducationStarted, on_prior_education_started, since="beginning"),
    Reaction(PriorEducationConfirmed, tell_of_effect, since="deployment"),
    Reaction(PriorEducationNotConfirmed, tell_of_no_effect, since="deployment"),
    Reaction(EducationCheckUnresolved, tell_of_no_answer, since="deployment"),
    Reaction(SmsCodeIssued, on_sms_code_issued, since="deployment"),
    Reaction(ApplicationSubmitted, on_application_submitted, since="beginning"),
    Reaction(ApplicationSubmitted, tell_of_submission, since="deployment"),
    Reaction(ApplicationReturned, tell_of_return, since="deployment"),
    Reaction(StagePassed, tell_of_stage_passed, since="deployment"),
    Reaction(ExemptionGranted, tell_of_grant, since="deployment"),
    Reaction(ApplicationRefused, tell_of_refusal, since="deployment"),
    Reaction(ReapplicationUnlocked, tell_of_unlocking, since="deployment"),
    Reaction(TicketReleased, tell_of_ticket_release, since="deployment"),
    Reaction(ApplicationSuperseded, tell_of_superseding, since="deployment"),
    Reaction(ApplicationLapsed, tell_of_lapse, since="deployment"),
    Reaction(ExemptionExpired, tell_of_expiry, since="deployment"),
    Reaction(ApplicationRevived, tell_of_revival, since="deployment"),
    Reaction(ExemptionRevoked, tell_of_revocation, since="deployment"),
    Reaction(FeeDue, tell_of_fee, since="deployment"),
    Reaction(RefundAsked, tell_of_refund, since="deployment"),
)
"""Learning stands before telling: in one batch the number is known when the message is written."""
