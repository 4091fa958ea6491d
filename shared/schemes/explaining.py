"""A book as a page that an official reads: every clause in Chinese, with its source; what is assumed is numbered.

Called by `ops/schemes/explained.py`, which brings the models of all services. The page is read off the models, so a
word that is added to the vocabulary appears by itself; what it is called stands in `words.yaml`. Pure but for that.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from shared.schemes.procedure import ASSUMPTION, is_source
from shared.schemes.wording import ASSUMED, Word, chinese, hours

TITLES = ("title", "label", "about", "text", "name")
"""What a clause is called by those who read it: the first of these that it has."""
CODES = ("id", "slot", "code", "name", "level")
"""What rules call it."""
BASICS = "基本规则"
Name = tuple[str, str, str]
"""What an entry is called by those who read it and by rules, and the word that says so."""
_FEW = 2  # so many plain words of a clause inside a clause are told in its line; more take a section


@dataclass(frozen=True)
class Row:
    """One clause: what it is about, what it says, where it comes from."""

    name: str
    says: tuple[str, ...]
    source: str = ""
    code: str = ""


@dataclass(frozen=True)
class Section:
    """Clauses that belong together."""

    title: str
    code: str = ""
    source: str = ""
    rows: tuple[Row, ...] = ()
    sections: tuple["Section", ...] = ()


@dataclass(frozen=True)
class Page:
    """A whole book."""

    title: str
    about: tuple[str, ...]
    sections: tuple[Section, ...]
    clauses: int  # that say where they come from
    assumed: tuple[str, ...]  # where each numbered assumption stands, the first one first
    unnamed: tuple[tuple[str, str], ...]  # words without a Chinese name, and their descriptions


@dataclass
class Explainer:
    """Reads the parts of one book, one after the other, and counts what they assume."""

    offices: Mapping[str, str]  # role or level of organisation -> its title
    course: Callable[[str], str]  # the name of a course by its code
    elsewhere: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # unit -> code -> name, of other parts
    names: Mapping[str, str] = field(default_factory=dict)  # of the part that is being read
    assumed: list[str] = field(default_factory=list)
    unnamed: dict[str, str] = field(default_factory=dict)
    clauses: int = 0

    def chapter(self, title: str, part: str, said: BaseModel) -> Section:
        """One part: what is said in one line together, everything else in sections of its own."""
        self.names = {**lists_of(said), **names_of(said)}
        plain, own = _parted(_said(said))
        basics = Section(BASICS, rows=tuple(self._rows(said, plain, part, (title, BASICS))))
        sections = [self._section(said, word, value, part, (title,)) for word, value in own]
        return Section(title, sections=(*((basics,) if plain else ()), *sections))

    # --- sections and rows

    def _section(self, clause: BaseModel, word: str, value: Any, place: str, trail: tuple[str, ...]) -> Section:
        title = self._label(clause, word, place)
        trail = (*trail, title)
        if isinstance(value, BaseModel):
            return self._of_clause(title, value, word, trail)
        return self._of_entries(title, list(_entries(value)), word, trail)

    def _of_clause(self, title: str, clause: BaseModel, place: str, trail: tuple[str, ...], code: str = "") -> Section:
        hidden = _title_word(clause) if code else ""
        shown = (each for each in _said(clause) if each[0] != hidden and not (each[0] in CODES and each[1] == code))
        plain, own = _parted(shown)
        source = self._cited(clause, trail)
        rows = tuple(self._rows(clause, plain, place, trail))
        sections = tuple(self._section(clause, word, value, place, trail) for word, value in own)
        return Section(title, code, source, rows, sections)

    def _of_entries(self, title: str, entries: list[tuple[str, Any]], place: str, trail: tuple[str, ...]) -> Section:
        named = [(self._name_of(key, each, nth), each) for nth, (key, each) in enumerate(entries, 1)]
        if not any(_large(each) for _, each in entries):
            return Section(title, rows=tuple(self._row(name, each, place, trail) for name, each in named))
        return Section(title, sections=tuple(self._of_entry(name, each, place, trail) for name, each in named))

    def _of_entry(self, called: Name, entry: Any, place: str, trail: tuple[str, ...]) -> Section:
        name, code, _ = called
        if isinstance(entry, BaseModel):
            return self._of_clause(name, entry, place, (*trail, name), code or name)
        return self._of_entries(name, list(_entries(entry)), place, (*trail, name))

    def _row(self, called: Name, entry: Any, place: str, trail: tuple[str, ...]) -> Row:
        """One entry of a list whose entries are short."""
        name, code, title = called
        if not isinstance(entry, BaseModel):
            return Row(name, (self._say(entry, None),), code=code if code != name else "")
        words = [(word, each) for word, each in _said(entry) if word != title and not (word in CODES and each == code)]
        trail = (*trail, name)
        says = tuple(self._facts(entry, words, place, trail))
        return Row(name, says, self._cited(entry, trail), code if code != name else "")

    def _rows(
        self, clause: BaseModel, words: list[tuple[str, Any]], place: str, trail: tuple[str, ...]
    ) -> Iterator[Row]:
        """The short words of a clause, one row each."""
        for word, value in words:
            label = self._label(clause, word, place)
            if isinstance(value, BaseModel):
                says = tuple(self._facts(value, _inner(value), word, (*trail, label)))
                yield Row(label, says, self._cited(value, (*trail, label)))
            else:
                source = self._cited_as(getattr(clause, f"{word}_source", None), (*trail, label))
                yield Row(label, (self._say(value, chinese().of(word, place)),), source)
        for word, known in _left_out(clause, place):
            yield Row(self._label(clause, word, place), (known.if_missing,))

    def _facts(
        self, clause: BaseModel, words: list[tuple[str, Any]], place: str, trail: tuple[str, ...]
    ) -> Iterator[str]:
        """What a short clause says, one sentence a word."""
        for word, value in words:
            known, label = chinese().of(word, place), self._label(clause, word, place)
            if isinstance(value, BaseModel):
                inner = "，".join(self._facts(value, _inner(value), word, (*trail, label)))
                source = self._cited(value, (*trail, label))
                yield f"{label}：{inner}" + (f"（{source}）" if source else "")
            elif word == "text" or (isinstance(value, bool) and known and (known.if_true or known.if_false)):
                yield self._say(value, known)
            else:
                yield f"{label}：{self._say(value, known)}"
        yield from (known.if_missing for _, known in _left_out(clause, place))

    # --- words and figures

    def _label(self, clause: BaseModel, word: str, place: str) -> str:
        known = chinese().of(word, place)
        if known is None:
            self.unnamed[word] = type(clause).model_fields[word].description or ""
        return known.zh if known else word

    def _say(self, value: Any, word: Word | None) -> str:
        unit = word.unit if word else ""
        if unit == "hours":
            return hours(value)
        if unit == "ratio":
            return " : ".join(str(each) for each in value)
        if isinstance(value, Mapping):
            told = "；".join(self._entry(key, self._say(each, word)) for key, each in value.items())
            return told.replace("。；", "。")
        if isinstance(value, frozenset):
            value = sorted(value, key=str)
        if isinstance(value, tuple | list):
            return "、".join(self._say(each, word) for each in value)
        if value is None:
            return "（无）"
        if unit == "courses":
            return f"{value} {self.course(value)}".strip()
        if unit == "office":
            return self.offices.get(value, str(value))
        if value in self.elsewhere.get(unit, ()):
            return self.elsewhere[unit][value]
        if word is None or value not in word.values:
            value = self.names.get(value, value) if isinstance(value, str) else value
        return chinese().figure(value, word)

    def _entry(self, code: str, says: str) -> str:
        """One of a table; a code that has no name is the program's own and tells people nothing."""
        name = self._name_of(code, None, 0)[0]
        return says if name == code else f"{name}：{says}"

    def _name_of(self, key: str, entry: Any, nth: int) -> Name:
        """An entry by its key, by what it is called, or by where it stands."""
        if key:
            known = chinese().entry(key)
            return (known if known != key else self.names.get(key, key)), key, ""
        name, code = _called(entry)
        return (name, code, _title_word(entry)) if name else (f"第 {nth} 项", "", "")

    def _cited(self, clause: BaseModel, trail: tuple[str, ...]) -> str:
        """The source of a clause; every assumption gets the next number."""
        return self._cited_as(getattr(clause, "source", None), trail)

    def _cited_as(self, source: Any, trail: tuple[str, ...]) -> str:
        if not isinstance(source, str):
            return ""
        self.clauses += 1
        if ASSUMPTION not in source:
            return source.replace(", ", "、")
        self.assumed.append(" › ".join(trail))
        return source.replace(", ", "、").replace(ASSUMPTION, f"※{len(self.assumed)} {ASSUMED}")


