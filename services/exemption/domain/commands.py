"""What people and other services may ask of exemption.

Each command carries the id of what it is about; new things get theirs from the command's own id. `expected` is the
version that the asker saw (If-Match).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

import msgspec

from shared.kernel.messages import Command
from shared.schemes.procedure import Hours, Skip

# --- candidates


class StartApplication(Command):
    """Open an application in a cycle, with whatever is typed already."""

    cycle: str


class SaveDraft(Command):
    """Keep the whole form as typed so far."""

    application: str
    form: dict[str, Any]
    photos: dict[str, str]
    claims: tuple[dict[str, Any], ...] = ()  # {basis, form, photos, courses: [{code, name, form}]}
    majors: tuple[str, ...] = ()  # level and code of each
    expected: int | None = None


class DiscardDraft(Command):
    """Give up an application that was never handed in."""

    application: str
    expected: int | None = None


class SubmitApplication(Command):
    """确认提交: hand in what was saved last."""

    application: str
    expected: int | None = None


class ReceivePhotograph(Command):
    """A photograph that has been checked: every rule with its measured value, and what was kept of it."""

    application: str
    slot: str
    accepted: bool
    results: tuple[dict[str, Any], ...]
    hints: tuple[dict[str, Any], ...] = ()
    original: str = ""
    original_type: str = ""
    original_digest: str = ""
    picture: str = ""
    picture_digest: str = ""
    cropped: bool = False
    reading: dict[str, Any] = msgspec.field(default_factory=dict)


# --- reviewers


class PassStage(Command):
    """通过: every item of the stage's checklist is answered."""

    application: str
    stage: str
    checklist: dict[str, bool]
    opinion: str = ""
    expected: int | None = None


class ReturnApplication(Command):
    """驳回: with a reason of the book, free text, and what it is about (else what the reason names)."""

    application: str
    stage: str
    reason_code: str
    note: str
    document: str | None = None
    expected: int | None = None


class RefuseApplication(Command):
    """不予通过: for good, with a reason of the book and free text."""

    application: str
    stage: str
    reason_code: str
    note: str
    expected: int | None = None


class UnlockReapplication(Command):
    """退回重新申请: a clerk saw the candidate and what the book asks for."""

    application: str
    seen: dict[str, bool]
    reason_code: str
    note: str
    expected: int | None = None


class ReleaseTicket(Command):
    """释放准考证号: a clerk saw whose ticket number it is, and it is not of the account that handed in with it."""

    application: str
    seen: dict[str, bool]
    reason_code: str
    note: str
    expected: int | None = None


class RevokeExemption(Command):
    """撤销: an approved exemption is taken back."""

    application: str
    reason_code: str
    note: str
    expected: int | None = None


class ViewDocuments(Command):
    """Look at somebody else's papers."""

    application: str
    documents: tuple[str, ...]


class PrintRecordTable(Command):
    """打印申请记录."""

    application: str
    digest: str


# --- what follows from something else


class SupersedeApplication(Command):
    """A later submission of the same ticket number or person took its place."""

    by: str


class LapseApplication(Command):
    """A window was over at `due_at` and something was not done."""

    application: str
    purpose: str
    due_at: datetime


class ExpireExemption(Command):
    """The window in which it counts was over at `due_at`."""

    application: str
    purpose: str
    due_at: datetime


class SettleFee(Command):
    """Somebody paid for this application, says payment."""

    application: str
    order: str
    fen: int
    paid_at: datetime


class NoteRefund(Command):
    """So much of what was paid went back, says payment."""

    application: str
    order: str
    fen: int
    refunded_at: datetime


class ReviveApplication(Command):
    """The window with whose end it lapsed or expired was extended."""

    application: str
    purpose: str


# --- hand-off


class HandOffBatch(Command):
    """Submit approved records to the examinations authority; none named = all of the cycle that are ready."""

    cycle: str
    applications: tuple[str, ...] = ()


