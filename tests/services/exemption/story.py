"""A made-up case, told in the words of the domain: contexts, people and the steps of an application.

Everybody here is invented; the books are the real 1+X one (`SWUST`) and the made-up guild (`GUILD`).
"""

from dataclasses import replace
from datetime import date, datetime, time, timedelta
from functools import cache
from pathlib import Path
from typing import Any

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.case import Application
from services.exemption.domain.commands import (
    ApplicationCommand,
    HandOffRecord,
    PassStage,
    PrintRecordTable,
    ReturnApplication,
    SaveDraft,
    StartApplication,
    SubmitApplication,
)
from services.exemption.domain.cycle import Cycle
from services.exemption.domain.followed import Account, Organisation
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from shared.events.exemption import ApplicationEvent
from shared.kernel.time import SHANGHAI
from shared.schemes.catalog import Catalog
from shared.schemes.procedure import Window
from shared.testing.given import Given, given

TEST_BOOKS = Path(__file__).parents[2] / "schemes" / "books"


def rules_of(ref: str, catalog: Catalog) -> Rules:
    return Rules(ref, catalog.get(ref).part("exemption", ExemptionScheme), known_of(catalog, ref))


SWUST = rules_of("swust/1x@1", Catalog.load())
GUILD = rules_of("madeup/guild@3", Catalog.load(TEST_BOOKS))

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=SHANGHAI)
CASE = "application-a"
CANDIDATE = "candidate-zhang"
ORGANISATIONS = {
    each.id: each
    for each in (
        Organisation("authority", "测试考试院", "province", None),
        Organisation("uni", "测试大学", "university", "authority"),
        Organisation("point-a", "甲助学点", "teaching_point", "uni"),
        Organisation("point-b", "乙助学点", "teaching_point", "uni"),
        Organisation("other-uni", "另一大学", "university", "authority"),
        Organisation("other-point", "另一助学点", "teaching_point", "other-uni"),
        Organisation("hall", "虚构会馆", "guildhall", None),
        Organisation("shop", "虚构作坊", "workshop", "hall"),
    )
}
ROLES = {
    "li": ("teaching_point_admin", "point-a"),
    "wang": ("university_admin", "uni"),
    "zhao": ("authority_clerk", "authority"),
    "clerk": ("clerk", "shop"),
    "examiner": ("examiner", "hall"),
    "elder": ("elder", "hall"),
}
ACCOUNT = Account("张三丰", "11010119900307109X", "13800138000")
PHOTOS = {"id_front": "u-front", "id_back": "u-back", "certificate_photo": "u-certificate"}
PHOTOGRAPHS = {upload: Photograph(CANDIDATE, CASE, slot) for slot, upload in PHOTOS.items()} | {
    "u-paper": Photograph(CANDIDATE, CASE, "paper_photo")
}
FORM = {
    "teaching_point": "point-a",
    "name": "张三丰",
    "id_number": "11010119900307109x",
    "mobile": "138 0013 8000",
    "certificate": "web_front_end",
    "certificate_level": "中级",
    "certificate_number": "x20230000000001",
    "valid_until": "2026年6月30日",
    "remark": "",
}
GUILD_FORM = {"shop": "shop", "paper": "joiner", "paper_number": "N-1", "craft": "wood"}

WINDOW = Window(date(2026, 3, 1), date(2026, 3, 31))
HOURS = Window(date(2026, 3, 10), date(2026, 3, 11), ((time(9), time(12)), (time(13), time(17))), (), True)


def at(actor: str, now: datetime = NOON, rules: Rules = SWUST, **more: Any) -> Context:
    """What is known when `actor` acts: their one role, an open cycle, everybody's organisations."""
    guild = rules is GUILD
    windows = {"apply": replace(HOURS, to_day=date(2026, 3, 31)), "correct": WINDOW} if guild else {"apply": WINDOW}
    known = Context(
        now=now,
        actor=actor,
        roles=frozenset({ROLES[actor]} if actor in ROLES else ()),
        application=CASE,
        cycle_id="cycle-1",
        rules=rules,
        cycle=Cycle(rules.ref, "hall" if guild else "uni", "测试批次", windows),
        organisations=ORGANISATIONS,
        account=ACCOUNT,
        photographs=PHOTOGRAPHS,
    )
    return replace(known, **more)


def me(now: datetime = NOON, rules: Rules = SWUST, **more: Any) -> Context:
    return at(CANDIDATE, now, rules, **more)


Past = Given[ApplicationCommand, Application, ApplicationEvent, Context]

START = StartApplication(cycle="cycle-1")
SUBMIT = SubmitApplication(application=CASE)
PRINT = PrintRecordTable(application=CASE, digest="sha256:0")
HAND_OFF = HandOffRecord(batch="batch-1", receiver="authority")


def save(**changes: Any) -> SaveDraft:
    return SaveDraft(application=CASE, form={**FORM, **changes}, photos=PHOTOS)


def passing(stage: str, rules: Rules = SWUST, opinion: str = "") -> PassStage:
    checklist = {item.id: True for item in rules.book.stage(stage).checklist}
    return PassStage(application=CASE, stage=stage, checklist=checklist, opinion=opinion)


def returning(stage: str, reason: str = "id_front_unclear", note: str = "请重新拍摄") -> ReturnApplication:
    return ReturnApplication(application=CASE, stage=stage, reason_code=reason, note=note)


@cache
def nothing() -> Past:
    return given(APPLICATION)


@cache
def draft() -> Past:
    return nothing().and_then(START, me()).and_then(save(), me())


@cache
def submitted() -> Past:
    return draft().and_then(SUBMIT, me())


@cache
def first_passed() -> Past:
    return submitted().and_then(passing("初审"), at("li"))


@cache
def returned_by_first() -> Past:
    return submitted().and_then(returning("初审"), at("li"))


@cache
def returned_by_second() -> Past:
    return first_passed().and_then(returning("复核"), at("wang"))


@cache
def granted() -> Past:
    return first_passed().and_then(passing("复核"), at("wang"))


@cache
def handed_off() -> Past:
    return granted().and_then(HAND_OFF, at("wang"))


@cache
def guild_submitted() -> Past:
    saved = SaveDraft(application=CASE, form=GUILD_FORM, photos={"paper_photo": "u-paper"})
    opening = me(NOON - timedelta(hours=1), GUILD)
    return nothing().and_then(START, opening).and_then(saved, opening).and_then(SUBMIT, opening)
