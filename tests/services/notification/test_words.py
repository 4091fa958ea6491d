"""Texts, books, contacts and reactions: from a fact to the words somebody reads, without a server."""

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import yaml
from msgspec import structs
from pydantic import ValidationError

from services.notification.domain.commands import LearnContact, RequestMessage
from services.notification.domain.contact import CONTACT
from services.notification.domain.scheme import MOMENTS, NotificationScheme, PlatformNotification, placeholders
from services.notification.domain.texts import filled, fitted, parameters, written
from services.notification.reactions import REACTIONS
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
from shared.events.identity import AccountRegistered, MobileReplaced, SmsCodeIssued
from shared.events.notification import CaseLearned, CaseReviewersLearned, ContactLearned
from shared.kernel.errors import Refused
from shared.kernel.messages import Command, Event, Fact, Meta, erased_value, personal_fields
from shared.kernel.time import spoken
from shared.schemes.catalog import BOOKS, BadBook
from shared.testing.given import given
from tests.services.notification.story import CASE, CATALOG, MOBILE, NOON, PERSON, PLATFORM, POLICY, at

SCHEME = "swust/1x@1"
BOOK = CATALOG.get(SCHEME).part("notification", NotificationScheme)
RETURNED = {"stage": "初审", "reason": "身份证正面照片不清晰或不完整", "document": "id_front", "note": "请重拍"}

# --- texts


def test_a_return_is_told_with_its_reason_in_full_in_the_inbox() -> None:
    letter = written("exemption.returned", SCHEME, BOOK, POLICY, RETURNED)
    assert letter.channels == ("sms", "inbox")
    assert "未通过初审" in letter.inbox_text
    assert "驳回原因：身份证正面照片不清晰或不完整" in letter.inbox_text
    assert "涉及材料：身份证正面" in letter.inbox_text
    assert "审核意见：请重拍" in letter.inbox_text


def test_each_provider_gets_its_own_registered_text_and_only_what_that_names() -> None:
    letter = written("exemption.returned", SCHEME, BOOK, POLICY, RETURNED)
    named = {template.provider: dict(parameters(template, letter.facts)) for template in letter.templates}
    assert named == {
        "aliyun": {"stage": "初审", "reason": "身份证正面照片不清晰或不完整"},
        "tencent": {"stage": "初审"},
    }


def test_what_a_person_typed_never_becomes_part_of_the_template() -> None:
    assert filled("甲{note}乙{stage}", {"note": "{stage}", "stage": "复核"}) == "甲{stage}乙复核"


def test_an_empty_note_reads_as_none() -> None:
    assert filled("审核意见：{note}", {"note": ""}) == "审核意见：无"


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("请重拍", "请重拍"),
        ("请\r\n重 \t拍\u3000", "请 重 拍"),
        ("【银行】\u200b\x07请\u202e重拍", "银行请重拍"),
        ("", "无"),
        ("\u200b", "无"),
        ("一二三四五六七八九十", "一二三四五六七八九十"),
        ("一二三四五六七八九十甲", "一二三四五六七八九…"),
        ("𠮷" * 11, "𠮷" * 9 + "…"),
    ],
)
def test_a_parameter_is_one_visible_line_within_the_providers_length(typed: str, sent: str) -> None:
    assert fitted(typed, 10) == sent


def test_no_text_of_any_book_can_exceed_what_a_provider_takes() -> None:
    speaking = CATALOG.with_part("notification")
    assert {"platform", SCHEME} <= {each.ref for each in speaking}
    for each in speaking:
        ref = each.ref
        book = each.part("notification", PlatformNotification if ref == "platform" else NotificationScheme)
        for moment in book.moments:
            letter = written(moment, ref, book, POLICY, dict.fromkeys(MOMENTS[moment], "甲" * 200))
            for template in letter.templates:
                assert all(
                    0 < len(value) <= template.longest_parameter for _, value in parameters(template, letter.facts)
                )


# --- books


