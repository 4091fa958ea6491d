"""前置学历: what a book says about prior education, and the laws that follow from it. Pure; used by EDUCATION.

Read from `identity.yaml` of a jurisdiction. A draft keeps what was typed, right or wrong; handing in checks everything
at once. What CHSI (学信网) has on record is compared with the form here, character by character.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from pydantic import Field, model_validator

from services.identity.domain.followed import Cycle
from services.identity.domain.refusals import said
from shared.documents.hints import Found, agreement, plain
from shared.kernel.errors import Refused
from shared.kernel.time import SHANGHAI, spoken
from shared.kernel.values import kept_text
from shared.schemes.forms import FormField, Kind
from shared.schemes.procedure import Id, Sentence, Sourced, Text, no_twins
from shared.schemes.reading import examples_must_pass, read_value
from shared.schemes.reference import OrganisationId

NEEDED: Mapping[str, Kind] = {
    "holder": "name",
    "certificate_number": "certificate_number",
    "school": "text",
    "major": "text",
    "level": "choice",
    "category": "choice",
    "graduated_on": "date",
}
"""Fields that every book asks for, since CHSI is asked by them or others judge by them."""
ONLY_IN_APPLICATIONS: frozenset[Kind] = frozenset(
    {"organisation", "major", "prior_education", "certificate", "certificate_level", "plan_version", "candidate_kind"}
)
"""Kinds that choose from what identity does not know, or that only the rules of an application ask for."""
DRAFT, SUBMITTED, CHECKING, UNRESOLVED, EFFECTIVE, NOT_EFFECTIVE = (
    *("draft", "submitted", "checking", "unresolved", "effective", "not_effective"),
)
STATES = frozenset({DRAFT, SUBMITTED, CHECKING, UNRESOLVED, EFFECTIVE, NOT_EFFECTIVE})
NAME_DIFFERS, DETAILS_DIFFER, NOT_FOUND, INVALID = "name_differs", "details_differ", "not_found", "invalid"
REASONS = frozenset({NAME_DIFFERS, DETAILS_DIFFER, NOT_FOUND, INVALID})
_LONGEST_DRAFT = 4000
OURS = {
    "exemption.not_on_the_list": "identity.not_on_the_list",
    "exemption.not_a_date": "identity.not_a_date",
    "exemption.too_long_ago": "identity.too_long_ago",
    "exemption.in_the_future": "identity.in_the_future",
    "exemption.not_a_month": "identity.not_a_month",
    "exemption.does_not_fit_the_pattern": "identity.does_not_fit_the_pattern",
    "exemption.not_a_number": "identity.not_a_number",
    "exemption.number_out_of_bounds": "identity.number_out_of_bounds",
    "exemption.number_not_passing": "identity.number_not_passing",
    "exemption.not_so_many_numbers": "identity.not_so_many_numbers",
}
"""The shared forms say it in exemption's words: each of them, since one said nowhere would be a fault of ours."""


class Window(Sourced):
    """The window of a cycle in which records are taken."""

    id: Id
    title: Text


class Commitment(Sourced):
    """申请承诺书: ticked before anything is kept; another wording is another version."""

    version: int = Field(ge=1)
    text: Text
    agree: Text = Field(description="What stands beside the box to tick.")


class Entry(Sourced):
    """One entry of a list: to choose from, or to be told."""

    id: Text
    title: Text


class StateShown(Entry):
    """A state by its official name, with what the candidate reads as feedback (学信网验反馈信息)."""

    feedback: Text


class Switch(Sourced):
    """Something that a book allows or asks for, or not."""

    value: bool


class Repair(Switch):
    """Whether it may be put right later, and what stays as it was handed in last before the deadline."""

    keeps: tuple[Id, ...] = Field(default=(), description="Fields; else anything in time keeps the right to all.")


class MustAgree(Sourced):
    """What of the form must be as CHSI has it."""

    fields: tuple[Id, ...] = Field(min_length=1)


Seconds = tuple[int, ...]


def wait_of(waits: Seconds, done: int) -> timedelta:
    return timedelta(seconds=waits[min(done, len(waits) - 1)])


class CheckRule(Sourced):
    """How patient we are with CHSI. Each list is of waits, the last one used again where it may go on."""

    call_seconds: int = Field(ge=1, le=30, description="How long one call may take.")
    try_again_after: Seconds = Field(min_length=1, description="Waits after calls that were certainly not taken.")
    ask_again_after: Seconds = Field(min_length=1, description="Waits before asking whether a call arrived.")
    absences_needed: int = Field(ge=1, description="How often CHSI must know nothing of it before it is asked anew.")
    look_after: Seconds = Field(min_length=1, description="Waits before looking for an answer that may have got lost.")
    give_up_after_days: int = Field(ge=1, le=365, description="Days without an answer; then the candidate may act.")

    @property
    def call_timeout(self) -> timedelta:
        return timedelta(seconds=self.call_seconds)

    def look_wait(self, looked: int) -> timedelta:
        return wait_of(self.look_after, looked)


