"""What a candidate does in the stories, each step by its name in `stories/*.yaml`. `story.py` has them told.

A step takes the walk and what its line says. What is asked of the candidate, the book says through the API; what is
answered stands in the story.
"""

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ops.demo.api import Unexpected
from ops.demo.papers import drawn
from ops.demo.script import filled
from ops.demo.walk import Step, Walk
from shared.kernel.time import utc_now

_PAPERS = {"form_document": ("form-document", "docx"), "receipt": ("receipt-document", "pdf")}
"""What of the book it is -> where it is, and what file."""


def register(walk: Walk, **route: str) -> None:
    """验证手机号码, 填写账号信息, 验证身份; `route`: where somebody is to be verified by photographs."""
    registration, who = walk.registration, walk.candidate
    with walk.tell.step("注册：验证手机号码", f"picture captcha, SMS code to {who.mobile}"):
        registration.prove_mobile()
    with walk.tell.step("注册：填写账号信息", "a password"):
        registration.choose_password()
    with walk.tell.step("注册：验证身份", f"{who.name} {who.id_number}"):
        registration.identify(**route)
    sign_in(walk)


def sign_in(walk: Walk) -> None:
    with walk.tell.step("登录", "by ID number and password"):
        walk.sign_in()


def photograph_oneself(walk: Walk) -> None:
    """Every photograph that the route asks for, to the clerk."""
    asked = walk.identity.get("/v1/me/verification")
    with walk.tell.step("上传照片认证身份", asked["same_person"]) as told:
        for each in asked["photographs"]:
            picture = drawn(walk.script.papers[each["slot"]], walk.candidate)
            files = {"file": (f"{each['slot']}.jpg", picture, "image/jpeg")}
            walk.identity.post("/v1/me/verification/photographs", data={"slot": each["slot"]}, files=files)
            told.append(f"{each['label']}: {len(picture) / 1e6:.1f} MB")
        walk.identity.post("/v1/me/verification/submit")


def prove_education(walk: Walk, form: Mapping[str, str]) -> None:
    """前置学历: the letter of commitment, the form, and what CHSI (the sandbox's) says to it."""
    at = f"/v1/prior-education-cycles/{walk.cycle}"
    early = {"identity.no_such_cycle", "identity.no_prior_education"}
    with walk.tell.step("前置学历：承诺", "the letter of commitment, read and ticked") as told:
        shown = walk.wait(lambda: walk.identity.get_unless(early, at))
        told.append(f"{shown['commitment']['agree']}（第 {shown['commitment']['version']} 版）")
        begin = {"cycle": walk.cycle, "commitment": shown["commitment"]["version"]}
        stream = walk.identity.post("/v1/prior-educations", begin)["stream"]
        walk.facts["record"] = stream.removeprefix("education-")
    record = f"/v1/prior-educations/{walk.facts['record']}"
    with walk.tell.step("前置学历：保存，提交", "the diploma, as it is printed") as told:
        typed = filled(form, walk.facts)
        walk.identity.put(record, {"form": typed})
        walk.identity.post(f"{record}/submit")
        plain = [each["name"] for each in shown["fields"] if each["kind"] != "choice"]
        told += [walk.identity.get(record)["feedback"], "　".join(typed[name] for name in plain)]
    with walk.tell.step("学信网验反馈", "CHSI (sandbox) answers") as told:
        known = walk.wait(lambda: _answered(walk.identity.get(record)))
        told.append(f"{known['title']}：{known['feedback']}")


