"""What a story's candidate claims: said by titles and labels, filled up to what the book asks. For `casting.py`."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from ops.schemes.stories import ClaimTold, CourseTold, Wrong
from services.exemption.domain.bases import Basis
from services.exemption.domain.claims import ClaimedCourse
from services.exemption.domain.followed import Account
from services.exemption.domain.sample import Sample, claim_on, details_of
from services.exemption.domain.scheme import Rules
from shared.schemes.forms import FormField

Where = tuple[str | int, ...]


@dataclass(frozen=True)
class Claiming:
    """One candidate claims; `sample` has the account that a perfect claim is filled in with."""

    rules: Rules
    sample: Sample
    own_major: str | None
    account: Account
    place: int  # of the candidate among all

    def perfect(self) -> tuple[dict[str, object], ...]:
        """The claim of the sample, with this candidate's papers."""
        claims = self.sample.draft.claims
        pinned = len(claims) > 1  # of several claims each has courses of its own
        said = []
        for each in claims:
            courses = {"课程": [course["code"] for course in each["courses"]]} if pinned else {}
            said.append(ClaimTold.model_validate({"依据": self._basis(each["basis"]).title, **courses}))
        return self.claims(said, ())

    def claims(self, told: Collection[ClaimTold], where: Where) -> tuple[dict[str, object], ...]:
        several = len(told) > 1
        return tuple(self._claim(each, (*where, nth), nth if several else None) for nth, each in enumerate(told))

    def _claim(self, told: ClaimTold, where: Where, nth: int | None) -> dict[str, object]:
        """`nth`: of several."""
        basis = self._named(told.basis, (*where, "依据"))
        best = claim_on(self.rules, basis, self.own_major, self.sample.account)
        typed = typed_in(self.rules, basis.asked_fields(), told.form, (*where, "填写"), basis)
        form = {**best.form, **self._papers(basis, best.form, nth), **typed}
        labels = {each.label: each.slot for each in self.rules.book.claim_photos(basis)}
        missing = slots_of(labels, told.without, (*where, "缺照片"))
        photos = {slot: f"{upload}#{where[-1]}" for slot, upload in best.photos.items() if slot not in missing}
        courses = best.courses if told.courses is None else self._courses(basis, told.courses, (*where, "课程"))
        said = [{"code": each.code, "name": each.name, "form": dict(each.form)} for each in courses]
        return {"basis": basis.id, "form": form, "photos": photos, "courses": said}

    def _papers(self, basis: Basis, form: Mapping[str, str], nth: int | None) -> dict[str, str]:
        """Numbers are as different as people, and as claims; the record of prior education is the first there is."""
        papers = {}
        asked = basis.asked_fields()
        numbers = [each.name for each in asked if each.kind == "certificate_number"]
        for count, each in enumerate(asked):
            if each.kind == "certificate_number":
                before = (nth or 0) * len(numbers) + numbers.index(each.name)  # of the same person
                other = str(self.place) if nth is None and len(numbers) == 1 else f"{before}{self.place:02}"
                papers[each.name] = f"{form[each.name][: -len(other)] if each.example else f'Y{count:03}'}{other}"
            if each.kind == "prior_education":
                papers[each.name] = next(iter(self.account.education), "")
        return papers

    def _courses(self, basis: Basis, told: Iterable[CourseTold], where: Where) -> tuple[ClaimedCourse, ...]:
        return tuple(self._course(basis, each, (*where, place)) for place, each in enumerate(told))

    def _course(self, basis: Basis, told: CourseTold, where: Where) -> ClaimedCourse:
        course = self.rules.known.courses.get(told.code)
        name = told.name if told.name is not None else course.name if course else ""
        asked = basis.details_of(told.code)
        typed = typed_in(self.rules, asked, told.form, (*where, "填写"), basis)
        filled = details_of(self.rules, basis, told.code, self.sample.account, self.own_major)
        return ClaimedCourse(told.code, name, {**filled, **typed})

    def _named(self, title: str, where: Where) -> Basis:
        titles = {each.title: each for each in self.rules.book.bases}
        if title not in titles:
            raise Wrong(where, f"no such basis; there are {'、'.join(titles) or 'none'}")
        return titles[title]

    def _basis(self, basis: str) -> Basis:
        found = self.rules.book.basis(basis)
        assert found is not None  # the sample is of this book
        return found


def typed_in(
    rules: Rules, fields: Collection[FormField], said: Mapping[str, str], where: Where, basis: Basis | None = None
) -> dict[str, str]:
    """Field -> value, of labels and titles; what stands in no list is as typed."""
    by_label = {each.label: each for each in fields}
    for label in said:
        if label not in by_label:
            raise Wrong((*where, label), f"the form has no such field; it has {'、'.join(by_label)}")
    found = ((by_label[label], value) for label, value in said.items())
    return {each.name: _entries(rules, each, basis).get(value, value) for each, value in found}


def slots_of(slots: Mapping[str, str], labels: Collection[str], where: Where) -> frozenset[str]:
    for place, label in enumerate(labels):
        if label not in slots:
            raise Wrong((*where, place), f"the form has no such photograph; it has {'、'.join(slots)}")
    return frozenset(slots[label] for label in labels)


def _entries(rules: Rules, each: FormField, basis: Basis | None) -> Mapping[str, str]:
    """Title -> what stands behind it, of the list that a field chooses from."""
    book, known = rules.book, rules.known
    match each.kind:
        case "certificate":
            return {entry.name: entry.id for entry in book.certificates}
        case "certificate_level" if basis and basis.certificate:
            found = known.certificates.get(basis.certificate.type)
            return {level.title: level.id for level in found.levels} if found else {}
        case "certificate_level":
            return {entry.title: entry.id for entry in book.levels}
        case "choice" | "plan_version" | "candidate_kind":
            code_list = known.code_lists.get(each.code_list) if each.code_list else None
            coded = {title: code for code, title in code_list.entries.items()} if code_list else {}
            return coded or {entry.title: entry.id for entry in book.lists.get(each.list or "", ())}
        case _:
            return {}
