"""Reference data: what is so, whatever a procedure asks: certificates, code lists, organisations, majors. Pure.

`catalog` reads it from the shelf of books, of the whole country in `books/platform`, of a jurisdiction in its own
folder; courses have a room of their own, `courses`. It belongs to no version of a book and is not frozen with one: a
telephone number may be put right while cases are under way, and what a decision used of it stands in its events.
"""

from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from datetime import time
from itertools import chain, pairwise
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from shared.schemes.book import Phone, Site
from shared.schemes.procedure import Clause, Id, Sourced, Text

Fault = tuple[tuple[str | int, ...], str]
"""Where in a file something is wrong, and which law it breaks."""

AREAS = "gbt2260"
"""The code list that areas of organisations are taken from."""

OrganisationId = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9-]{0,39}$")]
MajorCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}[A-Z]{0,2}$")]
Area = Annotated[str, StringConstraints(pattern=r"^[0-9]{6}$")]
Code = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}$")]
QqGroup = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{4,10}$")]


class Listing(Clause):
    """One file of reference data."""

    @abstractmethod
    def faults(self) -> Iterator[Fault]:
        """What is wrong between entries, each of which is well-formed."""


def twice(values: Sequence[str], name: str, *field: str) -> Iterator[Fault]:
    """Every entry of the list `name` that says, in `field` if it has fields, what an earlier one said."""
    seen = set[str]()
    for place, value in enumerate(values):
        if value in seen:
            yield (name, place, *field), f"{value} stands twice"
        seen.add(value)


# --- certificates ------------------------------------------------------------------------------------------------


class CertificateLevel(Sourced):
    """A level of a certificate, as rules name it and as people read it."""

    id: Text
    title: Text


class CertificateType(Sourced):
    """A kind of certificate. From which courses it exempts is for each procedure to say."""

    id: Id
    name: Text = Field(description="The official name.")
    levels: tuple[CertificateLevel, ...] = Field((), description="The lowest first; empty where it has no levels.")
    modules: tuple[Text, ...] = Field((), description="The parts that are certified one by one.")
    evidence: tuple[Text, ...] = Field((), description="What proves it, where not the certificate alone does.")


class CertificateTypes(Listing):
    """`certificates.yaml`."""

    certificates: tuple[CertificateType, ...]

    def get(self, certificate: str) -> CertificateType | None:
        return next((each for each in self.certificates if each.id == certificate), None)

    def faults(self) -> Iterator[Fault]:
        yield from twice([each.id for each in self.certificates], "certificates", "id")
        yield from twice([each.name for each in self.certificates], "certificates", "name")
        for place, each in enumerate(self.certificates):
            levels = twice([level.id for level in each.levels], "levels", "id")
            for path, law in chain(levels, twice(each.modules, "modules")):
                yield ("certificates", place, *path), law


# --- code lists --------------------------------------------------------------------------------------------------


class CodeList(Sourced):
    """A list to choose from, with codes that others understand."""

    title: Text
    standard: Text = Field(description="The national standard whose codes these are.")
    entries: dict[Code, Text] = Field(min_length=1)
    nested: tuple[int, ...] = Field(
        (),
        description="Codes in a tree: so many leading digits, filled up with 0, make the code above; fewest first.",
    )

    def deepest(self) -> frozenset[str]:
        """The entries that have nothing below them."""
        return frozenset(self.entries) - {self.above(each) for each in self.entries}

    def above(self, code: str) -> str | None:
        """The entry of which this one is a part: 000102 of 000100, 000100 of 000000."""
        wider = (code[:digits].ljust(len(code), "0") for digits in reversed(self.nested))
        return next((each for each in wider if each != code), None)


class CodeLists(Listing):
    """`code_lists.yaml`. The reader of YAML refuses a code that stands twice in a list."""

    lists: dict[Id, CodeList]

    def get(self, name: str) -> CodeList | None:
        return self.lists.get(name)

    def faults(self) -> Iterator[Fault]:
        for name, each in self.lists.items():
            length = len(next(iter(each.entries)))
            for code in each.entries:
                above = each.above(code)
                if len(code) != length:
                    yield ("lists", name, "entries", code), f"{code} is longer or shorter than the codes before it"
                elif above and above not in each.entries:
                    yield ("lists", name, "entries", code), f"the entry above it is missing: {above}"


# --- organisations -----------------------------------------------------------------------------------------------


