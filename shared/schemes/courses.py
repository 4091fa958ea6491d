"""The catalogue of courses: entries, the laws between them, and finding one by what somebody typed. Pure.

`catalog` reads it from `books/platform/courses.yaml`; exemption's API searches it, rules ask it for the official name.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, get_args

from pydantic import Field, StringConstraints

from shared.kernel.errors import Refused
from shared.schemes.procedure import Sourced, Text
from shared.schemes.reference import Fault, Listing, twice

CourseCode = Annotated[str, StringConstraints(pattern=r"^[0-9]{5}$")]

CourseKind = Literal["theory", "practice", "thesis", "politics"]
FoundBy = Literal["code", "name", "alias", "prefix", "contains"]
"""Why a course is among what was found, the best reason first. alias: another way to write its name."""

_RANKS: tuple[FoundBy, ...] = get_args(FoundBy)
_BRACKETS = str.maketrans("【〔〖[{】〕〗]}", "((((()))))")


class Course(Sourced):
    """A course, by its code."""

    code: CourseCode
    name: Text = Field(description="The official name; nothing else stands in papers.")
    aliases: tuple[Text, ...] = Field((), description="Other names that people and notices use for it.")
    kind: CourseKind
    credits: int | None = Field(None, ge=1, le=30, description="As the source shows them; a plan may say otherwise.")
    twin: CourseCode | None = Field(None, description="The practice of this theory, or the theory of this practice.")


@dataclass(frozen=True)
class Found:
    """A course, by what it was found, and the code or name in which that stands."""

    course: Course
    by: FoundBy
    matched: str


def spelled(name: str) -> str:
    """One spelling for one name: width, kinds of brackets, spaces and case do not make another."""
    return re.sub(r"\s", "", unicodedata.normalize("NFKC", name).casefold().translate(_BRACKETS))


def squeezed(name: str) -> str:
    """Only the letters and digits of a name, as somebody in a hurry types it."""
    return "".join(each for each in spelled(name) if each.isalnum())


@dataclass(frozen=True)
class _Forms:
    """A course in every form that typed text is compared with, made once."""

    course: Course
    names: tuple[tuple[str, str], ...]  # squeezed -> as it is written, the official name first
    label: str  # as lists show it: code and name

    @classmethod
    def of(cls, course: Course) -> "_Forms":
        names = tuple((squeezed(each), each) for each in (course.name, *course.aliases))
        return cls(course, names, course.code + names[0][0])

    def found(self, typed: str) -> Found | None:
        """By the best reason there is; `typed` holds a letter or digit."""
        exact, loose = spelled(typed), squeezed(typed)
        if loose == self.course.code:
            return Found(self.course, "code", self.course.code)
        if exact == spelled(self.course.name):
            return Found(self.course, "name", self.course.name)
        same = [written for form, written in self.names if form == loose]
        if same:
            return Found(self.course, "alias", next((each for each in same if spelled(each) == exact), same[0]))
        texts = ((self.label, self.course.code), *self.names)
        for form, written in texts:
            if form.startswith(loose):
                return Found(self.course, "prefix", written)
        for form, written in texts:
            if loose in form:
                return Found(self.course, "contains", written)
        return None

    def is_called(self, loose: str) -> bool:
        return any(form == loose for form, _ in self.names)


class Courses(Listing):
    """`courses.yaml`: the courses of all jurisdictions. Found by code; two may have one name."""

    courses: tuple[Course, ...]

    @cached_property
    def _forms(self) -> tuple[_Forms, ...]:
        return tuple(_Forms.of(each) for each in self.courses)

    @cached_property
    def _by_code(self) -> dict[str, Course]:
        return {each.code: each for each in self.courses}

    def get(self, code: str) -> Course | None:
        return self._by_code.get(code)

    def find(self, typed: str) -> tuple[Found, ...]:
        """Every course that has what was typed in its code, name or an alias; the best first, then by code."""
        if not squeezed(typed):
            return ()
        found = [each for forms in self._forms if (each := forms.found(typed))]
        return tuple(sorted(found, key=lambda each: (_RANKS.index(each.by), each.course.code)))

    def course(self, code: str) -> Course:
        """By its code, in whatever width it is typed; Refused when there is none."""
        digits = spelled(code)
        if not re.fullmatch("[0-9]{5}", digits):
            raise Refused("exemption.course_code_malformed")
        if digits not in self._by_code:
            raise Refused("exemption.no_such_course", code=digits)
        return self._by_code[digits]

    def canonical(self, code: str, name: str, *, code_wins: bool = False) -> Course:
        """SD-32: the course that both code and official name mean; Refused when they do not.

        HB-25: where a book lets the code win, the name is not looked at.
        """
        course = self.course(code)
        if code_wins or spelled(name) == spelled(course.name):
            return course
        loose = squeezed(name)
        called = {each.course.code for each in self._forms if each.is_called(loose)}
        if course.code in called or (not called and _shortens(loose, squeezed(course.name))):
            raise Refused("exemption.course_name_not_canonical", code=course.code, canonical=course.name)
        raise Refused("exemption.course_code_and_name_disagree", code=course.code, canonical=course.name)

    # --- laws between entries

    def faults(self) -> Iterator[Fault]:
        yield from twice([each.code for each in self.courses], "courses", "code")
        for place, course in enumerate(self.courses):
            if law := self._law_about_twin(course):
                yield ("courses", place, "twin"), law
        yield from self._ambiguous_aliases()

    def _law_about_twin(self, course: Course) -> str | None:
        if course.twin is None:
            return None
        twin = self.get(course.twin)
        if twin is None:
            return f"no such course: {course.twin}"
        if twin.twin != course.code:
            return f"{twin.code} does not name {course.code} as its twin"
        if {course.kind, twin.kind} != {"theory", "practice"}:
            return f"twins are theory and practice, but {course.code} is {course.kind} and {twin.code} is {twin.kind}"
        return None

    def _ambiguous_aliases(self) -> Iterator[Fault]:
        meant = defaultdict[str, set[str]](set)
        for forms in self._forms:
            for form, _ in forms.names:
                meant[form].add(forms.course.code)
        for place, course in enumerate(self.courses):
            said = [spelled(course.name)]
            for at, alias in enumerate(course.aliases):
                others = meant[squeezed(alias)] - {course.code}
                if others:
                    yield ("courses", place, "aliases", at), f"{alias} also means {', '.join(sorted(others))}"
                if spelled(alias) in said:
                    yield ("courses", place, "aliases", at), f"{alias} says nothing new"
                said.append(spelled(alias))


def _shortens(short: str, full: str) -> bool:
    """Whether `short` is left when characters are taken out of `full`: 马原 of 马克思主义基本原理概论."""
    rest = iter(full)
    return bool(short) and all(each in rest for each in short)
