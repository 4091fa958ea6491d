"""No refusal that a candidate or a reviewer reads holds an id of the book or a word of the program.

Every book is walked as `./zikao schemes check` walks it; in every situation all that can be done wrong is tried, and
what comes of it is read in both languages.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date, time
from typing import Any

import pytest
from msgspec import structs

from services.exemption.domain import rules as laws
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application, Case, Draft, Returned
from services.exemption.domain.commands import (
    ApplicationCommand,
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    RevokeExemption,
    SaveDraft,
    SubmitApplication,
    UnlockReapplication,
)
from services.exemption.domain.hand_in import verdict
from services.exemption.domain.proofs import RELEASER, REVOKER, UNLOCKER, Trial, circumstances, perfect, walked
from services.exemption.domain.refusals import said
from services.exemption.domain.sample import APPLICATION as CASE
from services.exemption.domain.sample import CANDIDATE
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from shared.kernel.errors import Refused
from shared.schemes.catalog import BOOKS, Book, Catalog
from shared.schemes.procedure import Window
from tests.schemes.test_vocabulary import CLAIMS
from tests.services.exemption.story import TEST_BOOKS

SHELVES = [Catalog.load(shelf) for shelf in (BOOKS, CLAIMS, TEST_BOOKS)]
EVERY = [(catalog, book) for catalog in SHELVES for book in catalog.with_part("exemption")]
EVERY_BOOK = pytest.mark.parametrize(("catalog", "book"), EVERY, ids=[book.ref for _, book in EVERY])
WRONG = ("", "----", "甲", "1", "2039-01-01", "\u200b甲", "长" * 80)
CODE = re.compile(r"[a-z][a-z_]+")
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def words_of(said: Any) -> Iterator[str]:
    """What a book has for people: texts in Chinese; and its examples."""
    if isinstance(said, Mapping):
        for name, each in said.items():
            yield from [str(each)] if name == "example" else words_of(each)
    elif isinstance(said, list | tuple):
        for each in said:
            yield from words_of(each)
    elif isinstance(said, str) and CHINESE.search(said):
        yield said


def spoilt(draft: SaveDraft) -> Iterator[SaveDraft]:
    """Everything that can be typed wrong, one thing at a time."""
    yield SaveDraft(application=CASE, form={}, photos={}, claims=(), majors=())
    for strange in ({"form": {"strange": "1"}}, {"photos": {"strange": "x"}}):  # of a page that is not of today's book
        yield replaced(draft, **strange)
        yield from (with_claims(draft, {**claim, **strange}) for claim in draft.claims)
    yield with_claims(draft, {"basis": "strange", "form": {}, "photos": {}, "courses": []})
    yield with_claims(draft, *draft.claims, *draft.claims)
    yield with_majors(draft, *draft.majors, *draft.majors, "本科 000000")
    for name in draft.form:
        for typed in WRONG:
            yield replaced(draft, form={**draft.form, name: typed})
    for claim in draft.claims:
        for name in claim["form"]:
            for typed in WRONG:
                yield with_claims(draft, {**claim, "form": {**claim["form"], name: typed}})
        for typed in WRONG:
            courses = [{**each, "form": dict.fromkeys(each["form"], typed)} for each in claim["courses"]]
            yield with_claims(draft, {**claim, "courses": courses})
            yield with_claims(draft, {**claim, "courses": [{"code": typed, "name": typed, "form": {}}]})


def replaced(draft: SaveDraft, **changes: Any) -> SaveDraft:
    return structs.replace(draft, **changes)  # type: ignore[type-var]  # a struct, told to mypy as a dataclass


def with_claims(draft: SaveDraft, *claims: dict[str, Any]) -> SaveDraft:
    return replaced(draft, claims=claims)


def with_majors(draft: SaveDraft, *majors: str) -> SaveDraft:
    return replaced(draft, majors=majors)


def mistakes(book: ExemptionScheme) -> Iterator[tuple[ApplicationCommand, str]]:
    """Of those who decide."""
    for stage in book.stages:
        who, checklist = f"by-{stage.name}", {item.id: True for item in stage.checklist}
        answers: list[dict[str, bool]] = [{}, {"strange": True}, dict.fromkeys(checklist, False), checklist]
        for answered in answers:
            yield PassStage(application=CASE, stage=stage.name, checklist=answered), who
        code = stage.reasons[0].code if stage.reasons else "strange"
        yield ReturnApplication(application=CASE, stage=stage.name, reason_code="strange", note="说明"), who
        yield ReturnApplication(application=CASE, stage=stage.name, reason_code=code, note="--"), who
        strange = "strange"
        yield (
            ReturnApplication(application=CASE, stage=stage.name, reason_code=code, note="说明", document=strange),
            who,
        )
        yield RefuseApplication(application=CASE, stage=stage.name, reason_code="strange", note="说明"), who
    for seen in ({}, {"strange": True}):
        yield UnlockReapplication(application=CASE, seen=seen, reason_code="strange", note="说明"), UNLOCKER
        yield ReleaseTicket(application=CASE, seen=seen, reason_code="strange", note="说明"), RELEASER
    for offices, command, who in (
        (book.uniqueness.unlocking if book.uniqueness else None, UnlockReapplication, UNLOCKER),
        (book.uniqueness.release if book.uniqueness else None, ReleaseTicket, RELEASER),
    ):
        all_seen = {item.id: True for item in offices.seen} if offices else {}
        yield command(application=CASE, seen=all_seen, reason_code="strange", note="说明"), who
    yield RevokeExemption(application=CASE, reason_code="strange", note="说明"), REVOKER
    yield SubmitApplication(application=CASE), CANDIDATE


def refusals(state: Application, trial: Trial) -> Iterator[Refused]:
    book = trial.rules.book
    shut = frozenset(each.id for each in book.windows)
    drafts: list[ApplicationCommand] = [trial.sample.draft, SubmitApplication(application=CASE)]
    tried = [*mistakes(book), *((each, CANDIDATE) for each in drafts), *((each, "stranger") for each in drafts)]
    for command, actor in tried:
        for closed in (frozenset[str](), shut):
            try:
                APPLICATION.decide(command, state, circumstances(trial, actor, closed))
            except Refused as refused:
                yield refused
    if isinstance(state, Draft | Returned):
        yield from _of_drafts(state, trial)


def _of_drafts(state: Draft | Returned, trial: Trial) -> Iterator[Refused]:
    """As saved, handed in, and as the verdict beforehand; and where nobody is who could review."""
    mine = circumstances(trial, CANDIDATE)
    alone = replace(mine, organisations={name: replace(each, parent=None) for name, each in mine.organisations.items()})
    for draft in spoilt(trial.sample.draft):
        after: Application = state
        try:
            for event in APPLICATION.decide(draft, state, mine):
                after = APPLICATION.evolve(after, event)
        except Refused as refused:
            yield refused
            continue
        assert isinstance(after, Case)
        yield from (each.refusal for each in verdict(after, mine) if each.refusal)
    yield from (each.refusal for each in verdict(state, alone) if each.refusal)


@EVERY_BOOK
def test_whatever_is_done_wrong_is_told_in_words_of_people(catalog: Catalog, book: Book) -> None:
    rules = Rules(book.ref, book.part("exemption", ExemptionScheme), known_of(catalog, book.ref))
    trial, found = perfect(rules), dict[tuple[str, str], str]()
    for state in walked(rules).states.values():
        for refused in refusals(state, trial):
            found[said(refused)] = refused.code
    assert len(set(found.values())) > 8
    own = " ".join(words_of([sheet.data for sheet in (*book.sheets.values(), *catalog.reference.sheets.values())]))
    strange = {
        (code, word)
        for (zh, en), code in found.items()
        for word in (*CODE.findall(zh), *(each for each in CODE.findall(en) if "_" in each))
        if word not in own
    }
    assert strange == set()


@EVERY_BOOK
def test_whoever_opens_a_cycle_is_told_of_windows_by_their_titles(catalog: Catalog, book: Book) -> None:
    windows = book.part("exemption", ExemptionScheme).windows
    with pytest.raises(Refused) as missing:
        laws.windows_must_match_the_book(windows, [])
    assert "、".join(each.title for each in windows) in said(missing.value)[0]
    first, day = windows[0], date(2026, 3, 2)
    for wrong in (
        Window(day, date(2026, 3, 1)),
        Window(day, date(2030, 3, 1)),
        Window(day, day, ((time(9), time(9)),)),
        Window(day, day, ((time(9), time(12)), (time(10), time(13)))),
        Window(day, day, (), (day,)),
    ):
        with pytest.raises(Refused) as refused:
            laws.window_must_make_sense(first, wrong)
        zh = said(refused.value)[0]
        assert f"“{first.title}”" in zh
        assert CODE.findall(zh.replace(first.title, "")) == []
    with pytest.raises(Refused) as shut:
        laws.extension_must_open(first, Window(day, day), date(2026, 3, 3), [date(2026, 3, 3)])
    assert first.title in said(shut.value)[0]