def _answered(record: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return record if record["state"] == "effective" else None


def fill_in(
    walk: Walk,
    form: Mapping[str, str],
    claims: Sequence[Mapping[str, Any]] = (),
    majors: Sequence[Mapping[str, str]] = (),
    saying: str = "saved as typed so far",
) -> None:
    """An application, saved: the form, and on what the candidate claims which courses."""
    with walk.tell.step(_title(walk, "draft"), f"an application, {saying}") as told:
        walk.case = walk.exemption.post("/v1/applications", {"cycle": walk.cycle})["id"]
        _type(walk, form, claims, majors)
        told += [_claimed(walk, claim) for claim in walk.draft["claims"]]


def photograph_papers(walk: Walk) -> None:
    """Every photograph that the book asks for: of the form, and of each claim by its basis."""
    photos = [(each, walk.draft["photos"], each["slot"]) for each in walk.book.get("photos", ())]
    for claim in walk.draft["claims"]:
        photos += [(each, claim["photos"], f"{claim['basis']}.{each['slot']}") for each in _asked(walk, claim["basis"])]
    with walk.tell.step("上传照片", "checked by content, every one") as told:
        for asked, kept, slot in photos:
            if asked["slot"] in walk.script.papers:
                uploaded, line = _uploaded(walk, asked, slot)
                kept[asked["slot"]] = uploaded
                told.append(line)
            elif asked["required"]:
                raise Unexpected(f"the book asks for {slot}, and the story has no paper for it")
        _save(walk)


def _asked(walk: Walk, basis: str) -> list[dict[str, Any]]:
    """Photographs of a claim: those of its basis, and the materials that claims on it need."""
    of_basis = next(each for each in walk.book["bases"] if each["id"] == basis).get("photos", [])
    materials = [{"required": True, **each} for each in walk.book.get("materials", ()) if basis in each["bases"]]
    return [*of_basis, *materials]


def _uploaded(walk: Walk, asked: Mapping[str, Any], slot: str) -> tuple[str, str]:
    picture = drawn(walk.script.papers[asked["slot"]], walk.candidate)
    files = {"file": (f"{asked['slot']}.jpg", picture, "image/jpeg")}
    kept = walk.exemption.post("/v1/uploads", data={"application": walk.case, "slot": slot}, files=files)
    size = f"{len(picture) / 1e6:.1f} MB" if len(picture) > 1e5 else f"{len(picture) / 1024:.0f} KB"
    read = ", ".join(f"{each['field']} {each['verdict']}" for each in kept["agreement"])
    found = (size, "cropped" if kept["cropped"] else "", f"as read: {read}" if read else "")
    return kept["id"], f"{asked['label']}: {', '.join(filter(None, found))}"


def look_at_offers(walk: Walk) -> None:
    """Which courses can be claimed, by basis; a diploma counts as soon as exemption has heard of it."""
    wanted = walk.facts.get("record")
    with walk.tell.step("可申请的课程", "by the diploma and the own major") as told:
        items = walk.wait(lambda: _with_record(walk, wanted))
        for each in items:
            courses = "、".join(f"{course['code']} {course['name']}" for course in each["courses"])
            told.append(f"{each['title']}: {courses or '—'}")


def _with_record(walk: Walk, record: str | None) -> list[dict[str, Any]] | None:
    items: list[dict[str, Any]] = walk.exemption.get(f"/v1/applications/{walk.case}/offers")["items"]
    return items if record is None or record in {each["record"] for each in items} else None


def keep_papers(walk: Walk, only: str = "") -> None:
    """The candidate's papers, as files: whichever of the form and the receipt the book has."""
    printing = walk.book["texts"].get("print_action", {}).get("text", "打印")
    for name, (path, ending) in _PAPERS.items():
        if only in ("", name) and name in walk.book:
            said = walk.book[name]
            with walk.tell.step(said.get("action", printing), said["title"]) as told:
                file = walk.stack.place.data / f"{path}-{walk.case}.{ending}"
                file.write_bytes(walk.exemption.file(f"/v1/applications/{walk.case}/{path}"))
                told.append(str(file))


def hand_in(walk: Walk) -> None:
    """预审, then 提交: asked first whether it would be taken, by the rules that decide."""
    with walk.tell.step("预审", "would it be taken? by the rules that decide") as told:
        told += walk.wait(lambda: _accepted(walk), lambda: f"would not be taken: {_verdict(walk)['findings']}")
    with walk.tell.step(_title(walk, "submitted"), "the candidate confirms and hands in") as told:
        walk.exemption.post(f"/v1/applications/{walk.case}/submit")
        shown = walk.exemption.get(f"/v1/applications/{walk.case}")
        told += [f"编号 {shown['number']}"] if shown["number"] else []
        told.append(f"第 {shown['submissions']} 次提交；课程 {'、'.join(shown['course_codes'])}")


def _accepted(walk: Walk) -> list[str] | None:
    """How many rules were kept, and warnings. None: perhaps exemption has not heard of the account, or of its
    diploma, yet."""
    verdict = _verdict(walk)
    if not verdict["would_be_accepted"]:
        return None
    kept = sum(each["outcome"] == "pass" for each in verdict["findings"])
    return [f"符合 {kept} 条规则，可以提交", *(each["zh"] for each in verdict["findings"] if each["outcome"] == "warn")]


def _verdict(walk: Walk) -> dict[str, Any]:
    told: dict[str, Any] = walk.exemption.post(f"/v1/applications/{walk.case}/verdict")
    return told


def correct(
    walk: Walk,
    form: Mapping[str, str] | None = None,
    claims: Sequence[Mapping[str, Any]] | None = None,
    saying: str = "the candidate puts it right",
) -> None:
    """What was sent back, put right; photographs stay."""
    photos = [claim["photos"] for claim in walk.draft["claims"]]
    with walk.tell.step("修改", saying) as told:
        _type(walk, form or {}, claims if claims is not None else walk.draft["claims"], walk.draft["majors"])
        for claim, kept in zip(walk.draft["claims"], photos, strict=True):
            claim["photos"] = kept
        _save(walk)
        told += [_claimed(walk, claim) for claim in walk.draft["claims"]]


def sms(walk: Walk, containing: str, by: str) -> None:
    """The SMS on the candidate's phone, and its delivery as the staff who review the case see it."""
    with walk.tell.step("短信", "the SMS and its delivery receipt") as told:
        told.append(walk.operator.sms(walk.candidate.mobile, containing=containing)["text"])
        clerk = walk.as_staff(by, "notification")
        state = walk.wait(lambda: _delivered(clerk.get(f"/v1/cases/{walk.case}/messages")["items"]))
        told.append(f"receipt: {state}")


def _delivered(messages: Sequence[Mapping[str, Any]]) -> str | None:
    return next((each["sms"]["state"] for each in messages if each["sms"]["state"] == "delivered"), None)


def inbox(walk: Walk, holding: str) -> None:
    """收件箱: the message of this moment, which always arrives there."""
    with walk.tell.step("收件箱", "what the candidate was told") as told:
        items = walk.wait(lambda: _received(walk, holding))
        told += [f"{each['title']}：{each['text'].splitlines()[0]}" for each in reversed(items)]


def _received(walk: Walk, moment: str) -> list[dict[str, Any]] | None:
    items = [each for each in walk.notification.get("/v1/inbox")["items"] if each["case"] == walk.case]
    return items if moment in {each["moment"] for each in items} else None


def see(walk: Walk, state: str, saying: str = "what the candidate sees") -> None:
    """The candidate looks at the case, and finds it in this state."""
    with walk.tell.step("查看", saying) as told:
        shown = walk.exemption.get(f"/v1/applications/{walk.case}")
        if shown["state"]["title"] != state:
            raise Unexpected(f"{walk.case} is {shown['state']['title']}, not {state}")
        told.append(f"{state}：{shown['state']['explanation']}")


def wait_for(walk: Walk, window: str, until: str) -> None:
    """The story goes on when this window is `open`, or `over`: that is a minute at most."""
    cycle = walk.exemption.get(f"/v1/cycles/{walk.cycle}")
    found = next(each for each in cycle["windows"] if each["purpose"] == window)
    when = found["last_closing"] if until == "over" else found["opens_at"]
    with walk.tell.step("等待", f"until the window {found['title']} is {until}"):
        if when:  # it has not come yet
            time.sleep(max(0.0, (datetime.fromisoformat(when) - utc_now()).total_seconds() + 0.5))


# --- helpers


def _title(walk: Walk, state: str) -> str:
    return str(next(each["title"] for each in walk.book["states"] if each["id"] == state))


def _type(
    walk: Walk, form: Mapping[str, str], claims: Sequence[Mapping[str, Any]], majors: Sequence[Mapping[str, str]]
) -> None:
    walk.draft["form"] |= filled(dict(form), walk.facts)
    walk.draft["claims"] = [
        {"form": {}, "photos": {}, "courses": [], **filled(dict(each), walk.facts)} for each in claims
    ]
    walk.draft["majors"] = list(majors)
    _save(walk)


def _save(walk: Walk) -> None:
    walk.exemption.put(f"/v1/applications/{walk.case}/draft", walk.draft)


def _claimed(walk: Walk, claim: Mapping[str, Any]) -> str:
    title = next(each["title"] for each in walk.book["bases"] if each["id"] == claim["basis"])
    courses = "、".join(" ".join(filter(None, (each["code"], each.get("name", "")))) for each in claim["courses"])
    return f"{title}：{courses}"


STEPS: dict[str, Step] = {
    step.__name__: step
    for step in (
        register,
        sign_in,
        photograph_oneself,
        prove_education,
        fill_in,
        photograph_papers,
        look_at_offers,
        keep_papers,
        hand_in,
        correct,
        sms,
        inbox,
        see,
        wait_for,
    )
}
