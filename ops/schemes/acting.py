"""What people of a story can do: each act as the commands that the service would be sent. Called by `playing.py`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from msgspec.structs import replace

from ops.schemes.casting import Cast
from ops.schemes.stories import Step, Where, Wrong
from services.exemption.domain.case import Application, AwaitingPayment, Case, Discarded, InReview, Lapsed, NotStarted
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    CloseCycle,
    CycleCommand,
    DiscardDraft,
    ExtendWindow,
    HandOffRecord,
    NoteRefund,
    PassStage,
    RefuseApplication,
    ReleaseTicket,
    ReturnApplication,
    RevokeExemption,
    SettleFee,
    StartApplication,
    SubmitApplication,
    UnlockReapplication,
)
from services.exemption.domain.followed import Account
from services.exemption.domain.scheme import ExemptionScheme
from services.exemption.domain.terms import FaceToFace
from shared.schemes.procedure import Reason, Refusing, Stage

CYCLE_ID = "cycle"
BATCH = "batch"
JUDGE, LOOK, LEARN = "预审", "查看", "核验"
"""What decides nothing: the verdict before handing in, what somebody sees, what identity found out."""


@dataclass(frozen=True)
class Turn:
    """One step, and the application that it is about."""

    book: ExemptionScheme
    cast: Cast
    step: Step
    key: str  # candidate and which of their applications
    state: Application
    account: Account  # of the candidate whose it is
    where: Where
    now: datetime

    def changes_the_form(self) -> bool:
        step = self.step
        return bool(step.form or step.without) or step.claims is not None or step.majors is not None


def fill(turn: Turn) -> Iterator[ApplicationCommand]:
    """Start where nothing is started, and keep what was typed: what was there before, changed as the step says."""
    if isinstance(turn.state, NotStarted | Discarded):
        yield StartApplication(cycle=CYCLE_ID)
    step, draft = turn.step, turn.cast.perfect(turn.account, turn.key)
    kept = turn.state if isinstance(turn.state, Case) and turn.state.form else None
    form = {**(kept.form if kept else draft.form), **turn.cast.typed(step.form, (*turn.where, "填写"))}
    slots = turn.cast.slots(step.without, (*turn.where, "缺照片"))
    photos = {slot: upload for slot, upload in draft.photos.items() if slot not in slots}
    claims, majors = (kept.claims, kept.majors) if kept else (draft.claims, draft.majors)
    if step.claims is not None:
        claims = turn.cast.claims(step.claims, turn.account, form, (*turn.where, "免考"))
    if step.majors is not None:
        majors = step.majors
    yield replace(draft, form=form, photos=photos, claims=tuple(claims), majors=majors)  # type: ignore[type-var]  # a struct, told to mypy as a dataclass


def submit(turn: Turn) -> Iterator[ApplicationCommand]:
    yield from prepare(turn)
    yield SubmitApplication(application=turn.key)


def prepare(turn: Turn) -> Iterator[ApplicationCommand]:
    """What is handed in or judged beforehand must have been saved."""
    if not isinstance(turn.state, Case) or turn.changes_the_form():
        yield from fill(turn)


def nothing(_: Turn) -> Iterator[ApplicationCommand]:
    """Somebody looks, or identity learns something; no decision of ours."""
    return iter(())


def discard(turn: Turn) -> Iterator[ApplicationCommand]:
    yield DiscardDraft(application=turn.key)


def let_pass(turn: Turn) -> Iterator[ApplicationCommand]:
    stage = _stage(turn)
    texts = {item.text: item.id for item in stage.checklist}
    for place, each in enumerate(turn.step.failed):
        if each not in texts:
            raise Wrong((*turn.where, "不符合", place), f"{stage.name} does not ask this; it asks {'、'.join(texts)}")
    checklist = {item.id: item.text not in turn.step.failed for item in stage.checklist}
    yield PassStage(application=turn.key, stage=stage.name, checklist=checklist, opinion=turn.step.note)


def send_back(turn: Turn) -> Iterator[ApplicationCommand]:
    stage = _stage(turn)
    code, note = _reason(turn, stage.name, stage.reasons)
    yield ReturnApplication(application=turn.key, stage=stage.name, reason_code=code, note=note)


def turn_down(turn: Turn) -> Iterator[ApplicationCommand]:
    stage = _stage(turn)
    code, note = _reason(turn, stage.name, stage.refuse_reasons)
    yield RefuseApplication(application=turn.key, stage=stage.name, reason_code=code, note=note)


def unlock(turn: Turn) -> Iterator[ApplicationCommand]:
    seen, code, note = _seen(turn, "解锁", turn.book.uniqueness.unlocking if turn.book.uniqueness else None)
    yield UnlockReapplication(application=turn.key, seen=seen, reason_code=code, note=note)


def release_ticket(turn: Turn) -> Iterator[ApplicationCommand]:
    seen, code, note = _seen(turn, "释放准考证号", turn.book.uniqueness.release if turn.book.uniqueness else None)
    yield ReleaseTicket(application=turn.key, seen=seen, reason_code=code, note=note)


def _seen(turn: Turn, of: str, said: FaceToFace | None) -> tuple[dict[str, bool], str, str]:
    """What the clerk has seen, the reason's code and a note."""
    texts = {item.text: item.id for item in said.seen} if said else {}
    for place, each in enumerate(turn.step.unseen):
        if each not in texts:
            raise Wrong((*turn.where, "未查验", place), f"nobody is asked to see this; but {'、'.join(texts)}")
    code, note = _reason(turn, of, said.reasons) if said else ("", turn.step.note)
    return {item: text not in turn.step.unseen for text, item in texts.items()}, code, note


