"""免考 exemption: every fact this service records. Pure.

`clause` names the sentence of the book that a fact follows from, so that an audit trail can print which rule it was;
`title` is the state the candidate then reads, in the book's words. Both are written down, so replay needs no book.
"""

from datetime import date, datetime, time
from typing import Any, ClassVar, Literal

from shared.kernel.messages import Event, Personal

# --- application-<id>: one candidate's application ---------------------------------------------------------------


class ApplicationStarted(Event):
    """开始申请: a candidate opened an application in a cycle; the rules in `scheme` judge it for ever."""

    name: ClassVar[str] = "exemption.application_started.v1"
    scheme: str  # "<jurisdiction>/<name>@<version>"
    cycle: str
    candidate: str
    title: str
    clause: str


class DraftSaved(Event):
    """保存草稿: everything as typed so far, right or wrong, and the photographs by slot (upload ids).

    A claim is {basis, form, photos, courses: [{code, name, form}]}; a major is its level and code.
    """

    name: ClassVar[str] = "exemption.draft_saved.v1"
    form: Personal[dict[str, Any]]
    photos: dict[str, str]
    claims: Personal[tuple[dict[str, Any], ...]] = ()
    majors: tuple[str, ...] = ()


class DraftDiscarded(Event):
    """放弃申请: the candidate gave up an application that was never handed in."""

    name: ClassVar[str] = "exemption.draft_discarded.v1"
    title: str
    clause: str


class ApplicationSubmitted(Event):
    """提交申请（第{submission}次）: checked and put into canonical form; nobody may edit it now."""

    name: ClassVar[str] = "exemption.application_submitted.v2"
    scheme: str
    cycle: str
    submission: int
    title: str
    form: Personal[dict[str, Any]]
    mobile: Personal[str]  # the form's, whatever the book calls the field; empty where it has none or none was typed
    photos: dict[str, str]
    bases: tuple[str, ...]  # the book's ids of the certificate or of the bases that are claimed
    course_codes: tuple[str, ...]
    organisations: dict[str, str]  # scope of a stage -> the organisation that will review there
    clause: str
    number: str = ""  # given with the first submission, if the book gives one
    claims: Personal[tuple[dict[str, Any], ...]] = ()
    majors: tuple[str, ...] = ()
    papers: Personal[tuple[dict[str, Any], ...]] = ()  # {type, number} of each: found without the book; of a record of
    # prior education also {record, standing, level, category, school, major, graduated_on}, as it was then
    offices: tuple[tuple[str, str], ...] = ()  # (role, organisation) of those who may read it besides its reviewers
    head: str = ""  # the stream that says which application counts, if the book has such a rule
    warnings: tuple[str, ...] = ()  # codes


class CertificateSeenElsewhere(Event):
    """提示：证书编号与他人相同: a warning to reviewers, not a refusal: other people's applications carry it too.

    In `flags-<application>`, so that not even the version of the application tells its candidate; older ones stand in
    the application itself.
    """

    name: ClassVar[str] = "exemption.certificate_seen_elsewhere.v1"
    applications: tuple[str, ...]
    clause: str


class StageOpened(Event):
    """等待{stage}: a review stage waits for somebody who holds `role` at `organisation`."""

    name: ClassVar[str] = "exemption.stage_opened.v1"
    stage: str
    role: str
    organisation: str
    due_at: datetime | None
    clause: str


class StagePassed(Event):
    """{stage}：通过: one stage found nothing wrong; `checklist` are the items that were answered with yes."""

    name: ClassVar[str] = "exemption.stage_passed.v1"
    stage: str
    title: str
    reviewer: str
    role: str
    organisation: str
    checklist: tuple[str, ...]
    opinion: Personal[str]
    clause: str


class ApplicationReturned(Event):
    """{stage}：驳回: sent back with a reason; the stages in `reopens` are reviewed again, the first one first."""

    name: ClassVar[str] = "exemption.application_returned.v1"
    stage: str
    title: str
    reviewer: str
    role: str
    organisation: str
    reason_code: str
    reason: str  # the book's text for the code
    document: str  # the photograph slot or form field the reason is about
    note: Personal[str]
    reopens: tuple[str, ...]
    clause: str