class Tries(Sourced):
    """How often one person may hand records in, so that nobody asks CHSI about one number after the other."""

    most: int = Field(ge=1, le=100, description="In 24 hours, over all records.")


class Contradictions(Sourced):
    """Who settles it where CHSI says two things about one record, and looks into one diploma of two people."""

    role: Id
    organisation: OrganisationId = Field(description="Where that role must be held.")
    action: Text = Field(description="Text of the button.")


def fields_must_mean_something_here(fields: Collection[FormField]) -> None:
    """Kinds that only the rules of an application ask for, and words that only it obeys."""
    if strange := sorted(each.name for each in fields if each.kind in ONLY_IN_APPLICATIONS):
        raise ValueError(f"fields: of a kind that only an application has: {', '.join(strange)}")
    if strange := sorted(each.name for each in fields if each.same_as_account):
        raise ValueError(f"fields: only an application says same_as_account: {', '.join(strange)}")


class PriorEducation(Sourced):
    """前置学历管理."""

    window: Window
    start_action: Sentence
    commitment: Commitment
    fields: tuple[FormField, ...] = Field(min_length=1)
    lists: dict[Id, tuple[Entry, ...]]
    holder_is_account_holder: Switch = Field(description="The diploma must be in the name of the account.")
    must_agree: MustAgree
    repair_after_deadline: Repair = Field(
        description="A record that was handed in in time may be corrected and handed in again after the deadline."
    )
    tries: Tries
    check: CheckRule
    contradictions: Contradictions
    states: tuple[StateShown, ...]
    reasons: tuple[Entry, ...] = Field(description="Why a record did not take effect, and what to do.")

    def field(self, name: str) -> FormField:
        return next(each for each in self.fields if each.name == name)

    def state(self, state: str) -> StateShown:
        return next(each for each in self.states if each.id == state)

    def reason(self, reason: str) -> Entry:
        return next(each for each in self.reasons if each.id == reason)

    def choices(self) -> dict[str, frozenset[str]]:
        return {name: frozenset(entry.id for entry in entries) for name, entries in self.lists.items()}

    @model_validator(mode="after")
    def _makes_sense(self) -> "PriorEducation":
        no_twins([each.name for each in self.fields], "fields")
        examples_must_pass(self.fields)
        kinds = {each.name: each.kind for each in self.fields if each.required}
        if missing := [f"{name} ({kind})" for name, kind in NEEDED.items() if kinds.get(name) != kind]:
            raise ValueError(f"fields: required of this kind: {', '.join(missing)}")
        fields_must_mean_something_here(self.fields)
        if strange := sorted(each.name for each in self.fields if each.code_list):
            raise ValueError(f"fields: a record has lists of its own, and no code lists: {', '.join(strange)}")
        if unknown := {each.list for each in self.fields if each.list} - set(self.lists):
            raise ValueError(f"fields: no such list: {', '.join(sorted(unknown))}")
        if unknown := set(self.repair_after_deadline.keeps) - set(kinds):
            raise ValueError(f"repair_after_deadline: no such field: {', '.join(sorted(unknown))}")
        if unknown := set(self.must_agree.fields) - set(NEEDED):
            raise ValueError(f"must_agree: CHSI does not tell: {', '.join(sorted(unknown))}")
        for what, declared, known in (("states", self.states, STATES), ("reasons", self.reasons, REASONS)):
            no_twins([each.id for each in declared], what)
            if {each.id for each in declared} != known:
                raise ValueError(f"{what}: must be {', '.join(sorted(known))}")
        return self


@dataclass(frozen=True)
class Rules:
    """The rules of one book under its name: what a record is judged by."""

    ref: str
    book: PriorEducation

    def clause(self, path: str, source: str) -> str:
        """`<ref> identity.prior_education.window HB-03`: where in the book a fact comes from."""
        return f"{self.ref} identity.prior_education.{path} {source}"


# --- laws


def commitment_must_be_made(rule: Commitment, ticked: int | None) -> None:
    """HB-05: nothing is kept before the letter, in the wording that stands, was agreed to."""
    if ticked is None:
        raise Refused("identity.commitment_missing")
    if ticked != rule.version:
        raise Refused("identity.commitment_outdated", version=rule.version)