def _book(text: str) -> dict[str, Any]:
    """A real book with one thing changed: "path/to/it=new value", or "=-" to take it away."""
    book: dict[str, Any] = yaml.safe_load((BOOKS / "swust" / "notification.yaml").read_text("utf-8"))
    where, _, value = text.partition("=")
    *path, last = where.split("/")
    place = book
    for step in path:
        place = place[step]
    if value == "-":
        del place[last]
    else:
        place[last] = yaml.safe_load(value)
    return book


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("moments/exemption.returned/sms/text='{reason}{telephone}'", "no such fact ['telephone']"),
        ("moments/exemption.returned/sms/text='{reason}，{reason}'", "takes each parameter once"),
        ("moments/exemption.returned/sms/text='【甲】{reason}'", "【"),
        ("moments/exemption.returned/inbox=-", "given when, and only when"),
        ("moments/exemption.returned/channels=[sms]", "given when, and only when"),
        ("moments/exemption.returned/sms/providers/tencent=-", "registered with tencent"),
        (
            "moments/exemption.withdrawn={title: 甲, source: assumption, channels: [inbox], inbox: 乙}",
            "nobody knows: ['exemption.withdrawn']",
        ),
        ("moments/exemption.granted/title='{stage}'", "a title names no fact"),
        ("moments/exemption.granted/colour=red", "Extra inputs"),
        ("moments/exemption.granted/source=somewhere", "String should match"),
        ("sign_names/aliyun=-", "registered with aliyun"),
        ("words/telephone={}", "facts nobody knows"),
    ],
)
def test_a_bad_book_is_refused_with_what_is_wrong(change: str, complaint: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(complaint)):
        NotificationScheme.model_validate(_book(change))


def test_the_books_as_they_are_pass() -> None:
    assert set(BOOK.moments) | set(PLATFORM.moments) <= set(MOMENTS)
    with pytest.raises(BadBook):
        CATALOG.get(SCHEME).part("notification", PlatformNotification)


def test_whoever_speaks_of_accounts_speaks_of_all_that_happens_to_them() -> None:
    said = PLATFORM.model_dump()
    del said["moments"]["identity.registered"]
    with pytest.raises(ValidationError, match=re.escape("without words: ['identity.registered']")):
        PlatformNotification.model_validate(said)


def test_a_book_may_keep_silent_and_then_nothing_is_written() -> None:
    with pytest.raises(Refused, match=re.escape("notification.nothing_to_say")):
        written("exemption.expired", SCHEME, BOOK, POLICY, {})


def test_a_verification_code_can_never_be_put_into_the_inbox() -> None:
    said = PLATFORM.model_dump()
    said["moments"]["identity.code_to_register"] |= {"channels": ("sms", "inbox"), "inbox": "{code}"}
    with pytest.raises(ValidationError, match="which never are"):
        PlatformNotification.model_validate(said)


def test_a_verification_text_has_the_code_as_its_only_parameter() -> None:
    for moment, notice in PLATFORM.moments.items():
        if notice.sms:
            assert {placeholders(notice.sms.wording(provider)) for provider in POLICY.order} == {("code",)}, moment


def test_every_field_and_photograph_a_return_can_be_about_has_its_label() -> None:
    exemption = yaml.safe_load((BOOKS / "swust" / "exemption.yaml").read_text("utf-8"))
    labels = {photo["slot"]: photo["label"] for photo in exemption["photos"]}
    labels |= {field["name"]: field["label"] for field in exemption["fields"]}
    about = {reason["document"] for stage in exemption["stages"] for reason in stage["reasons"]}
    words = BOOK.words["document"]
    assert about <= words.keys()
    assert words == {code: labels[code] for code in words}


# --- contacts


def learn(mobile: str, seconds: float, **known: Any) -> LearnContact:
    return LearnContact(mobile=mobile, given_at=at(seconds), origin="account", **known)


def learnt(mobile: str, seconds: float) -> ContactLearned:
    return ContactLearned(mobile=mobile, given_at=at(seconds), origin="account")


def test_the_number_given_last_counts_whatever_is_heard_of_last() -> None:
    past = given(CONTACT, learnt("13900000002", 10))
    past.when(learn("13900000001", 5), None).then()
    past.when(learn("13900000002", 10), None).then()
    past.when(learn("13900000003", 10), None).then(learnt("13900000003", 10))
    past.when(learn("13900000003", 11), None).then(learnt("13900000003", 11))


def test_a_case_keeps_the_book_it_began_with() -> None:
    first = given(CONTACT).when(learn(MOBILE, 0, case=CASE, scheme=SCHEME), None)
    first.then(learnt(MOBILE, 0), CaseLearned(case=CASE, scheme=SCHEME))
    again = learn(MOBILE, -1, case=CASE, scheme="swust/1x@2")
    given(CONTACT, *first.events).when(again, None).then()


