"""`exemption.yaml`: what a book says to this service. Pure; read through `shared.schemes.catalog`.

Everything that is true of any book (no stage without a state, no state without a way in, every window used) is
refused here, by the laws of `book_laws.py`, so a decider never meets a book that makes no sense. The words for claims
stand in `bases.py`, those for limits, uniqueness and validity in `terms.py`.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, model_validator

from services.exemption.domain import book_laws
from services.exemption.domain.bases import MODULES, Basis
from services.exemption.domain.terms import (
    Cap,
    CertificateOnce,
    Conditions,
    CourseNames,
    FormDocument,
    Limit,
    MajorLimit,
    Numbering,
    Payment,
    Plan,
    Receipt,
    Results,
    Revocation,
    Uniqueness,
    Validity,
)
from shared.schemes.courses import Courses
from shared.schemes.forms import FormField, Kind, PhotoSlot, deepest
from shared.schemes.procedure import Clause, Id, ProgressStep, Purpose, Sentence, Sourced, Stage, State, Text
from shared.schemes.reference import CertificateTypes, CodeLists, Majors


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
    lapses: bool = Field(False, description="For resubmit: what was sent back and is not handed in by its end lapses.")


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


class Material(PhotoSlot):
    """材料: a photograph that claims on some bases need; `file_name` says how the file is called."""

    bases: tuple[Id, ...] = Field((), description="The bases whose claims need it; none: every claim.")


_MOST_DRAFTS = 20
"""Of one candidate in one cycle at the same time, where the book says nothing: rows without end cost space."""

PagePart = Literal["fields", "majors", "claims", "claim", "photos", "materials", "receipt"]
"""What a page holds: the fields of the form, the majors, the table of claims, one claim in hand, and so on."""


class Page(Sourced):
    """One page on the way of an application, for the portal to draw."""

    id: Id
    title: Text
    holds: tuple[PagePart, ...] = Field(min_length=1)
    fields: tuple[Id, ...] = Field((), description="Which ones, where fields of the form stand on several pages.")
    reads_only: bool = Field(False, description="Shown, not filled in.")
    hints: tuple[Sentence, ...] = ()
    row_actions: tuple[Text, ...] = Field((), description="Texts of the buttons in each row of a table.")
    actions: tuple[Text, ...] = Field(min_length=1, description="Texts of the buttons.")
    returned_actions: tuple[Text, ...] = Field((), description="Those in their place once it was sent back.")


class Texts(Clause):
    """Sentences of the pages."""

    pages: tuple[Page, ...] = Field((), description="In the order in which they are gone through.")

    list_title: Sentence
    start_action: Sentence
    details_action: Sentence
    edit_action: Sentence
    confirm_action: Sentence
    print_action: Sentence | None = None
    review_action: Sentence
    details_tab: Sentence
    history_tab: Sentence
    before_submit: tuple[Sentence, ...] = Field(min_length=1)
    notices: tuple[Sentence, ...] = Field(min_length=1)
    capture: tuple[Sentence, ...] = Field((), description="For every photograph.")
    album: Sentence | None = Field(None, description="For pictures that were not taken through the frame.")


class ExemptionScheme(Clause):
    """The exemption rules of one book."""

    open_by: tuple[Id, ...] = Field(min_length=1, description="Roles that open, extend and close cycles.")
    open_at: Id | None = Field(
        None,
        description="Level at which they must be held, of the cycle's organisation or one above it; none: any.",
    )
    windows: tuple[Purpose, ...] = Field(min_length=1)
    submit: Deadline
    resubmit: Deadline | None = Field(None, description="For what was sent back; none: as for submit.")
    once_submitted: Sentence = Field(description="No edits after handing in, unless sent back.")
    conditions: Conditions = Field(default_factory=Conditions, description="Who may hand in.")
    uniqueness: Uniqueness | None = Field(None, description="How many applications count; none: each by itself.")
    fields: tuple[FormField, ...] = Field(min_length=1)
    lists: dict[Id, Annotated[tuple[Entry, ...], Field(min_length=1)]] = Field(default_factory=dict)
    levels: tuple[Entry, ...] = Field((), description="Levels of `certificates`, the lowest first.")
    certificates: tuple[Certificate, ...] = Field((), description="For a form that asks for one certificate itself.")
    certificate_valid: Sentence | None = Field(None, description="The certificate must be in its validity period.")
    certificate_once: CertificateOnce | None = Field(
        None,
        description="No certificate in two applications of one person that count; so in any case for `certificates`.",
    )
    course_once: Sentence | None = Field(
        None,
        description="No course in two applications of one person that count, in whatever cycle and on whatever basis.",
    )
    certificate_seen_elsewhere: Sentence | None = Field(
        None, description="Told to reviewers when a number is used by two people; where one is asked, and only there."
    )
    bases: tuple[Basis, ...] = Field((), description="免考依据: what claims can rest on; none: nothing is claimed.")
    claims: Limit | None = Field(None, description="How many claims (证书, rows) an application has; with `bases`.")
    courses: Limit | None = Field(None, description="How many courses all claims together have.")
    course_names: CourseNames | None = None
    majors: MajorLimit | None = Field(None, description="How many majors an application is for; none: it names none.")
    plans: tuple[Plan, ...] = ()
    caps: tuple[Cap, ...] = Field((), description="Each one that fits the candidate holds.")
    photos: tuple[PhotoSlot, ...] = ()
    materials: tuple[Material, ...] = ()
    photos_a_day: Quota = Field(description="Of one candidate for one photograph, accepted or not.")
    drafts: Quota | None = Field(None, description="Of one candidate in one cycle, at the same time; none: 20.")
    number: Numbering | None = None
    receipt: Receipt | None = None
    form_document: FormDocument | None = None
    states: tuple[State, ...]
    progress: tuple[ProgressStep, ...] = Field(min_length=1)
    stages: tuple[Stage, ...] = Field(min_length=1, description="In order; nothing passes without all of them.")
    payment: Payment | None = Field(None, description="A fee; none: it costs nothing.")
    results: Results | None = Field(None, description="When decisions can be seen; none: at once.")
    validity: Validity | None = Field(None, description="Until when an exemption counts; none: for good.")
    revocation: Revocation | None = None
    hand_off: HandOff | None = None
    record_table: RecordTable | None = None
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

    def owed_before(self, stage: str, courses: int, paid: int) -> int:
        """Fen that somebody who claims so many courses, and has paid so much, must pay before this stage opens."""
        names = [each.name for each in self.stages]
        if self.payment is None or names.index(stage) < names.index(self.payment.before):
            return 0
        return max(0, self.payment.fee(courses) - paid)

    def state(self, state: str) -> State:
        return next(each for each in self.states if each.id == state)

    def state_titled(self, title: str) -> State | None:
        return next((each for each in self.states if each.title == title), None)

    def field_of(self, kind: Kind) -> FormField | None:
        return next((field for field in self.fields if field.kind == kind), None)

    def certificate(self, certificate: str) -> Certificate:
        return next(each for each in self.certificates if each.id == certificate)

    def basis(self, basis: str) -> Basis | None:
        return next((each for each in self.bases if each.id == basis), None)

    def claim_photos(self, basis: Basis) -> tuple[PhotoSlot, ...]:
        """What a claim on this basis needs: its own photographs, and the materials of the procedure."""
        return (*basis.asked_photos(), *(each for each in self.materials if not each.bases or basis.id in each.bases))

    def slots(self) -> dict[str, PhotoSlot]:
        """Everything that can be uploaded: those of the form by name, those of claims as `<basis>.<slot>`."""
        own = {each.slot: each for each in self.photos}
        return own | {f"{basis.id}.{each.slot}": each for basis in self.bases for each in self.claim_photos(basis)}

    def slot(self, slot: str) -> PhotoSlot | None:
        return self.slots().get(slot)

    def said_of(self, slot: str) -> tuple[str, ...]:
        """Where this book speaks of what is uploaded as `slot`: `photos[portrait]`, `bases[ncre_one].photos[paper]`."""
        basis, _, own = slot.rpartition(".")
        if not basis:
            return (f"photos[{own}]",)
        if own in {each.slot for each in self.materials}:
            return (f"materials[{own}]",)
        found = self.basis(basis)
        if found and found.modules and own in {each.slot for each in found.modules.slots()}:
            return (f"bases[{basis}]", "modules", "photo")
        return (f"bases[{basis}]", f"photos[{own}]")

    def documents(self, claimed: Collection[Id] | None = None) -> frozenset[str]:
        """What a reason for sending back can point at: fields, photographs, bases, the courses, the majors; of an
        application, nothing of the bases that it claims nothing on."""
        bases = [each for each in self.bases if claimed is None or each.id in claimed]
        slots = {each.slot for each in self.photos}
        slots |= {f"{basis.id}.{each.slot}" for basis in bases for each in self.claim_photos(basis)}
        parts = {*(each.name for each in self.fields), *slots, *(each.id for each in bases)}
        return frozenset(parts | ({"courses"} if self.bases else set()) | ({"majors"} if self.majors else set()))

    @property
    def once_resubmitted(self) -> Deadline:
        return self.resubmit or self.submit

    @property
    def certificates_are_used_once(self) -> bool:
        return bool(self.certificates) or self.certificate_once is not None

    def cycle_of_certificates(self, cycle: str) -> str | None:
        """The one cycle in which a certificate is used once; None: in all of them together."""
        once = self.certificate_once
        return cycle if once and once.within == "cycle" else None

    @property
    def most_drafts(self) -> int:
        return self.drafts.most if self.drafts else _MOST_DRAFTS

    def purpose(self, purpose: str) -> Purpose | None:
        return next((each for each in self.windows if each.id == purpose), None)

    def window(self, purpose: str) -> Purpose:
        """Of a cycle under this book, or named by it: so it is there."""
        return next(each for each in self.windows if each.id == purpose)

    def keeps_its_days(self, purpose: str) -> bool:
        """Whether a window ends by its days alone, also in a cycle that was closed by hand: nobody hands in in it."""
        said = self.purpose(purpose)
        of_what_is_there = {each.window for each in (self.validity, self.payment) if each}
        return bool(said and said.query) or purpose in of_what_is_there

    def outlasting(self) -> tuple[tuple[Id, Id], ...]:
        """(window, another) where in no cycle the first is over before the second: what is handed in at the last moment
        can still be paid for, confirmed on site, put right and used; and what is paid for then, confirmed on site."""
        handing_in, again = self.submit.window, self.once_resubmitted.window
        following = (self.validity, self.payment, *(stage.onsite for stage in self.stages))
        after = [(each.window, before) for each in following if each for before in (handing_in, again)]
        if paying := self.payment:
            paid_for = (stage.onsite for stage in self.stages if self.owed_before(stage.name, 1, 0))
            after += [(each.window, paying.window) for each in paid_for if each]
        return tuple(dict.fromkeys(pair for pair in ((again, handing_in), *after) if pair[0] != pair[1]))

    def scopes(self) -> tuple[Id, ...]:
        """The levels of organisations that have to do with every case, the stages' first."""
        seen_by = self.uniqueness.offices() if self.uniqueness else ()
        after = (*seen_by, self.revocation, self.record_table, self.hand_off)
        return tuple(dict.fromkeys([*(stage.scope for stage in self.stages), *(each.scope for each in after if each)]))

    def ends_with(self, purpose: str) -> tuple[str, ...]:
        """What the end of a window does something to: what is approved, sent back, in review, not paid for."""
        ends = {
            "granted": self.validity is not None and self.validity.window == purpose,
            "returned": self.once_resubmitted.lapses and self.once_resubmitted.window == purpose,
            "unpaid": self.payment is not None and self.payment.window == purpose,
            "in_review": any(stage.onsite and stage.onsite.window == purpose for stage in self.stages),
        }
        return tuple(state for state, does in ends.items() if does)

    def deciding(self) -> set[tuple[Id, Id]]:
        """The roles that somebody must hold for a case to go on, each with the level of organisation."""
        seen_by = self.uniqueness.offices() if self.uniqueness else ()
        offices = (*self.stages, self.record_table, self.revocation, *seen_by)
        held = {(each.role, each.scope) for each in offices if each}
        if handing := self.hand_off:
            held |= {(handing.role, handing.scope), (handing.receiver_role, handing.receiver_scope)}
        return held

    def choices(self) -> Mapping[str, frozenset[str]]:
        """Every closed list of this book, by the name or kind that fields use."""
        own = {name: frozenset(entry.id for entry in entries) for name, entries in self.lists.items()}
        own["certificate"] = frozenset(each.id for each in self.certificates)
        own["certificate_level"] = frozenset(level.id for level in self.levels)
        return own

    @model_validator(mode="after")
    def _keeps_to_the_laws(self) -> "ExemptionScheme":
        for law in book_laws.LAWS:
            law(self)
        return self