def window_must_be_open(book: PriorEducation, cycle: Cycle, now: datetime) -> None:
    """HB-03: the day of the deadline still counts, the midnight after it does not."""
    window = cycle.windows.get(book.window.id)
    if window is None:
        raise Refused("identity.no_prior_education")
    if cycle.closed or not window.holds(now):
        opens = None if cycle.closed else window.next_opening(now)
        ends = window.last_closing()
        raise Refused(
            "identity.window_closed" if opens is None else "identity.window_not_open_yet",
            window=book.window.title,
            opens=spoken(opens) if opens else None,
            ended=spoken(ends) if ends else None,
        )


def what_was_handed_in_must_stay(book: PriorEducation, before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """HB-03, HB-38: what is put right after the deadline is the diploma of before it, and not another one."""
    keeps = book.repair_after_deadline.keeps
    if changed := [book.field(name).label for name in keeps if before.get(name, "") != now.get(name, "")]:
        raise Refused("identity.kept_after_deadline", labels=changed)


def kept_draft(book: PriorEducation, form: Mapping[str, Any]) -> dict[str, str]:
    """The form as it may be kept: known fields, plain text, right or wrong."""
    labels = {each.name: each.label for each in book.fields}
    if unknown := sorted(set(form) - set(labels)):
        raise Refused("identity.unknown_field", fields=unknown[:10], count=len(unknown))
    return {name: kept_text(str(typed), name, _LONGEST_DRAFT, label=labels[name]) for name, typed in form.items()}


def checked_form(book: PriorEducation, form: Mapping[str, Any], holder: str, now: datetime) -> dict[str, str]:
    """HB-06: the form in canonical spelling; Refused with every fault, by field."""
    today, lists = now.astimezone(SHANGHAI).date(), book.choices()
    faults: list[dict[str, Any]] = []
    checked: dict[str, str] = {}
    for each in book.fields:
        try:
            value = _checked(book, each, str(form.get(each.name, "")), holder, today, lists)
        except Refused as refused:
            zh, en = said(refused)
            about = {"field": each.name, "label": each.label, "code": refused.code, "zh": zh, "en": en}
            faults.append({**about, "facts": refused.facts})
            continue
        if value:
            checked[each.name] = value
    if faults:
        raise Refused("identity.form_wrong", faults=faults, count=len(faults))
    return checked


def _checked(
    book: PriorEducation, field: FormField, typed: str, holder: str, today: date, lists: Mapping[str, Collection[str]]
) -> str:
    if not typed.strip():
        if field.required:
            raise Refused("identity.field_missing", label=field.label)
        return ""
    try:
        value = read_value(field, typed, today, lists)
    except Refused as refused:
        raise Refused(OURS.get(refused.code, refused.code), **refused.facts) from None
    if field.kind == "date" and date.fromisoformat(value) > today:
        raise Refused("identity.date_in_the_future", field=field.name)
    if field.name == "holder" and book.holder_is_account_holder.value and plain(value) != plain(holder):
        raise Refused("identity.holder_is_somebody_else", positions=list(_positions(value, holder)))
    return value


def _positions(typed: str, account: str) -> Iterator[int]:
    """Which characters are not those of the account, counted from 1: a refusal names no name."""
    for each in agreement(typed, Found(account, 1.0)).differences:
        yield from _places(each.position, each.typed)


def _places(position: int, typed: str) -> range:
    """Counted from 1; where a character is missing, that one before which it belongs."""
    return range(position + 1, position + max(len(typed), 1) + 1)


def difference(book: PriorEducation, form: Mapping[str, str], on_record: Mapping[str, str]) -> dict[str, Any]:
    """F-15: where the form is not what CHSI has on record: field -> both, and each change with its position."""
    found: dict[str, Any] = {}
    for name in book.must_agree.fields:
        typed, read = form.get(name, ""), str(on_record.get(name, ""))
        agreed = agreement(typed, Found(read, 1.0))
        if agreed.verdict != "agrees":
            changes = [
                {"position": each.position, "typed": each.typed, "read": each.read} for each in agreed.differences
            ]
            found[name] = {"typed": typed, "read": read, "changes": changes}
    return found


def is_of_somebody_else(differences: Mapping[str, Any]) -> bool:
    """More than one character of the name: a slip of the pen is shown where it is, a stranger's diploma not at all."""
    changes = differences.get("holder", {}).get("changes", ())
    return sum(max(len(each["typed"]), len(each["read"])) for each in changes) > 1


def shown_to_candidate(differences: Mapping[str, Any]) -> dict[str, list[int]]:
    """F-15: field -> which characters of what was typed are to be looked at again, from 1. Never what is on record:
    a number typed at random, or one's namesake's, would tell whose diploma it is."""
    if is_of_somebody_else(differences):
        return {}
    return {
        name: [place for each in told["changes"] for place in _places(each["position"], each["typed"])]
        for name, told in differences.items()
    }
