"""What becomes of a record of prior education (前置学历), from the fact to the words, without a server."""

from typing import Any
from uuid import uuid4

import pytest
from msgspec import structs

from services.notification.domain.commands import LearnContact, RequestMessage
from services.notification.domain.contact import CONTACT
from services.notification.domain.scheme import MOMENTS, NotificationScheme
from services.notification.domain.texts import written
from services.notification.reactions import REACTIONS
from shared.events.identity import (
    EducationCheckUnresolved,
    PriorEducationConfirmed,
    PriorEducationNotConfirmed,
    PriorEducationStarted,
)
from shared.events.notification import CaseLearned
from shared.kernel.messages import Command, Event, Fact, Meta, erased_value, personal_fields
from shared.testing.given import given
from tests.services.notification.story import CASE, CATALOG, MOBILE, NOON, PERSON, POLICY, at

SCHEME = "hb/recognition@1"
BOOK = CATALOG.get(SCHEME).part("notification", NotificationScheme)
STARTED = PriorEducationStarted(candidate=PERSON, cycle="c", scheme=SCHEME, commitment=1, agreed_at=NOON, clause="")
CONFIRMED = PriorEducationConfirmed(
    candidate=PERSON,
    cycle="c",
    scheme=SCHEME,
    level="31",
    category="ordinary",
    certificate_number="X1",
    school="样例学院",
    major="园林",
    graduated_on="2018-06-30",
    clause="",
)
NOT_CONFIRMED = PriorEducationNotConfirmed(reason="not_found", differences={"school": "样例大学"}, clause="")
UNRESOLVED = EducationCheckUnresolved(reason="no_answer")
TOLD = [CONFIRMED, NOT_CONFIRMED, UNRESOLVED]


def reacted(event: Event, since: tuple[str, ...] = ("beginning", "deployment")) -> list[Command]:
    meta = Meta(command_id=uuid4(), actor="x", at=NOON, case=CASE, person=PERSON)
    fact: Fact[Any] = Fact(source="identity", stream="education-1", version=1, event=event, id=uuid4(), meta=meta)
    return [
        command
        for reaction in REACTIONS
        if reaction.event is type(event) and reaction.since in since
        for command in reaction.react(fact)
    ]


def test_a_record_teaches_its_book_and_no_number() -> None:
    (learning,) = reacted(STARTED, ("beginning",))
    assert learning == LearnContact(given_at=NOON, origin="prior_education", case=CASE, scheme=SCHEME)
    later = LearnContact(mobile=MOBILE, given_at=at(-5), origin="account")
    given(CONTACT).when(learning, None).then(CaseLearned(case=CASE, scheme=SCHEME))
    after = CONTACT.evolve(CONTACT.initial, CaseLearned(case=CASE, scheme=SCHEME))
    (learnt,) = CONTACT.decide(later, after, None)
    assert CONTACT.evolve(after, learnt).mobile == MOBILE


@pytest.mark.parametrize("event", TOLD)
def test_each_outcome_is_a_moment_with_exactly_the_facts_its_texts_may_name(event: Event) -> None:
    (told,) = reacted(event)
    assert isinstance(told, RequestMessage)
    assert set(told.facts) == MOMENTS[told.moment]
    letter = written(told.moment, SCHEME, BOOK, POLICY, told.facts)
    assert letter.channels == ("sms", "inbox")
    assert "{" not in letter.inbox_text
    assert "样例" not in letter.inbox_text


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("name_differs", "请逐字核对"),
        ("details_differ", "请按标出的项目核对更正"),
        ("not_found", "请到学信网申请学历认证报告"),
        ("invalid", "请联系发证学校"),
    ],
)
def test_why_it_has_no_effect_is_told_in_words_with_what_to_do_or_to_bring(reason: str, words: str) -> None:
    (told,) = reacted(PriorEducationNotConfirmed(reason=reason, differences={}, clause=""))
    assert isinstance(told, RequestMessage)
    letter = written(told.moment, SCHEME, BOOK, POLICY, told.facts)
    assert words in letter.inbox_text
    assert all(words not in str(template.parameters) for template in letter.templates)


@pytest.mark.parametrize("event", TOLD)
def test_history_from_before_our_first_day_tells_nobody(event: Event) -> None:
    assert reacted(event, ("beginning",)) == []


@pytest.mark.parametrize("event", [CONFIRMED, EducationCheckUnresolved(reason="erased")])
def test_of_an_erased_person_nothing_is_told(event: Event) -> None:
    erased = {name: erased_value(kind) for name, kind in personal_fields(type(event)).items()}
    assert reacted(structs.replace(event, **erased)) == []  # type: ignore[type-var]
