"""A story played under a book, and what is told of it. Called by `commands.py` and by `tests/stories`."""

from collections.abc import Iterator

from ops.schemes.outcomes import Outcome, told_finding
from ops.schemes.playing import played
from ops.schemes.stories import MAY_BE_HANDED_IN, BadStory, Step, StoryFile, Wrong
from services.exemption.domain.scheme import ExemptionScheme, Rules
from services.exemption.handlers import known_of
from shared.kernel.values import yuan
from shared.schemes.catalog import BadBook, Book, Catalog

Line = tuple[str, tuple[str, ...]]
"""What came of a step, and what of it is not as the story says."""


def told_step_by_step(file: StoryFile, book: Book, catalog: Catalog) -> Iterator[Line]:
    """BadStory when the story makes no sense under this book; BadBook when nobody can apply by it.

    The catalogue has the reference data; for a draft what `drafting.with_draft` puts there.
    """
    if book.head is None or "exemption" not in book.sheets:
        raise BadBook([f"{book.ref}: has no exemption rules, so no case can be tried"])
    rules = Rules(book.ref, book.part("exemption", ExemptionScheme), known_of(catalog, book.ref))
    try:
        for step, outcome, wrong in played(file.story, rules, book.head):
            yield _line(step, outcome), tuple(file.fault(each) for each in wrong)
    except Wrong as wrong:
        raise BadStory([file.fault(wrong)]) from None


def faults_of_story(file: StoryFile, book: Book, catalog: Catalog) -> list[str]:
    """Everything that is not as the story says; empty when it is true."""
    try:
        return [fault for _, faults in told_step_by_step(file, book, catalog) for fault in faults]
    except BadStory as bad:
        return bad.faults


def _line(step: Step, outcome: Outcome) -> str:
    at = f"{step.at:%Y-%m-%d %H:%M:%S}  " if step.at else " " * 21
    if outcome.refused:
        return f"{at}{step.when} ✗ {outcome.refused} ({outcome.code})"
    if outcome.verdict is not None:
        return f"{at}{step.when} → {_verdict(outcome)}"
    more = [f"编号 {outcome.number}"] if outcome.number else []
    more += [f"应缴 {yuan(outcome.due)} 元"] if outcome.due else []
    more += [f"退还 {yuan(each)} 元" for each in outcome.back]
    more += [f"等待{outcome.waits_for}"] if outcome.waits_for else []
    more += [f"提示：{each}" for each in outcome.told]
    more += [f"免考课程：{'、'.join(outcome.courses)}"] if outcome.courses else []
    clauses = "".join(f"\n{' ' * 23}{clause}" for clause in outcome.clauses)
    return f"{at}{step.when} → {'；'.join([outcome.state, *more])}{clauses}"


def _verdict(outcome: Outcome) -> str:
    """Every rule that speaks against it, with its clause; warnings besides."""
    found = outcome.verdict or ()
    lines = [f"{told_finding(each)}\n{' ' * 25}{each.clause}" for each in found]
    lines += [f"提示：{each}" for each in outcome.told]
    first = f"有 {len(found)} 处不符合" if found else MAY_BE_HANDED_IN
    return "".join([first, *(f"\n{' ' * 23}{line}" for line in lines)])