def names_of(said: Any) -> dict[str, str]:
    """What each code of a part is called; codes with two meanings are left as they are."""
    found: dict[str, set[str]] = {}
    for clause in _clauses_in(said):
        name, code = _called(clause)
        if (
            code.isascii() and code and code != name and _title_word(clause) != "text"
        ):  # sentences explain a code and are no name for it
            found.setdefault(code, set()).add(name)
    return {code: names.pop() for code, names in found.items() if len(names) == 1}


def lists_of(said: Any, around: str = "") -> dict[str, str]:
    """What the lists of a part are called: by the first field that chooses from them."""
    found: dict[str, str] = {}
    if isinstance(said, BaseModel):
        name, _ = _called(said)
        if isinstance(listed := getattr(said, "list", None), str):
            return {listed: f"{around}{'：' if around else ''}{name}"}
        around = name if isinstance(getattr(said, "title", None), str) else around
        said = [getattr(said, word) for word in type(said).model_fields]
    for each in said.values() if isinstance(said, Mapping) else said if isinstance(said, tuple | list) else ():
        found = lists_of(each, around) | found
    return found


def _clauses_in(said: Any) -> Iterator[BaseModel]:
    if isinstance(said, BaseModel):
        yield said
        said = [getattr(said, word) for word in type(said).model_fields]
    for each in said.values() if isinstance(said, Mapping) else said if isinstance(said, tuple | list) else ():
        yield from _clauses_in(each)


