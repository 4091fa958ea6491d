"""Made-up cases with claims, by the books of the made-up jurisdiction: `ISLE` (majors, modules, a diploma, once and
again) and `REEF` (the last submission wins, number, receipt, caps, on site, expiry), and by that which asks for a fee,
`FERRY`. Everybody here is invented."""

from dataclasses import replace
from datetime import datetime
from typing import Any

from services.exemption.domain.access import Context
from services.exemption.domain.application import APPLICATION
from services.exemption.domain.commands import (
    PassStage,
    RefuseApplication,
    SaveDraft,
    StartApplication,
    SubmitApplication,
    UnlockReapplication,
)
from services.exemption.domain.cycle import Cycle
from services.exemption.domain.followed import Account, Education, Organisation
from services.exemption.domain.form import Photograph
from services.exemption.domain.scheme import Rules
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Window
from shared.testing.given import given
from tests.schemes.test_vocabulary import FERRY as FERRY_REF
from tests.schemes.test_vocabulary import ISLE as ISLE_REF
from tests.schemes.test_vocabulary import REEF as REEF_REF
from tests.schemes.test_vocabulary import rules
from tests.services.exemption.story import Past

ISLE, REEF, FERRY = rules(ISLE_REF), rules(REEF_REF), rules(FERRY_REF)
CASE, CANDIDATE = "application-c", "candidate-hai"
NOON = datetime(2026, 3, 10, 11, 0, tzinfo=SHANGHAI)
LATER = datetime(2026, 4, 5, 11, 0, tzinfo=SHANGHAI)
MUCH_LATER = datetime(2026, 6, 5, 11, 0, tzinfo=SHANGHAI)
RECORD = "record-1"
DIPLOMA = Education("effective", "31", "ordinary", "D100000001", "虚构学院", "园艺")
ACCOUNT = Account(
    "海一", "11010119900307109X", "13800138000", "990000000001", {"lagoon": "photographs"}, {RECORD: DIPLOMA}
)
ORGANISATIONS = {
    "harbour": Organisation("harbour", "虚构港务局", "harbour", None),
    "jetty": Organisation("jetty", "一号码头", "jetty", "harbour"),
    "jetty-2": Organisation("jetty-2", "二号码头", "jetty", "harbour"),
}
ROLES = {
    "master": ("harbour_master", "harbour"),
    "mate": ("harbour_master", "harbour"),
    "clerk": ("jetty_clerk", "jetty"),
}


def window(first: int, last: int, month: int = 3) -> Window:
    return Window(datetime(2026, month, first).date(), datetime(2026, month, last).date())  # noqa: DTZ001


WINDOWS = {
    ISLE_REF: {"apply": window(1, 31), "results": window(1, 30, 4)},
    REEF_REF: {
        "apply": window(1, 31),
        "correct": window(1, 31),
        "confirm": window(1, 31),
        "use": window(1, 31, 5),
        "results": window(1, 30, 4),
    },
    FERRY_REF: {
        "apply": window(1, 31),
        "pay": Window(datetime(2026, 3, 1).date(), datetime(2026, 4, 5).date()),  # noqa: DTZ001
    },
}


def photographs(by: Rules) -> dict[str, Photograph]:
    """One upload for each slot: `u-<slot>`."""
    return {f"u-{slot}": Photograph(CANDIDATE, CASE, slot) for slot in by.book.slots()}


def at(actor: str, now: datetime = NOON, by: Rules = ISLE, **more: Any) -> Context:
    known = Context(
        now=now,
        actor=actor,
        roles=frozenset({ROLES[actor]} if actor in ROLES else ()),
        application=CASE,
        cycle_id="cycle-1",
        rules=by,
        cycle=Cycle(by.ref, "harbour", "测试批次", WINDOWS[by.ref]),
        organisations=ORGANISATIONS,
        account=ACCOUNT,
        photographs=photographs(by),
        number="RF20260310-0001" if by is REEF else "",
    )
    return replace(known, **more)


def me(now: datetime = NOON, by: Rules = ISLE, **more: Any) -> Context:
    return at(CANDIDATE, now, by, **more)