def test_a_case_is_seen_where_it_lies_now_and_nowhere_else() -> None:
    def lying(*organisations: str) -> LearnContact:
        return learn(MOBILE, 0, case=CASE, scheme=SCHEME, organisations=organisations)

    first = CaseReviewersLearned(case=CASE, organisations=("point-a", "uni"))
    past = given(CONTACT, learnt(MOBILE, 0), CaseLearned(case=CASE, scheme=SCHEME))
    past.when(lying("point-a", "uni"), None).then(first)
    past = given(CONTACT, learnt(MOBILE, 0), CaseLearned(case=CASE, scheme=SCHEME), first)
    past.when(lying("point-a", "uni"), None).then()
    past.when(lying("point-b", "uni"), None).then(CaseReviewersLearned(case=CASE, organisations=("point-b", "uni")))


# --- reactions


def fact(event: Event) -> Fact[Any]:
    meta = Meta(command_id=uuid4(), actor="x", at=NOON, case=CASE, person=PERSON)
    return Fact(source="exemption", stream="application-1", version=1, event=event, id=uuid4(), meta=meta)


SUBMITTED = ApplicationSubmitted(
    scheme=SCHEME,
    cycle="c",
    submission=2,
    title="已提交",
    form={"name": "试验甲"},
    mobile=MOBILE,
    photos={},
    bases=("x",),
    papers=({"type": "certificate", "number": "X1"},),
    course_codes=(),
    organisations={"teaching_point": "point-a", "university": "uni"},
    clause="",
)
SENT_BACK = ApplicationReturned(
    stage="复核",
    title="已驳回",
    reviewer="r",
    role="university_admin",
    organisation="o",
    reason_code="id_front_unclear",
    reason="身份证正面照片不清晰或不完整",
    document="id_front",
    note="请重拍",
    reopens=("初审",),
    clause="",
)
PASSED = StagePassed(
    stage="初审", title="已初审", reviewer="r", role="x", organisation="o", checklist=(), opinion="", clause=""
)
CODE = SmsCodeIssued(
    mobile=MOBILE,
    code="123456",
    digest="d",
    purpose="register",
    expires_at=NOON + timedelta(minutes=5),
    attempts=5,
)
REGISTERED = AccountRegistered(mobile=MOBILE, name_of_person="试验甲", id_number="x", ticket_number="")
REPLACED = MobileReplaced(mobile=MOBILE, previous="13900000009", checked_by=None, evidence="")
GRANTED = ExemptionGranted(course_codes=(), title="已复核", clause="")
_BY = {"role": "authority_clerk", "organisation": "o", "reason_code": "r", "reason": "不符合规定", "note": "见文件"}
REFUSED = ApplicationRefused(stage="审核", title="不通过", reviewer="r", may_submit_again=True, clause="", **_BY)
UNLOCKED = ReapplicationUnlocked(
    unlocked_by="r", seen=("id_card",), title="被退回", reopens=("审核",), clause="", **_BY
)
REVOKED = ExemptionRevoked(revoked_by="r", title="撤销", clause="", **_BY)
SUPERSEDED = ApplicationSuperseded(by="b", title="被取代", clause="")
LAPSED = ApplicationLapsed(purpose="apply", ended_at=NOON, title="已失效", clause="")
EXPIRED = ExemptionExpired(purpose="graduation", ended_at=NOON, title="已过期", clause="")
DUE = FeeDue(
    stage="初核",
    what="审核费",
    fen=5005,
    whole=5005,
    each="course",
    count=2,
    cycle="c",
    purpose="pay",
    payable_until=NOON,
    refunds="审核不通过的退还",
    title="待缴费",
    clause="",
)
BACK = RefundAsked(order="order-1", fen=5005, reason="too_late", clause="")
REVIVED = ApplicationRevived(purpose="apply", becomes="returned", title="被退回", clause="")
RELEASED = TicketReleased(released_by="r", seen=("ticket",), clause="", **_BY)
OUTCOMES = [RELEASED, REFUSED, UNLOCKED, REVOKED, SUPERSEDED, LAPSED, EXPIRED, REVIVED, DUE, BACK]


def reacted(event: Event, since: tuple[str, ...] = ("beginning", "deployment")) -> list[Command]:
    return [
        command
        for reaction in REACTIONS
        if reaction.event is type(event) and reaction.since in since
        for command in reaction.react(fact(event))
    ]


