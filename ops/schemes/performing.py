"""A story played under a book, and what is told of it. Called by `commands.py` and by `tests/stories`."""

from collections.abc import Iterator

from ops.schemes.playing import Outcome, played
from ops.schemes.stories import BadStory, Step, StoryFile, Wrong
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.schemes.catalog import BadBook, Book

Line = tuple[str, tuple[str, ...]]
"""What came of a step, and what of it is not as the story says."""


def told_step_by_step(file: StoryFile, book: Book) -> Iterator[Line]:
    """BadStory when the story makes no sense under this book; BadBook when nobody can apply by it."""
    if book.head is None or "exemption" not in book.sheets:
        raise BadBook([f"{book.ref}: has no exemption rules, so no case can be tried"])
    rules = Rules(book.ref, book.part("exemption", ExemptionScheme))
    try:
        for step, outcome, wrong in played(file.story, rules, book.head):
            yield _line(step, outcome), tuple(file.fault(each) for each in wrong)
    except Wrong as wrong:
        raise BadStory([file.fault(wrong)]) from None


def faults_of_story(file: StoryFile, book: Book) -> list[str]:
    """Everything that is not as the story says; empty when it is true."""
    try:
        return [fault for _, faults in told_step_by_step(file, book) for fault in faults]
    except BadStory as bad:
        return bad.faults


def _line(step: Step, outcome: Outcome) -> str:
    at = f"{step.at:%Y-%m-%d %H:%M:%S}  " if step.at else " " * 21
    if outcome.refused:
        return f"{at}{step.when} ✗ {outcome.refused} ({outcome.code})"
    more = [f"等待{outcome.waits_for}"] if outcome.waits_for else []
    more += [f"提示：{each}" for each in outcome.told]
    more += [f"免考课程：{'、'.join(outcome.courses)}"] if outcome.courses else []
    clauses = "".join(f"\n{' ' * 23}{clause}" for clause in outcome.clauses)
    return f"{at}{step.when} → {'；'.join([outcome.state, *more])}{clauses}"
