"""What people are told, compared with what can happen to them: neither a silence nor a message about nothing.

Called by `proving.py`. A book's notices are one service's, the rules that lead to them another's: neither model knows.
"""

from collections.abc import Iterator

from services.exemption.domain.scheme import ExemptionScheme
from services.identity.domain.education_rules import PriorEducation
from services.notification.domain.scheme import NotificationScheme, placeholders
from shared.schemes.catalog import Book

EXEMPTION, EDUCATION = "exemption.", "prior_education."
_OF_RECORDS = frozenset({"effective", "not_effective", "unresolved"})
"""What can become of a record of prior education (前置学历)."""
_MAY_BE_SILENT = frozenset({EXEMPTION + "stage_passed", EXEMPTION + "superseded"})
"""A stage on the way, and what the candidate did themselves."""
_RESULTS = frozenset(EXEMPTION + moment for moment in ("stage_passed", "granted", "refused"))


def faults_of_notices(book: Book, rules: ExemptionScheme, prior: PriorEducation | None) -> Iterator[str]:
    """What a book with exemption rules says too much or too little about.

    `prior` is what identity asks of prior education under this book.
    """
    if "notification" not in book.parts():
        yield book.fault("exemption", (), "needs a notification.yaml beside it: nobody is told of anything")
        return
    said = book.part("notification", NotificationScheme)
    told = frozenset(said.moments)
    happening = {EXEMPTION + moment for moment in moments_of(rules)}
    happening |= {EDUCATION + moment for moment in _OF_RECORDS} if prior else set()
    hidden = _RESULTS if rules.results else frozenset()
    for moment in sorted(happening - told - _MAY_BE_SILENT - hidden):
        yield book.fault("notification", ("moments",), f"nobody is told of {moment}")
    for moment in sorted(told - happening):
        yield book.fault("notification", ("moments", moment), "never happens by the rules of this book")
    for moment in sorted(told & hidden):
        law = "says what candidates may not see before the results are open"
        yield book.fault("notification", ("moments", moment), law)
    yield from _documents_without_words(book, rules, said)
    words = said.words.get("reason", {})
    for reason in prior.reasons if prior else ():
        if words.get(reason.id) != reason.title:
            yield book.fault("notification", ("words",), f"reason {reason.id}: identity says of it: {reason.title}")


def _documents_without_words(book: Book, rules: ExemptionScheme, said: NotificationScheme) -> Iterator[str]:
    """What is sent back is about a document, a field or a part: whoever is told of it reads no ids."""
    if any("document" in placeholders(text) for notice in said.moments.values() for text in notice.texts()):
        for each in sorted(rules.documents() - set(said.words.get("document", {}))):
            yield book.fault("notification", ("words",), f"no word for document {each}")


def moments_of(rules: ExemptionScheme) -> set[str]:
    """What can happen under a book that somebody might be told."""
    outcomes = {outcome for stage in rules.stages for outcome in stage.outcomes}
    unique = rules.uniqueness
    lapses = rules.once_resubmitted.lapses or bool(rules.payment) or any(stage.onsite for stage in rules.stages)
    said = {
        "returned": "return" in outcomes,
        "refused": "refuse" in outcomes,
        "unlocked": unique is not None and unique.unlocking is not None,
        "ticket_released": unique is not None and unique.release is not None,
        "superseded": unique is not None and unique.rule == "last_submission_wins",
        "lapsed": lapses,
        "fee_due": rules.payment is not None,
        "refund_asked": rules.payment is not None,
        "expired": rules.validity is not None,
        "revived": lapses or rules.validity is not None,  # its window may be extended afterwards
        "revoked": rules.revocation is not None,
    }
    return {"submitted", "stage_passed", "granted"} | {moment for moment, can in said.items() if can}
