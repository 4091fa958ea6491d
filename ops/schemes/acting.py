"""What people of a story can do: each act as the commands that the service would be sent. Called by `playing.py`."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from ops.schemes.casting import Cast
from ops.schemes.stories import Step, Where, Wrong
from services.exemption.domain.case import Application, Case, Discarded, InReview, NotStarted
from services.exemption.domain.commands import (
    AcknowledgeRecord,
    ApplicationCommand,
    CloseCycle,
    CycleCommand,
    DiscardDraft,
    ExtendWindow,
    HandOffRecord,
    PassStage,
    ReturnApplication,
    StartApplication,
    SubmitApplication,
)
from services.exemption.domain.scheme import ExemptionScheme
from shared.schemes.procedure import Stage

CYCLE_ID = "cycle"
BATCH = "batch"


@dataclass(frozen=True)
class Turn:
    """One step, and the application that it is about."""

    book: ExemptionScheme
    cast: Cast
    step: Step
    key: str  # candidate and which of their applications
    state: Application
    where: Where


def fill(turn: Turn) -> Iterator[ApplicationCommand]:
    """Start where nothing is started, and keep what was typed: what was there before, changed as the step says."""
    if isinstance(turn.state, NotStarted | Discarded):
        yield StartApplication(cycle=CYCLE_ID)
    draft = turn.cast.perfect(turn.key.split("/")[0], turn.key)
    before = turn.state.form if isinstance(turn.state, Case) and turn.state.form else draft.form
    form = {**before, **turn.cast.typed(turn.step.form, (*turn.where, "填写"))}
    slots = turn.cast.slots(turn.step.without, (*turn.where, "缺照片"))
    photos = {slot: upload for slot, upload in draft.photos.items() if slot not in slots}
    yield replace(draft, form=form, photos=photos)  # type: ignore[type-var]  # a struct, told to mypy as a dataclass


def submit(turn: Turn) -> Iterator[ApplicationCommand]:
    if not isinstance(turn.state, Case) or turn.step.form or turn.step.without:
        yield from fill(turn)
    yield SubmitApplication(application=turn.key)


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
    codes = {reason.text: reason.code for reason in stage.reasons}
    if turn.step.reason is None:
        raise Wrong(turn.where, f"原因: say why; {stage.name} has {'、'.join(codes)}")
    code = codes.get(turn.step.reason, turn.step.reason)
    if code not in codes.values():
        raise Wrong((*turn.where, "原因"), f"{stage.name} has no such reason; it has {'、'.join(codes)}")
    yield ReturnApplication(
        application=turn.key, stage=stage.name, reason_code=code, note=turn.step.note or turn.step.reason
    )


def _stage(turn: Turn) -> Stage:
    """The open stage; where none is, the first one, so that the refusal is the decider's."""
    return turn.book.stage(turn.state.desk.stage) if isinstance(turn.state, InReview) else turn.book.stages[0]


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
    "上报": hand_off,
    "确认收到": acknowledge,
    "延期": extend,
    "关闭批次": close,
}
"""The closed list."""
