"""`exemption.yaml`: what a book says to this service. Pure; read through `shared.schemes.catalog`.

Everything that is true of any book (no stage without a state, no state without a way in, every window used) is
refused here, so a decider never meets a book that makes no sense.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import Field, model_validator

from shared.schemes.forms import FormField, Kind, PhotoSlot, fields_must_have_one_meaning
from shared.schemes.procedure import (
    ASKED_ELSEWHERE,
    DISCARDED,
    DRAFT,
    HANDED_OFF,
    RETURNED,
    SUBMITTED,
    Clause,
    Id,
    ProgressStep,
    Purpose,
    Sentence,
    Sourced,
    Stage,
    State,
    Text,
    no_twins,
)

_NEEDED_KINDS: tuple[Kind, ...] = ("organisation", "certificate", "certificate_number")
_ENGINE_STATES = {DRAFT, SUBMITTED, RETURNED, DISCARDED}


class Entry(Sourced):
    """One entry of a list to choose from."""

    id: Text
    title: Text


class Certificate(Sourced):
    """A certificate the system knows, the lowest level it accepts and the courses it exempts from."""

    id: Id
    name: Text = Field(description="The official name.")
    also_printed: tuple[Text, ...] = Field((), description="Other ways in which certificates print the name.")
    lowest_level: Text
    courses: tuple[str, ...] = Field(min_length=1, description="Codes of the courses that need not be sat.")


class Deadline(Sourced):
    """What may only be done while a window is open."""

    window: Id


class Quota(Sourced):
    """How often something may be done."""

    most: int = Field(ge=1, le=1000)


class HandOff(Sourced):
    """Approved records go on to the examinations authority."""

    role: Id
    scope: Id
    receiver_role: Id
    receiver_scope: Id
    most: int = Field(ge=1, le=1000, description="Most records in one batch.")


class RecordTable(Sourced):
    """The table that is printed of an approved application."""

    title: Text
    role: Id
    scope: Id
    note: Sentence


class Texts(Clause):
    """Sentences of the pages."""

    list_title: Sentence
    start_action: Sentence
    details_action: Sentence
    edit_action: Sentence
    confirm_action: Sentence
    print_action: Sentence
    review_action: Sentence
    details_tab: Sentence
    history_tab: Sentence
    before_submit: tuple[Sentence, ...] = Field(min_length=1)
    notices: tuple[Sentence, ...] = Field(min_length=1)
    capture: tuple[Sentence, ...] = Field(min_length=1, description="For every photograph.")
    album: Sentence = Field(description="For pictures that were not taken through the frame.")


class ExemptionScheme(Clause):
    """The exemption rules of one book."""

    open_by: tuple[Id, ...] = Field(min_length=1, description="Roles that open, extend and close cycles.")
    windows: tuple[Purpose, ...] = Field(min_length=1)
    submit: Deadline
    resubmit: Deadline
    once_submitted: Sentence = Field(description="No edits after handing in, unless sent back.")
    fields: tuple[FormField, ...] = Field(min_length=1)
    lists: dict[Id, tuple[Entry, ...]] = Field(default_factory=dict)
    levels: tuple[Entry, ...] = Field(min_length=1, description="Levels of certificates, the lowest first.")
    certificates: tuple[Certificate, ...] = Field(min_length=1)
    certificate_valid: Sentence = Field(description="The certificate must be in its validity period.")
    certificate_seen_elsewhere: Sentence = Field(description="Told to reviewers when a number is used by two people.")
    photos: tuple[PhotoSlot, ...] = Field(min_length=1)
    photos_a_day: Quota = Field(description="Of one candidate for one photograph, accepted or not.")
    states: tuple[State, ...]
    progress: tuple[ProgressStep, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1, description="In order; nothing passes without all of them.")
    hand_off: HandOff | None = None
    record_table: RecordTable
    texts: Texts

    # --- looking things up

    def stage(self, name: str) -> Stage:
        return next(stage for stage in self.stages if stage.name == name)

    def after(self, name: str) -> Stage | None:
        names = [stage.name for stage in self.stages]
        following = names.index(name) + 1
        return self.stages[following] if following < len(names) else None

    def reopened_by(self, stage: Stage) -> tuple[str, ...]:
        """The stages to be reviewed again after `stage` sent an application back, the first one first."""
        names = [each.name for each in self.stages]
        return tuple(names if stage.resubmit_to == "first" else names[names.index(stage.name) :])

    def state(self, state: str) -> State:
        return next(each for each in self.states if each.id == state)

    def state_titled(self, title: str) -> State | None:
        return next((each for each in self.states if each.title == title), None)

    def field_of(self, kind: Kind) -> FormField | None:
        return next((field for field in self.fields if field.kind == kind), None)

    def certificate(self, certificate: str) -> Certificate:
        return next(each for each in self.certificates if each.id == certificate)

    def slot(self, slot: str) -> PhotoSlot | None:
        return next((each for each in self.photos if each.slot == slot), None)

    def purpose(self, purpose: str) -> Purpose | None:
        return next((each for each in self.windows if each.id == purpose), None)

    def deciding(self) -> set[tuple[Id, Id]]:
        """The roles that somebody must hold for a case to go on, each with the level of organisation."""
        offices: tuple[Stage | RecordTable, ...] = (*self.stages, self.record_table)
        held = {(each.role, each.scope) for each in offices}
        if handing := self.hand_off:
            held |= {(handing.role, handing.scope), (handing.receiver_role, handing.receiver_scope)}
        return held

    def choices(self) -> Mapping[str, frozenset[str]]:
        """Every closed list of this book, by the name or kind that fields use."""
        own = {name: frozenset(entry.id for entry in entries) for name, entries in self.lists.items()}
        own["certificate"] = frozenset(each.id for each in self.certificates)
        own["certificate_level"] = frozenset(level.id for level in self.levels)
        return own

    # --- what every book must keep to

    @model_validator(mode="after")
    def _names_are_unique(self) -> "ExemptionScheme":
        no_twins([each.id for each in self.windows], "windows")
        no_twins([each.name for each in self.fields], "fields")
        no_twins([each.slot for each in self.photos], "photos")
        no_twins([each.slot for each in self.photos] + [each.name for each in self.fields], "photos and fields")
        no_twins([each.id for each in self.states], "states")
        no_twins([each.title for each in self.states], "titles of states")
        no_twins([each.name for each in self.stages], "stages")
        no_twins([each.state for each in self.stages], "states of stages")
        no_twins([each.id for each in self.certificates], "certificates")
        no_twins([each.name for each in self.certificates], "names of certificates")
        no_twins([each.id for each in self.levels], "levels")
        return self

    @model_validator(mode="after")
    def _every_window_has_a_purpose(self) -> "ExemptionScheme":
        declared = {each.id for each in self.windows}
        used = {self.submit.window, self.resubmit.window}
        asked = {each.id for each in self.windows if each.query} | (declared & ASKED_ELSEWHERE)
        if used & asked:
            raise ValueError(f"windows: nothing can be handed in: {', '.join(sorted(used & asked))}")
        if used - declared:
            raise ValueError(f"windows: not declared: {', '.join(sorted(used - declared))}")
        if declared - used - asked:
            raise ValueError(f"windows: nothing depends on: {', '.join(sorted(declared - used - asked))}")
        return self

    @model_validator(mode="after")
    def _every_state_can_be_reached(self) -> "ExemptionScheme":
        needed = _ENGINE_STATES | {stage.state for stage in self.stages}
        if _ENGINE_STATES & {stage.state for stage in self.stages}:
            raise ValueError("stages: a passed stage needs a state of its own")
        if self.hand_off:
            needed |= {HANDED_OFF}
        declared = {state.id for state in self.states}
        if needed - declared:
            raise ValueError(f"states: missing: {', '.join(sorted(needed - declared))}")
        if declared - needed:
            raise ValueError(f"states: can never be reached: {', '.join(sorted(declared - needed))}")
        return self

    @model_validator(mode="after")
    def _every_state_is_in_the_progress(self) -> "ExemptionScheme":
        shown = [state for step in self.progress for state in step.states]
        no_twins(shown, "progress")
        if set(shown) != {state.id for state in self.states} - {DISCARDED}:
            raise ValueError("progress: must show every state but discarded, and no other")
        return self

    @model_validator(mode="after")
    def _the_form_can_be_judged(self) -> "ExemptionScheme":
        fields_must_have_one_meaning(self.fields)
        missing = [kind for kind in _NEEDED_KINDS if not (field := self.field_of(kind)) or not field.required]
        if missing:
            raise ValueError(f"fields: a required field is needed of kind {', '.join(missing)}")
        unknown = {field.list for field in self.fields if field.list} - set(self.lists)
        if unknown:
            raise ValueError(f"fields: no such list: {', '.join(sorted(unknown))}")
        ladder = {level.id for level in self.levels}
        for certificate in self.certificates:
            if certificate.lowest_level not in ladder:
                raise ValueError(f"certificates: {certificate.id}: no such level: {certificate.lowest_level}")
        return self

    @model_validator(mode="after")
    def _reasons_point_at_something(self) -> "ExemptionScheme":
        known = {field.name for field in self.fields} | {photo.slot for photo in self.photos}
        for stage in self.stages:
            for reason in stage.reasons:
                if reason.document not in known:
                    raise ValueError(f"stages: {stage.name}: {reason.code}: no such document: {reason.document}")
            if "certificate_valid" in stage.rechecks and self.field_of("valid_until") is None:
                raise ValueError(f"stages: {stage.name}: certificate_valid needs a field of kind valid_until")
        return self


@dataclass(frozen=True)
class Rules:
    """An exemption scheme under its name: what a case is judged by."""

    ref: str
    book: ExemptionScheme

    def clause(self, *path: str, source: str) -> str:
        """`<ref> exemption.stages[初审] SW-26`: where in the book a fact comes from."""
        return f"{self.ref} exemption.{'.'.join(path)} {source}"