def _said(clause: BaseModel) -> Iterator[tuple[str, Any]]:
    """What a clause says, in the order of its model; of what it leaves out only what holds all the same."""
    for word in type(clause).model_fields:
        value = getattr(clause, word)
        if is_source(word) or value is None or (isinstance(value, tuple | Mapping | frozenset) and not value):
            continue
        if word in clause.model_fields_set or value is True:
            yield word, value


def _inner(clause: BaseModel) -> list[tuple[str, Any]]:
    """What a clause inside another says; how rules call it is of no interest there."""
    return [(word, value) for word, value in _said(clause) if word != "id"]


def _left_out(clause: BaseModel, place: str) -> Iterator[tuple[str, Word]]:
    """Words that mean something when they are not there."""
    for word in type(clause).model_fields:
        known = chinese().of(word, place)
        if known and known.if_missing and getattr(clause, word) is None:
            yield word, known


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """The clauses of a list, or of a table with their keys; nothing for plain values."""
    if isinstance(value, Mapping) and all(isinstance(each, BaseModel | Mapping | tuple) for each in value.values()):
        yield from value.items()
    elif isinstance(value, tuple) and all(isinstance(each, BaseModel) for each in value):
        yield from (("", each) for each in value)


def _parted(said: Iterable[tuple[str, Any]]) -> tuple[list[tuple[str, Any]], list[tuple[str, Any]]]:
    """What is told in one row each, and what takes a section of its own."""
    plain: list[tuple[str, Any]] = []
    own: list[tuple[str, Any]] = []
    for word, value in said:
        (own if _needs_room(value) else plain).append((word, value))
    return plain, own


def _needs_room(value: Any) -> bool:
    """Whether it cannot be told in one row."""
    return _large(value) if isinstance(value, BaseModel) else any(True for _ in _entries(value))


def _large(value: Any) -> bool:
    """Whether a clause has lists of clauses in it, or a clause with much to say."""
    if not isinstance(value, BaseModel):
        return any(True for _ in _entries(value))
    return any(
        len(list(_said(each))) > _FEW or _large(each)
        if isinstance(each, BaseModel)
        else any(True for _ in _entries(each))
        for _, each in _said(value)
    )


def _title_word(clause: BaseModel) -> str:
    return next((word for word in TITLES if isinstance(getattr(clause, word, None), str)), "")


def _called(clause: Any) -> tuple[str, str]:
    """How a clause is called by people, and by rules."""
    name = getattr(clause, _title_word(clause), "") if isinstance(clause, BaseModel) else ""
    codes = (getattr(clause, word, None) for word in CODES if isinstance(clause, BaseModel))
    code = next((each for each in codes if isinstance(each, str)), "")
    return name or code, code