class ServiceHours(Clause):
    """When somebody answers, Asia/Shanghai."""

    days: Literal["working_days", "every_day"]
    daily: tuple[tuple[time, time], ...] = Field(min_length=1, description="From and to, in the order of the day.")
    on_holidays: Literal["postponed", "closed", "open"] = Field(
        description="postponed: what falls on a holiday is done on the next working day (顺延)."
    )

    @model_validator(mode="after")
    def _hours_follow_each_other(self) -> "ServiceHours":
        if any(later <= earlier for earlier, later in pairwise(chain.from_iterable(self.daily))):
            raise ValueError("hours must end after they start, and before the next ones")
        return self


class Organisation(Sourced):
    """Who decides, advises or hands out certificates, and how to reach them."""

    id: OrganisationId = Field(description="Its id in the whole platform.")
    name: Text
    level: Id = Field(description="One of the levels of this file.")
    area: Area | None = Field(None, description="Where it is, by GB/T 2260.")
    parent: OrganisationId | None = Field(None, description="The organisation above it, in this file.")
    phones: tuple[Phone, ...] = ()
    hours: ServiceHours | None = None
    site: Site | None = Field(None, description="The page where candidates begin.")


class Support(Sourced):
    """Who helps with the system itself."""

    about: Text
    phones: tuple[Phone, ...] = ()
    qq_group: QqGroup | None = None
    hours: ServiceHours | None = None


class Organisations(Listing):
    """`organisations.yaml` of one jurisdiction."""

    levels: tuple[Id, ...] = Field(min_length=1, description="The highest first.")
    organisations: tuple[Organisation, ...] = Field(min_length=1)
    support: tuple[Support, ...] = ()

    def get(self, organisation: str | None) -> Organisation | None:
        return next((each for each in self.organisations if each.id == organisation), None)

    def faults(self) -> Iterator[Fault]:
        yield from twice(self.levels, "levels")
        yield from twice([each.id for each in self.organisations], "organisations", "id")
        for place, each in enumerate(self.organisations):
            here = ("organisations", place)
            if each.level not in self.levels:
                yield (*here, "level"), f"no such level: {each.level}"
            elif law := self._law_about_parent(each):
                yield (*here, "parent"), law
            if len(set(each.phones)) < len(each.phones):
                yield (*here, "phones"), "a number stands twice"

    def _law_about_parent(self, each: Organisation) -> str | None:
        if each.parent is None:
            return None
        parent = self.get(each.parent)
        if parent is None:
            return f"no such organisation: {each.parent}"
        if parent.level not in self.levels or self.levels.index(parent.level) >= self.levels.index(each.level):
            return f"{parent.id} is a {parent.level}, which does not stand above a {each.level}"
        return None

    def strange_areas(self, known: Collection[str]) -> Iterator[Fault]:
        """Areas that the country's list does not have."""
        for place, each in enumerate(self.organisations):
            if each.area is not None and each.area not in known:
                yield ("organisations", place, "area"), f"no such area: {each.area}"


# --- majors ------------------------------------------------------------------------------------------------------


class MajorLevel(Sourced):
    """A level of majors, with the heading above them."""

    id: Text
    title: Text


class Major(Sourced):
    """A major, by level and code: names are used at several levels."""

    level: Text = Field(description="One of the levels of this file.")
    code: MajorCode
    name: Text
    closing: bool = Field(False, description="停: only for those who are candidates of this major already.")
    shown_as: Text | None = Field(None, description="How the source's screen cuts the name off.")


class Majors(Listing):
    """`majors.yaml` of one jurisdiction."""

    levels: tuple[MajorLevel, ...] = Field(min_length=1)
    majors: tuple[Major, ...] = Field(min_length=1)

    def get(self, level: str, code: str) -> Major | None:
        return next((each for each in self.majors if (each.level, each.code) == (level, code)), None)

    def heading(self, level: str) -> str:
        return next(each.title for each in self.levels if each.id == level)

    def faults(self) -> Iterator[Fault]:
        yield from twice([each.id for each in self.levels], "levels", "id")
        yield from twice([f"{each.level} {each.code}" for each in self.majors], "majors", "code")
        known = {each.id for each in self.levels}
        for place, each in enumerate(self.majors):
            if each.level not in known:
                yield ("majors", place, "level"), f"no such level: {each.level}"