class ExportBatch(Command):
    """Somebody concerned takes the rows of a batch."""

    batch: str
    format: str


class RecordBatch(Command):
    """The batch itself, put together by the handler of `HandOffBatch`."""

    scheme: str
    cycle: str
    organisation: str
    receiver: str
    applications: tuple[str, ...]
    digest: str


class HandOffRecord(Command):
    """One approved record goes out with a batch."""

    batch: str
    receiver: str


class AcknowledgeBatch(Command):
    """The authority confirms a batch under its own reference."""

    batch: str
    reference: str


class AcknowledgeRecord(Command):
    """One record of an acknowledged batch."""

    batch: str
    reference: str


# --- cycles


@dataclass(frozen=True)
class WindowAsked:
    """When one thing may be done; what is None is as the book has it: its dates, its hours, its lists of days off."""

    from_day: date | None = None
    to_day: date | None = None
    daily: Hours | None = None
    excluded: tuple[date, ...] = ()
    skip: tuple[Skip, ...] | None = None


class OpenCycle(Command):
    """批次: open a scheme at an organisation, with dates for each window."""

    scheme: str
    organisation: str
    title: str
    windows: dict[str, WindowAsked]


class ExtendWindow(Command):
    """Let a window end later than announced."""

    cycle: str
    purpose: str
    to_day: date
    reason: str
    expected: int | None = None


class CloseCycle(Command):
    """End a cycle by hand."""

    cycle: str
    reason: str
    expected: int | None = None


class EndWindow(Command):
    """A window is over, says its timer."""

    cycle: str
    purpose: str
    due_at: datetime


class SettleWindow(Command):
    """Everything that the end of a window leads to has been done, says its timer."""

    cycle: str
    purpose: str
    due_at: datetime


class SettleReopening(Command):
    """Everything that the reopening of a window leads to has been done, says its timer."""

    cycle: str
    purpose: str
    due_at: datetime


# --- what identity says


class FollowOrganisation(Command):
    """Keep a copy of an organisation's place in the tree."""

    organisation: str
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]


class FollowRenaming(Command):
    """It has a new title or new telephone numbers."""

    organisation: str
    title: str
    phones: tuple[str, ...]


class FollowClosing(Command):
    """Nobody applies through it any more."""

    organisation: str


class FollowAccount(Command):
    """Keep a copy of who a candidate was verified to be; what is None stays as it was."""

    person: str
    holder: str | None = None
    id_number: str | None = None
    mobile: str | None = None
    ticket_number: str | None = None


class FollowVerification(Command):
    """Keep in mind that a person was verified for a jurisdiction."""

    person: str
    jurisdiction: str
    level: str


class FollowEducation(Command):
    """Keep a copy of a record of prior education; what is None stays as it was."""

    person: str
    record: str
    standing: Literal["submitted", "taken_back", "effective", "not_effective"]
    level: str | None = None
    category: str | None = None
    certificate_number: str | None = None
    school: str | None = None
    major: str | None = None
    graduated_on: str | None = None


class ForgetPerson(Command):
    """Their key is gone: drop what was kept to find them by."""

    person: str


ApplicationCommand = (
    StartApplication
    | SaveDraft
    | DiscardDraft
    | SubmitApplication
    | PassStage
    | ReturnApplication
    | RefuseApplication
    | UnlockReapplication
    | ReleaseTicket
    | RevokeExemption
    | SupersedeApplication
    | LapseApplication
    | ExpireExemption
    | SettleFee
    | NoteRefund
    | ReviveApplication
    | PrintRecordTable
    | HandOffRecord
    | AcknowledgeRecord
)
CycleCommand = OpenCycle | ExtendWindow | CloseCycle | EndWindow | SettleWindow | SettleReopening
AccountCommand = FollowAccount | FollowVerification | FollowEducation | ForgetPerson
OrganisationCommand = FollowOrganisation | FollowRenaming | FollowClosing
BatchCommand = RecordBatch | ExportBatch | AcknowledgeBatch
