"""What pages are given, as types: the API's description shows them. `answers.py` and the routes fill them."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, Field

from services.exemption.api.contacts import ContactShown
from services.exemption.api.fees import FeeShown
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.book import Head
from shared.schemes.courses import CourseKind, FoundBy
from shared.schemes.procedure import Phase, Stage

T = TypeVar("T")


class Listed(BaseModel, Generic[T]):
    items: Sequence[T]


class Paged(Listed[T], Generic[T]):
    """`next` goes into `after` of the next request; None at the end."""

    next: str | None


class SchemeTitle(BaseModel):
    """`item`: the name under which people look for it."""

    ref: str
    title: str
    item: str


class SchemeShown(BaseModel):
    """All that a page needs of a book: fields, hints, photo rules, texts, states, contacts."""

    ref: str
    head: Head
    exemption: ExemptionScheme


class WindowShown(BaseModel):
    """A tile: what may be done or looked up, whether it is open, and when.

    Days inclusive, hours half-open, Asia/Shanghai; the instants say what they come to. `opens_in` and `closes_in` are
    whole seconds from `at` of the cycle, so that a page can count down by no clock of its own.
    """

    purpose: str
    title: str
    query: bool
    phase: Phase
    from_day: date
    to_day: date
    daily: Sequence[tuple[str, str]]
    excluded: Sequence[date]
    close_inclusive: bool
    open: bool
    closes_at: datetime | None
    closes_in: int | None
    opens_at: datetime | None
    opens_in: int | None
    last_closing: datetime | None


CyclePhase = Literal["announced", "open", "paused", "over", "closed"]


class CycleShown(BaseModel):
    """批次: announced as soon as it is there, open while one of its windows is, over after the last of them."""

    id: str
    scheme: str
    organisation: str
    title: str
    closed: bool
    phase: CyclePhase
    at: datetime
    opened_at: datetime
    version: int
    windows: Sequence[WindowShown]


class CycleDeed(BaseModel):
    """One line of a cycle's past: what was done with it, by whom, and why."""

    at: datetime
    actor: str
    deed: str
    purpose: str | None
    to_day: date | None
    ended_at: datetime | None
    reason: str | None


class Place(BaseModel):
    """Where one can apply, and whom to call there."""

    id: str
    title: str
    phones: Sequence[str]


class CourseFound(BaseModel):
    """SD-32: a course by its official name; `found_by` says why it is here, `matched` in which of its names."""

    code: str
    name: str
    aliases: Sequence[str]
    kind: CourseKind
    credits: int | None
    twin: str | None
    found_by: FoundBy
    matched: str


class MajorShown(BaseModel):
    """SX-E-22: a major is its level and code. `closing`: 停, for those who are its candidates already (SX-E-23)."""

    level: str
    heading: str
    code: str
    name: str
    closing: bool
    shown_as: str | None


class StateShown(BaseModel):
    """SW-39: a state by its official name, with its explanation."""

    id: str
    title: str
    explanation: str


class Step(BaseModel):
    """SW-40."""

    title: str
    current: bool


class Line(BaseModel):
    """SW-16, SW-44: one application in a list."""

    id: str
    scheme: str
    cycle: str
    state: StateShown
    submissions: int
    number: str
    certificate: str
    course_codes: Sequence[str]
    started_at: datetime
    changed_at: datetime
    version: int


class WorkLine(Line):
    """One application on a reviewer's desk."""

    name: str | None
    stage: str
    role: str
    organisation: str
    opened_at: datetime
    due_at: datetime | None
    outcome: str
    decided_at: datetime | None
    duplicates: int


class FoundLine(Line):
    """An application found by a number."""

    name: str | None
    actions: Sequence[str] = Field(description="what the caller could do with it now")


class Difference(BaseModel):
    position: int
    typed: str
    read: str


class Agreement(BaseModel):
    """Whether OCR read what was typed: a hint, never a decision."""

    field: str
    label: str
    verdict: str
    read: str | None
    differences: Sequence[Difference]


