"""What offices do in the stories, each step by its name in `stories/*.yaml`. `story.py` has them told.

Whoever decides is found as in an office: by the work list of each person of the story.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from ops.demo.api import Unexpected
from ops.demo.script import Position
from ops.demo.walk import Step, Walk
from shared.kernel.time import SHANGHAI

TWICE = "exemption.already_reviewed_by_you"


def open_offices(walk: Walk) -> None:
    said = walk.script
    what = f"offices: {len(said.organisations)}, people: {len(said.people)}, each with a second factor"
    with walk.tell.step("机构与人员", what) as told:
        walk.open_offices()
        told += [f"{each.name}（{each.login}）" for each in said.people]


def open_cycle(walk: Walk) -> None:
    with walk.tell.step("批次", f"a cycle of {walk.script.scheme} for today") as told:
        walk.open_cycle()
        cycle = walk.exemption.get(f"/v1/cycles/{walk.cycle}")
        told.append(cycle["title"])
        for each in cycle["windows"]:
            days = dict.fromkeys((each["from_day"], each["to_day"]))
            told.append(f"{each['title']}: {' 至 '.join(days)} {_hours(each)}")


def _hours(window: Mapping[str, Any]) -> str:
    """To the second: a window of a story may be open for a few."""
    if not window["daily"]:
        return "全天"
    closes, opens = ((window[name] or "") for name in ("closes_at", "opens_at"))
    return f"开放至 {_clock(closes)}" if closes else f"{_clock(opens)} 开放"


def _clock(at: str) -> str:
    return f"{datetime.fromisoformat(at).astimezone(SHANGHAI):%H:%M:%S}"


def verify_person(walk: Walk) -> None:
    """The clerk compares the photographs pair by pair; a machine has compared none, and says so."""
    person = walk.registration.person
    with walk.tell.step("身份认证：核对", "the clerk looks at every photograph") as told:
        by = next(each for each in walk.script.people if person in _waiting(walk, each))
        clerk = walk.as_staff(by.login, "identity")
        case = clerk.get(f"/v1/verifications/{person}")
        for slot in case["photographs"]:
            clerk.file(f"/v1/verifications/{person}/photographs/{slot}")
        for pair in case["pairs"]:
            shown = " 与 ".join(case["photographs"][slot] for slot in pair.split("+"))
            hint = "已由机器比对" if case["compared_by_machine"] else "机器未比对"
            told.append(f"{shown}：{hint}，{by.name}认定为同一人")
        same = dict.fromkeys(case["pairs"], True)
        clerk.post(f"/v1/verifications/{person}/pass", {"attempt": case["attempt"], "pairs": same})


def _waiting(walk: Walk, clerk: Position) -> set[str]:
    listed = walk.as_staff(clerk.login, "identity").get("/v1/verifications")["verifications"]
    return {each["person"] for each in listed}


def send_back(walk: Walk, reason: str, note: str) -> None:
    """退回: by the first whose work list has the case, for a reason of the book."""
    by, item = next(found for each in walk.script.people for found in _at_the_desk_of(walk, each))
    stage = next(each for each in walk.book["stages"] if each["name"] == item["stage"])
    with walk.tell.step(f"{stage['name']}：{stage['return_action']}", by.name) as told:
        reviewer = walk.as_staff(by.login)
        reviewer.get(f"/v1/applications/{walk.case}")
        body = {"stage": stage["name"], "reason_code": reason, "note": note}
        reviewer.post(f"/v1/applications/{walk.case}/return", body)
        told += [next(each["text"] for each in stage["reasons"] if each["code"] == reason), note]


def unlock(walk: Walk, reason: str, note: str) -> None:
    """The clerk whom the book names has seen the candidate with their papers: one more application."""
    said = walk.book["uniqueness"]["unlocking"]
    by = walk.holders(said["role"], said["scope"])[0]
    with walk.tell.step(said["action"], f"{by.name}, who has seen the candidate") as told:
        body = {"seen": {each["id"]: True for each in said["seen"]}, "reason_code": reason, "note": note}
        walk.as_staff(by.login).post(f"/v1/applications/{walk.case}/unlock", body)
        told.append(f"已查验：{'、'.join(each['text'] for each in said['seen'])}")
        told += [next(each["text"] for each in said["reasons"] if each["code"] == reason), note]


def review(walk: Walk, opinion: str) -> None:
    """Stage by stage, by whoever has the case in their work list, until nobody has."""
    passed = 0
    while any(_passes(walk, each, opinion) for each in walk.script.people):
        passed += 1
    if not passed:
        raise Unexpected(f"{walk.case} is in nobody's work list")


def _at_the_desk_of(walk: Walk, person: Position) -> list[tuple[Position, dict[str, str]]]:
    """The case, if it waits for this person."""
    items = walk.as_staff(person.login).get("/v1/work")["items"]
    return [(person, item) for item in items if item["id"] == walk.case]


def _passes(walk: Walk, person: Position, opinion: str) -> bool:
    for _, item in _at_the_desk_of(walk, person):
        stage = next(each for each in walk.book["stages"] if each["name"] == item["stage"])
        with walk.tell.step(f"{stage['name']}：{stage['pass_action']}", person.name) as told:
            said = _decided(walk, person, stage["name"], opinion)
            told.append(said or f"{len(stage['checklist'])} 项核对无误：{opinion}")
        return not said
    return False


def _decided(walk: Walk, person: Position, stage: str, opinion: str) -> str:
    """Every photograph looked at, every item of the checklist; or why this person may not: nobody decides twice."""
    reviewer = walk.as_staff(person.login)
    shown = reviewer.get(f"/v1/applications/{walk.case}")
    for photo in shown["photos"]:
        reviewer.file(f"/v1/uploads/{photo['upload']}/picture")
    checklist = {item["id"]: True for item in shown["review"]["checklist"]}
    body = {"stage": stage, "checklist": checklist, "opinion": opinion}
    try:
        reviewer.post(f"/v1/applications/{walk.case}/pass", body)
    except Unexpected as refused:
        if refused.problem.get("code") != TWICE:
            raise
        return f"is refused: {refused.problem['detail']} ({TWICE})"
    return ""


def print_record_table(walk: Walk, by: str) -> None:
    with walk.tell.step("打印申请记录", "the record table as PDF") as told:
        printed = walk.as_staff(by).document(f"/v1/applications/{walk.case}/record-table")
        file = walk.stack.place.data / f"record-table-{walk.case}.pdf"
        file.write_bytes(printed)
        told.append(str(file))


def hand_off(walk: Walk, by: str, to: str) -> None:
    with walk.tell.step("报考试院", "the batch is handed to the authority, which acknowledges it"):
        batch = walk.as_staff(by).post("/v1/batches", {"cycle": walk.cycle, "applications": [walk.case]})["id"]
        walk.as_staff(to).post(f"/v1/batches/{batch}/acknowledge", {"reference": f"DEMO-{batch[:8]}"})


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        open_offices,
        open_cycle,
        verify_person,
        send_back,
        unlock,
        review,
        print_record_table,
        hand_off,
    )
}
