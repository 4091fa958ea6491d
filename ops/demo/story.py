"""The story: one made-up candidate from the captcha to the authority, then the trail rebuilt from the events alone.

Every step goes over HTTP as a person's would. `./zikao demo` runs it on a stack that is up.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ops.demo.api import Api, Unexpected
from ops.demo.candidate import Candidate, Registration
from ops.demo.office import ADMINISTRATOR, Office, Organisation, Position
from ops.demo.operator import Operator
from ops.demo.proof import prove
from ops.stack.stack import Stack
from shared.kernel.time import SHANGHAI, utc_now
from shared.schemes.catalog import Catalog

SCHEME = next(ref for ref in Catalog.load().refs() if "/1x@" in ref)
AUTHORITY = Organisation("demo-province", "样例考试院", "province", None)
UNIVERSITY = Organisation("demo-university", "样例大学", "university", AUTHORITY.code)
TEACHING_POINT = Organisation("demo-point-01", "样例助学点", "teaching_point", UNIVERSITY.code)
UNIVERSITY_ADMIN = ("university_admin", UNIVERSITY.code)
FIRST_REVIEWER = Position(  # holds the second role too, and still may not decide twice about one application
    "demo.first", "样例初审员", TEACHING_POINT.code, (("teaching_point_admin", TEACHING_POINT.code), UNIVERSITY_ADMIN)
)
FINAL_REVIEWER = Position("demo.final", "样例复核员", UNIVERSITY.code, (UNIVERSITY_ADMIN,))
CLERK = Position("demo.clerk", "样例考试院经办", AUTHORITY.code, (("authority_clerk", AUTHORITY.code),))
TYPO = "X"
_PATIENCE = 60.0


def run(stack: Stack, console: Console) -> "Story":
    """Tell the story on `stack` and print its proof; raises `Unexpected` when a service answers otherwise."""
    story = Story(stack, console)
    story.offices()
    story.cycle_for_today()
    story.registration()
    story.application()
    story.first_review_refuses()
    story.second_try()
    story.reviews_pass()
    story.record_table_and_hand_off()
    prove(stack, story.case, console)
    return story


class Story:
    def __init__(self, stack: Stack, console: Console) -> None:
        self._stack = stack
        self._console = console
        self._operator = Operator(stack)
        self._office = Office(stack)
        self.candidate = Candidate(number=self._office.next_candidate())
        self._exemption = Api(stack.base_url("exemption"))
        self._cycle = ""
        self._form: dict[str, str] = {}
        self._photos: dict[str, str] = {}
        self.case = ""

    # --- before the candidate comes

    def offices(self) -> None:
        with self._step("机构与人员", "an administrator, three offices, three people with second factors"):
            self._office.open([AUTHORITY, UNIVERSITY, TEACHING_POINT], [FIRST_REVIEWER, FINAL_REVIEWER, CLERK])

    def cycle_for_today(self) -> None:
        today = utc_now().astimezone(SHANGHAI).date()
        tomorrow = today + timedelta(days=1)  # a story told at midnight goes on
        with self._step("批次", f"a 1+X cycle for {today}"):
            ours = self._as(ADMINISTRATOR)
            self._wait(lambda: self._open_cycle(ours, today.isoformat(), tomorrow.isoformat()) or None)
            self._wait(lambda: TEACHING_POINT.code in self._choices() or None)

    def _open_cycle(self, ours: Api, today: str, tomorrow: str) -> str:
        """The cycle of an earlier run today, or a new one (the organisations reach exemption as events)."""
        for cycle in ours.get("/v1/cycles", scheme=SCHEME)["items"]:
            if not cycle["closed"] and cycle["windows"][0]["from_day"] == today:
                self._cycle = cycle["id"]
                return self._cycle
        window = {"from_day": today, "to_day": tomorrow}
        body = {
            "scheme": SCHEME,
            "organisation": UNIVERSITY.code,
            "title": f"1+X证书课程免试 {today}",
            "windows": {"apply": window},
        }
        opened = ours.post_unless({"exemption.no_such_organisation"}, "/v1/cycles", body)
        self._cycle = opened["id"] if opened else ""
        return self._cycle

    def _choices(self) -> list[str]:
        return [each["id"] for each in self._exemption.get(f"/v1/cycles/{self._cycle}/organisations")["items"]]

    # --- the candidate

    def registration(self) -> None:
        registration = Registration(self._stack, self._operator, self.candidate)
        with self._step("注册：验证手机号码", f"picture captcha, SMS code to {self.candidate.mobile}"):
            registration.prove_mobile()
        with self._step("注册：填写账号信息", "a password"):
            registration.choose_password()
        with self._step("注册：验证身份，完成", f"{self.candidate.name} {self.candidate.id_number}"):
            registration.identify()
        with self._step("登录", "by ID number and password"):
            self._exemption.sign(registration.sign_in())

    def application(self) -> None:
        candidate, certificate = self.candidate, self._choose_certificate()
        with self._step("待提交", "an application, saved with a typing mistake in the certificate number"):
            body = {"cycle": self._cycle}
            self.case = self._exemption.post("/v1/applications", body)["id"]
            self._form = {
                "teaching_point": TEACHING_POINT.code,
                "name": candidate.name,
                "id_number": candidate.id_number,
                "mobile": candidate.mobile,
                "certificate": certificate["id"],
                "certificate_level": certificate["lowest_level"],
                "certificate_number": candidate.certificate_number + TYPO,
                "valid_until": "2028-06-29",
                "remark": "",
            }
            self._save()
        with self._step("拍摄证件照片", "three photographs of 12 megapixels, turned by EXIF") as told:
            pictures = candidate.photographs(certificate["name"], certificate["lowest_level"])
            for slot, picture in pictures.items():
                told.append(self._photograph(slot, picture))
            self._save()
        with self._step("已提交", "the candidate confirms and hands in (确认提交)"):
            early = {"exemption.account_not_known_yet"}
            self._wait(lambda: self._exemption.post_unless(early, f"/v1/applications/{self.case}/submit"))

    def _choose_certificate(self) -> dict[str, Any]:
        """One of the list that the book keeps (its names are an assumption, so none is named here)."""
        listed: list[dict[str, Any]] = self._exemption.get(f"/v1/schemes/{SCHEME}")["exemption"]["certificates"]
        return listed[0]

    def _photograph(self, slot: str, picture: bytes) -> str:
        kept = self._exemption.post(
            "/v1/uploads",
            data={"application": self.case, "slot": slot},
            files={"file": (f"{slot}.jpg", picture, "image/jpeg")},
        )
        self._photos[slot] = kept["id"]
        cropped = ", cropped" if kept["cropped"] else ""
        read = ", ".join(f"{each['field']} {each['verdict']}" for each in kept["agreement"])
        return f"{slot}: {len(picture) / 1e6:.1f} MB{cropped}" + (f"; as read: {read}" if read else "")

    def _save(self) -> None:
        draft = {"form": self._form, "photos": self._photos}
        self._exemption.put(f"/v1/applications/{self.case}/draft", draft)

    def second_try(self) -> None:
        with self._step("修改后重新提交", "the candidate edits and hands in again"):
            self._form["certificate_number"] = self.candidate.certificate_number
            self._save()
            self._exemption.post(f"/v1/applications/{self.case}/submit")

    # --- the reviewers

    def first_review_refuses(self) -> None:
        before = len(self._operator.received(self.candidate.mobile))
        with self._step("初审：驳回申请", "with a reason and a document"):
            reviewer = self._as(FIRST_REVIEWER.login)
            self._find_in_work_list(reviewer)
            reviewer.get(f"/v1/applications/{self.case}")
            body = {
                "stage": "初审",
                "reason_code": "certificate_number_wrong",
                "note": "证书照片上的编号末位没有字母，请核对后重新填写。",
            }
            reviewer.post(f"/v1/applications/{self.case}/return", body)
        with self._step("短信", "the SMS and its delivery receipt") as told:
            sms = self._operator.sms(self.candidate.mobile, after=before)
            told.append(sms["text"])
            told.append(f"receipt: {self._receipt()}")

    def _receipt(self) -> str:
        clerk = Api(self._stack.base_url("notification"))
        clerk.sign(self._office.token(FIRST_REVIEWER.login))

        def delivered() -> str | None:
            messages = clerk.get(f"/v1/cases/{self.case}/messages")["items"]
            return next((m["sms"]["state"] for m in messages if m["sms"]["state"] == "delivered"), None)

        return str(self._wait(delivered))

    def reviews_pass(self) -> None:
        for stage, position in (("初审", FIRST_REVIEWER), ("复核", FINAL_REVIEWER)):
            with self._step(f"{stage}：通过", f"{position.name}, every item of the checklist") as told:
                reviewer = self._as(position.login)
                self._find_in_work_list(reviewer)
                shown = reviewer.get(f"/v1/applications/{self.case}")
                for photo in shown["photos"]:
                    reviewer.picture(f"/v1/uploads/{photo['upload']}/picture")
                checklist = {item["id"]: True for item in shown["review"]["checklist"]}
                body = {"stage": stage, "checklist": checklist, "opinion": "材料真实有效。"}
                reviewer.post(f"/v1/applications/{self.case}/pass", body)
                if stage == "初审":
                    told.append(self._one_person_cannot_do_both(reviewer, shown))

    def _one_person_cannot_do_both(self, reviewer: Api, shown: dict[str, Any]) -> str:
        """The first reviewer tries the final review and is refused."""
        body = {"stage": "复核", "checklist": {}}
        problem = reviewer.refusal(f"/v1/applications/{shown['id']}/pass", body)
        if problem["code"] != "exemption.already_reviewed_by_you":
            raise Unexpected(f"refused for another reason: {problem}")
        return f"tries 复核 too and is refused: {problem['detail']} ({problem['code']})"

    def record_table_and_hand_off(self) -> None:
        with self._step("打印申请记录", "the record table as PDF") as told:
            reviewer = self._as(FINAL_REVIEWER.login)
            printed = reviewer.document(f"/v1/applications/{self.case}/record-table")
            file = self._stack.place.data / f"record-table-{self.case}.pdf"
            file.write_bytes(printed)
            told.append(str(file))
        with self._step("报考试院", "the batch is handed to the authority, which acknowledges it"):
            batch = reviewer.post("/v1/batches", {"cycle": self._cycle, "applications": [self.case]})["id"]
            self._as(CLERK.login).post(f"/v1/batches/{batch}/acknowledge", {"reference": f"DEMO-{batch[:8]}"})

    # --- telling and waiting

    def _as(self, login: str) -> Api:
        exemption = Api(self._stack.base_url("exemption"))
        exemption.sign(self._office.token(login))
        return exemption

    def _find_in_work_list(self, reviewer: Api) -> None:
        if self.case not in [item["id"] for item in reviewer.get("/v1/work")["items"]]:
            raise Unexpected(f"{self.case} is not in the work list")

    def _wait(self, ask: Any) -> Any:
        """What another service says follows by events, a moment later."""
        until = time.monotonic() + _PATIENCE
        while (found := ask()) is None:
            if time.monotonic() > until:
                raise Unexpected("something that should follow by events did not come")
            time.sleep(0.1)
        return found

    @contextmanager
    def _step(self, title: str, what: str) -> Iterator[list[str]]:
        told: list[str] = []
        began = time.monotonic()
        at = datetime.now(UTC).astimezone(SHANGHAI)
        yield told
        took = time.monotonic() - began
        lines = Table.grid(padding=(0, 2, 0, 0))
        for width in (8, 6, 20, None):
            lines.add_column(width=width, overflow="fold")
        lines.add_row(Text(f"{at:%H:%M:%S}", "cyan"), Text(f"{took:4.1f} s", "dim"), Text(title, "bold"), what)
        for line in told:
            lines.add_row("", "", "", Text(line, "cyan"))
        self._console.print(lines)
