"""Who is in a story: candidates with accounts and perfect forms, staff with roles, organisations. Used by `playing.py`.

Everybody is invented: ID numbers lie in an area that does not exist. What a story calls by its title (a field, an
entry of a list, a role, a level) is found in the book here.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from ops.schemes.stories import GIVEN, Story, Wrong
from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.followed import Account, Organisation
from services.exemption.domain.proofs import perfect
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.kernel.time import SHANGHAI
from shared.kernel.values import id_check_digit
from shared.schemes.book import Head
from shared.schemes.forms import FormField

EXAMPLE = "样本"
_AREA_AND_DAY = "89999919990307"


@dataclass(frozen=True)
class Cast:
    """Everybody of one story."""

    book: ExemptionScheme
    head: Head
    organisations: Mapping[str, Organisation]  # called by their titles
    posts: Mapping[str, tuple[str, str]]  # staff -> role, organisation
    candidates: Mapping[str, Mapping[str, str]]  # name -> what of a perfect form is different, by field
    sample: SaveDraft  # a perfect application under this book
    zone = SHANGHAI

    @classmethod
    def of(cls, story: Story, rules: Rules, head: Head) -> "Cast":
        organisations = dict(_organisations(story, head))
        sample = perfect(rules).sample.draft
        cast = cls(rules.book, head, organisations, dict(_posts(story, head, organisations)), {}, sample)
        told = story.given.candidates
        typed = {name: cast.typed(form, (GIVEN, "考生", name)) for name, form in told.items()}
        return cls(rules.book, head, organisations, cast.posts, typed, sample)

    def everybody(self) -> tuple[str, ...]:
        return (*self.candidates, *self.posts)

    def knows(self, who: str) -> bool:
        return who in self.everybody()

    def is_candidate(self, who: str) -> bool:
        return who in self.candidates

    def roles(self, who: str) -> frozenset[tuple[str, str]]:
        return frozenset({self.posts[who]} if who in self.posts else ())

    def example(self, level: str) -> str:
        return next(each.id for each in self.organisations.values() if each.level == level)

    def opener(self) -> str:
        """The organisation that the cycle is opened for: where the role that opens it is held, else above all."""
        held = (role.level for role in self.head.roles if role.id in self.book.open_by and role.level)
        return self.example(next(held, self.head.levels[-1].level))

    def account(self, candidate: str) -> Account:
        number = list(self.candidates).index(candidate) + 1
        first17 = f"{_AREA_AND_DAY}{number:03}"
        return Account(candidate, first17 + id_check_digit(first17), f"199{number:08}")

    def perfect(self, candidate: str, application: str) -> SaveDraft:
        """Everything as the book asks for it, with this person's own data and what the story says of them."""
        draft, account = self.sample, self.account(candidate)
        own = {each.name: getattr(account, each.same_as_account) for each in self.book.fields if each.same_as_account}
        places = {each.name: self.example(each.level) for each in self.book.fields if each.level}
        numbers = {each.name: self._number(each, candidate, draft) for each in self.book.fields if _is_number(each)}
        form = {**draft.form, **own, **places, **numbers, **self.candidates[candidate]}
        return replace(draft, application=application, form=form)  # type: ignore[type-var]  # a struct, see messages

    def _number(self, field: FormField, candidate: str, draft: SaveDraft) -> str:
        """The book's example with another end for each candidate: numbers are as different as people."""
        return f"{draft.form[field.name][:-1]}{list(self.candidates).index(candidate) + 1}"

    def typed(self, said: Mapping[str, str], where: tuple[str | int, ...]) -> dict[str, str]:
        """Field -> value, of labels and titles."""
        fields = {each.label: each for each in self.book.fields}
        for label in said:
            if label not in fields:
                raise Wrong((*where, label), f"the form has no such field; it has {'、'.join(fields)}")
        return {fields[label].name: self._chosen(fields[label], value) for label, value in said.items()}

    def _chosen(self, field: FormField, value: str) -> str:
        """What stands behind an entry of a list; anything else is as typed."""
        match field.kind:
            case "certificate":
                entries = {each.name: each.id for each in self.book.certificates}
            case "certificate_level":
                entries = {each.title: each.id for each in self.book.levels}
            case "choice":
                entries = {each.title: each.id for each in self.book.lists[field.list or ""]}
            case _:
                return value
        return entries.get(value, value)

    def slots(self, labels: Collection[str], where: tuple[str | int, ...]) -> frozenset[str]:
        slots = {each.label: each.slot for each in self.book.photos}
        for place, label in enumerate(labels):
            if label not in slots:
                raise Wrong((*where, place), f"the form has no such photograph; it has {'、'.join(slots)}")
        return frozenset(slots[label] for label in labels)


def _is_number(field: FormField) -> bool:
    return field.kind == "certificate_number"


def _organisations(story: Story, head: Head) -> Iterator[tuple[str, Organisation]]:
    """One of each level of the book, each below the next, and those that the story has besides."""
    titles = [f"{EXAMPLE}{scope.title}" for scope in head.levels]
    above = dict(zip([scope.level for scope in head.levels], [*titles[1:], None], strict=True))
    for scope, title in zip(head.levels, titles, strict=True):
        yield title, Organisation(title, title, scope.level, above[scope.level])
    levels = {scope.title: scope.level for scope in head.levels}
    for title, place in story.given.organisations.items():
        if place.level not in levels:
            raise Wrong((GIVEN, "机构", title, "级别"), f"no such level; there are {'、'.join(levels)}")
        level = levels[place.level]
        yield title, Organisation(title, title, level, place.above or above[level])


def _posts(
    story: Story, head: Head, organisations: Mapping[str, Organisation]
) -> Iterator[tuple[str, tuple[str, str]]]:
    roles = {role.title: role for role in head.roles}
    for name, post in story.given.staff.items():
        where = (GIVEN, "工作人员", name)
        if post.role not in roles:
            raise Wrong(where, f"no such role: {post.role}; there are {'、'.join(roles)}")
        if post.organisation is not None and post.organisation not in organisations:
            raise Wrong(where, f"no such organisation: {post.organisation}; there are {'、'.join(organisations)}")
        role = roles[post.role]
        levels = (each.id for each in organisations.values() if each.level == role.level)
        yield name, (role.id, post.organisation or next(levels, "*"))