class ApplicationRefused(Event):
    """{stage}：不予通过: refused for good, with a reason; the candidate may begin a new one if the book lets them."""

    name: ClassVar[str] = "exemption.application_refused.v1"
    stage: str
    title: str
    reviewer: str
    role: str
    organisation: str
    reason_code: str
    reason: str
    note: Personal[str]
    may_submit_again: bool
    clause: str


class ReapplicationUnlocked(Event):
    """退回重新申请: a clerk saw the candidate and what the book asks for, and lets them hand in again."""

    name: ClassVar[str] = "exemption.reapplication_unlocked.v1"
    unlocked_by: str
    role: str
    organisation: str
    seen: tuple[str, ...]  # ids of the book
    reason_code: str
    reason: str
    note: Personal[str]
    title: str
    reopens: tuple[str, ...]
    clause: str


class TicketReleased(Event):
    """释放准考证号: a clerk saw whose it is: not of the account that handed in with it, which can no longer pass.

    Where it was approved already, `ExemptionRevoked` follows.
    """

    name: ClassVar[str] = "exemption.ticket_released.v1"
    released_by: str
    role: str
    organisation: str
    seen: tuple[str, ...]  # ids of the book
    reason_code: str
    reason: str
    note: Personal[str]
    clause: str


class ApplicationSuperseded(Event):
    """被后一次提交取代: of several applications only the last one counts, which is now `by`."""

    name: ClassVar[str] = "exemption.application_superseded.v1"
    by: str
    title: str
    clause: str


class ApplicationLapsed(Event):
    """逾期失效: a window ended before something was done that the book asks for, or before it was sent back."""

    name: ClassVar[str] = "exemption.application_lapsed.v1"
    purpose: str
    ended_at: datetime
    title: str
    clause: str


class ExemptionExpired(Event):
    """免考过期: approved, and not used before the window in which it counts was over."""

    name: ClassVar[str] = "exemption.exemption_expired.v1"
    purpose: str
    ended_at: datetime
    title: str
    clause: str


class ApplicationRevived(Event):
    """恢复申请: the window with whose end it lapsed or expired was extended, so it is as it was before.

    What was lapsed and waited for a fee waits for it again: `FeeDue` follows, also where money went back meanwhile.
    """

    name: ClassVar[str] = "exemption.application_revived.v1"
    purpose: str
    becomes: Literal["returned", "unpaid", "in_review", "granted"]
    title: str
    clause: str


class RevivalRefused(Event):
    """未予恢复（{reason}）: its window was extended, but another application has come to count or has its ticket.

    `code` is that of the refusal that handing in would meet. Told once for each reason.
    """

    name: ClassVar[str] = "exemption.revival_refused.v1"
    purpose: str
    becomes: Literal["returned", "unpaid", "in_review", "granted"]
    code: str
    reason: str
    clause: str


class ExemptionRevoked(Event):
    """撤销免考: taken back after it was approved, with a reason; that of `TicketReleased`, if it follows that."""

    name: ClassVar[str] = "exemption.exemption_revoked.v1"
    revoked_by: str
    role: str
    organisation: str
    reason_code: str
    reason: str
    note: Personal[str]
    title: str
    clause: str


class ExemptionGranted(Event):
    """准予免考: every stage has passed; these courses need not be sat."""

    name: ClassVar[str] = "exemption.granted.v1"
    course_codes: tuple[str, ...]
    title: str
    clause: str


class RecordTablePrinted(Event):
    """打印申请记录表: made of a granted application; `digest` is of the printed data."""

    name: ClassVar[str] = "exemption.record_table_printed.v1"
    printed_by: str
    role: str
    organisation: str
    digest: str
    clause: str


class ApplicationHandedOff(Event):
    """上报考试机构: the approved record went to the examinations authority in `batch`."""

    name: ClassVar[str] = "exemption.handed_off.v1"
    batch: str
    title: str
    receiver_role: str
    receiver: str  # the organisation that must acknowledge
    clause: str


