"""免考依据 the words of a book about claims: what proves a claim, which courses it is good for, what is asked of each.

Pure. `scheme.py` composes them; `claims.py` reads a claim by them and `evidence.py` says what it proves. A candidate's
application has claims; each names one basis, says what the basis asks, and lists the courses that need not be sat.
"""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.schemes.courses import CourseCode
from shared.schemes.forms import FormField, PhotoSlot, fields_must_have_one_meaning
from shared.schemes.procedure import Clause, Id, Sentence, Sourced, Text, no_twins

MajorRef = Annotated[str, StringConstraints(pattern=r"^\S{1,20} [0-9]{6}[A-Z]{0,2}$")]
"""A major by level and code, as fields and books write it: 本科 080901."""

MODULES = "modules"
"""The list that the field for the chosen module chooses from."""
MODULE = "module"


class CertificateAsked(Clause):
    """A kind of certificate from the reference data, and the lowest level that counts."""

    type: Id = Field(description="Its id in platform/certificates.yaml.")
    lowest: Text | None = Field(None, description="The lowest level that counts; none: any, or it has no levels.")


class DiplomaAsked(Clause):
    """A record of prior education (前置学历) that is effective; the claim has a field of kind prior_education."""

    categories: tuple[Text, ...] = Field(min_length=1, description="Categories that count, e.g. ordinary (普通).")
    levels: tuple[Text, ...] = Field((), description="Levels that count (GB/T 4658); none: any.")


class Modules(Clause):
    """A certificate that is given module by module: each one that is asked has a number and a photograph of its own."""

    all_of: tuple[Text, ...] = Field(min_length=1, description="Modules that must all be there.")
    any_of: tuple[Text, ...] = Field((), description="And one of these.")
    any_of_open: bool = Field(False, description="The list of these ends with 等: another may be typed.")
    number: FormField = Field(description="What is asked of each certificate; its name gets _1, _2 ...")
    photo: PhotoSlot = Field(description="The photograph of each certificate; its slot gets _1, _2 ...")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Modules":
        no_twins([*self.all_of, *self.any_of], "modules")
        if self.any_of_open and not self.any_of:
            raise ValueError("an open list needs examples")
        if self.number.kind != "certificate_number":
            raise ValueError("the number of a module is of kind certificate_number")
        return self

    def fields(self) -> tuple[FormField, ...]:
        """Which of `any_of`, and the number of each certificate."""
        return (self._choice(), *self.numbers()) if self.any_of else self.numbers()

    def numbers(self) -> tuple[FormField, ...]:
        """One for each of `slots`."""
        return tuple(self._number(place, module) for place, module in enumerate(self._papers(), 1))

    def _choice(self) -> FormField:
        """Which one of `any_of`; where their list is open, what is typed counts."""
        said = {"name": MODULE, "label": "所选模块", "source": self.number.source}
        what = {"kind": "text", "suggestions": self.any_of} if self.any_of_open else {"kind": "choice", "list": MODULES}
        return FormField.model_validate(said | what)

    def slots(self) -> tuple[PhotoSlot, ...]:
        return tuple(
            self.photo.model_copy(
                update={"slot": f"{self.photo.slot}_{place}", "label": f"{module}：{self.photo.label}"}
            )
            for place, module in enumerate(self._papers(), 1)
        )

    def _number(self, place: int, module: str) -> FormField:
        return self.number.model_copy(
            update={"name": f"{self.number.name}_{place}", "label": f"{module}：{self.number.label}"}
        )

    def _papers(self) -> tuple[str, ...]:
        return (*self.all_of, "所选模块") if self.any_of else self.all_of


class Offer(Sourced):
    """Courses that a basis is good for: for everybody, or for some majors."""

    courses: tuple[CourseCode, ...] = Field(min_length=1)
    prior_majors: tuple[Text, ...] = Field((), description="Only with a prior diploma of one of these majors.")
    majors: tuple[MajorRef, ...] = Field((), description="Only for candidates of one of these majors.")


class Offered(Sourced):
    """Which courses may be claimed on a basis: those of every offer that fits, or any of the catalogue."""

    any: bool = Field(False, description="Any course of the catalogue.")
    offers: tuple[Offer, ...] = ()
    choose: Literal["all", "some"] = Field("some", description="All that are offered, or those that are wanted.")

    @model_validator(mode="after")
    def _makes_sense(self) -> "Offered":
        if self.any == bool(self.offers):
            raise ValueError("courses are either any of the catalogue or those of the offers")
        if self.any and self.choose == "all":
            raise ValueError("nobody can choose all courses of the catalogue")
        return self