def course(code: str, name: str = "", **form: str) -> dict[str, Any]:
    return {"code": code, "name": name, "form": form}


def claim(basis: str, *courses: dict[str, Any], photos: tuple[str, ...] = (), **form: str) -> dict[str, Any]:
    said = {slot: f"u-{basis}.{slot}" for slot in photos}
    return {"basis": basis, "form": form, "photos": said, "courses": list(courses)}


def tide(*courses: dict[str, Any], **form: str) -> dict[str, Any]:
    said = {"level": "2", "number": "T-1", "taken_in": "2019年03月", **form}
    return claim("tide_two", *courses, photos=("paper",), **said)


def diploma(*courses: dict[str, Any], record: str = RECORD) -> dict[str, Any]:
    return claim("diploma", *courses, record=record)


def knots(*courses: dict[str, Any], **form: str) -> dict[str, Any]:
    said = {"module": "双套结", "number_1": "K-1", "number_2": "K-2", **form}
    return claim("knots", *courses, photos=("paper_1", "paper_2"), **said)


ISLE_FORM = {
    "jetty": "jetty",
    "name": "海一",
    "id_number": "11010119900307109X",
    "ticket": "990000000001",
    "shore": "10",
    "own_major": "本科 990101",
}
REEF_FORM = {"name": "海一", "phone": "13800138000", "ticket": "990000000001", "plan": "2020", "standing": "social"}
GOOD = (tide(course("90001"), course("90002")), diploma(course("90003", learned="潮汐", score="75"), course("90004")))
FERRY_FORM = {"name": "海一", "mobile": "13800138000"}
FERRY_GOOD = (claim("tide", course("90001"), course("90002"), number="T-1"),)
REEF_GOOD = (
    claim("passed_before", course("90003", "潮汐学", obtained_in="2019年03月"), photos=("transcript",)),
    claim("tide", course("90001", "海图绘制"), number="T-1", valid_until="长期", obtained_on="2019-03-02"),
)
START = StartApplication(cycle="cycle-1")
SUBMIT = SubmitApplication(application=CASE)


def save(
    *claims: dict[str, Any], majors: tuple[str, ...] = ("本科 990101",), by: Rules = ISLE, **changes: str
) -> SaveDraft:
    form = {**(ISLE_FORM if by is ISLE else REEF_FORM), **changes}
    photos = {} if by is ISLE else {"portrait": "u-portrait"}
    return SaveDraft(application=CASE, form=form, photos=photos, claims=claims, majors=majors)


def draft(*claims: dict[str, Any], by: Rules = ISLE, **more: Any) -> Past:
    said = claims or (GOOD if by is ISLE else REEF_GOOD)
    return given(APPLICATION).and_then(START, me(by=by)).and_then(save(*said, by=by, **more), me(by=by))


def submitted(*claims: dict[str, Any], by: Rules = ISLE, **more: Any) -> Past:
    return draft(*claims, by=by, **more).and_then(SUBMIT, me(by=by))


def codes(past: Past, context: Context | None = None) -> dict[str, str]:
    """About what -> the code of what is wrong, when it is handed in."""
    outcome = past.when(SUBMIT, context or me())
    if outcome.refusal is None:
        return {}
    if outcome.refusal.code != "exemption.form_wrong":
        return {"": outcome.refusal.code}
    return {fault["field"]: fault["code"] for fault in outcome.refusal.facts["faults"]}


def passing(stage: str, by: Rules = ISLE) -> PassStage:
    checklist = {item.id: True for item in by.book.stage(stage).checklist}
    return PassStage(application=CASE, stage=stage, checklist=checklist)


def refusing(stage: str, reason: str) -> RefuseApplication:
    return RefuseApplication(application=CASE, stage=stage, reason_code=reason, note="说明")


UNLOCK = UnlockReapplication(
    application=CASE, seen={"id_card": True, "printed_details": True}, reason_code="wrong_material", note="见过本人"
)


def refused_code(outcome_refusal: Refused | None) -> str:
    return outcome_refusal.code if outcome_refusal else "ok"