@dataclass(frozen=True)
class Known:
    """Reference data as far as a book may speak of it: the country's, and the jurisdiction's own majors."""

    courses: Courses = field(default_factory=lambda: Courses(courses=()))
    certificates: CertificateTypes = field(default_factory=lambda: CertificateTypes(certificates=()))
    code_lists: CodeLists = field(default_factory=lambda: CodeLists(lists={}))
    majors: Majors | None = None
    offices: Mapping[str, str] = field(default_factory=dict)
    """Level of organisations -> what the jurisdiction calls it."""

    def levels_of(self, certificate: str) -> tuple[str, ...]:
        """The lowest first."""
        return tuple(self.ladder_of(certificate))

    def ladder_of(self, certificate: str) -> Mapping[str, str]:
        """Level -> title, the lowest first."""
        found = self.certificates.get(certificate)
        return {level.id: level.title for level in found.levels} if found else {}


@dataclass(frozen=True)
class Rules:
    """An exemption scheme under its name, with the reference data it speaks of: what a case is judged by."""

    ref: str
    book: ExemptionScheme
    known: Known = field(default_factory=Known)

    @property
    def jurisdiction(self) -> str:
        return self.ref.split("/")[0]

    def clause(self, *path: str, source: str) -> str:
        """`<ref> exemption.stages[初审] SW-26`: where in the book a fact comes from."""
        return f"{self.ref} exemption.{'.'.join(path)} {source}"

    def choices(self, basis: Basis | None = None) -> Mapping[str, frozenset[str]]:
        """Every closed list, by the name or kind that fields use; those of a basis besides."""
        known = self.known.code_lists.lists
        lists = {name: frozenset(each.entries) for name, each in known.items()}
        lists |= {deepest(name): each.deepest() for name, each in known.items()}
        if majors := self.known.majors:
            lists["major"] = frozenset(f"{each.level} {each.code}" for each in majors.majors)
        lists |= self.book.choices()
        if basis and basis.certificate:
            lists["certificate_level"] = frozenset(self.known.levels_of(basis.certificate.type))
        if basis and basis.modules:
            lists[MODULES] = frozenset(basis.modules.any_of)
        return lists
