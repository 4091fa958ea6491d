"""What changed between two books, clause by clause. Pure; called by `ops/schemes`.

Lists are compared by what their entries are called and not by where they stand, so a stage put in between is one
addition, and not a change of everything below it. Where the order itself changed, that is said as a change of its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Kind = Literal["changed", "added", "removed", "reordered"]
NAMES = (
    ("id",),
    ("slot",),
    ("code",),
    ("level", "code"),  # a major: codes are used at several levels
    ("name",),
    ("major", "version"),  # a plan
    ("major",),
    ("title",),
    ("level",),
    ("about",),
    ("text",),
)
"""By which an entry of a list is known: the first of these that all entries have and that differ in each."""
FOR_WHAT = (("courses",), ("courses", "majors"), ("courses", "prior_majors"), ("plan_versions", "candidate_kinds"))
"""And where there is no name: what it is for. That is a name as long as it stays, or entries came or went."""
_ELSE = "其余"
_MOST = 3  # of a list that is written out in a name


@dataclass(frozen=True)
class Change:
    """One clause that is not what it was. `path` is in the book's words, entries of lists by their names."""

    kind: Kind
    path: tuple[str, ...]
    old: Any = None
    new: Any = None
    old_source: str = ""
    new_source: str = ""

    @property
    def named(self) -> str:
        """`exemption.stages[初审].due_days`, as clauses are named in events."""
        return "".join(step if step.startswith("[") else f".{step}" for step in self.path).removeprefix(".")


def changes(old: Any, new: Any, path: tuple[str, ...] = (), sources: tuple[str, str] = ("", "")) -> Iterator[Change]:
    """From `old` to `new`, in the order of the new book; what it no longer says comes last in each place."""
    sources = (_source(old, sources[0]), _source(new, sources[1]))
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _of_entries(old, new, path, sources, "{}")
    elif (names := _names_of_entries(old, new)) is not None:
        before, after = (dict(zip(said, entries, strict=True)) for said, entries in zip(names, (old, new), strict=True))
        yield from _of_entries(before, after, path, sources, "[{}]")
        if [each for each in before if each in after] != [each for each in after if each in before]:
            yield Change("reordered", path, list(before), list(after), *sources)
    elif old != new:
        yield Change("changed", path, old, new, *sources)


def _of_entries(
    old: Mapping[str, Any], new: Mapping[str, Any], path: tuple[str, ...], sources: tuple[str, str], written: str
) -> Iterator[Change]:
    for name, said in new.items():
        here = (*path, written.format(name))
        if name in old:
            yield from changes(old[name], said, here, sources)
        else:
            yield Change("added", here, new=said, new_source=_source(said, sources[1]))
    for name, said in old.items():
        if name not in new:
            yield Change("removed", (*path, written.format(name)), old=said, old_source=_source(said, sources[0]))


def _source(said: Any, around: str) -> str:
    """The source of a clause: its own, or that of the clause it is part of."""
    own = said.get("source") if isinstance(said, Mapping) else None
    return own if isinstance(own, str) else around


def _names_of_entries(old: Any, new: Any) -> tuple[list[str], list[str]] | None:
    """What the entries of both lists are called; by their place if nothing tells them apart and as many are there."""
    if not (isinstance(old, list) and isinstance(new, list)):
        return None
    entries = [*old, *new]
    if not entries or not all(isinstance(each, Mapping) for each in entries):
        return None
    for words in NAMES:
        if all(word in each for word in words for each in entries) and (found := _telling(old, new, words, None)):
            return found
    for words in FOR_WHAT:
        found = _telling(old, new, words, _MOST) or _telling(old, new, words, None)
        if found and (len(old) != len(new) or set(found[0]) == set(found[1])):
            return found
    by_place = [f"第{place}项" for place in range(1, len(old) + 1)]
    return (by_place, by_place) if len(old) == len(new) else None


def _telling(
    old: list[Any], new: list[Any], words: tuple[str, ...], most: int | None
) -> tuple[list[str], list[str]] | None:
    """What these words call the entries, if that tells them apart in each list."""
    before, after = ([_called(each, words, most) for each in entries] for entries in (old, new))
    return (before, after) if all(len(set(names)) == len(names) for names in (before, after)) else None


def _called(entry: Mapping[str, Any], words: tuple[str, ...], most: int | None) -> str:
    return " ".join(_written(entry[word], most) for word in words if word in entry) or _ELSE


def _written(said: Any, most: int | None) -> str:
    if not isinstance(said, list):
        return str(said)
    return "、".join(map(str, said[:most])) + (f" 等{len(said)}项" if most and len(said) > most else "")