def test_a_submission_teaches_the_number_and_the_book_before_anything_is_told() -> None:
    learning, telling = reacted(SUBMITTED)
    assert learning == LearnContact(
        mobile=MOBILE,
        given_at=NOON,
        origin="application",
        case=CASE,
        scheme=SCHEME,
        organisations=("point-a", "uni"),
    )
    assert telling == RequestMessage(moment="exemption.submitted", facts={"submission": 2})


def test_a_return_is_told_with_stage_reason_document_and_note() -> None:
    facts = {"stage": "复核", "reason": SENT_BACK.reason, "document": "id_front", "note": "请重拍"}
    assert reacted(SENT_BACK) == [RequestMessage(moment="exemption.returned", facts=facts)]


def test_a_code_goes_to_the_number_in_the_fact_and_ends_with_it() -> None:
    (told,) = reacted(CODE)
    assert told == RequestMessage(
        moment="identity.code_to_register", facts={"code": "123456"}, mobile=MOBILE, expires_at=CODE.expires_at
    )


def test_a_fee_is_told_with_its_amount_its_end_and_what_becomes_of_it() -> None:
    """F-04."""
    facts = {"what": "审核费", "amount": "50.05", "until": spoken(NOON), "refunds": "审核不通过的退还"}
    assert reacted(DUE) == [RequestMessage(moment="exemption.fee_due", facts=facts)]
    assert reacted(BACK) == [RequestMessage(moment="exemption.refund_asked", facts={"amount": "50.05"})]
    assert reacted(structs.replace(BACK, reason="erased")) == []  # type: ignore[type-var]


def test_a_refusal_is_told_with_its_stage_its_reason_and_the_note() -> None:
    """SD-40."""
    facts = {"stage": "审核", "reason": "不符合规定", "note": "见文件"}
    assert reacted(REFUSED) == [RequestMessage(moment="exemption.refused", facts=facts)]


@pytest.mark.parametrize("event", OUTCOMES)
def test_whatever_becomes_of_an_application_is_a_moment_with_exactly_the_facts_its_texts_may_name(event: Event) -> None:
    (told,) = reacted(event)
    assert isinstance(told, RequestMessage)
    assert set(told.facts) == MOMENTS[told.moment]


@pytest.mark.parametrize("event", [REFUSED, REVOKED, SUPERSEDED, EXPIRED, GRANTED, SUBMITTED])
def test_a_book_whose_last_submission_wins_has_words_for_what_becomes_of_the_others(event: Event) -> None:
    """SD-19, SD-40, SD-41, SD-42."""
    (told,) = [command for command in reacted(event) if isinstance(command, RequestMessage)]
    book = CATALOG.get("sd/exemption@1").part("notification", NotificationScheme)
    letter = written(told.moment, "sd/exemption@1", book, POLICY, told.facts)
    assert letter.inbox_text
    assert "{" not in letter.inbox_text
    assert bool(letter.templates) == (event in (REFUSED, REVOKED, GRANTED))


@pytest.mark.parametrize("event", [SUBMITTED, SENT_BACK, PASSED, GRANTED, CODE, REGISTERED, REPLACED, *OUTCOMES])
def test_history_from_before_our_first_day_teaches_and_tells_nobody(event: Event) -> None:
    assert all(isinstance(command, LearnContact) for command in reacted(event, ("beginning",)))


@pytest.mark.parametrize(
    "event", [SUBMITTED, SENT_BACK, PASSED, CODE, REGISTERED, REPLACED, REFUSED, UNLOCKED, REVOKED]
)
def test_facts_of_an_erased_person_lead_to_nothing(event: Event) -> None:
    erased = {name: erased_value(kind) for name, kind in personal_fields(type(event)).items()}
    assert reacted(structs.replace(event, **erased)) == []  # type: ignore[type-var]


@pytest.mark.parametrize("event", [SUBMITTED, SENT_BACK, PASSED, GRANTED, CODE, REGISTERED])
def test_every_told_moment_finds_its_words_and_every_fact_the_words_name(event: Event) -> None:
    (told,) = [command for command in reacted(event) if isinstance(command, RequestMessage)]
    book, ref = (PLATFORM, "platform") if told.moment.startswith("identity.") else (BOOK, SCHEME)
    letter = written(told.moment, ref, book, POLICY, told.facts)
    assert "{" not in letter.inbox_text
    assert letter.inbox_text or letter.templates
