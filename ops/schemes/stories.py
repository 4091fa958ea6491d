"""Stories about a book, in words that an official could read and add to: given (假设), when (当), then (那么).

`tests/stories/` has them, `./zikao schemes try` plays one; `playing.py` acts them out. Reading is strict: an unknown
word, a step that says nothing, a person nobody introduced are errors with file and line.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.kernel.time import SHANGHAI
from shared.schemes.procedure import Source, Text
from shared.schemes.yaml_reading import BadYaml, Sheet, read_sheet

Where = tuple[str | int, ...]
GIVEN, STEPS, WHEN, AT, THEN = "假设", "经过", "当", "时间", "那么"
MAY_BE_HANDED_IN = "可以提交"


class Wrong(Exception):
    """Something in a story that is not so: where, and what."""

    def __init__(self, where: Where, law: str) -> None:
        super().__init__(law)
        self.where = where
        self.law = law


class BadStory(Exception):
    """A story that cannot be used, or that did not go as it says: every fault with file and line."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


class Told(BaseModel):
    """Whatever a story says; in its own words alone."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


def _moment(given: object) -> object:
    """2026-03-02 10:00, where the procedure is."""
    if not isinstance(given, str):
        return given
    moment = datetime.fromisoformat(given)
    return moment.replace(tzinfo=SHANGHAI) if moment.tzinfo is None else moment


def _fen(given: object) -> object:
    """25.00, as a bill has it: text, since YAML would make a fraction of it."""
    if not isinstance(given, str) or not re.fullmatch(r"[0-9]{1,6}\.[0-9]{2}", given):
        raise ValueError(f'written "25.00", not {given}')
    return int(given.replace(".", ""))


Fen = Annotated[int, BeforeValidator(_fen)]


def _course(given: object) -> object:
    """`课程: ["00018"]` is short for `课程: [{代码: "00018"}]`."""
    return {"代码": given} if isinstance(given, str) else given


def _verdict(given: object) -> object:
    """`结论: 可以提交` is short for `结论: []`: nothing speaks against it."""
    return () if given == MAY_BE_HANDED_IN else (given,) if isinstance(given, str) else given


def _outcome(given: object) -> object:
    """`那么: 已提交` is short for `那么: {状态: 已提交}`."""
    return {"状态": given} if isinstance(given, str) else given


class Post(Told):
    """A member of staff, where their organisation is not the only one."""

    role: Text = Field(alias="职务", description="The title of a role of the book.")
    organisation: Text | None = Field(None, alias="机构", description="Else the example of its level.")


class Place(Told):
    """One more organisation."""

    level: Text = Field(alias="级别", description="The title of a level of the book.")
    above: Text | None = Field(None, alias="上级", description="Else the example of the level above.")


class Record(Told):
    """A record of prior education (前置学历) as identity has it; what is not said is what the book asks for."""

    standing: Literal["已提交", "已撤回", "生效", "未生效"] = Field("生效", alias="状态")
    level: Text | None = Field(None, alias="层次", description="Of GB/T 4658.")
    category: Text | None = Field(None, alias="类别")
    certificate_number: Text | None = Field(None, alias="证书编号")
    school: Text | None = Field(None, alias="学校")
    major: Text | None = Field(None, alias="专业")


class AccountTold(Told):
    """What identity knows of a candidate; what is not said is as the book asks for it."""

    verified: Literal["已认证", "未认证"] | None = Field(None, alias="认证")
    ticket_number: str | None = Field(None, alias="准考证号", description='"": not enrolled (不在籍).')
    education: dict[Text, Record] | None = Field(None, alias="前置学历", description="Records by a name; {}: none.")


class CourseTold(Told):
    """A claimed course."""

    code: str = Field(alias="代码")
    name: str | None = Field(None, alias="名称", description="Else the official one.")
    form: dict[Text, str] = Field(default_factory=dict, alias="填写", description="By the labels of its fields.")


class ClaimTold(Told):
    """One claim: what differs from a perfect one on its basis."""

    basis: Text = Field(alias="依据", description="The title of a basis of the book.")
    form: dict[Text, str] = Field(default_factory=dict, alias="填写", description="By the labels of its fields.")
    without: tuple[Text, ...] = Field((), alias="缺照片", description="Photographs that are not handed in.")
    courses: tuple[Annotated[CourseTold, BeforeValidator(_course)], ...] | None = Field(
        None, alias="课程", description="Else as few as the basis lets one claim."
    )


class Given(Told):
    """Who and what there is before it begins. Everybody is invented."""

    windows: dict[Text, Text] = Field(
        default_factory=dict, alias="批次", description="Window: 2026-03-01 至 2026-03-31."
    )
    organisations: dict[Text, Place] = Field(default_factory=dict, alias="机构")
    candidates: dict[Text, dict[Text, str]] = Field(
        min_length=1, alias="考生", description="Name: what differs from a perfect form, by the labels of its fields."
    )
    accounts: dict[Text, AccountTold] = Field(default_factory=dict, alias="账号", description="Candidate: account.")
    staff: dict[Text, Post] = Field(default_factory=dict, alias="工作人员")


class Then(Told):
    """What must come of a step."""

    state: Text | None = Field(None, alias="状态", description="The title of the state the application is in then.")
    refused: Text | None = Field(None, alias="不受理", description="Words of the refusal, or its code.")
    told: tuple[Text, ...] = Field((), alias="提示", description="Warnings that go with it.")
    waits_for: Text | None = Field(None, alias="等待", description="The title of the role that decides next.")
    courses: tuple[str, ...] | None = Field(None, alias="免考课程", description="Codes of the courses granted.")
    due: Fen | None = Field(None, alias="应缴", description="What must be paid before it goes on.")
    back: tuple[Fen, ...] | None = Field(
        None, alias="退还", description="What goes back with this step, order by order."
    )
    number: str | None = Field(None, alias="编号", description="What was given when it was handed in.")
    verdict: Annotated[tuple[Text, ...], BeforeValidator(_verdict)] | None = Field(
        None, alias="结论", description="Of 预审: words, or the code or rule, of each finding against it, and no other."
    )


class Step(Told):
    """Somebody does something."""

    when: Text = Field(alias="当", description="Who does what: 样本甲 提交; 甲老师 退回 样本甲.")
    at: Annotated[datetime, BeforeValidator(_moment)] | None = Field(None, alias="时间", description="Else as before.")
    which: str = Field("", alias="申请", description="Which application, where somebody has several.")
    form: dict[Text, str] = Field(default_factory=dict, alias="填写", description="Changed, by the labels of fields.")
    without: tuple[Text, ...] = Field((), alias="缺照片", description="Photographs that are not handed in.")
    claims: tuple[ClaimTold, ...] | None = Field(None, alias="免考", description="All claims, else as they were.")
    majors: tuple[str, ...] | None = Field(None, alias="专业", description="Those chosen, else as they were.")
    account: AccountTold | None = Field(None, alias="账号", description="For 核验: what identity knows from now on.")
    unseen: tuple[Text, ...] = Field((), alias="未查验", description="For 解锁, 释放准考证号: what was not seen.")
    reason: Text | None = Field(None, alias="原因", description="Text or code of a reason of the book.")
    note: str = Field("", alias="意见")
    failed: tuple[Text, ...] = Field((), alias="不符合", description="Items of the checklist answered with no.")
    fen: Fen | None = Field(None, alias="金额", description="For 缴费、退费; else what is due, or was paid.")
    order: Text = Field("订单一", alias="订单", description="For 缴费、退费.")
    paid_at: Annotated[datetime, BeforeValidator(_moment)] | None = Field(
        None, alias="支付时间", description="For 缴费 that we learn of later; else now."
    )
    window: Text | None = Field(None, alias="时间段", description="For 延期.")
    until: date | None = Field(None, alias="至", description="For 延期.")
    then: Annotated[Then, BeforeValidator(_outcome)] | None = Field(None, alias="那么")


class Story(Told):
    """One story of one book."""

    title: Text = Field(alias="故事")
    scheme: Text = Field(alias="办理事项", description="The book, e.g. as `schemes list` names it.")
    source: Source = Field(alias="依据", description="The rows it is about.")
    given: Given = Field(alias="假设")
    steps: tuple[Step, ...] = Field(min_length=1, alias="经过")


@dataclass(frozen=True)
class StoryFile:
    """A story, and where its words stand."""

    file: str
    sheet: Sheet
    story: Story

    def fault(self, wrong: Wrong) -> str:
        return _sentence(self.file, self.sheet, wrong.where, wrong.law)


def read_story(path: Path) -> StoryFile:
    """The story of a file; BadStory when it is none."""
    try:
        sheet = read_sheet(path.read_bytes())
        story = Story.model_validate(_with_posts(sheet.data))
    except OSError as error:
        raise BadStory([f"{path}: cannot be read: {error.strerror}"]) from None
    except BadYaml as bad:
        raise BadStory([f"{path.name}:{bad.line}: {bad.law}"]) from None
    except ValidationError as error:
        raise BadStory([_sentence(path.name, sheet, where, law) for where, law in _laws(error)]) from None
    return StoryFile(path.name, sheet, story)


def _with_posts(said: object) -> object:
    """`甲老师: 助学点管理员` is short for `甲老师: {职务: 助学点管理员}`; `样本甲:` alone is a perfect candidate."""
    if not isinstance(said, dict) or not isinstance(given := said.get(GIVEN), dict):
        return said
    staff, candidates = given.get("工作人员"), given.get("考生")
    if isinstance(staff, dict):
        given = {**given, "工作人员": {k: {"职务": v} if isinstance(v, str) else v for k, v in staff.items()}}
    if isinstance(candidates, dict):
        given = {**given, "考生": {k: {} if v is None else v for k, v in candidates.items()}}
    return {**said, GIVEN: given}


def _laws(error: ValidationError) -> Iterator[tuple[Where, str]]:
    for each in error.errors(include_url=False, include_context=False, include_input=False):
        law = "unknown word" if each["type"] == "extra_forbidden" else each["msg"].removeprefix("Value error, ")
        yield each["loc"], law


def _sentence(file: str, sheet: Sheet, where: Where, law: str) -> str:
    return f"{file}:{sheet.line(where)}: {'.'.join(map(str, where)) or '(whole file)'}: {law}"