class Details(Clause):
    """What is asked of each claimed course. The first entry that names the course counts; one without names is for all
    others; a course that no entry is for, or one whose entry has no fields, needs no details."""

    courses: tuple[CourseCode, ...] = ()
    fields: tuple[FormField, ...] = ()


class Expected(Sourced):
    """The set of courses that a candidate of a major should claim on this basis; another one only warns."""

    major: MajorRef
    courses: tuple[CourseCode, ...] = Field(min_length=1)


class Hint(Sentence):
    """Something to tell whoever chooses a basis."""

    majors: tuple[MajorRef, ...] = Field((), description="Only to candidates of one of these majors.")


class Basis(Sourced):
    """One entry of the list of bases (免考依据)."""

    id: Id
    title: Text = Field(description="As the list shows it.")
    number: int | None = Field(None, ge=1, le=200, description="Its number in the list.")
    certificate: CertificateAsked | None = None
    diploma: DiplomaAsked | None = None
    modules: Modules | None = Field(None, description="Only with a certificate that has modules.")
    fields: tuple[FormField, ...] = Field((), description="What is asked of each claim on this basis.")
    photos: tuple[PhotoSlot, ...] = Field((), description="The photographs of each claim on this basis.")
    courses: Offered
    details: tuple[Details, ...] = Field((), description="What is asked of each course.")
    expected: tuple[Expected, ...] = ()
    hints: tuple[Hint, ...] = ()

    def asked_fields(self) -> tuple[FormField, ...]:
        """Of a claim: the book's own, and those of the modules."""
        return (*self.fields, *(self.modules.fields() if self.modules else ()))

    def asked_photos(self) -> tuple[PhotoSlot, ...]:
        return (*self.photos, *(self.modules.slots() if self.modules else ()))

    def shown_on(self, slot: str) -> tuple[FormField, ...]:
        """The fields whose values may stand on one photograph: of several certificates each shows its own number."""
        modules = self.modules
        own = (
            {each.slot: number for each, number in zip(modules.slots(), modules.numbers(), strict=True)}
            if modules
            else {}
        )
        return (*self.fields, own[slot]) if slot in own else self.fields

    def details_of(self, course: str) -> tuple[FormField, ...]:
        """What is asked of one course."""
        place = self._place_of_details(course)
        return () if place is None else self.details[place].fields

    def _place_of_details(self, course: str) -> int | None:
        named = (place for place, each in enumerate(self.details) if course in each.courses)
        others = (place for place, each in enumerate(self.details) if not each.courses)
        return next(named, next(others, None))

    def said_of(self, field: str, course: str | None = None) -> tuple[str, ...]:
        """Where the book speaks of a field of a claim, or of one of its courses."""
        basis = f"bases[{self.id}]"
        if course is not None:
            return basis, f"details[{self._place_of_details(course)}]", f"fields[{field}]"
        if self.modules and field in {each.name for each in self.modules.fields()}:
            return basis, "modules", "any_of" if field == MODULE else "number"
        return basis, f"fields[{field}]"

    @model_validator(mode="after")
    def _one_kind_of_proof(self) -> "Basis":
        if self.certificate and self.diploma:
            raise ValueError(f"{self.id}: a basis is a certificate or a diploma, not both")
        if self.modules and not self.certificate:
            raise ValueError(f"{self.id}: modules are of a certificate")
        kinds = {field.kind for field in self.fields}
        if bool(self.diploma) != ("prior_education" in kinds):
            raise ValueError(f"{self.id}: a diploma, and nothing else, has a field of kind prior_education")
        if "certificate_level" in kinds and not self.certificate:
            raise ValueError(f"{self.id}: a level is that of a certificate")
        return self

    @model_validator(mode="after")
    def _expects_what_it_offers(self) -> "Basis":
        """Else whoever claims all that they may is warned for ever."""
        for each in () if self.courses.any else self.expected:
            offers = (offer for offer in self.courses.offers if not offer.majors or each.major in offer.majors)
            if never := sorted(set(each.courses) - {code for offer in offers for code in offer.courses}):
                raise ValueError(f"expected: {each.major}: never offered to them: {', '.join(never)}")
        return self

    @model_validator(mode="after")
    def _names_are_unique(self) -> "Basis":
        fields_must_have_one_meaning(self.fields)
        asked = [field.name for field in self.asked_fields()] + [slot.slot for slot in self.asked_photos()]
        no_twins(asked, f"fields and photos of {self.id}")
        no_twins([code for each in self.details for code in each.courses], f"details of {self.id}")
        if sum(not each.courses for each in self.details) > 1:
            raise ValueError(f"{self.id}: two entries of details are for all other courses")
        for each in self.details:
            no_twins([field.name for field in each.fields], f"details of {self.id}")
        no_twins([each.major for each in self.expected], f"expected of {self.id}")
        return self
