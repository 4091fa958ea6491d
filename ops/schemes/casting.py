"""Who is in a story: candidates with accounts and perfect forms, staff with roles, organisations. Used by `playing.py`.

Everybody is invented: ID numbers lie in an area that does not exist. What a story calls by its title (a field, an
entry of a list, a role, a level) is found in the book here.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from msgspec.structs import replace as replaced

from ops.schemes.claiming import Claiming, slots_of, typed_in
from ops.schemes.stories import GIVEN, AccountTold, ClaimTold, Record, Story, Wrong
from services.exemption.domain.commands import SaveDraft
from services.exemption.domain.followed import Account, Education, Organisation
from services.exemption.domain.proofs import perfect
from services.exemption.domain.sample import Sample
from services.exemption.domain.scheme import ExemptionScheme, Rules
from shared.kernel.time import SHANGHAI
from shared.kernel.values import id_check_digit
from shared.schemes.book import Head
from shared.schemes.forms import FormField

EXAMPLE = "样本"
RECORD = "前置学历"
STANDINGS = {"已提交": "submitted", "已撤回": "taken_back", "生效": "effective", "未生效": "not_effective"}
_AREA_AND_DAY = "89999919990307"


@dataclass(frozen=True)
class Cast:
    """Everybody of one story."""

    rules: Rules
    head: Head
    organisations: Mapping[str, Organisation]  # called by their titles
    posts: Mapping[str, tuple[str, str]]  # staff -> role, organisation
    sample: Sample  # a perfect application under this book
    candidates: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # name -> what differs, by field
    zone = SHANGHAI

    @classmethod
    def of(cls, story: Story, rules: Rules, head: Head) -> "Cast":
        organisations = dict(_organisations(story, head))
        posts = dict(_posts(story, head, organisations))
        cast = cls(rules, head, organisations, posts, perfect(rules).sample)
        told = story.given.candidates
        typed = {name: cast.typed(form, (GIVEN, "考生", name)) for name, form in told.items()}
        for name in story.given.accounts.keys() - told.keys():
            raise Wrong((GIVEN, "账号", name), f"nobody here is called {name}; there are {'、'.join(told)}")
        return replace(cast, candidates=typed)

    @property
    def book(self) -> ExemptionScheme:
        return self.rules.book

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

    # --- accounts

    def account(self, candidate: str, told: AccountTold | None = None) -> Account:
        """Everything as the book asks for it, changed by what the story says."""
        number = self._place(candidate)
        first17 = f"{_AREA_AND_DAY}{number:03}"
        education = {RECORD: self._record(Record.model_validate({}), number)}
        verified = {self.rules.jurisdiction: "photographs"}
        id_number, mobile = first17 + id_check_digit(first17), f"199{number:08}"
        known = Account(candidate, id_number, mobile, self._ticket(candidate), verified, education)
        return self.learnt(known, told) if told else known

    def _ticket(self, candidate: str) -> str:
        """That which is typed, where the form does not take it from the account."""
        asked = self.book.field_of("ticket_number")
        if asked is None or asked.same_as_account:
            return f"8{self._place(candidate):011}"
        return self.candidates[candidate].get(asked.name) or self._number(asked, candidate)

    def learnt(self, known: Account, told: AccountTold) -> Account:
        """What identity knows from now on; of prior education all its records."""
        if told.verified is not None:
            known = replace(known, verified={} if told.verified == "未认证" else {self.rules.jurisdiction: "story"})
        if told.ticket_number is not None:
            known = replace(known, ticket_number=told.ticket_number)
        if told.education is not None:
            records = enumerate(told.education.items(), self._place(known.holder) * 10)
            known = replace(known, education={name: self._record(each, number) for number, (name, each) in records})
        return known

    def _record(self, told: Record, number: int) -> Education:
        (best,) = self.sample.account.education.values()
        return Education(
            STANDINGS[told.standing],  # type: ignore[arg-type]
            told.level or best.level,
            told.category or best.category,
            told.certificate_number or f"D1{number:07}",
            told.school or best.school,
            told.major or best.major,
        )

    def _place(self, candidate: str) -> int:
        return list(self.candidates).index(candidate) + 1

    # --- forms

    def perfect(self, account: Account, application: str) -> SaveDraft:
        """Everything as the book asks for it, with this person's own data and what the story says of them."""
        major, candidate = self.book.field_of("major"), account.holder
        sample = self._sample_of(self.candidates[candidate].get(major.name) if major else None)
        draft = sample.draft
        own = {each.name: getattr(account, each.same_as_account) for each in self.book.fields if each.same_as_account}
        places = {each.name: self.example(each.level) for each in self.book.fields if each.level}
        numbers = {each.name: self._number(each, candidate) for each in self.book.fields if _is_number(each)}
        form = {**draft.form, **own, **places, **numbers, **self.candidates[candidate]}
        majors = draft.majors
        if draft.majors and major:
            majors = (form[major.name], *(each for each in draft.majors[1:] if each != form[major.name]))
        claims = self._claiming(account, form).perfect() if self.book.bases else ()
        return replaced(draft, application=application, form=form, claims=claims, majors=majors)  # type: ignore[type-var]

    def _number(self, field: FormField, candidate: str) -> str:
        """The book's example with another end for each candidate: numbers are as different as people."""
        return f"{self.sample.draft.form[field.name][:-1]}{self._place(candidate)}"

    def claims(
        self, told: Collection[ClaimTold], account: Account, form: Mapping[str, str], where: tuple[str | int, ...]
    ) -> tuple[dict[str, object], ...]:
        return self._claiming(account, form).claims(told, where)

    def _claiming(self, account: Account, form: Mapping[str, str]) -> Claiming:
        major = self.book.field_of("major")
        own = form.get(major.name) if major else next(iter(self.sample.draft.majors), None)
        return Claiming(self.rules, self._sample_of(own), own, account, self._place(account.holder))

    def _sample_of(self, own_major: str | None) -> Sample:
        """A perfect application of somebody of this major; of a major that nobody knows, of anybody."""
        majors = self.rules.known.majors.majors if self.rules.known.majors else ()
        if own_major not in {f"{each.level} {each.code}" for each in majors}:
            return self.sample
        return perfect(self.rules, own_major=own_major).sample

    def typed(self, said: Mapping[str, str], where: tuple[str | int, ...]) -> dict[str, str]:
        """Field -> value, of labels and titles."""
        return typed_in(self.rules, self.book.fields, said, where)

    def slots(self, labels: Collection[str], where: tuple[str | int, ...]) -> frozenset[str]:
        return slots_of({each.label: each.slot for each in self.book.photos}, labels, where)


def _is_number(each: FormField) -> bool:
    return each.kind in {"certificate_number", "ticket_number"} and not each.same_as_account


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
