"""The terms of a procedure: limits, uniqueness, conditions, numbers, results, validity. The words; pure.

`scheme.py` composes them; `limits.py`, `uniqueness.py`, `access.py` and `rules.py` obey them.
"""

from fractions import Fraction
from math import ceil, floor
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from services.exemption.domain.bases import MajorRef
from shared.schemes.courses import CourseCode
from shared.schemes.forms import placeholders
from shared.schemes.procedure import Clause, Id, Item, Refusing, Sentence, Sourced, Text, no_twins

# --- how many ----------------------------------------------------------------------------------------------------


class Limit(Sourced):
    """So many at least, so many at most."""

    least: int = Field(1, ge=0, le=100)
    most: int = Field(ge=1, le=100)

    @model_validator(mode="after")
    def _makes_sense(self) -> "Limit":
        if self.least > self.most:
            raise ValueError("least is more than most")
        return self


class MajorLimit(Limit):
    """专业: how many of the jurisdiction's majors an application is for."""

    closing: Sentence | None = Field(
        None,
        description="停: closing majors only for those whose own major it is (the form has a field of kind major).",
    )
    cover: Sentence | None = Field(
        None, description="Every claimed course stands in the plan of a chosen major; needs `plans`."
    )


class PlanCourse(Clause):
    """A course of a plan."""

    code: CourseCode
    professional: bool = Field(description="A professional course (专业课), as caps count them.")


class Plan(Sourced):
    """专业计划: the courses of a major, in one version."""

    major: MajorRef
    version: Text
    courses: tuple[PlanCourse, ...] = Field(min_length=1)

    def professional(self) -> frozenset[str]:
        return frozenset(each.code for each in self.courses if each.professional)

    def codes(self) -> frozenset[str]:
        return frozenset(each.code for each in self.courses)


Share = Annotated[str, StringConstraints(pattern=r"^([1-9][0-9]{0,2}/[1-9][0-9]{0,2}|[1-9][0-9]?%)$")]