class HandOffAcknowledged(Event):
    """考试机构确认接收: the examinations authority confirmed that it has the record."""

    name: ClassVar[str] = "exemption.hand_off_acknowledged.v1"
    batch: str
    reference: str  # the authority's own number for the batch
    clause: str


class FeeDue(Event):
    """等待缴纳{what}: `stage` opens when `fen` more are paid; payment makes an order of it for whoever wants to pay.

    `payable_until` is the end of the window `purpose` as it then stood; `WindowExtended` of the cycle moves it.
    """

    name: ClassVar[str] = "exemption.fee_due.v1"
    stage: str
    what: str  # what it is for, in the book's words
    fen: int  # what is still to be paid
    whole: int  # fen for all that was handed in; the rest was paid before
    each: Literal["course", "application"]
    count: int  # how many of those
    cycle: str
    purpose: str
    payable_until: datetime
    refunds: str  # what candidates read about refunds before they pay
    title: str
    clause: str


class FeeWithdrawn(Event):
    """不再收费: nothing is to be paid any more, for now; an order that is open must not be paid."""

    name: ClassVar[str] = "exemption.fee_withdrawn.v1"
    reason: Literal["lapsed", "superseded", "unlocked"]
    clause: str


class FeePaid(Event):
    """确认缴费: an order of just what was due was paid in time; the stage that waited for it opens."""

    name: ClassVar[str] = "exemption.fee_paid.v1"
    order: str
    fen: int
    paid_at: datetime
    title: str
    clause: str


class RefundAsked(Event):
    """应予退费: what was paid by an order goes back, whole; payment sees to it."""

    name: ClassVar[str] = "exemption.refund_asked.v1"
    order: str
    fen: int
    reason: Literal[
        "wrong_amount",
        "paid_already",
        "too_late",
        "nothing_due",
        "another_counts",
        "erased",
        "refused",
        "superseded",
        "lapsed",
    ]
    clause: str


class FeeRefunded(Event):
    """获知退费: payment has given so much of an order back, whether it was asked to or not."""

    name: ClassVar[str] = "exemption.fee_refunded.v1"
    order: str
    fen: int
    refunded_at: datetime
    clause: str


ApplicationEvent = (
    ApplicationStarted
    | DraftSaved
    | DraftDiscarded
    | ApplicationSubmitted
    | CertificateSeenElsewhere
    | StageOpened
    | StagePassed
    | ApplicationReturned
    | ApplicationRefused
    | ReapplicationUnlocked
    | TicketReleased
    | ApplicationSuperseded
    | ApplicationLapsed
    | ExemptionGranted
    | ExemptionExpired
    | ApplicationRevived
    | RevivalRefused
    | ExemptionRevoked
    | RecordTablePrinted
    | ApplicationHandedOff
    | HandOffAcknowledged
    | FeeDue
    | FeeWithdrawn
    | FeePaid
    | RefundAsked
    | FeeRefunded
)

# --- flags-<application>: what reviewers are warned of, and nobody else -----------------------------------------------

FlagEvent = CertificateSeenElsewhere

# --- head-<id>: which application of one ticket number or person counts, cycle by cycle ------------------------------


class HeadTaken(Event):
    """确定有效申请: of this ticket number or person in this cycle, `application` counts from now on."""

    name: ClassVar[str] = "exemption.head_taken.v1"
    cycle: str
    application: str
    candidate: str
    replaced: str | None  # the application that counted before
    value: Personal[str]  # the ticket number or person, with the jurisdiction
    clause: str


class HeadReleased(Event):
    """释放有效申请: the application that counted was refused; another may take its place."""

    name: ClassVar[str] = "exemption.head_released.v1"
    cycle: str
    application: str


class HeadEnded(Event):
    """有效申请终止: it came to its end, so it holds no ticket number; it still is the one of its candidate there."""

    name: ClassVar[str] = "exemption.head_ended.v1"
    cycle: str
    application: str


