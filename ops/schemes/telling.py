"""What people are told, compared with what can happen to them: neither a silence nor a message about nothing.

Called by `proving.py`. A book's notices are one service's, the rules that lead to them another's: neither model knows.
"""

from collections.abc import Iterator

from services.exemption.domain.scheme import ExemptionScheme
from services.notification.domain.scheme import NotificationScheme
from shared.schemes.catalog import Book

PREFIX = "exemption."
_MAY_BE_SILENT = frozenset({"stage_passed", "superseded"})
"""A stage on the way, and what the candidate did themselves."""


def faults_of_notices(book: Book, rules: ExemptionScheme) -> Iterator[str]:
    """What a book with exemption rules says too much or too little about; one without notices tells nobody anything."""
    if "notification" not in book.parts():
        return
    told = {moment.removeprefix(PREFIX) for moment in book.part("notification", NotificationScheme).moments}
    happening = moments_of(rules)
    hidden = {"stage_passed", "granted", "refused"} if rules.results else set()
    for moment in sorted(happening - told - _MAY_BE_SILENT - hidden):
        yield book.fault("notification", ("moments",), f"nobody is told of {PREFIX}{moment}")
    for moment in sorted(told - happening):
        yield book.fault("notification", ("moments", PREFIX + moment), "never happens by the rules of this book")
    for moment in sorted(told & hidden):
        law = "says what candidates may not see before the results are open"
        yield book.fault("notification", ("moments", PREFIX + moment), law)


def moments_of(rules: ExemptionScheme) -> set[str]:
    """What can happen under a book that somebody might be told."""
    outcomes = {outcome for stage in rules.stages for outcome in stage.outcomes}
    unique = rules.uniqueness
    said = {
        "returned": "return" in outcomes,
        "refused": "refuse" in outcomes,
        "unlocked": unique is not None and unique.unlocking is not None,
        "superseded": unique is not None and unique.rule == "last_submission_wins",
        "lapsed": rules.once_resubmitted.lapses or any(stage.onsite for stage in rules.stages),
        "expired": rules.validity is not None,
        "revoked": rules.revocation is not None,
    }
    return {"submitted", "stage_passed", "granted"} | {moment for moment, can in said.items() if can}