def revoke(turn: Turn) -> Iterator[ApplicationCommand]:
    revocation = turn.book.revocation
    code, note = _reason(turn, "撤销", revocation.reasons) if revocation else ("", turn.step.note)
    yield RevokeExemption(application=turn.key, reason_code=code, note=note)


def _reason(turn: Turn, of: str, reasons: Iterable[Reason | Refusing]) -> tuple[str, str]:
    """Code and note; where the book does not do such a thing, a code as typed, so that the refusal is the decider's."""
    codes = {reason.text: reason.code for reason in reasons}
    said = turn.step.reason
    if codes and said is None:
        raise Wrong(turn.where, f"原因: say why; {of} has {'、'.join(codes)}")
    code = codes.get(said or "", said or "")
    if codes and code not in codes.values():
        raise Wrong((*turn.where, "原因"), f"{of} has no such reason; it has {'、'.join(codes)}")
    return code, turn.step.note or said or of


def _stage(turn: Turn) -> Stage:
    """The open stage; where none is, the first one, so that the refusal is the decider's."""
    return turn.book.stage(turn.state.desk.stage) if isinstance(turn.state, InReview) else turn.book.stages[0]


def pay(turn: Turn) -> Iterator[ApplicationCommand]:
    """As payment would tell it: just what is due, unless the story says another amount."""
    due = turn.state.due if isinstance(turn.state, AwaitingPayment | Lapsed) else None
    fen = turn.step.fen if turn.step.fen is not None else due.fen if due else None
    if fen is None:
        raise Wrong((*turn.where, "金额"), "nothing is due, so say what was paid")
    at = turn.step.paid_at or turn.now
    yield SettleFee(application=turn.key, order=turn.step.order, fen=fen, paid_at=at)


def give_back(turn: Turn) -> Iterator[ApplicationCommand]:
    orders = turn.state.orders if isinstance(turn.state, Case) else {}
    paid = orders.get(turn.step.order)
    fen = turn.step.fen if turn.step.fen is not None else paid.fen if paid else 0
    yield NoteRefund(application=turn.key, order=turn.step.order, fen=fen, refunded_at=turn.now)


def hand_off(turn: Turn) -> Iterator[ApplicationCommand]:
    handing = turn.book.hand_off
    receiver = turn.cast.example(handing.receiver_scope) if handing else ""
    yield HandOffRecord(batch=BATCH, receiver=receiver)


def acknowledge(turn: Turn) -> Iterator[ApplicationCommand]:
    yield AcknowledgeRecord(batch=BATCH, reference=turn.step.note or "回执")


def extend(turn: Turn) -> Iterator[CycleCommand]:
    titles = {each.title: each.id for each in turn.book.windows}
    if turn.step.window not in titles or turn.step.until is None:
        raise Wrong(turn.where, f"say 时间段 ({'、'.join(titles)}) and 至")
    yield ExtendWindow(
        cycle=CYCLE_ID, purpose=titles[turn.step.window], to_day=turn.step.until, reason=turn.step.note or "延期"
    )


def close(turn: Turn) -> Iterator[CycleCommand]:
    yield CloseCycle(cycle=CYCLE_ID, reason=turn.step.note or "关闭批次")


ACTS: Mapping[str, Callable[[Turn], Iterator[ApplicationCommand | CycleCommand]]] = {
    "填写": fill,
    "提交": submit,
    "放弃": discard,
    "通过": let_pass,
    "退回": send_back,
    "不通过": turn_down,
    "解锁": unlock,
    "释放准考证号": release_ticket,
    "撤销": revoke,
    "缴费": pay,
    "退费": give_back,
    "上报": hand_off,
    "确认收到": acknowledge,
    "延期": extend,
    "关闭批次": close,
    JUDGE: prepare,
    LOOK: nothing,
    LEARN: nothing,
}
"""The closed list."""