class HeadWithdrawn(Event):
    """收回准考证号: an office took it from the account of `application`, which may not hand in with it again."""

    name: ClassVar[str] = "exemption.head_withdrawn.v1"
    cycle: str
    application: str


HeadEvent = HeadTaken | HeadReleased | HeadEnded | HeadWithdrawn

# --- viewing-<application>: who looked at somebody else's papers ---------------------------------------------------


class DocumentsViewed(Event):
    """查阅申请材料: a reviewer read the form or looked at photographs; `documents` are form, history or slots."""

    name: ClassVar[str] = "exemption.documents_viewed.v1"
    viewer: str
    role: str
    organisation: str
    documents: tuple[str, ...]


ViewingEvent = DocumentsViewed

# --- upload-<id>: one photograph ---------------------------------------------------------------------------------


class PhotographAccepted(Event):
    """上传照片（{slot}）：合格: the original and the re-encoded picture are kept, sealed under the owner's key."""

    name: ClassVar[str] = "exemption.photograph_accepted.v1"
    owner: str
    application: str
    slot: str
    original: str  # blob ids
    original_type: str
    original_digest: str
    picture: str
    picture_digest: str
    cropped: bool
    results: tuple[dict[str, Any], ...]  # every rule with what was measured and its limit
    hints: tuple[dict[str, Any], ...]
    reading: Personal[dict[str, Any]]  # what OCR read, by form field: a hint, never a decision
    clause: str


class PhotographRefused(Event):
    """上传照片（{slot}）：不合格: at least one rule failed; nothing of the file was kept."""

    name: ClassVar[str] = "exemption.photograph_refused.v1"
    owner: str
    application: str
    slot: str
    results: tuple[dict[str, Any], ...]
    clause: str


UploadEvent = PhotographAccepted | PhotographRefused

# --- cycle-<id>: 批次, a dated opening of a scheme -----------------------------------------------------------------


class CycleOpened(Event):
    """开放批次: a scheme is open at an organisation and all below it, in the windows that `WindowSet` facts name."""

    name: ClassVar[str] = "exemption.cycle_opened.v1"
    scheme: str
    organisation: str
    title: str
    opened_by: str
    clause: str


class WindowSet(Event):
    """公布办理时间: from when to when one thing may be done: days inclusive, daily hours, days left out."""

    name: ClassVar[str] = "exemption.window_set.v1"
    purpose: str
    from_day: date
    to_day: date
    daily: tuple[tuple[time, time], ...]
    excluded: tuple[date, ...]
    close_inclusive: bool
    clause: str


class WindowExtended(Event):
    """延长办理时间: a window ends later than announced."""

    name: ClassVar[str] = "exemption.window_extended.v1"
    purpose: str
    to_day: date
    reason: str
    extended_by: str


class DaysExcluded(Event):
    """公布{purpose}不办理的日期: days of a window that lists leave out, as the calendar had them then.

    `WindowSet` has them among its own too; here stands by which lists, and what an extension adds.
    """

    name: ClassVar[str] = "exemption.days_excluded.v1"
    purpose: str
    lists: tuple[Literal["holidays", "weekends"], ...]  # an extension obeys them again
    days: tuple[date, ...]
    clause: str


class CycleClosed(Event):
    """结束批次: ended by hand; what was handed in is still reviewed."""

    name: ClassVar[str] = "exemption.cycle_closed.v1"
    reason: str
    closed_by: str


class CycleWindowEnded(Event):
    """{purpose}办理时间结束: a window is over for good, by its own dates or with its cycle.

    Once; where `WindowExtended` opens it again afterwards, once more at its new end.
    """

    name: ClassVar[str] = "exemption.cycle_window_ended.v1"
    purpose: str
    ended_at: datetime
    settles: bool  # whether some applications lapse or expire with it


class WindowSettled(Event):
    """{purpose}到期事项办结: every application that the end of this window does something to has been seen to."""

    name: ClassVar[str] = "exemption.window_settled.v1"
    purpose: str
    ended_at: datetime


class WindowReopened(Event):
    """{purpose}办理时间重新开放: extended after its end was recorded; what had ended with it is looked at again."""

    name: ClassVar[str] = "exemption.window_reopened.v1"
    purpose: str
    reopened_at: datetime