class Cap(Sourced):
    """The most courses that may be claimed: a number, or a share of the professional courses of each chosen plan."""

    most: int | None = Field(None, ge=0, le=100, description="A number of courses.")
    share: Share | None = Field(None, description="Of the plan's professional courses: 1/3 or 30%.")
    rounding: Literal["down", "up", "half_up"] | None = Field(None, description="How a share becomes a number.")
    plan_versions: tuple[Text, ...] = Field((), description="Only under these versions of the plan; none: any.")
    candidate_kinds: tuple[Text, ...] = Field((), description="Only for these kinds of candidate; none: any.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Cap":
        if (self.most is None) == (self.share is None):
            raise ValueError("a cap is a number or a share")
        if (self.share is None) != (self.rounding is None):
            raise ValueError("a share, and nothing else, is rounded")
        if self.share is not None and _fraction(self.share) >= 1:
            raise ValueError(f"a share of {self.share} caps nothing")
        return self

    def of(self, professional: int) -> int:
        """The most there may be, of so many professional courses."""
        if self.share is None:
            return self.most or 0
        exact = professional * _fraction(self.share)
        return {"down": floor(exact), "up": ceil(exact), "half_up": floor(exact + Fraction(1, 2))}[
            self.rounding or "down"
        ]


def _fraction(share: str) -> Fraction:
    return Fraction(int(share[:-1]), 100) if share.endswith("%") else Fraction(share)


class CourseNames(Sourced):
    """How the name of a claimed course is treated."""

    typed: bool = Field(False, description="It must be typed, in full, beside the code; else it may be left out.")
    code_wins: bool = Field(False, description="The name is not looked at: the code counts.")


# --- who may, and how often --------------------------------------------------------------------------------------


class PriorEducationNeeded(Sentence):
    """前置学历: what must be there; `text` is said when it is not."""

    when: Literal["effective", "submitted"] = Field(
        "effective",
        description="effective: before anything is handed in. submitted: it may become effective later, by the stage "
        "that rechecks prior_education_effective.",
    )
    categories: tuple[Text, ...] = Field((), description="Categories that count; none: any.")


class Conditions(Clause):
    """Who may hand in; each sentence is said to whoever may not."""

    person_verified: Sentence | None = Field(
        default=None, description="Identity verified the person for this jurisdiction."
    )
    enrolled: Sentence | None = Field(default=None, description="在籍: the account has an admission ticket number.")
    prior_education: PriorEducationNeeded | None = None


class FaceToFace(Sourced):
    """What a clerk may do for whoever stands before them."""

    role: Id
    scope: Id = Field(description="Level of the organisation, found as for a stage.")
    seen: tuple[Item, ...] = Field(min_length=1, description="What the clerk must have seen; each is recorded.")
    reasons: tuple[Refusing, ...] = Field(min_length=1, description="Why it is done.")
    action: Text = Field(description="Text of the button.")


class Unlocking(FaceToFace):
    """A clerk lets a candidate hand in again, after seeing them."""

    window: Id = Field(description="Unlocked, and handed in again, only while it is open.")


class TicketRelease(FaceToFace):
    """A clerk takes a ticket number from the account that handed in with it, after seeing whose it is. What was
    approved under it is revoked, for the reason of the release."""


UniqueRule = Literal["last_submission_wins", "once", "once_and_again", "edit_after_return"]


class Uniqueness(Sourced):
    """How many applications count, for one ticket number or one person in one cycle.

    last_submission_wins: the latest one, whatever became of the earlier. once: one, handed in once. once_and_again:
    one, handed in again `times` times, each time unlocked. edit_after_return: one, again whenever it was sent back.
    """

    by: Literal["ticket_number", "person"]
    rule: UniqueRule
    text: Text = Field(description="What candidates read about it.")
    times: int | None = Field(None, ge=1, le=9, description="For once_and_again.")
    unlocking: Unlocking | None = Field(None, description="For once_and_again.")
    release: TicketRelease | None = Field(None, description="By ticket_number: who takes it from whom it is not of.")
    keeps: tuple[Literal["organisation", "majors", "claims"], ...] = Field(
        (), description="What must be as it was when it is handed in again."
    )

    @model_validator(mode="after")
    def _makes_sense(self) -> "Uniqueness":
        again = self.rule == "once_and_again"
        if again != (self.times is not None) or again != (self.unlocking is not None):
            raise ValueError("once_and_again, and nothing else, says how many times and who unlocks it")
        if self.keeps and self.rule not in {"once_and_again", "edit_after_return"}:
            raise ValueError(f"keeps: with {self.rule} nothing is handed in again")
        if self.release and self.by != "ticket_number":
            raise ValueError("release: only a ticket number can be another one's")
        no_twins(self.keeps, "keeps")
        return self

    def offices(self) -> tuple[FaceToFace, ...]:
        return tuple(each for each in (self.unlocking, self.release) if each)


# --- what it costs -----------------------------------------------------------------------------------------------


class Refunds(Sourced):
    """退费: what becomes of a fee that was owed and paid. What was never owed goes back in any case."""

    when: tuple[Literal["refused", "superseded", "lapsed"], ...] = Field(
        (), description="It goes back when this becomes of the application; none: never."
    )
    text: Text = Field(description="What candidates read before they pay.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Refunds":
        no_twins(self.when, "refunds")
        return self


class Payment(Sourced):
    """缴费: a stage opens only when a fee is paid."""

    title: Text = Field(description="What it is for.")
    before: Text = Field(description="The stage that it is paid before; those that follow ask for it as well.")
    each: Literal["course", "application"] = Field(description="What it is counted by.")
    fen: int = Field(ge=1, le=10_000_000, description="For each of them, in fen (分).")
    window: Id = Field(description="When it can be paid; what is not paid by its end lapses.")
    refunds: Refunds

    def fee(self, courses: int) -> int:
        return self.fen * self.count(courses)

    def count(self, courses: int) -> int:
        return courses if self.each == "course" else 1


# --- what is given, shown and ended ------------------------------------------------------------------------------

NUMBER_FACTS = frozenset({"year", "month", "day", "serial"})


class Numbering(Sourced):
    """编号: given when an application is handed in for the first time."""

    pattern: str = Field(
        min_length=1,
        max_length=60,
        description="Text with {year}, {month}, {day} and {serial}, counted in the jurisdiction.",
    )
    digits: int = Field(5, ge=1, le=9, description="Of the serial number, filled up with zeros.")

    @model_validator(mode="after")
    def _can_be_filled(self) -> "Numbering":
        found = placeholders(self.pattern)
        if found - NUMBER_FACTS:
            raise ValueError(f"pattern: no such fact: {', '.join(sorted(found - NUMBER_FACTS))}")
        if "serial" not in found:
            raise ValueError("pattern: without {serial} two applications would have one number")
        return self


class ReceiptColumns(Sourced):
    """What the columns of a receipt are called."""

    basis: Text = Field(description="Heading of the column of bases.")
    details: Text = Field(description="Heading of the column of what was typed of the basis.")
    course: Text = Field(description="Heading of the column of courses.")


class Receipt(Sourced):
    """申报告知单: what a candidate gets for what was handed in."""

    title: Text
    columns: ReceiptColumns
    notes: tuple[Sentence, ...] = ()


class FormDocument(Sourced):
    """导出申请表: what is filled in, as a Word document for the candidate to keep; it has no effect of its own."""

    title: Text
    action: Text = Field(description="Text of the button.")
    number: Text = Field(description="What the number is called.")
    number_given: Text = Field(description="Stands in place of the number before there is one.")
    made_at: Text = Field(description="What the day of the application is called.")
    rows: Text = Field(description="Heading of the table of courses.")
    course: Text = Field(description="Heading of the column of course names.")
    code: Text = Field(description="Heading of the column of course codes.")
    basis: Text = Field(description="Heading of the column of bases.")
    note: Sentence = Field(description="Stands below it: what has to be done for the application to count.")


class CertificateOnce(Sentence):
    """一证一用: no certificate in two applications of one person that count, in this jurisdiction."""

    within: Literal["cycle", "ever"] = Field(
        "ever", description="cycle: in another cycle it may be used again. ever: in none."
    )


class Results(Sourced):
    """When a candidate may see what was decided; before that the application is shown as handed in."""

    window: Id = Field(description="A window with `query: true`.")
    stays: bool = Field(False, description="Once it has been open, what was decided stays visible.")


class Validity(Sourced):
    """Until when an approved exemption can be used."""

    window: Id = Field(description="It expires when this window is over.")
    text: Text


class Revocation(Sourced):
    """Who may take back an approved exemption, and why."""

    role: Id
    scope: Id
    reasons: tuple[Refusing, ...] = Field(min_length=1)
    action: Text = Field(description="Text of the button.")