class Rule(BaseModel):
    """One rule of a photograph, what was measured and what is asked."""

    code: str
    passed: bool
    measured: Any = None
    limit: Any = None
    zh: str = ""
    en: str = ""


class Uploaded(BaseModel):
    """An accepted photograph, and what was found in it."""

    id: str
    slot: str
    cropped: bool
    results: Sequence[Rule]
    hints: Sequence[Rule]
    agreement: Sequence[Agreement]


class PhotoShown(BaseModel):
    """A photograph of an application, by the id of its upload."""

    slot: str
    label: str
    upload: str
    cropped: bool
    results: Sequence[Rule]
    hints: Sequence[Rule]
    agreement: Sequence[Agreement]


class ReturnedShown(BaseModel):
    """SW-18: why it was sent back."""

    stage: str
    reason_code: str
    reason: str
    document: str
    note: str
    at: datetime


class Deed(BaseModel):
    """SW-20: one line of 经办记录."""

    at: datetime
    deed: str
    actor: str
    role: str | None
    organisation: str | None
    stage: str | None
    fen: int | None = None
    state: str | None
    opinion: str | None
    reason: str | None
    note: str | None
    clause: str


class Duplicate(BaseModel):
    """SW-38: somebody else's application with the same certificate number."""

    application: str
    state: str
    warning: str


class Labelled(BaseModel):
    """A value in the book's words."""

    label: str
    value: str


class CourseWorded(BaseModel):
    code: str
    name: str
    told: Sequence[Labelled]


class ClaimWorded(BaseModel):
    """A claim as people read it: the basis, what its paper says, its courses.

    A record of prior education stands here as identity last told of it, with its state.
    """

    basis: str
    told: Sequence[Labelled]
    courses: Sequence[CourseWorded]


class CaseShown(BaseModel):
    """SW-20: 申免详情 and 经办记录; `review` and `duplicates` for reviewers only.

    `claims` are what was saved or handed in, `claims_worded` the same ones in words.
    """

    id: str
    version: int
    scheme: str
    cycle: str
    state: StateShown
    progress: Sequence[Step]
    submissions: int
    number: str
    form: dict[str, str]
    photos: Sequence[PhotoShown]
    claims: Sequence[dict[str, Any]]
    claims_worded: Sequence[ClaimWorded]
    majors: Sequence[str]
    warnings: Sequence[str]
    course_codes: Sequence[str]
    returned: ReturnedShown | None
    fee: FeeShown | None = Field(description="of what was handed in; None: the rules ask for no fee, or it is a draft")
    history: Sequence[Deed]
    actions: Sequence[str]
    contacts: Sequence[ContactShown] | None = Field(default=None, description="for the candidate: whom to ask")
    review: Stage | None = None
    return_lapses: bool = Field(default=False, description="for reviewers: sent back now, it lapses at once")
    duplicates: Sequence[Duplicate] | None = None


class FindingShown(BaseModel):
    """One rule of the verdict: what it is about, what it looked at, how it came out, and by which clause."""

    rule: str
    about: str
    label: str
    outcome: Literal["pass", "refuse", "warn"]
    code: str | None
    zh: str
    en: str
    inputs: dict[str, Any]
    clause: str


class VerdictShown(BaseModel):
    """Whether what was saved last would be taken if it were handed in now; nothing is stored."""

    would_be_accepted: bool
    at: datetime
    findings: Sequence[FindingShown]


class ReceiptItem(BaseModel):
    """One course that was claimed, on what, and what was typed of that."""

    basis: str
    told: Sequence[Labelled]
    course_code: str
    course: str


class ReceiptShown(BaseModel):
    """申报告知单: what was handed in, when, under which number."""

    title: str
    number: str
    submission: int
    submitted_at: datetime
    items: Sequence[ReceiptItem]
    notes: Sequence[str]


class BatchLine(BaseModel):
    """上报批次 without its rows."""

    id: str
    scheme: str
    cycle: str
    organisation: str
    receiver: str
    count: int
    digest: str
    handed_off_at: datetime
    reference: str | None
    acknowledged_at: datetime | None
    version: int
    taken_back: list[str] = Field(description="Those of its applications that were revoked since.")