class ReopeningSettled(Event):
    """{purpose}恢复事项办结: every application that had ended with this window has been looked at again."""

    name: ClassVar[str] = "exemption.reopening_settled.v1"
    purpose: str
    reopened_at: datetime


CycleEvent = (
    CycleOpened
    | WindowSet
    | DaysExcluded
    | WindowExtended
    | CycleClosed
    | CycleWindowEnded
    | WindowSettled
    | WindowReopened
    | ReopeningSettled
)

# --- batch-<id>: a hand-off to the examinations authority ---------------------------------------------------------


class BatchHandedOff(Event):
    """上报一批申请记录: the university submits them to the authority; `digest` is of the exported rows."""

    name: ClassVar[str] = "exemption.batch_handed_off.v1"
    scheme: str
    cycle: str
    organisation: str
    sender_role: str
    receiver_role: str
    receiver: str  # the organisation that must acknowledge
    applications: tuple[str, ...]
    digest: str
    handed_off_by: str
    clause: str


class BatchAcknowledged(Event):
    """确认接收一批申请记录: the authority has the batch, under its own reference."""

    name: ClassVar[str] = "exemption.batch_acknowledged.v1"
    reference: str
    acknowledged_by: str
    clause: str


class BatchExported(Event):
    """导出上报数据: somebody of the two organisations took the rows of the batch, with all that is personal in them."""

    name: ClassVar[str] = "exemption.batch_exported.v1"
    exported_by: str
    format: str


BatchEvent = BatchHandedOff | BatchAcknowledged | BatchExported

# --- organisation-<id>, person-<id>: what this service learnt from identity ----------------------------------------


class OrganisationFollowed(Event):
    """获知机构信息: an organisation, its level and its place in the tree."""

    name: ClassVar[str] = "exemption.organisation_followed.v1"
    title: str
    level: str
    parent: str | None
    phones: tuple[str, ...]
    closed: bool


OrganisationEvent = OrganisationFollowed


class AccountFollowed(Event):
    """获知考生身份: who the holder of a candidate's account was verified to be."""

    name: ClassVar[str] = "exemption.account_followed.v1"
    holder: Personal[str]
    id_number: Personal[str]
    mobile: Personal[str]
    ticket_number: Personal[str] = ""


class VerificationFollowed(Event):
    """获知身份认证结果: identity verified the person for a jurisdiction."""

    name: ClassVar[str] = "exemption.verification_followed.v1"
    jurisdiction: str
    level: str


class EducationFollowed(Event):
    """获知前置学历（{standing}）: one record of prior education as it is now."""

    name: ClassVar[str] = "exemption.education_followed.v1"
    record: str
    standing: Literal["submitted", "taken_back", "effective", "not_effective"]
    level: str  # of GB/T 4658
    category: str
    certificate_number: Personal[str]
    school: Personal[str]
    major: Personal[str]
    graduated_on: Personal[str] = ""


class PersonForgotten(Event):
    """清除考生身份: the person was erased: what was kept to find them by is dropped."""

    name: ClassVar[str] = "exemption.person_forgotten.v1"


PersonEvent = AccountFollowed | VerificationFollowed | EducationFollowed | PersonForgotten

# --- parking-<source>-<stream>: what was passed over of another service's stream ------------------------------------


class ParkedFactResolved(Event):
    """跳过{source}的滞留记录: a fact of another service could not be handled here; somebody said to go on without."""

    name: ClassVar[str] = "exemption.parked_fact_resolved.v1"
    source: str
    stream: str
    version: int
    type: str
    fault: str
    """What it waited for: not_yet, or the kind of error."""
    reason: str
    """A code of `shared/kernel/parking.py`."""


class ResolutionExplained(Event):
    """说明跳过的缘由: what the person said about it; only where there is somebody whose key can seal it."""

    name: ClassVar[str] = "exemption.resolution_explained.v1"
    note: Personal[str]


ParkingEvent = ParkedFactResolved | ResolutionExplained
